/** Routes that stand in the API's document though others answer them: the webhooks, the relay's long poll and its hops. */
import { z } from '@hono/zod-openapi';
import { ERRORS, type ErrorCode } from '../../core/protocol/codes.ts';
import { IngestAgentEvent, IngestTurn, WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import { PollRequest } from '../../core/protocol/messages.ts';
import { CallParam, HopsAnswer } from '../../core/protocol/rest.ts';
import { answer, body, byToken, otherwise } from './describe.ts';
import type { Api } from './services.ts';

/** What ElevenLabs sends; nearly everything in `data` is optional there. */
const PostCall = z.object({
  type: z.string().describe('post_call_transcription, call_initiation_failure, ...; an unknown one is kept and answered 200'),
  event_timestamp: z.union([z.number(), z.string()]).optional().describe('unix seconds'),
  data: z.looseObject({ conversation_id: z.string(), agent_id: z.string().optional(), status: z.string().optional() }),
});

const Receipt = z.object({
  status: z.literal('ok'),
  result: z.enum(['stored', 'duplicate', 'quarantined', 'ignored', 'passed_on', 'erased']),
  call_sid: z.string().nullable(),
  conversation_id: z.string().nullable(),
});

const PollAnswer = z.looseObject({ frames: z.array(z.looseObject({ type: z.string() })).describe('what a socket would have got; the last is a heartbeat') });

const refusal = (code: ErrorCode): object => ({ ...otherwise.default, description: ERRORS[code].message });

/** Describes them; adds no handler. */
export const neighbourRoutes = ({ app }: Api): void => {
  const { openAPIRegistry: registry } = app;
  registry.registerComponent('securitySchemes', 'signature', { type: 'apiKey', in: 'header', name: 'ElevenLabs-Signature', description: 't=<unix seconds>,v0=<HMAC-SHA256 of "t.body" in hex>' });
  registry.registerComponent('securitySchemes', 'ingestKey', { type: 'http', scheme: 'bearer', description: 'the INGEST_KEY' });
  const received = { 200: answer(Receipt, 'stored, a repeat, or kept in quarantine'), 401: refusal('signature_invalid'), 413: refusal('payload_too_large'), 415: refusal('encoding_not_supported'), 503: refusal('store_unavailable'), ...otherwise };
  registry.registerPath({ method: 'post', path: WEBHOOK_PATHS['post-call'], tags: ['webhooks'], summary: "ElevenLabs' signed webhook, every type", security: [{ signature: [] }], request: { body: body(PostCall) }, responses: received });
  const ingest = [{ ingestKey: [] }, { signature: [] }];
  registry.registerPath({ method: 'post', path: WEBHOOK_PATHS.transcription, tags: ['webhooks'], summary: 'One live turn', security: ingest, request: { body: body(IngestTurn) }, responses: received });
  registry.registerPath({ method: 'post', path: WEBHOOK_PATHS['agent-events'], tags: ['webhooks'], summary: "One event of the agent's life or tools", security: ingest, request: { body: body(IngestAgentEvent) }, responses: received });
  registry.registerPath({ method: 'post', path: '/poll', tags: ['relay'], summary: 'What a WebSocket would have got, by long poll; at the relay', security: byToken, request: { body: body(PollRequest) }, responses: { 200: answer(PollAnswer, 'as soon as there is something'), ...otherwise } });
  registry.registerPath({ method: 'get', path: '/hops/{id}', tags: ['relay'], summary: 'When the newest events of a call passed this relay; at the relay', security: byToken, request: { params: CallParam }, responses: { 200: answer(HopsAnswer, 'times and trace of each event; no words'), ...otherwise } });
};
