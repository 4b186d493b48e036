/** What goes into the client machine and what comes out. */
import type { Sha256 } from '../digest.ts';
import type { BoardFilter } from '../relay/board.ts';
import type { CallUpdate } from './call-update.ts';

/** What a page can show. `live` only while everything shown is confirmed to be all there is. */
export type ClientState = 'connecting' | 'live' | 'catching_up' | 'unverified' | 'lost' | 'restored' | 'stopped';

/** The connection as a page can show it. Times of the page are monotonic milliseconds, as `performance.now()` gives them. */
export interface Connection {
  readonly state: ClientState;
  /** How frames come now; null: they do not. */
  readonly via: 'socket' | 'poll' | null;
  /** When `state` became what it is. */
  readonly since: number;
  /** When the next attempt begins; null: frames come, an attempt is under way, or none will be made as things are. */
  readonly retryAt: number | null;
  /** The server's clock, in milliseconds, when the relay last compared with the log, as far as it said; null: not yet. */
  readonly verifiedAt: number | null;
}

export type TimerName = 'retry' | 'move' | `opening ${number}` | 'silence' | 'pong' | 'ask_again' | 'poll' | 'fresh' | 'restored';

/** What a token is for: to open a link, to poll, or to go on with the link that leads. */
export type TokenPurpose = 'link' | 'poll' | 'refresh';

/** What happened, and what there is to know of it. */
export type ClientInput =
  | readonly [on: 'start']
  | readonly [on: 'stop']
  /** The answer to `ask_token`; null: none could be had. */
  | readonly [on: 'token', purpose: TokenPurpose, token: string | null]
  | readonly [on: 'closed', link: number, code: number]
  | readonly [on: 'frame', link: number, text: string]
  /** The answer to `poll`; status null: it did not come. */
  | readonly [on: 'polled', status: number | null, frames: readonly unknown[], boardMark: string | undefined]
  | readonly [on: 'timer', name: TimerName]
  | readonly [on: 'offline']
  | readonly [on: 'online']
  /** The page was asleep or frozen. */
  | readonly [on: 'wake']
  | readonly [on: 'follow', id: string]
  | readonly [on: 'unfollow', id: string]
  | readonly [on: 'watch', filter: BoardFilter]
  | readonly [on: 'unwatch'];

/** News of the board. A snapshot, always whole, replaces all rows; else rows replace their own, `gone` ones leave. */
export interface BoardNews {
  readonly snapshot: boolean;
  readonly rows: readonly unknown[];
  readonly gone: readonly string[];
}

/** What to do, and what with. */
export type ClientEffect =
  | readonly [act: 'ask_token', purpose: TokenPurpose]
  | readonly [act: 'open', link: number, token: string, replaces: string | null]
  | readonly [act: 'send', link: number, text: string]
  | readonly [act: 'close', link: number]
  /** `body`: of `POST /poll`. */
  | readonly [act: 'poll', token: string, body: object]
  | readonly [act: 'abort_poll']
  /** Replaces a timer of the same name. */
  | readonly [act: 'timer', name: TimerName, ms: number]
  | readonly [act: 'cancel', name: TimerName]
  /** The state is another one. */
  | readonly [act: 'state', state: ClientState]
  /** No way back without somebody's help; the close code or HTTP status that said so, null at the page's own wish. */
  | readonly [act: 'stopped', code: number | null]
  /** News of a call, always by the id that it was asked by. `text`: of an event, exactly what the log holds. */
  | readonly [act: 'call', id: string, update: CallUpdate, text?: string]
  /** An error that belongs to no call. */
  | readonly [act: 'error', code: string]
  | readonly [act: 'board', news: BoardNews];

/** Notes an effect. */
export type Act = (...effect: ClientEffect) => void;

/** One function for each of a union's tuples, by the tuple's name. */
export type ByName<Named extends readonly [string, ...unknown[]]> = { readonly [One in Named as One[0]]: One extends readonly [string, ...infer Given] ? (...given: Given) => void : never };

export interface ClientOptions {
  /** 0 <= x < 1. */
  readonly random: () => number;
  /** null: this page cannot hash, so nothing can be proved complete. */
  readonly sha256: Sha256 | null;
  /** Whether there is a `/poll` to fall back to. */
  readonly canPoll: boolean;
}

export interface ClientMachine {
  /** Another object after each change. */
  readonly connection: Connection;
  /** The server's clock at that monotonic time, in milliseconds; null: no relay has told its time. */
  readonly serverNow: (now: number) => number | null;
  /** Takes one input; answers what to do, in order. `now`: monotonic milliseconds. */
  readonly input: (now: number, ...input: ClientInput) => readonly ClientEffect[];
}
