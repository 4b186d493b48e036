import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const holdsProperties = ({ moduleId }: TestSpecification): boolean => readFileSync(moduleId, 'utf8').includes("from 'fast-check'");

/** Single examples before properties: most mutants fall to the first test that fails, and an example takes a thousandth of the time. */
class ExamplesFirst extends BaseSequencer {
  override sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(specifications.toSorted((a, b) => Number(holdsProperties(a)) - Number(holdsProperties(b))));
  }
}

/**
 * The unit tests as `npm run mutate` runs them: without those that never enter `core/domain`, since a mutant of a constant is shown to
 * all, and without `odd-payloads`, which asks of whole calls only that they fit, and takes longer than all the others.
 */
export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts'],
    exclude: ['test/unit/{asyncapi,client-sha256,group-commit,history-checker,odd-payloads,password,relay-socket,simulated-*}.test.ts'],
    setupFiles: ['test/setup.ts', 'test/mutation/setup.ts'],
    isolate: false,
    // With every place counted that a test passes, three thousand turns take ten times as long; Stryker has a limit of its own.
    testTimeout: 120_000,
    sequence: { sequencer: ExamplesFirst },
  },
});
