import { describe } from 'vitest';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { google } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { generationContract } from './call-log-generation.ts';

describe.skipIf(google === null)('with the Firestore emulator', () => {
  generationContract('Firestore', async () => firestoreCallLog(openTestFirestore(), systemRuntime()));
});
