/** Asking for calls: what is sent, that nobody is called twice, and what became of it in words. */
import type { CallStatus } from '../../core/protocol/frames.ts';
import type { CallRow, DriverView } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';
import { ApiProblem, sentenceOf } from './http.ts';
import { STATUS_WORDS } from './status-words.ts';

/** Whom to call: drivers about their violations (no kinds: all), or one number. */
export type Wanted = { readonly drivers: readonly string[]; readonly kinds: readonly string[] } | { readonly number: string };

/** What became of one of them. */
export interface Dialed {
  /** The driver's id; null: a bare number. */
  readonly driver: string | null;
  /** null: there is no call. */
  readonly call: string | null;
  readonly words: string;
}

interface Begun {
  readonly call_sid: string;
  readonly status: CallStatus;
  readonly driver: { readonly driverId: string } | null;
}

/** Why somebody could not be called, by the API's code. */
const REFUSALS: Readonly<Record<string, string>> = {
  no_matching_triggers: 'Has no violation of the chosen kinds.',
  do_not_call: 'Is marked do-not-call.',
  outside_calling_hours: 'It is outside the calling hours where the driver is. Try again later.',
  prefix_not_allowed: 'Numbers that begin like this one may not be called from here.',
  no_phone_number: 'Has no phone number.',
  invalid_phone_number: 'The number is not complete: it has to begin with + and the country code, such as +15550100123.',
  driver_not_found: 'Is not known any more.',
  agent_not_found: 'No voice agent is set up for your company. An administrator has to name one.',
  dial_refused: 'The phone service refused the call.',
  provider_busy: 'As many calls as are allowed at once are under way. Try again when one has ended.',
  provider_unavailable: 'The phone service does not answer. Try again in a moment.',
  forbidden: 'Your role does not allow you to start calls.',
  call_erased: 'The call that this began was erased.',
  no_answer: 'No answer came. Press the button again: nobody is called twice.',
};

/** @param otherwise what to say of a code that has no words here */
export const refusalWords = (code: string, otherwise: string): string => REFUSALS[code] ?? otherwise;

/** What to tell whoever pressed the button, of what was thrown. */
export const problemWords = (error: unknown): string => (error instanceof ApiProblem ? refusalWords(error.code, sentenceOf(error)) : sentenceOf(error));

export interface DialKeys {
  /** The same wish has the same key however often it is sent - by a double click, or again after an answer that was lost - and so dials once. Another wish has another key. */
  of(wanted: Wanted): string;
  /** The API has said what became of it. */
  answered(wanted: Wanted): void;
  /** Somebody begins to wish anew: what was answered before may be wished for again. What was not keeps its key, since it may have begun a call. */
  begin(): void;
}

/** Whoever has waited for an answer for longer has looked at the board, and means another call. */
const UNANSWERED_KEPT_MS = 10 * 60_000;

/** The Idempotency-Keys of one page. @param now monotonic milliseconds */
export const dialKeys = (random: () => string = randomKey, now: () => number = () => performance.now()): DialKeys => {
  const keys = new Map<string, { readonly key: string; readonly at: number; isAnswered: boolean }>();
  const wishOf = (wanted: Wanted): string => JSON.stringify(requestOf(wanted));
  return {
    of: (wanted) => {
      const wish = wishOf(wanted);
      const known = keys.get(wish) ?? { key: random(), at: now(), isAnswered: false };
      keys.set(wish, known);
      return known.key;
    },
    answered: (wanted) => {
      const known = keys.get(wishOf(wanted));
      if (known !== undefined) known.isAnswered = true;
    },
    begin: () => {
      for (const [wish, { at, isAnswered }] of keys) if (isAnswered || now() - at > UNANSWERED_KEPT_MS) keys.delete(wish);
    },
  };
};

/** Whether the API has said that no call came of it; else one may have begun. */
export const isRefusal = (error: unknown): boolean => error instanceof ApiProblem && error.status !== null && error.status < 500;

/** Also on pages that are not from a secure origin, which have no `crypto.randomUUID`. */
const randomKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');

/** One driver about whatever there is may have no violation at all; several are called about theirs. */
const requestOf = (wanted: Wanted): { readonly path: string; readonly body: object } => {
  if ('number' in wanted) return { path: '/calls', body: { to: wanted.number } };
  const [driver] = wanted.drivers;
  if (wanted.drivers.length === 1 && wanted.kinds.length === 0) return { path: '/calls', body: { driver_id: driver } };
  return { path: '/driver_data/call-elevenlabs', body: { driver_ids: [...wanted.drivers].sort(), violation_types: [...wanted.kinds].sort() } };
};

/** Starts the calls. Rejects with ApiProblem where none began. */
export const dial = async (wanted: Wanted, key: string): Promise<readonly Dialed[]> => {
  const { path, body } = requestOf(wanted);
  const headers = { 'idempotency-key': key };
  if (path === '/calls') return [begunCall(await ask<CallRow>(path, { method: 'POST', body, headers }))];
  const { calls, failed } = await ask<{ readonly calls: readonly Begun[]; readonly failed: readonly { readonly driver_id: string; readonly code: string; readonly message: string }[] }>(path, { method: 'POST', body, headers });
  return [...calls.map(begunCall), ...failed.map(({ driver_id, code, message }): Dialed => ({ driver: driver_id, call: null, words: refusalWords(code, message) }))];
};

const begunCall = ({ driver, call_sid, status }: Begun): Dialed => ({ driver: driver?.driverId ?? null, call: call_sid, words: `${STATUS_WORDS[status]}.` });

/** Why the driver cannot be called at all; null: they can. */
export const notCallable = ({ do_not_call, phoneNumber }: Pick<DriverView, 'do_not_call' | 'phoneNumber'>): string | null => (do_not_call ? 'Do not call' : phoneNumber === null ? 'No phone number' : null);

/** Spaces, dashes, dots and brackets are how people write numbers. */
export const plainNumber = (typed: string): string => typed.replace(/[\s().-]/g, '');

/** The form that the API takes. */
export const isWholeNumber = (number: string): boolean => /^\+[1-9]\d{7,14}$/.test(number);

/** The time of day where the driver is, such as `9:14 AM Sun`; null where the zone is not known (to this browser). */
export const localTime = (timeZone: string | null, now: number): string | null => {
  if (timeZone === null) return null;
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone, hour: 'numeric', minute: '2-digit', weekday: 'short' }).format(now);
  } catch {
    return null;
  }
};
