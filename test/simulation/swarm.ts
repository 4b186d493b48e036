/** Many seeds at once, spread over processes, and what they found together. */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import type { Violation } from '../history/check.ts';
import type { FaultKind } from './faults.ts';
import type { RunOptions } from './run.ts';
import type { CrashPoint } from './world.ts';
import { SOMETIMES } from './sometimes.ts';

/** One seed that broke the promise. */
export interface Failure {
  readonly seed: number;
  readonly crash: CrashPoint | null;
  readonly faults: readonly FaultKind[];
  readonly violations: readonly Violation[];
}

/** What a process tells of one seed. */
export interface SeedReport {
  readonly seed: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly deliveries: number;
  readonly catchUpMs: number;
  readonly faults: readonly (readonly [FaultKind, number])[];
  readonly sometimes: readonly (readonly [string, number])[];
  readonly failure: Failure | null;
}

export interface Summary {
  readonly seeds: number;
  readonly virtualMs: number;
  readonly events: number;
  readonly deliveries: number;
  readonly longestCatchUpMs: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly sometimes: ReadonlyMap<string, number>;
  readonly failures: readonly Failure[];
  /** Of what has to be reached, what was not. */
  readonly neverReached: readonly string[];
}

export interface SwarmOptions {
  readonly orders: readonly Order[];
  /** Default: as many as there are cores. */
  readonly processes?: number;
  /** Told after each seed; `failure`: its own. */
  readonly progress?: (done: number, failed: number, failure: Failure | null) => void;
}

/** What a process is given: one run. */
export interface Order extends RunOptions {
  /** Whether it is run a second time, to compare the histories. */
  readonly replay?: boolean;
}

/** Every so manieth seed is run twice: the same seed has to give the same history. */
const REPLAY_EVERY = 25;

/**
 * The runs of these seeds, some of them to be repeated.
 * @param only only these faults; null: any
 */
export const ordersOf = (seeds: readonly number[], only: readonly FaultKind[] | null): Order[] => seeds.map((seed, place) => ({ seed, only, replay: place % REPLAY_EVERY === 0 }));

/** Does every run once. Rejects where a process ends before its time. */
export const swarm = async ({ orders, processes = availableParallelism(), progress }: SwarmOptions): Promise<Summary> => {
  const reports: SeedReport[] = [];
  let next = 0;
  let failed = 0;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      // Processes, not threads: SQLite keeps one lock for the memory of a whole process.
      const child = fork(new URL('./swarm-process.ts', import.meta.url), { stdio: 'inherit', serialization: 'advanced' });
      const give = (): void => {
        const order = orders[next++];
        // With none left it ends by itself.
        if (order === undefined) child.disconnect();
        else child.send(order);
      };
      child.on('message', (report) => {
        const { failure } = report as SeedReport;
        reports.push(report as SeedReport);
        if (failure !== null) failed++;
        progress?.(reports.length, failed, failure);
        give();
      });
      child.once('error', reject);
      child.once('exit', () => resolve());
      give();
    });
  await Promise.all(Array.from({ length: Math.min(processes, orders.length) }, work));
  if (reports.length !== orders.length) throw new Error(`${orders.length - reports.length} seeds were not run`);
  return summaryOf(reports);
};

const summaryOf = (reports: readonly SeedReport[]): Summary => {
  const sum = (of: (report: SeedReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const sometimes = added<string>(reports.map((report) => report.sometimes));
  return {
    seeds: reports.length,
    virtualMs: sum((report) => report.virtualMs),
    events: sum((report) => report.events),
    deliveries: sum((report) => report.deliveries),
    longestCatchUpMs: reports.reduce((longest, report) => Math.max(longest, report.catchUpMs), 0),
    faults: added<FaultKind>(reports.map((report) => report.faults)),
    sometimes,
    failures: reports.flatMap(({ failure }) => (failure === null ? [] : [failure])).sort((a, b) => a.seed - b.seed),
    neverReached: Object.keys(SOMETIMES).filter((what) => (sometimes.get(what) ?? 0) === 0),
  };
};

const added = <Name>(counts: readonly (readonly (readonly [Name, number])[])[]): Map<Name, number> => {
  const sums = new Map<Name, number>();
  for (const [name, count] of counts.flat()) sums.set(name, (sums.get(name) ?? 0) + count);
  return sums;
};
