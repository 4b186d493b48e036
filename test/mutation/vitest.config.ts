import { defineConfig } from 'vitest/config';

/** The unit tests as `npm run mutate` runs them: without those that never enter `core/domain`, since a mutant of a constant is shown to all. */
export default defineConfig({
  test: {
    include: ['test/unit/**/*.test.ts'],
    exclude: ['test/unit/{asyncapi,client-sha256,group-commit,history-checker,password,relay-socket,simulated-*}.test.ts'],
    setupFiles: ['test/setup.ts', 'test/mutation/setup.ts'],
    isolate: false,
    testTimeout: 20_000,
  },
});
