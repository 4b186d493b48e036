import { describe } from 'vitest';
import { firestoreDirectory } from '../../ports/directory.firestore.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { freshProject, google } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { directoryContract } from './directory.ts';

describe.skipIf(google === null)('with the Firestore emulator', () => {
  directoryContract('Firestore', async () => {
    const project = freshProject();
    const open = () => firestoreDirectory({ entries: openTestFirestore(project), sessions: openTestFirestore(project, undefined, 'earshot-sessions'), runtime: systemRuntime() });
    const directory = open();
    return { directory, again: async () => open(), remove: () => directory.close() };
  });
});
