/** A dispatcher's page in the simulated world: the shipped client machine, with the world in the place of sockets, clocks and chance. */
import type { CallUpdate } from '../../core/domain/client/call-update.ts';
import type { ByName, ClientEffect, ClientInput, ClientMachine, TimerName } from '../../core/domain/client/effects.ts';
import { newClientMachine } from '../../core/domain/client/machine.ts';
import { boardRows } from '../../core/domain/client/rows.ts';
import type { BoardRow } from '../../core/protocol/frames.ts';
import type { Offer } from '../../core/domain/relay/effects.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Timer } from '../../ports/runtime.ts';
import { fingerprintOf } from '../history/history.ts';
import type { Identities, Person } from './identities.ts';
import type { Link } from './link.ts';
import type { PollAnswered, RelayHost } from './relay-host.ts';
import type { Actor, World } from './world.ts';

export interface ViewerParts {
  readonly world: World;
  readonly relays: RelayHost;
  readonly identities: Identities;
  /** Where tickets are kept. */
  readonly directory: Directory;
  /** Fingerprints of texts, shared by all viewers. */
  readonly fingerprint: (text: string) => string;
}

/** What a frame says of itself, as far as the history wants it. */
interface Seen {
  readonly type?: string;
  readonly call_sid?: string;
  readonly seq?: number;
  readonly rows?: readonly { readonly call_sid: string }[];
  readonly data?: { readonly event?: string; readonly expires_at?: string };
}

/** A connection, and when the tokens end that were offered on it. */
interface Entry {
  link: Link | null;
  session: string;
  readonly offered: number[];
  /** Where it came with one. */
  ticket: string | null;
}

/** A call as the screen shows it. */
interface Followed {
  readonly callSid: string | null;
  readonly epoch: string | null;
  readonly seq: number;
  /** How often it was asked for. */
  readonly asked: number;
  readonly refused: boolean;
}

const FOLLOW_TRIES = 6;
const ASK_AGAIN_MS = 5_000;
const RELAY_SLOTS = 2;
const TOKEN_MS = 30;

export class Viewer {
  readonly name: string;
  readonly actor: Actor;
  readonly person: Person;
  readonly #made: ViewerParts;
  readonly #machine: ClientMachine;
  readonly #links = new Map<number, Entry>();
  readonly #timers = new Map<TimerName, Timer>();
  readonly #followed = new Map<string, Followed>();
  readonly #askingAgain = new Set<string>();
  #shownEvents = 0;
  #board: Map<string, BoardRow> | null = null;
  readonly #followsBoard: boolean;
  readonly #pollsOnly: boolean;
  #poll: (() => void) | null = null;
  #sessions = 0;
  #stopped = false;
  /** Where its balancer sends it; null: to either. */
  slot: number | null = null;

  constructor(made: ViewerParts, name: string, person: Person, options: { readonly board: boolean; readonly pollsOnly: boolean }) {
    this.#made = made;
    this.name = name;
    this.person = person;
    this.actor = made.world.actor(name);
    this.#followsBoard = options.board;
    this.#pollsOnly = options.pollsOnly;
    this.#machine = newClientMachine({ random: this.actor.runtime.random, sha256: made.world.clock.sha256, canPoll: true });
  }

  start(): void {
    this.#input('start');
    if (this.#followsBoard) this.#input('watch', {});
  }

  /** @param tries how often it asks again for a call that is refused */
  follow(id: string, tries = FOLLOW_TRIES): void {
    if (this.#stopped || this.#followed.has(id)) return;
    this.#follow(id, FOLLOW_TRIES - tries);
  }

  #follow(id: string, asked: number): void {
    this.#followed.set(id, { callSid: null, epoch: null, seq: 0, asked, refused: false });
    this.#note({ op: 'follow', user: this.person.user, tenant: this.person.tenant, id });
    this.#input('follow', id);
  }

  close(): void {
    this.#input('stop');
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** What was cut, half open, throttled: whichever connection it has now. */
  get links(): readonly Link[] {
    return [...this.#links.values()].flatMap(({ link }) => (link === null || link.over ? [] : [link]));
  }

  /** The network is gone, and the page is told; or it is there again. */
  network(online: boolean): void {
    if (!online) for (const link of this.links) link.dead = true;
    this.#input(online ? 'online' : 'offline');
    if (online) for (const link of this.links) link.restore();
  }

  /** The machine wakes: timers that were due have run, and the page notices. */
  woke(): void {
    this.#input('wake');
  }

  /** How far it shows each call that was confirmed to it. */
  get positions(): readonly { readonly callSid: string; readonly seq: number }[] {
    return [...this.#followed.values()].flatMap(({ callSid, seq }) => (callSid === null ? [] : [{ callSid, seq }]));
  }

  /** How far the screen is, for each call that it follows. */
  noteShown(connected: boolean): void {
    for (const [id, { callSid, seq, refused }] of this.#followed) {
      if (!refused) this.#note({ op: 'shown', id, call_sid: callSid, seq, connected, stopped: this.#stopped, live: this.live });
    }
    if (this.#board !== null && !this.#stopped) this.#note({ op: 'board', user: this.person.user, tenant: this.person.tenant, connected, rows: [...this.#board.values()].map(({ call_sid, conversation_id, status, epoch, last_seq }) => ({ call_sid, conversation_id, status, epoch, last_seq })) });
  }

  /** Whether it says that all it shows is all there is. */
  get live(): boolean {
    return this.#machine.connection.state === 'live' || this.#machine.connection.state === 'restored';
  }

  #input(...input: ClientInput): void {
    this.#made.world.run(this.actor, () => {
      for (const [act, ...given] of this.#machine.input(this.actor.runtime.monotonic(), ...input)) (this.#acts[act] as (...given: readonly unknown[]) => void)(...given);
    });
  }

  readonly #acts: ByName<ClientEffect> = {
    ask_token: (purpose) => {
      const { world, identities } = this.#made;
      world.after(TOKEN_MS, () => this.#input('token', purpose, world.faults.strikes('token_refused') ? null : identities.issue(this.person)));
    },
    open: (link, token, replaces) => this.#open(link, token, replaces),
    send: (link, text) => this.#send(link, text),
    close: (link) => {
      this.#links.get(link)?.link?.leave();
      this.#links.delete(link);
    },
    poll: (token, body) => {
      const session = this.#opened('poll', token);
      const sent = (answer: PollAnswered): void => {
        for (const frame of contentOf(answer).frames) this.#noteFrame(session, JSON.stringify(frame));
        this.#note({ op: 'closed', session, code: 1000 });
      };
      this.#poll = this.#made.relays.poll(this.actor, this.#pickSlot(), token, body, sent, (answer) => this.#polled(answer));
    },
    abort_poll: () => {
      this.#poll?.();
      this.#poll = null;
    },
    timer: (name, ms) => {
      this.#timers.get(name)?.cancel();
      this.#timers.set(name, this.actor.runtime.after(ms, () => this.#input('timer', name)));
    },
    cancel: (name) => {
      this.#timers.get(name)?.cancel();
      this.#timers.delete(name);
    },
    state: (state) => {
      this.#made.world.reached(`state ${state}`);
      this.#note({ op: 'state', state });
    },
    stopped: (code) => {
      this.#stopped = true;
      this.#note({ op: 'stopped', code });
    },
    call: (id, update, text) => this.#told(id, update, text ?? ''),
    error: () => undefined,
    board: (news) => {
      if (news.gone.length > 0) this.#made.world.reached('left the board');
      this.#board = boardRows(this.#board ?? new Map<string, BoardRow>(), news);
    },
  };

  #pickSlot(): number {
    return this.slot ?? Math.floor(this.#made.world.faults.chance('balancer of viewers')() * RELAY_SLOTS);
  }

  #open(id: number, token: string, replaces: string | null): void {
    const { world, relays, identities, directory } = this.#made;
    const entry: Entry = { link: null, session: '', offered: [], ticket: null };
    this.#links.set(id, entry);
    const mine = (): boolean => this.#links.get(id) === entry;
    const closed = (code: number): void => {
      if (entry.session !== '') this.#note({ op: 'closed', session: entry.session, code });
      if (code === 4504) world.reached('revoked');
      if (!mine()) return;
      this.#links.delete(id);
      this.#input('closed', id, code);
    };
    if (this.#pollsOnly) {
      world.after(20, () => world.run(this.actor, () => closed(1006)));
      return;
    }
    const end = { actor: this.actor, frame: (text: string) => this.#frame(id, text, mine), closed };
    const slot = this.#pickSlot();
    const connect = (offer: Offer): void => relays.connect(end, slot, offer, replaces, (link, relay) => {
      if (link === null) {
        world.run(this.actor, () => closed(1006));
        return;
      }
      entry.link = link;
      const session = this.#opened(relay, token);
      entry.session = session;
      link.onWrite = (text) => this.#noteFrame(session, text, entry);
      if (!mine()) link.leave();
    });
    // Where clocks are off a ticket is over before it is shown: half a minute is less than they differ.
    const clocksAgree = !world.faults.plan.has('clock_skew') && !world.faults.plan.has('clock_jump');
    if (!clocksAgree || !world.faults.strikes('by_ticket')) connect({ kind: 'token', token });
    else {
      void world.working(identities.ticket(token, directory)).then((ticket) => {
        world.reached('came with a ticket');
        entry.ticket = ticket;
        connect(ticket === null ? { kind: 'token', token } : { kind: 'ticket', ticket });
      });
    }
  }

  #opened(relay: string, token: string): string {
    const session = `${this.name}/${++this.#sessions}`;
    const ends = this.#made.identities.endOf(token);
    this.#note({ op: 'opened', session, relay, user: this.person.user, tenant: this.person.tenant, valid: ends !== null && ends > this.#made.world.now, ends_at: ends ?? 0 });
    return session;
  }

  #send(id: number, text: string): void {
    const entry = this.#links.get(id);
    if (entry?.link === null || entry === undefined) return;
    const { world, relays, identities } = this.#made;
    const message = JSON.parse(text) as { readonly auth?: string; readonly subscribe?: readonly { readonly since?: { readonly seq: number } }[] };
    if (message.auth !== undefined) entry.offered.push(identities.endOf(message.auth) ?? 0);
    const { relay } = entry.link;
    for (const { callSid, seq } of this.#followed.values()) if (message.subscribe !== undefined && callSid !== null && seq > relays.seen(relay, callSid)) world.reached("cursor ahead of the relay's head");
    entry.link.send(text);
  }

  #frame(id: number, text: string, mine: () => boolean): void {
    const { world } = this.#made;
    const seen = JSON.parse(text) as Seen;
    const event = seen.seq !== undefined;
    if (this.#followsBoard) for (const row of seen.rows ?? []) world.after(0, () => this.follow(row.call_sid));
    if (seen.data?.event === 'move') world.reached('asked to move');
    if (seen.data?.event === 'degraded') world.reached('degraded');
    if (!mine()) return;
    const before = this.#shownEvents;
    this.#input('frame', id, text);
    if (event && this.#shownEvents === before) world.reached('duplicate dropped');
    if (event && world.faults.strikes('frame_doubled')) world.after(world.faults.chance('frame_doubled')() * 3_000, () => mine() && this.#input('frame', id, text));
  }

  /** The end of the token that was accepted: of those offered, the one that ends when the relay says. */
  #acceptedOf(entry: Entry, expiresAt: string | undefined): number {
    const { clock, now } = this.#made.world;
    const said = Date.parse(expiresAt ?? '') - (clock.now() - now);
    return entry.offered.find((end) => Math.abs(end - said) < 1_000) ?? Math.min(...entry.offered);
  }

  /** A frame that a relay wrote to this viewer: what it brings is judged by then, however long it takes on its way. */
  #noteFrame(session: string, text: string, entry: Entry | null = null): void {
    const { type = '', call_sid = null, seq = null, rows = [], data } = JSON.parse(text) as Seen;
    if (data?.event === 'token_accepted' && entry !== null) this.#note({ op: 'refreshed', session, valid: true, ends_at: this.#acceptedOf(entry, data.expires_at) });
    if (data?.event === 'connection_established' && entry !== null && entry.ticket !== null) this.#made.identities.usedTickets.push(entry.ticket);
    this.#note({ op: 'frame', session, type, call_sid, seq, fingerprint: seq === null ? null : this.#made.fingerprint(text) });
    for (const row of rows) this.#note({ op: 'frame', session, type: 'board_row', call_sid: row.call_sid, seq: null, fingerprint: null });
  }

  #polled(answer: PollAnswered | null): void {
    const content = contentOf(answer);
    if (answer?.status === 200) this.#made.world.reached('polled');
    if (this.#followsBoard) for (const frame of content.frames) for (const row of frame.rows ?? []) this.#made.world.after(0, () => this.follow(row.call_sid));
    this.#input('polled', answer?.status ?? null, content.frames, content.board_mark);
  }

  #told(id: string, update: CallUpdate, text: string): void {
    const { world } = this.#made;
    switch (update.kind) {
      case 'confirmed': {
        const known = this.#followed.get(id);
        if (known !== undefined) {
          if (known.epoch !== null && known.epoch !== update.epoch) world.reached('epoch changed');
          this.#followed.set(id, { ...known, callSid: update.callSid, epoch: update.epoch, refused: false });
        }
        this.#note({ op: 'confirmed', id, call_sid: update.callSid, epoch: update.epoch });
        return;
      }
      case 'reset':
        this.#shown(id, 0);
        this.#note({ op: 'reset', id, reason: update.reason });
        return;
      case 'event':
        this.#shownEvents++;
        this.#shown(id, update.event.seq);
        this.#note({ op: 'event', id, call_sid: update.event.call_sid, seq: update.event.seq, fingerprint: this.#made.fingerprint(text) });
        return;
      case 'lost':
        this.#shown(id, update.to);
        this.#note({ op: 'lost', id, from: update.from, to: update.to });
        return;
      case 'sealed':
        world.reached(`sealed: ${update.proof}`);
        this.#note({ op: 'sealed', id, proof: update.proof });
        return;
      case 'error':
        this.#note({ op: 'refused', id, code: update.code });
        this.#refused(id);
        return;
      case 'interim':
        world.reached('interim turn shown');
        this.#note({ op: 'interim', id, call_sid: update.turn.call_sid, turn_id: update.turn.turn_id, text: update.turn.text });
        return;
    }
  }

  /** Nobody knew the call yet, or it is not for this viewer: it asks again, as somebody who waits for a call would. */
  #refused(id: string): void {
    const known = this.#followed.get(id);
    if (known === undefined) return;
    const { asked } = known;
    this.#followed.set(id, { ...known, callSid: null, epoch: null, seq: 0, refused: true });
    if (asked >= FOLLOW_TRIES || this.#askingAgain.has(id)) return;
    this.#askingAgain.add(id);
    this.#made.world.after(ASK_AGAIN_MS, () => {
      this.#askingAgain.delete(id);
      if (this.#stopped || this.#followed.get(id)?.refused !== true) return;
      this.#note({ op: 'unfollow', id });
      this.#input('unfollow', id);
      this.#follow(id, asked + 1);
    });
  }

  #shown(id: string, seq: number): void {
    const known = this.#followed.get(id);
    if (known !== undefined) this.#followed.set(id, { ...known, seq });
  }

  #note(note: Parameters<World['note']>[1]): void {
    this.#made.world.note(this.name, note);
  }
}

/** Fingerprints, each text hashed once. */
export const fingerprints = (sha256: (text: string) => string): ((text: string) => string) => {
  const known = new Map<string, string>();
  return (text) => {
    let fingerprint = known.get(text);
    if (fingerprint === undefined) known.set(text, (fingerprint = fingerprintOf(text, sha256)));
    return fingerprint;
  };
};

interface PollContent {
  readonly frames: readonly Seen[];
  readonly board_mark?: string;
}

const contentOf = (answer: PollAnswered | null): PollContent => (answer?.status === 200 ? (JSON.parse(answer.body) as PollContent) : { frames: [] });
