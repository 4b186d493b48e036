/**
 * The projection of one call: what every append reads and writes, small and with no map keyed by data.
 * What needs the history folds the log instead. Times are milliseconds since 1970, UTC.
 */
import type { AgentEventType, CallStatus } from '../../protocol/frames.ts';

export interface CallDriver {
  readonly driverId: string;
  readonly driverName: string;
  readonly phoneNumber: string;
}

export interface CallState {
  readonly call_sid: string;
  readonly workspace: string;
  readonly tenant: string;
  /** `<log generation>.<random>`, fixed when the log of the call is created. */
  readonly epoch: string;
  readonly conversation_id: string | null;
  /** The carrier's own id of the phone call. */
  readonly provider_call_id: string | null;
  readonly status: CallStatus;
  readonly reason: string | null;
  /** The call that owns this call's conversation; set once, when a late dial answer names it. */
  readonly merged_into: string | null;
  readonly driver: CallDriver | null;
  readonly to_number: string | null;
  readonly agent_id: string | null;
  readonly direction: 'outbound' | 'inbound' | null;
  readonly triggers_count: number;
  /** Subject of the token that asked for the call; null for a call nobody asked us for. */
  readonly requested_by: string | null;
  readonly created_at: number;
  readonly started_at: number | null;
  /** When the latest dial was committed; null before. */
  readonly dialed_at: number | null;
  /** The dial's attempt number; 0 before the first. */
  readonly dial_attempt: number;
  readonly dial_settled: boolean;
  /** Time of the newest event or projection change. */
  readonly changed_at: number;
  readonly last_seq: number;
  /** Chain value of the event `last_seq` (of the epoch where there is none). */
  readonly digest: string;
  readonly seal_revision: number;
  /** Standing turns: not retracted. */
  readonly turn_count: number;
  /** `index` of the next turn that nobody knows yet. */
  readonly next_index: number;
  readonly last_line: string | null;
  /** Number of the agent's latest stretch of life, from started (or the first sign of it) to completed; 0 before the first. */
  readonly agent_life: number;
  /** The newest agent event. */
  readonly agent_last: AgentEventType | null;
  /** A final transcript was taken over: live turns no longer speak. */
  readonly transcript_final: boolean;
  /** Time of the provider's facts that the outcome below was taken from. */
  readonly outcome_at: number | null;
  readonly call_end_time: number | null;
  readonly transcript_summary: string | null;
  readonly call_duration_seconds: number | null;
  readonly cost: number | null;
  readonly cost_credits: number | null;
  readonly call_successful: boolean | null;
  readonly outcome: string | null;
  readonly call_summary_title: string | null;
  readonly termination_reason: string | null;
  /** An audio webhook came: its ids only were kept. */
  readonly audio_noted: boolean;
}

/** The two large post-call fields, JSON text: they live beside the projection. */
export interface CallDetails {
  readonly analysis_data: string | null;
  readonly metadata_json: string | null;
}

/** What has to be known to start the log of a call. */
export interface NewCall {
  readonly call_sid: string;
  readonly workspace: string;
  readonly tenant: string;
  readonly driver: CallDriver | null;
  readonly to_number: string | null;
  readonly agent_id: string | null;
  readonly direction: 'outbound' | 'inbound' | null;
  readonly triggers_count: number;
  readonly requested_by: string | null;
  /** When it began, for calls taken over from an older system; else now. */
  readonly created_at?: number;
}

/** A call without any event yet. */
export const newCallState = (call: NewCall, epoch: string, now: number, emptyDigest: string): CallState => ({
  call_sid: call.call_sid,
  workspace: call.workspace,
  tenant: call.tenant,
  driver: call.driver,
  to_number: call.to_number,
  agent_id: call.agent_id,
  direction: call.direction,
  triggers_count: call.triggers_count,
  requested_by: call.requested_by,
  epoch,
  conversation_id: null,
  provider_call_id: null,
  status: 'requested',
  reason: null,
  merged_into: null,
  created_at: call.created_at ?? now,
  started_at: null,
  dialed_at: null,
  dial_attempt: 0,
  dial_settled: true,
  changed_at: now,
  last_seq: 0,
  digest: emptyDigest,
  seal_revision: 0,
  turn_count: 0,
  next_index: 0,
  last_line: null,
  agent_life: 0,
  agent_last: null,
  transcript_final: false,
  outcome_at: null,
  call_end_time: null,
  transcript_summary: null,
  call_duration_seconds: null,
  cost: null,
  cost_credits: null,
  call_successful: null,
  outcome: null,
  call_summary_title: null,
  termination_reason: null,
  audio_noted: false,
});

/** Whether the call has ended: terminal is sticky. */
export const isTerminal = (status: CallStatus): boolean => status === 'completed' || status === 'failed';

/** Every field that a state has today, as it is for a call that never heard of it. */
const BLANK = newCallState(
  { call_sid: '', workspace: '', tenant: '', driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null },
  '',
  0,
  '',
);

/** The state of its JSON text; one written before a field existed reads as if nothing was known of it. */
export const readCallState = (text: string): CallState => ({ ...BLANK, ...(JSON.parse(text) as Partial<CallState>) });
