/**
 * Passwords by scrypt (RFC 7914), N=2^15, r=8, p=3: 32 MiB and about a fifth of a second each, so only a few at once; others wait.
 * Kept as `scrypt$N$r$p$salt$hash`: what was kept with older parameters still verifies.
 */
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { EarshotError } from '../core/protocol/codes.ts';
import { PASSWORD_HASHES_AT_ONCE_COUNT, PASSWORD_HASHES_WAITING_MAX_COUNT, PASSWORD_MAX_BYTES } from '../core/protocol/limits.ts';
import type { Passwords } from './password.ts';

interface Parameters {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}
const NOW: Parameters = { N: 2 ** 15, r: 8, p: 3 };
const HASH_BYTES = 32;
const SALT_BYTES = 16;
/** Kept parameters beyond it are not ours: they would cost more than this machine may spend. */
const MEMORY_MAX_BYTES = 128 * 1024 * 1024;
const KEPT = /^scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([\w-]+)\$([\w-]+)$/;
/** Nobody's password: hashed where no account has the name, so that the time tells nothing. */
const NOBODY = { ...NOW, salt: Buffer.alloc(SALT_BYTES), hash: Buffer.alloc(HASH_BYTES) };

/** Hashes in this process; at most PASSWORD_HASHES_AT_ONCE_COUNT at a time. */
export const scryptPasswords = (): Passwords => {
  const turn = turns(PASSWORD_HASHES_AT_ONCE_COUNT, PASSWORD_HASHES_WAITING_MAX_COUNT);
  return {
    hash: (password) =>
      turn(async () => {
        if (!isTaken(password)) throw new EarshotError('invalid_request', { problems: [`password: has to have 1 to ${PASSWORD_MAX_BYTES} bytes`] });
        const salt = randomBytes(SALT_BYTES);
        const hash = await derive(password, salt, NOW);
        return ['scrypt', NOW.N, NOW.r, NOW.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
      }),
    verify: (password, readKept) =>
      turn(async () => {
        const kept = parse(await readKept());
        if (!isTaken(password)) return false;
        const hash = await derive(password, (kept ?? NOBODY).salt, kept ?? NOBODY);
        return timingSafeEqual(hash, (kept ?? NOBODY).hash) && kept !== null;
      }),
  };
};

const isTaken = (password: string): boolean => password !== '' && Buffer.byteLength(password) <= PASSWORD_MAX_BYTES;

const derive = (password: string, salt: Buffer, { N, r, p }: Parameters): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    // The same letters may be typed in several forms of Unicode.
    scrypt(password.normalize('NFKC'), salt, HASH_BYTES, { N, r, p, maxmem: MEMORY_MAX_BYTES }, (error, hash) => (error === null ? resolve(hash) : reject(error)));
  });

const parse = (kept: string | null): (Parameters & { readonly salt: Buffer; readonly hash: Buffer }) | null => {
  const [, N, r, p, salt, hash] = KEPT.exec(kept ?? '') ?? [];
  if (salt === undefined || hash === undefined) return null;
  const parameters = { N: Number(N), r: Number(r), p: Number(p) };
  if (128 * parameters.N * parameters.r >= MEMORY_MAX_BYTES || Buffer.from(hash, 'base64url').length !== HASH_BYTES) return null;
  return { ...parameters, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
};

/** Lets `most` run at once and the others wait, first come first served; past `waitingMost` refuses. */
const turns = (most: number, waitingMost: number): (<T>(work: () => Promise<T>) => Promise<T>) => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= most) {
      if (waiting.length >= waitingMost) throw new EarshotError('rate_limited', { retryAfterSeconds: 10 });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      // The place passes straight to who waits longest; only without one it becomes free.
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
};
