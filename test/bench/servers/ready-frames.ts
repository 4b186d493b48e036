/**
 * The least that a server on Node can do: no event is looked at but for its call, one frame is made of its bytes, and that is written to the
 * TCP socket of each viewer. No state of a socket is asked for, nobody is waited for. What is left is Node's sockets and the kernel.
 */
import { createServer } from 'node:http';
import { textFrame } from '../../../ws-relay/frames.ts';
import { answering, listening } from '../harness/answering.ts';
import { hearNaively } from './bus.ts';
import { fedBy } from './feeding.ts';
import { watching } from './watching.ts';

const server = createServer();
const viewers = watching(server, (_ws, { socket }) => socket);
const bus = await hearNaively(({ call_sid, texts }) => {
  for (const text of texts) {
    const frame = textFrame(text);
    for (const socket of viewers.get(call_sid) ?? []) socket.write(frame);
  }
});
const port = await listening(server, 0);

answering({ listening: () => ({ port }), ...fedBy((message) => bus.publish(message)) });
