/** `npm run simulate -- --seeds 10000 [--from n] [--seed n] [--faults a,b] [--history file]`: many seeds and a summary, or one seed in full. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toLines } from '../history/history.ts';
import { FAULT_KINDS, type FaultKind } from './faults.ts';
import { runSeed } from './run.ts';
import { shrink } from './shrink.ts';
import { failureLines, summaryLines } from './summary.ts';
import { ordersOf, swarm } from './swarm.ts';

const USAGE = 'npm run simulate -- [--seeds 1000] [--from n] [--seed n] [--faults a,b] [--calls n] [--history file]';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string' },
    seed: { type: 'string' },
    faults: { type: 'string' },
    calls: { type: 'string' },
    history: { type: 'string' },
  },
});

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const wholeNumber = (text: string | undefined, name: string): number => {
  if (text === undefined || !/^\d{1,9}$/.test(text)) throw new Error(`--${name} has to be a whole number\n${USAGE}`);
  return Number(text);
};

const faultsOf = (text: string | undefined): readonly FaultKind[] | null => {
  if (text === undefined) return null;
  const names = text.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => !FAULT_KINDS.includes(name as FaultKind));
  if (unknown.length > 0) throw new Error(`no such fault: ${unknown.join(', ')}; there are ${FAULT_KINDS.join(', ')}`);
  return names as FaultKind[];
};

const one = async (seed: number, only: readonly FaultKind[] | null): Promise<boolean> => {
  const calls = values.calls === undefined ? {} : { calls: wholeNumber(values.calls, 'calls') };
  const run = await runSeed({ seed, only, ...calls });
  if (values.history !== undefined) writeFileSync(values.history, toLines(run.records));
  say(`seed ${seed}: ${run.records.length} records, ${run.events} events logged, ${run.deliveries} shown, ${Math.round(run.virtualMs / 1000)} virtual seconds, hash ${run.hash.slice(0, 16)}`);
  say(`faults: ${[...run.plan.keys()].join(',') || 'none'}`);
  for (const { invariant, at, what } of run.violations) say(`${invariant} at ${at ?? '-'}: ${what}`);
  const [first] = run.violations;
  if (first === undefined) return true;
  const smallest = await shrink(seed, first.invariant, [...run.plan.keys()]);
  if (smallest !== null) say(`smallest: --seed ${seed} --faults ${smallest.faults.join(',') || "''"}${smallest.calls === null ? '' : ` --calls ${smallest.calls}`}`);
  return false;
};

const many = async (only: readonly FaultKind[] | null): Promise<boolean> => {
  const from = values.from === undefined ? Math.floor(Math.random() * 1e8) : wholeNumber(values.from, 'from');
  const seeds = Array.from({ length: wholeNumber(values.seeds, 'seeds') }, (_, place) => from + place);
  say(`seeds ${from} to ${from + seeds.length - 1}`);
  const every = Math.max(1, Math.floor(seeds.length / 20));
  const summary = await swarm({
    orders: ordersOf(seeds, only),
    progress: (done, failed, failure) => {
      // At once: who stops the run before its end has the seed all the same.
      if (failure !== null) say(`seed ${failure.seed} failed: ${failure.violations[0]?.invariant ?? ''}`);
      if (done % every === 0) say(`${done} of ${seeds.length} seeds, ${failed} failed`);
    },
  });
  for (const line of [...summaryLines(summary), ...failureLines(summary)]) say(line);
  // With few seeds, or few faults, nothing says that everything is reached.
  const reached = only !== null || seeds.length < 1_000 || summary.neverReached.length === 0;
  if (!reached) say(`never reached: ${summary.neverReached.join(', ')}`);
  return summary.failures.length === 0 && reached;
};

const only = faultsOf(values.faults);
const passed = values.seed === undefined ? await many(only) : await one(wholeNumber(values.seed, 'seed'), only);
process.exitCode = passed ? 0 : 1;
