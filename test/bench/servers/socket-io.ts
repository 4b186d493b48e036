/** socket.io with a room for each call, WebSocket only, so that no upgrade is paid for. */
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { memoryBus } from '../../../ports/event-bus.memory.ts';
import { answering, listening } from '../harness/answering.ts';
import { fedBy } from './feeding.ts';

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
const port = await listening(server, 0);

answering({ listening: () => ({ port }), ...fedBy((message) => bus.publish(message)) });
