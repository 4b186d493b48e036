import { describe, expect, it } from 'vitest';
import { afterFailure, FREE_FAILURES_COUNT, NO_FAILURES, REST_MAX_MS, secondsToWait, type SignInFailures } from '../../core/domain/sign-in.ts';

const NOW = 1_000_000;
const failures = (count: number): SignInFailures => Array.from({ length: count }).reduce<SignInFailures>((account) => afterFailure(account, NOW), NO_FAILURES);

describe('failed sign-ins', () => {
  it('cost nothing at first', () => {
    expect(secondsToWait(failures(FREE_FAILURES_COUNT), NOW)).toBe(0);
  });
  it.each([
    [5, 2],
    [6, 4],
    [7, 8],
    [12, 256],
    [13, 300],
    [1000, 300],
  ])('after %i in a row the account rests %i seconds', (count, seconds) => {
    expect(secondsToWait(failures(count), NOW)).toBe(seconds);
    expect(secondsToWait(failures(count), NOW + seconds * 1000 - 1)).toBe(1);
    expect(secondsToWait(failures(count), NOW + seconds * 1000)).toBe(0);
  });
  it('never lock an account for longer than a few minutes', () => {
    expect(failures(10_000).sign_in_blocked_until).toBe(NOW + REST_MAX_MS);
  });
});
