/**
 * Error codes and close codes. Imports nothing: clients switch on these words, so each is written once,
 * here, with the sentence a person reads; `docs/generated/codes.md` is printed from these tables.
 */

interface ErrorRow {
  /** HTTP status of the problem document that carries it. */
  readonly status: number;
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean;
  readonly message: string;
}

export const ERRORS = {
  // What the caller sent
  invalid_request: { status: 400, retryable: false, message: 'The request does not have the form that this route takes.' },
  invalid_json: { status: 400, retryable: false, message: 'The body is not valid JSON.' },
  invalid_message: { status: 400, retryable: false, message: 'The message is not one of those that a client may send.' },
  invalid_cursor: { status: 400, retryable: false, message: 'The cursor was not given out by this server for this list.' },
  invalid_phone_number: { status: 400, retryable: false, message: 'The number is not in E.164 form: a plus sign and 8 to 15 digits.' },
  epoch_required: { status: 400, retryable: false, message: 'A position after the start needs the epoch it was read in.' },
  payload_too_large: { status: 413, retryable: false, message: 'The body is larger than this route takes.' },
  encoding_not_supported: { status: 415, retryable: false, message: 'Send the body without Content-Encoding.' },
  media_type_not_supported: { status: 415, retryable: false, message: 'Send the body as application/json.' },
  body_timeout: { status: 408, retryable: true, message: 'The body did not arrive in time.' },
  method_not_allowed: { status: 405, retryable: false, message: 'This path does not take that method.' },
  not_found: { status: 404, retryable: false, message: 'There is nothing at this path.' },
  upgrade_required: { status: 426, retryable: false, message: 'This path speaks WebSocket version 13.' },
  origin_not_allowed: { status: 403, retryable: false, message: 'This origin is not on the list of allowed origins.' },
  // Who
  token_missing: { status: 401, retryable: false, message: 'No access token was offered.' },
  token_invalid: { status: 401, retryable: false, message: 'The access token does not verify.' },
  token_expired: { status: 401, retryable: false, message: 'The access token has ended: sign in or refresh.' },
  ticket_invalid: { status: 401, retryable: false, message: 'The ticket is unknown, used or ended.' },
  signature_invalid: { status: 401, retryable: false, message: 'The signature does not verify.' },
  ingest_key_invalid: { status: 401, retryable: false, message: 'The ingest key is not known.' },
  credentials_invalid: { status: 401, retryable: false, message: 'User name or password is wrong.' },
  sign_in_ended: { status: 401, retryable: false, message: 'The sign-in is too long ago: sign in again.' },
  too_many_attempts: { status: 429, retryable: true, message: 'Too many failed sign-ins for this account: wait before the next.' },
  access_revoked: { status: 403, retryable: false, message: 'The right was taken away.' },
  forbidden: { status: 403, retryable: false, message: 'Your role does not allow this.' },
  different_subject: { status: 403, retryable: false, message: 'The fresh token belongs to somebody else.' },
  // What is asked for
  call_not_found: { status: 404, retryable: false, message: 'There is no such call.' },
  conversation_not_found: { status: 404, retryable: false, message: 'There is no such conversation.' },
  driver_not_found: { status: 404, retryable: false, message: 'There is no such driver.' },
  delivery_not_found: { status: 404, retryable: false, message: 'There is no such delivery in quarantine.' },
  event_not_found: { status: 404, retryable: false, message: 'There is no such event.' },
  recording_not_found: { status: 404, retryable: false, message: 'There is no recording of this call.' },
  call_erased: { status: 410, retryable: false, message: 'The call was erased.' },
  // What may not be done now
  not_subscribed: { status: 409, retryable: false, message: 'There is no subscription to that call.' },
  end_not_supported: { status: 409, retryable: false, message: 'The provider offers no way to end this call.' },
  call_already_ended: { status: 409, retryable: false, message: 'The call has ended.' },
  idempotency_key_reused: { status: 422, retryable: false, message: 'This Idempotency-Key belongs to another request body.' },
  too_many_subscriptions: { status: 429, retryable: false, message: 'This session has as many subscriptions as it may have.' },
  too_many_connections: { status: 429, retryable: false, message: 'This user has as many connections as it may have.' },
  slow_consumer: { status: 408, retryable: true, message: 'The reader took too little for too long; it may resume from its position.' },
  rate_limited: { status: 429, retryable: true, message: 'Too many messages: slow down.' },
  // Dialling
  no_matching_triggers: { status: 422, retryable: false, message: 'The driver has no violation of the types asked for.' },
  do_not_call: { status: 422, retryable: false, message: 'The driver is marked do-not-call.' },
  outside_calling_hours: { status: 422, retryable: true, message: 'It is outside the calling hours where the driver is.' },
  prefix_not_allowed: { status: 422, retryable: false, message: 'Numbers with this prefix may not be dialled.' },
  no_phone_number: { status: 422, retryable: false, message: 'The driver has no phone number.' },
  agent_not_found: { status: 422, retryable: false, message: 'The tenant has no such agent.' },
  dial_refused: { status: 502, retryable: false, message: 'The provider refused the dial.' },
  provider_busy: { status: 429, retryable: true, message: 'As many calls as the workspace may have are under way.' },
  provider_unavailable: { status: 502, retryable: true, message: 'The provider did not answer as it should.' },
  // Our own faults
  store_unavailable: { status: 503, retryable: true, message: 'The store does not answer: try again.' },
  secret_unavailable: { status: 503, retryable: true, message: 'The secret cannot be read: try again.' },
  relay_full: { status: 503, retryable: true, message: 'This relay is full: try again.' },
  draining: { status: 503, retryable: true, message: 'This relay is closing: try again.' },
  server_fault: { status: 500, retryable: true, message: 'Something went wrong on our side.' },
} as const satisfies Record<string, ErrorRow>;

/** A stable word for what went wrong: the same in problem documents and in error frames. */
export type ErrorCode = keyof typeof ERRORS;

/** A failure that its caller should hear of: a code first, a sentence second. Carries no secret and no text of a call. */
export class EarshotError extends Error {
  override readonly name = 'EarshotError';
  readonly code: ErrorCode;
  /** Seconds after which to try again, where that is known. */
  readonly retryAfterSeconds: number | null;
  /** Which fields of the request, in words, without their values. */
  readonly problems: readonly string[];
  constructor(code: ErrorCode, more: { readonly retryAfterSeconds?: number; readonly problems?: readonly string[] } = {}) {
    super(ERRORS[code].message);
    this.code = code;
    this.retryAfterSeconds = more.retryAfterSeconds ?? null;
    this.problems = more.problems ?? [];
  }
}

/**
 * Close codes: the number says whether to come back. 4000-4499: come back (after the given or a jittered delay);
 * 4500-4999: do not come back as you are. 1012 on drain; 1001 never alone.
 */
export const CLOSE_CODES = {
  moving: { code: 4000, message: 'The session did not follow a request to move to another relay.' },
  slow_consumer: { code: 4001, message: 'The reader took too little for too long; it may resume from its position.' },
  server_fault: { code: 4002, message: 'Something went wrong on our side.' },
  rate_limited: { code: 4003, message: 'The client sent too many messages.' },
  protocol_violation: { code: 4500, message: 'The client sent something that the protocol does not allow.' },
  token_missing: { code: 4501, message: 'No access token was offered in time.' },
  token_invalid: { code: 4502, message: 'The access token does not verify.' },
  token_expired: { code: 4503, message: 'The access token has ended.' },
  access_revoked: { code: 4504, message: 'The right to be here was taken away.' },
  too_many_connections: { code: 4505, message: 'This user has as many connections as it may have.' },
  draining: { code: 1012, message: 'The relay is restarting.' },
  going_away: { code: 1000, message: 'Closed at the wish of the client.' },
} as const satisfies Record<string, { readonly code: number; readonly message: string }>;

/** The name of a close code. */
export type CloseName = keyof typeof CLOSE_CODES;
