/** Makes a failing seed as small as it goes: fewer kinds of faults, fewer calls, still the same invariant broken. */
import type { Invariant } from '../history/check.ts';
import type { FaultKind } from './faults.ts';
import { runSeed, type Run } from './run.ts';

export interface Shrunk {
  readonly faults: readonly FaultKind[];
  /** null: as many as the seed itself draws. */
  readonly calls: number | null;
  readonly run: Run;
}

/** @returns null where the seed breaks this invariant no more */
export const shrink = async (seed: number, invariant: Invariant, faults: readonly FaultKind[]): Promise<Shrunk | null> => {
  const attempt = async (only: readonly FaultKind[], calls: number | null): Promise<Run | null> => {
    const run = await runSeed({ seed, only, ...(calls === null ? {} : { calls }) });
    return run.violations.some((violation) => violation.invariant === invariant) ? run : null;
  };
  const whole = await attempt(faults, null);
  if (whole === null) return null;
  let smallest: Shrunk = { faults, calls: null, run: whole };
  for (const calls of [1, 2, 3]) {
    const run = await attempt(faults, calls);
    if (run === null) continue;
    smallest = { faults, calls, run };
    break;
  }
  for (const kind of faults) {
    const fewer = smallest.faults.filter((other) => other !== kind);
    const run = await attempt(fewer, smallest.calls);
    if (run !== null) smallest = { ...smallest, faults: fewer, run };
  }
  return smallest;
};
