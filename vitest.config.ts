import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    maxWorkers: 2,
    setupFiles: ['test/setup.ts'],
    reporters: ['default', './test/closing-reporter.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'parts', include: ['test/{architecture,contract,integration,e2e,simulation,mutants}/**/*.test.ts'] } },
    ],
  },
});
