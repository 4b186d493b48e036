/**
 * Mutation testing of `core/`: `npm run mutate`. Every piece of logic is changed on purpose, one change at a time, and the unit tests
 * have to notice. The report is `reports/mutation/mutation.html`; a score below 80 breaks the build.
 * One part alone: `npm run mutate -- --mutate 'core/domain/relay/**'`. A later run repeats only what changed since, by the text of mutants
 * and tests; `npm run mutate -- --force` repeats all of it, for when a fixture changed.
 */
export default {
  mutate: [
    'core/domain/**/*.ts',
    'core/settings.ts',
    'core/settings-table.ts',
    'core/protocol/*.ts',
    // Tables of words and numbers. `docs/generated` is printed from them and `limits.test.ts` holds the numbers against one another;
    // a changed sentence or bound would be found by a copy of the table alone.
    '!core/protocol/{codes,limits}.ts',
    // What a relay and the API say, as declarations: the product takes types and the printed documents from them and parses nothing.
    '!core/protocol/{frames,asyncapi}.ts',
    // What HTTP takes, as declarations: no unit test loads them. What they refuse is asked over real HTTP, in `test/integration`.
    '!core/protocol/{rest,ingest,token}.ts',
  ],
  // Sentences for people (`test/mutation/sentences.ts` says which).
  plugins: ['@stryker-mutator/vitest-runner', './test/mutation/sentences.ts'],
  ignorers: ['sentences'],
  // A whole function made to answer nothing falls at once, but being made when its module is loaded it has to be shown to every test.
  mutator: { excludedMutations: ['ArrowFunction'] },
  testRunner: 'vitest',
  vitest: { configFile: 'test/mutation/vitest.config.ts' },
  coverageAnalysis: 'perTest',
  concurrency: 2,
  thresholds: { high: 90, low: 80, break: 80 },
  reporters: ['clear-text', 'html', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportMutants: false },
  incremental: true,
  incrementalFile: 'reports/mutation/incremental.json',
  ignorePatterns: ['/data', '/dist', '/client/dist', '/reports', '/docs/decisions'],
  tempDirName: '.stryker-tmp',
  allowEmpty: false,
};
