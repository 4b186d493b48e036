/** The directory in Firestore where something else removes, at the same moment, what is being removed. */
import { status } from '@grpc/grpc-js';
import { expect, describe, it, onTestFinished } from 'vitest';
import { firestoreDirectory } from '../../ports/directory.firestore.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { openFirestore } from '../../ports/firestore-database.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { startFirestoreProxy } from '../fixtures/firestore-proxy.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';

describe.skipIf(google === null)('a sweep of the directory in Firestore', () => {
  it.each([
    ['gone, as Firestore says', status.NOT_FOUND],
    ['renewed', status.FAILED_PRECONDITION],
  ] as const)('goes on past what is %s by now, and tells no operator of a refusal', async (_name, code) => {
    const proxy = await startFirestoreProxy(hosts().firestoreHost);
    const lines: string[] = [];
    const runtime = systemRuntime();
    const projectId = freshProject();
    const open = (database: string) => openFirestore({ projectId, database, emulatorHost: proxy.host, runtime, log: jsonLog('info', (line) => lines.push(line)) });
    const directory = firestoreDirectory({ entries: open('earshot'), sessions: open('earshot-sessions'), runtime });
    onTestFinished(async () => {
      await directory.close();
      await proxy.close();
    });
    for (const name of ['one', 'two', 'three']) await directory.takeLease(name, 'me', 1_000, 2_000);
    const next = proxy.count('Commit') + 2;
    proxy.treat = (method, nth) => (method === 'Commit' && nth === next ? { refused: code } : 'pass');
    expect(await directory.sweep(3_000)).toBe(2);
    expect(await directory.sweep(3_000)).toBe(1);
    expect(lines).toEqual([]);
  });
});
