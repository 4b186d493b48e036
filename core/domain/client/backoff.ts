/** When to come back: full jitter, so that those who left together do not come back together. */

/** The least and the most that a client waits. */
export const BACKOFF_MIN_MS = 300;
export const BACKOFF_MAX_MS = 30_000;

/** Wait before the attempt that follows `failures` failures in a row. `random`: 0 <= x < 1. */
export const backoffMs = (failures: number, random: number): number => {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 20));
  return Math.max(BACKOFF_MIN_MS, Math.round(random * most));
};

/** What a close code asks of a client. A browser shows every refused or broken connection as 1006. */
export type AfterClose = 'come_back' | 'fresh_token' | 'stop';

/** 4500-4999 and the protocol's own verdicts on what was sent: not as you are. 4503: with a fresh token, once. */
export const afterClose = (code: number): AfterClose => {
  if (code === 4503) return 'fresh_token';
  if (code >= 4500 && code <= 4999) return 'stop';
  return code === 1002 || code === 1003 || code === 1007 || code === 1009 ? 'stop' : 'come_back';
};
