/** Runs seeds until one breaks an invariant, or none is left; answers in one line of JSON. Its argument is a `Hunt`. */
import { checkHistory, type Invariant } from '../history/check.ts';
import type { FaultKind } from '../simulation/faults.ts';
import { runSeed } from '../simulation/run.ts';

export interface Hunt {
  readonly seeds: readonly number[];
  readonly plan: Readonly<Partial<Record<FaultKind, number>>>;
  /** Any of these; empty: whichever. */
  readonly invariants: readonly Invariant[];
  /** null: as the seed draws. */
  readonly calls: number | null;
  /** Whether each seed is run twice and the histories are compared. */
  readonly replay: boolean;
}

export interface Caught {
  readonly seed: number;
  readonly invariant: Invariant;
  readonly what: string;
}

const hunt = async ({ seeds, plan, calls, invariants, replay }: Hunt): Promise<Caught | null> => {
  for (const seed of seeds) {
    const options = { seed, plan: new Map(Object.entries(plan) as [FaultKind, number][]), ...(calls === null ? {} : { calls }) };
    const run = await runSeed(options);
    const again = replay ? await runSeed(options) : null;
    const compared = again === null ? [] : checkHistory([{ at: 0, actor: 'auditor', op: 'replayed', hash: again.hash, expected: run.hash }]);
    const caught = [...run.violations, ...compared].find(({ invariant }) => invariants.length === 0 || invariants.includes(invariant));
    if (caught !== undefined) return { seed, invariant: caught.invariant, what: caught.what };
  }
  return null;
};

const hunts = JSON.parse(process.argv[2] ?? '[]') as Hunt[];
for (const one of hunts) process.stdout.write(`${JSON.stringify(await hunt(one))}\n`);
