/** What runs from time to time: plain functions, for a timer on one machine or a scheduler over HTTP. Each may run twice, or beside itself. */
import { RAW_KEPT_MS } from '../core/protocol/limits.ts';
import { eraseCall } from './calls/end-and-erase.ts';
import { freePending } from './calls/redrive.ts';
import { settleDials } from './calls/settle-dials.ts';
import type { Parts } from './parts.ts';

/** Calls erased by retention in one run; the rest follow in the next. */
const RETENTION_BATCH_COUNT = 500;
const DAY_MS = 24 * 60 * 60_000;

/** What a run did. */
export interface JobReport {
  readonly freed: number;
  readonly settled: number;
  readonly swept: number;
  readonly erased: number;
}

/** Frees waiting deliveries, settles dials, removes what is past its time. A part that fails is logged and does not stop the others. */
export const runJobs = async (parts: Parts): Promise<JobReport> => {
  const now = parts.runtime.now();
  const run = async (name: string, job: () => Promise<number>): Promise<number> => {
    try {
      return await job();
    } catch (error) {
      parts.log.error('a job failed; it runs again', { job: name }, error);
      return 0;
    }
  };
  const freed = await run('free pending deliveries', () => freePending(parts));
  const settled = await run('settle dials', () => settleDials(parts));
  const swept = (await run('sweep the directory', () => parts.directory.sweep(now))) + (await run('sweep raw deliveries', () => parts.rawStore.sweep(now - RAW_KEPT_MS)));
  const erased = await run('retention', () => retain(parts, now));
  await run('count the quarantine', async () => {
    const size = await parts.rawStore.quarantineSize();
    parts.metrics.set('earshot_quarantine_size', {}, size);
    return size;
  });
  return { freed, settled, swept, erased };
};

const retain = async (parts: Parts, now: number): Promise<number> => {
  const days = parts.settings.retentionDays;
  if (days === null) return 0;
  const calls = await parts.callLog.createdBefore(now - days * DAY_MS, RETENTION_BATCH_COUNT);
  for (const call of calls) await eraseCall(parts, call);
  return calls.length;
};
