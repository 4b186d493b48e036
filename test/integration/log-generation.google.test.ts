/** A new generation of Firestore's log where it is cut off, and where answers are lost. */
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { generationOf } from '../../core/domain/call/epoch.ts';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog } from '../../ports/call-log.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type FirestoreProxy } from '../fixtures/firestore-proxy.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';

describe.skipIf(google === null)('a new generation of the log in Firestore', () => {
  let proxy: FirestoreProxy;
  let project: string;
  /** As the command has it, over a way that can be made bad; and as a process of the product has it. */
  let operator: CallLog;
  let writer: CallLog;
  const SIDS = ['EL_1', 'EL_2', 'EL_3', 'EL_4', 'EL_5'];
  const epochs = (): Promise<string[]> => Promise.all(SIDS.map(async (sid) => (await writer.get(sid))?.epoch ?? ''));

  beforeEach(async () => {
    proxy = await startFirestoreProxy(hosts().firestoreHost);
    project = freshProject();
    operator = firestoreCallLog(openTestFirestore(project, proxy.host), systemRuntime());
    writer = firestoreCallLog(openTestFirestore(project), systemRuntime());
    for (const sid of SIDS) {
      await writer.create([newCall({ call_sid: sid })], null);
      await writer.append(sid, [entry(turn('agent', 'one'), `conv_${sid}`)]);
    }
  });
  afterEach(async () => {
    await Promise.all([operator.close(), writer.close()]);
    await proxy.close();
  });

  it('goes on where it was cut off: what has the generation is left alone', async () => {
    const before = await epochs();
    // The name, two calls, and then it is killed.
    const first = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && nth > first + 2 ? { refused: status.PERMISSION_DENIED } : 'pass');
    await expect(operator.newGeneration()).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.treat = () => 'pass';
    const between = await epochs();
    const moved = between.filter((epoch, place) => epoch !== before[place]);
    expect(moved).toHaveLength(2);
    // Both kinds of calls are written to meanwhile.
    for (const sid of SIDS) await writer.append(sid, [entry(turn('driver', 'two'), `conv_${sid}`)]);

    const { generation, calls } = await writer.newGeneration({ resume: true });
    expect(calls).toBe(3);
    const after = await epochs();
    expect(after.map(generationOf)).toEqual(SIDS.map(() => generation));
    expect(after.filter((epoch) => moved.includes(epoch))).toEqual(moved);
    for (const sid of SIDS) {
      await writer.append(sid, [entry(finished({ transcript: null }), `conv_${sid}`)]);
      expect(faultsOf(await wholeCall(writer, sid))).toEqual([]);
    }
    // It is finished now: asked to go on, it would begin another.
    expect((await writer.newGeneration({ resume: true })).generation).not.toBe(generation);
  });

  it('begins anew where nobody says that it is to go on, which is always right', async () => {
    const first = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && nth > first + 2 ? { refused: status.PERMISSION_DENIED } : 'pass');
    await expect(operator.newGeneration()).rejects.toMatchObject({ code: 'store_unavailable' });
    const between = await epochs();
    const { generation, calls } = await writer.newGeneration();
    expect(calls).toBe(5);
    const after = await epochs();
    expect(after.map(generationOf)).toEqual(SIDS.map(() => generation));
    expect(after.filter((epoch) => between.includes(epoch))).toEqual([]);
  });

  it('names one generation and counts each call once where answers to its commits are lost', async () => {
    const first = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && (nth === first || nth === first + 3) ? { done_but: status.UNAVAILABLE } : 'pass');
    const { generation, calls } = await operator.newGeneration();
    expect(calls).toBe(5);
    expect((await epochs()).map(generationOf)).toEqual(SIDS.map(() => generation));
    await writer.create([newCall({ call_sid: 'EL_new' })], null);
    expect(generationOf((await writer.get('EL_new'))?.epoch ?? '')).toBe(generation);
  });
});
