/** Google's emulators for one run of the tests that need them; where there are none, one loud line - or, where they are required, an end. */
import type { TestProject } from 'vitest/node';
import { EmulatorsMissingError, startEmulators } from '../local/google/emulators.ts';

export interface GoogleHosts {
  readonly firestoreHost: string;
  readonly pubsubHost: string;
}

declare module 'vitest' {
  interface ProvidedContext {
    google: GoogleHosts | null;
  }
}

const setUp = async (project: TestProject): Promise<(() => Promise<void>) | undefined> => {
  try {
    const emulators = await startEmulators(process.env);
    project.provide('google', { firestoreHost: emulators.firestoreHost, pubsubHost: emulators.pubsubHost });
    return emulators.close;
  } catch (error) {
    if (!(error instanceof EmulatorsMissingError) || process.env['REQUIRE_EMULATORS'] === '1') throw error;
    process.stderr.write(`\n!!! THE TESTS AGAINST GOOGLE'S EMULATORS ARE SKIPPED. ${error.message}\n\n`);
    project.provide('google', null);
    return undefined;
  }
};

export default setUp;
