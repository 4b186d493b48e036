/** Whether what a client shows is confirmed: by the page's own monotonic clock, and by the relay's word on its own log. */

/** Without a heartbeat for this long nothing is confirmed (they come every 15 s). */
export const FRESH_MAX_MS = 35_000;
/** The relay compares every 5 s; three missed comparisons mean that it does not see the log. */
const VERIFIED_LAG_MAX_MS = 15_000;

export interface Beat {
  /** Monotonic time when it came. */
  readonly at: number;
  /** The relay's wall clock then; milliseconds. */
  readonly serverTime: number;
  /** How long before it the relay had compared with the log; null: it never had. */
  readonly lagMs: number | null;
}

/** Reads a heartbeat; null where it is none. */
export const readBeat = (frame: Readonly<Record<string, unknown>>, now: number): Beat | null => {
  const serverTime = Date.parse(String(frame['server_time']));
  if (Number.isNaN(serverTime)) return null;
  const verifiedAt = typeof frame['verified_at'] === 'string' ? Date.parse(frame['verified_at']) : NaN;
  return { at: now, serverTime, lagMs: Number.isNaN(verifiedAt) ? null : serverTime - verifiedAt };
};

export const isFresh = (beat: Beat | null, now: number): boolean =>
  beat !== null && now - beat.at < FRESH_MAX_MS && beat.lagMs !== null && beat.lagMs <= VERIFIED_LAG_MAX_MS;
