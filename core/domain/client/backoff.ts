/** When to come back: full jitter, so that those who left together do not come back together. */

/** The least and the most that a client waits. */
export const BACKOFF_MIN_MS = 300;
export const BACKOFF_MAX_MS = 30_000;

/** Wait before the attempt that follows `failures` failures in a row. `random`: 0 <= x < 1. */
export const backoffMs = (failures: number, random: number): number => {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 20));
  return Math.max(BACKOFF_MIN_MS, Math.round(random * most));
};

/** Whether a close code says not to come back as you are: 4500-4999, and the protocol's own verdicts on what was sent. A browser shows every refused or broken connection as 1006. */
export const isFinal = (code: number): boolean => /^(4[5-9]..|100[2379])$/.test(String(code));

/** The token had ended: with a fresh one, once. */
export const TOKEN_EXPIRED = 4503;
