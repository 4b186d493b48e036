/** What a commit of the cloud's log reads before it writes, and what it decides on that. */
import type { DocumentReference, DocumentSnapshot, Query, QueryDocumentSnapshot, QuerySnapshot, Timestamp } from '@google-cloud/firestore';
import { decideEach, type EachDecision, type UnitOutcome } from '../core/domain/call/decide-each.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { keysOf, needsHistory, outcomeKey } from '../core/domain/call/keys.ts';
import type { CallDetails, CallState } from '../core/domain/call/state.ts';
import type { HistoryEvent } from '../core/domain/call/turns.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { EventFrame } from '../core/protocol/frames.ts';
import type { AppendResult } from './call-log.ts';
import { wholeTextName, type LogPlaces, type Segment } from './call-log.firestore-documents.ts';
import { joined, stateIn } from './call-log.firestore-reader.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import { queryOf } from './firestore-queries.ts';
import type { Settled } from './keyed-commits.ts';
import type { Runtime } from './runtime.ts';

/** What a commit reads and writes with: a transaction, or plain reads and a batch whose preconditions name what was read. */
export interface Work {
  getAll(...documents: DocumentReference[]): Promise<DocumentSnapshot[]>;
  get(query: Query): Promise<QuerySnapshot>;
  create(document: DocumentReference, fields: Record<string, unknown>): unknown;
  set(document: DocumentReference, fields: Record<string, unknown>): unknown;
  delete(document: DocumentReference): unknown;
}

export interface Decided {
  readonly decision: EachDecision;
  readonly stored: StoredDetails;
}

/** What a commit knows of a call before it decides. */
export interface Known {
  readonly call: CallState | null;
  readonly updateTime: Timestamp | undefined;
  /** There was a call of this id, and it was erased. */
  readonly gone: boolean;
  readonly seen: ReadonlyMap<string, string>;
  readonly owners: ReadonlyMap<string, string>;
  /** Conversations named in the entries that were erased. */
  readonly erased: ReadonlySet<string>;
}

export interface StoredDetails {
  readonly details: CallDetails;
  readonly documents: readonly QueryDocumentSnapshot[];
}

const NO_DETAILS: CallDetails = { analysis_data: null, metadata_json: null };
export const DETAIL_NAMES = ['analysis_data', 'metadata_json'] as const;

/** As it is for a call that never ended. */
export const NOTHING_STORED: StoredDetails = { details: NO_DETAILS, documents: [] };

/** @returns how units of entries for one call are decided on */
export const firestoreDecider = (store: FirestoreDatabase, places: LogPlaces, runtime: Runtime) => {
  const { db } = store;

  /** What deciding on these entries has to know, in one request. */
  const readFor = async (work: Work, callSid: string, units: readonly (readonly FactEntry[])[]): Promise<Known> => {
    const entries = units.flat();
    const keys = [...new Set(entries.flatMap((entry) => keysOf(callSid, entry, runtime.sha256)))];
    const conversations = [...new Set(entries.map((entry) => entry.conversation_id).filter((id) => id !== null))];
    const found = await work.getAll(
      places.call(callSid),
      places.tombstone(callSid),
      ...keys.map((key) => places.key(callSid, key)),
      ...conversations.flatMap((id) => [places.conversation(id), places.tombstone(id)]),
    );
    const [callDoc, tombstone, ...others] = found as [DocumentSnapshot, DocumentSnapshot, ...DocumentSnapshot[]];
    const seen = new Map<string, string>();
    for (const [index, key] of keys.entries()) {
      const value = others[index]?.get('value') as string | undefined;
      if (value !== undefined) seen.set(key, value);
    }
    const owners = new Map<string, string>();
    const erased = new Set<string>();
    for (const [index, id] of conversations.entries()) {
      const [conversation, stone] = others.slice(keys.length + index * 2, keys.length + index * 2 + 2);
      const owner = conversation?.get('call_sid') as string | undefined;
      if (owner !== undefined) owners.set(id, owner);
      if (stone?.exists === true) erased.add(id);
    }
    return { call: stateIn(callDoc), updateTime: callDoc.updateTime, gone: tombstone.exists, seen, owners, erased };
  };

  const readHistory = async (work: Work, callSid: string): Promise<HistoryEvent[]> => {
    const segments = await work.get(queryOf(db, 'segments', { last_seq: 0 }, places.segments(callSid)));
    const read = segments.docs.map((doc) => doc.data() as unknown as Segment);
    const long = read.some(({ whole }) => whole.length > 0) ? textsByName((await work.get(places.texts(callSid))).docs) : new Map<string, string>();
    return read.flatMap(({ first_seq, texts }) =>
      texts.map((text, at) => {
        const whole = long.get(wholeTextName(first_seq + at));
        return { event: JSON.parse(text) as EventFrame, whole_text: whole === undefined ? null : (JSON.parse(whole) as string) };
      }),
    );
  };

  const readDetails = async (work: Work, callSid: string): Promise<StoredDetails> => {
    const found = await Promise.all(DETAIL_NAMES.map((name) => work.get(queryOf(db, 'texts', { name }, places.texts(callSid)))));
    const [analysis, metadata] = found.map(({ docs }) => docs);
    return { details: { analysis_data: joined(analysis ?? []), metadata_json: joined(metadata ?? []) }, documents: found.flatMap(({ docs }) => docs) };
  };

  const decideOn = async (work: Work, call: CallState, known: Known, units: readonly (readonly FactEntry[])[]): Promise<Decided> => {
    // An outcome that was told before changes nothing: what it would be compared with need not be read.
    const entries = units.flat().filter(({ fact }) => fact.kind !== 'finished' || !known.seen.has(outcomeKey(fact.outcome, runtime.sha256)));
    const ends = entries.some(({ fact }) => fact.kind === 'finished');
    const exists = call.last_seq > 0;
    const history = exists && needsHistory(entries, call.transcript_final || ends) ? await readHistory(work, call.call_sid) : exists ? null : [];
    const stored = exists && ends ? await readDetails(work, call.call_sid) : NOTHING_STORED;
    const decision = decideEach({ call, units, seen: known.seen, owners: known.owners, history, details: stored.details, now: runtime.now(), sha256: runtime.sha256 });
    return { decision, stored };
  };

  /** Decides on each append, or refuses it: a conversation that it names was erased. */
  const decideUnits = async (work: Work, call: CallState, known: Known, units: readonly (readonly FactEntry[])[]): Promise<{ decided: Decided; settled: Settled<AppendResult | null>[] }> => {
    const refused = units.map((entries) => entries.some(({ conversation_id: id }) => id !== null && known.erased.has(id)));
    const decided = await decideOn(work, call, known, units.filter((_, index) => refused[index] !== true));
    const outcomes = decided.decision.outcomes.values();
    const settled = refused.map((isRefused): Settled<AppendResult | null> => {
      if (isRefused) return { error: new EarshotError('call_erased') };
      const { value } = outcomes.next();
      return value === undefined ? { error: new Error('an append was not decided on') } : { value: resultOf(value) };
    });
    return { decided, settled };
  };

  return { readFor, decideOn, decideUnits };
};

export const resultOf = ({ call, results, events }: UnitOutcome): AppendResult => ({ call, results, events: events.map(({ seq, text }) => ({ seq, text })) });

const textsByName = (documents: readonly QueryDocumentSnapshot[]): Map<string, string> => {
  const names = new Set(documents.map((document) => document.get('name') as string));
  return new Map([...names].map((name) => [name, joined(documents.filter((document) => document.get('name') === name)) ?? '']));
};
