/** The measured side of `process.ts`: a program says what it answers, and ends when whoever asks is gone. */
import type { Server } from 'node:net';
import type { Usage } from './process.ts';

type Handler = (argument: never) => unknown;

const usage = (collected: boolean): Usage => {
  if (collected) {
    // Twice: what a first collection finalises a second frees. The second gives back what is free: a heap that was full before is not counted as held.
    globalThis.gc?.();
    globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  }
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { cpuUs: user + system, rssBytes: rss, heapBytes: heapUsed + external };
};

/** Answers questions with the handlers' results, which may be promises. Call it once, when the program is ready. */
export const answering = (handlers: Readonly<Record<string, Handler>>): void => {
  const all: Readonly<Record<string, Handler | undefined>> = { ...handlers, usage, started: () => true };
  process.on('message', ({ id, what, argument }: { readonly id: number; readonly what: string; readonly argument: never }) => {
    const answer = async (): Promise<unknown> => {
      const handler = all[what];
      if (handler === undefined) throw new Error(`nothing answers ${what}`);
      return handler(argument);
    };
    answer().then(
      (value) => process.send?.({ id, value }),
      (error: unknown) => process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    );
  });
  process.once('disconnect', () => process.exit(0));
};

/** More connections come at once than any system keeps waiting unasked. */
const WAITING_CONNECTIONS = 4_096;

/** Listens on this port of this machine; 0: a free one. Answers which. */
export const listening = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', WAITING_CONNECTIONS, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
