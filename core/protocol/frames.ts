/**
 * What a relay sends: one JSON object in a text frame. Event frames are the log's own text; control frames are made
 * by the relay. Clients ignore unknown fields and types, so every schema here is open at the receiving end.
 */
import { z } from 'zod';

/** RFC 3339, UTC, milliseconds. */
export const Timestamp = z.string().describe('RFC 3339, UTC, with milliseconds');
export const CallStatus = z.enum(['requested', 'dialing', 'unknown', 'in_progress', 'processing', 'completed', 'failed']);
export type CallStatus = z.infer<typeof CallStatus>;
export const Speaker = z.enum(['agent', 'driver']);
export type Speaker = z.infer<typeof Speaker>;
export const TurnState = z.enum(['interim', 'final', 'corrected', 'retracted']);
export type TurnState = z.infer<typeof TurnState>;

const eventHead = {
  call_sid: z.string(),
  conversation_id: z.string().nullable().describe('null until the provider named the conversation'),
  seq: z.int().positive().describe('dense from 1 within the call'),
  timestamp: Timestamp.describe('when the event was appended'),
};

export const Transcription = z.object({
  type: z.literal('transcription'),
  ...eventHead,
  turn_id: z.string(),
  rev: z.int().positive().describe('the highest revision of a turn speaks'),
  index: z.int().nonnegative().describe('the place among the standing turns, as known now'),
  state: TurnState,
  speaker: Speaker,
  text: z.string(),
  time_in_call_secs: z.number().nullable(),
  late: z.boolean().optional().describe('came with or after the final transcript'),
  truncated: z.boolean().optional().describe('the text is longer; the whole of it is at href'),
  href: z.string().optional(),
});

/** A turn that is still being spoken: never logged, never sequenced, may be lost. */
export const InterimTranscription = Transcription.omit({ seq: true }).extend({ state: z.literal('interim') });

export const CallStatusEvent = z.object({
  type: z.literal('call_status'),
  ...eventHead,
  status: CallStatus,
  previous: CallStatus.nullable(),
  reason: z.string().optional(),
  merged_into: z.string().optional().describe('the call that owns the conversation: subscribe there'),
});

const agentFields = {
  ...eventHead,
  life: z.string().describe('one number for each stretch of the agent from started to completed'),
  tool_name: z.string().optional(),
  tool_call_id: z.string().optional(),
  is_error: z.boolean().optional(),
  duration_ms: z.number().optional(),
  detail: z.string().optional(),
  late: z.boolean().optional(),
};
export const AGENT_EVENT_TYPES = ['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed'] as const;
export type AgentEventType = (typeof AGENT_EVENT_TYPES)[number];
export const AgentEvent = z.object({ type: z.enum(AGENT_EVENT_TYPES), ...agentFields });

/** The six post-call fields, all nullable; `cost` in dollars; the last two are JSON text. */
export const PostCallFields = z.object({
  transcript_summary: z.string().nullable(),
  call_duration_seconds: z.number().nullable(),
  cost: z.number().nullable().describe('US dollars'),
  call_successful: z.boolean().nullable(),
  analysis_data: z.string().nullable().describe('JSON text'),
  metadata_json: z.string().nullable().describe('JSON text'),
});

export const CallCompleted = z.object({
  type: z.literal('call_completed'),
  ...eventHead,
  data: PostCallFields.extend({
    outcome: z.string().nullable().describe("the provider's own word"),
    cost_credits: z.number().nullable(),
    call_summary_title: z.string().nullable(),
    evaluation_results: z.unknown().nullable(),
    collection_results: z.unknown().nullable(),
    turn_count: z.int().nonnegative(),
  }),
  imported: z.literal(true).optional().describe('taken over from an older system'),
  truncated: z.boolean().optional().describe('fields too long for a frame are null here; the whole call is at href'),
  href: z.string().optional(),
});

export const CallAmended = z.object({
  type: z.literal('call_amended'),
  ...eventHead,
  changed: z.record(z.string(), z.object({ from: z.unknown(), to: z.unknown() })),
  source: z.string(),
  truncated: z.boolean().optional(),
  href: z.string().optional(),
});

export const CallSealed = z.object({
  type: z.literal('call_sealed'),
  ...eventHead,
  revision: z.int().positive(),
  last_seq: z.int().positive().describe("this event's own seq: everything up to here is complete"),
  turns: z.int().nonnegative().describe('how many turns stand'),
  digest: z.string().describe('the chain value of the event before this one, lower-case hex'),
});

/** Everything the log can hold. */
export const EventFrame = z.discriminatedUnion('type', [Transcription, CallStatusEvent, AgentEvent, CallCompleted, CallAmended, CallSealed]);
export type EventFrame = z.infer<typeof EventFrame>;
export type InterimFrame = z.infer<typeof InterimTranscription>;

export const BoardRow = z.object({
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  driver_name: z.string().nullable(),
  agent_id: z.string().nullable(),
  status: CallStatus,
  created_at: Timestamp.describe('when the call was asked for or first heard of: it never changes, so rows can be ordered by it'),
  started_at: Timestamp.nullable(),
  ended_at: Timestamp.nullable(),
  reason: z.string().nullable().describe('why the status is what it is, where that is known'),
  last_line: z.string().nullable(),
  epoch: z.string(),
  last_seq: z.int().nonnegative(),
  changed_at: Timestamp,
});
export type BoardRow = z.infer<typeof BoardRow>;

const ref = { id: z.unknown().optional().describe("the message's own id, echoed") };

export const SubscriptionConfirmed = z.object({
  type: z.literal('subscription_confirmed'),
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  status: CallStatus,
  epoch: z.string(),
  last_seq: z.int().nonnegative(),
  recovered: z.boolean().describe('true: everything after `since` follows; false: the call starts over from 1'),
  reason: z.enum(['epoch_changed', 'ahead_of_log', 'invalid_position']).optional(),
  ref: z.string().optional().describe('the call id asked for; absent where nobody asked (the epoch changed)'),
  ...ref,
});
export const UnsubscribeConfirmed = z.object({
  type: z.literal('unsubscribe_confirmed'),
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  ...ref,
});
export const HistoryLost = z.object({
  type: z.literal('history_lost'),
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  epoch: z.string(),
  from_seq: z.int().positive(),
  to_seq: z.int().positive(),
});
export const BoardSnapshot = z.object({ type: z.literal('board_snapshot'), rows: z.array(BoardRow), more: z.boolean(), ...ref });
export const BoardUpdate = z.object({ type: z.literal('board_update'), rows: z.array(BoardRow), gone: z.array(z.string()) });
export const BoardUnwatched = z.object({ type: z.literal('board_unwatched'), ...ref });
export const Heartbeat = z.object({
  type: z.literal('heartbeat'),
  server_time: Timestamp,
  verified_at: Timestamp.nullable().describe('when the relay last compared with the log'),
  heads: z.record(z.string(), z.int().nonnegative()).describe("last_seq of each of the session's calls"),
});
export const SystemMessage = z.object({
  type: z.literal('system_message'),
  data: z.discriminatedUnion('event', [
    z.object({
      event: z.literal('connection_established'),
      connection_id: z.string(),
      user: z.string(),
      tenant: z.string(),
      protocol: z.literal('earshot.v1'),
      server_time: Timestamp,
    }),
    z.object({ event: z.literal('token_expiring'), expires_at: Timestamp }),
    z.object({ event: z.literal('token_accepted'), expires_at: Timestamp, ...ref }),
    z.object({ event: z.literal('move'), within_ms: z.int().nonnegative() }),
    z.object({ event: z.literal('degraded'), reason: z.string() }),
    z.object({ event: z.literal('restored') }),
  ]),
});
export const Pong = z.object({ type: z.literal('pong'), ping: z.unknown(), ...ref });
export const ErrorFrame = z.object({
  type: z.literal('error'),
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  ref: z.unknown().describe("the call id asked for, else the message's id"),
  ...ref,
});

/** What the relay makes itself. */
export const ControlFrame = z.discriminatedUnion('type', [
  SubscriptionConfirmed,
  UnsubscribeConfirmed,
  HistoryLost,
  BoardSnapshot,
  BoardUpdate,
  BoardUnwatched,
  Heartbeat,
  SystemMessage,
  Pong,
  ErrorFrame,
]);
export type ControlFrame = z.infer<typeof ControlFrame>;
/** Everything that can stand in a frame from a relay. */
export type RelayFrame = EventFrame | InterimFrame | ControlFrame;
