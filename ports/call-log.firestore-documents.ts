/**
 * What the documents of the cloud's log hold.
 *
 *   log/log                        {generation}, and `changing: true` as long as calls are given epochs of it
 *   calls/<call>                   the projection as JSON text, and beside it what is searched by
 *   calls/<call>/segments/<seq>    the events of one commit: {first_seq, last_seq, texts, whole, commit, at}
 *   calls/<call>/keys/<key>        {value}
 *   calls/<call>/texts/<name>.<n>  long texts in parts: analysis_data, metadata_json, whole texts of turns
 *   conversations/<conversation>   {conversation_id, call_sid}; call_sid null: it was erased, and nobody gets it any more
 *   provider_calls/<workspace+id>  {call_sid}
 *   idempotency/<key>              {request_hash, call_sids}
 *   tombstones/<call>              {call_sid, tenant, changed, purged, commit}
 *
 * Ids of any spelling become ids of documents by `FirestoreDatabase.docId`.
 */
import { FieldValue, type CollectionReference, type DocumentReference, type Firestore } from '@google-cloud/firestore';
import type { DraftEvent } from '../core/domain/call/draft.ts';
import { isTerminal, readCallState, type CallState } from '../core/domain/call/state.ts';
import { utf8Bytes } from '../core/domain/text.ts';
import { SEGMENT_MAX_BYTES } from '../core/protocol/limits.ts';
import type { LoggedEvent } from './call-log.ts';
import type { FirestoreDatabase } from './firestore-database.ts';

/** Where everything stands. */
export interface LogPlaces {
  readonly log: DocumentReference;
  call(callSid: string): DocumentReference;
  segments(callSid: string): CollectionReference;
  segment(callSid: string, firstSeq: number): DocumentReference;
  key(callSid: string, key: string): DocumentReference;
  texts(callSid: string): CollectionReference;
  conversation(conversationId: string): DocumentReference;
  providerCall(workspace: string, providerCallId: string): DocumentReference;
  idempotency(key: string): DocumentReference;
  tombstone(callSid: string): DocumentReference;
}

export const logPlaces = (store: Pick<FirestoreDatabase, 'db' | 'docId'>): LogPlaces => {
  const db: Firestore = store.db;
  const at = (collection: string, id: string): DocumentReference => db.collection(collection).doc(store.docId(id));
  const call = (callSid: string): DocumentReference => at('calls', callSid);
  const segments = (callSid: string): CollectionReference => call(callSid).collection('segments');
  return {
    log: db.doc('log/log'),
    call,
    segments,
    segment: (callSid, firstSeq) => segments(callSid).doc(String(firstSeq).padStart(10, '0')),
    key: (callSid, key) => call(callSid).collection('keys').doc(store.docId(key)),
    texts: (callSid) => call(callSid).collection('texts'),
    conversation: (id) => at('conversations', id),
    providerCall: (workspace, id) => at('provider_calls', JSON.stringify([workspace, id])),
    idempotency: (key) => at('idempotency', key),
    tombstone: (id) => at('tombstones', id),
  };
};

/** The text as UTF-8 can hold it: Firestore refuses half a surrogate pair, and with it the commit. JSON text has none, it escapes them. */
export const wellFormed = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');

/** The document of a call: its state, and what queries ask for. `changed` is the cloud's own clock: those of the writers differ. */
export const callDocument = (call: CallState): Record<string, unknown> => ({ ...fieldsOf(call), changed: FieldValue.serverTimestamp(), trigrams: trigramsOf(searchOf(call)) });

/** Of the document of a call what is not stored like this already: a turn changes a few fields, and each that is sent is checked, encoded and indexed anew. @param stored as it was read, or as `storedDocument` has it */
export const changedDocument = (stored: Readonly<Record<string, unknown>>, call: CallState): Record<string, unknown> => {
  const fields = Object.entries(fieldsOf(call)).filter(([field, value]) => stored[field] !== value);
  const isFound = stored['search'] === searchOf(call) && stored['trigrams'] !== undefined;
  return { ...Object.fromEntries(fields), changed: FieldValue.serverTimestamp(), ...(isFound ? {} : { trigrams: trigramsOf(searchOf(call)) }) };
};

/** What stands in the document of a call that was written whole, for `changedDocument`: which trigrams, nobody asks. */
export const storedDocument = (call: CallState): Record<string, unknown> => ({ ...fieldsOf(call), trigrams: [] });

const fieldsOf = (call: CallState): Record<string, unknown> => {
  const fields = {
    call_sid: call.call_sid,
    tenant: call.tenant,
    workspace: call.workspace,
    conversation_id: call.conversation_id,
    status: call.status,
    terminal: isTerminal(call.status),
    agent_id: call.agent_id,
    driver_id: call.driver?.driverId ?? null,
    merged_into: call.merged_into,
    created_at: call.created_at,
    changed_at: call.changed_at,
    unbound_since: call.conversation_id === null && call.dialed_at !== null && !isTerminal(call.status) ? call.dialed_at : null,
    search: searchText(call),
    has_summary: call.transcript_summary !== null,
    transcript_summary: call.transcript_summary,
    call_duration_seconds: call.call_duration_seconds,
    cost: call.cost,
    call_successful: call.call_successful,
    state: JSON.stringify(call),
  };
  return Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, typeof value === 'string' ? wellFormed(value) : value]));
};

const searchOf = (call: CallState): string => wellFormed(searchText(call));

/** What `q` of a list is looked for in. */
const searchText = (call: CallState): string =>
  [call.driver?.driverName, call.call_sid, call.conversation_id, call.to_number].filter((part) => typeof part === 'string').join('\n').toLowerCase();

/** Every three characters in a row: Firestore knows no search within a text, so a list asks for one of them and looks at what it finds. */
const trigramsOf = (text: string): string[] => {
  const characters = Array.from(text);
  return [...new Set(characters.slice(2).map((_, at) => characters.slice(at, at + 3).join('')))];
};

/** A trigram that every match has; null for less than three characters. The last one: ids begin alike. */
export const trigramOf = (q: string): string | null => trigramsOf(q.toLowerCase()).at(-1) ?? null;

/** Whether the document of a call matches what is looked for. */
export const matches = (document: Record<string, unknown>, q: string): boolean => typeof document['search'] === 'string' && document['search'].includes(q.toLowerCase());

export const stateOf = (document: Record<string, unknown>): CallState => readCallState(document['state'] as string);

/** The events of one commit in one document, or in more where they are larger than one may be. */
export interface Segment {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly texts: readonly string[];
  /** Seqs whose whole text stands in `texts/`. */
  readonly whole: readonly number[];
}

export const segmentsOf = (events: readonly DraftEvent[]): Segment[] => {
  const segments: { first_seq: number; last_seq: number; texts: string[]; whole: number[]; bytes: number }[] = [];
  for (const event of events) {
    const bytes = utf8Bytes(event.text);
    let segment = segments.at(-1);
    if (segment === undefined || segment.bytes + bytes > SEGMENT_MAX_BYTES) segments.push((segment = { first_seq: event.seq, last_seq: event.seq, texts: [], whole: [], bytes: 0 }));
    segment.texts.push(event.text);
    segment.last_seq = event.seq;
    segment.bytes += bytes;
    if (event.whole_text !== null) segment.whole.push(event.seq);
  }
  return segments.map(({ first_seq, last_seq, texts, whole }) => ({ first_seq, last_seq, texts, whole }));
};

/** The events of a segment after a position. */
export const eventsOf = (segment: Segment, afterSeq: number): LoggedEvent[] =>
  segment.texts.map((text, at) => ({ seq: segment.first_seq + at, text })).filter(({ seq }) => seq > afterSeq);

/** A long text in parts of at most SEGMENT_MAX_BYTES, none of which ends within a code point. */
export const partsOf = (text: string): string[] => {
  // Three bytes at most for a UTF-16 unit.
  const units = Math.floor(SEGMENT_MAX_BYTES / 3);
  const parts: string[] = [];
  for (let at = 0; at < text.length || parts.length === 0; ) {
    const end = at + units;
    const next = end < text.length && isHighSurrogate(text.charCodeAt(end - 1)) ? end - 1 : end;
    parts.push(text.slice(at, next));
    at = next;
  }
  return parts;
};

const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800;

/** The two large post-call fields, in `texts/`. */
export const DETAIL_NAMES = ['analysis_data', 'metadata_json'] as const;

/** Name of a turn's whole text in `texts/`. */
export const wholeTextName = (seq: number): string => `turn.${seq}`;
