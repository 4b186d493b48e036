/** Sets of public keys that are read again now and then: our own, and those of outside identity providers. */
import { calculateJwkThumbprint, createLocalJWKSet, type JSONWebKeySet, type JWK } from 'jose';
import { EarshotError } from '../core/protocol/codes.ts';
import { JWKS_REFRESH_MS } from '../core/protocol/limits.ts';
import type { Runtime } from './runtime.ts';

/** A set as it is published: anything, until it was looked at. */
export type ReadKeys = () => Promise<{ readonly keys: readonly object[] }>;
export type FindKey = ReturnType<typeof createLocalJWKSet>;

/** A token with an unknown key makes us look again at most this often, however many come. */
const COOLDOWN_MS = 30_000;
/** Where the set cannot be read any more, the last one stays good this long. */
const STALE_MAX_MS = 60 * 60_000;
/** A provider's set is a few kilobytes. */
const SET_MAX_BYTES = 256 * 1024;
const FETCH_MAX_MS = 5_000;

export interface KeySet {
  /** The keys as they are now: the same function until the set was read again. Throws EarshotError `store_unavailable`. */
  current(): Promise<FindKey>;
  /** After a token named a key that is not there: the newest keys, or null where a fresh look is not due yet. */
  lookAgain(): Promise<FindKey | null>;
}

/** A key set that is read when first needed, and again every JWKS_REFRESH_MS; all who wait share one read. */
export const keySet = (read: ReadKeys, runtime: Runtime): KeySet => {
  let find: FindKey | null = null;
  let readAt = 0;
  let triedAt = -Infinity;
  let reading: Promise<void> | null = null;

  const load = async (): Promise<void> => {
    triedAt = runtime.monotonic();
    const set = await read();
    find = createLocalJWKSet(await named(set));
    readAt = runtime.monotonic();
  };
  const loadOnce = (): Promise<void> => {
    reading ??= load().finally(() => (reading = null));
    return reading;
  };
  const age = (since: number): number => runtime.monotonic() - since;

  return {
    current: async () => {
      const due = find === null || (age(readAt) >= JWKS_REFRESH_MS && age(triedAt) >= COOLDOWN_MS);
      if (due) await loadOnce().catch(() => undefined);
      if (find === null || age(readAt) >= STALE_MAX_MS) throw new EarshotError('store_unavailable');
      return find;
    },
    lookAgain: async () => {
      if (age(triedAt) < COOLDOWN_MS) return null;
      await loadOnce().catch(() => undefined);
      return find;
    },
  };
};

/** Every key has a name: its own, or its thumbprint (RFC 7638). */
const named = async (set: { readonly keys: readonly object[] }): Promise<JSONWebKeySet> => ({
  keys: await Promise.all(set.keys.map(async (key) => ({ ...key, kid: (key as JWK).kid ?? (await calculateJwkThumbprint(key as JWK)) }))),
});

/** Reads a set over HTTP: 200 only, no redirects, bounded in time and size. */
export const fetchedKeys =
  (url: string, fetch: typeof globalThis.fetch): ReadKeys =>
  async () => {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(FETCH_MAX_MS), headers: { accept: 'application/json' } });
    if (!response.ok || response.body === null) throw new EarshotError('store_unavailable');
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > SET_MAX_BYTES) throw new EarshotError('store_unavailable');
      chunks.push(chunk);
    }
    const set = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { keys?: unknown } | null;
    if (!Array.isArray(set?.keys)) throw new EarshotError('store_unavailable');
    return { keys: set.keys.filter((key: unknown): key is object => typeof key === 'object' && key !== null) };
  };
