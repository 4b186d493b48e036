/** What an answer to ElevenLabs' one dial POST means. Pure. */
import { idText } from '../core/domain/elevenlabs/conversation.ts';
import type { DialAnswer } from './voice-provider.ts';

/** A word fit for a reason: short, and nobody's sentence. */
const WORD = /^[a-z][a-z0-9_-]{0,63}$/;

/**
 * Judges an answer. Where nobody can say whether a phone rings, the answer is `unknown`.
 * @param status HTTP status
 * @param body the parsed JSON; undefined: the body was no JSON, or too long
 */
export const answerOfDial = (status: number, body: unknown): DialAnswer => {
  const fields = record(body);
  if (status === 429) return { result: 'refused', reason: reasonIn(fields) ?? 'rate_limited', busy: true };
  if (status >= 400 && status < 500 && status !== 408) return { result: 'refused', reason: reasonIn(fields) ?? `http_${status}`, busy: false };
  if (status < 200 || status > 299) return { result: 'unknown', reason: `http_${status}` };
  if (fields['success'] === false) return { result: 'refused', reason: 'not_successful', busy: false };
  if (fields['success'] !== true) return { result: 'unknown', reason: 'answer_not_understood' };
  return {
    result: 'accepted',
    conversation_id: idAt(fields, 'conversation_id', 'conversationId'),
    provider_call_id: idAt(fields, 'callSid', 'call_sid', 'sip_call_id', 'sipCallId'),
  };
};

/** Faults that come before a byte of the request was sent. */
const BEFORE_SENDING = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Judges a POST that ended without an answer. Only where certainly nothing was sent is it `refused`.
 * @param error what fetch rejected with; undici names the cause by a code
 */
export const answerOfFailure = (error: unknown): DialAnswer => {
  if (codesIn(error).some((code) => BEFORE_SENDING.has(code))) return { result: 'refused', reason: 'provider_unreachable', busy: false };
  const timedOut = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
  return { result: 'unknown', reason: timedOut ? 'no_answer_in_time' : 'connection_lost' };
};

/** The codes of an error, of its causes and, where several addresses were tried, of all of them. */
const codesIn = (error: unknown): readonly string[] => {
  if (!(error instanceof Error)) return [];
  const { code } = error as { readonly code?: unknown };
  const own = typeof code === 'string' ? [code] : [];
  return [...own, ...codesIn(error.cause)];
};

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};

/** The first of these members that can be an id. */
const idAt = (fields: Readonly<Record<string, unknown>>, ...names: readonly string[]): string | null =>
  names.map((name) => idText(fields[name])).find((id) => id !== null) ?? null;

/** ElevenLabs' `detail` is an object with a word in it, a list of faulty fields (422), or free text that is not ours to repeat. */
const reasonIn = (fields: Readonly<Record<string, unknown>>): string | null => {
  const detail = fields['detail'];
  if (Array.isArray(detail)) return 'invalid_request';
  const { code, status, type } = record(detail);
  const word = [code, status, type].find((candidate) => typeof candidate === 'string' && WORD.test(candidate));
  return typeof word === 'string' ? word : null;
};
