import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FIRST_LISTING_MS, LIST_OVERLAP_MS, LIST_PAGES_MAX_COUNT, PROVIDER_READS_MAX_COUNT } from '../../core/protocol/limits.ts';
import { eraseCall } from '../../functions/calls/end-and-erase.ts';
import { runFollower, runJanitor, runJobs, runReconciler } from '../../functions/jobs.ts';
import type { Parts } from '../../functions/parts.ts';
import { entry, newCall } from '../fixtures/facts.ts';
import { functionsUnderTest, type FunctionsUnderTest, type UnderTestOptions } from '../fixtures/functions-under-test.ts';
import { conversationData, FakeProvider, unavailable, type FakeConversation } from '../fixtures/provider.ts';

const MINUTE_MS = 60_000;
const NOTHING = { polled: 0, found: 0, finished: 0, settled: 0 };

const start = async (options: UnderTestOptions = {}): Promise<{ earshot: FunctionsUnderTest; provider: FakeProvider; parts: Parts }> => {
  const provider = new FakeProvider();
  const earshot = await functionsUnderTest({ ...options, parts: (made) => ({ provider, ...options.parts?.(made) }) });
  return { earshot, provider, parts: earshot.parts };
};

const webhook = (earshot: FunctionsUnderTest, of: FakeConversation, more: object = {}): ReturnType<FunctionsUnderTest['webhook']> =>
  earshot.webhook({ type: 'post_call_transcription', event_timestamp: Math.floor(earshot.parts.runtime.now() / 1000), data: { ...conversationData(of), ...more } });

/** A call of this conversation that is on, as live words tell of it. */
const live = async ({ ingest }: FunctionsUnderTest, conversation: string): Promise<void> => {
  expect((await ingest('transcription', { conversation_id: conversation, agent_id: 'agent1', speaker: 'driver', text: 'Hello?' })).body).toMatchObject({ result: 'stored' });
};

/** A dial whose POST was begun, and nothing more. */
const dialling = async ({ callLog }: Parts, call_sid = 'EL_d1_2026-11-21T10:00:00.000Z'): Promise<string> => {
  await callLog.create([newCall({ call_sid, agent_id: 'agent1', requested_by: 'u' })], null);
  await callLog.append(call_sid, [entry({ kind: 'dialing', attempt: 1 })]);
  return call_sid;
};

const heads = async ({ callLog }: Parts): Promise<[string, number][]> => (await callLog.active(null, 0)).map((call) => [call.call_sid, call.last_seq]);
const warnings = ({ lines }: FunctionsUnderTest, text: string): number => lines.filter((line) => line.includes(text)).length;

describe('calls that have not ended are read', () => {
  it('and show how far the provider says they are, forward only', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await parts.callLog.append(sid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    for (const [status, shown] of [['initiated', 'dialing'], ['in-progress', 'in_progress'], ['initiated', 'in_progress'], ['processing', 'processing'], ['something-new', 'processing']] as const) {
      provider.put('c1', { status });
      await runFollower(parts);
      expect(await parts.callLog.get(sid)).toMatchObject({ status: shown });
    }
    expect(await earshot.types(sid)).toEqual(['call_status', 'call_status', 'call_status', 'call_status', 'call_status']);
  });

  it('and a read that tells what is known writes nothing', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    provider.put('c1', { status: 'in-progress', carrier: 'CA1' });
    let appends = 0;
    const { append } = parts.callLog;
    parts.callLog.append = (...given) => (appends++, append(...given));
    for (let pass = 0; pass < 3; pass++) await runFollower(parts);
    expect(provider.reads).toHaveLength(3);
    // The first told the carrier's id.
    expect(appends).toBe(1);
    expect(await parts.callLog.find('c1')).toMatchObject({ provider_call_id: 'CA1' });
  });

  it.each([
    ['two minutes after the conversation ended, not before', { seconds: 20 }, 2 * MINUTE_MS - 30_000, 2 * MINUTE_MS + 30_000],
    ['only past the bounds of the call where the conversation tells no times', { seconds: null }, 29 * MINUTE_MS, 41 * MINUTE_MS],
  ] as const)('their end is taken %s', async (_when, more, early, late) => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    provider.put('c1', { status: 'done', ...more });
    earshot.move(early);
    await runFollower(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'processing' });
    earshot.move(late - early);
    expect((await runFollower(parts)).reconciled).toMatchObject({ finished: 1 });
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'completed', transcript_summary: 'c1.' });
  });

  it('their end is taken at once when they have been silent for half an hour, however short ago it was', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    provider.put('c1', { seconds: 31 * 60 - 5 });
    earshot.move(31 * MINUTE_MS);
    expect((await runFollower(parts)).reconciled).toMatchObject({ finished: 1 });
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'completed' });
  });

  it('the bound of a dial counts from the dial, whenever its conversation became known', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    earshot.move(2 * MINUTE_MS);
    await parts.callLog.append(sid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    provider.put('c1', { status: 'failed', seconds: null });
    await runFollower(parts);
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'dialing' });
    earshot.move(MINUTE_MS + 1);
    expect((await runFollower(parts)).reconciled).toMatchObject({ finished: 1 });
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'failed' });
  });

  it('one that cannot be read keeps no other from being read', async () => {
    const { earshot, provider, parts } = await start();
    for (const id of ['c1', 'c2', 'c3', 'c4', 'c5', 'c6']) {
      await live(earshot, id);
      provider.put(id, { status: 'processing' });
    }
    provider.beforeRead = (id) => (id === 'c3' ? unavailable() : undefined);
    await runFollower(parts);
    for (const id of ['c1', 'c2', 'c4', 'c5', 'c6']) expect(await parts.callLog.find(id)).toMatchObject({ status: 'processing' });
    expect(await parts.callLog.find('c3')).toMatchObject({ status: 'in_progress' });
    expect(warnings(earshot, 'the provider did not answer as it should')).toBe(1);
  });

  it('one that the log does not take keeps no other from being taken', async () => {
    const { earshot, provider, parts } = await start();
    for (const id of ['c1', 'c2', 'c3']) {
      await live(earshot, id);
      provider.put(id, { status: 'processing' });
    }
    const { append } = parts.callLog;
    parts.callLog.append = (sid, entries) => (sid === 'EL_c2' ? Promise.reject(new Error('disk')) : append(sid, entries));
    await runFollower(parts);
    expect((await parts.callLog.findMany(['c1', 'c2', 'c3'])).map((call) => (call === null || call === 'erased' ? call : call.status))).toEqual(['processing', 'in_progress', 'processing']);
  });

  it('a provider that does not answer at all is left alone after three reads, said once, and other workspaces go on', async () => {
    const { earshot, provider, parts } = await start();
    for (let number = 0; number < 10; number++) {
      await live(earshot, `c${number}`);
      provider.put(`c${number}`, { status: 'processing' });
    }
    provider.put('n1', { agent: 'agent9', status: 'in-progress' });
    const down = (_: unknown, workspace: string): void => (workspace === 'w1' ? unavailable() : undefined);
    provider.beforeRead = down;
    provider.beforeList = down;
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
    expect(provider.workspaces.filter((workspace) => workspace === 'w1')).toHaveLength(3);
    expect(warnings(earshot, 'the provider did not answer as it should')).toBe(1);
    expect(await parts.callLog.find('n1')).toMatchObject({ tenant: 't2', workspace: 'w2', status: 'in_progress' });
  });

  it('within the budget of a pass: the overdue leave room for the others, and none waits for ever', async () => {
    const { earshot, provider, parts } = await start();
    const adopt = async (id: string): Promise<void> => {
      provider.put(id, { status: 'in-progress' });
      await parts.callLog.adopt(id, newCall({ call_sid: `EL_${id}`, agent_id: 'agent1' }), [entry({ kind: 'progress', status: 'in_progress', reason: null }, id)]);
    };
    for (let number = 0; number < PROVIDER_READS_MAX_COUNT; number++) await adopt(`old${number}`);
    earshot.move(31 * MINUTE_MS);
    for (let number = 0; number < 30; number++) await adopt(`new${number}`);
    await runFollower(parts);
    expect(provider.reads.filter((id) => id.startsWith('old'))).toHaveLength(PROVIDER_READS_MAX_COUNT / 2);
    expect(new Set(provider.reads.filter((id) => id.startsWith('new'))).size).toBe(30);
    // Half of them in each pass, drawn anew: a call that forty passes leave out is one in 2^40.
    for (let pass = 0; pass < 40; pass++) await runFollower(parts);
    expect(new Set(provider.reads).size).toBe(PROVIDER_READS_MAX_COUNT + 30);
  });

  it('by one pass at a time, and by two without a lease the same comes of it', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    provider.put('c1', { status: 'done' });
    earshot.move(5 * MINUTE_MS);
    const both = async (): Promise<number[]> => (await Promise.all([runReconciler(parts), runReconciler(parts)])).map(({ reconciled }) => reconciled.finished);
    expect((await both()).sort()).toEqual([0, 1]);
    expect([provider.reads, provider.lists.length]).toEqual([['c1'], 2]);
    parts.directory.takeLease = async () => true;
    await live(earshot, 'c2');
    provider.put('c2', { status: 'done', start: parts.runtime.now() - 5 * MINUTE_MS });
    expect((await both()).sort()).toEqual([0, 1]);
    expect((await earshot.types('c2')).filter((type) => type === 'call_completed')).toHaveLength(1);
  });

  it('a lease that a crash left over ends by itself', async () => {
    const { earshot, provider, parts } = await start();
    provider.put('c1', { status: 'in-progress' });
    await parts.directory.takeLease('reconcile:w1', 'crashed', parts.runtime.now(), parts.runtime.now() + MINUTE_MS);
    expect((await runReconciler(parts)).reconciled).toEqual(NOTHING);
    earshot.move(MINUTE_MS);
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
  });

  it('by a pass that asks for its lease anew when it takes long, and stops where somebody else has it', async () => {
    const { earshot, provider, parts } = await start();
    for (let number = 0; number < 6; number++) {
      await live(earshot, `c${number}`);
      provider.put(`c${number}`, { status: 'in-progress' });
    }
    let taken = 0;
    const { takeLease } = parts.directory;
    parts.directory.takeLease = (...lease) => (taken++, takeLease(...lease));
    provider.beforeRead = () => (provider.reads.length === 1 ? earshot.move(40_000) : undefined);
    await runFollower(parts);
    expect([provider.reads.length, taken]).toEqual([6, 2]);
    provider.reads.length = 0;
    provider.beforeRead = async () => {
      earshot.move(70_000);
      await takeLease('reconcile:w1', 'another', parts.runtime.now(), parts.runtime.now() + MINUTE_MS);
    };
    await runFollower(parts);
    expect(provider.reads).toHaveLength(2);
  });

  it('not where the workspace has no key', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    for (const workspace of await parts.directory.workspaces()) await parts.directory.putWorkspace({ ...workspace, api_key: null });
    expect((await runReconciler(parts)).reconciled).toEqual(NOTHING);
    expect(provider.workspaces).toEqual([]);
  });
});

it('one conversation completes once, whichever way and order webhooks, live words and passes come in', async () => {
  const step = fc.constantFrom('webhook', 'live', 'end', 'follow', 'reconcile', 'minutes' as const);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), async (rounds) => {
      const { earshot, provider, parts } = await start();
      const { start: begun } = provider.put('c1', { status: 'in-progress' });
      const take = async (one: 'webhook' | 'live' | 'end' | 'follow' | 'reconcile' | 'minutes'): Promise<unknown> => {
        switch (one) {
          case 'webhook':
            return webhook(earshot, { ...provider.put('c1'), status: 'done' });
          case 'live':
            return earshot.ingest('transcription', { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' });
          case 'end':
            return provider.put('c1', { status: 'done' });
          case 'follow':
            return runFollower(parts);
          case 'reconcile':
            return runReconciler(parts);
          case 'minutes':
            earshot.move(3 * MINUTE_MS);
            return;
        }
      };
      // Those of a round happen at the same time.
      for (const round of rounds) await Promise.all(round.map(take));
      provider.put('c1', { status: 'done', start: begun });
      earshot.move(5 * MINUTE_MS);
      await runJobs(parts);
      const types = await earshot.types('c1');
      expect(types.filter((type) => type === 'call_completed')).toHaveLength(1);
      expect(types.at(-1)).toBe('call_sealed');
      const before = await heads(parts);
      expect(before).toHaveLength(1);
      expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
      expect((await webhook(earshot, provider.put('c1'))).body).toMatchObject({ result: 'duplicate' });
      expect(await heads(parts)).toEqual(before);
    }),
    { numRuns: 40 },
  );
});

describe('a conversation that the provider does not know', () => {
  it('ends its call when that has been silent for too long; its words stay, and a webhook that comes after all amends it', async () => {
    const { earshot, parts } = await start();
    await live(earshot, 'c1');
    earshot.move(29 * MINUTE_MS);
    await runFollower(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'in_progress' });
    earshot.move(2 * MINUTE_MS);
    expect((await runFollower(parts)).reconciled).toMatchObject({ finished: 1 });
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'failed', reason: 'conversation_not_found', turn_count: 1, seal_revision: 1 });
    const ended = await heads(parts);
    expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
    expect(await heads(parts)).toEqual(ended);
    const kept = new FakeProvider().put('c1', { start: parts.runtime.now() });
    expect((await webhook(earshot, kept)).body).toMatchObject({ result: 'stored' });
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'failed', transcript_summary: 'c1.', call_successful: true, seal_revision: 2 });
  });

  it('does not, where the provider has no list either: then its address is wrong', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    earshot.move(31 * MINUTE_MS);
    provider.beforeList = unavailable;
    await runReconciler(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'in_progress' });
  });

  it('whose end was given up here is amended when the list shows it after all', async () => {
    const { earshot, provider, parts } = await start();
    await live(earshot, 'c1');
    earshot.move(31 * MINUTE_MS);
    await runReconciler(parts);
    provider.put('c1', { start: parts.runtime.now() - 5 * MINUTE_MS });
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 0, finished: 0, polled: 1 });
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'failed', transcript_summary: 'c1.', seal_revision: 2 });
    const before = await heads(parts);
    expect((await runReconciler(parts)).reconciled).toEqual(NOTHING);
    expect(await heads(parts)).toEqual(before);
  });
});

describe('a dial without a conversation', () => {
  it.each([
    ['whose answer never came is looked for at once', 'dial_unknown', 0],
    ['that was accepted is looked for after three minutes', 'dial_accepted', 3 * MINUTE_MS + 1],
  ] as const)('%s, and is given no conversation but its own', async (_what, kind, wait) => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await parts.callLog.append(sid, [entry(kind === 'dial_unknown' ? { kind, attempt: 1, reason: 'timeout' } : { kind, attempt: 1 })]);
    if (wait > 0) {
      await runFollower(parts);
      expect(provider.lists).toEqual([]);
      earshot.move(wait);
    }
    provider.put('other', { status: 'in-progress', own: 'EL_other' });
    // A provider that does not know the filter.
    const { conversations } = provider;
    provider.conversations = (workspace, { cursor, page_size }) => conversations.call(provider, workspace, { cursor, page_size });
    await runFollower(parts);
    expect(await parts.callLog.get(sid)).toMatchObject({ conversation_id: null });
    provider.put('c1', { status: 'in-progress', own: sid });
    expect((await runFollower(parts)).reconciled).toMatchObject({ settled: 1 });
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'in_progress', conversation_id: 'c1' });
    expect(await parts.callLog.find('other')).toBeNull();
  });

  it('is asked for by our id, and once it has its conversation no more; what waited for it is used', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    expect((await earshot.ingest('transcription', { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' })).body).toMatchObject({ result: 'quarantined' });
    await parts.callLog.append(sid, [entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' })]);
    provider.put('c1', { status: 'in-progress', own: sid });
    await runFollower(parts);
    expect(provider.lists).toMatchObject([{ dynamic_variable: { name: 'earshot_call_sid', value: sid } }]);
    expect(await parts.rawStore.quarantineSize()).toBe(0);
    expect(await earshot.types(sid)).toContain('transcription');
    await runFollower(parts);
    expect(provider.lists).toHaveLength(1);
  });

  it('becomes one that needs a person after ten minutes, once, whether it was answered or not; a list still finds it later', async () => {
    const { earshot, provider, parts } = await start();
    const sids = [await dialling(parts, 'EL_a'), await dialling(parts, 'EL_b')];
    await parts.callLog.append('EL_a', [entry({ kind: 'dial_accepted', attempt: 1 })]);
    earshot.move(2 * MINUTE_MS);
    await runJobs(parts);
    expect([(await parts.callLog.get('EL_a'))?.status, (await parts.callLog.get('EL_b'))?.status]).toEqual(['dialing', 'unknown']);
    earshot.move(8 * MINUTE_MS + 1);
    expect(await runJobs(parts)).toMatchObject({ settled: 2 });
    for (const sid of sids) expect(await parts.callLog.get(sid)).toMatchObject({ status: 'unknown', reason: 'needs_person' });
    provider.lists.length = 0;
    expect(await runJobs(parts)).toMatchObject({ settled: 0, reconciled: NOTHING });
    provider.put('c1', { status: 'in-progress', own: 'EL_a' });
    expect((await runJobs(parts)).reconciled).toMatchObject({ settled: 1, found: 0 });
    expect(provider.lists.filter((filter) => filter.dynamic_variable !== undefined)).toEqual([]);
    expect(await parts.callLog.get('EL_a')).toMatchObject({ status: 'in_progress', reason: null, conversation_id: 'c1' });
  });

  it('that can be found is found before it is given up, however late', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    earshot.move(3 * 60 * MINUTE_MS);
    provider.put('c1', { own: sid });
    expect(await runJobs(parts)).toMatchObject({ settled: 0, reconciled: { settled: 1, finished: 1 } });
    expect(await earshot.types(sid)).not.toContain('unknown');
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'completed' });
  });

  it('of which there were words, but no conversation is to be found, ends as one whose conversation is gone', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    expect((await earshot.ingest('transcription', { call_sid: sid, speaker: 'driver', text: 'Hello?' })).body).toMatchObject({ result: 'stored' });
    earshot.move(29 * MINUTE_MS);
    await runJobs(parts);
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'in_progress' });
    earshot.move(2 * MINUTE_MS);
    provider.put('c1', { own: sid });
    provider.beforeRead = unavailable;
    await runJobs(parts);
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'in_progress' });
    provider.conversationsById.clear();
    await runJobs(parts);
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'failed', reason: 'conversation_not_found', turn_count: 1 });
  });

  it('and an adopted conversation of which our id tells too late are one call', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await parts.callLog.append(sid, [entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' })]);
    earshot.move(2 * MINUTE_MS + 1);
    await live(earshot, 'c1');
    provider.put('c1', { status: 'in-progress', own: sid });
    expect((await runFollower(parts)).reconciled).toMatchObject({ settled: 1 });
    expect(await parts.callLog.get(sid)).toMatchObject({ status: 'failed', merged_into: 'EL_c1' });
    const before = await heads(parts);
    await runJobs(parts);
    expect(await heads(parts)).toEqual(before);
  });
});

describe('the list', () => {
  const mark = ({ directory }: Parts): Promise<number | null> => directory.watermark('listed:w1');
  const since = (provider: FakeProvider, workspace = 'w1'): number => (provider.lists.filter((_filter, index) => provider.workspaces[index] === workspace).at(-1)?.call_start_after_unix ?? 0) * 1000;

  it('reaches back a day at first, then an hour behind what was seen; a mark in the future does no harm', async () => {
    const { earshot, provider, parts } = await start();
    const begun = parts.runtime.now();
    await runReconciler(parts);
    expect(Math.abs(since(provider) - (begun - FIRST_LISTING_MS - LIST_OVERLAP_MS))).toBeLessThan(5_000);
    expect(await mark(parts)).toBeGreaterThanOrEqual(begun);
    provider.lists.length = 0;
    provider.workspaces.length = 0;
    await runReconciler(parts);
    expect(Math.abs(since(provider) - ((await mark(parts)) ?? 0) + LIST_OVERLAP_MS)).toBeLessThan(5_000);
    // A clock that was ahead for a while.
    earshot.move(365 * 24 * 60 * MINUTE_MS);
    await runReconciler(parts);
    const ahead = (await mark(parts)) ?? 0;
    earshot.move(-365 * 24 * 60 * MINUTE_MS);
    provider.put('c1', { status: 'in-progress' });
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
    expect(await mark(parts)).toBe(ahead);
  });

  it('leaves the mark where it was when a page fails, and moves it when all of them came', async () => {
    const { earshot, provider, parts } = await start();
    for (let number = 0; number < 150; number++) provider.put(`c${number}`, { start: Date.now() - number * 1000 });
    earshot.move(5 * MINUTE_MS);
    provider.beforeList = (filter) => (filter.cursor === '100' ? unavailable() : undefined);
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 100 });
    expect(await mark(parts)).toBeNull();
    provider.beforeList = () => undefined;
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 50, polled: 50 });
    expect(await mark(parts)).toBeGreaterThan(0);
  });

  it('leaves the mark where it was when a conversation cannot be read or taken, and goes on to the others', async () => {
    const { earshot, provider, parts } = await start();
    for (const id of ['c1', 'c2', 'c3']) provider.put(id);
    earshot.move(5 * MINUTE_MS);
    provider.beforeRead = (id) => (id === 'c1' ? unavailable() : undefined);
    const { adopt } = parts.callLog;
    parts.callLog.adopt = (id, ...given) => (id === 'c2' ? Promise.reject(new Error('disk')) : adopt(id, ...given));
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
    expect([await parts.callLog.find('c1'), await parts.callLog.find('c2'), await mark(parts)]).toEqual([null, null, null]);
    parts.callLog.adopt = adopt;
    provider.beforeRead = () => undefined;
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 2 });
    expect(await mark(parts)).toBeGreaterThan(0);
  });

  it('leaves to its webhook what ended just now, and comes back to it, though hours are seen meanwhile', async () => {
    const { earshot, provider, parts } = await start();
    provider.put('fresh', { start: Date.now(), seconds: 20 });
    const talked = provider.put('talked', { start: Date.now() - 50 * MINUTE_MS, seconds: 50 * 60 - 5 });
    await runReconciler(parts);
    expect([await parts.callLog.find('fresh'), await parts.callLog.find('talked')]).toEqual([null, null]);
    expect(provider.reads).toEqual(['talked']);
    expect(await mark(parts)).toBe(Math.floor(talked.start / 1000) * 1000);
    earshot.move(3 * MINUTE_MS);
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 2, finished: 2 });
    expect(await mark(parts)).toBeGreaterThan(Date.now());
    expect(warnings(earshot, 'their webhooks are silent')).toBe(1);
  });

  it('takes what tells no times when it began an hour ago', async () => {
    const { provider, parts } = await start();
    provider.put('c1', { start: Date.now() - 50 * MINUTE_MS, seconds: null });
    provider.put('c2', { start: Date.now() - 70 * MINUTE_MS, seconds: null });
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
    expect(await parts.callLog.findMany(['c1', 'c2'])).toMatchObject([null, { status: 'completed' }]);
  });

  it('frees what waited for a dial that it finds', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    expect((await earshot.ingest('transcription', { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' })).body).toMatchObject({ result: 'quarantined' });
    provider.put('c1', { status: 'in-progress', own: sid });
    await runReconciler(parts);
    expect(await parts.rawStore.quarantineSize()).toBe(0);
    expect(await earshot.types(sid)).toContain('transcription');
  });

  it('finds more than one budget holds in several passes, however long ago they began', async () => {
    const { earshot, provider, parts } = await start();
    const count = PROVIDER_READS_MAX_COUNT + 50;
    for (let number = 0; number < count; number++) provider.put(`c${number}`, { start: Date.now() - number * MINUTE_MS });
    earshot.move(5 * MINUTE_MS);
    const first = (await runReconciler(parts)).reconciled.found;
    expect(first).toBeLessThanOrEqual(PROVIDER_READS_MAX_COUNT);
    expect((await runReconciler(parts)).reconciled.found).toBe(count - first);
    expect(provider.reads).toHaveLength(count);
  });

  it('reads nothing that is final in the log, nothing of agents that are not ours, and nothing of another workspace', async () => {
    const { earshot, provider, parts } = await start();
    expect((await webhook(earshot, provider.put('c1'))).body).toMatchObject({ result: 'stored' });
    provider.put('stranger', { agent: 'nobody' });
    provider.put('nine', { agent: 'agent9' });
    earshot.move(5 * MINUTE_MS);
    // Both workspaces of this test are the same account: each lists all of it.
    expect((await runReconciler(parts)).reconciled).toEqual({ polled: 1, found: 1, finished: 1, settled: 0 });
    expect(provider.reads).toEqual(['nine']);
    expect(await parts.callLog.find('nine')).toMatchObject({ workspace: 'w2', tenant: 't2' });
    expect(await parts.callLog.find('stranger')).toBeNull();
  });

  it('gives each conversation to the tenant of its agent', async () => {
    const { earshot, provider, parts } = await start();
    provider.put('one');
    provider.put('two', { agent: 'agent2' });
    earshot.move(5 * MINUTE_MS);
    await runReconciler(parts);
    expect(await parts.callLog.findMany(['one', 'two'])).toMatchObject([{ tenant: 't1' }, { tenant: 't2' }]);
  });

  it('does not adopt what a dial of the same agent may still claim, and comes back to it', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    const { start: begun } = provider.put('c1', { status: 'in-progress' });
    await runReconciler(parts);
    expect(await parts.callLog.find('c1')).toBeNull();
    expect(await mark(parts)).toBe(Math.floor(begun / 1000) * 1000);
    await parts.callLog.append(sid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    await runReconciler(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ call_sid: sid, status: 'in_progress' });
    expect(await heads(parts)).toHaveLength(1);
    earshot.move(0);
  });

  it('brings the outcome of a call that we had given up though the provider took it', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await parts.callLog.append(sid, [entry({ kind: 'dial_failed', attempt: 1, reason: 'http_502' })]);
    provider.put('c1', { status: 'in-progress', own: sid });
    await runReconciler(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ call_sid: sid, status: 'failed', transcript_summary: null });
    provider.put('c1', { status: 'done' });
    earshot.move(5 * MINUTE_MS);
    await runReconciler(parts);
    expect(await parts.callLog.find('c1')).toMatchObject({ call_sid: sid, status: 'failed', transcript_summary: 'c1.' });
    const before = [provider.reads.length, await heads(parts)];
    await runReconciler(parts);
    expect([provider.reads.length, await heads(parts)]).toEqual(before);
  });

  it('that never ends is left, and nothing is taken for seen', async () => {
    const { earshot, provider, parts } = await start();
    provider.put('c1', { status: 'in-progress' });
    const { conversations } = provider;
    provider.conversations = async (...asked) => ({ ...(await conversations.apply(provider, asked)), next_cursor: '0' });
    expect((await runReconciler(parts)).reconciled).toMatchObject({ found: 1 });
    expect(provider.lists).toHaveLength(2 * LIST_PAGES_MAX_COUNT);
    expect(await mark(parts)).toBeNull();
    expect(warnings(earshot, 'did not come to an end')).toBe(2);
  });
});

describe('what was erased stays erased', () => {
  const gone = async (parts: Parts, id: string): Promise<void> => {
    expect(await parts.callLog.find(id)).toBe('erased');
    expect(await heads(parts)).toEqual([]);
  };
  const erase = async (parts: Parts, id: string): Promise<void> => {
    const call = await parts.callLog.find(id);
    if (call === null || call === 'erased') throw new Error('there is no such call');
    await eraseCall(parts, call);
  };

  it('in the list, without a read', async () => {
    const { earshot, provider, parts } = await start();
    await webhook(earshot, provider.put('c1'));
    await erase(parts, 'c1');
    earshot.move(5 * MINUTE_MS);
    expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
    await gone(parts, 'c1');
  });

  it.each(['a poll', 'a list', 'the search for a dial'] as const)('when it happens between the answer and the append of %s', async (way) => {
    const { earshot, provider, parts } = await start();
    const sid = way === 'the search for a dial' ? await dialling(parts) : 'EL_c1';
    if (way === 'a poll') await live(earshot, 'c1');
    if (way === 'the search for a dial') await parts.callLog.append(sid, [entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' })]);
    provider.put('c1', { own: way === 'the search for a dial' ? sid : null });
    earshot.move(5 * MINUTE_MS);
    provider.afterRead = async () => {
      provider.afterRead = () => undefined;
      if (way === 'a list') await webhook(earshot, provider.put('c1'));
      await erase(parts, sid);
    };
    expect((await runJobs(parts)).reconciled).toMatchObject({ polled: 1, found: 0, finished: 0, settled: 0 });
    await gone(parts, sid);
    await gone(parts, 'c1');
    expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
    await gone(parts, 'c1');
  });

  it('though its dial had no conversation yet: the one it turns out to have is stopped as well', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await erase(parts, sid);
    provider.put('c1', { own: sid });
    earshot.move(5 * MINUTE_MS);
    expect((await runJobs(parts)).reconciled).toMatchObject({ polled: 1, found: 0 });
    await gone(parts, 'c1');
    const failure = { type: 'call_initiation_failure', event_timestamp: Math.floor(Date.now() / 1000), data: { agent_id: 'agent1', conversation_id: 'c1', failure_reason: 'busy', metadata: {} } };
    expect((await earshot.webhook(failure)).body).toMatchObject({ result: 'erased' });
    await gone(parts, 'c1');
    expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
  });

  it('though words of its conversation came first, without our id: they go when the provider says whose they were', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await erase(parts, sid);
    await live(earshot, 'c1');
    expect(await parts.callLog.find('c1')).toMatchObject({ call_sid: 'EL_c1' });
    expect((await webhook(earshot, provider.put('c1', { own: sid }))).body).toMatchObject({ result: 'erased' });
    await gone(parts, 'c1');
    await gone(parts, 'EL_c1');
  });

  it('and takes no call with it that we dialled ourselves, whatever its conversation says', async () => {
    const { earshot, provider, parts } = await start();
    const sid = await dialling(parts);
    await erase(parts, sid);
    const other = await dialling(parts, 'EL_d1_2026-11-21T11:00:00.000Z');
    await parts.callLog.append(other, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect((await webhook(earshot, provider.put('c1', { own: sid }))).body).toMatchObject({ result: 'stored', call_sid: other });
    expect(await parts.callLog.find('c1')).toMatchObject({ call_sid: other, status: 'completed' });
  });

  it("not a conversation of which another workspace says that it belongs to an erased call", async () => {
    const { earshot, parts } = await start();
    const sid = await dialling(parts);
    await erase(parts, sid);
    const claimed = new FakeProvider().put('c1', { own: sid, agent: 'agent1' });
    expect((await webhook(earshot, claimed, {})).status).toBe(200);
    expect(await parts.callLog.find('c1')).toBe('erased');
    const foreign = { type: 'post_call_transcription', event_timestamp: Math.floor(Date.now() / 1000), data: conversationData(new FakeProvider().put('c2', { own: sid, agent: 'agent1' })) };
    expect((await earshot.webhook(foreign, { secret: 'wsec_two' })).body).toMatchObject({ result: 'erased' });
    expect(await parts.callLog.find('c2')).toBeNull();
  });

  it('by retention, though one of the calls cannot be erased now', async () => {
    const { earshot, parts } = await start({ environment: { RETENTION_DAYS: '30' } });
    for (const id of ['c1', 'c2', 'c3']) await live(earshot, id);
    earshot.move(31 * 24 * 60 * MINUTE_MS);
    const { erase: eraseIn } = parts.callLog;
    parts.callLog.erase = (sid) => (sid === 'EL_c1' ? Promise.reject(new Error('down')) : eraseIn(sid));
    expect(await runJobs(parts)).toMatchObject({ erased: 2 });
    parts.callLog.erase = eraseIn;
    expect(await runJobs(parts)).toMatchObject({ erased: 1 });
  });

  it('by retention, and nothing of it is found again', async () => {
    const { earshot, provider, parts } = await start({ environment: { RETENTION_DAYS: '30' } });
    provider.put('c1');
    earshot.move(5 * MINUTE_MS);
    expect((await runJobs(parts)).reconciled).toMatchObject({ found: 1 });
    earshot.move(31 * 24 * 60 * MINUTE_MS);
    provider.put('c1', { start: parts.runtime.now() - 10 * MINUTE_MS });
    expect(await runJobs(parts)).toMatchObject({ erased: 1 });
    expect((await runJobs(parts)).reconciled).toEqual(NOTHING);
    await gone(parts, 'c1');
  });
});

describe('the jobs', () => {
  it('over HTTP: all of them, or a part, for who may run them', async () => {
    const { earshot, provider, parts } = await start();
    const { createServer } = await import('node:http');
    const server = createServer(earshot.app.jobs);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address() as { port: number };
    const ask = async (path: string, token: string, method = 'POST'): Promise<{ status: number; body: unknown }> => {
      const answer = await fetch(`http://127.0.0.1:${address.port}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, body: await answer.json() };
    };
    try {
      const service = await earshot.token(['service']);
      provider.put('c1');
      earshot.move(5 * MINUTE_MS);
      expect(await ask('/jobs/janitor', service)).toMatchObject({ status: 200, body: { swept: 0 } });
      expect(await ask('/retention', service)).toEqual({ status: 200, body: { erased: 0 } });
      expect(await ask('/follow', service)).toEqual({ status: 200, body: { freed: 0, settled: 0, reconciled: NOTHING } });
      expect(await ask('/reconcile', service)).toEqual({ status: 200, body: { freed: 0, settled: 0, reconciled: { polled: 1, found: 1, finished: 1, settled: 0 } } });
      for (const path of ['/', '/jobs']) expect(await ask(path, service)).toEqual({ status: 200, body: { freed: 0, settled: 0, reconciled: NOTHING, swept: 0, erased: 0 } });
      expect((await ask('/reconcile', await earshot.token(['admin']))).status).toBe(403);
      expect((await ask('/reconcile', 'x')).status).toBe(401);
      expect((await ask('/reconcile', service, 'GET')).status).toBe(405);
      expect(provider.reads).toEqual(['c1']);
    } finally {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
    expect(await parts.callLog.find('c1')).toMatchObject({ status: 'completed' });
  });

  it('tell which calls do not go on by themselves', async () => {
    const { earshot, provider, parts } = await start();
    const stuck = async (): Promise<Record<string, string>> => {
      const text = await parts.metrics.text();
      return Object.fromEntries([...text.matchAll(/^earshot_calls_stuck\{what="(\w+)"\} (\d+)$/gm)].map(([, what = '', count = '']) => [what, count]));
    };
    await runFollower(parts);
    expect(await stuck()).toEqual({ unknown: '0', needs_person: '0', overdue: '0' });
    await live(earshot, 'c1');
    await dialling(parts);
    // Nobody could find out more.
    provider.beforeRead = provider.beforeList = unavailable;
    for (const [minutes, shown] of [
      [2, { unknown: '0', needs_person: '0', overdue: '0' }],
      [1, { unknown: '1', needs_person: '0', overdue: '0' }],
      // Each run counts what it finds, and what it settles only in the next.
      [9, { unknown: '1', needs_person: '0', overdue: '0' }],
      [1, { unknown: '0', needs_person: '1', overdue: '0' }],
      [30, { unknown: '0', needs_person: '1', overdue: '1' }],
    ] as const) {
      earshot.move(minutes * MINUTE_MS);
      await runFollower(parts);
      expect([minutes, await stuck()]).toEqual([minutes, shown]);
    }
  });

  it.each([
    ['one of ours that is on', [{ url: 'https://api.example/webhooks/elevenlabs/post-call', enabled: true }], '1'],
    ['one behind a path of somebody else', [{ url: 'https://proxy.example/earshot/webhooks/elevenlabs/post-call?x=1', enabled: true }], '1'],
    ['one of ours that is off', [{ url: 'https://api.example/webhooks/elevenlabs/post-call', enabled: false }], '0'],
    ['only others', [{ url: 'https://crm.example/hook', enabled: true }, { url: 'no url', enabled: true }], '0'],
    ['none', [], '0'],
    ['what this key may not see', null, undefined],
  ])('tell whether the provider still sends its webhook here: of %s', async (_, webhooks, shown) => {
    const { provider, parts } = await start();
    provider.configured = (workspace) => (workspace === 'w1' ? webhooks : null);
    await runJanitor(parts);
    const text = await parts.metrics.text();
    expect(/^earshot_provider_webhook_ok\{workspace="w1"\} (\d)$/m.exec(text)?.[1]).toBe(shown);
    expect(text).not.toContain('workspace="w2"');
  });

  it('say nothing of the webhook while the provider does not answer, and go on', async () => {
    const { earshot, provider, parts } = await start();
    provider.configured = unavailable;
    await runJanitor(parts);
    expect(await parts.metrics.text()).not.toMatch(/^earshot_provider_webhook_ok\{/m);
    expect(warnings(earshot, 'a job failed')).toBe(0);
    provider.configured = () => {
      throw new Error('a fault of ours');
    };
    expect(await runJanitor(parts)).toEqual({ swept: 0 });
    expect(warnings(earshot, 'a job failed; it runs again')).toBe(1);
  });

  it('sweep subscriptions of the bus, and one part that fails stops no other', async () => {
    const { earshot, provider, parts } = await start({
      parts: (made) => ({
        bus: { ...made.bus, sweep: async () => 3 },
        directory: { ...made.directory, sweep: () => Promise.reject(new Error('down')) },
      }),
    });
    expect(await runJanitor(parts)).toEqual({ swept: 3 });
    parts.callLog.active = () => Promise.reject(new Error('down'));
    provider.put('c1');
    expect(await runJobs(parts)).toEqual({ freed: 0, settled: 0, reconciled: NOTHING, swept: 3, erased: 0 });
    expect(warnings(earshot, 'a job failed; it runs again')).toBe(4);
  });
});
