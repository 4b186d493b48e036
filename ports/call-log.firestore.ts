/**
 * The call log in Firestore. What arrives for a call while its commit runs shares the next; a commit that another process's came before is
 * decided anew. The cloud's clock stamps what changed, so that relays can ask for it: see `changes`.
 */
import { Timestamp, type QueryDocumentSnapshot } from '@google-cloud/firestore';
import type { FactEntry } from '../core/domain/call/facts.ts';
import type { NewCall } from '../core/domain/call/state.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { CHANGES_OVERLAP_MS } from '../core/protocol/limits.ts';
import type { AppendResult, CallLog, Changes, IdempotencyKey } from './call-log.ts';
import { newGeneration } from './call-log.firestore-generation.ts';
import { logPlaces, stateOf } from './call-log.firestore-documents.ts';
import { queryOf } from './firestore-queries.ts';
import { groupedByKey, oneByOne } from './keyed-commits.ts';
import { purgeCall } from './call-log.firestore-purge.ts';
import { firestoreReader, markOf, timeOf } from './call-log.firestore-reader.ts';
import { firestoreWriter, type FirestoreWriterOptions } from './call-log.firestore-writer.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import type { Runtime } from './runtime.ts';

const CHANGES_PAGE_ROWS = 500;
/** Pages read within one question. */
const CHANGES_PAGES_COUNT = 10;
/** Firestore compares a field with this many values at most; who serves more tenants is told of all and picks. */
const TENANTS_IN_A_QUERY_COUNT = 30;
/** What was told beside these newest marks is forgotten; asked with an older one, calls are told again. */
const MARKS_KEPT_COUNT = 8;

interface Adoption {
  readonly conversationId: string;
  readonly call: NewCall;
  readonly entries: readonly FactEntry[];
}

/** @param store is closed with the log */
export const firestoreCallLog = (store: FirestoreDatabase, runtime: Runtime, options: FirestoreWriterOptions = {}): CallLog => {
  const { db } = store;
  const places = logPlaces(store);
  const reader = firestoreReader(store, places);
  const writer = firestoreWriter(store, places, reader, runtime, options);
  const append = groupedByKey<readonly FactEntry[], AppendResult | null>(writer.append);
  const create = oneByOne(({ calls, key }: { readonly calls: readonly NewCall[]; readonly key: IdempotencyKey | null }) => writer.create(calls, key));
  const adopt = oneByOne(({ conversationId, call, entries }: Adoption) => writer.adopt(conversationId, call, entries));
  const changes = changesOf(store);

  const erase = async (callSid: string): Promise<boolean> => {
    const gone = await writer.erase(callSid);
    // What a crash leaves here the next sweep removes: nothing leads to it any more.
    if (gone) await purgeCall(store, places, callSid);
    return gone;
  };

  return {
    create: (calls, key) => create(key?.key ?? runtime.randomHex(8), { calls, key }),
    append,
    adopt: async (conversationId, call, entries) => {
      const adopted = await adopt(conversationId, { conversationId, call, entries });
      if ('made' in adopted) return adopted.made;
      const { owner } = adopted;
      if (owner.workspace !== call.workspace || owner.tenant !== call.tenant) return { call: owner, results: entries.map(() => ({ result: 'ignored', why: 'foreign' }) as const), events: [] };
      const result = await append(owner.call_sid, entries);
      // Erased between the two.
      if (result === null) throw new EarshotError('call_erased');
      return result;
    },
    repeated: reader.repeated,
    find: reader.find,
    findMany: reader.findMany,
    get: reader.get,
    findByProviderCall: reader.findByProviderCall,
    unboundDials: reader.unboundDials,
    read: reader.page,
    wholeText: reader.wholeText,
    details: reader.details,
    knowsTurn: reader.knowsTurn,
    list: reader.list,
    changes,
    active: reader.active,
    counts: reader.counts,
    mergedInto: reader.mergedInto,
    createdBefore: reader.createdBefore,
    erase,
    sweep: async () => {
      const left = await store.read(() => queryOf(db, 'unpurged', { purged: false }).get());
      for (const stone of left.docs) await purgeCall(store, places, stone.get('call_sid') as string);
      return left.size;
    },
    newGeneration: (how = {}) => newGeneration(store, places, runtime, how),
    check: reader.check,
    close: store.close,
  };
};

/**
 * Firestore stamps a document when it takes a commit and shows it when the commit is through, a moment later: so each question reaches
 * back CHANGES_OVERLAP_MS behind the last, and what was told already, in the same version, is left out.
 */
const changesOf = (store: FirestoreDatabase): CallLog['changes'] => {
  const { db } = store;
  /** Beside each mark: the versions that were told within reach of the next question. */
  const told = new Map<string, ReadonlyMap<string, string>>();

  const remember = (mark: string, versions: ReadonlyMap<string, string>): void => {
    told.delete(mark);
    told.set(mark, versions);
    for (const old of [...told.keys()].slice(0, -MARKS_KEPT_COUNT)) told.delete(old);
  };

  /** Everything of one kind that changed since, page after page; `full`: there is more. */
  const since = async (name: 'changed' | 'erased', tenants: readonly string[] | null, from: Timestamp): Promise<{ documents: QueryDocumentSnapshot[]; full: boolean; readAt: Timestamp }> => {
    const asked = queryOf(db, name, { changed: from, tenant: tenants === null || tenants.length > TENANTS_IN_A_QUERY_COUNT ? undefined : tenants });
    const documents: QueryDocumentSnapshot[] = [];
    for (let page = 1; ; page++) {
      const last = documents.at(-1);
      const found = await store.read(() => (last === undefined ? asked : asked.startAfter(last)).limit(CHANGES_PAGE_ROWS).get());
      documents.push(...found.docs);
      const full = found.size === CHANGES_PAGE_ROWS;
      if (!full || page === CHANGES_PAGES_COUNT) return { documents, full, readAt: found.readTime };
    }
  };

  return async (tenants, mark): Promise<Changes> => {
    if (mark === null) {
      const now = await store.read(() => db.doc('log/log').get());
      const first = markOf(now.readTime);
      remember(first, new Map());
      return { calls: [], erased: [], mark: first, more: false };
    }
    const before = told.get(mark) ?? new Map<string, string>();
    if (tenants?.length === 0) return { calls: [], erased: [], mark, more: false };
    const from = later(timeOf(mark), -CHANGES_OVERLAP_MS);
    const [calls, erased] = await Promise.all([since('changed', tenants, from), since('erased', tenants, from)]);
    const asked = (document: QueryDocumentSnapshot): boolean => tenants === null || tenants.includes(document.get('tenant') as string);
    const fresh = (document: QueryDocumentSnapshot): boolean => asked(document) && before.get(document.ref.path) !== versionOf(document);
    const all = [...calls.documents, ...erased.documents];
    const full = calls.full || erased.full;
    const next = full ? markOf(later(endOf(calls, erased), CHANGES_OVERLAP_MS)) : markOf(calls.readAt.valueOf() < erased.readAt.valueOf() ? calls.readAt : erased.readAt);
    remember(next, new Map(all.map((document) => [document.ref.path, versionOf(document)])));
    return {
      calls: calls.documents.filter(fresh).map((document) => stateOf(document.data())),
      erased: erased.documents.filter(fresh).map((document) => ({ tenant: document.get('tenant') as string, call_sid: document.get('call_sid') as string })),
      mark: next,
      more: full,
    };
  };
};

interface Found {
  readonly documents: readonly QueryDocumentSnapshot[];
  readonly full: boolean;
}

/** Up to where all was told that was asked for, where a question ended before its answer did. */
const endOf = (...found: readonly Found[]): Timestamp => {
  const ends = found.filter(({ full }) => full).map(({ documents }) => documents.at(-1)?.get('changed') as Timestamp);
  return ends.reduce((first, end) => (end.valueOf() < first.valueOf() ? end : first));
};

const later = (time: Timestamp, ms: number): Timestamp => {
  const nanoseconds = time.nanoseconds + (ms % 1000) * 1e6;
  const carried = Math.floor(nanoseconds / 1e9);
  return new Timestamp(time.seconds + Math.trunc(ms / 1000) + carried, nanoseconds - carried * 1e9);
};

/** Changes with every write of the document. */
const versionOf = (document: QueryDocumentSnapshot): string => markOf(document.updateTime);
