/** ElevenLabs' own routes: dial, read, list, audio. */
import { z } from 'zod';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { CallRecord } from './call-record.ts';
import { misbehaving } from './call-record.ts';
import { conversationOf, durationSeconds, startSeconds, summaryOf } from './conversation.ts';
import type { Answer } from './http.ts';
import { json, problem } from './http.ts';
import { standardOr } from './running-call.ts';
import { silentMp3 } from './silent-mp3.ts';
import type { Placed, Simulator } from './simulator.ts';

const OutboundCall = z.object({
  agent_id: z.string().min(1),
  agent_phone_number_id: z.string().min(1),
  to_number: z.string().min(1),
  conversation_initiation_client_data: z
    .object({ user_id: z.string().nullish(), dynamic_variables: z.record(z.string(), z.unknown()).nullish() })
    .nullish(),
});

/** What is to be done with a dial's request: answer at `when`, then let the phone ring (or ring first and answer later). */
export interface DialPlan {
  /** null: the request is never answered. */
  readonly answer: Answer | null;
  /** Called when the answer has been sent. */
  readonly afterAnswer: () => void;
  /** Resolves when the answer is due. */
  readonly due: Promise<void>;
}

/** Takes a dial. */
export const dial = (simulator: Simulator, telephony: 'twilio' | 'sip_trunk', body: unknown): DialPlan => {
  const parsed = OutboundCall.safeParse(body);
  if (!parsed.success) {
    const detail = parsed.error.issues.map((issue) => ({ type: 'missing', loc: ['body', ...issue.path], msg: 'Field required' }));
    return atOnce(json(422, { detail }));
  }
  if (!/^\+[1-9]\d{7,14}$/.test(parsed.data.to_number)) return atOnce(json(400, { detail: 'Invalid phone number' }));
  const client = parsed.data.conversation_initiation_client_data;
  const placed = simulator.place({
    telephony,
    direction: 'outbound',
    agent_id: parsed.data.agent_id,
    phone_number_id: parsed.data.agent_phone_number_id,
    to_number: parsed.data.to_number,
    user_id: client?.user_id ?? null,
    dynamic_variables: client?.dynamic_variables ?? {},
  });
  if (placed.placed !== 'accepted') return atOnce(refusalOf(placed));
  return planFor(simulator, placed.record, placed.start);
};

const atOnce = (answer: Answer): DialPlan => ({ answer, afterAnswer: () => undefined, due: Promise.resolve() });

const refusalOf = (placed: Exclude<Placed, { placed: 'accepted' }>): Answer => {
  const how = placed.placed === 'busy' ? 'dial_429' : placed.how;
  switch (how) {
    case 'dial_429':
      return json(429, {
        detail: { type: 'rate_limit_error', code: 'concurrent_limit_exceeded', message: 'Too many calls at once.', status: 'concurrent_limit_exceeded', request_id: null, param: null },
      });
    case 'dial_500':
      return problem(500, 'internal_error', 'Something went wrong.');
    case 'dial_html':
      return { status: 502, content_type: 'text/html', body: '<html><body><h1>502 Bad Gateway</h1></body></html>' };
    case 'dial_success_false':
      return json(200, { success: false, message: 'The carrier refused the call.', conversation_id: null, callSid: null });
  }
};

const planFor = (simulator: Simulator, record: CallRecord, start: Extract<Placed, { placed: 'accepted' }>['start']): DialPlan => {
  const answer = json(200, {
    success: true,
    message: 'Success',
    conversation_id: misbehaving(record, 'no_conversation_id') === null ? record.conversation_id : null,
    [record.telephony === 'twilio' ? 'callSid' : 'sip_call_id']: record.carrier_call_id,
  });
  const late = misbehaving(record, 'answer_late');
  const nothing = (): void => undefined;
  if (misbehaving(record, 'never_answer') !== null) {
    start();
    return { answer: null, afterAnswer: nothing, due: Promise.resolve() };
  }
  if (misbehaving(record, 'webhook_before_answer') !== null) return { answer, afterAnswer: nothing, due: start().ended };
  if (late === null) return { answer, afterAnswer: () => void start(), due: Promise.resolve() };
  start();
  const due = new Promise<void>((resolve) => void simulator.runtime.after(standardOr(late, simulator.settings.pace), resolve));
  return { answer, afterAnswer: nothing, due };
};

/** One conversation. */
export const conversation = (simulator: Simulator, id: string): Answer => {
  const record = simulator.record(id);
  return record === null ? notFound() : json(200, conversationOf(record));
};

const notFound = (): Answer => problem(404, 'conversation_not_found', 'There is no such conversation.');

/** The recording, once the call is over: silence as long as the call. */
export const audio = (simulator: Simulator, id: string): Answer => {
  const record = simulator.record(id);
  if (record?.status !== 'done') return notFound();
  return { status: 200, content_type: 'audio/mpeg', body: silentMp3(durationSeconds(record)) };
};

const PAGE_MAX_ROWS = 100;
const PAGE_DEFAULT_ROWS = 30;

/** A page of conversations, newest first. The cursor is the number of the last call shown. */
export const conversations = (simulator: Simulator, query: URLSearchParams): Answer => {
  const size = Number(query.get('page_size') ?? PAGE_DEFAULT_ROWS);
  const before = cursorNumber(query.get('cursor'));
  if (!Number.isInteger(size) || size < 1 || size > PAGE_MAX_ROWS || before === null) {
    return json(422, { detail: [{ type: 'value_error', loc: ['query'], msg: 'Input should be a valid page' }] });
  }
  const rows = simulator.records().filter((record) => record.number < before && isWanted(record, query));
  const page = rows.slice(0, size);
  const last = page.at(-1);
  const more = rows.length > page.length;
  return json(200, {
    conversations: page.map(summaryOf),
    next_cursor: more && last !== undefined ? Buffer.from(String(last.number)).toString('base64url') : null,
    has_more: more,
  });
};

const cursorNumber = (cursor: string | null): number | null => {
  if (cursor === null) return Number.POSITIVE_INFINITY;
  const text = Buffer.from(cursor, 'base64url').toString();
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
};

const isWanted = (record: CallRecord, query: URLSearchParams): boolean => {
  const startedAfter = query.get('call_start_after_unix');
  const userId = query.get('user_id');
  const agentId = query.get('agent_id');
  return (
    (startedAfter === null || startSeconds(record) >= Number(startedAfter)) &&
    (userId === null || record.user_id === userId) &&
    (agentId === null || record.agent_id === agentId) &&
    !listed(query, 'exclude_statuses').includes(record.status) &&
    listed(query, 'dynamic_variable_params').every((condition) => holds(condition, record))
  );
};

const listed = (query: URLSearchParams, name: string): readonly string[] => [...query.getAll(name), ...query.getAll(`${name}[]`)];

/** `name:eq:value`; other operators of ElevenLabs' are not simulated and hold for no call. */
const holds = (condition: string, record: CallRecord): boolean => {
  const [name = '', operator, ...value] = condition.split(':');
  return operator === 'eq' && String(record.dynamic_variables[name]) === value.join(':');
};

/** The account's webhooks: ours alone. ElevenLabs lists no `retry_enabled`, though it takes one. */
export const webhooks = ({ settings: { webhookBaseUrl, disabled } }: Simulator): Answer =>
  json(200, {
    webhooks:
      webhookBaseUrl === null
        ? []
        : [{
            name: 'Earshot',
            webhook_id: 'webhook_simulated',
            webhook_url: webhookBaseUrl + WEBHOOK_PATHS['post-call'],
            is_disabled: false,
            is_auto_disabled: disabled,
            created_at_unix: 1_760_000_000,
            auth_type: 'hmac',
            most_recent_failure_error_code: disabled ? 503 : null,
            most_recent_failure_timestamp: disabled ? 1_760_000_001 : null,
          }],
  });
