import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';
import type { Edit } from './edit.ts';
import type { Caught, Hunt } from './hunt.ts';
import { MUTANTS, type Mutant } from './mutants.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const MINUTES = 60_000;
/** A mutant that this many seeds do not show is not found. */
const SEEDS = 40;

/** Runs the hunts in a process of their own, with the edits in the place of the shipped text. */
const hunt = (hunts: readonly Hunt[], edits: readonly Edit[]): Promise<readonly (Caught | null)[]> =>
  new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ['--import', './test/mutants/edit.ts', 'test/mutants/hunt.ts', JSON.stringify(hunts)],
      { cwd: ROOT, env: { PATH: process.env['PATH'], EARSHOT_EDITS: JSON.stringify(edits) }, timeout: 5 * MINUTES, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 },
      (error, out, err) => {
        if (error === null) resolve(out.trim().split('\n').map((line) => JSON.parse(line) as Caught | null));
        else reject(new Error(`${error.message}\n${err}`));
      },
    );
  });

const huntOf = (mutant: Mutant, seeds: readonly number[], invariants: Hunt['invariants']): Hunt => ({
  seeds,
  invariants,
  plan: mutant.plan,
  calls: mutant.calls ?? null,
  replay: mutant.replay === true,
});

const caught = new Map<string, Caught>();

describe('a mutant', () => {
  it.each(MUTANTS)('is caught: $name', { timeout: 5 * MINUTES }, async (mutant) => {
    const [found] = await hunt([huntOf(mutant, Array.from({ length: SEEDS }, (_, place) => place + 1), mutant.invariants)], mutant.edits);
    expect(found).not.toBeNull();
    if (found !== null && found !== undefined) caught.set(mutant.name, found);
  });

  it('counts only where the product as it is passes the same seed', { timeout: 5 * MINUTES }, async () => {
    const pairs = MUTANTS.flatMap((mutant) => {
      const found = caught.get(mutant.name);
      return found === undefined ? [] : [{ mutant, found }];
    });
    expect(pairs.length).toBe(MUTANTS.length);
    const unbroken = await hunt(pairs.map(({ mutant, found }) => huntOf(mutant, [found.seed], [])), []);
    expect(unbroken).toEqual(pairs.map(() => null));
  });

  it('breaks every invariant there is, among them', () => {
    const meant = new Set(MUTANTS.flatMap(({ invariants }) => invariants.slice(0, 1)));
    expect([...meant].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)))).toEqual(Array.from({ length: 15 }, (_, place) => `I${place + 1}`));
  });

  it('stands in the page with the seed that shows it and the invariant that names it', () => {
    const rows = MUTANTS.map((mutant) => {
      const found = caught.get(mutant.name);
      const plan = Object.entries(mutant.plan).map(([fault, strength]) => (strength === 1 ? fault : `${fault} ${strength}`));
      return [mutant.invariants[0] ?? '', mutant.name, [...new Set(mutant.edits.map(({ file }) => `\`${file}\``))].join(', '), plan.join(', ') || 'none', String(found?.seed ?? ''), found?.invariant ?? ''];
    });
    expectPage(
      'mutants.md',
      `# Mutants

Each breaks one rule of the product, and the history checker has to catch it by the name of an invariant. A broken copy of the module is handed in as it is
loaded (\`test/mutants/edit.ts\`); nothing in shipped code knows of it. A mutant counts only where the product as it is passes the same seed with the same faults.
Printed by \`test/mutants/mutants.test.ts\`; the invariants stand in [reliability.md](../reliability.md).

${markdownTable(['meant for', 'mutant', 'in', 'faults', 'caught on seed', 'by'], rows)}`,
    );
  });
});

describe('handing in a broken copy', () => {
  it('fails loudly where the text to be broken is not there', async () => {
    const edits: Edit[] = [{ file: 'core/domain/relay/pump.ts', find: 'no such text', replace: '' }];
    await expect(hunt([], edits)).rejects.toThrow('these edits do not fit');
  });
});
