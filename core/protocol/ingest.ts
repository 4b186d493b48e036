/** Where deliveries come in, and the bodies of the two ingest endpoints, which something of ours that sits in the call posts to. */
import { z } from 'zod';
import { AGENT_EVENT_TYPES } from './frames.ts';
import { ID_FORM } from './id-form.ts';
import { CALL_ID_MAX_CHARACTERS, DETAIL_MAX_BYTES, ID_MAX_CHARACTERS, TURN_TEXT_MAX_BYTES } from './limits.ts';

/** Where deliveries are posted to, as it is configured at ElevenLabs and in tools of ours. */
export const WEBHOOK_PATHS = {
  'post-call': '/webhooks/elevenlabs/post-call',
  transcription: '/webhooks/elevenlabs/transcription',
  'agent-events': '/webhooks/agent-events',
} as const;

const id = z.string().min(1).max(ID_MAX_CHARACTERS).regex(ID_FORM);

const whichCall = {
  conversation_id: id.nullish().describe("ElevenLabs' id; it or call_sid is needed"),
  call_sid: z.string().min(1).max(CALL_ID_MAX_CHARACTERS).regex(ID_FORM).nullish(),
  agent_id: id.nullish().describe('lets a conversation that nobody announced be adopted'),
};

/** `POST /webhooks/elevenlabs/transcription`: one turn. */
export const IngestTurn = z
  .object({
    ...whichCall,
    speaker: z.enum(['agent', 'driver', 'user']).describe('user is taken as driver'),
    text: z.string().min(1).max(TURN_TEXT_MAX_BYTES),
    turn_id: id.nullish().describe("the sender's own; without one a hash of what the turn is"),
    rev: z.int().positive().max(1_000_000).nullish(),
    state: z.enum(['interim', 'final', 'corrected', 'retracted']).default('final'),
    time_in_call_secs: z.number().min(0).max(1e7).nullish(),
  })
  .refine((turn) => (turn.conversation_id ?? turn.call_sid ?? null) !== null, { message: 'conversation_id or call_sid is needed' });
export type IngestTurn = z.infer<typeof IngestTurn>;

/** `POST /webhooks/agent-events`. */
export const IngestAgentEvent = z
  .object({
    ...whichCall,
    type: z.enum(AGENT_EVENT_TYPES),
    event_id: z.union([id, z.number()]).nullish().describe('makes a repeat known as one'),
    tool_name: id.nullish(),
    tool_call_id: id.nullish(),
    is_error: z.boolean().nullish(),
    duration_ms: z.number().min(0).max(1e9).nullish(),
    detail: z.string().max(DETAIL_MAX_BYTES).nullish(),
  })
  .refine((event) => (event.conversation_id ?? event.call_sid ?? null) !== null, { message: 'conversation_id or call_sid is needed' });
export type IngestAgentEvent = z.infer<typeof IngestAgentEvent>;
