import type { Reporter, TestModule } from 'vitest/node';

declare module 'vitest' {
  interface TaskMeta {
    /** What a test would have its reader know, though it passed: the seeds that it drew, say. */
    told?: string;
  }
}

/** Ends the run with one plain line that any CI can read: "N passed, N failed, N skipped". A broken file is one failure. */
export default class ClosingReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        count[test.result().state]++;
        const { told } = test.meta();
        if (told !== undefined) process.stdout.write(`\n${told}\n`);
      }
      if (module.errors().length > 0) count.failed++;
    }
    process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped\n`);
  }
}
