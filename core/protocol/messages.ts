/** What a client sends to a relay: one JSON object in a text frame. Unknown fields are refused, so that a typing error is heard of. */
import { z } from 'zod';
import { CALL_ID_MAX_CHARACTERS, ID_MAX_CHARACTERS, POLL_WAIT_MAX_SECONDS, SUBSCRIPTIONS_MAX_COUNT } from './limits.ts';

const id = z.union([z.string().max(ID_MAX_CHARACTERS), z.number()]).optional().describe('echoed in the answer or error');
const callId = z.string().min(1).max(CALL_ID_MAX_CHARACTERS).describe('call_sid or conversation_id');

/** A position in a call. Judged by the relay, not by the schema: a nonsensical seq is answered, not refused. */
export const Since = z.object({ epoch: z.string().max(ID_MAX_CHARACTERS), seq: z.number() });
export type Since = z.infer<typeof Since>;

export const SubscribeEntry = z.union([callId, z.strictObject({ id: callId, since: Since.optional() })]);
export const Subscribe = z.strictObject({
  subscribe: z.union([callId, z.array(SubscribeEntry).min(1).max(SUBSCRIPTIONS_MAX_COUNT)]),
  since: Since.optional(),
  id,
});
export const Unsubscribe = z.strictObject({ unsubscribe: callId, id });
export const Watch = z.strictObject({
  watch: z.literal('board'),
  status: z.string().max(64).optional(),
  agent_id: z.string().max(ID_MAX_CHARACTERS).optional(),
  driver_id: z.string().max(ID_MAX_CHARACTERS).optional(),
  id,
});
export const Unwatch = z.strictObject({ unwatch: z.literal('board'), id });
export const Authenticate = z.strictObject({ auth: z.string().min(1), id });
export const Ping = z.strictObject({ ping: z.unknown(), id });

export const ClientMessage = z.union([Subscribe, Unsubscribe, Watch, Unwatch, Authenticate, Ping]);
export type ClientMessage = z.infer<typeof ClientMessage>;

/** Body of `POST /poll`: the same session over another transport. */
export const PollRequest = z.strictObject({
  calls: z
    .array(z.strictObject({ id: callId, epoch: z.string().max(ID_MAX_CHARACTERS).nullish(), seq: z.number().nullish() }))
    .max(SUBSCRIPTIONS_MAX_COUNT)
    .default([]),
  board: z
    .union([
      z.boolean(),
      Watch.omit({ watch: true, id: true }).extend({ mark: z.string().max(64).optional().describe('board_mark of the last answer: an unchanged board is then no reason to answer') }),
    ])
    .optional(),
  wait: z.number().min(0).max(POLL_WAIT_MAX_SECONDS).default(0).describe('seconds'),
});
export type PollRequest = z.infer<typeof PollRequest>;
