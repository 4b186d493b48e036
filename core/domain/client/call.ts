/**
 * One call as a client follows it: how far it has got, and the digest chain that can prove it complete.
 * A sequenced frame is applied only if it is the next one; an older one is dropped; a later one is a gap.
 */
import { chainNext, chainStart, type Sha256 } from '../digest.ts';

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

/** Turns that have a logged revision; older ones are not interim any more anyway. */
const LOGGED_MAX_COUNT = 256;

export class FollowedCall {
  /** The id that it was asked by; it stays the same through mergers. */
  readonly asked: string;
  callSid: string | null = null;
  epoch: string | null = null;
  /** Seq of the last event that was applied. */
  cursor = 0;
  /** Seq of the newest event that is known to be there. */
  head = 0;
  /** Whether the relay refused it for good. */
  refused = false;
  /** The call that owns the conversation, where this one was merged. */
  mergedInto: string | null = null;
  #ended = false;
  /** Chain value of the event at the cursor; null: it cannot be known (history was lost, or nothing can hash). */
  #chain: string | null = null;
  readonly #logged = new Set<string>();
  readonly #sha256: Sha256 | null;

  constructor(asked: string, sha256: Sha256 | null) {
    this.asked = asked;
    this.#sha256 = sha256;
  }

  /** The position to resume from; undefined: from the start. */
  get since(): { readonly epoch: string; readonly seq: number } | undefined {
    return this.epoch === null ? undefined : { epoch: this.epoch, seq: this.cursor };
  }

  /** Whether this confirmation goes on where the call is. */
  continues(frame: Confirmation): boolean {
    return frame.recovered && this.epoch === frame.epoch && this.callSid === frame.call_sid;
  }

  /** Takes the relay's confirmation. Answers why the call starts over; null: it goes on, or starts for the first time. */
  confirmed(frame: Confirmation): string | null {
    this.refused = false;
    this.hear(frame.last_seq);
    if (this.continues(frame)) return null;
    const first = this.epoch === null;
    this.callSid = frame.call_sid;
    this.epoch = frame.epoch;
    this.cursor = 0;
    this.head = frame.last_seq;
    this.mergedInto = null;
    this.#ended = false;
    this.#logged.clear();
    this.#chain = this.#sha256 === null ? null : chainStart(frame.epoch, this.#sha256);
    return first ? null : (frame.reason ?? 'epoch_changed');
  }

  /** What the relay knows to be there; its newest word counts, since an earlier one may have come of a message that was wrong. */
  hear(head: number): void {
    this.head = Math.max(this.cursor, head);
  }

  /** Whether a sequenced frame is the next one. One behind a gap tells of what lies between. */
  judge(seq: number): 'next' | 'old' | 'gap' {
    if (seq <= this.cursor) return 'old';
    if (seq === this.cursor + 1) return 'next';
    this.head = Math.max(this.head, seq);
    return 'gap';
  }

  /** Applies the next event. Answers the proof where the event is a seal. */
  apply(frame: Readonly<Record<string, unknown>>, text: string): Proof | null {
    const proof = frame['type'] === 'call_sealed' ? this.#prove(frame['digest']) : null;
    this.cursor++;
    this.head = Math.max(this.head, this.cursor);
    if (this.#chain !== null && this.#sha256 !== null) this.#chain = chainNext(this.#chain, text, this.#sha256);
    if (frame['type'] === 'transcription' && typeof frame['turn_id'] === 'string') this.#noteLogged(frame['turn_id']);
    if (frame['type'] === 'call_status') {
      if (frame['status'] === 'completed' || frame['status'] === 'failed') this.#ended = true;
      if (typeof frame['merged_into'] === 'string') this.mergedInto = frame['merged_into'];
    }
    return proof;
  }

  /** The relay says that these events are gone: the call goes on behind them, and nothing proves it complete any more. */
  lost(from: number, to: number): boolean {
    if (from !== this.cursor + 1 || to < from) return false;
    this.cursor = to;
    this.head = Math.max(this.head, to);
    this.#chain = null;
    return true;
  }

  /** Whether an interim turn is still what is being said. */
  interimPasses(turnId: unknown): boolean {
    return !this.#ended && typeof turnId === 'string' && !this.#logged.has(turnId);
  }

  #prove(digest: unknown): Proof {
    if (this.#sha256 === null) return 'cannot_prove';
    return this.#chain !== null && this.#chain === digest ? 'complete' : 'incomplete';
  }

  #noteLogged(turnId: string): void {
    this.#logged.add(turnId);
    if (this.#logged.size > LOGGED_MAX_COUNT) this.#logged.delete(this.#logged.values().next().value ?? '');
  }
}
