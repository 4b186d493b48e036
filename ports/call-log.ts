/**
 * The need: append facts about calls once, read them from a position, find and list calls, tell what changed since.
 * Every way passes `test/contract/call-log.ts`.
 */
import type { CallDetails, CallState, NewCall } from '../core/domain/call/state.ts';
import type { FactEntry, FactResult } from '../core/domain/call/facts.ts';
import type { CallStatus } from '../core/protocol/frames.ts';

export interface AppendResult {
  /** The call after the append. */
  readonly call: CallState;
  /** One result for each fact, in order. */
  readonly results: readonly FactResult[];
  /** What this append added, as logged, in order. Empty when nothing was new. */
  readonly events: readonly LoggedEvent[];
}

/** One event: its text is exactly what stands in the log, on the bus and on every wire. */
export interface LoggedEvent {
  readonly seq: number;
  readonly text: string;
}

export interface IdempotencyKey {
  /** Scope and key in one: tenant, user, route and the caller's key. */
  readonly key: string;
  /** Hash of the request body: another body under the same key is refused. */
  readonly request_hash: string;
}

export type CreateResult =
  | { readonly result: 'created'; readonly calls: readonly CallState[]; readonly events: readonly LoggedEvent[][] }
  /** The key was seen with the same request: these are its calls as they are now. */
  | { readonly result: 'repeated'; readonly calls: readonly CallState[] }
  | { readonly result: 'key_reused' }
  /** The key's calls were erased. */
  | { readonly result: 'erased' };

export interface Page {
  readonly call: CallState;
  /** Events after the position asked for, dense and in order; fewer than asked for only at the head. Where some were lost, those that exist behind them follow. */
  readonly events: readonly LoggedEvent[];
}

export interface ListQuery {
  readonly tenant: string;
  readonly status?: CallStatus | undefined;
  /** Found in driver name, call_sid, conversation_id or number; case does not matter. */
  readonly q?: string | undefined;
  readonly driver_id?: string | undefined;
  readonly agent_id?: string | undefined;
  /** Calls created at or after it, milliseconds. */
  readonly since?: number | undefined;
  /** From an earlier answer of the same list. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface CallCounts {
  readonly by_status: Readonly<Partial<Record<CallStatus, number>>>;
  /** Calls with status completed, and how many of them have a summary. */
  readonly completed: number;
  readonly completed_with_summary: number;
}

export interface Changes {
  readonly calls: readonly CallState[];
  /** Calls erased since the mark: nobody may be shown them any longer. */
  readonly erased: readonly { readonly tenant: string; readonly call_sid: string }[];
  /** For the next question. */
  readonly mark: string;
  /** Ask again at once. */
  readonly more: boolean;
}

export interface NewGenerationOptions {
  /** Goes on with the one that was named last where its calls were not all done: those that have it are left alone. Where there is none, a new one is named. */
  readonly resume?: boolean;
  /** Hears how many calls have got another epoch so far. */
  readonly onMoved?: (calls: number) => void;
}

export interface NewGeneration {
  readonly generation: string;
  /** Calls that got another epoch. */
  readonly calls: number;
}

export interface CallLog {
  /**
   * Starts the logs of new calls, each with its `requested` event, and keeps the key, in one transaction.
   * A call_sid that exists is moved on by a millisecond at a time until it is free.
   */
  create(calls: readonly NewCall[], key: IdempotencyKey | null): Promise<CreateResult>;
  /** What `create` would answer to this key without creating anything; null: the key is new. */
  repeated(key: IdempotencyKey): Promise<Exclude<CreateResult, { readonly result: 'created' }> | null>;
  /**
   * The one door. Atomic: events, keys, projection, conversation binding. Answers after the commit.
   * null: there is no such call. Throws EarshotError `store_unavailable`, `payload_too_large` (more than a commit holds, see
   * COMMIT_MAX_BYTES: nothing of it was appended), `call_erased`; the conversation that the late answer of
   * an erased call's dial names is then stopped as well.
   */
  append(callSid: string, entries: readonly FactEntry[]): Promise<AppendResult | null>;
  /**
   * Starts the log of a call that nobody announced, bound to its conversation, and appends to it; if the conversation has
   * an owner by now, appends there - unless that is of another workspace or tenant: then all is `ignored` as `foreign`. Throws `call_erased` for a conversation that was erased.
   */
  adopt(conversationId: string, call: NewCall, entries: readonly FactEntry[]): Promise<AppendResult>;
  /** The call of a call_sid or conversation_id, through mergers; null if there is none. `erased` if there was one. */
  find(id: string): Promise<CallState | 'erased' | null>;
  /** As `find`, for many ids at one read: an entry for each id, in order. */
  findMany(ids: readonly string[]): Promise<readonly (CallState | 'erased' | null)[]>;
  /** The call itself, not its owner where it was merged. */
  get(callSid: string): Promise<CallState | null>;
  findByProviderCall(workspace: string, providerCallId: string): Promise<CallState | null>;
  /** Dials of this agent, begun after `since`, that have no conversation yet. */
  unboundDials(workspace: string, agentId: string | null, since: number): Promise<readonly CallState[]>;
  /** One consistent read of projection and events after `afterSeq` (0 = all), at most `limit`. Not through mergers. */
  read(callSid: string, afterSeq: number, limit: number): Promise<Page | null>;
  /** The whole text of a turn whose frame is truncated; null where there is no such event. */
  wholeText(callSid: string, seq: number): Promise<string | null>;
  details(callSid: string): Promise<CallDetails | null>;
  /** Whether the turn has a logged revision: then nothing interim of it is worth showing. */
  knowsTurn(callSid: string, turnId: string): Promise<boolean>;
  /** Newest first by (created_at, call_sid). */
  list(query: ListQuery): Promise<{ readonly calls: readonly CallState[]; readonly next_cursor: string | null }>;
  /**
   * Calls of these tenants (null: of all) changed since the mark, each at least once, with the mark for the next question.
   * A null mark answers only a mark: from now on. `more`: ask again at once.
   */
  changes(tenants: readonly string[] | null, mark: string | null): Promise<Changes>;
  /** Calls not terminal, and calls ended at or after `endedSince`. */
  active(tenant: string | null, endedSince: number): Promise<readonly CallState[]>;
  counts(tenant: string, since: number): Promise<CallCounts>;
  /** Calls that were merged into this one, which may be erased by now. */
  mergedInto(callSid: string): Promise<readonly CallState[]>;
  /** Removes the call whole and leaves a tombstone that every door stops at. false: there is no such call. */
  erase(callSid: string): Promise<boolean>;
  /** Finishes erasures that a crash cut off; answers how many. A log that erases in one commit has none. */
  sweep(): Promise<number>;
  /** Calls created before `before`, oldest first, for retention. */
  createdBefore(before: number, limit: number): Promise<readonly CallState[]>;
  /**
   * Names a new generation of the log, as after a restore from a backup: calls that are new from now on are of it, and every call that is
   * not sealed gets an epoch of it, so that no position from before can be taken for one of now. A sealed call keeps its epoch, which its
   * seal proves. Works beside whoever writes; throws `store_unavailable`, and is safe to do again.
   */
  newGeneration(options?: NewGenerationOptions): Promise<NewGeneration>;
  /** Answers when the store does; throws `store_unavailable`. */
  check(): Promise<void>;
  close(): Promise<void>;
}
