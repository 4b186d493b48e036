/** A call as REST shows it: times RFC 3339 in UTC with milliseconds, everything that is not known yet null. */
import type { CallRow, CallView } from '../../protocol/rest.ts';
import type { CallDetails, CallState } from './state.ts';

const time = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** A call as lists show it: without the two large fields, which live beside the projection. */
export const presentRow = (call: CallState): CallRow => ({
  call_sid: call.call_sid,
  conversation_id: call.conversation_id,
  status: call.status,
  reason: call.reason,
  merged_into: call.merged_into,
  driver: call.driver,
  to_number: call.to_number,
  triggers_count: call.triggers_count,
  agent_id: call.agent_id,
  direction: call.direction,
  created_at: new Date(call.created_at).toISOString(),
  started_at: time(call.started_at),
  call_end_time: time(call.call_end_time),
  transcript_summary: call.transcript_summary,
  call_duration_seconds: call.call_duration_seconds,
  cost: call.cost,
  call_successful: call.call_successful,
  outcome: call.outcome,
  cost_credits: call.cost_credits,
  call_summary_title: call.call_summary_title,
  termination_reason: call.termination_reason,
  turn_count: call.turn_count,
  epoch: call.epoch,
  last_seq: call.last_seq,
  sealed: call.seal_revision > 0,
});

/** One call whole. `details` null: they were never written. */
export const presentCall = (call: CallState, details: CallDetails | null): CallView => ({
  ...presentRow(call),
  analysis_data: details?.analysis_data ?? null,
  metadata_json: details?.metadata_json ?? null,
});
