/** What goes into the client machine and what comes out. */
import type { BoardFilter } from '../relay/board.ts';
import type { Proof } from './call.ts';

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

export type TimerName = 'retry' | 'move' | 'opening' | 'opening_next' | 'silence' | 'pong' | 'ask_again' | 'poll' | 'fresh' | 'restored';

export type ClientInput =
  | { readonly on: 'start' }
  | { readonly on: 'stop' }
  /** The answer to `ask_token`; null: none could be had. */
  | { readonly on: 'token'; readonly for: 'link' | 'poll' | 'refresh'; readonly token: string | null }
  | { readonly on: 'closed'; readonly link: number; readonly code: number }
  | { readonly on: 'frame'; readonly link: number; readonly text: string }
  /** The answer to `poll`; status null: it did not come. */
  | { readonly on: 'polled'; readonly status: number | null; readonly frames: readonly unknown[]; readonly boardMark: string | undefined }
  | { readonly on: 'timer'; readonly name: TimerName }
  | { readonly on: 'offline' }
  | { readonly on: 'online' }
  /** The page was asleep or frozen. */
  | { readonly on: 'wake' }
  | { readonly on: 'follow'; readonly id: string }
  | { readonly on: 'unfollow'; readonly id: string }
  | { readonly on: 'watch'; readonly filter: BoardFilter }
  | { readonly on: 'unwatch' };

/** What the page is told. `call` is always the id that it was asked by. */
export type Emitted =
  | { readonly kind: 'state'; readonly state: ClientState }
  /** No way back without somebody's help; the close code or HTTP status that said so, null at the page's own wish. */
  | { readonly kind: 'stopped'; readonly code: number | null }
  | {
      readonly kind: 'confirmed';
      readonly call: string;
      readonly callSid: string;
      readonly conversationId: string | null;
      readonly epoch: string;
      readonly status: string;
    }
  /** What was shown of the call is void: it starts over from its first event. */
  | { readonly kind: 'reset'; readonly call: string; readonly reason: string }
  /** The next event, once and in order; `text` is exactly what the log holds. */
  | { readonly kind: 'event'; readonly call: string; readonly seq: number; readonly frame: Readonly<Record<string, unknown>>; readonly text: string }
  | { readonly kind: 'interim'; readonly call: string; readonly frame: Readonly<Record<string, unknown>> }
  | { readonly kind: 'lost'; readonly call: string; readonly from: number; readonly to: number }
  | { readonly kind: 'sealed'; readonly call: string; readonly proof: Proof }
  | { readonly kind: 'error'; readonly call: string | null; readonly code: string }
  /** A snapshot, always whole, replaces all rows; else rows replace their own, `gone` ones leave. */
  | { readonly kind: 'board'; readonly snapshot: boolean; readonly rows: readonly unknown[]; readonly gone: readonly string[] };

export type ClientEffect =
  | { readonly do: 'ask_token'; readonly for: 'link' | 'poll' | 'refresh' }
  | { readonly do: 'open'; readonly link: number; readonly token: string; readonly replaces: string | null }
  | { readonly do: 'send'; readonly link: number; readonly text: string }
  | { readonly do: 'close'; readonly link: number }
  /** `body`: of `POST /poll`. */
  | { readonly do: 'poll'; readonly token: string; readonly body: object }
  | { readonly do: 'abort_poll' }
  /** Replaces a timer of the same name. */
  | { readonly do: 'timer'; readonly name: TimerName; readonly ms: number }
  | { readonly do: 'cancel'; readonly name: TimerName }
  | { readonly do: 'emit'; readonly what: Emitted };
