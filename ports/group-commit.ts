/**
 * Group commit: what arrives while a commit runs, or in the same turn of the event loop, goes together in the next. One bad
 * piece of work must not take the others with it: then each is committed alone. A store that does not answer fails all that wait:
 * asked anew for each, it would keep the last of them waiting for minutes.
 */
import { EarshotError } from '../core/protocol/codes.ts';

/** How much goes into one transaction: its length bounds how long the event loop is held. */
const GROUP_MAX_COUNT = 256;

interface Waiting {
  readonly run: () => unknown;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param transaction runs the given work in one transaction; rejects, with nothing written, when it or the commit fails
 * @returns runs a piece of work (it must not wait) in a shared transaction, and answers after the commit
 */
export const groupCommits = (transaction: (work: () => unknown) => Promise<unknown>): (<T>(work: () => T) => Promise<T>) => {
  const waiting: Waiting[] = [];
  let running = false;

  const rejectAll = (group: readonly Waiting[], error: unknown): void => {
    for (const unit of group) unit.reject(error);
  };

  /** Answers whether the store did. */
  const together = async (group: readonly Waiting[]): Promise<boolean> => {
    const values: unknown[] = [];
    try {
      await transaction(() => {
        values.length = 0;
        for (const unit of group) values.push(unit.run());
      });
    } catch (error) {
      const answers = !isUnavailable(error);
      if (group.length === 1 || !answers) {
        rejectAll(group, error);
        return answers;
      }
      for (const [index, unit] of group.entries()) {
        if (await together([unit])) continue;
        rejectAll(group.slice(index + 1), new EarshotError('store_unavailable'));
        return false;
      }
      return true;
    }
    for (const [index, unit] of group.entries()) unit.resolve(values[index] as never);
    return true;
  };

  const pump = async (): Promise<void> => {
    running = true;
    // One turn of the event loop: requests that came in together are committed together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (waiting.length > 0) await together(waiting.splice(0, GROUP_MAX_COUNT));
    running = false;
  };

  return <T>(work: () => T): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      waiting.push({ run: work, resolve: resolve, reject });
      if (!running) void pump();
    });
};

const isUnavailable = (error: unknown): boolean => error instanceof EarshotError && error.code === 'store_unavailable';
