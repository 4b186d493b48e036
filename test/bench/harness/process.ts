/**
 * A process that is measured: a program of `servers/` on a core of its own, where the machine has one, asked over IPC. Its load
 * comes from another process, so that its CPU time is its own.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** How long an answer is waited for, milliseconds, unless the question says. */
const ANSWER_MAX_MS = 120_000;

/** What a process has used since it began. */
export interface Usage {
  /** User and system time of all its threads, microseconds. */
  readonly cpuUs: number;
  readonly rssBytes: number;
  /** After a collection when it was asked for with `usage(true)`. */
  readonly heapBytes: number;
}

export interface BenchProcess {
  /** Asks what `answering` in the program has a handler for. Rejects when that throws, when the process ends, and when no answer comes in time. */
  ask<T>(what: string, argument?: unknown, maxMs?: number): Promise<T>;
  usage(collected?: boolean): Promise<Usage>;
  /** Kills it outright, as a machine does that is lost. */
  kill(): void;
  /** Ends the process, if need be by force. */
  end(): Promise<void>;
}

export interface StartOptions {
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags for Node. */
  readonly flags?: readonly string[];
  /** `served`: the core of what is measured; `load`: that of whoever loads it; null: anywhere. */
  readonly core?: 'served' | 'load' | null;
  /** Whether what it prints is left out. */
  readonly quiet?: boolean;
}

const canPin = process.platform === 'linux' && availableParallelism() > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** The command line that runs Node pinned to its part of the machine. */
export const pinned = (core: StartOptions['core'], command: readonly string[]): readonly string[] =>
  !canPin || core === null || core === undefined ? command : ['taskset', '-c', core === 'served' ? '1' : '0', ...command];

/** Keeps this process, and whatever it starts that is not pinned itself, off the core of what is measured; or lets it run anywhere. */
export const placeLoad = (apart: boolean): void => {
  if (canPin) spawnSync('taskset', ['-cp', apart ? '0' : `0-${availableParallelism() - 1}`, String(process.pid)]);
};

/** With BENCH_PROFILES every measured process leaves a CPU profile in that folder when it ends; `flame.ts` draws one. */
const profiling = process.env['BENCH_PROFILES'] === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${process.env['BENCH_PROFILES']}`];

/** Starts a program, named relative to `test/bench/`, and waits until it answers. */
export const startProcess = async (program: string, { env = {}, flags = [], core = 'served', quiet = false }: StartOptions = {}): Promise<BenchProcess> => {
  const script = new URL(`../${program}`, import.meta.url).pathname;
  const [command = '', ...args] = pinned(core, [process.execPath, '--expose-gc', ...profiling, ...flags, script]);
  const child = spawn(command, args, { stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...env } });
  const asked = asking(child, program);
  await asked.ask('started');
  return asked;
};

const asking = (child: ChildProcess, program: string): BenchProcess => {
  const waiting = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>();
  let last = 0;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      for (const { reject } of waiting.values()) reject(new Error(`${program} ended with ${String(signal ?? code)}`));
      waiting.clear();
      resolve();
    });
  });
  child.on('message', (message: { readonly id: number; readonly value?: unknown; readonly error?: string }) => {
    const asker = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) asker?.resolve(message.value);
    else asker?.reject(new Error(`${program}: ${message.error}`));
  });
  const ask = <T>(what: string, argument: unknown = null, maxMs = ANSWER_MAX_MS): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const id = ++last;
      const late = setTimeout(() => {
        waiting.delete(id);
        reject(new Error(`${program} did not answer ${what} within ${maxMs} ms`));
      }, maxMs);
      const done = <V>(then: (value: V) => void) => (value: V): void => {
        clearTimeout(late);
        then(value);
      };
      waiting.set(id, { resolve: done((value) => resolve(value as T)), reject: done(reject) });
      child.send({ id, what, argument }, (error) => {
        if (error !== null) waiting.get(id)?.reject(error);
        if (error !== null) waiting.delete(id);
      });
    });
  return {
    ask,
    usage: (collected = false) => ask<Usage>('usage', collected),
    kill: () => void child.kill('SIGKILL'),
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      if (child.connected) child.disconnect();
      const force = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await ended;
      clearTimeout(force);
    },
  };
};
