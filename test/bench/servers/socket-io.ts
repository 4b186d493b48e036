/** socket.io with a room for each call, WebSocket only, so that no upgrade is paid for. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { memoryBus } from '../../../ports/event-bus.memory.ts';
import { answering } from '../harness/answering.ts';
import { feed, prepared, type Course, type EventsMessage } from './feeding.ts';

const bus = memoryBus();
const server = createServer();
const io = new Server(server, { transports: ['websocket'], serveClient: false });
io.on('connection', (socket) => {
  socket.on('subscribe', (callSid: string) => {
    void socket.join(callSid);
    socket.emit('subscribed', callSid);
  });
});
await bus.subscribe((message) => {
  if (message.kind !== 'events') return;
  for (const text of message.texts) io.to(message.call_sid).emit('event', JSON.parse(text));
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
