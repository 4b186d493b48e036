/**
 * What an append of one live turn takes of the process that appends it: in Firestore (Google's emulator) beside the client's own
 * transaction on the same documents, in SQLite beside a transaction for each append.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmulators } from '../../local/google/emulators.ts';
import { median, type Bench, type Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import type { Way } from './servers/append-firestore.ts';

/** Appends of a way in a round. */
const FIRESTORE_COUNT = 250;
/** Before the first that counts: client and emulator are compiled while they run. */
const WARM_ROUNDS = 3;
const SQLITE_COUNT = 3_000;
const CALLERS = 20;
const WAYS: readonly Way[] = ['first try', 'reading', 'two processes', 'strange calls', 'transaction'];

interface Figures {
  /** Microseconds of CPU for each append. */
  readonly cpuUs: number[];
  readonly p50Ms: number[];
  readonly perSecond: number[];
  /** Of all appends: those that were committed with nothing read, and those where that was tried in vain. */
  unread: number;
  missed: number;
}

const nothing = (): Figures => ({ cpuUs: [], p50Ms: [], perSecond: [], unread: 0, missed: 0 });

interface Appended {
  readonly ms: number[];
  readonly events: number;
  readonly tried?: { readonly unread: number; readonly missed: number };
}

const measure = async (server: BenchProcess, figures: Figures, argument: { readonly count: number; readonly callers?: number }): Promise<number> => {
  await server.ask('ready', argument);
  const before = await server.usage();
  const started = performance.now();
  const { ms, events, tried } = await server.ask<Appended>('append', argument);
  const seconds = (performance.now() - started) / 1000;
  const after = await server.usage();
  if (ms.length !== argument.count) throw new Error(`${ms.length} appends instead of ${argument.count}`);
  figures.cpuUs.push((after.cpuUs - before.cpuUs) / argument.count);
  figures.p50Ms.push(median(ms));
  figures.perSecond.push(argument.count / seconds);
  figures.unread += tried?.unread ?? 0;
  figures.missed += tried?.missed ?? 0;
  return events;
};

const same = (events: ReadonlyMap<string, number>): void => {
  if (new Set(events.values()).size !== 1) throw new Error(`not the same was logged: ${JSON.stringify([...events])}`);
};

const inFirestore = async (rounds: number, say: (line: string) => void): Promise<Map<Way, Figures>> => {
  const figures = new Map(WAYS.map((way) => [way, nothing()]));
  const emulators = await startEmulators(process.env);
  const servers = new Map<Way, BenchProcess>();
  try {
    for (const way of WAYS) {
      const env = { HOST: emulators.firestoreHost, PROJECT: `earshot-bench-${process.pid}`, WAY: way, METADATA_SERVER_DETECTION: 'none' };
      servers.set(way, await startProcess('servers/append-firestore.ts', { env }));
    }
    const warm = nothing();
    for (let round = 1 - WARM_ROUNDS; round <= rounds; round++) {
      say(round < 1 ? 'Firestore: warming up' : `Firestore: round ${round} of ${rounds}`);
      const events = new Map<string, number>();
      for (const [way, server] of servers) events.set(way, await measure(server, round < 1 ? warm : (figures.get(way) ?? warm), { count: FIRESTORE_COUNT }));
      same(events);
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.end()));
    await emulators.close();
  }
  return figures;
};

type Grouping = 'grouped' | 'alone';

const inSqlite = async (rounds: number, say: (line: string) => void): Promise<Map<string, Figures>> => {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-bench-'));
  const figures = new Map<string, Figures>();
  const servers = new Map<Grouping, BenchProcess>();
  try {
    for (const grouping of ['grouped', 'alone'] as const) servers.set(grouping, await startProcess('servers/append-sqlite.ts', { env: { FILE: join(folder, `${grouping}.db`), GROUPING: grouping } }));
    for (let round = 0; round <= rounds; round++) {
      say(round === 0 ? 'SQLite: warming up' : `SQLite: round ${round} of ${rounds}`);
      for (const callers of [CALLERS, 1]) {
        const events = new Map<string, number>();
        for (const [grouping, server] of servers) {
          const of = `${grouping} ${callers}`;
          if (round === 1) figures.set(of, nothing());
          events.set(of, await measure(server, figures.get(of) ?? nothing(), { count: SQLITE_COUNT, callers }));
        }
        same(events);
      }
    }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.end()));
    await rm(folder, { recursive: true, force: true });
  }
  return figures;
};

const share = (part: number, rounds: number): string => `${((100 * part) / (rounds * FIRESTORE_COUNT)).toFixed(0)} %`;

export const appendBench: Bench = {
  name: 'append',
  what: "an append of one live turn: Firestore's emulator beside a transaction of its client, SQLite beside a transaction for each append",
  run: async (rounds, say) => {
    const firestore = await inFirestore(rounds, say);
    const sqlite = await inSqlite(rounds, say);
    const of = (way: Way): Figures => firestore.get(way) ?? nothing();
    const against = (what: string, way: Way, most: number): Measured[] =>
      ([['CPU', 'us per append', 'cpuUs'], ['p50', 'ms', 'p50Ms']] as const).map(([figure, unit, field]) => ({
        what: `Firestore, ${what}: ${figure}`,
        unit,
        ours: of(way)[field],
        baseline: { name: 'transaction', values: of('transaction')[field] },
        target: { of: 'ratio', bound: 'most', value: most },
      }));
    const sql = (grouping: Grouping, callers: number): Figures => sqlite.get(`${grouping} ${callers}`) ?? nothing();
    return {
      bench: 'append',
      measured: [
        ...against('a call this process left', 'first try', 0.6),
        ...against('a call of another process', 'strange calls', 1.05),
        ...against('two processes take turns', 'two processes', 1.05),
        { what: 'Firestore, a call this process left: CPU', unit: 'us per append', ours: of('first try').cpuUs, baseline: { name: 'read, then batch', values: of('reading').cpuUs } },
        { what: 'Firestore, a call this process left: p50', unit: 'ms', ours: of('first try').p50Ms, baseline: { name: 'read, then batch', values: of('reading').p50Ms } },
        { what: `SQLite, ${CALLERS} at once`, unit: 'appends per second', ours: sql('grouped', CALLERS).perSecond, baseline: { name: 'each alone', values: sql('alone', CALLERS).perSecond }, target: { of: 'ratio', bound: 'least', value: 1.5 } },
        { what: 'SQLite, one after another: p50', unit: 'ms', ours: sql('grouped', 1).p50Ms, baseline: { name: 'each alone', values: sql('alone', 1).p50Ms }, target: { of: 'ratio', bound: 'most', value: 1.05 } },
        { what: 'SQLite, one after another: CPU', unit: 'us per append', ours: sql('grouped', 1).cpuUs, baseline: { name: 'each alone', values: sql('alone', 1).cpuUs }, target: { of: 'ratio', bound: 'most', value: 1.05 } },
      ],
      notes: [
        `Firestore: ${FIRESTORE_COUNT} turns a round and way, one after another, in 10 calls; each way logged the same events with the same documents.`,
        `Committed with nothing read: ${share(of('first try').unread, rounds)} of the calls this process left (tried in vain: ${share(of('first try').missed, rounds)}); ${share(of('two processes').unread, rounds)} where two processes take turns (in vain: ${share(of('two processes').missed, rounds)}).`,
        `SQLite: ${SQLITE_COUNT} turns a round, synchronous FULL; the baseline is the same log with a transaction for each append. One after another: each in a turn of the event loop of its own, as requests come.`,
      ],
    };
  },
};
