/** The log in Firestore where the store, or the way to it, fails. */
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import { COMMIT_MAX_BYTES, SEGMENT_MAX_BYTES } from '../../core/protocol/limits.ts';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog, CreateResult } from '../../ports/call-log.ts';
import { openFirestore, type FirestoreDatabase } from '../../ports/firestore-database.ts';
import { jsonLog } from '../../ports/log.json.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { agentEvent, entry, finalTurn, finished, newCall, sha256, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type FirestoreProxy } from '../fixtures/firestore-proxy.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';

/** How much quicker than on the wall the time of a store goes by that is waited for in vain. */
const HASTE = 4;
const hasty = (): Runtime => {
  const real = systemRuntime();
  return { ...real, monotonic: () => real.monotonic() * HASTE, after: (ms, run) => real.after(ms / HASTE, run) };
};

const sidOf = (result: CreateResult): string => (result.result === 'created' ? (result.calls[0]?.call_sid ?? '') : '');

describe.skipIf(google === null)('the log in Firestore', () => {
  let proxy: FirestoreProxy;
  let project: string;
  let lines: string[];
  let opened: FirestoreDatabase[];
  /** The log as one process has it, over the bad way. */
  let log: CallLog;

  const open = (runtime: Runtime): CallLog => {
    const store = openFirestore({ projectId: project, database: 'earshot', emulatorHost: proxy.host, runtime, log: jsonLog('info', (line) => lines.push(line)) });
    opened.push(store);
    return firestoreCallLog(store, runtime);
  };
  /** As a process has it for which time runs HASTE times as fast, once it is connected. */
  const impatient = async (): Promise<CallLog> => {
    const hurried = open(hasty());
    await another().check();
    await hurried.check();
    return hurried;
  };
  /** As another process has it, over a good way. */
  const another = (): CallLog => {
    const store = openTestFirestore(project);
    opened.push(store);
    return firestoreCallLog(store, systemRuntime());
  };

  beforeEach(async () => {
    proxy = await startFirestoreProxy(hosts().firestoreHost);
    project = freshProject();
    lines = [];
    opened = [];
    log = open(systemRuntime());
  });
  afterEach(async () => {
    await Promise.all(opened.map((store) => store.close()));
    await proxy.close();
  });

  const create = async (): Promise<string> => sidOf(await log.create([newCall()], null));
  const textsOf = async (callSid: string): Promise<string[]> => ((await another().read(callSid, 0, 10_000))?.events ?? []).map(({ text }) => text);
  const typesOf = async (callSid: string): Promise<string[]> => (await textsOf(callSid)).map((text) => (JSON.parse(text) as { type: string }).type);
  /** Treats the next request of the method like this, all others well. */
  const once = (method: 'Commit' | 'BatchGetDocuments', treatment: ReturnType<FirestoreProxy['treat']>): void => {
    const next = proxy.count(method) + 1;
    proxy.treat = (asked, nth) => (asked === method && nth === next ? treatment : 'pass');
  };

  it('keeps seqs dense and every fact once when twenty writers in four processes append to one call', async () => {
    const callSid = await create();
    const processes = [another(), another(), another(), another()];
    await Promise.all(Array.from({ length: 20 }, (_, i) => (processes[i % 4] ?? log).append(callSid, [entry(turn('driver', `line ${i}`, { turn_id: `t${i >> 1}`, rev: 1 }), 'conv1')])));
    const seqs = (await textsOf(callSid)).map((text) => (JSON.parse(text) as { seq: number }).seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    expect((await typesOf(callSid)).filter((type) => type === 'transcription')).toHaveLength(10);
  });

  const LOST = [
    ['an answer that it is unavailable', { done_but: status.UNAVAILABLE }],
    ['an answer that its time is over', { done_but: status.DEADLINE_EXCEEDED }],
    ['an answer of an inner fault', { done_but: status.INTERNAL }],
    ['no answer', 'done_but_silent'],
  ] as const;
  it.each(LOST)('appends once, and answers what it appended, when the commit was applied but got %s', async (_name, treatment) => {
    const callSid = await create();
    const before = await log.append(callSid, [entry(turn('driver', 'hi'), 'conv1')]);
    const seq = before?.call.last_seq ?? 0;
    log = await impatient();
    once('Commit', treatment);
    // An event without any key: nothing but the commit itself can tell that it is there.
    const added = await log.append(callSid, [entry(agentEvent('agent_completed'))]);
    expect(added?.results).toEqual([{ result: 'appended', first_seq: seq + 1, last_seq: seq + (added?.events.length ?? 0) }]);
    expect((await textsOf(callSid)).slice(seq)).toEqual(added?.events.map(({ text }) => text));
    expect((await typesOf(callSid)).filter((type) => type === 'agent_completed')).toHaveLength(1);
  });

  it.each(LOST)('creates and adopts once when the commit was applied but got %s', async (_name, treatment) => {
    await create();
    log = await impatient();
    once('Commit', treatment);
    const callSid = sidOf(await log.create([newCall()], null));
    once('Commit', treatment);
    const adopted = await log.adopt('conv9', newCall({ call_sid: 'EL_conv9' }), [entry(turn('driver', 'hi'), 'conv9')]);
    expect(adopted.results).toMatchObject([{ result: 'appended', first_seq: 1 }]);
    expect(await textsOf('EL_conv9')).toEqual(adopted.events.map(({ text }) => text));
    const calls = (await another().list({ tenant: 't1', limit: 10 })).calls.map((call) => call.call_sid);
    expect(new Set(calls)).toEqual(new Set(['EL_driver1_2026-01-01T00:00:00.000Z', callSid, 'EL_conv9']));
    expect(callSid).toBe('EL_driver1_2026-01-01T00:00:00.001Z');
    expect(await typesOf(callSid)).toEqual(['call_status']);
  });

  it('says that it erased a call, though the answer to its commit was lost', async () => {
    const callSid = await create();
    await log.append(callSid, [entry(turn('driver', 'hi'), 'conv1')]);
    once('Commit', { done_but: status.UNAVAILABLE });
    expect(await log.erase(callSid)).toBe(true);
    expect(await another().sweep()).toBe(0);
    expect(await log.erase(callSid)).toBe(false);
  });

  it('asks again when a commit or a read is refused for now, or is never answered', async () => {
    const callSid = await create();
    log = await impatient();
    for (const method of ['Commit', 'BatchGetDocuments'] as const) {
      for (const treatment of [{ refused: status.UNAVAILABLE }, { refused: status.ABORTED }, { refused: status.RESOURCE_EXHAUSTED }, 'silent'] as const) {
        once(method, treatment);
        const added = await log.append(callSid, [entry(agentEvent('tool_executing', { tool_call_id: `${method} ${JSON.stringify(treatment)}` }))]);
        expect(added?.results, `${method} ${JSON.stringify(treatment)}`).toMatchObject([{ result: 'appended' }]);
      }
    }
    expect((await typesOf(callSid)).filter((type) => type === 'tool_executing')).toHaveLength(8);
  });

  it('answers store_unavailable when the store stays away, and works again when it is back', async () => {
    const callSid = await create();
    log = await impatient();
    for (const treatment of [{ refused: status.UNAVAILABLE }, 'silent'] as const) {
      proxy.treat = () => treatment;
      await expect(log.append(callSid, [entry(turn('driver', 'lost'), 'conv1')])).rejects.toMatchObject({ code: 'store_unavailable' });
      for (const asked of await Promise.allSettled([log.read(callSid, 0, 10), log.check(), log.list({ tenant: 't1', limit: 1 })])) expect(asked).toMatchObject({ status: 'rejected', reason: { code: 'store_unavailable' } });
    }
    proxy.treat = () => 'pass';
    expect(await log.append(callSid, [entry(turn('driver', 'kept'), 'conv1')])).toMatchObject({ results: [{ result: 'appended' }] });
  });

  it.each([status.PERMISSION_DENIED, status.UNAUTHENTICATED, status.NOT_FOUND])('says at once, and in a line for the operator, that the store refuses this process (%s)', async (code) => {
    const callSid = await create();
    proxy.treat = () => ({ refused: code });
    await expect(log.append(callSid, [entry(turn('driver', 'x'), 'conv1')])).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(proxy.count('BatchGetDocuments')).toBeLessThan(10);
    expect(lines.map((line) => JSON.parse(line) as Record<string, unknown>)).toContainEqual(expect.objectContaining({ message: 'Firestore refuses this process', grpc_code: code, severity: 'ERROR' }));
  });

  it('splits a commit into segments that a document can hold, and reads them as one', async () => {
    const callSid = await create();
    const transcript = Array.from({ length: 300 }, (_, i) => finalTurn(i % 2 === 0 ? 'agent' : 'driver', `turn ${i} ${'x'.repeat(5_000)}`, { time_in_call_secs: i }));
    const done = await log.append(callSid, [entry(finished({ transcript }), 'conv1')]);
    const all = await another().read(callSid, 0, 10_000);
    expect(all?.events).toHaveLength(done?.call.last_seq ?? -1);
    expect(all?.events.map(({ seq }) => seq)).toEqual(all?.events.map((_, i) => i + 1));
    const seal = JSON.parse(all?.events.at(-1)?.text ?? '{}') as { digest: string; turns: number };
    const before = (all?.events ?? []).slice(0, -1).reduce((digest, event) => chainNext(digest, event.text, sha256), chainStart(done?.call.epoch ?? '', sha256));
    expect(seal).toMatchObject({ turns: 300, digest: before });
    const segments = await opened[0]?.db.collection(`calls/${callSid}/segments`).get();
    expect(segments?.size).toBeGreaterThan(2);
    for (const segment of segments?.docs ?? []) expect((segment.get('texts') as string[]).join('').length).toBeLessThanOrEqual(SEGMENT_MAX_BYTES);
    expect((await another().read(callSid, 150, 3))?.events.map(({ seq }) => seq)).toEqual([151, 152, 153]);
  });

  it('keeps details larger than a document whole, also when shorter ones take their place', async () => {
    const callSid = await create();
    const long = JSON.stringify({ said: 'ä🙂'.repeat(300_000) });
    await log.append(callSid, [entry(finished({ metadata_json: long }), 'conv1')]);
    expect((await another().details(callSid))?.metadata_json).toBe(long);
    await log.append(callSid, [entry(finished({ metadata_json: '{"short":true}' }, 20_000), 'conv1')]);
    expect(await another().details(callSid)).toEqual({ analysis_data: '{"a":1}', metadata_json: '{"short":true}' });
  });

  it('refuses what no commit can hold, and nothing else that came with it', async () => {
    const callSid = await create();
    const [huge, small] = await Promise.allSettled([
      log.append(callSid, [entry(finished({ metadata_json: JSON.stringify('x'.repeat(COMMIT_MAX_BYTES)) }), 'conv1')]),
      log.append(callSid, [entry(agentEvent('agent_started'))]),
    ]);
    expect(huge).toMatchObject({ status: 'rejected', reason: { code: 'payload_too_large' } });
    expect(small).toMatchObject({ status: 'fulfilled' });
    expect(await typesOf(callSid)).toEqual(small.status === 'fulfilled' ? ['call_status', ...(small.value?.events ?? []).map(({ text }) => (JSON.parse(text) as { type: string }).type)] : []);
    expect(await another().details(callSid)).toEqual({ analysis_data: null, metadata_json: null });
  });

  it('finishes an erasure that was cut off, and shows nothing of the call meanwhile', async () => {
    const callSid = await create();
    await log.append(callSid, [entry(turn('driver', 'hi'), 'conv1'), entry(finished(), 'conv1')]);
    const from = proxy.count('Commit') + 1;
    // The tombstone stands; what follows is refused for good, so that nothing waits for another try.
    proxy.treat = (method) => (method === 'RunQuery' && proxy.count('Commit') >= from ? { refused: status.PERMISSION_DENIED } : 'pass');
    await expect(log.erase(callSid)).rejects.toMatchObject({ code: 'store_unavailable' });
    proxy.treat = () => 'pass';
    expect([await log.find(callSid), await log.find('conv1'), await log.read(callSid, 0, 10), await log.details(callSid)]).toEqual(['erased', 'erased', null, null]);
    const left = (): Promise<number> => (opened[0]?.db.collection(`calls/${callSid}/segments`).get() ?? Promise.reject(new Error('closed'))).then(({ size }) => size);
    expect(await left()).toBeGreaterThan(0);
    expect(await another().sweep()).toBe(1);
    expect(await left()).toBe(0);
    expect(await log.sweep()).toBe(0);
  });

  it('tells every change once, also of more calls than fit into one page, and none twice within the overlap', async () => {
    const { mark } = await log.changes(null, null);
    const callSid = await create();
    const first = (await log.read(callSid, 0, 1))?.call;
    const store = opened[0];
    if (store === undefined || first === undefined) throw new Error('nothing was created');
    const writer = store.db.bulkWriter();
    const like = (await store.db.collection('calls').get()).docs[0]?.data() ?? {};
    const stamp = (await import('@google-cloud/firestore')).FieldValue.serverTimestamp();
    for (let i = 0; i < 1_200; i++) void writer.set(store.db.doc(`calls/EL_many_${i}`), { ...like, call_sid: `EL_many_${i}`, changed: stamp, state: JSON.stringify({ ...first, call_sid: `EL_many_${i}` }) });
    await writer.close();
    const all = await log.changes(['t1'], mark);
    expect([all.calls.length, new Set(all.calls.map((call) => call.call_sid)).size, all.more]).toEqual([1_201, 1_201, false]);
    const again = await log.changes(['t1'], all.mark);
    expect(again.calls).toEqual([]);
    await log.append(callSid, [entry(agentEvent('agent_started'))]);
    expect((await log.changes(['t1'], again.mark)).calls.map((call) => call.call_sid)).toEqual([callSid]);
    // Who asks with a mark that is no longer remembered is told again rather than not at all.
    expect((await another().changes(['t1'], again.mark)).calls.length).toBeGreaterThan(1_000);
    await expect(log.changes(['t1'], 'yesterday')).rejects.toMatchObject({ code: 'invalid_cursor' });
  });
});
