/** What a client waits for, and how often it fails before it does otherwise. */

/** A connection that is not up by then is given up. */
export const OPENING_MAX_MS = 10_000;
/** Nothing at all for this long: the connection is dead, whatever the socket says. */
export const SILENCE_MAX_MS = 50_000;
/** After a sleep the socket has this long to show that it lives. */
export const PONG_MAX_MS = 5_000;
/** Failures in a row after which the client polls beside its attempts. */
export const POLL_AFTER_FAILURES = 3;
/** A connection that lasted this long was a good one: the next attempt begins without a grudge. */
export const GOOD_CONNECTION_MS = 10_000;
/** How long `restored` is shown. */
export const RESTORED_MS = 3_000;
/** Without a heartbeat for this long nothing is confirmed (they come every 15 s). */
export const FRESH_MAX_MS = 35_000;
/** The relay compares with its log every 5 s; three missed comparisons mean that it does not see the log. */
export const VERIFIED_LAG_MAX_MS = 15_000;
