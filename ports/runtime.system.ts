import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Runtime, Timer } from './runtime.ts';

/** The real clock, timers, chance and hashes of this process. */
export const systemRuntime = (): Runtime => ({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms, run): Timer => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  random: () => Math.random(),
  randomHex: (bytes) => randomBytes(bytes).toString('hex'),
  sha256: (data) => createHash('sha256').update(data).digest('hex'),
  hmacSha256: (key, data) => createHmac('sha256', key).update(data).digest('hex'),
});
