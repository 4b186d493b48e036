/** How deliveries lie in a bucket: the names of objects, and a delivery's fields as metadata of its object. Pure. */
import type { Delivery } from './raw-store.ts';
import type { StoredObject } from './raw-store.gcs-bucket.ts';

/** A delivery without its body: what can be known of it without reading the content. */
export interface Entry extends Omit<Delivery, 'body'> {
  readonly hasBody: boolean;
  /** Which call of ours wrote it last: who does not hear whether a write was applied finds it here. */
  readonly writer: string;
}

type Hash = (text: string) => string;

/** `read` answers null for what is not ours. */
export interface Layout {
  /** The object that is the truth about a delivery. */
  truth(id: string): string;
  /** All index objects of a delivery as it stands. */
  indexes(entry: Omit<Delivery, 'body'>): readonly string[];
  usedOf(tenant: string): string;
  quarantineOf(tenant: string | null): string;
  pendingFor(reason: 'waiting' | 'to_fetch'): string;
  /** All four places where deliveries of a call or conversation of this id may be found. */
  related(id: string): readonly string[];
  /** The mark of a call or conversation that nothing is kept of any more. */
  erased(id: string): string;
  /** The first name after a position in an index by time. */
  after(prefix: string, position: { readonly received_at: number; readonly id: string } | null): string;
  /** The first name of a time in an index by time. */
  at(prefix: string, receivedAt: number): string;
  /** Whether an index object of `pending` belongs to that conversation. */
  isOf(name: string, conversationId: string): boolean;
  /** The place of an index object within all indexes by time: two of them compare as their deliveries do. */
  place(name: string): string;
  /** The truth that an index object leads to. */
  truthOf(name: string): string;
}

/** Folders of all tenants. */
export const USED_BY_TENANT = 'used/tenant/';
/** See USED_BY_TENANT. */
export const QUARANTINE_BY_TENANT = 'quarantine/tenant/';
/** What is in quarantine, by every index. */
export const QUARANTINE = 'quarantine/';
/** Where the deliveries themselves lie. */
export const DELIVERIES = 'deliveries/';
/** Marks of what was erased. */
export const ERASED = 'erased/';

/** Milliseconds until the year 5138, always as many digits, so that names order as times do. */
const TIME_DIGITS = 14;
/** 128 bits: nobody finds a second text for one. */
const HASH_CHARACTERS = 32;

/**
 * Tenants, conversations and calls stand in names as hashes: whatever characters they have, however long they are; nor does a list
 * of names tell whose they are. An id of letters and digits (ours are SHA-256 in hex) stands as it is, any other by its hash.
 */
export const gcsLayout = (sha256: Hash): Layout => {
  const hash = (text: string): string => sha256(text).slice(0, HASH_CHARACTERS);
  const idName = (id: string): string => (/^[A-Za-z0-9]{1,128}$/.test(id) ? id : `~${sha256(id)}`);
  const time = (ms: number): string => String(Math.max(0, Math.floor(ms))).padStart(TIME_DIGITS, '0');
  const tenantName = (tenant: string | null): string => (tenant === null ? 'nobody' : hash(tenant));
  const related = (state: 'used' | 'quarantine', callSid: string | null, conversationId: string | null): string[] => [
    ...(callSid === null ? [] : [`${state}/call/${hash(callSid)}/`]),
    ...(conversationId === null ? [] : [`${state}/conversation/${hash(conversationId)}/`]),
  ];
  return {
    truth: (id) => `${DELIVERIES}${idName(id)}`,
    indexes: ({ id, reason, tenant, received_at, call_sid, conversation_id }) => {
      const state = reason === 'used' ? 'used' : 'quarantine';
      const place = `${time(received_at)}_${idName(id)}`;
      return [
        `${state}/tenant/${tenantName(tenant)}/${place}`,
        ...related(state, call_sid, conversation_id).map((folder) => `${folder}${idName(id)}`),
        ...(reason === 'waiting' || reason === 'to_fetch' ? [`quarantine/pending/${reason}/${place}-${conversation_id === null ? 'none' : hash(conversation_id)}`] : []),
      ];
    },
    usedOf: (tenant) => `${USED_BY_TENANT}${tenantName(tenant)}/`,
    quarantineOf: (tenant) => `${QUARANTINE_BY_TENANT}${tenantName(tenant)}/`,
    pendingFor: (reason) => `quarantine/pending/${reason}/`,
    related: (id) => [...related('used', id, id), ...related('quarantine', id, id)],
    erased: (id) => `${ERASED}${hash(id)}`,
    // `-` stands before `.`, `.` before digits and letters: past the id itself, before every longer one.
    after: (prefix, position) => (position === null || position.received_at < 0 ? prefix : `${prefix}${time(position.received_at)}_${position.id === '' ? '' : `${idName(position.id)}.`}`),
    at: (prefix, receivedAt) => `${prefix}${time(receivedAt)}`,
    isOf: (name, conversationId) => name.endsWith(`-${hash(conversationId)}`),
    place: (name) => lastOf(name),
    truthOf: (name) => `${DELIVERIES}${lastOf(name).replace(/^\d+_/, '').replace(/-.*$/, '')}`,
  };
};

const lastOf = (name: string): string => name.slice(name.lastIndexOf('/') + 1);

/** The one key of custom metadata that is ours. */
const KEY = 'delivery';

/**
 * All fields as one value, so that a change is one change. Base64 of JSON: the client library replaces `{{projectId}}` wherever it
 * finds it in metadata, and headers of other tools carry no other characters than ASCII. With every id as long as it may be
 * (ID_MAX_CHARACTERS, three bytes each) it stays under the 8 KiB that an object's metadata may have.
 */
export const labelsOf = (entry: Entry): Readonly<Record<string, string>> => ({ [KEY]: Buffer.from(JSON.stringify(entry), 'utf8').toString('base64url') });

/** null: an object that is not ours, or was written by hand. */
export const entryOf = (object: StoredObject): Entry | null => {
  try {
    const value: unknown = JSON.parse(Buffer.from(object.metadata[KEY] ?? '', 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null && 'id' in value && 'reason' in value ? (value as Entry) : null;
  } catch {
    return null;
  }
};

/** A delivery as the need knows it. */
export const deliveryOf = (entry: Entry, body: string | null): Delivery => {
  const { id, workspace, tenant, reach_tenant, route, type, reason, conversation_id, agent_id, call_sid, received_at, count, hasBody } = entry;
  return { id, workspace, tenant, reach_tenant, route, type, reason, conversation_id, agent_id, call_sid, received_at, count, body: hasBody ? body : null };
};
