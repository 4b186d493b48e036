/** Appends to calls as this process left them: committed with nothing read, and sound whatever has come between. */
import { FieldValue } from '@google-cloud/firestore';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventFrame } from '../../core/protocol/frames.ts';
import { COMMIT_MAX_BYTES } from '../../core/protocol/limits.ts';
import type { CommitWay } from '../../ports/call-log.firestore-writer.ts';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog } from '../../ports/call-log.ts';
import { openFirestore, type FirestoreDatabase } from '../../ports/firestore-database.ts';
import { jsonLog } from '../../ports/log.json.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { agentEvent, entry, finalTurn, finished, newCall, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type FirestoreProxy, type Treatment } from '../fixtures/firestore-proxy.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { eventually } from '../fixtures/processes.ts';

const SID = 'EL_known';
const said = (text: string, id: string) => entry(turn('driver', text, { turn_id: id }), 'conv1');

/** A process for which time runs four times as fast: it gives an attempt up after a second. */
const hasty = (): Runtime => {
  const real = systemRuntime();
  return { ...real, monotonic: () => real.monotonic() * 4, after: (ms, run) => real.after(ms / 4, run) };
};

describe.skipIf(google === null)('an append to a call in Firestore that this process wrote to last', () => {
  let proxy: FirestoreProxy;
  let stores: FirestoreDatabase[];
  let ways: CommitWay[];
  /** Its way leads through the proxy; it has written to the call. */
  let log: CallLog;
  /** Another process. */
  let other: CallLog;
  /** Past both. */
  let store: FirestoreDatabase;

  beforeEach(async () => {
    const project = freshProject();
    proxy = await startFirestoreProxy(hosts().firestoreHost);
    const through = openFirestore({ projectId: project, database: 'earshot', emulatorHost: proxy.host, runtime: hasty(), log: jsonLog('silent', () => undefined) });
    store = openTestFirestore(project);
    stores = [through, store];
    ways = [];
    log = firestoreCallLog(through, hasty(), { onCommit: (way) => ways.push(way) });
    other = firestoreCallLog(store, systemRuntime());
    await other.create([newCall({ call_sid: SID })], null);
    await log.append(SID, [said('hello', 'first')]);
    expect(ways.splice(0)).toEqual(['read']);
  });
  afterEach(async () => {
    await Promise.all(stores.map((one) => one.close()));
    await proxy.close();
  });

  /** Requests that the work takes. */
  const asked = async (work: () => Promise<unknown>): Promise<{ reads: number; commits: number }> => {
    const before = [proxy.count('BatchGetDocuments') + proxy.count('RunQuery'), proxy.count('Commit')] as const;
    await work();
    return { reads: proxy.count('BatchGetDocuments') + proxy.count('RunQuery') - before[0], commits: proxy.count('Commit') - before[1] };
  };
  const logged = async (): Promise<readonly EventFrame[]> => {
    const whole = await wholeCall(other, SID);
    expect(faultsOf(whole)).toEqual([]);
    return whole.events;
  };
  const words = async (): Promise<string[]> => (await logged()).flatMap((event) => (event.type === 'transcription' ? [`${event.text}${event.state === 'final' ? '' : ` ${event.state}`}`] : []));
  const document = async (): Promise<Record<string, unknown>> => (await store.db.doc(`calls/${SID}`).get()).data() ?? {};

  it('asks for nothing but its commit, and leaves what one that reads would have left', async () => {
    expect(await asked(() => log.append(SID, [said('two', 'second')]))).toEqual({ reads: 0, commits: 1 });
    expect(await asked(() => log.append(SID, [entry(agentEvent('tool_executing', { tool_call_id: 'tool1' }))]))).toEqual({ reads: 0, commits: 1 });
    expect(ways).toEqual(['unread', 'unread']);
    expect(await words()).toEqual(['hello', 'two']);
    const left = await document();
    const now = await other.get(SID);
    expect(now).toMatchObject({ last_seq: (await logged()).length, turn_count: 2, status: 'in_progress' });
    expect(JSON.parse(left['state'] as string)).toEqual(now);
    expect(left).toMatchObject({ call_sid: SID, conversation_id: 'conv1', status: 'in_progress', changed_at: now?.changed_at, search: `dana example\n${SID.toLowerCase()}\nconv1\n+15550001111` });
    expect(left['trigrams']).toContain('dan');
    // And whoever reads first goes on from there.
    expect((await other.append(SID, [said('two', 'second')]))?.results).toEqual([{ result: 'duplicate' }]);
    expect((await other.append(SID, [said('three', 'third')]))?.results).toMatchObject([{ result: 'appended' }]);
  });

  it('writes what the document of the call lacks, as one of an older schema does, with the next append that reads', async () => {
    const whole = await document();
    await store.db.doc(`calls/${SID}`).update({ has_summary: FieldValue.delete(), trigrams: FieldValue.delete(), search: 'another' });
    await log.append(SID, [said('two', 'second')]);
    const { has_summary, trigrams, search } = await document();
    expect({ has_summary, trigrams, search }).toEqual({ has_summary: false, trigrams: whole['trigrams'], search: whole['search'] });
  });

  it('takes what waited together in one such commit, each decided on what those before it left', async () => {
    const results = await Promise.all([log.append(SID, [said('two', 'second')]), log.append(SID, [said('two', 'second')]), log.append(SID, [said('three', 'third')])]);
    expect(results.map((one) => one?.results[0]?.result)).toEqual(['appended', 'duplicate', 'appended']);
    expect(ways).toEqual(['unread']);
    expect(await words()).toEqual(['hello', 'two', 'three']);
  });

  it('is decided anew where another process committed between, and then reads until nobody else has written twice in a row', async () => {
    await other.append(SID, [said('theirs', 'second')]);
    expect(await asked(() => log.append(SID, [said('ours', 'third')]))).toEqual({ reads: 1, commits: 2 });
    for (const id of ['4', '5', '6', '7']) await log.append(SID, [said(id, id)]);
    expect(ways).toEqual(['missed', 'read', 'read', 'unread', 'unread']);
    await other.append(SID, [said('theirs again', '8')]);
    await log.append(SID, [said('9', '9')]);
    expect(ways.slice(5)).toEqual(['missed']);
    expect(await words()).toEqual(['hello', 'theirs', 'ours', '4', '5', '6', '7', 'theirs again', '9']);
  });

  it.each([
    ['this process itself', () => log],
    ['another process', () => other],
  ])('answers a duplicate for what %s logged, and changes nothing', async (_name, teller) => {
    await teller().append(SID, [said('two', 'second'), entry(agentEvent('tool_executing', { tool_call_id: 'tool1' }))]);
    const before = await document();
    const again = await log.append(SID, [said('two', 'second'), entry(agentEvent('tool_executing', { tool_call_id: 'tool1' }))]);
    expect(again?.results).toEqual([{ result: 'duplicate' }, { result: 'duplicate' }]);
    expect(await document()).toEqual(before);
  });

  it('revises and retracts a turn by what is known of it, though this process does not remember that', async () => {
    const revised = await log.append(SID, [entry(turn('driver', 'hullo', { turn_id: 'first', state: 'corrected' }), 'conv1')]);
    expect(revised?.results).toMatchObject([{ result: 'appended' }]);
    const retracted = await log.append(SID, [entry(turn('driver', 'hullo', { turn_id: 'first', state: 'retracted' }), 'conv1'), said('instead', 'second')]);
    expect(retracted?.results).toMatchObject([{ result: 'appended' }, { result: 'appended' }]);
    expect((await logged()).flatMap((event) => (event.type === 'transcription' ? [[event.turn_id, event.rev, event.index]] : []))).toEqual([['first', 1, 0], ['first', 2, 0], ['first', 3, 0], ['second', 1, 1]]);
  });

  it('retracts what it does not remember beside what is new, by what is known of it', async () => {
    const retracted = await log.append(SID, [entry(turn('driver', 'hello', { turn_id: 'first', state: 'retracted' }), 'conv1'), said('instead', 'second')]);
    expect(retracted?.results).toMatchObject([{ result: 'appended' }, { result: 'appended' }]);
    expect((await logged()).flatMap((event) => (event.type === 'transcription' ? [[event.turn_id, event.rev, event.state]] : []))).toEqual([['first', 1, 'final'], ['first', 2, 'retracted'], ['second', 1, 'final']]);
    expect(ways).toEqual(['read']);
  });

  it('asks whose a conversation is that the call does not have yet, and binds it where it is nobody\'s', async () => {
    const fresh = 'EL_fresh';
    await other.create([newCall({ call_sid: fresh })], null);
    const toolUsed = (id: string) => entry(agentEvent('tool_executing', { tool_call_id: id }));
    for (const id of ['tool1', 'tool2']) await log.append(fresh, [toolUsed(id)]);
    expect(ways.splice(0)).toEqual(['read', 'unread']);
    // It is the other call's.
    expect((await log.append(fresh, [entry(turn('driver', 'whose'), 'conv1')]))?.results).toEqual([{ result: 'elsewhere', call_sid: SID }]);
    expect((await log.append(fresh, [toolUsed('tool3'), entry(turn('driver', 'mine'), 'conv2')]))?.results).toMatchObject([{ result: 'appended' }, { result: 'appended' }]);
    expect(await other.find('conv2')).toMatchObject({ call_sid: fresh, conversation_id: 'conv2' });
    // By then it is known, and nothing has to be asked.
    await log.append(fresh, [toolUsed('tool4')]);
    expect(ways).toEqual(['read', 'unread']);
    expect(faultsOf(await wholeCall(other, fresh))).toEqual([]);
  });

  it("asks whose a carrier's id is that the call does not have yet, and finds the call by it afterwards", async () => {
    const carried = { ...said('two', 'second'), provider_call_id: 'CA1' };
    await log.append(SID, [carried]);
    expect(ways).toEqual(['read']);
    expect(await other.findByProviderCall('w1', 'CA1')).toMatchObject({ call_sid: SID, provider_call_id: 'CA1' });
  });

  it('is refused where it is more than one commit holds, as what reads before would be, and the next one is taken', async () => {
    const long = 'x'.repeat(COMMIT_MAX_BYTES / 8);
    const much = Array.from({ length: 9 }, (_, nth) => said(`${nth}${long}`, `long${nth}`));
    await expect(log.append(SID, much)).rejects.toMatchObject({ code: 'payload_too_large' });
    expect(await words()).toEqual(['hello']);
    await log.append(SID, [said('two', 'second')]);
    expect([ways, await words()]).toEqual([['unread'], ['hello', 'two']]);
  });

  it('is told that the call was erased between, and leaves nothing behind', async () => {
    await other.erase(SID);
    await expect(log.append(SID, [said('too late', 'second')])).rejects.toMatchObject({ code: 'call_erased' });
    await expect(log.append(SID, [entry({ kind: 'progress', status: 'in_progress', reason: null })])).rejects.toMatchObject({ code: 'call_erased' });
    const parts = await Promise.all(['segments', 'keys', 'texts'].map(async (name) => (await store.db.collection(`calls/${SID}/${name}`).get()).size));
    expect([await other.find(SID), await other.find('conv1'), parts]).toEqual(['erased', 'erased', [0, 0, 0]]);
  });

  it('goes on in the epoch of a new generation that was named between', async () => {
    const before = (await other.get(SID))?.epoch;
    await other.newGeneration();
    const epoch = (await other.get(SID))?.epoch;
    expect(epoch).not.toBe(before);
    expect((await log.append(SID, [said('two', 'second')]))?.call.epoch).toBe(epoch);
    expect(await words()).toEqual(['hello', 'two']);
  });

  it('reads what it needs where a fact needs more than the call: an outcome, a late turn, another conversation', async () => {
    await log.append(SID, [entry(finished({ transcript: [finalTurn('driver', 'hello')] }), 'conv1')]);
    await log.append(SID, [said('afterwards', 'late')]);
    expect(ways).toEqual(['read', 'read']);
    expect((await log.append(SID, [entry(turn('driver', 'elsewhere'), 'conv2')]))?.results).toEqual([{ result: 'ignored', why: 'another conversation' }]);
    expect((await logged()).at(-1)?.type).toBe('call_sealed');
  });

  it.each([
    ['an answer that it is unavailable', { done_but: status.UNAVAILABLE }],
    ['an answer that its time is over', { done_but: status.DEADLINE_EXCEEDED }],
    ['an answer that it was cancelled', { done_but: status.CANCELLED }],
    ['an answer that something came between', { done_but: status.FAILED_PRECONDITION }],
    ['an answer that it was aborted', { done_but: status.ABORTED }],
    ['no answer', 'done_but_silent'],
  ] as const)('took effect once, and answers what it appended, when its commit was applied but got %s', async (_name, treatment) => {
    const before = (await logged()).length;
    const commit = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && nth === commit ? treatment : 'pass');
    // An event without any key: nothing but the commit itself can tell that it is there.
    const added = await log.append(SID, [entry(agentEvent('agent_completed'))]);
    const after = await logged();
    expect(added?.results).toEqual([{ result: 'appended', first_seq: before + 1, last_seq: after.length }]);
    expect(after.slice(before).map((event) => JSON.stringify(event))).toEqual(added?.events.map(({ text }) => text));
    expect(after.filter(({ type }) => type === 'agent_completed')).toHaveLength(1);
    expect((await log.append(SID, [said('two', 'second')]))?.results).toMatchObject([{ result: 'appended' }]);
    expect(await words()).toEqual(['hello', 'two']);
  });

  it.each([status.UNAVAILABLE, status.ABORTED, status.RESOURCE_EXHAUSTED, status.FAILED_PRECONDITION, status.ALREADY_EXISTS])('is committed by the next attempt when it was refused (%s)', async (refused) => {
    const commit = proxy.count('Commit') + 1;
    proxy.treat = (method, nth) => (method === 'Commit' && nth === commit ? { refused } : 'pass');
    expect((await log.append(SID, [said('two', 'second')]))?.results).toMatchObject([{ result: 'appended' }]);
    expect(await words()).toEqual(['hello', 'two']);
  });

  it.each(['before the next attempt reads', 'after it has read, before it commits'] as const)('takes effect once when its commit is given up and lands %s', async (when) => {
    const before = (await logged()).length;
    const commit = proxy.count('Commit') + 1;
    const read = proxy.count('BatchGetDocuments') + 1;
    let release: (treatment: Treatment) => void = () => undefined;
    const held = new Promise<Treatment>((resolve) => (release = resolve));
    const landed = (): Promise<Treatment> => {
      release('pass');
      return eventually('the commit to land', async () => ((await other.get(SID))?.last_seq ?? 0) > before).then(() => 'pass');
    };
    proxy.treat = (method, nth) => {
      if (method === 'Commit' && nth === commit) return held;
      const isNext = when.startsWith('before') ? method === 'BatchGetDocuments' && nth === read : method === 'Commit' && nth === commit + 1;
      return isNext ? landed() : 'pass';
    };
    const added = await log.append(SID, [entry(agentEvent('agent_completed'))]);
    const after = await logged();
    expect(after.slice(before).map((event) => JSON.stringify(event))).toEqual(added?.events.map(({ text }) => text));
    expect(after.filter(({ type }) => type === 'agent_completed')).toHaveLength(1);
  });
});
