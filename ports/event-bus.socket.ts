import { connect, createServer, type AddressInfo, type ListenOptions, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { EarshotError } from '../core/protocol/codes.ts';
import { isPassedOver, type BusMessage, type EventBus } from './event-bus.ts';
import type { Runtime } from './runtime.ts';

/**
 * A bus for several processes of one machine: one process is the broker and listens on a local socket, the others connect.
 * One JSON line for each message. As on every bus messages may be lost: while a process is cut off, or when it reads so
 * slowly that the broker would have to keep more than SUBSCRIBER_BUFFER_BYTES for it.
 */

/** Where the broker listens: a file (a Unix socket, or a named pipe on Windows) or a port on this machine. */
export type BusAddress = { readonly path: string } | { readonly port: number };

/** Where the broker of a data folder listens. */
export const busFile = (dataDir: string): string => join(dataDir, 'bus.sock');

export interface BusBroker {
  readonly address: BusAddress;
  close(): Promise<void>;
}

const SUBSCRIBER_BUFFER_BYTES = 8 * 1024 * 1024;
/** A line longer than this is not one of ours. */
const LINE_MAX_BYTES = 4 * 1024 * 1024;
const RECONNECT_MS = 200;

type Line =
  | { readonly do: 'publish'; readonly id: number; readonly message: BusMessage }
  | { readonly do: 'subscribe'; readonly id: number }
  | { readonly do: 'done'; readonly id: number }
  | { readonly do: 'deliver'; readonly message: BusMessage };

/** Starts a broker. A file left behind by a broker that died is the caller's to remove. */
export const socketBroker = async (address: BusAddress): Promise<BusBroker> => {
  const everybody = new Set<Socket>();
  const subscribers = new Set<Socket>();
  const server = createServer((socket) => {
    everybody.add(socket);
    socket.on('error', () => socket.destroy());
    // Nobody of ours leaves half: whoever has ended will not read what still waits for it.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      everybody.delete(socket);
      subscribers.delete(socket);
    });
    onLines(socket, (line) => {
      if (line.do === 'subscribe') subscribers.add(socket);
      else if (line.do === 'publish') {
        const delivery = textOf({ do: 'deliver', message: line.message });
        for (const subscriber of subscribers) if (subscriber.writableLength < SUBSCRIBER_BUFFER_BYTES) subscriber.write(delivery);
      } else return;
      socket.write(textOf({ do: 'done', id: line.id }));
    });
  });
  await listen(server, 'path' in address ? { path: address.path } : { port: address.port, host: '127.0.0.1' });
  return {
    address: 'path' in address ? address : { port: (server.address() as AddressInfo).port },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of everybody) socket.destroy();
      }),
  };
};

/**
 * A bus through the broker at this address. Connects when first used and again whenever it is cut off; `publish` rejects
 * with `store_unavailable` meanwhile, and subscriptions are made again.
 */
export const socketBus = (address: BusAddress, runtime: Runtime): EventBus => {
  const handlers = new Set<(message: BusMessage) => void>();
  const waiting = new Map<number, { readonly done: () => void; readonly failed: (error: Error) => void }>();
  let ids = 0;
  let socket: Socket | null = null;
  let closed = false;

  const failWaiting = (): void => {
    for (const { failed } of waiting.values()) failed(new EarshotError('store_unavailable'));
    waiting.clear();
  };

  const open = (): Socket => {
    if (socket !== null) return socket;
    const opened = connect('path' in address ? { path: address.path } : { port: address.port, host: '127.0.0.1' });
    socket = opened;
    opened.on('error', () => opened.destroy());
    opened.on('close', () => {
      if (socket === opened) socket = null;
      failWaiting();
      if (handlers.size > 0) runtime.after(RECONNECT_MS, () => {
        if (!closed) open();
      });
    });
    onLines(opened, (line) => {
      if (line.do === 'deliver') for (const handler of handlers) handler(line.message);
      else if (line.do === 'done') {
        waiting.get(line.id)?.done();
        waiting.delete(line.id);
      }
    });
    // Whoever opens the connection, the subscriptions come with it.
    if (handlers.size > 0) opened.write(textOf({ do: 'subscribe', id: ++ids }));
    return opened;
  };

  const ask = (line: (id: number) => Line): Promise<void> =>
    new Promise((resolve, reject) => {
      if (closed) {
        reject(new EarshotError('store_unavailable'));
        return;
      }
      const id = ++ids;
      waiting.set(id, { done: resolve, failed: reject });
      open().write(textOf(line(id)));
    });

  return {
    publish: (message) => ask((id) => ({ do: 'publish', id, message })),
    subscribe: async (handler, passesOver) => {
      await ask((id) => ({ do: 'subscribe', id }));
      // One entry for each subscription, even when the same function subscribes twice.
      const entry = (message: BusMessage): void => {
        if (!isPassedOver(message, passesOver)) handler(message);
      };
      handlers.add(entry);
      return { close: async () => void handlers.delete(entry) };
    },
    // The broker lets go of a subscription with its connection, and on one machine the kernel ends that with the process.
    sweep: async () => 0,
    close: async () => {
      closed = true;
      handlers.clear();
      socket?.destroy();
      failWaiting();
    },
  };
};

const textOf = (line: Line): string => `${JSON.stringify(line)}\n`;

/** Calls back for each whole line; cuts a peer that does not speak as we do. */
const onLines = (socket: Socket, take: (line: Line) => void): void => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_MAX_BYTES) {
      socket.destroy();
      return;
    }
    for (const line of lines) {
      const read = lineOf(line);
      if (read === null) {
        socket.destroy();
        return;
      }
      take(read);
    }
  });
};

const lineOf = (text: string): Line | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'do' in value ? (value as Line) : null;
  } catch {
    return null;
  }
};

const listen = (server: Server, options: ListenOptions): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options, () => {
      server.off('error', reject);
      resolve();
    });
  });
