/**
 * A relay: takes WebSockets and long polls of browsers and pushes them every event of the calls that they watch.
 * Serves no port of its own: a composition root hands it the upgrades and requests of its server.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type ServerOptions } from 'ws';
import { mayDo } from '../core/domain/rights.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { WS_BUFFERED_CHUNKS_MAX_COUNT, WS_FRAGMENTS_MAX_COUNT, WS_PAYLOAD_MAX_BYTES } from '../core/protocol/limits.ts';
import { askerOf } from './asker.ts';
import { createCoalescer } from './coalescer.ts';
import { answerHops, hopsTarget } from './hops.ts';
import { answerJson, answerProblem, health, refuseUpgrade } from './http.ts';
import { createInstance } from './instance.ts';
import { METRICS_TYPE } from './metrics-port.ts';
import type { RelayParts } from './parts.ts';
import { answerPoll } from './poll.ts';
import { socketTransport, wireSocket } from './socket.ts';
import { offeredProtocols, offerOf, originAllowed, refusalOf, selectProtocol, SOCKET_PATHS, targetOf, traceOf } from './upgrade.ts';

export interface Relay {
  /** Resolves when the bus delivers to this relay and a first comparison with the log was made. */
  start(): Promise<void>;
  /** For the server's `upgrade` event. Never throws. */
  handleUpgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Answers `/poll`, `/health`, `/ready`, `/metrics`, `/hops/{call}` and plain requests to the socket paths. false: it is none of these, and nothing was answered. */
  handleRequest(req: IncomingMessage, res: ServerResponse): Promise<boolean>;
  /** Sends everybody away within DRAIN_MAX_MS and takes nobody in. */
  drain(): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** After our close frame a client has this long to read what stands before it; then the connection is cut. */
const FAREWELL_MS = 3_000;

/** A client that vanishes is no fault of ours. Written here, so that it holds nothing of a request: with its headers each connection would take 4 kB more. */
const vanished = (): void => undefined;

/** Makes a relay; nothing runs before `start`. */
export const createRelay = (given: RelayParts): Relay => {
  const coalescer = createCoalescer();
  const instance = createInstance(given, coalescer.atEnd);
  const { parts, hub } = instance;
  const { log, metrics, options } = parts;
  const name = `relay_${parts.runtime.randomHex(4)}`;

  const socketOptions: ServerOptions & { closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: WS_PAYLOAD_MAX_BYTES,
    maxFragments: WS_FRAGMENTS_MAX_COUNT,
    maxBufferedChunks: WS_BUFFERED_CHUNKS_MAX_COUNT,
    closeTimeout: FAREWELL_MS,
    handleProtocols: (_offered, req) => selectProtocol(offeredProtocols(req)),
  };
  const server = new WebSocketServer(socketOptions);

  /** Headers that let a browser of an allowed origin read the answer. */
  const cors = (req: IncomingMessage): Record<string, string> =>
    req.headers.origin === undefined || !originAllowed(req, options.allowedOrigins)
      ? { vary: 'origin' }
      : { vary: 'origin', 'access-control-allow-origin': req.headers.origin };

  const handlePoll = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const headers = cors(req);
    const refusal = originAllowed(req, options.allowedOrigins) ? instance.refusal('poll') : 'origin_not_allowed';
    if (req.method === 'OPTIONS') {
      const allowed = { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'authorization, content-type', 'access-control-max-age': '600' };
      res.writeHead(204, { ...headers, ...allowed }).end();
    } else if (req.method !== 'POST') answerProblem(res, 'method_not_allowed', { allow: 'POST', ...headers });
    else if (refusal !== null) answerProblem(res, refusal, headers);
    else await answerPoll(parts, hub, req, res, headers);
  };

  const handleMetrics = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    try {
      if (!options.metricsOpen) {
        const user = await askerOf(parts, req);
        if (!mayDo(user, 'metrics.read', user.tenant)) throw new EarshotError('forbidden');
      }
      res.writeHead(200, { 'content-type': METRICS_TYPE }).end(await metrics.text());
    } catch (error) {
      if (!(error instanceof EarshotError)) throw error;
      answerProblem(res, error.code);
    }
  };

  return {
    start: instance.start,
    handleUpgrade: (req, socket, head) => {
      socket.on('error', vanished);
      const target = targetOf(req);
      const path = target?.pathname ?? '';
      const trace = traceOf(req);
      log.info('WebSocket connection attempt', { path: SOCKET_PATHS.includes(path) ? path : 'other', ...trace });
      const refusal = refusalOf(req, path, options.allowedOrigins) ?? instance.refusal('socket');
      if (refusal !== null || target === null) {
        log.info('WebSocket connection refused', { code: refusal ?? 'not_found', ...trace });
        refuseUpgrade(socket, refusal ?? 'not_found');
        return;
      }
      // Who comes with a token that was seen before is let in within this turn: the upgrade's answer and the first frames leave in one write.
      coalescer.hold(socket);
      server.handleUpgrade(req, socket, head, (ws) => {
        const query = target.searchParams;
        const connected = hub.connect({
          transport: socketTransport(ws, socket, coalescer),
          offer: offerOf(req, query, options.allowQueryToken),
          replaces: query.get('replaces'),
          kind: 'socket',
          trace,
        });
        wireSocket(ws, socket, connected);
      });
    },
    handleRequest: async (req, res) => {
      const path = targetOf(req)?.pathname;
      if (path === '/poll') await handlePoll(req, res);
      else if (path === '/metrics') await handleMetrics(req, res);
      else if (path === '/health') answerJson(res, 200, await health(parts, hub, instance.state()));
      else if (path === '/ready') answerReady(res, instance.state() === 'ready');
      else if (path !== undefined && SOCKET_PATHS.includes(path)) answerProblem(res, 'upgrade_required');
      else {
        const id = hopsTarget(path ?? '');
        if (id === null) return false;
        await answerHops(parts, hub, name, id, req, res);
      }
      return true;
    },
    drain: instance.drain,
    close: instance.close,
  };
};

const answerReady = (res: ServerResponse, ready: boolean): void => answerJson(res, ready ? 200 : 503, JSON.stringify({ ready }));
