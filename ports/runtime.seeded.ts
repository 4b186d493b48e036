import { createHash, createHmac } from 'node:crypto';
import type { Runtime, Timer } from './runtime.ts';

/** A runtime whose clock stands still until it is told to go on, and whose chance comes from a seed: everything on it can be replayed. */
export interface SeededRuntime extends Runtime {
  /** Lets this much time pass (milliseconds): timers run in the order of their times, each at its own time, synchronously. */
  advance(ms: number): void;
  /** Goes to the next timer's time and runs that one timer. false: none waits. */
  step(): boolean;
  /** Sets the wall clock alone, as a correction of the machine's clock does. */
  jump(ms: number): void;
  /** When the next timer is due, in milliseconds from now; null: none waits. */
  nextDue(): number | null;
}

/** The first moment of every seeded run: an even time that is easy to recognise. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

interface Waiting {
  readonly at: number;
  /** Timers of one time run in the order in which they were set. */
  readonly order: number;
  run: (() => void) | null;
}

const isBefore = (a: Waiting, b: Waiting): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

/** The timers, the earliest at the top: a binary heap, since a simulation sets and cancels them by the million. Cancelled ones are passed over. */
class Timers {
  readonly #heap: Waiting[] = [];

  add(timer: Waiting): void {
    const heap = this.#heap;
    let place = heap.length;
    for (; place > 0; ) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(timer, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = timer;
  }

  first(): Waiting | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.run === null; top = this.#heap[0]) this.#removeTop();
    return this.#heap[0];
  }

  take(): Waiting | undefined {
    const top = this.first();
    if (top !== undefined) this.#removeTop();
    return top;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const right = heap[child + 1];
      let lower = heap[child];
      if (right !== undefined && lower !== undefined && isBefore(right, lower)) {
        child += 1;
        lower = right;
      }
      if (lower === undefined || isBefore(last, lower)) break;
      heap[place] = lower;
      place = child;
    }
    heap[place] = last;
  }
}

export const seededRuntime = (seed: number): SeededRuntime => {
  let mono = 0;
  let wall = EPOCH_MS;
  let state = seed >>> 0;
  let order = 0;
  const timers = new Timers();

  // mulberry32: small, and good enough to choose faults by.
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };

  const moveTo = (at: number): void => {
    wall += at - mono;
    mono = at;
  };

  const step = (): boolean => {
    const next = timers.take();
    if (next === undefined) return false;
    moveTo(next.at);
    const { run } = next;
    next.run = null;
    run?.();
    return true;
  };

  return {
    // Whole milliseconds, as a machine tells them.
    now: () => Math.floor(wall),
    monotonic: () => mono,
    after: (ms, run): Timer => {
      const timer: Waiting = { at: mono + Math.max(0, ms), order: order++, run };
      timers.add(timer);
      return { cancel: () => void (timer.run = null) };
    },
    random,
    randomHex: (bytes) => Array.from({ length: bytes }, () => Math.floor(random() * 256).toString(16).padStart(2, '0')).join(''),
    sha256: (data) => createHash('sha256').update(data).digest('hex'),
    hmacSha256: (key, ...parts) => {
      const hmac = createHmac('sha256', key);
      for (const part of parts) hmac.update(part);
      return hmac.digest('hex');
    },
    advance: (ms) => {
      const until = mono + ms;
      for (let next = timers.first(); next !== undefined && next.at <= until; next = timers.first()) step();
      moveTo(until);
    },
    step,
    jump: (ms) => void (wall += ms),
    nextDue: () => {
      const next = timers.first();
      return next === undefined ? null : next.at - mono;
    },
  };
};
