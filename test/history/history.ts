/**
 * What happened in one run, as its actors saw it: JSON Lines, one record a line, in the order in which it was noted. The
 * simulation and runs of real processes write the same records, and one checker (`check.ts`) judges both.
 *
 * An operation is noted when it begins (`invoke`) and when it ends: `ok`, `fail` (it surely had no effect), or `unknown` (a
 * time-out, a cut connection: it may have had its effect, now or later).
 */
import type { CallStatus } from '../../core/protocol/frames.ts';

/** `at`: milliseconds of the run's own clock - virtual in the simulation, since the start with real processes. Never goes back. */
interface Noted {
  readonly at: number;
  /** Who noted it: `provider`, `functions-1`, `relay-2`, `viewer-3`, `auditor`. */
  readonly actor: string;
}

/** One spoken row, as the provider knows it. */
export interface SpokenTurn {
  readonly speaker: 'agent' | 'driver';
  readonly text: string;
}

/** What the provider tells of an outcome beside its words. */
export interface ToldOutcome {
  readonly transcript_summary: string | null;
  /** Dollars. */
  readonly cost: number | null;
}

/** What a delivery would have the log say, by the sender's own knowledge. */
export type Content =
  /** `turn_id` null: the sender gave none. */
  | { readonly kind: 'turn'; readonly turn_id: string | null; readonly text: string }
  | { readonly kind: 'agent_event'; readonly event_id: string; readonly type: string; readonly tool_call_id: string | null }
  /** The outcome of a conversation: its final transcript in order. `version`: 1, and one more for each time the provider changed its mind. */
  | { readonly kind: 'final'; readonly version: number; readonly transcript: readonly SpokenTurn[]; readonly outcome?: ToldOutcome }
  /** The dial never became a conversation with words. */
  | { readonly kind: 'initiation_failure' }
  /** Tells of nothing that the log would hold: a recording, a type that nobody knows. */
  | { readonly kind: 'other' };

export type HistoryRecord =
  // --- The world as it truly is: what the checker holds everything else against ---
  /** Whose an agent's conversations are. */
  | (Noted & { readonly op: 'agent'; readonly agent_id: string; readonly workspace: string; readonly tenant: string })
  /** From now on this user has, or has no, right to watch the calls of this tenant. */
  | (Noted & { readonly op: 'right'; readonly user: string; readonly tenant: string; readonly held: boolean })
  /** A text that may stand in no log line and no error body. `what`: token, signature, phone number, words. */
  | (Noted & { readonly op: 'canary'; readonly what: string; readonly text: string })
  /** The provider's conversation as it is now. `call_sid`: ours, where it came from a dial of ours and carries our id. */
  | (Noted & {
      readonly op: 'conversation';
      readonly conversation_id: string;
      readonly agent_id: string;
      readonly call_sid: string | null;
      readonly state: 'ringing' | 'talking' | 'processing' | 'done' | 'failed';
      /** Set once it is done or failed. */
      readonly version: number;
      readonly transcript: readonly SpokenTurn[];
      readonly outcome?: ToldOutcome;
      /** Ids of the tool calls that its final transcript tells of. */
      readonly tools?: readonly string[];
    })
  /** A phone rang: the provider took this dial. Noted by the provider for each POST that it took, whatever became of its answer. */
  | (Noted & { readonly op: 'rang'; readonly call_sid: string | null; readonly conversation_id: string; readonly number: string })
  // --- Coming in ---
  /** One attempt to deliver; the same delivery has the same `delivery` on every attempt. `genuine` false: forged, it may change nothing. `marker`: stands in its body, where it is forged or about a conversation that is not its sender's: in no log and on no screen. */
  | (Noted & {
      readonly op: 'deliver';
      readonly phase: 'invoke';
      readonly id: string;
      readonly delivery: string;
      readonly route: 'post-call' | 'transcription' | 'agent-events';
      readonly conversation_id: string;
      readonly workspace: string;
      readonly genuine: boolean;
      readonly marker: string | null;
      readonly content: Content;
    })
  | (Noted & { readonly op: 'deliver'; readonly phase: 'ok' | 'fail' | 'unknown'; readonly id: string; readonly delivery: string; readonly status: number | null })
  /** A call request over REST. `ok`: 2xx with these calls. */
  | (Noted & { readonly op: 'request'; readonly phase: 'invoke'; readonly id: string; readonly user: string; readonly tenant: string; readonly idempotency_key: string | null; readonly number: string })
  | (Noted & { readonly op: 'request'; readonly phase: 'ok' | 'fail' | 'unknown'; readonly id: string; readonly status: number | null; readonly call_sids: readonly string[] })
  /** Erasure asked for; from `ok` on nothing may bring the call back. */
  | (Noted & { readonly op: 'erase'; readonly phase: 'invoke' | 'ok' | 'fail' | 'unknown'; readonly call_sid: string; readonly status: number | null; /** As the log knew it just before. */ readonly conversation_id?: string | null })
  // --- The log, read straight from the store by the auditor ---
  | (Noted & {
      readonly op: 'logged';
      readonly call_sid: string;
      readonly tenant: string;
      readonly workspace: string;
      readonly agent_id: string | null;
      readonly epoch: string;
      readonly conversation_id: string | null;
      readonly merged_into: string | null;
      readonly status: CallStatus;
      readonly last_seq: number;
      /** Texts of the events from seq 1 on, as logged; null where the event is missing. */
      readonly texts: readonly (string | null)[];
      /** Seqs that a fault removed on purpose: whoever needs them has to be told. */
      readonly removed: readonly number[];
      /** The outcome as the call itself has it, beside its events. */
      readonly outcome?: ToldOutcome;
      /** Whether this is the reading at the end of the run, when all has healed. */
      readonly final: boolean;
    })
  /** A delivery that waits in quarantine at the end of the run. */
  | (Noted & { readonly op: 'quarantined'; readonly reason: string; readonly conversation_id: string | null; readonly body: string | null; readonly age_ms: number })
  /** A raw delivery that is still kept at the end of the run, used or not. */
  | (Noted & { readonly op: 'kept'; readonly reason: string; readonly call_sid: string | null; readonly conversation_id: string | null })
  // --- A viewer's connection, as the wire showed it ---
  /** A session began. `user` null: nothing that could be a token was offered. `valid`: whether what it offered is good by the world's own knowledge. `ends_at`: when the token ends. */
  | (Noted & { readonly op: 'opened'; readonly session: string; readonly relay: string; readonly user: string | null; readonly tenant: string | null; readonly valid: boolean; readonly ends_at: number })
  /** A fresh token of the same user was sent on the session. */
  | (Noted & { readonly op: 'refreshed'; readonly session: string; readonly valid: boolean; readonly ends_at: number })
  /** A frame reached the session. `seq` null: not an event. `text`: `fingerprint` of the event's text. */
  | (Noted & { readonly op: 'frame'; readonly session: string; readonly type: string; readonly call_sid: string | null; readonly seq: number | null; readonly fingerprint: string | null })
  | (Noted & { readonly op: 'closed'; readonly session: string; readonly code: number })
  // --- What the viewer's client machine made of it: what the screen shows ---
  /** It asked to follow a call, by either id. From here on the screen owes the call to its user. */
  | (Noted & { readonly op: 'follow'; readonly user: string; readonly tenant: string; readonly id: string })
  | (Noted & { readonly op: 'unfollow'; readonly id: string })
  | (Noted & { readonly op: 'confirmed'; readonly id: string; readonly call_sid: string; readonly epoch: string })
  /** What was shown is void: the call starts over from its first event. */
  | (Noted & { readonly op: 'reset'; readonly id: string; readonly reason: string })
  | (Noted & { readonly op: 'event'; readonly id: string; readonly call_sid: string; readonly seq: number; readonly fingerprint: string })
  /** The screen said that these are lost. */
  | (Noted & { readonly op: 'lost'; readonly id: string; readonly from: number; readonly to: number })
  | (Noted & { readonly op: 'sealed'; readonly id: string; readonly proof: string })
  | (Noted & { readonly op: 'refused'; readonly id: string; readonly code: string })
  /** What is being said at this moment, not logged yet. */
  | (Noted & { readonly op: 'interim'; readonly id: string; readonly call_sid: string; readonly turn_id: string; readonly text: string })
  /** What the screen says of itself from here on: the client's own word (`live`, `catching_up` ...). */
  | (Noted & { readonly op: 'state'; readonly state: string })
  /** The whole board as it stands on the screen; noted beside `shown`. */
  | (Noted & { readonly op: 'board'; readonly user: string; readonly tenant: string; readonly connected: boolean; readonly rows: readonly ShownRow[] })
  /** The client gave up for good, with this close code. */
  | (Noted & { readonly op: 'stopped'; readonly code: number | null })
  /** A relay has compared itself with the log; `began`: when it asked, by the run's own clock. */
  | (Noted & { readonly op: 'compared'; readonly relay: string; readonly began: number })
  // --- The run ---
  /** All faults are over; from here on everything has to come right. `unreachable`: viewers whose way stays broken on purpose. */
  | (Noted & { readonly op: 'healed'; readonly unreachable: readonly string[] })
  /** How far a viewer that is connected lagged behind at the last look; the checker wants it at the head. Noted at the end of the healing time. `live`: it says itself that all it shows is all there is. */
  | (Noted & { readonly op: 'shown'; readonly id: string; readonly call_sid: string | null; readonly seq: number; readonly connected: boolean; readonly stopped: boolean; readonly live: boolean })
  /** What a relay holds now. `bytes`: written to its clients and not taken yet, all together; `most`: of one client, where that is known. */
  | (Noted & { readonly op: 'held'; readonly relay: string; readonly sessions: number; readonly calls: number; readonly bytes: number; readonly most?: number })
  /** What was left when everybody had gone and the jobs had run. */
  | (Noted & { readonly op: 'left'; readonly subscriptions: number; readonly tickets: number; readonly leases: number; readonly rooms: number; readonly sessions?: number })
  /** A log line or an error body of ours, as written. */
  | (Noted & { readonly op: 'wrote'; readonly what: 'line' | 'error'; readonly text: string })
  /** A fault was injected. */
  | (Noted & { readonly op: 'fault'; readonly kind: string; readonly detail: string | null })
  /** The same run again from the same seed had this hash. */
  | (Noted & { readonly op: 'replayed'; readonly hash: string; readonly expected: string });

export type Op = HistoryRecord['op'];

/** The record of one operation. */
export type RecordOf<O extends Op> = Extract<HistoryRecord, { readonly op: O }>;

/** A row of the board, as far as the log says the same. */
export interface ShownRow {
  readonly call_sid: string;
  readonly conversation_id: string | null;
  readonly status: CallStatus;
  readonly epoch: string;
  readonly last_seq: number;
}

/** One JSON object a line. */
export const toLines = (records: readonly HistoryRecord[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('');

/** Throws where a line is not a record. */
export const fromLines = (text: string): HistoryRecord[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as HistoryRecord);

/** A short name for a text: equal texts have equal ones. `sha256` gives lower-case hex. */
export const fingerprintOf = (text: string, sha256: (text: string) => string): string => sha256(text).slice(0, 20);
