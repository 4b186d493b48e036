/**
 * One call as a client follows it: how far it has got, and the digest chain that can prove it complete.
 * A sequenced frame is applied only if it is the next one; an older one is dropped; a later one is a gap.
 */
import { chainNext, chainStart, type Sha256 } from '../digest.ts';
import type { Fields } from './link.ts';

/** Whether what is shown is all there is, by the seal's digest. `cannot_prove`: nothing here can hash. */
export type Proof = 'complete' | 'incomplete' | 'cannot_prove';

/** The `subscription_confirmed` frame, as far as a client goes by it. */
export interface Confirmation {
  readonly call_sid: string;
  readonly conversation_id: string | null;
  readonly epoch: string;
  readonly last_seq: number;
  readonly recovered: boolean;
  readonly reason?: string | undefined;
}

export interface FollowedCall {
  /** The id that it was asked by; it stays the same through mergers. */
  readonly asked: string;
  /** As the relay said; until then the id asked may be it. */
  relaySid: string;
  /** null: no relay has confirmed it. */
  epoch: string | null;
  /** Seq of the last event that was applied. */
  cursor: number;
  /** Seq of the newest event that the relay last knew to be there: an earlier, larger word may have come of a message that was wrong. */
  head: number;
  /** Whether the relay refused it for good. */
  refused: boolean;
  /** Whether another call owns the conversation. */
  merged: boolean;
  ended: boolean;
  /** Chain value of the event at the cursor; null: it cannot be known (history was lost, or nothing can hash). */
  chain: string | null;
  /** Turns that have a logged revision: no more of them than events, which the page keeps as well. */
  readonly logged: Set<unknown>;
}

export const newCall = (asked: string): FollowedCall => ({
  asked,
  relaySid: asked,
  epoch: null,
  cursor: 0,
  head: 0,
  refused: false,
  merged: false,
  ended: false,
  chain: null,
  logged: new Set(),
});

/** Takes the relay's confirmation. Answers why the call starts over, '' where it does for the first time; null: it goes on where it is. */
export const confirmCall = (call: FollowedCall, frame: Confirmation, sha256: Sha256 | null): string | null => {
  call.refused = false;
  call.head = frame.last_seq;
  // A link that was asked before another one told of this epoch answers that it has changed: so it has, and that was told.
  if ((frame.recovered || frame.reason === 'epoch_changed') && call.epoch === frame.epoch && call.relaySid === frame.call_sid) return null;
  const reason = call.epoch === null ? '' : (frame.reason ?? 'epoch_changed');
  Object.assign(call, newCall(call.asked), { relaySid: frame.call_sid, epoch: frame.epoch, head: frame.last_seq, chain: sha256 && chainStart(frame.epoch, sha256) });
  return reason;
};

/** Applies the next event. Answers the proof where the event is a seal. */
export const applyEvent = (call: FollowedCall, frame: Fields, text: string, sha256: Sha256 | null): Proof | null => {
  const { type, status, turn_id: turn } = frame;
  const proof = type === 'call_sealed' ? prove(call.chain, frame['digest'], sha256) : null;
  call.cursor++;
  if (call.chain && sha256) call.chain = chainNext(call.chain, text, sha256);
  if (type === 'transcription') call.logged.add(turn);
  if (type === 'call_status') {
    call.ended ||= status === 'completed' || status === 'failed';
    call.merged ||= typeof frame['merged_into'] === 'string';
  }
  return proof;
};

const prove = (chain: string | null, digest: unknown, sha256: Sha256 | null): Proof => {
  if (!sha256) return 'cannot_prove';
  return chain && chain === digest ? 'complete' : 'incomplete';
};

/** The relay says that these events are gone: the call goes on behind them, and nothing proves it complete any more. Answers whether they were the next ones. */
export const loseEvents = (call: FollowedCall, from: number, to: number): boolean => {
  const next = from === call.cursor + 1 && to >= from;
  if (next) {
    call.cursor = to;
    call.chain = null;
  }
  return next;
};

/** Whether an interim turn is still what is being said. */
export const interimPasses = ({ ended, logged }: FollowedCall, turn: unknown): boolean => !ended && typeof turn === 'string' && !logged.has(turn);
