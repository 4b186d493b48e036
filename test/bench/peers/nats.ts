/** nats-server as a peer of `deliver`: joins where it is installed. Its viewers speak its own protocol over TCP, as its clients do. */
import { existsSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Contender, Watchers } from '../deliver.ts';
import { Tally } from '../harness/tally.ts';
import { EVENT_BYTES } from '../servers/feeding.ts';
import { contending } from './daemon.ts';

const NATS = '/usr/sbin/nats-server';
const READY_MAX_MS = 10_000;
const AT_ONCE = 100;

/** It asks nobody whether they are alive while it is measured. */
const configOf = (port: number): string => `
listen: "127.0.0.1:${port}"
max_connections: 16384
ping_interval: "1h"
`;

const openViewer = (port: number, callSid: string, tally: Tally): Promise<Socket> =>
  new Promise((resolve, reject) => {
    // What each event is to this viewer, whose subject is always the same: `MSG <subject> <sid> <bytes>`, then the payload.
    const eventBytes = `MSG ${callSid} 1 ${EVENT_BYTES}\r\n`.length + EVENT_BYTES + '\r\n'.length;
    let greeting = '';
    let ready = false;
    /** Of the event under way. */
    let came = 0;
    const late = setTimeout(() => reject(new Error('a viewer of nats-server was not ready in time')), READY_MAX_MS);
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (bytes: Buffer) => {
      if (!ready) {
        greeting += bytes.toString('latin1');
        if (!greeting.includes('PONG\r\n')) return;
        ready = true;
        clearTimeout(late);
        resolve(socket);
        return;
      }
      tally.came(bytes.length);
      for (came += bytes.length; came >= eventBytes; came -= eventBytes) tally.framed(EVENT_BYTES);
    });
    socket.once('connect', () => void socket.write(`CONNECT {"verbose":false,"pedantic":false}\r\nSUB ${callSid} 1\r\nPING\r\n`));
    socket.on('error', reject);
    socket.on('close', () => {
      const error = new Error('a viewer of nats-server was cut');
      reject(error);
      tally.failed(error);
    });
  });

const openViewers = async (port: number, count: number, callSid: (viewer: number) => string): Promise<Watchers> => {
  const tally = new Tally();
  const sockets: Socket[] = [];
  let next = 0;
  const openNext = async (): Promise<void> => {
    while (next < count) sockets.push(await openViewer(port, callSid(next++), tally));
  };
  const close = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, openNext)).catch((error: unknown) => {
    close();
    throw error;
  });
  return Object.assign(tally, { close });
};

/** null: not installed. */
export const nats = (): Contender | null => {
  if (!existsSync(NATS)) return null;
  return contending({
    name: 'nats-server',
    command: (folder, port) => {
      writeFileSync(join(folder, 'nats.conf'), configOf(port));
      return [NATS, '-c', join(folder, 'nats.conf')];
    },
    open: openViewers,
    greeting: 'CONNECT {"verbose":false,"pedantic":false}\r\n',
    published: (callSid, text) => `PUB ${callSid} ${Buffer.byteLength(text)}\r\n${text}\r\n`,
  });
};
