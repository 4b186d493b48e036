/**
 * The commits of the cloud's log: events, keys, projection and bindings, all of it or nothing. Nobody waits for a lock: a commit is a batch
 * that holds only as long as the projection is the one that was read, or what it creates is not there yet; else it is decided anew.
 * Every commit to a call writes its projection, so that its version tells whether anything of the call has changed.
 */
import { FieldValue, type DocumentReference, type DocumentSnapshot, type WriteBatch, type WriteResult } from '@google-cloud/firestore';
import { movedOn } from '../core/domain/call/call-sid.ts';
import type { EachDecision } from '../core/domain/call/decide-each.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { newCallState, type CallState, type NewCall } from '../core/domain/call/state.ts';
import { chainStart } from '../core/domain/digest.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { firestoreBatches } from './call-log.firestore-batches.ts';
import { firestoreDecider, NOTHING_KNOWN, resultOf } from './call-log.firestore-decider.ts';
import { changedDocument, storedDocument, type LogPlaces } from './call-log.firestore-documents.ts';
import { knownCalls } from './call-log.firestore-known-calls.ts';
import { stateIn, type FirestoreReader } from './call-log.firestore-reader.ts';
import type { AppendResult, CreateResult, IdempotencyKey } from './call-log.ts';
import { isOvertaken, type FirestoreDatabase } from './firestore-database.ts';
import type { Settled } from './keyed-commits.ts';
import type { Runtime } from './runtime.ts';

export interface FirestoreWriter {
  create(calls: readonly NewCall[], key: IdempotencyKey | null): Promise<CreateResult>;
  /** null: there is no such call. */
  append(callSid: string, units: readonly (readonly FactEntry[])[]): Promise<readonly Settled<AppendResult | null>[]>;
  /** The call that has the conversation already, or what was appended to the one that was made for it. */
  adopt(conversationId: string, call: NewCall, entries: readonly FactEntry[]): Promise<{ readonly owner: CallState } | { readonly made: AppendResult }>;
  /** The call is gone and stopped at every door; what it held is still to be removed. false: there is no such call. */
  erase(callSid: string): Promise<boolean>;
}

const REQUESTED: FactEntry = { fact: { kind: 'requested' }, source: 'request', conversation_id: null, provider_call_id: null };

/** What an earlier attempt was about to commit, so that the next can tell whether it did. */
interface Tried<T> {
  readonly mark: DocumentReference;
  readonly commit: string;
  readonly value: T;
}

/** How an append was committed: without reading anything, after that was tried in vain, or as one that has to read. */
export type CommitWay = 'unread' | 'missed' | 'read';

export interface FirestoreWriterOptions {
  /** Calls that are remembered as this process left them; 0: every append reads before it writes. */
  readonly rememberedCalls?: number | undefined;
  /** Told of each commit of an append that stands. */
  readonly onCommit?: ((way: CommitWay) => void) | undefined;
}

export const firestoreWriter = (store: FirestoreDatabase, places: LogPlaces, reader: FirestoreReader, runtime: Runtime, { rememberedCalls, onCommit }: FirestoreWriterOptions): FirestoreWriter => {
  const { db } = store;
  const { readTogether, readFor, decideOn, decideUnits, decideUnread } = firestoreDecider(store, places, runtime);
  const { putEvents, write, writeNew, stopConversations, holdOwner } = firestoreBatches(places);
  const remembered = knownCalls(rememberedCalls);

  /**
   * Runs a commit until it is known to stand or to have failed. `work` writes into the batch and names a document that carries the commit's
   * id; when it is asked for again, that document tells whether an attempt whose answer was lost was applied. An attempt that was given up
   * may still land: before the reads of the next one, which then sees its own doing as somebody else's, so it is looked for after these too;
   * or after them, and then the conditions of the next commit do not hold.
   */
  const committed = <T>(work: (batch: WriteBatch, commit: string) => Promise<{ readonly mark: DocumentReference | null; readonly value: T; readonly nothing?: boolean }>): Promise<T> => {
    const tries: Tried<T>[] = [];
    const applied = async (): Promise<Tried<T> | undefined> => (tries.length === 0 ? undefined : appliedOf(tries, await db.getAll(...tries.map(({ mark }) => mark))));
    return store.optimistic(async () => {
      const before = await applied();
      if (before !== undefined) return { batch: null, value: before.value };
      const batch = db.batch();
      const commit = runtime.randomHex(8);
      const { mark, value, nothing } = await work(batch, commit);
      const meanwhile = await applied();
      if (meanwhile !== undefined) return { batch: null, value: meanwhile.value };
      if (mark !== null) tries.push({ mark, commit, value });
      return { batch: nothing === true ? null : batch, value };
    });
  };

  type Appended = readonly Settled<AppendResult | null>[];

  /** What the call is after a commit stands: the projection is the first of what it wrote. */
  const leave = (call: CallState, [projection]: readonly WriteResult[]): void => {
    // A character takes two bytes at most, and an object about as much again as its text.
    if (projection !== undefined) remembered.left({ call, version: projection.writeTime }, JSON.stringify(call).length * 4);
  };

  /**
   * Commits on the call as this process left it, reading nothing (decision 0019, `npm run bench -- append`). null: it was not tried, or did
   * not hold, and everything has to be read. Throws where nobody knows whether it holds; `tries` then has what to look for.
   */
  const firstTry = async (callSid: string, units: readonly (readonly FactEntry[])[], tries: Tried<Appended>[]): Promise<Appended | null> => {
    const known = remembered.get(callSid);
    const decision = known === null ? null : decideUnread(known.call, units);
    if (known === null || decision === null) return null;
    const batch = db.batch();
    const commit = runtime.randomHex(8);
    batch.update(places.call(callSid), changedDocument(storedDocument(known.call), decision.call), { lastUpdateTime: known.version });
    const mark = putEvents(batch, callSid, decision.events, commit);
    for (const [key, value] of decision.keys) batch.create(places.key(callSid, key), { value });
    const value = decision.outcomes.map((outcome) => ({ value: resultOf(outcome) }));
    if (mark === null) return null;
    tries.push({ mark, commit, value });
    try {
      leave(decision.call, await batch.commit());
      return value;
    } catch (error) {
      remembered.doubt(callSid);
      if (isOvertaken(error)) return null;
      throw error;
    }
  };

  /** A new call under the first free id. */
  const fresh = async (call: NewCall, generation: string, taken: ReadonlySet<string>): Promise<CallState> => {
    let callSid = call.call_sid;
    for (;;) {
      const [there, stone] = await readTogether([places.call(callSid), places.tombstone(callSid)]);
      if (there?.exists !== true && stone?.exists !== true && !taken.has(callSid)) break;
      callSid = movedOn(callSid);
    }
    const epoch = `${generation}.${runtime.randomHex(6)}`;
    return newCallState({ ...call, call_sid: callSid }, epoch, runtime.now(), chainStart(epoch, runtime.sha256));
  };

  /** The log's generation; the first commit of all names it. */
  const generationIn = (log: DocumentSnapshot | undefined, batch: WriteBatch): string => {
    const named = log?.get('generation') as string | undefined;
    if (named !== undefined) return named;
    const generation = runtime.randomHex(4);
    batch.create(places.log, { generation });
    return generation;
  };

  return {
    create: (calls, key) =>
      committed<CreateResult>(async (batch, commit) => {
        const [log, seen] = await readTogether([places.log, ...(key === null ? [] : [places.idempotency(key.key)])]);
        const known = key === null || seen === undefined ? null : await reader.repeated(key, seen);
        if (known !== null) return { mark: null, value: known, nothing: true };
        const generation = generationIn(log, batch);
        const made: EachDecision[] = [];
        const marks: (DocumentReference | null)[] = [];
        for (const call of calls) {
          const before = await fresh(call, generation, new Set(made.map((one) => one.call.call_sid)));
          const decided = await decideOn(before, NOTHING_KNOWN, [[REQUESTED]]);
          made.push(decided.decision);
          marks.push(await writeNew(batch, before, decided, commit));
        }
        if (key !== null) batch.create(places.idempotency(key.key), { request_hash: key.request_hash, call_sids: made.map(({ call }) => call.call_sid) });
        return { mark: marks[0] ?? null, value: createdOf(made) };
      }),

    append: (callSid, units) => {
      const tries: Tried<Appended>[] = [];
      let way: CommitWay = 'unread';
      return store.optimistic<Appended>(async () => {
        if (way === 'unread') {
          way = 'read';
          const value = await firstTry(callSid, units, tries).finally(() => {
            if (tries.length > 0) way = 'missed';
          });
          if (value !== null) {
            onCommit?.('unread');
            return { batch: null, value };
          }
        }
        const batch = db.batch();
        const commit = runtime.randomHex(8);
        // As in `committed`, but at once: what is looked for is of the very moment of what is read.
        const known = await readFor(callSid, units, tries.map(({ mark }) => mark));
        const before = appliedOf(tries, known.marks);
        if (before !== undefined) return { batch: null, value: before.value };
        const { call, updateTime } = known;
        if (call === null || updateTime === undefined) {
          // Asked for here alone: every other append would pay for a document that is not there.
          if (!(await places.tombstone(callSid).get()).exists) return { batch: null, value: units.map(() => ({ value: null })) };
          const stopped = stopConversations(batch, known, units);
          return { batch: stopped === 0 ? null : batch, value: units.map(() => ({ error: new EarshotError('call_erased') })) };
        }
        remembered.found(callSid, updateTime);
        const { decided, settled } = await decideUnits(call, known, units);
        const { decision } = decided;
        if (decision.call === call && decision.keys.size === 0) return { batch: null, value: settled };
        batch.update(places.call(callSid), changedDocument(known.stored, decision.call), { lastUpdateTime: updateTime });
        if (decision.call.merged_into !== call.merged_into) holdOwner(batch, known, decision.call.merged_into);
        const mark = await write(batch, call, decided, commit);
        if (mark !== null) tries.push({ mark, commit, value: settled });
        return {
          batch,
          value: settled,
          stands: (results) => {
            leave(decision.call, results);
            onCommit?.(way);
          },
        };
      });
    },

    adopt: (conversationId, call, entries) =>
      committed<{ readonly owner: CallState } | { readonly made: AppendResult }>(async (batch, commit) => {
        const [log, conversation] = await readTogether([places.log, places.conversation(conversationId)]);
        if (conversation?.exists === true) {
          const owner = conversation.get('call_sid') as string | null;
          const owned = owner === null ? null : stateIn(await places.call(owner).get());
          if (owned === null) throw new EarshotError('call_erased');
          return { mark: null, value: { owner: owned }, nothing: true };
        }
        const before = await fresh(call, generationIn(log, batch), new Set());
        const units = [entries.map((entry) => ({ ...entry, conversation_id: conversationId }))];
        const decided = await decideOn(before, await readFor(before.call_sid, units), units);
        const mark = await writeNew(batch, before, decided, commit);
        const [outcome] = decided.decision.outcomes;
        if (outcome === undefined) throw new Error('an adoption was not decided on');
        return { mark, value: { made: resultOf(outcome) } };
      }),

    erase: (callSid) =>
      committed<boolean>(async (batch, commit) => {
        const found = await places.call(callSid).get();
        const call = stateIn(found);
        if (call === null || found.updateTime === undefined) return { mark: null, value: false, nothing: true };
        batch.delete(found.ref, { lastUpdateTime: found.updateTime });
        batch.set(places.tombstone(callSid), { call_sid: callSid, tenant: call.tenant, purged: false, commit, changed: FieldValue.serverTimestamp() });
        if (call.conversation_id !== null) batch.set(places.conversation(call.conversation_id), { conversation_id: call.conversation_id, call_sid: null });
        if (call.provider_call_id !== null) {
          const carrier = await places.providerCall(call.workspace, call.provider_call_id).get();
          if (carrier.get('call_sid') === callSid) batch.delete(carrier.ref);
        }
        return { mark: places.tombstone(callSid), value: true };
      }),
  };
};

/** The attempt whose commit stands, as the documents say that were to carry their ids. */
const appliedOf = <T>(tries: readonly Tried<T>[], marks: readonly DocumentSnapshot[]): Tried<T> | undefined => tries.find(({ commit }, index) => marks[index]?.get('commit') === commit);

const createdOf = (decisions: readonly EachDecision[]): CreateResult => ({
  result: 'created',
  calls: decisions.map(({ call }) => call),
  events: decisions.map(({ events }) => events.map(({ seq, text }) => ({ seq, text }))),
});
