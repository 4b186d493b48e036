/** The table that a swarm ends with. */
import { FAULT_KINDS } from './faults.ts';
import { SOMETIMES } from './sometimes.ts';
import type { Summary } from './swarm.ts';

const HOUR_MS = 3_600_000;
/** Violations told of each failing seed. */
const TOLD = 3;

/** The seeds that failed, then what each of them broke and how to run it again: the shortest first, so that what is cut off says least. */
export const failureLines = ({ failures }: Summary): string[] => {
  if (failures.length === 0) return [];
  const told = failures.map(({ seed, crash, faults, violations }) => [
    `seed ${seed} failed${crash === null ? `; again with: npm run simulate -- --seed ${seed}` : `, ${crash.of} killed at point ${crash.at}`}`,
    ...violations.slice(0, TOLD).map(({ invariant, at, what }) => `  ${invariant} at ${at ?? '-'}: ${what}`),
    `  faults: ${faults.join(',')}`,
  ]);
  const size = (lines: readonly string[]): number => lines.join('').length;
  return [`failed: ${failures.map(({ seed }) => seed).join(', ')}`, ...told.sort((one, other) => size(one) - size(other)).flat()];
};

/** One line each, figures right-aligned. */
export const summaryLines = (summary: Summary): string[] => {
  const rows: (readonly [string, number | string])[] = [
    ['seeds', summary.seeds],
    ['virtual hours', Math.round(summary.virtualMs / HOUR_MS)],
    ['events logged', summary.events],
    ['events shown to viewers', summary.deliveries],
    ['longest catch-up after the healing, seconds', Math.round(summary.longestCatchUpMs / 1000)],
    ['', ''],
    ['faults injected', [...summary.faults.values()].reduce((sum, count) => sum + count, 0)],
    ...FAULT_KINDS.map((kind) => [`  ${kind}`, summary.faults.get(kind) ?? 0] as const),
    ['', ''],
    ['sometimes', ''],
    ...Object.keys(SOMETIMES).map((what) => [`  ${what}`, summary.sometimes.get(what) ?? 0] as const),
    ['', ''],
    ['violations', summary.failures.reduce((sum, { violations }) => sum + violations.length, 0)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => (name === '' ? '' : `${name.padEnd(width)}  ${String(value).padStart(10)}`));
};
