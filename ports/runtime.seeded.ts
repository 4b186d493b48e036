import { createHash, createHmac } from 'node:crypto';
import type { Runtime, Timer } from './runtime.ts';

/** A runtime whose clock stands still until it is told to go on, and whose chance comes from a seed: everything on it can be replayed. */
export interface SeededRuntime extends Runtime {
  /** Lets this much time pass (milliseconds): timers run in the order of their times, each at its own time, synchronously. */
  advance(ms: number): void;
  /** Sets the wall clock alone, as a correction of the machine's clock does. */
  jump(ms: number): void;
  /** When the next timer is due, in milliseconds from now; null: none waits. */
  nextDue(): number | null;
}

/** The first moment of every seeded run: an even time that is easy to recognise. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

export const seededRuntime = (seed: number): SeededRuntime => {
  let mono = 0;
  let wall = EPOCH_MS;
  let state = seed >>> 0;
  let order = 0;
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();

  // mulberry32: small, and good enough to choose faults by.
  const random = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };

  const earliest = (): [number, { readonly at: number; readonly run: () => void }] | undefined => {
    let found: [number, { readonly at: number; readonly run: () => void }] | undefined;
    for (const entry of timers) if (found === undefined || entry[1].at < found[1].at) found = entry;
    return found;
  };

  const moveTo = (at: number): void => {
    wall += at - mono;
    mono = at;
  };

  return {
    now: () => wall,
    monotonic: () => mono,
    after: (ms, run): Timer => {
      const id = order++;
      timers.set(id, { at: mono + Math.max(0, ms), run });
      return { cancel: () => void timers.delete(id) };
    },
    random,
    randomHex: (bytes) => Array.from({ length: bytes }, () => Math.floor(random() * 256).toString(16).padStart(2, '0')).join(''),
    sha256: (data) => createHash('sha256').update(data).digest('hex'),
    hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest('hex'),
    advance: (ms) => {
      const until = mono + ms;
      for (let next = earliest(); next !== undefined && next[1].at <= until; next = earliest()) {
        timers.delete(next[0]);
        moveTo(next[1].at);
        next[1].run();
      }
      moveTo(until);
    },
    jump: (ms) => (wall += ms),
    nextDue: () => {
      const next = earliest();
      return next === undefined ? null : next[1].at - mono;
    },
  };
};
