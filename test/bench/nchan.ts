/** nchan (a module of nginx) as a peer of `deliver`: joins where both are installed, as a process of its own on a free port. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Contender } from './deliver.ts';
import { pinned } from './harness/process.ts';
import { callOfViewer } from './harness/speeches.ts';
import { openViewers } from './harness/viewers.ts';
import { EVENT_BYTES, feed, prepared } from './servers/feeding.ts';

const NGINX = '/usr/sbin/nginx';
const MODULE = '/usr/lib/nginx/modules/ngx_nchan_module.so';
const START_MAX_MS = 5_000;
const FRAMES_MAX_MS = 20_000;

const configOf = (folder: string, port: number): string => `
load_module ${MODULE};
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${folder}/pid;
error_log ${folder}/error.log crit;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location ~ ^/sub/(.+)$ { nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; }
    location ~ ^/pub/(.+)$ { nchan_publisher http; nchan_channel_id $1; nchan_message_buffer_length 10; }
  }
}
`;

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

const connected = async (port: number): Promise<Socket> => {
  const until = performance.now() + START_MAX_MS;
  for (;;) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const error = await new Promise<Error | null>((resolve) => {
      socket.once('connect', () => {
        resolve(null);
      });
      socket.once('error', resolve);
    });
    if (error === null) return socket;
    if (performance.now() > until) throw error;
    await wait(20);
  }
};

/** CPU of a process and its children, microseconds, as the scheduler counts it. */
const cpuOf = (pid: number): number => {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const own = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]) / 1_000);
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter((child) => child.trim() !== ''));
  return own.reduce((sum, us) => sum + us, 0) + children.reduce((sum, child) => sum + cpuOf(Number(child)), 0);
};

/** null: not installed. */
export const nchan = (): Contender | null => {
  if (!existsSync(NGINX) || !existsSync(MODULE)) return null;
  const ends: (() => Promise<void> | void)[] = [];
  let port = 0;
  let pid = 0;
  let publisher: Socket | null = null;
  return {
    name: 'nchan',
    frameBytes: EVENT_BYTES,
    begin: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'earshot-nchan-'));
      ends.push(() => rmSync(folder, { recursive: true, force: true }));
      port = await freePort();
      writeFileSync(join(folder, 'nginx.conf'), configOf(folder, port));
      const [command = '', ...args] = pinned('served', [NGINX, '-p', folder, '-c', join(folder, 'nginx.conf')]);
      const child = spawn(command, args, { stdio: 'ignore' });
      pid = child.pid ?? 0;
      ends.push(async () => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode === null) child.kill('SIGTERM');
        await ended;
      });
      const socket = await connected(port);
      socket.resume();
      publisher = socket;
      ends.push(() => void socket.destroy());
    },
    open: (course, { calls, each }) => {
      const callSid = callOfViewer(course, calls);
      return openViewers(calls * each, { port, path: (viewer) => `/sub/${callSid(viewer)}`, says: () => [], readyFrames: 0 });
    },
    run: async (course, viewers, frames) => {
      const messages = prepared(course);
      viewers.count(EVENT_BYTES);
      const before = cpuOf(pid);
      const published = feed(messages, course, ({ call_sid, texts: [text = ''] }) => publisher?.write(`POST /pub/${call_sid} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`));
      await Promise.all([published, viewers.reached(frames, FRAMES_MAX_MS)]);
      return cpuOf(pid) - before;
    },
    end: async () => {
      for (const end of ends.splice(0).reverse()) await end();
    },
  };
};
