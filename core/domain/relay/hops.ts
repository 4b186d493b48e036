/**
 * When the newest events of a call passed this relay: which request each comes of, when it was committed, heard of, and first written to
 * a viewer. Only numbers that are there anyway are kept, for as many events as the ring holds.
 */
import { RING_EVENTS } from '../../protocol/limits.ts';

/** How events came to this relay. One object for all events that came together. Times in milliseconds, each by the clock of who noted it. */
export interface Arrival {
  /** `log`: a read of the log showed them, the bus had not. */
  readonly by: 'bus' | 'log';
  /** W3C `traceparent` of their publication. */
  readonly trace: string | null;
  readonly received_at: number | null;
  /** null: the bus brought nothing that says it; each event's own timestamp is near it. */
  readonly committed_at: number | null;
  readonly heard_at: number;
}

/** The hops of one event. */
export interface EventHops {
  readonly seq: number;
  readonly arrival: Arrival;
  /** To the first viewer; null: to nobody here yet. */
  readonly written_at: number | null;
}

interface Slot {
  readonly seq: number;
  readonly arrival: Arrival;
  /** 0: not yet. */
  written: number;
}

/** The hops of one call's newest events, within one epoch. */
export class CallHops {
  readonly epoch: string;
  /** By seq modulo RING_EVENTS: a newer event takes the place of the oldest. */
  readonly #slots: (Slot | undefined)[] = [];
  /** Some viewer was written everything up to here, or came in behind it. */
  #writtenUpTo = 0;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** An event was heard of; what is known of it already stays. */
  heard(seq: number, arrival: Arrival): void {
    const place = seq % RING_EVENTS;
    const before = this.#slots[place];
    if (before === undefined || before.seq < seq) this.#slots[place] = { seq, arrival, written: 0 };
  }

  /** A viewer was just written the events after `after` up to `upTo`. All viewers but the first cost one comparison. */
  written(after: number, upTo: number, now: () => number): void {
    if (upTo <= this.#writtenUpTo) return;
    const at = now();
    for (let seq = Math.max(after, this.#writtenUpTo, upTo - RING_EVENTS) + 1; seq <= upTo; seq++) {
      const slot = this.#slots[seq % RING_EVENTS];
      if (slot?.seq === seq) slot.written = at;
    }
    this.#writtenUpTo = upTo;
  }

  /** All that is known, in order. */
  all(): readonly EventHops[] {
    return this.#slots
      .filter((slot) => slot !== undefined)
      .sort((a, b) => a.seq - b.seq)
      .map(({ seq, arrival, written }) => ({ seq, arrival, written_at: written === 0 ? null : written }));
  }
}

/** Calls of which hops are remembered when nobody watches them any more: a few megabytes at most. */
export const HOPS_KEPT_CALLS_COUNT = 256;

/** The hops of calls that nobody watches now; the one that was left longest ago goes first. */
export class KeptHops {
  readonly #calls = new Map<string, CallHops>();

  keep(callSid: string, hops: CallHops): void {
    this.#calls.delete(callSid);
    this.#calls.set(callSid, hops);
    if (this.#calls.size > HOPS_KEPT_CALLS_COUNT) this.#calls.delete(this.#calls.keys().next().value ?? '');
  }

  /** Somebody watches it again. New ones where none of this epoch are kept. */
  take(callSid: string, epoch: string): CallHops {
    const kept = this.#calls.get(callSid);
    this.#calls.delete(callSid);
    return kept?.epoch === epoch ? kept : new CallHops(epoch);
  }

  of(callSid: string): CallHops | null {
    return this.#calls.get(callSid) ?? null;
  }
}
