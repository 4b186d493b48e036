/** A Chromium for one run of the tests that need it: out of the installed package, no system package. */
import { mkdirSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { unpackChromium } from './fixtures/chromium.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Path of the program. */
    chromium: string;
  }
}

const setUp = async (project: TestProject): Promise<void> => {
  mkdirSync('node_modules/.cache', { recursive: true });
  project.provide('chromium', await unpackChromium());
};

export default setUp;
