/**
 * One call in one relay: how far its log is known, and its newest events ready to be written.
 *
 *   live event, seq = head + 1       goes into the ring
 *   live event, seq <= head          a repetition: dropped
 *   live event, seq > head + 1       held, and the gap is read from the log
 *   another epoch is heard of        nothing is fed until the log was read: a message is a hint, never the truth
 *
 * All reads of a call go one after another through `nextRead`, and what one read brings serves every session: history is
 * asked for in blocks that begin at multiples of the ring's size, so that sessions at different positions share a read.
 */
import { RING_EVENTS } from '../../protocol/limits.ts';
import type { CallStatus } from '../../protocol/frames.ts';
import type { CallState } from '../call/state.ts';

/** What a feed has to know of the call. */
export type FeedCall = Pick<CallState, 'call_sid' | 'tenant' | 'conversation_id' | 'epoch' | 'status' | 'last_seq'>;

/** One event with its ready frame and the little of its text that the relay itself goes by. */
export interface FeedEvent<F> {
  readonly seq: number;
  readonly frame: F;
  readonly conversationId: string | null;
  /** The turn that it is a revision of. */
  readonly turnId: string | null;
  /** The status that it brings. */
  readonly status: CallStatus | null;
}

/** A read of the log that somebody has to do: events after `after`, at most `limit`. */
export interface FeedRead {
  readonly after: number;
  readonly limit: number;
}

interface FeedPage<F> {
  readonly after: number;
  /** Up to here the page tells all: what is not in it did not exist. */
  readonly upTo: number;
  readonly frames: ReadonlyMap<number, F>;
}

interface ReadUnderWay extends FeedRead {
  readonly doubted: boolean;
  readonly known: number;
}

export class Feed<F> {
  readonly callSid: string;
  readonly tenant: string;
  epoch: string;
  conversationId: string | null;
  status: CallStatus;
  /** Every event up to here can be had, from the ring or from the log. */
  head: number;
  /** The highest seq that anything told of. */
  known: number;
  #ring: F[] = [];
  /** Seq before the first one in the ring. */
  #ringStart: number;
  readonly #held = new Map<number, FeedEvent<F>>();
  #page: FeedPage<F> | null = null;
  #pageUsed = false;
  readonly #wanted = new Set<number>();
  #reading: ReadUnderWay | null = null;
  #doubted = false;

  constructor(call: FeedCall) {
    this.callSid = call.call_sid;
    this.tenant = call.tenant;
    this.epoch = call.epoch;
    this.conversationId = call.conversation_id;
    this.status = call.status;
    this.head = call.last_seq;
    this.known = call.last_seq;
    this.#ringStart = call.last_seq;
  }

  /** Whether the epoch is in question: nothing is fed until the log was read. */
  get doubtful(): boolean {
    return this.#doubted || this.#reading?.doubted === true;
  }

  /** Events from the bus, in any order and any number of times. Answers the events that are new at the head, in order. */
  offer(epoch: string, events: readonly FeedEvent<F>[]): readonly FeedEvent<F>[] {
    if (epoch !== this.epoch) {
      this.#doubted = true;
      return [];
    }
    const added: FeedEvent<F>[] = [];
    for (const event of events) {
      if (event.seq <= this.head) continue;
      this.known = Math.max(this.known, event.seq);
      if (event.seq === this.head + 1) this.#push(event, added);
      else if (this.#held.size < RING_EVENTS) this.#held.set(event.seq, event);
    }
    this.#releaseHeld(added);
    return added;
  }

  /** Something says that the log should be looked at. */
  doubt(): void {
    this.#doubted = true;
  }

  /** The call as a read of the log showed it. */
  compared(call: FeedCall): void {
    if (call.epoch !== this.epoch) {
      this.#doubted = true;
      return;
    }
    this.known = Math.max(this.known, call.last_seq);
    this.conversationId ??= call.conversation_id;
    if (call.last_seq >= this.head) this.status = call.status;
  }

  /** A session at this position waits for what follows it. */
  want(cursor: number): void {
    this.#wanted.add(Math.floor(cursor / RING_EVENTS) * RING_EVENTS);
  }

  /** The next read to do, or null. Answers null until the one under way has ended. */
  nextRead(): FeedRead | null {
    if (this.#reading !== null) return null;
    const after = this.#doubted || this.known > this.head ? this.head : this.#wanted.values().next().value;
    if (after === undefined) return null;
    this.#reading = { after, limit: RING_EVENTS, doubted: this.#doubted, known: this.known };
    this.#doubted = false;
    return this.#reading;
  }

  /** The read under way did not work; `nextRead` will ask for it again. */
  readFailed(): void {
    if (this.#reading?.doubted === true) this.#doubted = true;
    this.#reading = null;
  }

  /** What the read under way found, in one consistent read: the call, and the events that exist. Answers the new ones at the head. */
  readDone(call: FeedCall, events: readonly FeedEvent<F>[]): readonly FeedEvent<F>[] {
    const read = this.#reading;
    if (read === null) return [];
    this.#reading = null;
    this.#wanted.delete(read.after);
    if (call.epoch !== this.epoch) {
      this.#startOver(call);
      return [];
    }
    this.compared(call);
    const last = events.at(-1)?.seq ?? read.after;
    const upTo = events.length >= read.limit ? last : Math.max(last, call.last_seq);
    this.#page = { after: read.after, upTo, frames: new Map(events.map((event) => [event.seq, event.frame])) };
    this.#pageUsed = true;
    const added = this.#extend(events, upTo);
    this.#extendRingBackwards();
    // What was heard of before the read, and what the read did not find, does not exist.
    if (this.known === read.known && call.last_seq < this.known) {
      this.#held.clear();
      this.known = this.head;
    }
    return added;
  }

  /** The frame of an event, if it is at hand. */
  frame(seq: number): F | undefined {
    if (seq > this.#ringStart && seq <= this.head) return this.#ring[seq - this.#ringStart - 1];
    const page = this.#page;
    if (page === null) return undefined;
    this.#pageUsed = true;
    return page.frames.get(seq);
  }

  /** Where a read of the log showed this event to be absent though later ones exist: the last seq of the hole. */
  lostUpTo(seq: number): number | null {
    const page = this.#page;
    if (page === null || seq <= page.after || seq > page.upTo || page.frames.has(seq)) return null;
    for (const present of page.frames.keys()) if (present > seq) return present - 1;
    return page.upTo;
  }

  /** Lets go of the page that nobody used since the last call. Answers whether nothing is left to be read or let go of. */
  tidy(): boolean {
    if (!this.#pageUsed) this.#page = null;
    this.#pageUsed = false;
    return this.#page === null && this.#reading === null && !this.#doubted && this.known <= this.head && this.#wanted.size === 0;
  }

  #push(event: FeedEvent<F>, added: FeedEvent<F>[]): void {
    this.#ring.push(event.frame);
    this.head = event.seq;
    this.known = Math.max(this.known, event.seq);
    if (this.#ring.length > RING_EVENTS) {
      this.#ring.shift();
      this.#ringStart++;
    }
    this.conversationId ??= event.conversationId;
    if (event.status !== null) this.status = event.status;
    added.push(event);
  }

  #releaseHeld(added: FeedEvent<F>[]): void {
    for (let next = this.#held.get(this.head + 1); next !== undefined; next = this.#held.get(this.head + 1)) this.#push(next, added);
    for (const seq of this.#held.keys()) if (seq <= this.head) this.#held.delete(seq);
  }

  /** Moves the head over what a page tells. A hole stays behind the ring, where the pump meets it. */
  #extend(events: readonly FeedEvent<F>[], upTo: number): FeedEvent<F>[] {
    const added: FeedEvent<F>[] = [];
    for (const event of events) {
      if (event.seq <= this.head) continue;
      if (event.seq > this.head + 1) this.#jump(event.seq - 1);
      this.#push(event, added);
    }
    if (upTo > this.head) this.#jump(upTo);
    this.#releaseHeld(added);
    return added;
  }

  #jump(head: number): void {
    this.#ring = [];
    this.#ringStart = head;
    this.head = head;
  }

  /** Most reconnects find all they missed in the ring: what a page shows just before it belongs there. */
  #extendRingBackwards(): void {
    const older: F[] = [];
    let start = this.#ringStart;
    while (this.#ring.length + older.length < RING_EVENTS) {
      const frame = this.#page?.frames.get(start);
      if (frame === undefined) break;
      older.push(frame);
      start--;
    }
    if (older.length === 0) return;
    this.#ring = [...older.reverse(), ...this.#ring];
    this.#ringStart = start;
  }

  #startOver(call: FeedCall): void {
    this.epoch = call.epoch;
    this.conversationId = call.conversation_id;
    this.status = call.status;
    this.known = call.last_seq;
    this.#held.clear();
    this.#wanted.clear();
    this.#page = null;
    this.#jump(call.last_seq);
  }
}
