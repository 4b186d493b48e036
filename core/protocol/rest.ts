/**
 * What REST takes and answers. Requests refuse unknown fields, so that a typing error is heard of; answers may grow.
 * The OpenAPI document is made of these schemas (`functions/api`).
 */
import { z } from 'zod';
import { CallStatus, EventFrame, HistoryLost, PostCallFields, Timestamp } from './frames.ts';
import { ID_FORM } from './id-form.ts';
import {
  CALL_ID_MAX_CHARACTERS,
  DIAL_DRIVERS_MAX_COUNT,
  DIAL_VARIABLES_MAX_COUNT,
  DRIVER_TRIGGERS_MAX_COUNT,
  HOURLY_STATS_MAX_HOURS,
  ID_MAX_CHARACTERS,
  PAGE_DEFAULT_ROWS,
  PAGE_MAX_ROWS,
  POLL_WAIT_MAX_SECONDS,
  READ_PAGE_MAX_EVENTS,
  STATS_MAX_HOURS,
} from './limits.ts';

const Id = z.string().min(1).max(ID_MAX_CHARACTERS).regex(ID_FORM);
const CallId = z.string().min(1).max(CALL_ID_MAX_CHARACTERS).regex(ID_FORM);
const Name = z.string().min(1).max(ID_MAX_CHARACTERS).regex(ID_FORM);
/** A whole number as it stands in a query or path: digits and nothing else. The documents show it as the number that it means. */
const digits = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/)
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ type: 'integer', minimum: least, maximum: most });
const queryNumber = (least: number, most: number, otherwise: number) => digits(least, most).default(otherwise).meta({ type: 'integer', minimum: least, maximum: most, default: otherwise });
const Limit = queryNumber(1, PAGE_MAX_ROWS, PAGE_DEFAULT_ROWS);

export const Problem = z.object({
  type: z.string().describe('where the code is explained'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().describe('stable: switch on this'),
  retryable: z.boolean().describe('whether the same request may succeed later, unchanged'),
  problems: z.array(z.string()).optional().describe('which fields are wrong, without their values'),
});
export type Problem = z.infer<typeof Problem>;

// --- Who ---

export const LoginRequest = z.strictObject({ username: z.string().min(1).max(ID_MAX_CHARACTERS), password: z.string().min(1) });
export const SimulateRequest = z.strictObject({ username: z.string().min(1).max(ID_MAX_CHARACTERS), key: z.string().min(1).describe('E2E_AUTH_KEY') });
export const TokenAnswer = z.object({ access_token: z.string(), token_type: z.literal('Bearer'), expires_in: z.int().describe('seconds') });
export const TicketAnswer = z.object({ ticket: z.string().describe('for `?ticket=` of one WebSocket'), expires_in: z.int().describe('seconds') });
export const KeySetAnswer = z.object({ keys: z.array(z.looseObject({})) });

// --- Calls ---

export const CallDriver = z.object({ driverId: z.string(), driverName: z.string(), phoneNumber: z.string() });
export const CallRow = z.object({
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  status: CallStatus,
  reason: z.string().nullable(),
  merged_into: z.string().nullable().describe('the call that owns the conversation, where a late dial answer named it'),
  driver: CallDriver.nullable(),
  to_number: z.string().nullable(),
  triggers_count: z.int(),
  agent_id: z.string().nullable(),
  direction: z.enum(['outbound', 'inbound']).nullable(),
  created_at: Timestamp,
  started_at: Timestamp.nullable(),
  call_end_time: Timestamp.nullable().describe('start plus duration'),
  ...PostCallFields.omit({ analysis_data: true, metadata_json: true }).shape,
  outcome: z.string().nullable().describe("the provider's own word"),
  cost_credits: z.number().nullable(),
  call_summary_title: z.string().nullable(),
  termination_reason: z.string().nullable(),
  turn_count: z.int(),
  epoch: z.string(),
  last_seq: z.int(),
  sealed: z.boolean().describe('everything up to last_seq is complete'),
});
export type CallRow = z.infer<typeof CallRow>;
export const CallView = CallRow.extend(PostCallFields.pick({ analysis_data: true, metadata_json: true }).shape);
export type CallView = z.infer<typeof CallView>;

const callFilter = {
  status: CallStatus.optional(),
  q: z.string().max(ID_MAX_CHARACTERS).optional().describe('found in driver name, call_sid, conversation_id or number; case does not matter'),
  driver_id: Id.optional(),
  agent_id: Id.optional(),
  since: z.iso.datetime({ offset: true }).optional().describe('calls created at or after it, RFC 3339'),
};
export const CallFilter = z.strictObject(callFilter);
export type CallFilter = z.infer<typeof CallFilter>;
export const CallListQuery = z.strictObject({ ...callFilter, cursor: z.string().max(1024).optional(), limit: Limit });
export const CallList = z.object({ calls: z.array(CallRow), next_cursor: z.string().nullable() });
export const CallParam = z.object({ id: CallId.describe('call_sid or conversation_id') });
export const EventsQuery = z.strictObject({
  epoch: z.string().max(ID_MAX_CHARACTERS).optional().describe('of the position; needed after seq 0'),
  since: queryNumber(0, Number.MAX_SAFE_INTEGER, 0).describe('seq of the last event known'),
  limit: queryNumber(1, READ_PAGE_MAX_EVENTS, READ_PAGE_MAX_EVENTS),
});
export const EventsAnswer = z.object({
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  epoch: z.string(),
  last_seq: z.int().describe('more follows while the last seq is below it'),
  recovered: z.boolean().describe('false: the position was not of this log, the events start over from 1'),
  reason: z.enum(['epoch_changed', 'ahead_of_log']).optional(),
  events: z.array(z.union([EventFrame, HistoryLost])).describe('exactly as on the WebSocket'),
});
export const EventTextParam = CallParam.extend({ seq: digits(1, Number.MAX_SAFE_INTEGER) });
export const EventText = z.object({ call_sid: z.string(), seq: z.int(), text: z.string() });
export const CommandAnswer = z.object({ command_id: z.string() });
export const ConversationParam = z.object({ id: CallId.describe('conversation_id') });

// --- Dialling ---

const REQUESTED_VARIABLE = /^(?!(system__|secret__|__|earshot_call_sid$))[A-Za-z_]\w{0,63}$/;
export const DialRequest = z
  .strictObject({
    to: z.string().max(64).optional().describe('E.164, such as +15550100123'),
    driver_id: Id.optional(),
    agent_id: Id.optional().describe("without it the tenant's own"),
    variables: z
      .record(z.string().regex(REQUESTED_VARIABLE), z.union([z.string().max(4096), z.number(), z.boolean()]))
      .refine((variables) => Object.keys(variables).length <= DIAL_VARIABLES_MAX_COUNT, `at most ${DIAL_VARIABLES_MAX_COUNT}`)
      .optional()
      .describe('dynamic variables for the agent'),
  })
  .refine((request) => (request.to === undefined) !== (request.driver_id === undefined), 'either to or driver_id');
export const CallDriversRequest = z.strictObject({
  driver_ids: z.array(Id).min(1).max(DIAL_DRIVERS_MAX_COUNT),
  violation_types: z.array(Name).max(DRIVER_TRIGGERS_MAX_COUNT).default([]).describe('none: all'),
});
export const DialledCall = z.object({
  call_sid: z.string(),
  conversation_id: z.string().nullable(),
  status: CallStatus,
  driver: CallDriver.nullable(),
  triggers_count: z.int(),
});
export const FailedDial = z.object({ driver_id: z.string(), code: z.string(), message: z.string() });
/** With exactly one call its fields stand at the top level too, as older clients read them. */
export const CallDriversAnswer = z.object({ calls: z.array(DialledCall), failed: z.array(FailedDial), ...DialledCall.partial().shape });
export const IdempotencyHeader = z.object({ 'idempotency-key': z.string().optional().describe('the same key is the same call, for ever') });

// --- Drivers ---

export const Trigger = z.strictObject({ type: Name, occurred_at: z.iso.datetime({ offset: true }).optional(), detail: z.string().max(1000).optional() });
const driverFields = {
  driverName: Name,
  phoneNumber: z.string().max(64).nullable().describe('E.164; null: cannot be called'),
  triggers: z.array(Trigger).max(DRIVER_TRIGGERS_MAX_COUNT).default([]),
  do_not_call: z.boolean().default(false),
  time_zone: z.string().max(64).nullable().default(null).describe('IANA name; null: calling hours are read in UTC'),
};
export const DriverBody = z.strictObject({ driverId: Id.optional().describe('where it stands, it has to be the one of the path'), ...driverFields });
export const NewDriver = z.strictObject({ driverId: Id, ...driverFields });
export const DriverView = z.object({ driverId: z.string(), ...driverFields });
export type DriverView = z.infer<typeof DriverView>;
export const DriverListQuery = z.strictObject({ cursor: Id.optional(), limit: Limit });
export const DriverList = z.object({ drivers: z.array(DriverView), next_cursor: z.string().nullable() });
export const DriverParam = z.object({ id: Id });

// --- Figures ---

export const StatsQuery = z.strictObject({ hours: queryNumber(1, STATS_MAX_HOURS, 24) });
export const WebhookStats = z.object({
  received: z.int(),
  succeeded: z.int(),
  by_code: z.record(z.string(), z.int()),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
});
export type WebhookStats = z.infer<typeof WebhookStats>;
export const Stats = z.object({
  calls_by_status: z.partialRecord(CallStatus, z.int()),
  completed: z.object({ total_calls: z.int(), with_summary: z.int(), percentage: z.number().describe('0-100, one decimal') }),
  webhooks: WebhookStats.extend({ success_rate: z.number().nullable().describe('0-1; null: none came') }),
});
export type Stats = z.infer<typeof Stats>;

export const HourlyStatsQuery = z.strictObject({ hours: queryNumber(1, HOURLY_STATS_MAX_HOURS, 24) });
const hourFigures = {
  calls: z.int().describe('completed, failed and active together'),
  completed: z.int(),
  failed: z.int(),
  active: z.int().describe('not ended yet'),
  cost: z.number().describe('US dollars, of the calls in `priced`'),
  cost_credits: z.number().describe('credits, of the calls in `priced_in_credits`; never converted'),
  priced: z.int().describe('calls with a cost in dollars'),
  priced_in_credits: z.int().describe('calls with a cost in credits'),
  seconds: z.number().describe('of all calls together'),
};
export const HourlyFigures = z.object({
  since: Timestamp.describe('start of the first hour'),
  counted_at: Timestamp,
  complete: z.boolean().describe('false: there were more calls than are counted here; those created before `counted_since` are left out'),
  counted_since: Timestamp.describe('calls created since then are in the figures'),
  totals: z.object(hourFigures),
  hours: z.array(z.object({ at: Timestamp.describe('start of the hour'), ...hourFigures })).describe('calls by the hour in which they were created, oldest first; their sums are the totals'),
  outcomes: z.object({ successful: z.int(), unsuccessful: z.int(), not_judged: z.int(), failed: z.int() }).describe('of calls that ended'),
  durations: z.array(z.object({ up_to_seconds: z.number().nullable().describe('inclusive; null: longer than the one before'), calls: z.int() })),
});
export type HourlyFigures = z.infer<typeof HourlyFigures>;

// --- Deliveries ---

export const DeliveryView = z.object({
  id: z.string(),
  workspace: z.string(),
  tenant: z.string().nullable().describe("null: nobody's yet, shown to operators only"),
  route: z.enum(['post-call', 'transcription', 'agent-events']),
  type: z.string().nullable(),
  reason: z.string(),
  conversation_id: z.string().nullable(),
  agent_id: z.string().nullable(),
  call_sid: z.string().nullable(),
  received_at: Timestamp,
  count: z.int(),
});
export type DeliveryView = z.infer<typeof DeliveryView>;
export const QuarantineQuery = z.strictObject({ cursor: Id.optional(), limit: Limit });
export const QuarantineList = z.object({ deliveries: z.array(DeliveryView), next_cursor: z.string().nullable() });
export const DeliveryParam = z.object({ id: Id });
export const RedriveAnswer = z.object({ result: z.string(), call_sid: z.string().nullable() });
export const DeliveriesQuery = z.strictObject({
  after: z.string().max(16 * 1024).optional().describe('cursor of the answer before; without it: from now on'),
  wait: queryNumber(0, POLL_WAIT_MAX_SECONDS, 0).describe('seconds to wait for the first'),
});
export const HeardDelivery = DeliveryView.pick({ id: true, route: true, type: true, received_at: true }).extend({ body: z.unknown().describe('as it came, secrets removed') });
export const DeliveriesAnswer = z.object({ deliveries: z.array(HeardDelivery), cursor: z.string() });

// --- Hops, at a relay ---

const hopTime = Timestamp.nullable();
export const EventHops = z.object({
  seq: z.int(),
  by: z.enum(['bus', 'log']).describe('log: a read of the log showed it, the bus had not'),
  trace: z.string().nullable().describe('W3C traceparent of its publication'),
  received_at: hopTime.describe('when the delivery or request that it comes of had been received'),
  committed_at: hopTime.describe('when its commit was answered'),
  heard_at: Timestamp.describe('when this relay heard of it'),
  written_at: hopTime.describe('when it was first written to a viewer of this relay'),
});
export const HopsAnswer = z.object({
  call_sid: z.string(),
  relay: z.string().describe('which relay answered: each knows its own hops only'),
  epoch: z.string(),
  hops: z.array(EventHops).describe('of the newest events that came while the call was watched here; times by the clock of who noted them'),
});
export type HopsAnswer = z.infer<typeof HopsAnswer>;

// --- About ---

export const Check = z.enum(['ok', 'failed']);
export const Health = z.object({ status: z.enum(['ok', 'unavailable']), version: z.string(), checks: z.record(z.string(), Check), verified_at: z.string().nullable().optional().describe('of a relay: when it last compared with the log'), revision: z.string().optional().describe('of a deployed relay: which one answered'), serving: z.boolean().optional().describe('of a deployed relay: false while another revision is named as serving, and it asks its sessions to move') });
export const Discovery = z.object({
  name: z.literal('earshot'),
  version: z.string(),
  services: z.object({
    api: z.object({ url: z.string(), openapi: z.string(), docs: z.string() }),
    relay: z.object({ url: z.string(), websocket: z.array(z.string()), poll: z.string(), asyncapi: z.string() }),
    auth: z.object({ login: z.string(), refresh: z.string(), logout: z.string(), ticket: z.string(), keys: z.string() }),
    mcp: z.object({ config: z.string(), servers: z.string() }),
  }),
  protocols: z.array(z.string()),
});
export type Discovery = z.infer<typeof Discovery>;
export const McpConfig = z.object({ mcpServers: z.record(z.string(), z.unknown()) });
export const McpServers = z.object({ servers: z.array(z.unknown()) });
