/**
 * Judges a history: whatever the promise says never happens and yet did is a violation. It holds its own statement of every
 * invariant and calls none of the product's machines. An outcome that is unknown may or may not have had its effect.
 */
import type { HistoryRecord } from './history.ts';
import { checkAgents } from './agents.ts';
import { checkAnswered } from './answered.ts';
import { checkBoards } from './boards.ts';
import { checkBounds } from './bounds.ts';
import { checkDials } from './dials.ts';
import { checkErasures } from './erased.ts';
import { checkForged } from './forged.ts';
import { checkHygiene } from './hygiene.ts';
import { checkInterims } from './interims.ts';
import { checkLive } from './live.ts';
import { checkLiveness } from './liveness.ts';
import { checkLog } from './log.ts';
import { checkOnce } from './once.ts';
import { checkOutcomes } from './outcomes.ts';
import { checkRights } from './rights.ts';
import { checkStatus } from './status.ts';
import { checkTranscripts } from './transcripts.ts';
import { checkViews } from './views.ts';
import { World } from './world.ts';
import type { Violation } from './violation.ts';

export type { Invariant, Violation } from './violation.ts';
export { RESTORE_FAULT } from './world.ts';

export interface CheckOptions {
  /** How much later than it was sent in time a frame may be noted at its viewer, in milliseconds: the way, and a relay's tick of a second. Default 1,500. */
  readonly lateMs?: number;
}

const LATE_MS = 1_500;

/**
 * Every violation, in the order of the invariants' groups; none where the history keeps the promise.
 * @param records in the order in which they were noted
 */
export const checkHistory = (records: readonly HistoryRecord[], options: CheckOptions = {}): readonly Violation[] => {
  const world = new World(records);
  const violations: Violation[] = [];
  const report = (invariant: Violation['invariant'], what: string, index: number | null): void => {
    violations.push({ invariant, what, at: index === null ? null : (records[index]?.at ?? null), record: index });
  };
  const lateMs = options.lateMs ?? LATE_MS;
  const views = checkViews(world, report);
  checkAnswered(world, views, report);
  checkErasures(world, report);
  checkLive(world, report);
  checkLiveness(world, report);
  checkBoards(world, report);
  checkLog(world, report);
  checkOnce(world, report);
  checkStatus(world, report);
  checkTranscripts(world, report);
  checkAgents(world, report);
  checkOutcomes(world, report);
  checkInterims(world, report);
  checkRights(world, lateMs, report);
  checkDials(world, report);
  checkForged(world, report);
  checkBounds(world, report);
  checkHygiene(world, report);
  return violations;
};
