/** What a session is told, and what it asks its shell to do. */
import type { CloseName } from '../../protocol/codes.ts';
import type { ControlFrame } from '../../protocol/frames.ts';
import type { CallState } from '../call/state.ts';
import type { Role } from '../rights.ts';
import type { BoardFilter } from './board.ts';
import type { MessageId } from './message.ts';
import type { Subscription } from './subscriptions.ts';

/** Both clocks of the moment: `now` is the wall's, which may jump; `mono` never goes back. Milliseconds. */
export interface Times {
  readonly now: number;
  readonly mono: number;
}

/** What came with the connection itself. */
export type Offer = { readonly kind: 'token'; readonly token: string } | { readonly kind: 'ticket'; readonly ticket: string } | { readonly kind: 'none' };

/** Who the session belongs to. */
export interface SessionUser {
  readonly user: string;
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  /** Seconds since 1970. */
  readonly expires_at: number;
  /** Whether our own directory can confirm the rights; by the two below. */
  readonly local: boolean;
  /** The sign-in that the token belongs to, and when the token was issued (seconds). */
  readonly sid: string;
  readonly issued_at: number;
}

/** What the directory says of the rights. `unknown`: it did not answer. */
export type RightsVerdict = 'held' | 'revoked' | 'unknown';

export type Effect =
  | { readonly do: 'send'; readonly frame: ControlFrame }
  | { readonly do: 'close'; readonly name: CloseName }
  /** Answer with `verified` or `refused`. */
  | { readonly do: 'verify'; readonly offer: Exclude<Offer, { kind: 'none' }> }
  /** Answer with `rights`. */
  | { readonly do: 'check_rights' }
  /** Answer at once with `admitted` or `refused`. */
  | { readonly do: 'admit' }
  /** Answer with `found`, one for each id, in order. */
  | { readonly do: 'look_up'; readonly ids: readonly string[] }
  | { readonly do: 'attach'; readonly subscription: Subscription; readonly call: CallState }
  | { readonly do: 'detach'; readonly subscription: Subscription }
  /** Answer with `watching` when the snapshot was sent. */
  | { readonly do: 'watch'; readonly filter: BoardFilter; readonly id: MessageId }
  | { readonly do: 'unwatch' }
  /** The session may be fed again. */
  | { readonly do: 'resume' };
