/** Figures of interleaved rounds, what they should be, and the table that shows them. */

/** What a figure should be: `ratio` to its baseline, or `this` itself; at most or at least so much. */
export interface Target {
  readonly of: 'ratio' | 'this';
  readonly bound: 'most' | 'least';
  readonly value: number;
}

/** One thing that was measured, a number for each round, in the unit that it names. */
export interface Measured {
  readonly what: string;
  readonly unit: string;
  readonly ours: readonly number[];
  /** What ours is compared with, measured in the same rounds; null: nothing does the like. */
  readonly baseline: { readonly name: string; readonly values: readonly number[] } | null;
  readonly target?: Target;
}

export interface BenchResult {
  readonly bench: string;
  readonly measured: readonly Measured[];
  /** Sentences that a reader of the figures has to know: how much load, what was left out, what was checked. */
  readonly notes: readonly string[];
}

export interface Bench {
  readonly name: string;
  readonly what: string;
  /** What it measures runs in this process, or in what it starts itself without a core of its own: the load is not kept apart. */
  readonly together?: true;
  /**
   * Measures, the things that are compared taking turns within each round.
   * @param rounds at least 1; each array of the result has this length
   * @param say one line of progress
   */
  run(rounds: number, say: (line: string) => void): Promise<BenchResult>;
}

/** Of the rounds: the middle, the smallest and the largest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle one; of an even number the mean of the two. NaN of none. */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  const [low, high] = [sorted[sorted.length % 2 === 0 ? half - 1 : half], sorted[half]];
  return ((low ?? NaN) + (high ?? NaN)) / 2;
};

/** The value below which `share` (0 to 1) of them lie, the nearest rank; NaN of none. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? NaN;
};

/** Of none: NaN. */
export const spreadOf = (values: readonly number[]): Spread => (values.length === 0 ? { median: NaN, min: NaN, max: NaN } : { median: median(values), min: Math.min(...values), max: Math.max(...values) });

/** Ours to the baseline, round by round: a machine that grows slower within minutes does so for both. null where there is none. */
export const ratioOf = ({ ours, baseline }: Measured): Spread | null => (baseline === null ? null : spreadOf(ours.map((value, round) => value / (baseline.values[round] ?? NaN))));

/** Whether the median met the target, and by how much (a share of the target) it missed; null: it has none. */
export const verdictOf = (measured: Measured): { readonly value: number; readonly reached: boolean; readonly missedBy: number } | null => {
  const { target } = measured;
  if (target === undefined) return null;
  const value = target.of === 'ratio' ? (ratioOf(measured)?.median ?? NaN) : median(measured.ours);
  const over = target.bound === 'most' ? value / target.value - 1 : 1 - value / target.value;
  return { value, reached: over <= 0, missedBy: Math.max(0, over) };
};

const short = (value: number): string => {
  if (Number.isNaN(value)) return '-';
  return Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : Math.abs(value) >= 0.1 || value === 0 ? value.toFixed(2) : value.toPrecision(2);
};

/** The median with its range behind it. */
export const rangeText = ({ median: middle, min, max }: Spread): string => `${short(middle)} (${short(min)} - ${short(max)})`;

/** What the target asks for and whether it was met; empty: it has none. */
export const verdictText = (measured: Measured): string => {
  const verdict = verdictOf(measured);
  if (verdict === null || measured.target === undefined) return '';
  const { of, bound, value } = measured.target;
  const asked = `${bound === 'most' ? '<=' : '>='} ${value}${of === 'this' ? ` ${measured.unit}` : ''}`;
  return verdict.reached ? `${asked}: reached` : `${asked}: missed by ${(verdict.missedBy * 100).toFixed(0)} %`;
};

/** A row for each figure: what, ours with its range, the baseline's with its, the ratio with its, the verdict. */
export const tableOf = ({ bench, measured, notes }: BenchResult): string[] => {
  const rows = measured.map((one) => {
    const ratio = ratioOf(one);
    const { baseline } = one;
    return [`${one.what}, ${one.unit}`, rangeText(spreadOf(one.ours)), baseline?.name ?? '', baseline === null ? '' : rangeText(spreadOf(baseline.values)), ratio === null ? '' : rangeText(ratio), verdictText(one)];
  });
  const all = [[bench, 'this', 'baseline', '', 'ratio', 'target'], ...rows];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return [...all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd()), ...notes.map((note) => `  ${note}`)];
};
