/** ElevenLabs' published schedule: five attempts, each this long after the one before. */
const DELAYS_MS = [0, 30_000, 2 * 60_000, 8 * 60_000, 30 * 60_000] as const;
/** And up to a tenth on top. */
const JITTER = 0.1;
const RETRIED_TYPE = 'post_call_transcription';

/**
 * How long to wait before an attempt.
 * @param attempt counted from 1
 * @param random 0 <= x < 1
 * @returns milliseconds, or null when there is no such attempt
 */
export const attemptDelayMs = (attempt: number, random: number): number | null => {
  const delay = DELAYS_MS[attempt - 1];
  return delay === undefined ? null : Math.round(delay * (1 + JITTER * random));
};

/**
 * Whether ElevenLabs tries a delivery again: only the transcription, only on 5xx, 429 and 408.
 * @param status of the answer; null: none came. No source says what ElevenLabs does then: it is taken for a 408.
 */
export const isTriedAgain = (type: string, status: number | null): boolean =>
  type === RETRIED_TYPE && (status === null || status === 408 || status === 429 || status >= 500);
