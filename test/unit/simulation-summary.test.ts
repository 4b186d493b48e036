import { expect, it } from 'vitest';
import { failureLines } from '../simulation/summary.ts';
import type { Failure, Summary } from '../simulation/swarm.ts';

const summary = (failures: readonly Failure[]): Summary => ({ seeds: 3, virtualMs: 0, events: 0, deliveries: 0, longestCatchUpMs: 0, faults: new Map(), sometimes: new Map(), failures, neverReached: [] });

it('tells of failures by their seeds first, then what the shortest broke, then the others', () => {
  const violation = { invariant: 'I2', what: 'it is kept', at: 5, record: 1 } as const;
  const failures: Failure[] = [
    { seed: 11, crash: null, faults: ['link_cut', 'bus_drops'], violations: [violation, violation, violation, { ...violation, what: 'the fourth' }] },
    { seed: 12, crash: null, faults: ['link_cut'], violations: [{ ...violation, at: null }] },
    { seed: 4, crash: { of: 'relay', at: 17 }, faults: [], violations: [{ ...violation, what: 'no' }] },
  ];
  expect(failureLines(summary(failures))).toEqual([
    'failed: 11, 12, 4',
    'seed 4 failed, relay killed at point 17',
    '  I2 at 5: no',
    '  faults: ',
    'seed 12 failed; again with: npm run simulate -- --seed 12',
    '  I2 at -: it is kept',
    '  faults: link_cut',
    'seed 11 failed; again with: npm run simulate -- --seed 11',
    '  I2 at 5: it is kept',
    '  I2 at 5: it is kept',
    '  I2 at 5: it is kept',
    '  faults: link_cut,bus_drops',
  ]);
  expect(failureLines(summary([]))).toEqual([]);
});
