/** The log in Firestore where another process commits exactly between the read and the commit of this one. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog, CreateResult } from '../../ports/call-log.ts';
import type { FirestoreDatabase } from '../../ports/firestore-database.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { agentEvent, entry, finalTurn, finished, newCall, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type FirestoreProxy } from '../fixtures/firestore-proxy.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';

const sidOf = (result: CreateResult): string => (result.result === 'created' ? (result.calls[0]?.call_sid ?? '') : '');
const ACCEPTED = { kind: 'dial_accepted', attempt: 1 } as const;

describe.skipIf(google === null)('two processes on one log in Firestore', () => {
  let proxy: FirestoreProxy;
  let project: string;
  let opened: FirestoreDatabase[];
  /** Its way leads through the proxy. */
  let slow: CallLog;
  let quick: CallLog;
  /** Past both. */
  let store: FirestoreDatabase;

  const open = (emulatorHost: string): FirestoreDatabase => {
    const database = openTestFirestore(project, emulatorHost);
    opened.push(database);
    return database;
  };
  beforeEach(async () => {
    proxy = await startFirestoreProxy(hosts().firestoreHost);
    project = freshProject();
    opened = [];
    slow = firestoreCallLog(open(proxy.host), systemRuntime());
    store = open(hosts().firestoreHost);
    quick = firestoreCallLog(store, systemRuntime());
  });
  afterEach(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await proxy.close();
  });

  /** Holds the next commit of the slow one, which has read all it wants to know, until this is done. */
  const meanwhile = (work: () => Promise<unknown>): void => {
    const next = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && nth === next ? work().then(() => 'pass' as const) : 'pass');
  };
  const create = async (more: Parameters<typeof newCall>[0] = {}): Promise<string> => sidOf(await slow.create([newCall(more)], null));
  const dialled = async (more: Parameters<typeof newCall>[0] = {}): Promise<string> => {
    const callSid = await create(more);
    await slow.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
    return callSid;
  };
  const adopt = (log: CallLog, text: string): ReturnType<CallLog['adopt']> => log.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [entry(turn('driver', text), 'conv1')]);
  const said = async (callSid: string): Promise<string[]> =>
    ((await quick.read(callSid, 0, 1_000))?.events ?? []).map(({ text }) => JSON.parse(text) as { type: string; text?: string }).filter(({ type }) => type === 'transcription').map(({ text = '' }) => text);
  const partsOf = async (callSid: string): Promise<number> => {
    const counts = await Promise.all(['segments', 'keys', 'texts'].map(async (name) => (await store.db.collection(`calls/${callSid}/${name}`).get()).size));
    return counts.reduce((sum, count) => sum + count, 0);
  };

  it('an append that is overtaken by another is decided anew: no seq is given twice, and the same fact takes effect once', async () => {
    const callSid = await create();
    meanwhile(() => quick.append(callSid, [entry(turn('driver', 'same', { turn_id: 'x', rev: 1 }), 'conv1'), entry(turn('driver', 'first'), 'conv1')]));
    const late = await slow.append(callSid, [entry(turn('driver', 'same', { turn_id: 'x', rev: 1 }), 'conv1'), entry(turn('driver', 'second'), 'conv1')]);
    expect(late?.results).toMatchObject([{ result: 'duplicate' }, { result: 'appended' }]);
    expect(await said(callSid)).toEqual(['same', 'first', 'second']);
  });

  it('an append beside an erasure is told of it, and leaves nothing behind', async () => {
    const callSid = await create();
    meanwhile(() => quick.erase(callSid));
    await expect(slow.append(callSid, [entry(turn('driver', 'too late'), 'conv1')])).rejects.toMatchObject({ code: 'call_erased' });
    expect([await partsOf(callSid), await quick.find(callSid), await quick.find('conv1'), await quick.sweep()]).toEqual([0, 'erased', null, 0]);
  });

  it('an erasure beside an append takes away what was appended', async () => {
    const callSid = await create();
    meanwhile(() => quick.append(callSid, [entry(turn('driver', 'just in time'), 'conv1', { provider_call_id: 'CA1' })]));
    expect(await slow.erase(callSid)).toBe(true);
    expect([await partsOf(callSid), await quick.find(callSid), await quick.find('conv1'), await quick.findByProviderCall('w1', 'CA1')]).toEqual([0, 'erased', 'erased', null]);
    await expect(quick.adopt('conv1', newCall({ call_sid: 'EL_conv1' }), [])).rejects.toMatchObject({ code: 'call_erased' });
  });

  it('of two erasures at once one says that it was it', async () => {
    const callSid = await create();
    let other = false;
    meanwhile(async () => {
      other = await quick.erase(callSid);
    });
    expect([await slow.erase(callSid), other]).toEqual([false, true]);
  });

  it('two calls that are told of one conversation at once: one has it, the other is told whose it is', async () => {
    const [one, two] = [await dialled(), await dialled()];
    meanwhile(() => quick.append(two, [entry(turn('driver', 'mine'), 'conv1')]));
    expect((await slow.append(one, [entry(turn('driver', 'also'), 'conv1')]))?.results).toEqual([{ result: 'elsewhere', call_sid: two }]);
    expect([await said(one), await said(two), (await quick.get(one))?.conversation_id]).toEqual([[], ['mine'], null]);
  });

  it('two adoptions of one conversation at once are one call with the words of both', async () => {
    meanwhile(() => adopt(quick, 'first'));
    expect((await adopt(slow, 'second')).call.call_sid).toBe('EL_conv1');
    expect(await said('EL_conv1')).toEqual(['first', 'second']);
    expect((await quick.list({ tenant: 't1', limit: 10 })).calls).toHaveLength(1);
  });

  it('an adoption beside one that was erased at once brings nothing back', async () => {
    meanwhile(async () => {
      await adopt(quick, 'first');
      await quick.erase('EL_conv1');
    });
    await expect(adopt(slow, 'second')).rejects.toMatchObject({ code: 'call_erased' });
    expect([await quick.find('conv1'), await partsOf('EL_conv1'), (await quick.list({ tenant: 't1', limit: 10 })).calls]).toEqual(['erased', 0, []]);
  });

  it("a dial's answer beside the adoption of its conversation: the dialled call is merged", async () => {
    const callSid = await dialled();
    meanwhile(() => adopt(quick, 'hi'));
    expect((await slow.append(callSid, [entry(ACCEPTED, 'conv1')]))?.results).toEqual([{ result: 'elsewhere', call_sid: 'EL_conv1' }]);
    expect(await quick.get(callSid)).toMatchObject({ status: 'failed', merged_into: 'EL_conv1' });
    expect(await quick.findMany([callSid, 'conv1'])).toMatchObject([{ call_sid: 'EL_conv1' }, { call_sid: 'EL_conv1' }]);
  });

  it("an adoption beside the dial's answer goes to the dialled call", async () => {
    const callSid = await dialled();
    meanwhile(() => quick.append(callSid, [entry(ACCEPTED, 'conv1')]));
    expect((await adopt(slow, 'hi')).call.call_sid).toBe(callSid);
    expect([await said(callSid), await quick.get('EL_conv1')]).toEqual([['hi'], null]);
  });

  it('nothing is merged into a call that is erased at that moment: it would outlive it', async () => {
    const callSid = await dialled();
    await adopt(quick, 'hi');
    meanwhile(() => quick.erase('EL_conv1'));
    await expect(slow.append(callSid, [entry(ACCEPTED, 'conv1')])).rejects.toMatchObject({ code: 'call_erased' });
    expect([(await quick.get(callSid))?.merged_into, await quick.mergedInto('EL_conv1')]).toEqual([null, []]);
  });

  it('one idempotency key in two processes at once makes one call', async () => {
    const key = { key: 'k', request_hash: 'h' };
    let first: CreateResult | null = null;
    meanwhile(async () => {
      first = await quick.create([newCall({ call_sid: 'EL_call_1' }), newCall({ call_sid: 'EL_call_2' })], key);
    });
    const second = await slow.create([newCall({ call_sid: 'EL_call_3' }), newCall({ call_sid: 'EL_call_4' })], key);
    expect(first).toMatchObject({ result: 'created', calls: [{ call_sid: 'EL_call_1' }, { call_sid: 'EL_call_2' }] });
    expect(second).toMatchObject({ result: 'repeated', calls: [{ call_sid: 'EL_call_1' }, { call_sid: 'EL_call_2' }] });
    expect((await quick.list({ tenant: 't1', limit: 10 })).calls).toHaveLength(2);
  });

  it('one id in two processes at once becomes two', async () => {
    meanwhile(() => quick.create([newCall()], null));
    expect(await create()).toBe('EL_driver1_2026-01-01T00:00:00.001Z');
  });

  it("the carrier's id belongs to the first call that had it, and both calls have what else they were told", async () => {
    const [one, two] = [await create(), await create()];
    meanwhile(() => quick.append(two, [entry(turn('driver', 'two'), null, { provider_call_id: 'CA1' })]));
    await slow.append(one, [entry(turn('driver', 'one'), null, { provider_call_id: 'CA1' })]);
    expect((await quick.findByProviderCall('w1', 'CA1'))?.call_sid).toBe(two);
    expect([await said(one), await said(two)]).toEqual([['one'], ['two']]);
    await quick.erase(one);
    expect((await quick.findByProviderCall('w1', 'CA1'))?.call_sid).toBe(two);
  });

  it('a read shows one moment: what is erased, or appended to, while its events are asked for, is whole', async () => {
    const callSid = await create();
    for (let i = 0; i < 3; i++) await quick.append(callSid, [entry(agentEvent('tool_executing', { tool_call_id: `c${i}` }))]);
    const before = await quick.read(callSid, 0, 100);
    for (const work of [() => quick.append(callSid, [entry(finished(), 'conv1')]), () => quick.erase(callSid)]) {
      const whole = await quick.read(callSid, 0, 100);
      const next = proxy.count('RunQuery') + 1;
      proxy.treat = (method, nth) => (method === 'RunQuery' && nth === next ? work().then(() => 'pass' as const) : 'pass');
      expect(await slow.read(callSid, 0, 100)).toEqual(whole);
    }
    expect([before?.events.length, await slow.read(callSid, 0, 100)]).toEqual([before?.call.last_seq, null]);
  });

  it('erases a call of three thousand turns at once, and leaves no document of it', async () => {
    const callSid = await create();
    const transcript = Array.from({ length: 3_000 }, (_, i) => finalTurn(i % 2 === 0 ? 'agent' : 'driver', `turn ${i}`, { time_in_call_secs: i }));
    await quick.append(callSid, [entry(finished({ transcript }), 'conv1')]);
    expect(await partsOf(callSid)).toBeGreaterThan(6_000);
    expect([await quick.erase(callSid), await partsOf(callSid), await quick.sweep()]).toEqual([true, 0, 0]);
  });
});
