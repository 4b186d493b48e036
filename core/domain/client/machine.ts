/**
 * The client: feeds on what the socket, the clock and the page say, answers with what to do. No socket, no clock and no
 * chance of its own, so that the simulation runs the very machine that runs in the browser.
 *
 *   connecting -> live <-> catching_up | unverified      lost -> (reconnects) -> restored -> live      stopped
 *
 * One link leads. When the relay asks to move, a second one is opened before the first is left, and each call changes over
 * when the new link has confirmed from the client's position and reached it: exactly one link leads per call.
 */
import { INTERIM_AGE_MAX_MS, POLL_WAIT_MAX_SECONDS, SUBSCRIPTIONS_MAX_COUNT } from '../../protocol/limits.ts';
import type { BoardFilter } from '../relay/board.ts';
import type { Sha256 } from '../digest.ts';
import { afterClose, backoffMs } from './backoff.ts';
import { FollowedCall, type Confirmation } from './call.ts';
import type { ClientEffect, ClientInput, ClientState, Emitted, TimerName } from './effects.ts';
import { FRESH_MAX_MS, isFresh, readBeat, type Beat } from './freshness.ts';

export interface ClientOptions {
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** null: this page cannot hash, so nothing can be proved complete. */
  readonly sha256: Sha256 | null;
  /** Whether there is a `/poll` to fall back to. */
  readonly canPoll: boolean;
}

type Frame = Readonly<Record<string, unknown>>;

interface Link {
  readonly id: number;
  phase: 'opening' | 'established';
  connectionId: string | null;
  establishedAt: number;
  /** How far this link has fed each call, by the id asked; an entry means that it confirmed. */
  readonly positions: Map<string, number>;
  /** Positions asked from, until they are confirmed. */
  readonly asked: Map<string, number>;
  boardReady: boolean;
}

/** A connection that is not up by then is given up. */
const OPENING_MAX_MS = 10_000;
/** Nothing at all for this long: the connection is dead, whatever the socket says. */
const SILENCE_MAX_MS = 50_000;
/** After a sleep the socket has this long to show that it lives. */
const PONG_MAX_MS = 5_000;
/** Failures in a row after which the client polls beside its attempts. */
const POLL_AFTER_FAILURES = 3;
/** A connection that lasted this long was a good one: the next attempt begins without a grudge. */
const GOOD_CONNECTION_MS = 10_000;
/** How long `restored` is shown. */
const RESTORED_MS = 3_000;
/** A subscription that the relay's store could not answer is asked for again. */
const ASK_AGAIN_MS = 2_000;

export class ClientMachine {
  readonly #options: ClientOptions;
  readonly #calls = new Map<string, FollowedCall>();
  /** The link that each call is taken from, by the id asked. */
  readonly #leads = new Map<string, Link | 'poll'>();
  #board: BoardFilter | null = null;
  #boardMark: string | undefined;
  #lead: Link | null = null;
  #next: Link | null = null;
  #links = 0;
  #state: ClientState = 'connecting';
  #started = false;
  #stopped = false;
  #offline = false;
  #everUp = false;
  #wasLost = false;
  #showRestored = false;
  #failures = 0;
  #freshTokenTried = false;
  #tokenFor: 'link' | 'move' | null = null;
  #degraded = false;
  #beat: Beat | null = null;
  #polling = false;
  #pollUnderWay = false;
  #pollWorks = false;
  #pollFailures = 0;
  #now = 0;
  #effects: ClientEffect[] = [];

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Takes one input; answers what to do, in order. `now`: monotonic milliseconds. */
  input(input: ClientInput, now: number): readonly ClientEffect[] {
    this.#now = now;
    if (!this.#stopped) this.#take(input);
    this.#showState();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  #take(input: ClientInput): void {
    switch (input.on) {
      case 'start':
        this.#started = true;
        this.#connect();
        return;
      case 'stop':
        this.#stop(null);
        return;
      case 'token':
        this.#token(input.for, input.token);
        return;
      case 'closed':
        this.#closed(input.link, input.code);
        return;
      case 'frame':
        this.#linkFrame(input.link, input.text);
        return;
      case 'polled':
        this.#polled(input.status, input.frames, input.boardMark);
        return;
      case 'timer':
        this.#timer(input.name);
        return;
      case 'offline':
        this.#offline = true;
        this.#cancel('retry');
        return;
      case 'online':
        this.#offline = false;
        if (this.#lead !== null) this.#suspect();
        else if (this.#started) this.#setTimer('retry', backoffMs(0, this.#options.random()));
        return;
      case 'wake':
        if (this.#lead !== null) this.#suspect();
        else if (this.#started) this.#connect();
        return;
      case 'follow':
        this.#follow(input.id);
        return;
      case 'unfollow':
        this.#unfollow(input.id);
        return;
      case 'watch':
        this.#board = input.filter;
        this.#boardMark = undefined;
        for (const link of this.#established()) this.#askBoard(link);
        this.#pollAnew();
        return;
      case 'unwatch':
        this.#board = null;
        for (const link of this.#established()) this.#send(link, { unwatch: 'board' });
        this.#pollAnew();
        return;
    }
  }

  // --- Connecting ---

  #connect(): void {
    if (this.#tokenFor !== null || this.#lead !== null || this.#offline) return;
    this.#cancel('retry');
    this.#tokenFor = 'link';
    this.#effects.push({ do: 'ask_token', for: 'link' });
  }

  #token(purpose: 'link' | 'poll' | 'refresh', token: string | null): void {
    if (purpose === 'link') {
      const move = this.#tokenFor === 'move';
      this.#tokenFor = null;
      if (token === null) this.#failed();
      else if (move ? this.#lead !== null && this.#next === null : this.#lead === null) this.#open(token, move);
      else if (this.#lead === null) this.#open(token, false);
    } else if (purpose === 'refresh') {
      if (token !== null && this.#lead?.phase === 'established') this.#send(this.#lead, { auth: token });
    } else if (token === null) this.#pollFailed();
    else if (this.#polling) this.#effects.push({ do: 'poll', token, body: this.#pollBody() });
    else this.#pollUnderWay = false;
  }

  #open(token: string, move: boolean): void {
    const replaces = move ? (this.#lead?.connectionId ?? null) : null;
    const link: Link = { id: ++this.#links, phase: 'opening', connectionId: null, establishedAt: 0, positions: new Map(), asked: new Map(), boardReady: false };
    if (move) this.#next = link;
    else this.#lead = link;
    this.#effects.push({ do: 'open', link: link.id, token, replaces });
    this.#setTimer(move ? 'opening_next' : 'opening', OPENING_MAX_MS);
  }

  #closed(id: number, code: number): void {
    if (this.#next?.id === id) {
      this.#dropNext();
      return;
    }
    const link = this.#lead;
    if (link?.id !== id) return;
    this.#leave(link);
    const lasted = link.phase === 'established' && this.#now - link.establishedAt >= GOOD_CONNECTION_MS;
    if (lasted) this.#failures = 0;
    const what = afterClose(code);
    if (what === 'stop' || (what === 'fresh_token' && this.#freshTokenTried)) {
      this.#stop(code);
      return;
    }
    if (this.#next !== null) {
      this.#promote(this.#next);
      return;
    }
    if (what === 'fresh_token') {
      this.#freshTokenTried = true;
      this.#connect();
    } else this.#failed();
  }

  /** The lead is gone: its calls have no lead until another link confirms them. */
  #leave(link: Link): void {
    this.#lead = null;
    for (const name of ['opening', 'silence', 'pong', 'move'] as const) this.#cancel(name);
    for (const [asked, lead] of this.#leads) if (lead === link) this.#leads.delete(asked);
    this.#degraded = false;
    if (!this.#polling) this.#beat = null;
  }

  #failed(): void {
    this.#failures++;
    if (this.#lead !== null) {
      // The move did not work; the old link still leads.
      this.#setTimer('move', backoffMs(this.#failures, this.#options.random()));
      return;
    }
    if (this.#failures >= POLL_AFTER_FAILURES && this.#options.canPoll) this.#startPolling();
    if (!this.#offline) this.#setTimer('retry', backoffMs(this.#failures, this.#options.random()));
  }

  #dropNext(): void {
    const link = this.#next;
    if (link === null) return;
    this.#next = null;
    this.#cancel('opening_next');
    for (const [asked, lead] of this.#leads) {
      if (lead !== link) continue;
      // Its calls had changed over: the old link has to feed them from here again.
      this.#leads.delete(asked);
      if (this.#lead?.phase === 'established') this.#subscribe(this.#lead, [asked]);
    }
    this.#failed();
  }

  #stop(code: number | null): void {
    this.#stopped = true;
    for (const link of [this.#lead, this.#next]) if (link !== null) this.#effects.push({ do: 'close', link: link.id });
    for (const name of TIMERS) this.#cancel(name);
    if (this.#pollUnderWay) this.#effects.push({ do: 'abort_poll' });
    this.#lead = null;
    this.#next = null;
    this.#emit({ kind: 'stopped', code });
  }

  // --- A link's life ---

  #linkFrame(id: number, text: string): void {
    const link = this.#lead?.id === id ? this.#lead : this.#next?.id === id ? this.#next : null;
    const frame = parse(text);
    if (link === null || frame === null) return;
    if (link === this.#lead) {
      this.#cancel('pong');
      this.#setTimer('silence', SILENCE_MAX_MS);
    }
    if (frame['type'] === 'system_message') this.#system(link, frame['data']);
    else this.#frame(link, frame, text);
  }

  #system(link: Link, data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    const message = data as Frame;
    switch (message['event']) {
      case 'connection_established':
        this.#up(link, message['connection_id']);
        return;
      case 'token_expiring':
        if (link === this.#lead) this.#effects.push({ do: 'ask_token', for: 'refresh' });
        return;
      case 'move':
        // Half of the time is left for taking over.
        if (link === this.#lead && this.#next === null) this.#setTimer('move', Math.round((this.#options.random() * Number(message['within_ms'])) / 2) || 0);
        return;
      case 'degraded':
      case 'restored':
        if (link === this.#lead) this.#degraded = message['event'] === 'degraded';
        return;
      default:
        return;
    }
  }

  #up(link: Link, connectionId: unknown): void {
    link.phase = 'established';
    link.establishedAt = this.#now;
    link.connectionId = typeof connectionId === 'string' ? connectionId : null;
    this.#cancel(link === this.#lead ? 'opening' : 'opening_next');
    this.#freshTokenTried = false;
    this.#subscribe(link, [...this.#calls.keys()]);
    if (this.#board !== null) this.#askBoard(link);
    if (link === this.#next) {
      this.#tryPromote();
      return;
    }
    this.#everUp = true;
    this.#stopPolling();
  }

  #subscribe(link: Link, asked: readonly string[]): void {
    for (let from = 0; from < asked.length; from += SUBSCRIBE_AT_ONCE) {
      const entries = asked.slice(from, from + SUBSCRIBE_AT_ONCE).map((id) => {
        const call = this.#calls.get(id);
        link.asked.set(id, call?.cursor ?? 0);
        link.positions.delete(id);
        return { id, ...(call?.since === undefined ? {} : { since: call.since }) };
      });
      this.#send(link, { subscribe: entries });
    }
  }

  #askBoard(link: Link): void {
    link.boardReady = false;
    this.#send(link, { watch: 'board', ...this.#board });
  }

  #promote(link: Link): void {
    const old = this.#lead;
    this.#lead = link;
    this.#next = null;
    this.#cancel('opening_next');
    if (old !== null) {
      for (const [asked, lead] of this.#leads) if (lead === old) this.#leads.delete(asked);
      this.#effects.push({ do: 'close', link: old.id });
    }
    for (const asked of link.positions.keys()) this.#leads.set(asked, link);
    if (link.phase === 'opening') this.#setTimer('opening', OPENING_MAX_MS);
    else this.#setTimer('silence', SILENCE_MAX_MS);
    this.#degraded = false;
    this.#cancel('move');
  }

  /** The old link is left when every call has changed over. */
  #tryPromote(): void {
    const next = this.#next;
    if (next?.phase !== 'established' || (this.#board !== null && !next.boardReady)) return;
    for (const call of this.#calls.values()) if (!call.refused && this.#leads.get(call.asked) !== next) return;
    this.#promote(next);
  }

  // --- Frames ---

  #frame(source: Link | 'poll', frame: Frame, text: string): void {
    switch (frame['type']) {
      case 'heartbeat':
        if (source !== this.#next) this.#heartbeat(frame);
        return;
      case 'subscription_confirmed':
        this.#confirmed(source, frame as Frame & Confirmation);
        return;
      case 'history_lost':
        this.#historyLost(source, frame);
        return;
      case 'error':
        this.#error(source, frame);
        return;
      case 'board_snapshot':
      case 'board_update':
        this.#boardFrame(source, frame);
        return;
      default:
        for (const call of this.#callsOf(frame['call_sid'])) this.#callFrame(source, call, frame, text);
    }
  }

  #heartbeat(frame: Frame): void {
    this.#beat = readBeat(frame, this.#now) ?? this.#beat;
    this.#setTimer('fresh', FRESH_MAX_MS);
    const heads = frame['heads'];
    if (typeof heads !== 'object' || heads === null) return;
    for (const [callSid, head] of Object.entries(heads)) {
      for (const call of this.#callsOf(callSid)) if (typeof head === 'number') call.head = Math.max(call.head, head);
    }
  }

  #confirmed(source: Link | 'poll', frame: Frame & Confirmation): void {
    const asked = this.#calls.get(String(frame['ref']));
    const calls = frame['ref'] === undefined ? this.#callsOf(frame.call_sid) : asked === undefined ? [] : [asked];
    for (const call of calls) {
      const from = source === 'poll' ? call.cursor : (source.asked.get(call.asked) ?? 0);
      const goesOn = call.continues(frame);
      const position = goesOn ? from : 0;
      if (source !== 'poll') source.positions.set(call.asked, position);
      const lead = this.#leads.get(call.asked);
      if (!goesOn || lead === undefined || lead === source || position >= call.cursor) this.#leads.set(call.asked, source);
      const again = call.confirmed(frame);
      if (again !== null) this.#emit({ kind: 'reset', call: call.asked, reason: again });
      this.#emit({ kind: 'confirmed', call: call.asked, callSid: frame.call_sid, conversationId: frame.conversation_id, epoch: frame.epoch, status: String(frame['status']) });
    }
    this.#tryPromote();
  }

  #callFrame(source: Link | 'poll', call: FollowedCall, frame: Frame, text: string): void {
    const seq = frame['seq'];
    if (typeof seq !== 'number') {
      if (frame['type'] === 'transcription' && this.#leads.get(call.asked) === source && call.interimPasses(frame['turn_id']) && !this.#isOld(frame['timestamp'])) {
        this.#emit({ kind: 'interim', call: call.asked, frame });
      }
      return;
    }
    if (!this.#leading(source, call, seq)) return;
    const judged = call.judge(seq);
    if (judged === 'gap') this.#gap(source, call);
    if (judged !== 'next') return;
    const proof = call.apply(frame, text);
    this.#emit({ kind: 'event', call: call.asked, seq, frame, text });
    if (proof !== null) this.#emit({ kind: 'sealed', call: call.asked, proof });
    if (proof !== null && call.mergedInto !== null) this.#followOwner(source, call);
  }

  /** Moves the link's own position, and lets it take the call over where it has reached the client's. */
  #leading(source: Link | 'poll', call: FollowedCall, seq: number): boolean {
    if (source === 'poll') return true;
    const position = source.positions.get(call.asked);
    if (position === undefined) return false;
    if (seq === position + 1) source.positions.set(call.asked, seq);
    if (this.#leads.get(call.asked) === source) return true;
    if (seq !== position + 1 || seq < call.cursor) return false;
    this.#leads.set(call.asked, source);
    this.#tryPromote();
    return true;
  }

  #gap(source: Link | 'poll', call: FollowedCall): void {
    // A poll asks again by itself, from where the client is.
    if (source === 'poll') return;
    this.#subscribe(source, [call.asked]);
  }

  /** The call was merged: what follows stands with the call that owns the conversation. */
  #followOwner(source: Link | 'poll', call: FollowedCall): void {
    if (source !== 'poll') this.#subscribe(source, [call.asked]);
  }

  #historyLost(source: Link | 'poll', frame: Frame): void {
    const from = Number(frame['from_seq']);
    const to = Number(frame['to_seq']);
    for (const call of this.#callsOf(frame['call_sid'])) {
      if (source !== 'poll') {
        if (source.positions.has(call.asked)) source.positions.set(call.asked, to);
        if (this.#leads.get(call.asked) !== source) continue;
      }
      if (call.lost(from, to)) this.#emit({ kind: 'lost', call: call.asked, from, to });
    }
  }

  #error(source: Link | 'poll', frame: Frame): void {
    const call = this.#calls.get(String(frame['ref'])) ?? this.#callsOf(frame['ref'])[0];
    if (call !== undefined && frame['retryable'] === true) {
      this.#setTimer('ask_again', ASK_AGAIN_MS);
      return;
    }
    if (call !== undefined) {
      call.refused = true;
      if (source !== 'poll') source.positions.delete(call.asked);
      this.#leads.delete(call.asked);
    }
    this.#emit({ kind: 'error', call: call?.asked ?? null, code: String(frame['code']) });
    this.#tryPromote();
  }

  #boardFrame(source: Link | 'poll', frame: Frame): void {
    if (this.#board === null) return;
    const snapshot = frame['type'] === 'board_snapshot';
    if (source !== 'poll' && snapshot && frame['more'] === false) source.boardReady = true;
    // The board has no positions: until the new link leads, its rows are simply newer or the same.
    this.#emit({ kind: 'board', snapshot, more: frame['more'] === true, rows: list(frame['rows']), gone: list(frame['gone']).map(String) });
    this.#tryPromote();
  }

  // --- Following ---

  #follow(id: string): void {
    if (this.#calls.has(id)) return;
    this.#calls.set(id, new FollowedCall(id, this.#options.sha256));
    for (const link of this.#established()) this.#subscribe(link, [id]);
    this.#pollAnew();
  }

  #unfollow(id: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#leads.delete(id);
    const shared = call.callSid !== null && this.#callsOf(call.callSid).length > 0;
    for (const link of this.#established()) {
      link.positions.delete(id);
      if (!shared && !call.refused) this.#send(link, { unsubscribe: id });
    }
    this.#tryPromote();
  }

  #callsOf(callSid: unknown): FollowedCall[] {
    return [...this.#calls.values()].filter((call) => call.callSid === callSid && callSid !== null);
  }

  #isOld(timestamp: unknown): boolean {
    const said = Date.parse(String(timestamp));
    if (this.#beat === null || Number.isNaN(said)) return false;
    return this.#beat.serverTime + (this.#now - this.#beat.at) - said > INTERIM_AGE_MAX_MS;
  }

  // --- Polling ---

  #startPolling(): void {
    if (this.#polling) return;
    this.#polling = true;
    this.#nextPoll();
  }

  #stopPolling(): void {
    this.#polling = false;
    this.#pollWorks = false;
    this.#cancel('poll');
    for (const [asked, lead] of this.#leads) if (lead === 'poll') this.#leads.delete(asked);
    if (this.#pollUnderWay) this.#effects.push({ do: 'abort_poll' });
    this.#pollUnderWay = false;
  }

  #nextPoll(): void {
    if (!this.#polling || this.#pollUnderWay) return;
    this.#pollUnderWay = true;
    this.#effects.push({ do: 'ask_token', for: 'poll' });
  }

  /** What is asked for has changed: a poll that waits for the old question is given up. */
  #pollAnew(): void {
    if (!this.#polling) return;
    if (this.#pollUnderWay) this.#effects.push({ do: 'abort_poll' });
    this.#pollUnderWay = false;
    this.#nextPoll();
  }

  #pollBody(): object {
    const calls = [...this.#calls.values()].filter((call) => !call.refused);
    return {
      calls: calls.slice(0, SUBSCRIPTIONS_MAX_COUNT).map((call) => ({ id: call.asked, epoch: call.epoch, seq: call.since?.seq ?? null })),
      ...(this.#board === null ? {} : { board: { ...this.#board, ...(this.#boardMark === undefined ? {} : { mark: this.#boardMark }) } }),
      wait: POLL_WAIT_MAX_SECONDS,
    };
  }

  #polled(status: number | null, frames: readonly unknown[], boardMark: string | undefined): void {
    if (!this.#polling || !this.#pollUnderWay) return;
    this.#pollUnderWay = false;
    if (status === 200) {
      this.#pollWorks = true;
      this.#pollFailures = 0;
      this.#everUp = true;
      this.#boardMark = boardMark;
      for (const frame of frames) if (typeof frame === 'object' && frame !== null) this.#frame('poll', frame as Frame, JSON.stringify(frame));
      this.#nextPoll();
    } else if (status === 403) this.#stop(status);
    else this.#pollFailed();
  }

  #pollFailed(): void {
    this.#pollUnderWay = false;
    this.#pollWorks = false;
    this.#pollFailures++;
    if (this.#polling) this.#setTimer('poll', backoffMs(this.#pollFailures, this.#options.random()));
  }

  // --- Time ---

  #timer(name: TimerName): void {
    switch (name) {
      case 'retry':
        this.#connect();
        return;
      case 'move':
        if (this.#lead?.phase === 'established' && this.#next === null && this.#tokenFor === null) {
          this.#tokenFor = 'move';
          this.#effects.push({ do: 'ask_token', for: 'link' });
        }
        return;
      case 'opening_next':
        if (this.#next !== null) this.#giveUp(this.#next);
        return;
      case 'opening':
      case 'silence':
      case 'pong':
        if (this.#lead !== null) this.#giveUp(this.#lead);
        return;
      case 'ask_again':
        for (const link of this.#established()) this.#subscribe(link, [...this.#calls.values()].filter((call) => !call.refused && !link.positions.has(call.asked)).map((call) => call.asked));
        return;
      case 'poll':
        this.#nextPoll();
        return;
      case 'restored':
        this.#showRestored = false;
        return;
      case 'fresh':
        return;
    }
  }

  #giveUp(link: Link): void {
    this.#effects.push({ do: 'close', link: link.id });
    this.#closed(link.id, 1006);
  }

  /** The machine may have slept, or the network changed: nothing is confirmed until the socket has shown that it lives. */
  #suspect(): void {
    this.#beat = null;
    if (this.#lead?.phase === 'established') {
      this.#send(this.#lead, { ping: 'wake' });
      this.#setTimer('pong', PONG_MAX_MS);
    }
  }

  // --- State ---

  #showState(): void {
    const state = this.#judgeState();
    if (state === this.#state) return;
    this.#state = state;
    this.#emit({ kind: 'state', state });
  }

  #judgeState(): ClientState {
    if (this.#stopped) return 'stopped';
    const up = this.#lead?.phase === 'established' || (this.#polling && this.#pollWorks);
    if (!up || this.#offline) {
      this.#wasLost = this.#everUp;
      return this.#everUp ? 'lost' : 'connecting';
    }
    for (const call of this.#calls.values()) {
      if (!call.refused && (!this.#leads.has(call.asked) || call.cursor < call.head)) return 'catching_up';
    }
    if (this.#degraded || !isFresh(this.#beat, this.#now)) return 'unverified';
    if (this.#wasLost) {
      this.#wasLost = false;
      this.#showRestored = true;
      this.#setTimer('restored', RESTORED_MS);
    }
    return this.#showRestored ? 'restored' : 'live';
  }

  #established(): Link[] {
    return [this.#lead, this.#next].filter((link): link is Link => link?.phase === 'established');
  }

  #send(link: Link, message: object): void {
    this.#effects.push({ do: 'send', link: link.id, text: JSON.stringify(message) });
  }

  #emit(what: Emitted): void {
    this.#effects.push({ do: 'emit', what });
  }

  #setTimer(name: TimerName, ms: number): void {
    this.#effects.push({ do: 'timer', name, ms });
  }

  #cancel(name: TimerName): void {
    this.#effects.push({ do: 'cancel', name });
  }
}

/** Entries in one message: with two long ids and a position each they stay within what a relay takes. */
const SUBSCRIBE_AT_ONCE = 25;
const TIMERS: readonly TimerName[] = ['retry', 'move', 'opening', 'opening_next', 'silence', 'pong', 'ask_again', 'poll', 'fresh', 'restored'];

const parse = (text: string): Frame | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Frame) : null;
  } catch {
    return null;
  }
};

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
