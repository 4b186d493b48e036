/** The reads of the cloud's log. */
import { Timestamp, type DocumentSnapshot, type Query, type Transaction } from '@google-cloud/firestore';
import type { CallDetails, CallState } from '../core/domain/call/state.ts';
import { turnKey } from '../core/domain/call/keys.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { CallStatus } from '../core/protocol/frames.ts';
import type { CallCounts, CreateResult, IdempotencyKey, ListQuery, LoggedEvent, Page } from './call-log.ts';
import { eventsOf, matches, stateOf, trigramOf, wholeTextName, type LogPlaces, type Segment } from './call-log.firestore-documents.ts';
import { firestoreFinder } from './call-log.firestore-find.ts';
import { queryOf, type QueryName } from './firestore-queries.ts';
import type { FirestoreDatabase } from './firestore-database.ts';

/** Segments asked for at once while a page is filled. */
const SEGMENTS_PAGE_COUNT = 100;
/** Documents that one page of a search looks at; a search that found less goes on with the next page. */
const SEARCHED_MAX_COUNT = 2_000;
const SEARCH_STEP_COUNT = 200;

const STATUSES: readonly CallStatus[] = ['requested', 'dialing', 'unknown', 'in_progress', 'processing', 'completed', 'failed'];

export const firestoreReader = (store: FirestoreDatabase, places: LogPlaces) => {
  const { db } = store;
  const states = (query: Query): Promise<CallState[]> => store.read(async () => (await query.get()).docs.map((doc) => stateOf(doc.data())));
  const ask = (name: QueryName, values: Readonly<Record<string, unknown>>): Query => queryOf(db, name, values);

  const get = async (callSid: string): Promise<CallState | null> => stateIn(await store.read(() => places.call(callSid).get()));

  const findMany = firestoreFinder(store, places);

  const segmentsAfter = async (transaction: Transaction, callSid: string, afterSeq: number, count: number): Promise<Segment[]> =>
    (await transaction.get(queryOf(db, 'segments', { last_seq: afterSeq }, places.segments(callSid)).limit(count))).docs.map((doc) => doc.data() as unknown as Segment);

  /** A long text, its parts joined; null where there is none. */
  const longText = async (callSid: string, name: string): Promise<string | null> => {
    const found = await store.read(() => queryOf(db, 'texts', { name }, places.texts(callSid)).get());
    return joined(found.docs);
  };

  return {
    get,
    find: async (id: string) => (await findMany([id]))[0] ?? null,
    findMany,
    /** What an idempotency key stands for, of the moment of a transaction or of now. */
    repeated: async (key: IdempotencyKey, known: DocumentSnapshot | null = null): Promise<Exclude<CreateResult, { readonly result: 'created' }> | null> => {
      const seen = known ?? (await store.read(() => places.idempotency(key.key).get()));
      if (!seen.exists) return null;
      if (seen.get('request_hash') !== key.request_hash) return { result: 'key_reused' };
      const sids = seen.get('call_sids') as string[];
      const calls = (await store.read(() => db.getAll(...sids.map((callSid) => places.call(callSid))))).map(stateIn).filter((call) => call !== null);
      return calls.length < sids.length ? { result: 'erased' } : { result: 'repeated', calls };
    },
    findByProviderCall: async (workspace: string, providerCallId: string): Promise<CallState | null> => {
      const owner = (await store.read(() => places.providerCall(workspace, providerCallId).get())).get('call_sid') as string | undefined;
      return owner === undefined ? null : get(owner);
    },
    unboundDials: (workspace: string, agentId: string | null, since: number) => states(ask('unbound', { workspace, unbound_since: since, agent_id: agentId ?? undefined })),
    page: (callSid: string, afterSeq: number, limit: number): Promise<Page | null> =>
      store.snapshot(places.call(callSid), async (found, transaction) => {
        const call = stateIn(found);
        if (call === null) return null;
        const events: LoggedEvent[] = [];
        for (let after = afterSeq; events.length < limit && after < call.last_seq; ) {
          const segments = await segmentsAfter(transaction, callSid, after, Math.min(SEGMENTS_PAGE_COUNT, limit - events.length));
          const last = segments.at(-1);
          if (last === undefined) break;
          events.push(...segments.flatMap((segment) => eventsOf(segment, afterSeq)));
          after = last.last_seq;
        }
        return { call, events: events.slice(0, limit) };
      }),
    wholeText: async (callSid: string, seq: number): Promise<string | null> => {
      const [call, long] = await Promise.all([get(callSid), longText(callSid, wholeTextName(seq))]);
      // Erased, and not yet all of it removed.
      if (call === null) return null;
      if (long !== null) return JSON.parse(long) as string;
      const found = await store.read(() => queryOf(db, 'segments', { last_seq: seq - 1 }, places.segments(callSid)).limit(1).get());
      const event = found.docs.flatMap((doc) => eventsOf(doc.data() as unknown as Segment, seq - 1)).find((one) => one.seq === seq);
      const text = event === undefined ? undefined : (JSON.parse(event.text) as { text?: unknown }).text;
      return typeof text === 'string' ? text : null;
    },
    details: async (callSid: string): Promise<CallDetails | null> => {
      const [call, analysis_data, metadata_json] = await Promise.all([get(callSid), longText(callSid, 'analysis_data'), longText(callSid, 'metadata_json')]);
      return call === null ? null : { analysis_data, metadata_json };
    },
    knowsTurn: async (callSid: string, turnId: string): Promise<boolean> => (await store.read(() => places.key(callSid, turnKey(turnId)).get())).exists,
    list: (query: ListQuery) => list(store, query),
    active: async (tenant: string | null, endedSince: number): Promise<CallState[]> => {
      const open = await states(ask('open', { terminal: false, tenant: tenant ?? undefined }));
      const ended = endedSince === Number.MAX_SAFE_INTEGER ? [] : await states(ask('ended', { terminal: true, changed_at: endedSince, tenant: tenant ?? undefined }));
      // A call that ended between the two questions stands in both.
      return [...new Map([...open, ...ended].map((call) => [call.call_sid, call])).values()].sort((a, b) => b.created_at - a.created_at);
    },
    counts: async (tenant: string, since: number): Promise<CallCounts> => {
      const count = (status: CallStatus, summary?: true): Promise<number> =>
        store.read(async () => (await ask('count', { tenant, status, created_at: since, has_summary: summary }).count().get()).data().count);
      const [completed_with_summary, ...counted] = await Promise.all([count('completed', true), ...STATUSES.map((status) => count(status))]);
      const by_status = Object.fromEntries(STATUSES.map((status, index) => [status, counted[index] ?? 0] as const).filter(([, calls]) => calls > 0));
      return { by_status, completed: by_status['completed'] ?? 0, completed_with_summary };
    },
    mergedInto: async (callSid: string): Promise<CallState[]> => (await states(ask('mergedInto', { merged_into: callSid }))).sort((a, b) => a.created_at - b.created_at),
    createdBefore: (before: number, limit: number): Promise<CallState[]> => states(ask('createdBefore', { created_at: before }).limit(limit)),
    check: async (): Promise<void> => {
      await store.read(() => places.log.get());
    },
  };
};

export type FirestoreReader = ReturnType<typeof firestoreReader>;

/** The call of its document; null where there is none. */
export const stateIn = (document: DocumentSnapshot): CallState | null => {
  const data = document.data();
  return data === undefined ? null : stateOf(data);
};

/** The parts of a long text in their order; null where there are none. */
export const joined = (parts: readonly DocumentSnapshot[]): string | null =>
  parts.length === 0 ? null : [...parts].sort((a, b) => Number(a.get('part')) - Number(b.get('part'))).map((part) => part.get('text') as string).join('');

const cursorOf = (call: CallState): string => `${call.created_at}.${call.call_sid}`;

const list = async (store: FirestoreDatabase, query: ListQuery): Promise<{ calls: CallState[]; next_cursor: string | null }> => {
  const { tenant, q, limit } = query;
  const trigram = q === undefined ? null : trigramOf(q);
  const asked =
    trigram === null
      ? queryOf(store.db, 'list', { tenant, status: query.status, driver_id: query.driver_id, agent_id: query.agent_id, created_at: query.since })
      : queryOf(store.db, 'search', { tenant, trigrams: trigram, created_at: query.since });
  const wanted = (call: CallState, document: Record<string, unknown>): boolean =>
    (q === undefined || matches(document, q)) &&
    (query.status === undefined || call.status === query.status) &&
    (query.driver_id === undefined || call.driver?.driverId === query.driver_id) &&
    (query.agent_id === undefined || call.agent_id === query.agent_id);

  const calls: CallState[] = [];
  let after = query.cursor === undefined ? null : positionOf(query.cursor);
  for (let looked = 0; ; ) {
    const step = q === undefined ? limit + 1 : SEARCH_STEP_COUNT;
    const page = (after === null ? asked : asked.startAfter(...after)).limit(step);
    const docs = (await store.read(() => page.get())).docs;
    for (const doc of docs) {
      const call = stateOf(doc.data());
      if (wanted(call, doc.data())) calls.push(call);
      after = [call.created_at, call.call_sid];
    }
    looked += docs.length;
    const last = calls[limit - 1];
    if (calls.length > limit && last !== undefined) return { calls: calls.slice(0, limit), next_cursor: cursorOf(last) };
    if (docs.length < step) return { calls, next_cursor: null };
    if (looked >= SEARCHED_MAX_COUNT && after !== null) return { calls, next_cursor: `${after[0]}.${after[1]}` };
  }
};

const positionOf = (cursor: string): [number, string] => {
  const parts = /^(\d{1,15})\.(.{1,512})$/s.exec(cursor);
  if (parts === null) throw new EarshotError('invalid_cursor');
  return [Number(parts[1]), parts[2] ?? ''];
};

/** The moment after which something is asked for, and how it is written in a mark. */
export const markOf = (time: Timestamp): string => `${time.seconds}.${String(time.nanoseconds).padStart(9, '0')}`;

/** @throws EarshotError `invalid_cursor` */
export const timeOf = (mark: string): Timestamp => {
  const parts = /^(\d{1,11})\.(\d{9})$/.exec(mark);
  if (parts === null) throw new EarshotError('invalid_cursor');
  return new Timestamp(Number(parts[1]), Number(parts[2]));
};
