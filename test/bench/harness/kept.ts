/** Results as files in `docs/bench/`, so that a figure in a document can be traced to what measured it. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { ratioOf, spreadOf, verdictOf, type BenchResult } from './figures.ts';

const FOLDER = new URL('../../../docs/bench/', import.meta.url);

/** What a result was measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly os: string;
  readonly node: string;
}

/** A result with whatever is needed to judge it. */
export interface KeptResult extends BenchResult {
  readonly command: string;
  /** ISO date of the run. */
  readonly date: string;
  readonly rounds: number;
  readonly machine: Machine;
}

const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGib: Math.round(totalmem() / 2 ** 30),
  os: `${process.platform} ${release()}`,
  node: process.version,
});

/** The result with where, when and how it was measured. */
export const keptOf = (result: BenchResult, rounds: number): KeptResult => ({
  command: `npm run bench -- ${result.bench}${rounds === 5 ? '' : ` --rounds ${rounds}`}`,
  date: new Date().toISOString().slice(0, 10),
  rounds,
  machine: machine(),
  ...result,
});

const rounded = (_key: string, value: unknown): unknown => (typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value);

/** As text, with the figures that follow from the rounds. */
export const jsonOf = (kept: KeptResult): string => {
  const measured = kept.measured.map((one) => ({ ...one, summary: { ours: spreadOf(one.ours), ratio: ratioOf(one), verdict: verdictOf(one) } }));
  return `${JSON.stringify({ ...kept, measured }, rounded, 1)}\n`;
};

/** Writes `docs/bench/<bench>.json`. */
export const keep = (kept: KeptResult): void => {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(new URL(`${kept.bench}.json`, FOLDER), jsonOf(kept));
};

/** Every result that is kept, by the name of its bench. */
export const allKept = (): readonly KeptResult[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as KeptResult);
