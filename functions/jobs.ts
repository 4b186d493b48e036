/** What runs from time to time: plain functions, for a timer on one machine or a scheduler over HTTP. Each may run twice, or beside itself. */
import { RAW_KEPT_MS } from '../core/protocol/limits.ts';
import { eraseCall } from './calls/end-and-erase.ts';
import { freePending } from './calls/redrive.ts';
import { settleDials } from './calls/settle-dials.ts';
import type { Parts } from './parts.ts';
import { lookAtWebhooks } from './reconciler/look-at-webhooks.ts';
import { followCalls, reconcile, type Reconciled } from './reconciler/reconcile.ts';

/** Calls erased by retention in one run; the rest follow in the next. */
const RETENTION_BATCH_COUNT = 500;
const DAY_MS = 24 * 60 * 60_000;

/** What the jobs for calls did. */
export interface CallsReport {
  /** Deliveries that waited and could be used. */
  readonly freed: number;
  readonly reconciled: Reconciled;
  /** Dials whose outcome is known to be unknown now, or that need a person. */
  readonly settled: number;
}

/** What a run of all jobs did. */
export interface JobReport extends CallsReport {
  readonly swept: number;
  readonly erased: number;
}

/** All of them. A part that fails is logged and does not stop the others. */
export const runJobs = async (parts: Parts): Promise<JobReport> => ({ ...(await runReconciler(parts)), ...(await runJanitor(parts)), ...(await runRetention(parts)) });

/** What people wait for on their screens: waiting deliveries, how far calls are, what became of dials. Asks the provider only about calls that have not ended. */
export const runFollower = (parts: Parts): Promise<CallsReport> => callJobs(parts, followCalls);

/** As `runFollower`, and compares with the provider's list. */
export const runReconciler = (parts: Parts): Promise<CallsReport> => callJobs(parts, reconcile);

const NOT_RECONCILED: Reconciled = { polled: 0, found: 0, finished: 0, settled: 0 };

const callJobs = async (parts: Parts, compare: (parts: Parts) => Promise<Reconciled>): Promise<CallsReport> => {
  const freed = await run(parts, 'free pending deliveries', 0, () => freePending(parts));
  // Before the dials are given up: what can be found is found.
  const reconciled = await run(parts, 'reconcile', NOT_RECONCILED, () => compare(parts));
  const settled = await run(parts, 'settle dials', 0, () => settleDials(parts));
  return { freed, reconciled, settled };
};

/** Removes what is past its time, counts the quarantine, and looks whether the provider still sends. */
export const runJanitor = async (parts: Parts): Promise<{ readonly swept: number }> => {
  const now = parts.runtime.now();
  const entries = await run(parts, 'sweep the directory', 0, () => parts.directory.sweep(now));
  const erasures = await run(parts, 'sweep the log', 0, () => parts.callLog.sweep());
  const deliveries = await run(parts, 'sweep raw deliveries', 0, () => parts.rawStore.sweep(now - RAW_KEPT_MS));
  const subscriptions = await run(parts, 'sweep the bus', 0, () => parts.bus.sweep());
  await run(parts, 'look at the webhooks of the provider', undefined, () => lookAtWebhooks(parts));
  await run(parts, 'count the quarantine', undefined, async () => parts.metrics.set('earshot_quarantine_size', {}, await parts.rawStore.quarantineSize()));
  return { swept: entries + erasures + deliveries + subscriptions };
};

/** Erases calls older than RETENTION_DAYS; none where that is not set. */
export const runRetention = async (parts: Parts): Promise<{ readonly erased: number }> => ({ erased: await run(parts, 'retention', 0, () => retain(parts)) });

const retain = async (parts: Parts): Promise<number> => {
  const days = parts.settings.retentionDays;
  if (days === null) return 0;
  const calls = await parts.callLog.createdBefore(parts.runtime.now() - days * DAY_MS, RETENTION_BATCH_COUNT);
  let erased = 0;
  for (const call of calls) {
    // One that fails is erased in the next run; the others must not wait for it.
    erased += await run(parts, 'erase a call', 0, async () => {
      await eraseCall(parts, call);
      return 1;
    });
  }
  return erased;
};

const run = async <T>(parts: Parts, name: string, failed: T, job: () => Promise<T>): Promise<T> => {
  try {
    return await job();
  } catch (error) {
    parts.log.error('a job failed; it runs again', { job: name }, error);
    return failed;
  }
};
