/** The commits of the cloud's log: each reads what it decides on, and writes events, keys, projection and bindings, all of it or nothing. */
import { FieldValue, type DocumentReference, type DocumentSnapshot, type Transaction } from '@google-cloud/firestore';
import { movedOn } from '../core/domain/call/call-sid.ts';
import { decideEach, type EachDecision } from '../core/domain/call/decide-each.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { newCallState, type CallState, type NewCall } from '../core/domain/call/state.ts';
import { chainStart } from '../core/domain/digest.ts';
import { utf8Bytes } from '../core/domain/text.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { COMMIT_MAX_BYTES } from '../core/protocol/limits.ts';
import { DETAIL_NAMES, firestoreDecider, NOTHING_STORED, resultOf, type Decided, type Known, type Work } from './call-log.firestore-decider.ts';
import { callDocument, partsOf, segmentsOf, wholeTextName, type LogPlaces } from './call-log.firestore-documents.ts';
import { stateIn, type FirestoreReader } from './call-log.firestore-reader.ts';
import type { AppendResult, CreateResult, IdempotencyKey } from './call-log.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import type { Settled } from './keyed-commits.ts';
import type { Runtime } from './runtime.ts';

export interface FirestoreWriter {
  create(calls: readonly NewCall[], key: IdempotencyKey | null): Promise<CreateResult>;
  /** null: there is no such call. */
  append(callSid: string, units: readonly (readonly FactEntry[])[]): Promise<readonly Settled<AppendResult | null>[]>;
  /** The call that has the conversation already, or what was appended to the one that was made for it. */
  adopt(conversationId: string, call: NewCall, entries: readonly FactEntry[]): Promise<{ readonly owner: CallState } | { readonly made: AppendResult }>;
}

const REQUESTED: FactEntry = { fact: { kind: 'requested' }, source: 'request', conversation_id: null, provider_call_id: null };

/** What an earlier attempt was about to commit, so that the next can tell whether it did. */
interface Tried<T> {
  readonly mark: DocumentReference;
  readonly commit: string;
  readonly value: T;
}

export const firestoreWriter = (store: FirestoreDatabase, places: LogPlaces, reader: FirestoreReader, runtime: Runtime): FirestoreWriter => {
  const { db } = store;
  const { readFor, decideOn, decideUnits } = firestoreDecider(store, places, runtime);

  /**
   * Runs a commit until it is known to stand or to have failed. `work` names the first segment that it writes and the commit's own id;
   * before it is tried again, that segment tells whether the attempt whose answer was lost was applied.
   */
  const committed = <T>(work: (transaction: Transaction, commit: string, tried: (mark: DocumentReference, value: T) => void) => Promise<T>): Promise<T> => {
    const tries: Tried<T>[] = [];
    return store.transaction(async (transaction) => {
      const applied = await appliedOf(tries, (marks) => transaction.getAll(...marks));
      if (applied !== null) return applied;
      const commit = runtime.randomHex(8);
      return work(transaction, commit, (mark, value) => void tries.push({ mark, commit, value }));
    });
  };

  /** Writes what was decided. @returns where the commit's id stands; null where there is no event. */
  const write = (work: Work, before: CallState, { decision, stored }: Decided, commit: string, putCall: (document: Record<string, unknown>) => void): DocumentReference | null => {
    const { call, events, keys, details } = decision;
    const sid = call.call_sid;
    if (bytesOf(decision) > COMMIT_MAX_BYTES) throw new EarshotError('payload_too_large');
    const segments = segmentsOf(events);
    for (const segment of segments) work.create(places.segment(sid, segment.first_seq), { ...segment, commit, at: FieldValue.serverTimestamp() });
    for (const event of events) if (event.whole_text !== null) putText(work, places, sid, wholeTextName(event.seq), JSON.stringify(event.whole_text));
    for (const [key, value] of keys) work.set(places.key(sid, key), { value });
    if (details !== stored.details) {
      const put = new Set<string>();
      for (const name of DETAIL_NAMES) {
        const text = details[name];
        if (text !== null) for (const id of putText(work, places, sid, name, text)) put.add(id);
      }
      // A shorter text has fewer parts than the one before it.
      for (const { ref } of stored.documents) if (!put.has(ref.id)) work.delete(ref);
    }
    // Every commit of a call writes its projection: that alone shows others that what they read has changed.
    if (call !== before || before.last_seq === 0 || keys.size > 0) putCall(callDocument(call));
    const first = segments[0];
    return first === undefined ? null : places.segment(sid, first.first_seq);
  };

  /** As `write`, with what binds the call to its conversation and to the carrier's call: nobody may do the same at the same time. */
  const bindAndWrite = async (transaction: Transaction, before: CallState, decided: Decided, commit: string): Promise<DocumentReference | null> => {
    const { call } = decided.decision;
    const { call_sid, conversation_id, provider_call_id } = call;
    const carrier = provider_call_id !== null && provider_call_id !== before.provider_call_id ? places.providerCall(call.workspace, provider_call_id) : null;
    // The last read: what follows only writes.
    if (carrier !== null && !(await transaction.get(carrier)).exists) transaction.create(carrier, { call_sid });
    if (conversation_id !== null && conversation_id !== before.conversation_id) transaction.create(places.conversation(conversation_id), { conversation_id, call_sid });
    return write(transaction, before, decided, commit, (document) => void transaction.set(places.call(call_sid), document));
  };

  /** A new call under the first free id. */
  const fresh = async (transaction: Transaction, call: NewCall, generation: string, taken: ReadonlySet<string>): Promise<CallState> => {
    let callSid = call.call_sid;
    for (;;) {
      const [there, stone] = await transaction.getAll(places.call(callSid), places.tombstone(callSid));
      if (there?.exists !== true && stone?.exists !== true && !taken.has(callSid)) break;
      callSid = movedOn(callSid);
    }
    const epoch = `${generation}.${runtime.randomHex(6)}`;
    return newCallState({ ...call, call_sid: callSid }, epoch, runtime.now(), chainStart(epoch, runtime.sha256));
  };

  /** The log's generation; the first commit of all names it. */
  const generationIn = (log: DocumentSnapshot | undefined): { readonly generation: string; readonly isNew: boolean } => {
    const generation = log?.get('generation') as string | undefined;
    return generation === undefined ? { generation: runtime.randomHex(4), isNew: true } : { generation, isNew: false };
  };

  /** The dial of an erased call is answered: without a tombstone its conversation would be adopted as nobody's. */
  const stopConversations = (transaction: Transaction, known: Known, units: readonly (readonly FactEntry[])[]): void => {
    for (const { fact, conversation_id: id } of units.flat()) {
      if (fact.kind !== 'dial_accepted' || id === null || known.owners.has(id) || known.erased.has(id)) continue;
      transaction.set(places.tombstone(id), { id, tenant: null, call_sid: null, purged: true, changed: FieldValue.serverTimestamp() });
    }
  };

  /**
   * An append to a call that is bound already changes nothing but the call's own documents, each commit of which writes the projection:
   * so its update time tells whether anything came between, and nobody has to wait for a lock.
   * @returns null where more than that has to be written, or there is no such call
   */
  const appendUnlocked = (callSid: string, units: readonly (readonly FactEntry[])[]): Promise<readonly Settled<AppendResult | null>[] | null> => {
    const tries: Tried<readonly Settled<AppendResult | null>[]>[] = [];
    return store.optimistic<readonly Settled<AppendResult | null>[] | null>(async () => {
      const applied = await appliedOf(tries, (marks) => db.getAll(...marks));
      if (applied !== null) return { batch: null, value: applied };
      const batch = db.batch();
      const work: Work = {
        getAll: (...documents) => db.getAll(...documents),
        get: (query) => query.get(),
        create: (document, fields) => batch.create(document, fields),
        set: (document, fields) => batch.set(document, fields),
        delete: (document) => batch.delete(document),
      };
      const known = await readFor(work, callSid, units);
      const { call, updateTime } = known;
      if (call === null || updateTime === undefined) return { batch: null, value: null };
      const { decided, settled } = await decideUnits(work, call, known, units);
      const after = decided.decision.call;
      if (after.conversation_id !== call.conversation_id || after.provider_call_id !== call.provider_call_id) return { batch: null, value: null };
      const commit = runtime.randomHex(8);
      const projections: Record<string, unknown>[] = [];
      const mark = write(work, call, decided, commit, (document) => void projections.push(document));
      for (const projection of projections) batch.update(places.call(callSid), projection, { lastUpdateTime: updateTime });
      if (mark !== null) tries.push({ mark, commit, value: settled });
      return { batch: projections.length === 0 ? null : batch, value: settled };
    });
  };

  const appendLocked = (callSid: string, units: readonly (readonly FactEntry[])[]): Promise<readonly Settled<AppendResult | null>[]> =>
    committed<readonly Settled<AppendResult | null>[]>(async (transaction, commit, tried) => {
      const known = await readFor(transaction, callSid, units);
      const { call } = known;
      if (call === null && known.gone) {
        stopConversations(transaction, known, units);
        return units.map(() => ({ error: new EarshotError('call_erased') }));
      }
      if (call === null) return units.map(() => ({ value: null }));
      const { decided, settled } = await decideUnits(transaction, call, known, units);
      const mark = await bindAndWrite(transaction, call, decided, commit);
      if (mark !== null) tried(mark, settled);
      return settled;
    });

  return {
    create: (calls, key) =>
      committed<CreateResult>(async (transaction, commit, tried) => {
        const [log, seen] = await transaction.getAll(places.log, ...(key === null ? [] : [places.idempotency(key.key)]));
        if (key !== null && seen !== undefined) {
          const known = await reader.repeated(key, seen);
          if (known !== null) return known;
        }
        const { generation, isNew } = generationIn(log);
        const made: { before: CallState; decision: EachDecision }[] = [];
        const taken = new Set<string>();
        for (const call of calls) {
          const before = await fresh(transaction, call, generation, taken);
          taken.add(before.call_sid);
          const nothing = { seen: new Map<string, string>(), owners: new Map<string, string>(), history: null, details: NOTHING_STORED.details };
          made.push({ before, decision: decideEach({ ...nothing, call: before, units: [[REQUESTED]], now: runtime.now(), sha256: runtime.sha256 }) });
        }
        if (isNew) transaction.create(places.log, { generation });
        for (const { before, decision } of made) {
          const mark = await bindAndWrite(transaction, before, { decision, stored: NOTHING_STORED }, commit);
          if (mark !== null && before === made[0]?.before) tried(mark, createdOf(made.map((one) => one.decision)));
        }
        if (key !== null) transaction.create(places.idempotency(key.key), { request_hash: key.request_hash, call_sids: made.map(({ before }) => before.call_sid) });
        return createdOf(made.map(({ decision }) => decision));
      }),

    append: async (callSid, units) => (await appendUnlocked(callSid, units)) ?? appendLocked(callSid, units),

    adopt: (conversationId, call, entries) =>
      committed<{ readonly owner: CallState } | { readonly made: AppendResult }>(async (transaction, commit, tried) => {
        const [log, conversation, stone] = await transaction.getAll(places.log, places.conversation(conversationId), places.tombstone(conversationId));
        if (stone?.exists === true) throw new EarshotError('call_erased');
        const owner = conversation?.get('call_sid') as string | undefined;
        if (owner !== undefined) {
          const owned = stateIn(await transaction.get(places.call(owner)));
          if (owned === null) throw new EarshotError('call_erased');
          return { owner: owned };
        }
        const { generation, isNew } = generationIn(log);
        const before = await fresh(transaction, call, generation, new Set());
        const units = [entries.map((entry) => ({ ...entry, conversation_id: conversationId }))];
        const decided = await decideOn(transaction, before, await readFor(transaction, before.call_sid, units), units);
        if (isNew) transaction.create(places.log, { generation });
        const mark = await bindAndWrite(transaction, before, decided, commit);
        const [outcome] = decided.decision.outcomes;
        if (outcome === undefined) throw new Error('an adoption was not decided on');
        const made = { made: resultOf(outcome) };
        if (mark !== null) tried(mark, made);
        return made;
      }),
  };
};

/** What the attempt that was applied did, though nobody said so; null: none was. */
const appliedOf = async <T>(tries: readonly Tried<T>[], read: (marks: DocumentReference[]) => Promise<DocumentSnapshot[]>): Promise<T | null> => {
  if (tries.length === 0) return null;
  const marks = await read(tries.map(({ mark }) => mark));
  return tries.find(({ commit }, index) => marks[index]?.get('commit') === commit)?.value ?? null;
};

const createdOf = (decisions: readonly EachDecision[]): CreateResult => ({
  result: 'created',
  calls: decisions.map(({ call }) => call),
  events: decisions.map(({ events }) => events.map(({ seq, text }) => ({ seq, text }))),
});

/** @returns the ids of the documents that hold it */
const putText = (work: Work, places: LogPlaces, callSid: string, name: string, text: string): string[] =>
  partsOf(text).map((piece, part) => {
    const document = places.texts(callSid).doc(`${name}.${part}`);
    work.set(document, { name, part, text: piece });
    return document.id;
  });

const bytesOf = ({ events, details, keys }: EachDecision): number => {
  let bytes = utf8Bytes(details.analysis_data ?? '') + utf8Bytes(details.metadata_json ?? '');
  for (const event of events) bytes += utf8Bytes(event.text) + (event.whole_text === null ? 0 : utf8Bytes(event.whole_text));
  for (const [key, value] of keys) bytes += utf8Bytes(key) + utf8Bytes(value) + KEY_DOCUMENT_BYTES;
  return bytes;
};

/** What a document of its own takes beside key and value: its whole name stands in the request. */
const KEY_DOCUMENT_BYTES = 300;
