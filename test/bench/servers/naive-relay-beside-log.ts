/**
 * A relay as it is written first: each subscription reads what it missed from the log itself, each event is parsed and sent to each viewer
 * as text. It speaks Earshot's protocol as far as a client needs, knows no rights, no back-pressure and no comparison.
 */
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { embeddedRelayStores } from '../../../ports/stores.embedded.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { answering, listening } from '../harness/answering.ts';

const runtime = systemRuntime();
const { callLog, bus } = embeddedRelayStores(process.env['DATA_DIR'] ?? '', runtime);
const pages = new Map<string, number>();
const viewers = new Map<string, Set<WebSocket>>();
const READ_EVENTS = 256;

const now = (): string => new Date().toISOString();
const say = (socket: WebSocket, frame: object): void => socket.send(JSON.stringify(frame));

const subscribe = async (socket: WebSocket, id: string, since: { readonly epoch: string; readonly seq: number } | null): Promise<void> => {
  const after = since?.seq ?? 0;
  const key = `${id} ${after}`;
  pages.set(key, (pages.get(key) ?? 0) + 1);
  const page = await callLog.read(id, after, READ_EVENTS);
  if (page === null) throw new Error('the bench subscribes by the id of a call that exists');
  const { call_sid, conversation_id, status, epoch, last_seq } = page.call;
  say(socket, { type: 'subscription_confirmed', call_sid, conversation_id, status, epoch, last_seq, recovered: since !== null, ref: id });
  for (const { text } of page.events) socket.send(text);
  const watching = viewers.get(call_sid) ?? new Set();
  viewers.set(call_sid, watching.add(socket));
  say(socket, { type: 'heartbeat', server_time: now(), verified_at: now(), heads: { [call_sid]: last_seq } });
};

await bus.subscribe((message) => {
  if (message.kind !== 'events') return;
  for (const text of message.texts) {
    const event = JSON.parse(text) as object;
    for (const viewer of viewers.get(message.call_sid) ?? []) viewer.send(JSON.stringify(event));
  }
});

const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'earshot.v1', perMessageDeflate: false });
const server = createServer();
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (viewer) => {
    say(viewer, { type: 'system_message', data: { event: 'connection_established', connection_id: `ws_${runtime.randomHex(12)}`, user: 'dispatcher', tenant: 'bench', protocol: 'earshot.v1', server_time: now() } });
    viewer.on('message', (data: Buffer) => {
      const { subscribe: wanted } = JSON.parse(data.toString()) as { readonly subscribe?: string | readonly (string | { readonly id: string; readonly since?: { readonly epoch: string; readonly seq: number } })[] };
      for (const entry of typeof wanted === 'string' ? [wanted] : (wanted ?? [])) {
        const [id, since] = typeof entry === 'string' ? [entry, null] : [entry.id, entry.since ?? null];
        void subscribe(viewer, id, since);
      }
    });
    viewer.on('close', () => {
      for (const watching of viewers.values()) watching.delete(viewer);
    });
  });
});

answering({
  listen: (port: number) => listening(server, port),
  reads: () => ({ all: [...pages.values()].reduce((sum, count) => sum + count, 0), pages: pages.size, most: Math.max(0, ...pages.values()) }),
  forgetReads: () => pages.clear(),
});
