/**
 * The commits of the cloud's log: events, keys, projection and bindings, all of it or nothing. Nobody waits for a lock: a commit is a batch
 * that holds only as long as the projection is the one that was read, or what it creates is not there yet; else it is decided anew.
 * Every commit to a call writes its projection, so that its version tells whether anything of the call has changed.
 */
import { FieldValue, type DocumentReference, type DocumentSnapshot, type WriteBatch } from '@google-cloud/firestore';
import { movedOn } from '../core/domain/call/call-sid.ts';
import { mustFit } from '../core/domain/call/commit-size.ts';
import type { EachDecision } from '../core/domain/call/decide-each.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { newCallState, type CallState, type NewCall } from '../core/domain/call/state.ts';
import { chainStart } from '../core/domain/digest.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { firestoreDecider, NOTHING_KNOWN, resultOf, type Decided, type Known } from './call-log.firestore-decider.ts';
import { callDocument, DETAIL_NAMES, partsOf, segmentsOf, wellFormed, wholeTextName, type LogPlaces } from './call-log.firestore-documents.ts';
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

export const firestoreWriter = (store: FirestoreDatabase, places: LogPlaces, reader: FirestoreReader, runtime: Runtime): FirestoreWriter => {
  const { db } = store;
  const { readTogether, readFor, decideOn, decideUnits } = firestoreDecider(store, places, runtime);

  /**
   * Runs a commit until it is known to stand or to have failed. `work` writes into the batch and names a document that carries the commit's
   * id; when it is asked for again, that document tells whether an attempt whose answer was lost was applied. An attempt that was given up
   * may still land: before the reads of the next one, which then sees its own doing as somebody else's, so it is looked for after these too;
   * or after them, and then the conditions of the next commit do not hold.
   */
  const committed = <T>(work: (batch: WriteBatch, commit: string) => Promise<{ readonly mark: DocumentReference | null; readonly value: T; readonly nothing?: boolean }>): Promise<T> => {
    const tries: Tried<T>[] = [];
    const applied = async (): Promise<Tried<T> | undefined> => {
      const marks = tries.length === 0 ? [] : await db.getAll(...tries.map(({ mark }) => mark));
      return tries.find(({ commit }, index) => marks[index]?.get('commit') === commit);
    };
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

  /** Writes what was decided, but for the projection. @returns where the commit's id stands; null where there is no event. */
  const write = async (batch: WriteBatch, before: CallState, { decision, stored }: Decided, commit: string): Promise<DocumentReference | null> => {
    const { call, events, keys, details } = decision;
    const { call_sid: sid, conversation_id, provider_call_id } = call;
    mustFit(decision, stored.details);
    if (conversation_id !== null && conversation_id !== before.conversation_id) batch.create(places.conversation(conversation_id), { conversation_id, call_sid: sid });
    if (provider_call_id !== null && provider_call_id !== before.provider_call_id) {
      const carrier = places.providerCall(call.workspace, provider_call_id);
      if (!(await carrier.get()).exists) batch.create(carrier, { call_sid: sid });
    }
    const segments = segmentsOf(events);
    for (const segment of segments) batch.create(places.segment(sid, segment.first_seq), { ...segment, commit, at: FieldValue.serverTimestamp() });
    for (const event of events) if (event.whole_text !== null) putText(batch, places, sid, wholeTextName(event.seq), JSON.stringify(event.whole_text));
    for (const [key, value] of keys) batch.set(places.key(sid, key), { value });
    if (details !== stored.details) {
      const put = new Set<string>();
      for (const name of DETAIL_NAMES) {
        const text = details[name];
        if (text !== null) for (const id of putText(batch, places, sid, name, text)) put.add(id);
      }
      // A shorter text has fewer parts than the one before it.
      for (const { ref } of stored.documents) if (!put.has(ref.id)) batch.delete(ref);
    }
    const first = segments[0];
    return first === undefined ? null : places.segment(sid, first.first_seq);
  };

  /** As `write`, for a call that is not there yet. */
  const writeNew = async (batch: WriteBatch, before: CallState, decided: Decided, commit: string): Promise<DocumentReference | null> => {
    batch.create(places.call(before.call_sid), callDocument(decided.decision.call));
    return write(batch, before, decided, commit);
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

  /** The dial of an erased call is answered: unless its conversation is stopped too, it would be adopted as nobody's. */
  const stopConversations = (batch: WriteBatch, known: Known, units: readonly (readonly FactEntry[])[]): number => {
    const dialled = units.flat().filter(({ fact }) => fact.kind === 'dial_accepted').map(({ conversation_id: id }) => id);
    const stopped = [...new Set(dialled)].filter((id) => id !== null).filter((id) => !known.owners.has(id));
    for (const id of stopped) batch.create(places.conversation(id), { conversation_id: id, call_sid: null });
    return stopped.length;
  };

  /** A merger holds only as long as the owner has its conversation: were it erased between, nobody would erase what was merged into it. */
  const holdOwner = (batch: WriteBatch, known: Known, owner: string | null): void => {
    for (const [id, version] of known.versions) {
      if (known.owners.get(id) === owner) batch.update(places.conversation(id), { call_sid: owner }, { lastUpdateTime: version });
    }
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

    append: (callSid, units) =>
      committed<readonly Settled<AppendResult | null>[]>(async (batch, commit) => {
        const known = await readFor(callSid, units);
        const { call, updateTime } = known;
        if (call === null || updateTime === undefined) {
          if (!known.gone) return { mark: null, value: units.map(() => ({ value: null })), nothing: true };
          const stopped = stopConversations(batch, known, units);
          return { mark: null, value: units.map(() => ({ error: new EarshotError('call_erased') })), nothing: stopped === 0 };
        }
        const { decided, settled } = await decideUnits(call, known, units);
        const { decision } = decided;
        if (decision.call === call && decision.keys.size === 0) return { mark: null, value: settled, nothing: true };
        batch.update(places.call(callSid), callDocument(decision.call), { lastUpdateTime: updateTime });
        if (decision.call.merged_into !== call.merged_into) holdOwner(batch, known, decision.call.merged_into);
        return { mark: await write(batch, call, decided, commit), value: settled };
      }),

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

const createdOf = (decisions: readonly EachDecision[]): CreateResult => ({
  result: 'created',
  calls: decisions.map(({ call }) => call),
  events: decisions.map(({ events }) => events.map(({ seq, text }) => ({ seq, text }))),
});

/** @returns the ids of the documents that hold it */
const putText = (batch: WriteBatch, places: LogPlaces, callSid: string, name: string, text: string): string[] =>
  partsOf(text).map((piece, part) => {
    const document = places.texts(callSid).doc(`${name}.${part}`);
    batch.set(document, { name, part, text: wellFormed(piece) });
    return document.id;
  });
