/** Bare Node with an http server: what every other server is there on top of. */
import { createServer } from 'node:http';
import { answering } from '../harness/answering.ts';

const server = createServer();
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
answering({});
