/** The conversation object of ElevenLabs' API and webhooks, in its full shape, made from a record and its timeline. */
import type { CallRecord } from './call-record.ts';
import { isUnderWay, timelineOf } from './call-record.ts';
import type { FinalRow } from './player.ts';
import { scriptNamed, type Script } from './scripts.ts';

const CREDITS_PER_SECOND = 7;
const DOLLARS_PER_CREDIT = 0.0001;

/** Numbers that belong to nobody: ElevenLabs' side of every simulated call. */
export const AGENT_NUMBER = '+15550100001';

/** Seconds from pick-up to the end; 0 while the call is under way, as ElevenLabs answers then. */
export const durationSeconds = (record: CallRecord): number => {
  const { answered_ms, ended_ms } = timelineOf(record);
  return isUnderWay(record) || answered_ms === null ? 0 : Math.round((ended_ms - answered_ms) / 1_000);
};

/** Unix seconds of the pick-up; of the dial where nobody has picked up. */
export const startSeconds = (record: CallRecord): number => Math.floor((record.answered_at ?? record.dialed_at) / 1_000);

/** One conversation, as `GET /v1/convai/conversations/{id}` answers it: the words come with the end of the call. */
export const conversationOf = (record: CallRecord) => {
  const script = scriptOf(record);
  const over = record.status === 'done';
  const timeline = timelineOf(record);
  const words = over || record.status === 'processing';
  return {
    agent_id: record.agent_id,
    agent_name: 'Dispatch',
    conversation_id: record.conversation_id,
    status: record.status,
    user_id: record.user_id,
    branch_id: null,
    version_id: null,
    transcript: words ? timeline.rows.map((row) => rowOf(row, record.agent_id)) : [],
    metadata: metadataOf(record),
    analysis: over
      ? {
          evaluation_criteria_results: {
            violation_discussed: { criteria_id: 'violation_discussed', result: script.discussed.result, rationale: script.discussed.rationale },
          },
          data_collection_results: Object.fromEntries(
            Object.entries(script.collected).map(([id, { value, type, rationale }]) => [
              id,
              { data_collection_id: id, value, json_schema: { type, description: id.replaceAll('_', ' '), enum: null, is_system_provided: false, dynamic_variable: '', constant_value: '' }, rationale },
            ]),
          ),
          call_successful: script.call_successful,
          transcript_summary: script.summary,
          call_summary_title: script.title,
        }
      : null,
    conversation_initiation_client_data: {
      conversation_config_override: { turn: null, tts: null, conversation: null, agent: null },
      custom_llm_extra_body: {},
      user_id: record.user_id,
      source_info: { source: null, version: null },
      dynamic_variables: { ...record.dynamic_variables, ...systemVariables(record) },
    },
    environment: 'production',
    has_audio: over,
    has_user_audio: over,
    has_response_audio: over,
    has_auxiliary_audio: false,
  };
};

/** One line of `GET /v1/convai/conversations`. */
export const summaryOf = (record: CallRecord) => {
  const script = scriptOf(record);
  const over = record.status === 'done';
  return {
    agent_id: record.agent_id,
    branch_id: null,
    agent_name: 'Dispatch',
    conversation_id: record.conversation_id,
    start_time_unix_secs: startSeconds(record),
    call_duration_secs: durationSeconds(record),
    message_count: over ? timelineOf(record).rows.filter((row) => row.message !== null).length : 0,
    status: record.status,
    termination_reason: over ? script.termination_reason : null,
    call_successful: over ? script.call_successful : 'unknown',
    transcript_summary: over ? script.summary : null,
    call_summary_title: over ? script.title : null,
    main_language: 'en',
    conversation_initiation_source: record.telephony,
    tool_names: [],
    direction: record.direction,
    rating: null,
  };
};

/** Of a call that somebody cut nothing is told that nobody said. */
const CUT_SHORT: Pick<Script, 'title' | 'summary' | 'call_successful' | 'termination_reason' | 'collected' | 'discussed'> = {
  title: 'Call ended early',
  summary: 'The call was ended before the conversation was over.',
  call_successful: 'unknown',
  termination_reason: 'Call ended by monitoring command',
  collected: {},
  discussed: { result: 'unknown', rationale: 'The call was ended before the conversation was over.' },
};

const scriptOf = (record: CallRecord): Script => ({ ...scriptNamed(record.script), ...(record.cut_at_ms === null ? {} : CUT_SHORT) });

const metadataOf = (record: CallRecord) => {
  const seconds = durationSeconds(record);
  const credits = seconds * CREDITS_PER_SECOND;
  const charged = record.status === 'done';
  return {
    start_time_unix_secs: startSeconds(record),
    accepted_time_unix_secs: record.answered_at === null ? null : startSeconds(record),
    call_duration_secs: seconds,
    cost: charged ? credits : null,
    cost_fiat: charged ? Number((credits * DOLLARS_PER_CREDIT).toFixed(4)) : null,
    deletion_settings: {
      deletion_time_unix_secs: null,
      deleted_logs_at_time_unix_secs: null,
      deleted_audio_at_time_unix_secs: null,
      deleted_transcript_at_time_unix_secs: null,
      delete_transcript_and_pii: false,
      delete_audio: false,
    },
    feedback: { type: null, overall_score: null, likes: 0, dislikes: 0, rating: null, comment: null },
    authorization_method: 'public',
    charging: charged
      ? { dev_discount: false, is_burst: false, tier: 'creator', llm_usage: { irreversible_generation: { model_usage: {} }, initiated_generation: { model_usage: {} } }, llm_price: 0.0012, llm_charge: 2, call_charge: credits - 2, free_minutes_consumed: 0, free_llm_dollars_consumed: 0 }
      : null,
    phone_call: phoneCallOf(record),
    batch_call: null,
    termination_reason: isUnderWay(record) || record.status === 'failed' ? '' : scriptOf(record).termination_reason,
    error: null,
    warnings: [],
    main_language: 'en',
    rag_usage: null,
    text_only: false,
    features_usage: { voicemail_detection: { enabled: true, used: record.script === 'voicemail' }, workflow: { enabled: false, tool_node: { enabled: false, used: false }, standalone_agent_node: { enabled: false, used: false }, phone_number_node: { enabled: false, used: false }, end_node: { enabled: false, used: false } }, pii_zrm_workspace: false, pii_zrm_agent: false, is_livekit: false },
    eleven_assistant: { is_eleven_assistant: false },
    initiator_id: null,
    conversation_initiation_source: record.telephony,
    conversation_initiation_source_version: null,
    timezone: null,
    async_metadata: null,
    whatsapp: null,
    agent_created_from: 'ui',
    agent_last_updated_from: 'ui',
  };
};

const phoneCallOf = (record: CallRecord) => {
  const common = {
    direction: record.direction,
    phone_number_id: record.phone_number_id,
    agent_number: AGENT_NUMBER,
    external_number: record.to_number,
    call_result: isUnderWay(record) ? null : callResult(record),
  };
  return record.telephony === 'twilio'
    ? { type: 'twilio', ...common, stream_sid: `MZ${record.carrier_call_id.slice(2)}`, call_sid: record.carrier_call_id }
    : { type: 'sip_trunking', ...common, call_sid: record.carrier_call_id };
};

const callResult = (record: CallRecord): string => {
  const last = timelineOf(record).steps.at(-1);
  if (last?.kind !== 'not_connected') return scriptNamed(record.script).call_result;
  return { busy: 'busy', 'no-answer': 'no_answer', unknown: 'failed' }[last.reason];
};

const systemVariables = (record: CallRecord) => {
  const outbound = record.direction === 'outbound';
  const spoken = record.status === 'done' ? timelineOf(record).rows.filter((row) => row.message !== null) : [];
  return {
    system__agent_id: record.agent_id,
    system__current_agent_id: record.agent_id,
    system__conversation_id: record.conversation_id,
    system__caller_id: outbound ? AGENT_NUMBER : record.to_number,
    system__called_number: outbound ? record.to_number : AGENT_NUMBER,
    system__call_duration_secs: durationSeconds(record),
    system__time_utc: new Date(record.dialed_at).toISOString(),
    system__timezone: null,
    system__call_sid: record.carrier_call_id,
    system__conversation_history: JSON.stringify({ entries: spoken.map(({ role, message }) => ({ role, message })) }),
  };
};

const rowOf = (row: FinalRow, agentId: string) => {
  const agent = row.role === 'agent';
  const line = row.tool?.use.line;
  return {
    role: row.role,
    agent_metadata: agent ? { agent_id: agentId, branch_id: null, workflow_node_id: null } : null,
    message: row.message,
    multivoice_message: null,
    tool_calls:
      row.tool?.part === 'call' && line !== undefined
        ? [{
            type: line.type,
            request_id: row.tool.use.tool_call_id,
            tool_name: line.tool,
            params_as_json: JSON.stringify(line.params),
            tool_has_been_called: true,
            // ElevenLabs sends the headers of webhook tools here, credentials included: receivers have to drop it.
            tool_details: line.type === 'webhook' ? { type: 'webhook', method: 'POST', url: `https://tools.example/${line.tool}`, headers: { authorization: 'Bearer simulated-tool-credential' }, path_params: {}, query_params: {}, body: JSON.stringify(line.params) } : null,
          }]
        : [],
    tool_results:
      row.tool?.part === 'result' && line !== undefined
        ? [{
            type: line.type,
            request_id: row.tool.use.tool_call_id,
            tool_name: line.tool,
            result_value: JSON.stringify(line.result),
            is_error: line.is_error ?? false,
            tool_has_been_called: true,
            tool_latency_secs: line.takes_ms / 1_000,
            dynamic_variable_updates: [],
          }]
        : [],
    feedback: null,
    llm_override: null,
    time_in_call_secs: row.time_in_call_secs,
    conversation_turn_metrics: row.message === null ? null : { metrics: agent ? { convai_tts_service_ttfb: { elapsed_time: 0.41 } } : { convai_asr_trailing_service_latency: { elapsed_time: 0.12 } } },
    rag_retrieval_info: null,
    llm_usage: null,
    interrupted: row.original_message !== null,
    original_message: row.original_message,
    source_medium: agent ? null : 'audio',
    source_event_id: row.event_id,
  };
};
