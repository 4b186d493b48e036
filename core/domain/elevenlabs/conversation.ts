/**
 * From ElevenLabs' conversation object (the `data` of a post-call webhook, the answer of GET conversation) to the outcome of a
 * call. Nearly every field there is optional or nullable, and shapes differ between the documentation and the wire: whatever has
 * not the expected form reads as null, and only an object without any conversation at all is refused.
 */
import { ID_FORM } from '../../protocol/id-form.ts';
import { ID_MAX_CHARACTERS } from '../../protocol/limits.ts';
import { canonical } from '../call/keys.ts';
import { failedOutcome } from '../call/outcome.ts';
import type { FinalTool, FinalTurn, Outcome } from '../call/facts.ts';
import type { CallStatus, Speaker } from '../../protocol/frames.ts';
import { withMembers } from '../members.ts';
import { cutToCharacters, cutToJsonBytes } from '../text.ts';
import { asBoolean, asNumber, asRecord, asText, type JsonRecord } from './json.ts';

/** Room in the projection for each of its long texts. */
const SUMMARY_MAX_BYTES = 12 * 1024;
const TITLE_MAX_CHARACTERS = 300;
const REASON_MAX_CHARACTERS = 500;

/** Never to reach log, projection, bus or an answer: headers of tools, the transcript again, secrets of the account. */
const isHidden = (name: string): boolean => name === 'tool_details' || name === 'system__conversation_history' || name.startsWith('secret__');

/** The value without hidden members, at any depth. */
export const withoutHidden = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(withoutHidden);
  return withMembers(value, Object.keys(value).filter((name) => !isHidden(name)), withoutHidden);
};

/** ElevenLabs' `initiated`, `in-progress`, `processing`, `done`, `failed`; null for a word that is none of them. */
export const statusOf = (word: unknown): CallStatus | null => {
  switch (word) {
    case 'initiated':
      return 'dialing';
    case 'in-progress':
    case 'in_progress':
      return 'in_progress';
    case 'processing':
      return 'processing';
    case 'done':
      return 'completed';
    case 'failed':
      return 'failed';
    default:
      return null;
  }
};

/** Our own id, if we asked for the call: dynamic variables come back unchanged. */
export const ownCallSid = (data: JsonRecord): string | null => asText(asRecord(asRecord(data['conversation_initiation_client_data'])['dynamic_variables'])['earshot_call_sid']);

/** The carrier's id of the phone call, whichever carrier. */
export const providerCallId = (data: JsonRecord): string | null => {
  const phone = asRecord(asRecord(data['metadata'])['phone_call']);
  return idText(phone['call_sid']) ?? idText(phone['sip_call_id']) ?? idText(asRecord(asRecord(data['conversation_initiation_client_data'])['dynamic_variables'])['system__call_sid']);
};

/**
 * The outcome of a conversation that is `done` or `failed`.
 * @param terminal which of the two
 */
export const outcomeOf = (data: JsonRecord, terminal: 'completed' | 'failed'): Outcome => {
  const metadata = asRecord(data['metadata']);
  const analysis = asRecord(data['analysis']);
  const phone = asRecord(metadata['phone_call']);
  const error = asRecord(metadata['error']);
  const seconds = asNumber(metadata['start_time_unix_secs']);
  const direction = phone['direction'];
  const result = asText(phone['call_result']);
  return {
    status: terminal,
    reason: terminal === 'failed' ? shortReason(asText(error['reason']) ?? result ?? asText(metadata['termination_reason']) ?? 'failed') : null,
    started_at: seconds === null || seconds <= 0 || seconds > 1e10 ? null : Math.round(seconds * 1000),
    transcript_summary: cutNullable(asText(analysis['transcript_summary']), (text) => cutToJsonBytes(text, SUMMARY_MAX_BYTES)),
    call_duration_seconds: asNumber(metadata['call_duration_secs']),
    ...costOf(metadata),
    ...successOf(analysis['call_successful']),
    call_summary_title: cutNullable(asText(analysis['call_summary_title']), (text) => cutToCharacters(text, TITLE_MAX_CHARACTERS)),
    termination_reason: cutNullable(asText(metadata['termination_reason']), shortReason),
    analysis_data: jsonText(data['analysis']),
    metadata_json: jsonText(data['metadata']),
    evaluation_results: withoutHidden(analysis['evaluation_criteria_results'] ?? null),
    collection_results: withoutHidden(analysis['data_collection_results'] ?? null),
    direction: direction === 'inbound' || direction === 'outbound' ? direction : null,
    agent_id: idText(data['agent_id']),
    transcript: Array.isArray(data['transcript']) ? data['transcript'].flatMap(turnOf) : null,
    tools: Array.isArray(data['transcript']) ? toolsOf(data['transcript']) : [],
  };
};

/** The outcome that a `call_initiation_failure` tells. */
export const initiationFailureOf = (data: JsonRecord): Outcome => ({
  ...failedOutcome(shortReason(asText(data['failure_reason']) ?? 'unknown')),
  outcome: 'failure',
  call_successful: false,
  metadata_json: jsonText(data['metadata']),
  agent_id: idText(data['agent_id']),
});

/** An id that somebody else chose, where it can be one. */
export const idText = (value: unknown): string | null => {
  const text = asText(value);
  return text === null || text.length > ID_MAX_CHARACTERS || !ID_FORM.test(text) ? null : text;
};

const shortReason = (text: string): string => cutToCharacters(text, REASON_MAX_CHARACTERS);
const cutNullable = (text: string | null, cut: (text: string) => string): string | null => (text === null ? null : cut(text));

const jsonText = (value: unknown): string | null => (value === undefined || value === null ? null : canonical(withoutHidden(value)));

/** Dollars: `cost_fiat`, else `cost` where it has a fraction (an older shape); an integer `cost` is credits. */
const costOf = (metadata: JsonRecord): { cost: number | null; cost_credits: number | null } => {
  const fiat = asNumber(metadata['cost_fiat']);
  const cost = asNumber(metadata['cost']);
  const credits = cost !== null && Number.isInteger(cost) ? cost : null;
  return { cost: fiat ?? (credits === null ? cost : null), cost_credits: credits };
};

/** `success` / `failure` / `unknown`; an older shape has a boolean. */
const successOf = (value: unknown): { call_successful: boolean | null; outcome: string | null } => {
  const boolean = asBoolean(value);
  if (boolean !== null) return { call_successful: boolean, outcome: boolean ? 'success' : 'failure' };
  const word = cutNullable(asText(value), (text) => cutToCharacters(text, 64));
  return { call_successful: word === 'success' ? true : word === 'failure' ? false : null, outcome: word };
};

/** `user` is our driver. */
export const speakerOf = (role: unknown): Speaker | null => (role === 'agent' ? 'agent' : role === 'user' || role === 'driver' ? 'driver' : null);

const turnOf = (row: unknown): FinalTurn[] => {
  const record = asRecord(row);
  const speaker = speakerOf(record['role']);
  const text = asText(record['message']);
  if (speaker === null || text === null || text === '') return [];
  const event = record['source_event_id'];
  return [
    {
      speaker,
      text,
      time_in_call_secs: asNumber(record['time_in_call_secs']),
      source_event_id: typeof event === 'number' || typeof event === 'string' ? String(event).slice(0, ID_MAX_CHARACTERS) : null,
    },
  ];
};

const toolsOf = (rows: readonly unknown[]): FinalTool[] => {
  const tools = new Map<string, FinalTool>();
  for (const row of rows) {
    const record = asRecord(row);
    for (const call of listOf(record['tool_calls'])) {
      const id = idText(call['request_id']);
      const name = idText(call['tool_name']);
      if (id !== null && name !== null) tools.set(id, { tool_call_id: id, tool_name: name, is_error: null, duration_ms: null, completed: false });
    }
    for (const result of listOf(record['tool_results'])) {
      const id = idText(result['request_id']);
      const name = idText(result['tool_name']) ?? (id === null ? null : (tools.get(id)?.tool_name ?? null));
      if (id === null || name === null) continue;
      const seconds = asNumber(result['tool_latency_secs']);
      tools.set(id, { tool_call_id: id, tool_name: name, is_error: asBoolean(result['is_error']), duration_ms: seconds === null ? null : Math.round(seconds * 1000), completed: true });
    }
  }
  return [...tools.values()];
};

const listOf = (value: unknown): JsonRecord[] => (Array.isArray(value) ? value.map(asRecord) : []);
