/**
 * Finds calls for all sessions of a relay together: while one read is under way, what is asked for waits and goes in the
 * next. So a thousand sessions that come back at once make a handful of reads, and every answer comes from a read that
 * began after it was asked for.
 */
import type { CallState } from '../core/domain/call/state.ts';
import type { RelayParts } from './parts.ts';

/** As `CallLog.findMany` answers for one id. */
export type LookedUp = CallState | 'erased' | null;

/** Ids in one read. */
const BATCH_MAX_COUNT = 300;

/** Looks up one id. Rejects as the log does. */
export const createLookUps = ({ callLog, runtime, metrics }: Pick<RelayParts, 'callLog' | 'runtime' | 'metrics'>): ((id: string) => Promise<LookedUp>) => {
  const waiting = new Map<string, { readonly done: ((found: LookedUp) => void)[]; readonly failed: ((error: unknown) => void)[] }>();
  let reading = false;

  const readWaiting = async (): Promise<void> => {
    reading = true;
    // Whatever else is asked for in this turn of the event loop comes along.
    await Promise.resolve();
    while (waiting.size > 0) {
      const batch = [...waiting].slice(0, BATCH_MAX_COUNT);
      for (const [id] of batch) waiting.delete(id);
      const asked = runtime.monotonic();
      try {
        const found = await callLog.findMany(batch.map(([id]) => id));
        metrics.observe('earshot_log_read_seconds', { kind: 'find' }, (runtime.monotonic() - asked) / 1000);
        batch.forEach(([, { done }], place) => done.forEach((tell) => tell(found[place] ?? null)));
      } catch (error) {
        for (const [, { failed }] of batch) failed.forEach((tell) => tell(error));
      }
    }
    reading = false;
  };

  return (id) =>
    new Promise((resolve, reject) => {
      const entry = waiting.get(id) ?? { done: [], failed: [] };
      entry.done.push(resolve);
      entry.failed.push(reject);
      waiting.set(id, entry);
      if (!reading) void readWaiting();
    });
};
