/** Conversations that are more than one commit to the log holds, by each way that one can come. */
import { describe, expect, it } from 'vitest';
import { freePending } from '../../functions/calls/redrive.ts';
import { runReconciler } from '../../functions/jobs.ts';
import { functionsUnderTest, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';
import { conversationData, FakeProvider } from '../fixtures/provider.ts';

/** A second of talk becomes an event of some hundred bytes and two keys: far less than is kept of a body, and more than a commit holds. */
const TALK = Array.from({ length: 12_000 }, (_, second) => ({ role: second % 2 === 0 ? 'agent' : 'user', message: `word ${second}`, time_in_call_secs: second }));
const talk = (conversation: string, more: object = {}): unknown => ({ type: 'post_call_transcription', event_timestamp: Math.floor(Date.now() / 1000), data: { ...conversationData(new FakeProvider().put(conversation)), transcript: TALK, ...more } });

const kept = async ({ parts }: FunctionsUnderTest): Promise<unknown[]> => (await parts.rawStore.quarantine(null, null, 10)).map(({ reason, conversation_id, tenant, count }) => ({ reason, conversation_id, tenant, count }));
const told = ({ lines }: FunctionsUnderTest): number => lines.filter((line) => line.includes('more than one commit to the log holds')).length;

describe('a delivery that is more than one commit holds', () => {
  it('is kept in quarantine as too_large, once, and answered 200; no part of it is in the log', async () => {
    const earshot = await functionsUnderTest();
    const body = JSON.stringify(talk('c1'));
    for (let time = 0; time < 2; time++) expect(await earshot.webhook(body)).toMatchObject({ status: 200, body: { result: 'quarantined', call_sid: null, conversation_id: 'c1' } });
    expect(await kept(earshot)).toEqual([{ reason: 'too_large', conversation_id: 'c1', tenant: 't1', count: 2 }]);
    expect([await earshot.parts.callLog.find('c1'), earshot.published, told(earshot)]).toEqual([null, [], 2]);
    expect(earshot.lines.join('\n')).not.toContain('word 1');
  });

  it('leaves the call that it is about as it was, and what comes after it is taken', async () => {
    const earshot = await functionsUnderTest();
    await earshot.ingest('transcription', { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' });
    const before = await earshot.types('c1');
    expect((await earshot.webhook(talk('c1'))).body).toMatchObject({ result: 'quarantined' });
    expect(await earshot.types('c1')).toEqual(before);
    expect((await earshot.webhook(talk('c1', { transcript: TALK.slice(0, 3) }))).body).toMatchObject({ result: 'stored' });
    expect((await earshot.types('c1')).slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
  });

  it('stays too_large when it is driven again by hand', async () => {
    const earshot = await functionsUnderTest();
    await earshot.webhook(talk('c1'));
    const [delivery] = await earshot.parts.rawStore.quarantine(null, null, 10);
    expect(await earshot.rest(`/quarantine/${delivery?.id ?? ''}/redrive`, { method: 'POST', token: await earshot.token(['admin']) })).toMatchObject({ status: 200, body: { result: 'too_large' } });
    expect(await kept(earshot)).toMatchObject([{ reason: 'too_large' }]);
  });
});

describe('a conversation at the provider that is more than one commit holds', () => {
  const start = async (): Promise<{ earshot: FunctionsUnderTest; provider: FakeProvider }> => {
    const provider = new FakeProvider();
    const earshot = await functionsUnderTest({ parts: () => ({ provider }) });
    const { conversation } = provider;
    provider.conversation = async (workspace, id) => {
      const read = await conversation.call(provider, workspace, id);
      return id === 'large' && read !== null ? { ...(read as object), transcript: TALK } : read;
    };
    return { earshot, provider };
  };

  it('is logged by the reconciler, which goes on with all others and moves its watermark past it', async () => {
    const { earshot, provider } = await start();
    for (const id of ['before', 'large', 'after']) provider.put(id, { status: 'done', seconds: 20 });
    earshot.move(10 * 60_000);
    await runReconciler(earshot.parts);
    expect([await earshot.parts.callLog.find('before'), await earshot.parts.callLog.find('large'), await earshot.parts.callLog.find('after')]).toMatchObject([{ status: 'completed' }, null, { status: 'completed' }]);
    expect([told(earshot), (await earshot.parts.directory.watermark('listed:w1')) !== null]).toEqual([1, true]);
    expect(earshot.lines.filter((line) => line.includes('"severity":"ERROR"'))).toEqual([]);
  });

  it('is refused by name where somebody asks for it', async () => {
    const { earshot, provider } = await start();
    provider.put('large', { status: 'done', seconds: 20 });
    expect(await earshot.rest('/conversations/large/fetch', { token: await earshot.token() })).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  });

  it('does not wait in quarantine for ever as something to fetch', async () => {
    const { earshot, provider } = await start();
    provider.put('large', { status: 'done', seconds: 20 });
    expect((await earshot.webhook({ type: 'post_call_transcription_otel', event_timestamp: Math.floor(Date.now() / 1000), data: { conversation_id: 'large', agent_id: 'agent1' } })).body).toMatchObject({ result: 'quarantined' });
    await freePending(earshot.parts);
    expect(await kept(earshot)).toMatchObject([{ reason: 'too_large', conversation_id: 'large' }]);
    const reads = provider.reads.length;
    await freePending(earshot.parts);
    expect(provider.reads).toHaveLength(reads);
  });
});
