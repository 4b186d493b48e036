/** What whoever follows a call is told, one thing after another. */
import type { EventFrame, InterimFrame } from '../../protocol/frames.ts';
import type { Proof } from './call.ts';

export type CallUpdate =
  /** The relay took the subscription; `status` is the call's as it was then. */
  | { readonly kind: 'confirmed'; readonly callSid: string; readonly conversationId: string | null; readonly epoch: string; readonly status: string }
  /** What was shown is void: the call starts over from its first event. */
  | { readonly kind: 'reset'; readonly reason: string }
  /** The next event, once and in order. */
  | { readonly kind: 'event'; readonly event: EventFrame }
  /** A turn that is still being spoken; may be lost, may change. */
  | { readonly kind: 'interim'; readonly turn: InterimFrame }
  /** These events are gone from the log. */
  | { readonly kind: 'lost'; readonly from: number; readonly to: number }
  /** The call was sealed: whether what came is all there is. Follows the seal's own event. */
  | { readonly kind: 'sealed'; readonly proof: Proof }
  /** The relay refused the call, by the code. */
  | { readonly kind: 'error'; readonly code: string };
