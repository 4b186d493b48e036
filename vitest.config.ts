import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 3,
    setupFiles: ['test/setup.ts'],
    reporters: ['default', './test/closing-reporter.ts'],
    // A limit ends what hangs; it is no measure of how quick a thing has to be, least of all on a machine that others use too.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: { name: 'parts', include: ['test/{architecture,contract,integration,e2e,simulation,mutants}/**/*.test.ts'], exclude: ['**/*.google.test.ts'] },
      },
      {
        // A real Chromium on real pages.
        extends: true,
        test: { name: 'browser', include: ['test/browser/**/*.test.ts'], globalSetup: ['test/browser-setup.ts'] },
      },
      {
        // Against Google's emulators, which are started once for all of them.
        extends: true,
        test: { name: 'google', include: ['test/**/*.google.test.ts'], globalSetup: ['test/google-setup.ts'], env: { METADATA_SERVER_DETECTION: 'none' } },
      },
    ],
  },
});
