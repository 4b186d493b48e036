/** A server of the system's packages as a contender of `deliver`: a process of its own on a free port of loopback, fed over one connection. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Contender, Watchers } from '../deliver.ts';
import { pinned } from '../harness/process.ts';
import { callOfViewer } from '../harness/speeches.ts';
import { EVENT_BYTES, feed, prepared } from '../servers/feeding.ts';
import { freePort } from '../../../local/free-port.ts';

/** How one of them is started and spoken to. */
export interface Daemon {
  readonly name: string;
  /** The command that serves on this port of loopback until it is told to end. @param folder its own, empty, removed afterwards */
  command(folder: string, port: number): readonly string[];
  /** So many viewers, ready, each of one call. */
  open(port: number, count: number, callSid: (viewer: number) => string): Promise<Watchers>;
  /** What its publisher says before all else. */
  readonly greeting: string;
  /** What its publisher says to tell the viewers of a call of an event. */
  published(callSid: string, text: string): string;
}

const START_MAX_MS = 5_000;
const FRAMES_MAX_MS = 20_000;

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

/** The contender that a daemon is. */
export const contending = (daemon: Daemon): Contender => {
  const ends: (() => Promise<void> | void)[] = [];
  let port = 0;
  let pid = 0;
  let publisher: Socket | null = null;
  return {
    name: daemon.name,
    frameBytes: EVENT_BYTES,
    begin: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'earshot-peer-'));
      ends.push(() => rmSync(folder, { recursive: true, force: true }));
      port = await freePort();
      const [command = '', ...args] = pinned('served', daemon.command(folder, port));
      const child = spawn(command, args, { stdio: 'ignore' });
      pid = child.pid ?? 0;
      ends.push(async () => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        if (child.exitCode !== null) return;
        child.kill('SIGTERM');
        await ended;
      });
      const socket = await connected(port);
      socket.resume();
      socket.write(daemon.greeting);
      publisher = socket;
      ends.push(() => void socket.destroy());
    },
    open: (course, { calls, each }) => daemon.open(port, calls * each, callOfViewer(course, calls)),
    run: async (course, viewers, frames) => {
      const messages = prepared(course);
      viewers.count(EVENT_BYTES);
      const before = cpuOf(pid);
      const published = feed(messages, course, ({ call_sid, texts: [text = ''] }) => publisher?.write(daemon.published(call_sid, text)));
      await Promise.all([published, viewers.reached(frames, FRAMES_MAX_MS)]);
      return cpuOf(pid) - before;
    },
    end: async () => {
      for (const end of ends.splice(0).reverse()) await end();
    },
  };
};
