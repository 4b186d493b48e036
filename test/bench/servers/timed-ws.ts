/**
 * A relay on `ws` in which each connection looks after itself with timers of its own: each second whether its token has ended, whether its
 * client still reads and still answers, and every fifteen seconds a ping and a heartbeat that is made then.
 */
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { HEARTBEAT_MS, PONG_WAIT_MS, SLOW_CONSUMER_MS } from '../../../core/protocol/limits.ts';
import { answering, listening } from '../harness/answering.ts';

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
const tokenEnd = Date.now() + 3_600_000;
sockets.on('connection', (ws) => {
  let watched = '';
  let heardAt = performance.now();
  let progressAt = heardAt;
  const second = setInterval(() => {
    const now = performance.now();
    if (ws.bufferedAmount === 0) progressAt = now;
    if (Date.now() >= tokenEnd || now - heardAt >= PONG_WAIT_MS || now - progressAt >= SLOW_CONSUMER_MS) ws.close();
  }, 1_000);
  const beat = setInterval(() => {
    ws.ping();
    ws.send(JSON.stringify({ type: 'heartbeat', server_time: new Date().toISOString(), verified_at: new Date().toISOString(), heads: { [watched]: 0 } }));
  }, HEARTBEAT_MS);
  ws.on('message', (data: Buffer) => {
    heardAt = performance.now();
    ({ subscribe: watched } = JSON.parse(data.toString()) as { readonly subscribe: string });
    ws.send(JSON.stringify({ type: 'subscription_confirmed', call_sid: watched }));
  });
  ws.on('pong', () => {
    heardAt = performance.now();
  });
  ws.on('error', () => undefined);
  ws.on('close', () => {
    clearInterval(second);
    clearInterval(beat);
  });
});
const port = await listening(server, 0);
answering({ listening: () => ({ port }) });
