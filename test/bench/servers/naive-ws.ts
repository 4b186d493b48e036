/** A relay as one writes it first, on `ws`: each event is parsed, looked at, stringified once and sent to each viewer of its call. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { answering } from '../harness/answering.ts';
import { hearNaively } from './bus.ts';
import { feed, prepared, type Course, type EventsMessage } from './feeding.ts';

const viewers = new Map<string, Set<WebSocket>>();
const bus = await hearNaively((message) => {
  for (const text of message.texts) {
    const event = JSON.parse(text) as { readonly call_sid: string };
    const sent = JSON.stringify(event);
    for (const ws of viewers.get(event.call_sid) ?? []) if (ws.readyState === ws.OPEN) ws.send(sent);
  }
});

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', (ws) => {
  let watched = '';
  ws.on('message', (data: Buffer) => {
    ({ subscribe: watched } = JSON.parse(data.toString()) as { readonly subscribe: string });
    const mates = viewers.get(watched) ?? new Set();
    viewers.set(watched, mates.add(ws));
    ws.send(JSON.stringify({ type: 'subscription_confirmed', call_sid: watched }));
  });
  ws.on('error', () => undefined);
  ws.on('close', () => {
    viewers.get(watched)?.delete(ws);
    if (viewers.get(watched)?.size === 0) viewers.delete(watched);
  });
});
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', 4_096, resolve));

let messages: readonly EventsMessage[] = [];
answering({
  listening: () => ({ port: (server.address() as AddressInfo).port }),
  prepare: (course: Course) => {
    messages = prepared(course);
  },
  feed: (course: Course) => feed(messages, course, (message) => bus.publish(message)),
});
