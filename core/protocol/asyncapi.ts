/** The WebSocket as an AsyncAPI 3.0 document, printed from the schemas of frames and messages. */
import { z } from 'zod';
import {
  AgentEvent, BoardSnapshot, BoardUnwatched, BoardUpdate, CallAmended, CallCompleted, CallSealed, CallStatusEvent, ErrorFrame, Heartbeat, HistoryLost,
  InterimTranscription, Pong, SubscriptionConfirmed, SystemMessage, Transcription, UnsubscribeConfirmed,
} from './frames.ts';
import { Authenticate, Ping, Subscribe, Unsubscribe, Unwatch, Watch } from './messages.ts';
import { CLOSE_CODES } from './codes.ts';

/** What a relay sends, by the name it has in the document. */
const SENT = {
  Transcription, InterimTranscription, CallStatus: CallStatusEvent, AgentEvent, CallCompleted, CallAmended, CallSealed, SubscriptionConfirmed,
  UnsubscribeConfirmed, HistoryLost, BoardSnapshot, BoardUpdate, BoardUnwatched, Heartbeat, SystemMessage, Pong, Error: ErrorFrame,
} as const;
/** What a client sends. */
const RECEIVED = { Subscribe, Unsubscribe, Watch, Unwatch, Authenticate, Ping } as const;

const messagesOf = (schemas: Readonly<Record<string, z.ZodType>>): Record<string, object> =>
  Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, { name, contentType: 'application/json', payload: schemaOf(schema) }]));

/** The dialect is said once, by the document. */
const schemaOf = (schema: z.ZodType): object => Object.fromEntries(Object.entries(z.toJSONSchema(schema, { io: 'output' })).filter(([name]) => name !== '$schema'));

const references = (names: readonly string[]): object[] => names.map((name) => ({ $ref: `#/channels/calls/messages/${name}` }));

/** @param about the version of the program that serves it */
export const asyncApiDocument = (about: { readonly version: string }): object => ({
  asyncapi: '3.0.0',
  info: {
    title: 'Earshot relay',
    version: about.version,
    description: `One JSON object in a text frame, both ways. Unknown fields and types are to be ignored. Close codes: ${Object.entries(CLOSE_CODES).map(([name, { code, message }]) => `${code} ${name}: ${message}`).join(' ')}`,
  },
  defaultContentType: 'application/json',
  channels: {
    calls: {
      address: '/ws/calls/transcriptions',
      title: 'Calls, live',
      description: 'Also at /ws and /websocket. The token comes as subprotocols `earshot.v1, bearer.<jwt>`, as the first message, as `?ticket=`, or as `?token=`.',
      messages: { ...messagesOf(SENT), ...messagesOf(RECEIVED) },
      bindings: { ws: { method: 'GET' } },
    },
  },
  operations: {
    relaySends: { action: 'send', channel: { $ref: '#/channels/calls' }, messages: references(Object.keys(SENT)) },
    relayReceives: { action: 'receive', channel: { $ref: '#/channels/calls' }, messages: references(Object.keys(RECEIVED)) },
  },
});
