/**
 * The client: feeds on what the socket, the clock and the page say, answers with what to do. No socket, no clock and no
 * chance of its own, so that the simulation runs the very machine that runs in the browser.
 *
 *   connecting -> live <-> catching_up | unverified      lost -> (reconnects) -> restored -> live      stopped
 *
 * One link leads. When the relay asks to move, a second one is opened before the first is left, and each call changes over
 * when the new link has confirmed from the client's position and reached it: exactly one link leads per call.
 */
import type { Sha256 } from '../digest.ts';
import { afterClose, backoffMs } from './backoff.ts';
import type { Confirmation } from './call.ts';
import { Display } from './display.ts';
import type { ClientEffect, ClientInput, ClientState, Connection, TimerName } from './effects.ts';
import { Following } from './following.ts';
import { fieldsOf, newLink, type Fields, type Link, type Source } from './link.ts';
import { Outbox } from './outbox.ts';
import { Polling } from './polling.ts';

export interface ClientOptions {
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** null: this page cannot hash, so nothing can be proved complete. */
  readonly sha256: Sha256 | null;
  /** Whether there is a `/poll` to fall back to. */
  readonly canPoll: boolean;
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

const TIMERS: readonly TimerName[] = ['retry', 'move', 'opening', 'opening_next', 'silence', 'pong', 'ask_again', 'poll', 'fresh', 'restored'];

export class ClientMachine {
  readonly #options: ClientOptions;
  readonly #out = new Outbox();
  readonly #following: Following;
  readonly #polling: Polling;
  readonly #display: Display;
  #lead: Link | null = null;
  /** The link that is to lead after a move. */
  #next: Link | null = null;
  #links = 0;
  #tokenFor: 'link' | 'move' | null = null;
  #failures = 0;
  #freshTokenTried = false;
  /** Whether the socket has yet to show that it lives: a heartbeat may have waited in it since before a sleep. */
  #suspected = false;
  #started = false;
  #stopped = false;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#following = new Following(this.#out, options.sha256);
    this.#polling = new Polling(this.#out, options.random);
    this.#display = new Display(this.#out);
  }

  get state(): ClientState {
    return this.#display.connection.state;
  }

  get connection(): Connection {
    return this.#display.connection;
  }

  /** The server's clock at that monotonic time, in milliseconds; null: no relay has told its time. */
  serverNow(now: number): number | null {
    return this.#display.clock.at(now);
  }

  /** Takes one input; answers what to do, in order. `now`: monotonic milliseconds. */
  input(input: ClientInput, now: number): readonly ClientEffect[] {
    this.#out.now = now;
    if (!this.#stopped) this.#take(input);
    const via = this.#lead?.phase === 'established' ? 'socket' : this.#polling.works ? 'poll' : null;
    this.#display.show({ stopped: this.#stopped, via, behind: this.#following.behind(this.#lead) });
    return this.#out.flush();
  }

  #take(input: ClientInput): void {
    switch (input.on) {
      case 'start':
        this.#started = true;
        this.#display.begin();
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
        this.#display.network(true);
        this.#out.cancel('retry');
        return;
      case 'online':
        this.#display.network(false);
        this.#suspect();
        if (this.#lead === null && this.#started) this.#out.timer('retry', backoffMs(0, this.#options.random()));
        return;
      case 'wake':
        this.#suspect();
        // A poll that was under way may never be answered.
        this.#polling.anew();
        if (this.#started) this.#connect();
        return;
      case 'follow':
        if (this.#following.follow(input.id, this.#established())) this.#polling.anew();
        return;
      case 'unfollow':
        this.#following.unfollow(input.id, this.#established());
        this.#tryPromote();
        return;
      case 'watch':
        this.#following.watch(input.filter, this.#established());
        this.#polling.anew();
        return;
      case 'unwatch':
        this.#following.unwatch(this.#established());
        this.#polling.anew();
        return;
    }
  }

  // --- Connecting ---

  #connect(): void {
    if (this.#tokenFor !== null || this.#lead !== null || this.#display.offline) return;
    this.#out.cancel('retry');
    this.#tokenFor = 'link';
    this.#out.push({ do: 'ask_token', for: 'link' });
  }

  #token(purpose: 'link' | 'poll' | 'refresh', token: string | null): void {
    if (purpose === 'poll') this.#polling.token(token, this.#following.question());
    else if (purpose === 'refresh') {
      if (token !== null && this.#lead?.phase === 'established') this.#out.send(this.#lead.id, { auth: token });
    } else {
      this.#tokenFor = null;
      if (token === null) this.#failed();
      else if (this.#lead === null || this.#next === null) this.#open(token);
    }
  }

  /** Opens a link: beside the one that leads, if there is one. */
  #open(token: string): void {
    const link = newLink(++this.#links);
    const replaces = this.#lead?.connectionId ?? null;
    this.#out.timer(this.#lead === null ? 'opening' : 'opening_next', OPENING_MAX_MS);
    if (this.#lead === null) this.#lead = link;
    else this.#next = link;
    this.#out.push({ do: 'open', link: link.id, token, replaces });
  }

  #closed(id: number, code: number): void {
    if (this.#next?.id === id) {
      this.#dropNext(this.#next);
      return;
    }
    const link = this.#lead;
    if (link?.id !== id) return;
    this.#leave(link);
    if (link.phase === 'established' && this.#out.now - link.establishedAt >= GOOD_CONNECTION_MS) this.#failures = 0;
    const what = afterClose(code);
    if (what === 'stop' || (what === 'fresh_token' && this.#freshTokenTried)) this.#stop(code);
    else if (this.#next !== null) this.#promote(this.#next);
    else if (what === 'fresh_token') {
      this.#freshTokenTried = true;
      this.#connect();
    } else this.#failed();
  }

  #leave(link: Link): void {
    this.#lead = null;
    this.#suspected = false;
    this.#out.cancel('opening', 'silence', 'pong', 'move');
    this.#following.left(link, null);
    this.#display.degraded = false;
    if (!this.#polling.on) this.#display.doubt();
  }

  #failed(): void {
    this.#failures++;
    if (this.#lead !== null) {
      // The move did not work; the old link still leads.
      this.#out.timer('move', backoffMs(this.#failures, this.#options.random()));
      return;
    }
    if (this.#failures >= POLL_AFTER_FAILURES && this.#options.canPoll) this.#polling.start();
    if (!this.#display.offline) this.#out.timer('retry', backoffMs(this.#failures, this.#options.random()));
  }

  /** The new link failed: what had changed over to it goes back to the old one. */
  #dropNext(link: Link): void {
    this.#next = null;
    this.#out.cancel('opening_next');
    this.#following.left(link, this.#lead);
    this.#failed();
  }

  #stop(code: number | null): void {
    this.#stopped = true;
    for (const link of [this.#lead, this.#next]) if (link !== null) this.#out.push({ do: 'close', link: link.id });
    this.#polling.stop();
    this.#out.cancel(...TIMERS);
    this.#lead = null;
    this.#next = null;
    this.#out.emit({ kind: 'stopped', code });
  }

  // --- A link's life ---

  #linkFrame(id: number, text: string): void {
    const link = this.#lead?.id === id ? this.#lead : this.#next?.id === id ? this.#next : null;
    const frame = fieldsOf(text);
    if (link === null || frame === null) return;
    if (link === this.#lead) {
      this.#out.cancel('pong');
      this.#out.timer('silence', SILENCE_MAX_MS);
    }
    if (frame['type'] === 'pong' && link === this.#lead) this.#suspected = false;
    if (frame['type'] === 'system_message') this.#system(link, frame['data']);
    else this.#frame(link, frame, text);
    this.#tryPromote();
  }

  #system(link: Link, data: unknown): void {
    if (typeof data !== 'object' || data === null) return;
    const message = data as Fields;
    const leads = link === this.#lead;
    switch (message['event']) {
      case 'connection_established':
        this.#display.clock.hear(Date.parse(String(message['server_time'])), this.#out.now);
        this.#up(link, message['connection_id']);
        return;
      case 'token_expiring':
        if (leads) this.#out.push({ do: 'ask_token', for: 'refresh' });
        return;
      case 'move':
        // Half of the time is left for taking over.
        if (leads && this.#next === null) this.#out.timer('move', Math.round((this.#options.random() * Number(message['within_ms'])) / 2) || 0);
        return;
      case 'degraded':
      case 'restored':
        if (leads) this.#display.degraded = message['event'] === 'degraded';
        return;
      default:
        return;
    }
  }

  #up(link: Link, connectionId: unknown): void {
    link.phase = 'established';
    link.establishedAt = this.#out.now;
    link.connectionId = typeof connectionId === 'string' ? connectionId : null;
    this.#out.cancel(link === this.#lead ? 'opening' : 'opening_next');
    this.#freshTokenTried = false;
    this.#following.begin(link);
    if (link === this.#next) return;
    this.#polling.stop();
    this.#following.left('poll', null);
  }

  /** The old link is left when everything has changed over. */
  #tryPromote(): void {
    if (this.#next !== null && this.#following.ledBy(this.#next)) this.#promote(this.#next);
  }

  #promote(link: Link): void {
    const old = this.#lead;
    this.#lead = link;
    this.#suspected = false;
    this.#next = null;
    this.#out.cancel('opening_next', 'move');
    if (old !== null) {
      this.#following.left(old, null);
      this.#out.push({ do: 'close', link: old.id });
    }
    this.#following.lead(link);
    this.#out.timer(link.phase === 'opening' ? 'opening' : 'silence', link.phase === 'opening' ? OPENING_MAX_MS : SILENCE_MAX_MS);
    this.#display.degraded = false;
  }

  #frame(source: Source, frame: Fields, text: string): void {
    switch (frame['type']) {
      case 'heartbeat':
        if (source === this.#next) return;
        if (source === 'poll' || !this.#suspected) this.#display.heartbeat(frame);
        this.#following.heads(frame['heads']);
        return;
      case 'subscription_confirmed':
        this.#following.confirmed(source, frame as Fields & Confirmation);
        return;
      case 'history_lost':
        this.#following.historyLost(source, frame);
        return;
      case 'error':
        this.#following.error(source, frame);
        return;
      case 'board_snapshot':
      case 'board_update':
        this.#following.boardFrame(source, frame);
        return;
      default:
        this.#following.event(source, frame, text, (timestamp) => this.#display.isOld(timestamp));
    }
  }

  #polled(status: number | null, frames: readonly unknown[], boardMark: string | undefined): void {
    if (!this.#polling.answered()) return;
    if (status === 403) this.#stop(status);
    else if (status !== 200) this.#polling.failed();
    else {
      this.#following.boardSeen(boardMark);
      // An event's text is a fixed point of JSON, so this is the text that was logged.
      const fields = frames.filter((frame): frame is Fields => typeof frame === 'object' && frame !== null);
      for (const frame of fields) this.#frame('poll', frame, JSON.stringify(frame));
      this.#polling.worked(!fields.some((frame) => frame['type'] === 'error' && frame['retryable'] === true));
    }
  }

  // --- Time ---

  #timer(name: TimerName): void {
    this.#out.came(name);
    switch (name) {
      case 'retry':
        this.#connect();
        return;
      case 'move':
        if (this.#lead?.phase !== 'established' || this.#next !== null || this.#tokenFor !== null) return;
        this.#tokenFor = 'move';
        this.#out.push({ do: 'ask_token', for: 'link' });
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
        for (const link of this.#established()) this.#following.askAgain(link);
        return;
      case 'poll':
        this.#polling.next();
        return;
      case 'restored':
        this.#display.restoredShown();
        return;
      case 'fresh':
        this.#display.overdue();
        return;
    }
  }

  #giveUp(link: Link): void {
    this.#out.push({ do: 'close', link: link.id });
    this.#closed(link.id, 1006);
  }

  /** The machine may have slept, or the network changed: what was confirmed before says nothing of now, until the socket has shown that it lives. */
  #suspect(): void {
    this.#display.doubt();
    if (this.#lead?.phase !== 'established') return;
    this.#suspected = true;
    this.#out.send(this.#lead.id, { ping: 'wake' });
    this.#out.timer('pong', PONG_MAX_MS);
  }

  #established(): Link[] {
    return [this.#lead, this.#next].filter((link): link is Link => link?.phase === 'established');
  }
}
