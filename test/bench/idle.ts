/** What a connection costs that is only there: memory once all garbage is collected, and the CPU of looking after it. */
import { setTimeout as wait } from 'node:timers/promises';
import { HEARTBEAT_MS } from '../../core/protocol/limits.ts';
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess, type Usage } from './harness/process.ts';
import { callOfViewer, NAIVE, OURS, SOCKET_IO, TIMED, type Listening, type Spoken } from './harness/speeches.ts';
import { openViewers, type Viewers } from './harness/viewers.ts';

const CONNECTIONS = 5_000;
const CALLS = 1_000;
const COURSE = 'idle';
/** One ping and one heartbeat of each. */
const WATCHED_MS = HEARTBEAT_MS;

interface Held {
  readonly before: Usage;
  readonly after: Usage;
  /** Milliseconds of CPU per second; NaN: not measured. */
  idleMs: number;
}

interface Standing {
  readonly server: BenchProcess;
  readonly viewers: Viewers;
  readonly held: Held;
}

/** Starts a server anew and holds the connections open. */
const stand = async ({ program, speech }: Spoken): Promise<Standing> => {
  const server = await startProcess(program);
  const listening = await server.ask<Listening>('listening');
  if (listening.token !== undefined) await server.ask('calls', { name: COURSE, calls: CALLS });
  const before = await server.usage(true);
  const viewers = await openViewers(CONNECTIONS, { ...speech(listening, callOfViewer(COURSE, CALLS)), from: ['127.0.0.1', '127.0.0.2'] });
  return { server, viewers, held: { before, after: await server.usage(true), idleMs: NaN } };
};

const end = async ({ server, viewers }: Standing): Promise<void> => {
  viewers.close();
  await server.end();
};

/** The CPU of a server while nothing happens: alone, since two on one processor take each other's caches. */
const idle = async ({ server, held }: Standing): Promise<void> => {
  const began = performance.now();
  const before = await server.usage();
  await wait(WATCHED_MS);
  const after = await server.usage();
  held.idleMs = (after.cpuUs - before.cpuUs) / (performance.now() - began);
};

export const idleBench: Bench = {
  name: 'idle',
  what: `memory of each of ${CONNECTIONS} connections that watch a call, and the CPU of looking after them`,
  run: async (rounds, say) => {
    const all: readonly Spoken[] = [OURS, NAIVE, SOCKET_IO, TIMED];
    const held = new Map<Spoken, Held[]>(all.map((spoken) => [spoken, []]));
    const bare: Usage[] = [];
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      const empty = await startProcess('servers/empty.ts');
      bare.push(await empty.usage(true));
      await empty.end();
      for (const spoken of all) {
        const standing = await stand(spoken);
        held.get(spoken)?.push(standing.held);
        try {
          if (spoken === OURS || spoken === TIMED) await idle(standing);
        } finally {
          await end(standing);
        }
      }
    }
    const valuesOf = (spoken: Spoken, of: (one: Held, round: number) => number): number[] => (held.get(spoken) ?? []).map(of);
    const kilobytes = (what: string, of: (one: Held, round: number) => number, target?: number): Measured[] =>
      [NAIVE, SOCKET_IO].map((spoken) => ({
        what,
        unit: 'kB per connection',
        ours: valuesOf(OURS, of),
        baseline: { name: spoken.name, values: valuesOf(spoken, of) },
        ...(target !== undefined && spoken === NAIVE ? { target: { of: 'this', bound: 'most', value: target } } : {}),
      }));
    return {
      bench: 'idle',
      measured: [
        ...kilobytes('resident, over the same server without connections', ({ before, after }) => (after.rssBytes - before.rssBytes) / 1_000 / CONNECTIONS, 12),
        ...kilobytes('heap and external, over the same without connections', ({ before, after }) => (after.heapBytes - before.heapBytes) / 1_000 / CONNECTIONS),
        ...kilobytes('resident, over bare Node with an http server', ({ after }, round) => (after.rssBytes - (bare[round]?.rssBytes ?? NaN)) / 1_000 / CONNECTIONS),
        {
          what: `looking after ${CONNECTIONS} connections`,
          unit: 'ms CPU per second',
          ours: valuesOf(OURS, ({ idleMs }) => idleMs),
          baseline: { name: TIMED.name, values: valuesOf(TIMED, ({ idleMs }) => idleMs) },
          target: { of: 'ratio', bound: 'most', value: 0.5 },
        },
      ],
      notes: [
        `${CONNECTIONS} connections, each with a subscription of one of ${CALLS} calls, after two collections; what the code itself takes in memory is in the figure over bare Node. The naive server keeps one entry in a map for each.`,
        `Nothing happens for ${WATCHED_MS / 1_000} s but a ping and a heartbeat of each connection, and the look whether its token has ended and whether its client reads and answers: the baseline's each second, ours when something is due.`,
      ],
    };
  },
};
