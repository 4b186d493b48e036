/**
 * What arrives for one thing while its commit runs waits, and goes together in the next: one document takes about one write a second
 * for long, and whoever shares a commit shares its price.
 */
import { EarshotError } from '../core/protocol/codes.ts';

/** How many share one commit: what a commit may hold is bounded. */
const GROUP_MAX_COUNT = 64;

/** What became of one of them. */
export type Settled<R> = { readonly value: R } | { readonly error: unknown };

interface Waiting<U, R> {
  readonly unit: U;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param commit takes what waited for a key, and answers what became of each, in order; where it rejects, several are committed one by one, so
 *   that one bad piece does not take the others with it - unless the store does not answer
 * @returns hands in a piece for a key, and answers after its commit
 */
export const groupedByKey = <U, R>(commit: (key: string, units: readonly U[]) => Promise<readonly Settled<R>[]>): ((key: string, unit: U) => Promise<R>) => {
  const queues = new Map<string, Waiting<U, R>[]>();

  const together = async (key: string, group: readonly Waiting<U, R>[]): Promise<void> => {
    try {
      const settled = await commit(key, group.map(({ unit }) => unit));
      for (const [index, { resolve, reject }] of group.entries()) {
        const one = settled[index];
        if (one === undefined) reject(new Error('a commit answered for fewer than it was given'));
        else if ('error' in one) reject(one.error);
        else resolve(one.value);
      }
    } catch (error) {
      if (group.length === 1 || isUnavailable(error)) {
        for (const { reject } of group) reject(error);
      } else for (const one of group) await together(key, [one]);
    }
  };

  const pump = async (key: string, queue: Waiting<U, R>[]): Promise<void> => {
    while (queue.length > 0) await together(key, queue.splice(0, GROUP_MAX_COUNT));
    queues.delete(key);
  };

  return (key, unit) =>
    new Promise<R>((resolve, reject) => {
      const queue = queues.get(key);
      const waiting = { unit, resolve, reject };
      if (queue !== undefined) {
        queue.push(waiting);
        return;
      }
      const fresh = [waiting];
      queues.set(key, fresh);
      // What comes in the same turn of the event loop goes together.
      queueMicrotask(() => void pump(key, fresh));
    });
};

/**
 * As `groupedByKey`, where each piece has to be a commit of its own: one after the other, so that they do not wait for each other's locks.
 * Where the store did not answer to one, those behind it are not tried: each would wait as long again.
 */
export const oneByOne = <U, R>(commit: (unit: U) => Promise<R>): ((key: string, unit: U) => Promise<R>) =>
  groupedByKey<U, R>(async (_key, units) => {
    const settled: Settled<R>[] = [];
    let away: Settled<R> | null = null;
    for (const unit of units) {
      const one: Settled<R> =
        away ??
        (await commit(unit).then(
          (value) => ({ value }),
          (error: unknown) => ({ error }),
        ));
      if ('error' in one && isUnavailable(one.error)) away = one;
      settled.push(one);
    }
    return settled;
  });

const isUnavailable = (error: unknown): boolean => error instanceof EarshotError && error.code === 'store_unavailable';
