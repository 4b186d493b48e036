/** What a commit of the cloud's log reads before it writes, and what it decides on that. */
import type { DocumentReference, DocumentSnapshot, QueryDocumentSnapshot, Timestamp } from '@google-cloud/firestore';
import { decideEach, type EachDecision, type UnitOutcome } from '../core/domain/call/decide-each.ts';
import { commitBytes } from '../core/domain/call/commit-size.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { keysOf, needsHistory, outcomeKey } from '../core/domain/call/keys.ts';
import type { CallDetails, CallState } from '../core/domain/call/state.ts';
import type { HistoryEvent } from '../core/domain/call/turns.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { EventFrame } from '../core/protocol/frames.ts';
import { COMMIT_MAX_BYTES } from '../core/protocol/limits.ts';
import type { AppendResult } from './call-log.ts';
import { DETAIL_NAMES, stateOf, wholeTextName, type LogPlaces, type Segment } from './call-log.firestore-documents.ts';
import { joined } from './call-log.firestore-reader.ts';
import { Overtaken, type FirestoreDatabase } from './firestore-database.ts';
import { queryOf } from './firestore-queries.ts';
import type { Settled } from './keyed-commits.ts';
import type { Runtime } from './runtime.ts';

/** What a commit knows of a call before it decides. */
export interface Known {
  readonly call: CallState | null;
  /** Its document as it is stored; empty where there is none. */
  readonly stored: Readonly<Record<string, unknown>>;
  /** Version of the call's projection: whoever commits to the call changes it. */
  readonly updateTime: Timestamp | undefined;
  readonly seen: ReadonlyMap<string, string>;
  /** Whose each conversation named in the entries is; null: it was erased. Those that are nobody's are not in it. */
  readonly owners: ReadonlyMap<string, string | null>;
  /** Versions of those entries: whoever takes a conversation away changes its. */
  readonly versions: ReadonlyMap<string, Timestamp>;
  /** The documents asked for beside them, of the same moment. */
  readonly marks: readonly DocumentSnapshot[];
}

/** What stands beside the projection already. */
export interface StoredDetails {
  readonly details: CallDetails;
  readonly documents: readonly QueryDocumentSnapshot[];
}

export interface Decided {
  readonly decision: EachDecision;
  readonly stored: StoredDetails;
}

/** As it is for a call that never ended. */
export const NOTHING_STORED: StoredDetails = { details: { analysis_data: null, metadata_json: null }, documents: [] };

/** Nothing was seen yet, and nobody's conversation is named. */
export const NOTHING_KNOWN: Known = { call: null, stored: {}, updateTime: undefined, seen: new Map(), owners: new Map(), versions: new Map(), marks: [] };

/** How units of entries for one call are decided on. What is read is believed only as long as the projection has not changed. */
export const firestoreDecider = (store: FirestoreDatabase, places: LogPlaces, runtime: Runtime) => {
  const { db } = store;

  /** Documents of one moment: the client reads the rest of an answer that broke off anew, and keys from before the projection would be believed. */
  const readTogether = async (documents: readonly DocumentReference[]): Promise<DocumentSnapshot[]> => {
    const found = await db.getAll(...documents);
    if (found.some(({ readTime }) => found[0] === undefined || !readTime.isEqual(found[0].readTime))) throw new Overtaken();
    return found;
  };

  /** What deciding on these entries has to know, in one request. @param marks documents to be read with it */
  const readFor = async (callSid: string, units: readonly (readonly FactEntry[])[], marks: readonly DocumentReference[] = []): Promise<Known> => {
    const entries = units.flat();
    const keys = [...new Set(entries.flatMap((entry) => keysOf(callSid, entry, runtime.sha256)))];
    const conversations = [...new Set(entries.map((entry) => entry.conversation_id).filter((id) => id !== null))];
    const found = await readTogether([places.call(callSid), ...keys.map((key) => places.key(callSid, key)), ...conversations.map((id) => places.conversation(id)), ...marks]);
    const [callDoc, ...others] = found as [DocumentSnapshot, ...DocumentSnapshot[]];
    const seen = new Map<string, string>();
    for (const [index, key] of keys.entries()) {
      const value = others[index]?.get('value') as string | undefined;
      if (value !== undefined) seen.set(key, value);
    }
    const owners = new Map<string, string | null>();
    const versions = new Map<string, Timestamp>();
    for (const [index, id] of conversations.entries()) {
      const conversation = others[keys.length + index];
      if (conversation?.updateTime === undefined) continue;
      owners.set(id, conversation.get('call_sid') as string | null);
      versions.set(id, conversation.updateTime);
    }
    const stored = callDoc.data() ?? {};
    return { call: callDoc.exists ? stateOf(stored) : null, stored, updateTime: callDoc.updateTime, seen, owners, versions, marks: others.slice(keys.length + conversations.length) };
  };

  const readHistory = async (callSid: string): Promise<HistoryEvent[]> => {
    const segments = await queryOf(db, 'segments', { last_seq: 0 }, places.segments(callSid)).get();
    const read = segments.docs.map((doc) => doc.data() as unknown as Segment);
    const long = read.some(({ whole }) => whole.length > 0) ? textsByName((await places.texts(callSid).get()).docs) : new Map<string, string>();
    return read.flatMap(({ first_seq, texts }) =>
      texts.map((text, at) => {
        const whole = long.get(wholeTextName(first_seq + at));
        return { event: JSON.parse(text) as EventFrame, whole_text: whole === undefined ? null : (JSON.parse(whole) as string) };
      }),
    );
  };

  const readDetails = async (callSid: string): Promise<StoredDetails> => {
    const found = await Promise.all(DETAIL_NAMES.map((name) => queryOf(db, 'texts', { name }, places.texts(callSid)).get()));
    const [analysis, metadata] = found.map(({ docs }) => docs);
    return { details: { analysis_data: joined(analysis ?? []), metadata_json: joined(metadata ?? []) }, documents: found.flatMap(({ docs }) => docs) };
  };

  const decideOn = async (call: CallState, known: Known, units: readonly (readonly FactEntry[])[]): Promise<Decided> => {
    // An outcome that was told before changes nothing: what it would be compared with need not be read.
    const entries = units.flat().filter(({ fact }) => fact.kind !== 'finished' || !known.seen.has(outcomeKey(fact.outcome, runtime.sha256)));
    const ends = entries.some(({ fact }) => fact.kind === 'finished');
    const exists = call.last_seq > 0;
    const history = exists && needsHistory(entries, call.transcript_final || ends) ? await readHistory(call.call_sid) : exists ? null : [];
    const stored = exists && ends ? await readDetails(call.call_sid) : NOTHING_STORED;
    const owners = new Map([...known.owners].filter((entry): entry is [string, string] => entry[1] !== null));
    return { decision: decideEach({ call, units, seen: known.seen, owners, history, details: stored.details, now: runtime.now(), sha256: runtime.sha256 }), stored };
  };

  /** Decides on each append, or refuses it: a conversation that it names was erased. */
  const decideUnits = async (call: CallState, known: Known, units: readonly (readonly FactEntry[])[]): Promise<{ decided: Decided; settled: Settled<AppendResult | null>[] }> => {
    const refused = units.map((entries) => entries.some(({ conversation_id: id }) => id !== null && known.owners.get(id) === null));
    const decided = await decideOn(call, known, units.filter((_, index) => refused[index] !== true));
    const outcomes = decided.decision.outcomes.values();
    const settled = refused.map((isRefused): Settled<AppendResult | null> => {
      if (isRefused) return { error: new EarshotError('call_erased') };
      const { value } = outcomes.next();
      return value === undefined ? { error: new Error('an append was not decided on') } : { value: resultOf(value) };
    });
    return { decided, settled };
  };

  /**
   * Decides on a call as it was left, with nothing read: no key is taken to be seen. null where that is not sound, or where there is nothing
   * to write and so nothing that would be refused. Sound is what the commit itself checks: the call by the version of its projection, and
   * every key that was looked at by creating it.
   */
  const decideUnread = (call: CallState, units: readonly (readonly FactEntry[])[]): EachDecision | null => {
    const entries = units.flat();
    const needsMore = entries.some(
      ({ fact, conversation_id, provider_call_id }) =>
        fact.kind === 'finished' || (conversation_id !== null && conversation_id !== call.conversation_id) || (provider_call_id !== null && call.provider_call_id === null),
    );
    if (needsMore || needsHistory(entries, call.transcript_final)) return null;
    const decision = decideEach({ call, units, seen: NOTHING_KNOWN.seen, owners: new Map(), history: null, details: NOTHING_STORED.details, now: runtime.now(), sha256: runtime.sha256 });
    const unchecked = entries.flatMap((entry) => keysOf(call.call_sid, entry, runtime.sha256)).some((key) => !decision.keys.has(key));
    const fits = commitBytes(decision, NOTHING_STORED.details) <= COMMIT_MAX_BYTES;
    return unchecked || !fits || decision.call === call ? null : decision;
  };

  return { readTogether, readFor, decideOn, decideUnits, decideUnread };
};

export const resultOf = ({ call, results, events }: UnitOutcome): AppendResult => ({ call, results, events: events.map(({ seq, text }) => ({ seq, text })) });

const textsByName = (documents: readonly QueryDocumentSnapshot[]): Map<string, string> => {
  const names = new Set(documents.map((document) => document.get('name') as string));
  return new Map([...names].map((name) => [name, joined(documents.filter((document) => document.get('name') === name)) ?? '']));
};
