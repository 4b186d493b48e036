/** A runtime whose hours pass in minutes: what it runs meets all its timers, only sooner. */
import { systemRuntime } from '../../../ports/runtime.system.ts';
import type { Runtime } from '../../../ports/runtime.ts';

/**
 * Processes that are given the same numbers agree on the time.
 * @param speed how many times as fast as the real clock
 * @param startedAt real time, milliseconds since 1970, at which both clocks agreed
 */
export const fastRuntime = (speed: number, startedAt: number): Runtime => {
  const real = systemRuntime();
  return {
    ...real,
    now: () => Math.floor(startedAt + (Date.now() - startedAt) * speed),
    monotonic: () => performance.now() * speed,
    after: (ms, run) => real.after(ms / speed, run),
  };
};
