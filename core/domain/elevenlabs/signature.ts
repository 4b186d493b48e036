/**
 * ElevenLabs' signature: header `ElevenLabs-Signature: t=<unix seconds>,v0=<lower-case hex>`, where
 * v0 = HMAC-SHA256(secret, t + "." + raw body) and the secret is used as text, its `wsec_` prefix included.
 * Source: `constructEvent` of npm @elevenlabs/elevenlabs-js 2.73.0.
 */
import { SIGNATURE_CANDIDATES_MAX_COUNT, SIGNATURE_FUTURE_MAX_SECONDS, SIGNATURE_PAST_MAX_SECONDS } from '../../protocol/limits.ts';

/** What a header says; null where it is not such a header at all. */
export interface SignatureHeader {
  readonly timestamp: string;
  readonly candidates: readonly string[];
}

/** Reads the header's form alone. Several `v0` are taken (a rotation may sign twice); one `t` is needed. */
export const parseSignatureHeader = (header: string | null | undefined): SignatureHeader | null => {
  if (typeof header !== 'string' || header.length > 2048) return null;
  let timestamp: string | null = null;
  const candidates: string[] = [];
  for (const part of header.split(',')) {
    const [name, value, ...more] = part.trim().split('=');
    if (value === undefined || more.length > 0) return null;
    if (name === 't') {
      if (timestamp !== null || !/^[0-9]{1,12}$/.test(value)) return null;
      timestamp = value;
    } else if (name === 'v0') {
      if (!/^[0-9a-f]{64}$/.test(value)) return null;
      candidates.push(value);
    }
  }
  if (timestamp === null || candidates.length === 0 || candidates.length > SIGNATURE_CANDIDATES_MAX_COUNT) return null;
  return { timestamp, candidates };
};

/** Whether a signature made at `timestamp` (unix seconds) is still, and already, to be believed. */
export const isTimely = (timestamp: string, nowMs: number): boolean => {
  const age = nowMs / 1000 - Number(timestamp);
  return age <= SIGNATURE_PAST_MAX_SECONDS && age >= -SIGNATURE_FUTURE_MAX_SECONDS;
};

/**
 * Whether one of the candidates is what one of the secrets makes of the body.
 * @param digests for each secret the lower-case hex HMAC over `<timestamp>.<raw body>`
 */
export const matches = (header: SignatureHeader, digests: readonly string[]): boolean => {
  let found = false;
  for (const digest of digests) {
    for (const candidate of header.candidates) found = equalInConstantTime(digest, candidate) || found;
  }
  return found;
};

/** Takes as long for a difference in the first character as for one in the last. Both are 64 hex characters. */
const equalInConstantTime = (a: string, b: string): boolean => {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
};
