/**
 * Asks the log every COMPARE_MS what changed in the tenants served: what the bus lost is found here. The log is the truth,
 * the bus is the fast hint.
 */
import type { CallState } from '../core/domain/call/state.ts';
import { COMPARE_MS } from '../core/protocol/limits.ts';
import type { RelayParts } from './parts.ts';

export interface Comparison {
  /** Makes the first comparison, again and again until it works, and goes on. */
  start(): Promise<void>;
  stop(): void;
  /** When the last comparison that worked was begun, by the wall clock as it is now: it may have jumped since. null: none yet. */
  verifiedAt(): number | null;
  /** Writes the gauge of how long ago that was; as long as there was none, of how long one has been wanted. */
  measure(): void;
}

/** Who is told what the log has and the bus may not have said. */
export interface Findings {
  changed(call: CallState): void;
  /** The call is no more: whoever watches it has to be told. */
  erased(tenant: string, callSid: string): void;
}

/** @param tenants those with sessions now */
export const createComparison = (
  { callLog, runtime, log, metrics }: Pick<RelayParts, 'callLog' | 'runtime' | 'log' | 'metrics'>,
  tenants: () => readonly string[],
  tell: Findings,
): Comparison => {
  let mark: string | null = null;
  /** Monotonic. */
  let verifiedAt: number | null = null;
  let stopped = false;

  const compare = async (): Promise<void> => {
    for (;;) {
      const asked = runtime.monotonic();
      const served = [...tenants()];
      // Nobody is here: only a new mark is asked for, so that the next question is a short one.
      const idle = served.length === 0;
      const answer = await callLog.changes(idle ? null : served, idle ? null : mark);
      metrics.observe('earshot_log_read_seconds', { kind: 'changes' }, (runtime.monotonic() - asked) / 1000);
      for (const call of answer.calls) tell.changed(call);
      for (const call of answer.erased) tell.erased(call.tenant, call.call_sid);
      // A tenant that came while the question was under way was not asked for: the mark stays, and the same is asked again for all.
      const joined = mark !== null && tenants().some((tenant) => !served.includes(tenant));
      if (!joined) mark = answer.mark;
      if (stopped) return;
      if (!joined && !answer.more) {
        verifiedAt = asked;
        return;
      }
    }
  };

  const began = runtime.monotonic();
  const measure = (): void => metrics.set('earshot_verified_age_seconds', {}, (runtime.monotonic() - (verifiedAt ?? began)) / 1000);

  const compareOrWarn = async (): Promise<void> => {
    try {
      await compare();
    } catch (error) {
      measure();
      log.warn('The comparison with the log failed', { error: error instanceof Error ? error.name : 'unknown' });
    }
  };

  const next = (): void => {
    if (stopped) return;
    runtime.after(COMPARE_MS, () => {
      if (!stopped) void compareOrWarn().then(next);
    });
  };

  const pause = (): Promise<void> => new Promise((resolve) => void runtime.after(COMPARE_MS, resolve));

  return {
    start: async () => {
      await compareOrWarn();
      while (verifiedAt === null && !stopped) {
        await pause();
        await compareOrWarn();
      }
      next();
    },
    stop: () => (stopped = true),
    measure,
    verifiedAt: () => (verifiedAt === null ? null : runtime.now() - (runtime.monotonic() - verifiedAt)),
  };
};
