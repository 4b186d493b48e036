/**
 * What a screen shows of one call: its updates folded. Turns stand in the transcript's order, each with its newest words and what was
 * said to be said before; tools and changes of status stand behind the turn that they followed, wherever that turn goes.
 */
import type { AgentEventType, CallStatus, EventFrame, InterimFrame } from '../../protocol/frames.ts';
import type { Proof } from './call.ts';
import type { CallUpdate } from './call-update.ts';
import type { Amendment, Outcome, ShownItem, ShownStatus, ShownTool, ShownTurn, Trust } from './shown.ts';

export type { Amendment, Outcome, ShownItem, ShownStatus, ShownTool, ShownTurn, Trust } from './shown.ts';

/** An interim turn of which nothing more was heard is no longer what is being said. */
export const INTERIM_SHOWN_MAX_MS = 6_000;

const TERMINAL: ReadonlySet<string> = new Set<CallStatus>(['completed', 'failed']);

/** Something that stands behind a turn; null: before all of them. */
interface Behind<T> {
  readonly turn: string | null;
  readonly shown: T;
}

interface Interim {
  readonly turn: ShownTurn;
  readonly heardAt: number;
}

export class CallView {
  /** null until the relay confirmed the call. */
  callSid: string | null = null;
  conversationId: string | null = null;
  status: CallStatus | null = null;
  reason: string | null = null;
  /** What the agent does now, by its own word; null: nothing is known, or the call is over. */
  activity: { readonly type: AgentEventType; readonly tool: string | null; readonly timestamp: string } | null = null;
  requestedAt: string | null = null;
  /** When it became in_progress, and when it ended. RFC 3339. */
  startedAt: string | null = null;
  endedAt: string | null = null;
  /** The newest event's time. */
  lastEventAt: string | null = null;
  /** When words last came in, of those that came while they were spoken. RFC 3339. */
  lastWordsAt: string | null = null;
  lastSeq = 0;
  outcome: Outcome | null = null;
  /** The outcome came from an older system: there is no transcript. */
  imported = false;
  /** Where the whole outcome is, where it was too long for a frame. */
  outcomeHref: string | null = null;
  amendments: readonly Amendment[] = [];
  lost: readonly { readonly from: number; readonly to: number }[] = [];
  /** The call that owns the conversation, where this one was merged. */
  mergedInto: string | null = null;
  /** Why the call started over while it was shown, and how often. */
  resets = 0;
  /** The relay refuses the call, by this code. */
  refused: string | null = null;
  /** Of the seal that nothing came after. */
  #sealed: Proof | null = null;
  #turns = new Map<string, ShownTurn>();
  #tools = new Map<string, Behind<ShownTool>>();
  #statuses: readonly Behind<ShownStatus>[] = [];
  #interims = new Map<string, Interim>();
  #items: readonly ShownItem[] | null = null;

  get over(): boolean {
    return this.status !== null && TERMINAL.has(this.status);
  }

  get trust(): Trust {
    if (this.lost.length > 0 || this.#sealed === 'incomplete') return 'missing';
    return this.#sealed ?? 'arriving';
  }

  /** How many turns stand. */
  get turnCount(): number {
    let count = 0;
    for (const turn of this.#turns.values()) if (turn.state !== 'retracted') count++;
    return count;
  }

  /** Turns and tools in the order to show them. The same array until something changed. */
  get items(): readonly ShownItem[] {
    if (this.#items === null) {
      for (const [key, tool] of this.#tools) this.#tools.set(key, this.#placed(tool));
      const interims = [...this.#interims.values()].map(({ turn }) => turn);
      this.#items = [...this.#turns.values(), ...[...this.#tools.values()].map(({ shown }) => shown), ...interims].sort((a, b) => a.place - b.place);
    }
    return this.#items;
  }

  /** What the call became, in order, each placed among the items as they are now. */
  get statuses(): readonly ShownStatus[] {
    this.#statuses = this.#statuses.map((status) => this.#placed(status));
    return this.#statuses.map(({ shown }) => shown);
  }

  /** @param now monotonic milliseconds, any origin */
  apply(update: CallUpdate, now: number): void {
    switch (update.kind) {
      case 'confirmed':
        this.refused = null;
        this.callSid = update.callSid;
        this.conversationId = update.conversationId ?? this.conversationId;
        this.status ??= update.status as CallStatus;
        return;
      case 'reset':
        this.#startOver();
        return;
      case 'event':
        this.#event(update.event);
        return;
      case 'interim':
        this.#interim(update.turn, now);
        return;
      case 'lost':
        this.lost = [...this.lost, { from: update.from, to: update.to }];
        return;
      case 'sealed':
        this.#sealed = update.proof;
        return;
      case 'error':
        this.refused = update.code;
        return;
    }
  }

  /** Drops interim turns of which nothing was heard for long. @returns whether there were any */
  expire(now: number): boolean {
    const before = this.#interims.size;
    for (const [key, { heardAt }] of this.#interims) if (now - heardAt > INTERIM_SHOWN_MAX_MS) this.#interims.delete(key);
    if (this.#interims.size === before) return false;
    this.#items = null;
    return true;
  }

  #startOver(): void {
    const fresh = new CallView();
    fresh.callSid = this.callSid;
    fresh.resets = this.resets + 1;
    Object.assign(this, fresh);
    this.#sealed = null;
    this.#turns = new Map();
    this.#tools = new Map();
    this.#statuses = [];
    this.#interims = new Map();
    this.#items = null;
  }

  #event(event: EventFrame): void {
    this.lastSeq = event.seq;
    this.lastEventAt = event.timestamp;
    this.conversationId = event.conversation_id ?? this.conversationId;
    // A seal speaks of what came before it.
    this.#sealed = null;
    switch (event.type) {
      case 'transcription':
        this.#turn(event);
        return;
      case 'call_status':
        this.#status(event);
        return;
      case 'call_completed':
        this.outcome = event.data;
        this.imported = event.imported === true;
        this.outcomeHref = event.href ?? null;
        return;
      case 'call_amended':
        this.#amend(event);
        return;
      case 'call_sealed':
        return;
      default:
        this.#agent(event);
    }
  }

  #turn(event: Extract<EventFrame, { type: 'transcription' }>): void {
    const shown = this.#turns.get(event.turn_id);
    const changed = shown !== undefined && shown.text !== event.text && event.state !== 'retracted';
    this.#turns.set(event.turn_id, {
      ...turnOf(event),
      // A retracted turn keeps the words that it takes back.
      text: event.state === 'retracted' && event.text === '' ? (shown?.text ?? '') : event.text,
      before: changed ? [...shown.before, shown.text] : (shown?.before ?? []),
      late: event.late === true || shown?.late === true,
    });
    for (const [key, { turn }] of this.#interims) if (key === event.turn_id || turn.speaker === event.speaker) this.#interims.delete(key);
    if (event.late !== true) this.lastWordsAt = event.timestamp;
    this.#items = null;
  }

  #interim(turn: InterimFrame, now: number): void {
    if (this.over || this.#turns.has(turn.turn_id)) return;
    // Whoever says something else has ended what was being said.
    for (const [key, { turn: shown }] of this.#interims) if (shown.speaker === turn.speaker && key !== turn.turn_id) this.#interims.delete(key);
    this.#interims.set(turn.turn_id, { turn: turnOf(turn), heardAt: now });
    this.lastWordsAt = turn.timestamp;
    this.#items = null;
  }

  #status(event: Extract<EventFrame, { type: 'call_status' }>): void {
    // What names the conversation alone is no change.
    if (event.status !== this.#statuses.at(-1)?.shown.status || event.reason !== undefined) {
      const shown: ShownStatus = { kind: 'status', key: `status:${event.seq}`, place: 0, seq: event.seq, status: event.status, reason: event.reason ?? null, timestamp: event.timestamp };
      this.#statuses = [...this.#statuses, this.#placed({ turn: this.#lastTurn(), shown })];
    }
    this.status = event.status;
    this.reason = event.reason ?? null;
    this.mergedInto = event.merged_into ?? this.mergedInto;
    if (event.status === 'requested') this.requestedAt ??= event.timestamp;
    if (event.status === 'in_progress') this.startedAt ??= event.timestamp;
    if (event.status === 'processing' || this.over) this.endedAt ??= event.timestamp;
    if (!this.over) return;
    this.activity = null;
    if (this.#interims.size > 0) this.#items = null;
    this.#interims.clear();
  }

  #agent(event: Extract<EventFrame, { type: AgentEventType }>): void {
    if (event.late !== true) this.activity = this.over || event.type === 'agent_completed' ? null : { type: event.type, tool: event.tool_name ?? null, timestamp: event.timestamp };
    if (event.type !== 'tool_executing' && event.type !== 'tool_completed') return;
    const begins = event.type === 'tool_executing';
    const key = `tool:${event.tool_call_id ?? `${event.tool_name ?? ''}:${begins ? event.seq : this.#openTool(event.tool_name)}`}`;
    const known = this.#tools.get(key);
    const shown = known?.shown;
    const tool: ShownTool = {
      kind: 'tool',
      key,
      place: 0,
      seq: shown?.seq ?? event.seq,
      name: event.tool_name ?? shown?.name ?? null,
      startedAt: begins ? event.timestamp : (shown?.startedAt ?? null),
      endedAt: begins ? (shown?.endedAt ?? null) : event.timestamp,
      failed: event.is_error === true || shown?.failed === true,
      durationMs: event.duration_ms ?? shown?.durationMs ?? null,
      detail: event.detail ?? shown?.detail ?? null,
      late: event.late === true || shown?.late === true,
    };
    this.#tools.set(key, this.#placed({ turn: known === undefined ? this.#lastTurn() : known.turn, shown: tool }));
    this.#items = null;
  }

  /** Seq of the last begin of that tool, without an id, that has no end yet. */
  #openTool(name: string | undefined): string {
    const open = [...this.#tools.values()].reverse().find(({ shown }) => shown.name === (name ?? null) && shown.endedAt === null);
    return open === undefined ? `end${this.lastSeq}` : open.shown.key.slice(open.shown.key.lastIndexOf(':') + 1);
  }

  /** Key of the last turn that stands. */
  #lastTurn(): string | null {
    let last: ShownTurn | null = null;
    for (const turn of this.#turns.values()) if (turn.state !== 'retracted' && turn.place >= (last?.place ?? 0)) last = turn;
    return last?.key ?? null;
  }

  /** The same object while its turn has not moved. */
  #placed<T extends { readonly place: number }>(behind: Behind<T>): Behind<T> {
    const place = (behind.turn === null ? -1 : (this.#turns.get(behind.turn)?.place ?? -1)) + 0.5;
    return place === behind.shown.place ? behind : { turn: behind.turn, shown: { ...behind.shown, place } };
  }

  #amend(event: Extract<EventFrame, { type: 'call_amended' }>): void {
    const changes = Object.entries(event.changed).map(([field, { from, to }]) => ({ field, from, to, source: event.source, timestamp: event.timestamp }));
    this.amendments = [...this.amendments, ...changes];
    if (this.outcome !== null) this.outcome = { ...this.outcome, ...Object.fromEntries(changes.map(({ field, to }) => [field, to])) };
    this.outcomeHref = event.href ?? this.outcomeHref;
  }
}

const turnOf = (turn: InterimFrame | Extract<EventFrame, { type: 'transcription' }>): ShownTurn => ({
  kind: 'turn',
  key: turn.turn_id,
  place: turn.index,
  speaker: turn.speaker,
  state: turn.state,
  text: turn.text,
  before: [],
  late: turn.late === true,
  timestamp: turn.timestamp,
  timeInCallSecs: turn.time_in_call_secs,
  href: turn.truncated === true ? (turn.href ?? null) : null,
});
