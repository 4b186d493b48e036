/** Figures of interleaved rounds, and the table that shows them. */

/** One thing that was measured, ours and the baseline's, a number for each round. */
export interface Measured {
  readonly what: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly baseline: readonly number[];
}

export interface BenchResult {
  readonly bench: string;
  /** What ours is compared with. */
  readonly baseline: string;
  readonly measured: readonly Measured[];
}

export interface Bench {
  readonly name: string;
  readonly what: string;
  /** @param say one line of progress */
  run(rounds: number, say: (line: string) => void): Promise<BenchResult>;
}

/** The middle one; of an even number the mean of the two. NaN of none. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
};

const short = (value: number): string => (Number.isNaN(value) ? '-' : value >= 100 ? value.toFixed(0) : value.toFixed(2));
const withRange = (values: readonly number[]): string => `${short(median(values))} (${short(Math.min(...values))} - ${short(Math.max(...values))})`;

/** Lines: what, ours with its range, the baseline's with its, the ratio of medians. */
export const tableOf = ({ bench, baseline, measured }: BenchResult): string[] => {
  const rows = measured.map(({ what, unit, ours, baseline: theirs }) => [`${what}, ${unit}`, withRange(ours), withRange(theirs), short(median(ours) / median(theirs))]);
  const all = [[bench, 'this', baseline, 'ratio'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('   '));
};
