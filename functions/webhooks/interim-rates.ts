/** At most INTERIM_RATE_PER_SECOND interim turns of a call leave this process: more is more than the eye follows, and each is published. */
import { createBucket, type Bucket } from '../../core/domain/relay/bucket.ts';
import { INTERIM_RATE_PER_SECOND } from '../../core/protocol/limits.ts';

/** Calls remembered; the one that was quiet longest is forgotten first, and begins with a full bucket again. */
const CALLS_MAX_COUNT = 10_000;

export interface InterimRates {
  /** Whether one more of this call may pass. @param now monotonic milliseconds */
  passes(callSid: string, now: number): boolean;
}

/** Begins with nothing remembered. */
export const interimRates = (): InterimRates => {
  const buckets = new Map<string, Bucket>();
  return {
    passes: (callSid, now) => {
      const bucket = buckets.get(callSid) ?? createBucket(INTERIM_RATE_PER_SECOND, INTERIM_RATE_PER_SECOND, now);
      buckets.delete(callSid);
      buckets.set(callSid, bucket);
      if (buckets.size > CALLS_MAX_COUNT) buckets.delete(buckets.keys().next().value ?? '');
      return bucket.take(1, now);
    },
  };
};
