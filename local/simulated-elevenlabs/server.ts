/** The simulated ElevenLabs as a server of its own: ElevenLabs' API, its webhooks, and a control API under `/simulator`. */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Misbehaviour } from './misbehaviour.ts';
import type { CallRecord } from './call-record.ts';
import { behave, change, end, inbound, misbehave, overview } from './control-routes.ts';
import type { Attempt } from './deliveries.ts';
import type { Answer } from './http.ts';
import { json, problem, readJson, write } from './http.ts';
import { serveMonitor } from './monitor.ts';
import { audio, conversation, conversations, dial, webhooks } from './provider-routes.ts';
import type { SimulatedElevenLabsOptions } from './settings.ts';
import { isMonitored, openSimulator } from './simulator.ts';
import type { Simulator } from './simulator.ts';

/** A simulated ElevenLabs that runs. */
export interface SimulatedElevenLabs {
  /** Base URL for `workspace.base_url`, without `/v1`. */
  readonly url: string;
  readonly port: number;
  /** From now on Earshot is there: calls and webhooks that waited for it go on. */
  setWebhookBaseUrl(url: string): void;
  /** The next `calls` calls (default 1; null: all until taken back) misbehave. */
  misbehave(kind: Misbehaviour['kind'], value?: Misbehaviour['value'], calls?: number | null): void;
  /** Takes back every order to misbehave. */
  behave(): void;
  /** Calls so far, newest first. */
  calls(): readonly CallRecord[];
  /** Attempts to deliver webhooks, the last hundred, oldest first. */
  webhookAttempts(): readonly Attempt[];
  /** Resolves when no call runs and no webhook is on its way. A call that hangs keeps it waiting. */
  idle(): Promise<void>;
  /** Stops where it stands; with a `dataDir` the next start goes on from there. */
  close(): Promise<void>;
}

/** Starts a simulated ElevenLabs. Rejects where the port is taken. */
export const startSimulatedElevenLabs = async (options: SimulatedElevenLabsOptions): Promise<SimulatedElevenLabs> => {
  const simulator = openSimulator(options);
  const server = createServer((request, response) => {
    answer(simulator, options.apiKey, request, response).catch(() => response.destroy());
  });
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => upgrade(simulator, options.apiKey, sockets, request, socket, head));
  const host = options.host ?? '127.0.0.1';
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, host, resolve);
    });
  } catch (error) {
    await simulator.close();
    throw error;
  }
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    port,
    setWebhookBaseUrl: (url) => simulator.setWebhookBaseUrl(url),
    misbehave: (kind, value = null, calls = 1) => simulator.setRules([...simulator.rules(), { kind, value, calls }]),
    behave: () => simulator.setRules([]),
    calls: () => simulator.records(),
    webhookAttempts: () => simulator.attempts(),
    idle: () => simulator.idle(),
    close: async () => {
      await simulator.close();
      for (const socket of sockets.clients) socket.terminate();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
};

const CONVERSATIONS = '/v1/convai/conversations';

const answer = async (simulator: Simulator, apiKey: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const url = urlOf(request);
  if (url.pathname === '/simulator' || url.pathname.startsWith('/simulator/')) {
    write(response, await control(simulator, url.pathname, request));
    return;
  }
  if (request.headers['xi-api-key'] !== apiKey) {
    write(response, problem(401, 'invalid_api_key', 'Invalid API key'));
    return;
  }
  const telephony = TELEPHONY[url.pathname];
  if (request.method === 'POST' && telephony !== undefined) {
    await answerDial(simulator, telephony, request, response);
    return;
  }
  write(response, request.method === 'GET' ? read(simulator, url) : json(405, { detail: 'Method Not Allowed' }));
};

/** A target that is no URL has the path of nothing. */
const urlOf = (request: IncomingMessage): URL => URL.parse(request.url ?? '/', 'http://simulated') ?? new URL('http://simulated/nothing');

const TELEPHONY: Readonly<Record<string, 'twilio' | 'sip_trunk'>> = {
  '/v1/convai/twilio/outbound-call': 'twilio',
  '/v1/convai/sip-trunk/outbound-call': 'sip_trunk',
};

const answerDial = async (simulator: Simulator, telephony: 'twilio' | 'sip_trunk', request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = await readJson(request);
  if ('refusal' in body) {
    write(response, body.refusal);
    return;
  }
  const plan = dial(simulator, telephony, body.value);
  await plan.due;
  if (plan.answer === null) return;
  // The phone rings once the answer is out, also when nobody stayed to hear it.
  response.once('close', plan.afterAnswer);
  if (response.destroyed) plan.afterAnswer();
  else write(response, plan.answer);
};

const read = (simulator: Simulator, url: URL): Answer => {
  if (url.pathname === CONVERSATIONS) return conversations(simulator, url.searchParams);
  if (url.pathname === '/v1/workspace/webhooks') return webhooks(simulator);
  const [, id, part] = /^\/v1\/convai\/conversations\/([^/]+)(?:\/(audio))?$/.exec(url.pathname) ?? [];
  if (id === undefined) return json(404, { detail: 'Not Found' });
  return part === 'audio' ? audio(simulator, id) : conversation(simulator, id);
};

const control = async (simulator: Simulator, path: string, request: IncomingMessage): Promise<Answer> => {
  const route = `${request.method ?? ''} ${path}`;
  if (route === 'GET /simulator') return overview(simulator);
  if (route === 'DELETE /simulator/misbehave') return behave(simulator);
  const order = ORDERS[route];
  if (order === undefined) return json(404, { detail: 'Not Found' });
  // A page in a browser cannot send this type to another origin without asking first, and is not answered when it asks.
  if (request.headers['content-type']?.startsWith('application/json') !== true) return problem(415, 'media_type_not_supported', 'Send the body as application/json.');
  const body = await readJson(request);
  return 'refusal' in body ? body.refusal : order(simulator, body.value);
};

const ORDERS: Readonly<Record<string, (simulator: Simulator, body: unknown) => Answer>> = {
  'POST /simulator/misbehave': misbehave,
  'POST /simulator/inbound': inbound,
  'POST /simulator/end': end,
  'POST /simulator/settings': change,
};

const upgrade = (simulator: Simulator, apiKey: string, sockets: WebSocketServer, request: IncomingMessage, socket: Duplex, head: Buffer): void => {
  const path = urlOf(request).pathname;
  const [, id = ''] = /^\/v1\/convai\/conversations\/([^/]+)\/monitor$/.exec(path) ?? [];
  const call = simulator.running(id);
  const refusal = refusalOfMonitor(request.headers['xi-api-key'] === apiKey, call?.record() ?? null);
  if (refusal !== null || call === null) {
    socket.end(`HTTP/1.1 ${refusal ?? '404 Not Found'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    return;
  }
  sockets.handleUpgrade(request, socket, head, (monitor) => serveMonitor(monitor, call));
};

/** Monitoring works only while somebody is on the line. */
const refusalOfMonitor = (keyFits: boolean, record: CallRecord | null): string | null => {
  if (!keyFits) return '401 Unauthorized';
  if (record?.status !== 'in-progress') return '404 Not Found';
  return isMonitored(record) ? null : '403 Forbidden';
};
