/**
 * A commit in the making: the call as it will be, the events with their final texts, the keys to be written.
 * Whatever decides writes here; the log then stores it whole or not at all.
 */
import type { CallStatus, EventFrame } from '../../protocol/frames.ts';
import { FRAME_MAX_BYTES, TURN_TEXT_FRAME_MAX_BYTES } from '../../protocol/limits.ts';
import { chainNext, type Sha256 } from '../digest.ts';
import { cutToJsonBytes, jsonBytes, utf8Bytes } from '../text.ts';
import type { FactEntry, FactResult } from './facts.ts';
import { foldTurns, type HistoryEvent, type TurnHistory } from './turns.ts';
import { isTerminal, type CallDetails, type CallState } from './state.ts';

export interface DecisionInput {
  readonly call: CallState;
  readonly entries: readonly FactEntry[];
  /** Values of those keys of `keysOf` that the call has. */
  readonly seen: ReadonlyMap<string, string>;
  /** Owner of each conversation named in the entries, where there is one. */
  readonly owners: ReadonlyMap<string, string>;
  /** All events so far, where `needsHistory` asks for them. */
  readonly history: readonly HistoryEvent[] | null;
  readonly details: CallDetails;
  /** Milliseconds. */
  readonly now: number;
  readonly sha256: Sha256;
}

export interface DraftEvent {
  readonly seq: number;
  readonly text: string;
  /** The turn's whole text, where the frame's is cut. */
  readonly whole_text: string | null;
}

export interface Decision {
  readonly call: CallState;
  readonly details: CallDetails;
  readonly events: readonly DraftEvent[];
  readonly keys: ReadonlyMap<string, string>;
  readonly results: readonly FactResult[];
}

/** Members of an event beside its head; `undefined` members are left out. */
type EventBody<T> = T extends EventFrame ? Omit<T, 'call_sid' | 'conversation_id' | 'seq' | 'timestamp'> : never;

const RANK: Record<CallStatus, number> = { requested: 0, dialing: 1, unknown: 1, in_progress: 2, processing: 3, completed: 4, failed: 4 };

/** Whether a call may go from one status to the other: forward only, `unknown` and `dialing` stand beside each other. */
export const mayFollow = (from: CallStatus, to: CallStatus): boolean => from !== to && !isTerminal(from) && RANK[to] >= RANK[from];

/** See the head of this file. */
export class Draft {
  call: CallState;
  details: CallDetails;
  readonly events: DraftEvent[] = [];
  readonly keys = new Map<string, string>();
  readonly now: number;
  readonly sha256: Sha256;
  readonly #seen: ReadonlyMap<string, string>;
  readonly #history: readonly HistoryEvent[] | null;
  readonly #added: HistoryEvent[] = [];

  constructor(input: DecisionInput) {
    this.call = input.call;
    this.details = input.details;
    this.now = input.now;
    this.sha256 = input.sha256;
    this.#seen = input.seen;
    this.#history = input.history;
  }

  /** The key's value, written in this commit or before. */
  key(key: string): string | undefined {
    return this.keys.get(key) ?? this.#seen.get(key);
  }

  /** The turns so far, those of this commit included. */
  turns(): TurnHistory {
    return foldTurns([...(this.#history ?? []), ...this.#added]);
  }

  change(change: Partial<CallState>): void {
    this.call = { ...this.call, ...change, changed_at: this.now };
  }

  /** Gives the event the next seq and its final text. */
  emit(body: EventBody<EventFrame>): void {
    const seq = this.call.last_seq + 1;
    const { fitted, wholeText } = fit(body, this.call.call_sid, seq);
    const { type, ...members } = fitted;
    const frame = {
      type,
      call_sid: this.call.call_sid,
      conversation_id: this.call.conversation_id,
      seq,
      timestamp: new Date(this.now).toISOString(),
      ...members,
    };
    // What a reader parses and writes again must be this very text: numbers and keys take their JSON form here, once.
    const text = JSON.stringify(JSON.parse(JSON.stringify(frame)));
    this.events.push({ seq, text, whole_text: wholeText });
    this.#added.push({ event: JSON.parse(text) as EventFrame, whole_text: wholeText });
    this.change({ last_seq: seq, digest: chainNext(this.call.digest, text, this.sha256) });
  }

  /** Moves the status forward and says so; nothing where it would go back or stay. */
  move(status: CallStatus, reason: string | null): void {
    if (!mayFollow(this.call.status, status)) return;
    const previous = this.call.last_seq === 0 ? null : this.call.status;
    this.change({ status, reason, ...(status === 'in_progress' && this.call.started_at === null ? { started_at: this.now } : {}) });
    this.emit({ type: 'call_status', status, previous, ...(reason === null ? {} : { reason }) });
  }

  /** Ends the batch: everything up to here is complete, and the digest proves it. */
  seal(): void {
    this.change({ seal_revision: this.call.seal_revision + 1 });
    this.emit({
      type: 'call_sealed',
      revision: this.call.seal_revision,
      last_seq: this.call.last_seq + 1,
      turns: this.call.turn_count,
      digest: this.call.digest,
    });
  }
}

/** Room for the head of a frame and the names of its members. */
const FRAME_ROOM_BYTES = 4 * 1024;

const fit = (body: EventBody<EventFrame>, callSid: string, seq: number): { fitted: EventBody<EventFrame>; wholeText: string | null } => {
  if (body.type === 'transcription') {
    if (jsonBytes(body.text) <= TURN_TEXT_FRAME_MAX_BYTES) return { fitted: body, wholeText: null };
    const href = `/calls/${encodeURIComponent(callSid)}/events/${seq}/text`;
    return { fitted: { ...body, text: cutToJsonBytes(body.text, TURN_TEXT_FRAME_MAX_BYTES), truncated: true, href }, wholeText: body.text };
  }
  if (utf8Bytes(JSON.stringify(body)) <= FRAME_MAX_BYTES - FRAME_ROOM_BYTES) return { fitted: body, wholeText: null };
  const href = `/calls/${encodeURIComponent(callSid)}`;
  if (body.type === 'call_completed') return { fitted: { ...body, data: without(body.data), truncated: true, href }, wholeText: null };
  if (body.type === 'call_amended') {
    const changed = Object.fromEntries(Object.entries(body.changed).map(([field, { from, to }]) => [field, { from: short(from), to: short(to) }]));
    return { fitted: { ...body, changed, truncated: true, href }, wholeText: null };
  }
  return { fitted: body, wholeText: null };
};

/** The largest fields first, until the frame has room: they stand whole in the call itself. */
const without = (data: Extract<EventFrame, { type: 'call_completed' }>['data']): typeof data => {
  let left = data;
  for (const field of ['metadata_json', 'analysis_data', 'evaluation_results', 'collection_results'] as const) {
    left = { ...left, [field]: null };
    if (utf8Bytes(JSON.stringify(left)) <= FRAME_MAX_BYTES - FRAME_ROOM_BYTES) break;
  }
  return left;
};

/** A dozen fields may change at once: each keeps a share of the frame. */
const short = (value: unknown): unknown => (utf8Bytes(JSON.stringify(value ?? null)) > 2048 ? null : value);
