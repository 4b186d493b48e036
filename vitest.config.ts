import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 3,
    setupFiles: ['test/setup.ts'],
    reporters: ['default', './test/closing-reporter.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: { name: 'parts', include: ['test/{architecture,contract,integration,e2e,simulation,mutants}/**/*.test.ts'], exclude: ['**/*.google.test.ts'] },
      },
      {
        // A real Chromium on real pages.
        extends: true,
        test: { name: 'browser', include: ['test/browser/**/*.test.ts'], globalSetup: ['test/browser-setup.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        // Against Google's emulators, which are started once for all of them.
        extends: true,
        test: { name: 'google', include: ['test/**/*.google.test.ts'], globalSetup: ['test/google-setup.ts'], env: { METADATA_SERVER_DETECTION: 'none' }, testTimeout: 60_000, hookTimeout: 60_000 },
      },
    ],
  },
});
