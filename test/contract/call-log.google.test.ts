import { describe } from 'vitest';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import { google } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { callLogContract } from './call-log.ts';

describe.skipIf(google === null)('with the Firestore emulator', () => {
  callLogContract('Firestore', async () => firestoreCallLog(openTestFirestore(), systemRuntime()));
});
