import { createHmac, hash, randomBytes } from 'node:crypto';
import type { Runtime, Timer } from './runtime.ts';

/** Bytes of chance taken from the system at once: eight of them cost as much as a thousand, and each request needs some. */
const CHANCE_BYTES = 1024;

/** Wiped as they are given out, so that nothing of what was is left in memory. */
const pooledHex = (): Runtime['randomHex'] => {
  let pool = Buffer.alloc(0);
  let at = 0;
  return (bytes) => {
    if (bytes > CHANCE_BYTES) return randomBytes(bytes).toString('hex');
    if (at + bytes > pool.length) {
      pool = randomBytes(CHANCE_BYTES);
      at = 0;
    }
    const hex = pool.toString('hex', at, at + bytes);
    pool.fill(0, at, at + bytes);
    at += bytes;
    return hex;
  };
};

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
  randomHex: pooledHex(),
  sha256: (data) => hash('sha256', data, 'hex'),
  hmacSha256: (key, ...parts) => {
    const hmac = createHmac('sha256', key);
    for (const part of parts) hmac.update(part);
    return hmac.digest('hex');
  },
});
