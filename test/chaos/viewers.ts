/**
 * Two hundred people who watch through the shipped client, over Node's own WebSocket and fetch. What the wire brings and what the
 * screen shows is noted, the one beside the other.
 */
import { connect, type ClientState, type Feed, type Following } from '../../client/index.ts';
import { fingerprintOf } from '../history/history.ts';
import { sha256 } from '../history/logged-call.ts';
import type { Person } from './cast.ts';
import type { Notes } from './notes.ts';

export interface ViewerOptions {
  readonly name: string;
  readonly person: Person;
  /** Of the hop before its relay. */
  readonly url: string;
  readonly relay: string;
  readonly token: () => Promise<string>;
  readonly notes: Notes;
  /** Finds its calls by the board; else by a list that somebody else asks for. */
  readonly byBoard: boolean;
  readonly picks: (callSid: string) => boolean;
}

/** More than one session may subscribe to at once. */
const FOLLOWED_MAX_COUNT = 60;
const SHOWN_ON: readonly ClientState[] = ['live', 'restored'];

interface Shown {
  readonly id: string;
  following: Following;
  callSid: string | null;
  seq: number;
  refused: boolean;
}

export class Viewer {
  readonly name: string;
  readonly person: Person;
  events = 0;
  duplicated = 0;
  outOfOrder = 0;
  lost = 0;
  stopped: number | null | 'no' = 'no';
  /** Longest time between a lost connection and being live again, milliseconds. */
  longestGapMs = 0;
  readonly #options: ViewerOptions;
  readonly #shown = new Map<string, Shown>();
  #feed: Feed | null = null;
  #awaySince: number | null = null;
  #everLive = false;
  #closed = false;

  constructor(options: ViewerOptions) {
    this.#options = options;
    this.name = options.name;
    this.person = options.person;
  }

  get state(): ClientState {
    return this.#feed?.state ?? 'connecting';
  }

  get isLive(): boolean {
    return SHOWN_ON.includes(this.state);
  }

  /** What it follows: each call with how far it has come. */
  get calls(): readonly { readonly id: string; readonly callSid: string | null; readonly seq: number; readonly refused: boolean }[] {
    return [...this.#shown.values()];
  }

  open(): void {
    const { url, token, notes, name, relay } = this.#options;
    const marked = `${url}?viewer=${encodeURIComponent(name)}&hop=${relay}`;
    this.#feed = connect({
      url: marked,
      token,
      onState: (state) => this.#state(state),
      onStopped: (code) => {
        if (this.#closed) return;
        this.stopped = code;
        notes.take({ actor: name, op: 'stopped', code });
      },
    });
    if (this.#options.byBoard) this.#feed.board({ onRows: (rows) => this.offer(rows.map((row) => row.call_sid)) });
  }

  /** Calls that there are: it follows some of them. */
  offer(callSids: readonly string[]): void {
    for (const callSid of callSids) {
      if (this.#shown.size >= FOLLOWED_MAX_COUNT) return;
      if (!this.#shown.has(callSid) && this.#options.picks(callSid)) this.#follow(callSid);
    }
  }

  /** Lets go of some calls that are over. */
  tidy(share: (callSid: string) => boolean): void {
    for (const [id, shown] of [...this.#shown]) {
      if (shown.callSid === null || !share(id)) continue;
      shown.following.close();
      this.#shown.delete(id);
      this.#options.notes.take({ actor: this.name, op: 'unfollow', id });
    }
  }

  /** Notes how far it has come. */
  look(): void {
    const { notes, name } = this.#options;
    const connected = this.state !== 'lost' && this.state !== 'connecting' && this.state !== 'stopped';
    for (const { id, callSid, seq } of this.#shown.values()) notes.take({ actor: name, op: 'shown', id, call_sid: callSid, seq, connected, stopped: this.state === 'stopped', live: this.isLive });
  }

  close(): void {
    this.#closed = true;
    this.#feed?.close();
  }

  #follow(id: string): void {
    const { notes, name: actor, person } = this.#options;
    if (this.#feed === null || this.stopped !== 'no') return;
    notes.take({ actor, op: 'follow', user: `user-${person.username}`, tenant: person.tenant, id });
    const shown: Shown = { id, following: { close: () => undefined }, callSid: null, seq: 0, refused: false };
    this.#shown.set(id, shown);
    shown.following = this.#feed.call(id, {
      onEvent: (event) => {
        this.events += 1;
        if (event.seq <= shown.seq) this.duplicated += 1;
        else if (event.seq > shown.seq + 1) this.outOfOrder += 1;
        shown.seq = Math.max(shown.seq, event.seq);
        // What is logged is a fixed point of parsing and writing.
        notes.take({ actor, op: 'event', id, call_sid: event.call_sid, seq: event.seq, fingerprint: fingerprintOf(JSON.stringify(event), sha256) });
      },
      onConfirmed: ({ callSid, epoch }) => {
        shown.callSid = callSid;
        shown.refused = false;
        notes.take({ actor, op: 'confirmed', id, call_sid: callSid, epoch });
      },
      onReset: (reason) => {
        shown.seq = 0;
        notes.take({ actor, op: 'reset', id, reason });
      },
      onLost: (from, to) => {
        this.lost += to - from + 1;
        shown.seq = Math.max(shown.seq, to);
        notes.take({ actor, op: 'lost', id, from, to });
      },
      onSealed: (proof) => notes.take({ actor, op: 'sealed', id, proof }),
      onError: (code) => {
        shown.refused = true;
        notes.take({ actor, op: 'refused', id, code });
      },
    });
  }

  #state(state: ClientState): void {
    if (SHOWN_ON.includes(state)) {
      if (this.#awaySince !== null && this.#everLive) this.longestGapMs = Math.max(this.longestGapMs, performance.now() - this.#awaySince);
      this.#awaySince = null;
      this.#everLive = true;
    } else if (state === 'lost' || state === 'connecting') this.#awaySince ??= performance.now();
  }
}

/** Figures of the wire. */
export interface WireFigures {
  /** Event frames that reached a viewer's socket. */
  frames: number;
  sockets: number;
}

/**
 * Puts a WebSocket in the place of Node's own that notes what passes. The client takes the global one.
 * @returns what takes it back
 */
export const noteSockets = (notes: Notes, userOf: (viewer: string) => Person | undefined, figures: WireFigures): (() => void) => {
  const Plain = globalThis.WebSocket;
  let sessions = 0;
  class NotedWebSocket extends Plain {
    readonly #session: string;
    readonly #actor: string;

    constructor(url: string | URL, protocols?: ConstructorParameters<typeof WebSocket>[1]) {
      super(url, protocols);
      const query = new URL(url).searchParams;
      const actor = query.get('viewer') ?? '';
      const session = `s${++sessions}`;
      this.#actor = actor;
      this.#session = session;
      figures.sockets += 1;
      const person = userOf(actor);
      const token = (Array.isArray(protocols) ? protocols : []).find((word) => word.startsWith('bearer.'))?.slice(7);
      notes.take({ actor, op: 'opened', session, relay: query.get('hop') ?? '', user: person === undefined ? null : `user-${person.username}`, tenant: person?.tenant ?? null, valid: token !== undefined, ends_at: notes.of(endOf(token)) });
      this.addEventListener('message', ({ data }: { readonly data: unknown }) => {
        if (typeof data !== 'string') return;
        const frame = JSON.parse(data) as { type: string; call_sid?: unknown; seq?: unknown };
        const seq = typeof frame.seq === 'number' ? frame.seq : null;
        if (seq !== null) figures.frames += 1;
        notes.take({ actor, op: 'frame', session, type: frame.type, call_sid: typeof frame.call_sid === 'string' ? frame.call_sid : null, seq, fingerprint: seq === null ? null : fingerprintOf(data, sha256) });
      });
      this.addEventListener('close', ({ code }) => notes.take({ actor, op: 'closed', session, code }));
    }

    override send(data: Parameters<WebSocket['send']>[0]): void {
      const token = typeof data === 'string' && data.startsWith('{"auth"') ? (JSON.parse(data) as { auth: string }).auth : undefined;
      if (token !== undefined) notes.take({ actor: this.#actor, op: 'refreshed', session: this.#session, valid: true, ends_at: notes.of(endOf(token)) });
      super.send(data);
    }
  }
  globalThis.WebSocket = NotedWebSocket;
  return () => {
    globalThis.WebSocket = Plain;
  };
};

/** When a token ends, milliseconds since 1970. */
const endOf = (token: string | undefined): number => {
  const claims = JSON.parse(Buffer.from(token?.split('.')[1] ?? 'e30', 'base64url').toString('utf8')) as { exp?: number };
  return (claims.exp ?? 0) * 1000;
};
