/**
 * The least that a server on Node can do: no event is looked at but for its call, one frame is made of its bytes, and that is written to the
 * TCP socket of each viewer. No state of a socket is asked for, nobody is waited for. What is left is Node's sockets and the kernel.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { textFrame } from '../../../ws-relay/frames.ts';
import { answering } from '../harness/answering.ts';
import { hearNaively } from './bus.ts';
import { feed, prepared, type Course, type EventsMessage } from './feeding.ts';

const viewers = new Map<string, Set<Duplex>>();
const bus = await hearNaively(({ call_sid, texts }) => {
  for (const text of texts) {
    const frame = textFrame(text);
    for (const socket of viewers.get(call_sid) ?? []) socket.write(frame);
  }
});

const server = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (ws) => {
    let watched = '';
    ws.on('message', (data: Buffer) => {
      ({ subscribe: watched } = JSON.parse(data.toString()) as { readonly subscribe: string });
      viewers.set(watched, (viewers.get(watched) ?? new Set()).add(socket));
      ws.send(JSON.stringify({ type: 'subscription_confirmed', call_sid: watched }));
    });
    ws.on('error', () => undefined);
    ws.on('close', () => {
      viewers.get(watched)?.delete(socket);
      if (viewers.get(watched)?.size === 0) viewers.delete(watched);
    });
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
