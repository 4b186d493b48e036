import { describe } from 'vitest';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import { google } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { callLogContract } from './call-log.ts';

describe.skipIf(google === null)('with the Firestore emulator', () => {
  // The emulator takes 4 MiB in one request, where Firestore takes 10.
  callLogContract('Firestore', async () => firestoreCallLog(openTestFirestore(), systemRuntime()), 3.5 * 1024 * 1024);
});
