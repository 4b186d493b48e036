/** The simulator's own routes: what it is doing, and how to make it do otherwise. */
import { z } from 'zod';
import type { Answer } from './http.ts';
import { json, problem } from './http.ts';
import { misbehaviour, MISBEHAVIOURS } from './misbehaviour.ts';
import { SCRIPTS } from './scripts.ts';
import type { Simulator } from './simulator.ts';

const CALLS_SHOWN_COUNT = 100;

/** `GET /simulator`. Names nobody's number. */
export const overview = (simulator: Simulator): Answer =>
  json(200, {
    settings: simulator.settings,
    misbehaviours: MISBEHAVIOURS,
    rules: simulator.rules(),
    scripts: SCRIPTS.map((script) => script.name),
    calls: simulator.records().slice(0, CALLS_SHOWN_COUNT).map(({ number, conversation_id, direction, script, status, misbehaviours }) => ({ number, conversation_id, direction, script, status, misbehaviours })),
    webhook_attempts: simulator.attempts(),
  });

const Order = z.strictObject({
  kind: z.string(),
  value: z.union([z.string(), z.number()]).nullish(),
  calls: z.union([z.int().positive(), z.literal('all')]).default(1),
});

/** `POST /simulator/misbehave {kind, value?, calls?}`: the next calls (default: one; `"all"` until taken back) misbehave. */
export const misbehave = (simulator: Simulator, body: unknown): Answer => {
  const order = Order.safeParse(body);
  const found = order.success ? misbehaviour(order.data.kind, order.data.value) : null;
  if (!order.success || found === null) {
    return problem(422, 'no_such_misbehaviour', 'Send {"kind", "value"?, "calls"?}: GET /simulator lists the kinds and what their value means.');
  }
  simulator.setRules([...simulator.rules(), { ...found, calls: order.data.calls === 'all' ? null : order.data.calls }]);
  return json(200, { rules: simulator.rules() });
};

/** `DELETE /simulator/misbehave`: takes back every order. */
export const behave = (simulator: Simulator): Answer => {
  simulator.setRules([]);
  return json(200, { rules: [] });
};

const Inbound = z.strictObject({
  agent_id: z.string().min(1),
  from_number: z.string().default('+15550100199'),
  telephony: z.enum(['twilio', 'sip_trunk']).default('twilio'),
  dynamic_variables: z.record(z.string(), z.unknown()).default({}),
});

/** `POST /simulator/inbound {agent_id, from_number?, telephony?, dynamic_variables?}`: somebody phones the agent. */
export const inbound = (simulator: Simulator, body: unknown): Answer => {
  const parsed = Inbound.safeParse(body);
  if (!parsed.success) return problem(422, 'invalid_request', 'Send {"agent_id", "from_number"?, "telephony"?, "dynamic_variables"?}.');
  const { agent_id, from_number, telephony, dynamic_variables } = parsed.data;
  const placed = simulator.place({
    telephony, direction: 'inbound', agent_id, phone_number_id: 'phnum_simulated', to_number: from_number, user_id: null, dynamic_variables,
  });
  if (placed.placed !== 'accepted') return problem(429, 'concurrent_limit_exceeded', 'Too many calls at once.');
  placed.start();
  return json(201, { conversation_id: placed.record.conversation_id });
};

const End = z.strictObject({ conversation_id: z.string() });

/** `POST /simulator/end {conversation_id}`: the person hangs up. */
export const end = (simulator: Simulator, body: unknown): Answer => {
  const parsed = End.safeParse(body);
  if (!parsed.success) return problem(422, 'invalid_request', 'Send {"conversation_id"}.');
  const asked = simulator.running(parsed.data.conversation_id)?.end() ?? false;
  return asked ? json(202, { ending: true }) : problem(409, 'nobody_on_the_line', 'This call is not in progress.');
};

const Change = z.strictObject({
  pace: z.number().min(0).max(100).optional(),
  retries: z.boolean().optional(),
  concurrency: z.int().min(0).max(1_000).optional(),
  unruly: z.number().min(0).max(1).optional(),
  disabled: z.boolean().optional(),
});

/** `POST /simulator/settings {pace?, retries?, concurrency?, unruly?, disabled?}`. */
export const change = (simulator: Simulator, body: unknown): Answer => {
  const parsed = Change.safeParse(body);
  if (!parsed.success) return problem(422, 'invalid_request', 'Send some of {"pace", "retries", "concurrency", "unruly", "disabled"}.');
  for (const [name, value] of Object.entries(parsed.data)) if (value !== undefined) Object.assign(simulator.settings, { [name]: value });
  return json(200, { settings: simulator.settings });
};
