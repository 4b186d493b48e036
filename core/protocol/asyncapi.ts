/** The AsyncAPI 3.0 document of the wire, built from the schemas that the relay and the clients themselves go by. */
import { z } from 'zod';
import { CLOSE_CODES } from './codes.ts';
import {
  AgentEvent,
  BoardSnapshot,
  BoardUnwatched,
  BoardUpdate,
  CallAmended,
  CallCompleted,
  CallSealed,
  CallStatusEvent,
  ErrorFrame,
  Heartbeat,
  HistoryLost,
  InterimTranscription,
  Pong,
  SubscriptionConfirmed,
  SystemMessage,
  Transcription,
  UnsubscribeConfirmed,
} from './frames.ts';
import { Authenticate, Ping, Subscribe, Unsubscribe, Unwatch, Watch } from './messages.ts';

interface Row {
  readonly schema: z.ZodType;
  readonly summary: string;
}

/** What a relay sends. */
export const RELAY_MESSAGES: Readonly<Record<string, Row>> = {
  SystemMessage: { schema: SystemMessage, summary: 'The first frame of every session, and what concerns the session itself.' },
  SubscriptionConfirmed: { schema: SubscriptionConfirmed, summary: 'Precedes every frame of a call.' },
  UnsubscribeConfirmed: { schema: UnsubscribeConfirmed, summary: 'Nothing of the call follows.' },
  Transcription: { schema: Transcription, summary: 'One revision of one turn.' },
  InterimTranscription: { schema: InterimTranscription, summary: 'A turn that is still being spoken; never logged, may be lost.' },
  CallStatus: { schema: CallStatusEvent, summary: 'The call moved on.' },
  AgentEvent: { schema: AgentEvent, summary: "A step of the agent's life." },
  CallCompleted: { schema: CallCompleted, summary: 'What is known of the finished call.' },
  CallAmended: { schema: CallAmended, summary: 'Something became known, or turned out otherwise, after the end.' },
  CallSealed: { schema: CallSealed, summary: 'Everything up to here is complete; the digest proves it.' },
  HistoryLost: { schema: HistoryLost, summary: 'These events are gone from the log.' },
  BoardSnapshot: { schema: BoardSnapshot, summary: 'All rows of the board, in parts.' },
  BoardUpdate: { schema: BoardUpdate, summary: 'Rows that changed, and calls that left the board.' },
  BoardUnwatched: { schema: BoardUnwatched, summary: 'No board frame follows.' },
  Heartbeat: { schema: Heartbeat, summary: 'At once and every 15 s: what is shown is confirmed.' },
  Pong: { schema: Pong, summary: 'What the ping carried.' },
  Error: { schema: ErrorFrame, summary: 'What went wrong, by a stable code.' },
};

/** What a client sends. */
export const CLIENT_MESSAGES: Readonly<Record<string, Row>> = {
  Subscribe: { schema: Subscribe, summary: 'Follow one call or up to a hundred, from a position or from the start.' },
  Unsubscribe: { schema: Unsubscribe, summary: 'Follow a call no longer.' },
  Watch: { schema: Watch, summary: 'Follow the board.' },
  Unwatch: { schema: Unwatch, summary: 'Follow the board no longer.' },
  Authenticate: { schema: Authenticate, summary: 'Offer an access token, or a fresh one of the same subject.' },
  Ping: { schema: Ping, summary: 'Answered by a pong that carries the same.' },
};

const entries = <T>(table: Readonly<Record<string, Row>>, make: (name: string, row: Row) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(table).map(([name, row]) => [name, make(name, row)]));

/** AsyncAPI's own schema object is JSON Schema draft 07. */
const payload = (schema: z.ZodType): object => {
  const described: Record<string, unknown> = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' });
  // The dialect is said once, by AsyncAPI itself.
  return Object.fromEntries(Object.entries(described).filter(([key]) => key !== '$schema'));
};

const reference = (path: string): { $ref: string } => ({ $ref: `#/${path}` });
const ALL = { ...RELAY_MESSAGES, ...CLIENT_MESSAGES };

const closeCodes = Object.values(CLOSE_CODES)
  .map(({ code, message }) => `- \`${code}\` ${message}`)
  .join('\n');

/** The document as an object. `version` is the product's. */
export const asyncApiDocument = ({ version }: { readonly version: string }): object => ({
  asyncapi: '3.0.0',
  info: {
    title: 'Earshot relay',
    version,
    description: `Calls as they happen, over one WebSocket. Subprotocol \`earshot.v1\`; every frame is one JSON object in a text frame.\n\nClose codes:\n\n${closeCodes}`,
  },
  defaultContentType: 'application/json',
  channels: {
    relay: {
      address: '/ws/calls/transcriptions',
      description: 'Also at `/ws` and `/websocket`.',
      messages: entries(ALL, (name) => reference(`components/messages/${name}`)),
      bindings: {
        ws: {
          method: 'GET',
          query: {
            type: 'object',
            properties: {
              ticket: { type: 'string', description: 'From `POST /auth/ticket`: single use, 30 s.' },
              token: { type: 'string', description: 'An access token, where the relay allows it in the query.' },
              replaces: { type: 'string', description: 'The connection_id that this connection takes over from.' },
            },
          },
        },
      },
    },
  },
  operations: {
    receiveFrames: {
      action: 'receive',
      summary: 'What the relay sends.',
      channel: reference('channels/relay'),
      messages: Object.keys(RELAY_MESSAGES).map((name) => reference(`channels/relay/messages/${name}`)),
    },
    sendMessages: {
      action: 'send',
      summary: 'What a client sends.',
      channel: reference('channels/relay'),
      messages: Object.keys(CLIENT_MESSAGES).map((name) => reference(`channels/relay/messages/${name}`)),
    },
  },
  components: {
    messages: entries(ALL, (name, { schema, summary }) => ({ name, summary, payload: payload(schema) })),
  },
});
