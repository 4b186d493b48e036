/**
 * How long an account rests after failed sign-ins: nothing for a few slips of the finger, then twice as long each time. Kept with the
 * account, not with an address: the caller writes addresses (X-Forwarded-For) as it likes.
 */

/** What an account remembers of its failures. */
export interface SignInFailures {
  readonly failed_sign_ins: number;
  /** Milliseconds since 1970. */
  readonly sign_in_blocked_until: number;
}

/** Failures in a row that cost nothing. */
export const FREE_FAILURES_COUNT = 4;
const FIRST_REST_MS = 2_000;
/** An attacker must not be able to lock somebody out for long. */
export const REST_MAX_MS = 5 * 60_000;

export const NO_FAILURES: SignInFailures = { failed_sign_ins: 0, sign_in_blocked_until: 0 };

/** Seconds until the next attempt is taken, rounded up; 0: now. */
export const secondsToWait = (account: SignInFailures, now: number): number => Math.max(0, Math.ceil((account.sign_in_blocked_until - now) / 1000));

/** The account after one more failure. */
export const afterFailure = (account: SignInFailures, now: number): SignInFailures => {
  const failed = account.failed_sign_ins + 1;
  const rest = failed <= FREE_FAILURES_COUNT ? 0 : Math.min(REST_MAX_MS, FIRST_REST_MS * 2 ** (failed - FREE_FAILURES_COUNT - 1));
  return { failed_sign_ins: failed, sign_in_blocked_until: rest === 0 ? account.sign_in_blocked_until : now + rest };
};
