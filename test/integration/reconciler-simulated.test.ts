/** The reconciler over real HTTP: the functions, and the simulated ElevenLabs that misbehaves. */
import { expect, it, onTestFinished } from 'vitest';
import { runFollower, runJobs } from '../../functions/jobs.ts';
import type { Misbehaviour } from '../../local/simulated-elevenlabs/misbehaviour.ts';
import { startSimulatedElevenLabs, type SimulatedElevenLabs } from '../../local/simulated-elevenlabs/server.ts';
import { functionsUnderTest, SECRET, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

/** The functions and the simulated ElevenLabs that they talk to; its clock stays where it is when theirs is moved. */
const both = async (...misbehaviours: readonly Misbehaviour['kind'][]): Promise<{ earshot: FunctionsUnderTest; simulated: SimulatedElevenLabs }> => {
  const earshot = await functionsUnderTest();
  const simulated = await startSimulatedElevenLabs({
    apiKey: 'key',
    webhookSecret: SECRET,
    webhookBaseUrl: earshot.url,
    pace: 0,
    concurrency: 500,
    misbehave: misbehaviours.map((kind) => ({ kind, value: null })),
  });
  onTestFinished(() => simulated.close());
  const workspace = await earshot.parts.directory.workspace('w1');
  if (workspace !== null) await earshot.parts.directory.putWorkspace({ ...workspace, base_url: simulated.url });
  return { earshot, simulated };
};

const dial = async (earshot: FunctionsUnderTest): Promise<{ call_sid: string; status: string; conversation_id: string | null }> => {
  const answer = await earshot.rest('/driver_data/call-elevenlabs', { body: { driver_ids: ['d1'] }, token: await earshot.token(['dispatcher']) });
  return answer.body as unknown as { call_sid: string; status: string; conversation_id: string | null };
};

const inbound = async (simulated: SimulatedElevenLabs, agent = 'agent1'): Promise<string> => {
  const answer = await fetch(`${simulated.url}/simulator/inbound`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ agent_id: agent }) });
  return ((await answer.json()) as { conversation_id: string }).conversation_id;
};

const AFTER_GRACE_MS = 4 * 60_000;
const state = async ({ parts }: FunctionsUnderTest, id: string): Promise<unknown> => parts.callLog.find(id);

/** Every call with how many events it has: what a pass that changes nothing leaves as it is. */
const heads = async ({ parts }: FunctionsUnderTest): Promise<[string, number][]> => (await parts.callLog.active(null, 0)).map((call) => [call.call_sid, call.last_seq]);

it('a lost webhook is healed: talking is over at once, the end follows when the webhook had its time, and another pass adds nothing', async () => {
  const { earshot, simulated } = await both('lose_webhook');
  const { call_sid, conversation_id } = await dial(earshot);
  await simulated.idle();
  await runJobs(earshot.parts);
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'processing', seal_revision: 0 });
  earshot.move(AFTER_GRACE_MS);
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ finished: 1, found: 0, settled: 0 });
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'completed', conversation_id, seal_revision: 1 });
  expect((await earshot.types(call_sid)).slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
  const before = await heads(earshot);
  expect((await runJobs(earshot.parts)).reconciled).toEqual({ polled: 0, found: 0, finished: 0, settled: 0 });
  expect(await heads(earshot)).toEqual(before);
  expect(await earshot.parts.metrics.text()).toContain('earshot_reconciler_additions_total{what="finished"} 1');
});

it('webhook and reconciler are each a duplicate of the other', async () => {
  const { earshot, simulated } = await both();
  const told = await inbound(simulated);
  await simulated.idle();
  const before = await heads(earshot);
  expect(before).toEqual([[`EL_${told}`, expect.any(Number)]]);
  earshot.move(AFTER_GRACE_MS);
  expect((await runJobs(earshot.parts)).reconciled).toEqual({ polled: 0, found: 0, finished: 0, settled: 0 });
  expect(await heads(earshot)).toEqual(before);

  simulated.misbehave('lose_webhook');
  const untold = await inbound(simulated);
  await simulated.idle();
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ found: 1, finished: 1 });
  const found = await heads(earshot);
  const data = (await (await fetch(`${simulated.url}/v1/convai/conversations/${untold}`, { headers: { 'xi-api-key': 'key' } })).json()) as unknown;
  expect((await earshot.webhook({ type: 'post_call_transcription', event_timestamp: Math.floor(Date.now() / 1000), data })).body).toMatchObject({ result: 'duplicate', call_sid: `EL_${untold}` });
  expect(await heads(earshot)).toEqual(found);
});

it('a call that came in is there while it runs, though nobody announced it, and stays what the provider says for ever', async () => {
  const { earshot, simulated } = await both('hang', 'no_live_turns');
  const conversation = await inbound(simulated);
  await expect.poll(() => simulated.calls()[0]?.status).toBe('in-progress');
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ found: 1, finished: 0 });
  expect(await state(earshot, conversation)).toMatchObject({ status: 'in_progress', tenant: 't1' });
  expect(earshot.lines.join('')).not.toContain('webhooks are silent');
  earshot.move(3 * 60 * 60_000);
  const before = await heads(earshot);
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ polled: 1, found: 0, finished: 0 });
  expect(await heads(earshot)).toEqual(before);
});

it('a dial that was never answered is found by our id, without a list, and finished', async () => {
  const { earshot, simulated } = await both('never_answer', 'lose_webhook');
  const { call_sid, status } = await dial(earshot);
  expect(status).toBe('unknown');
  await simulated.idle();
  earshot.move(AFTER_GRACE_MS);
  expect((await runFollower(earshot.parts)).reconciled).toMatchObject({ settled: 1, finished: 1 });
  expect(await state(earshot, call_sid)).toMatchObject({ call_sid, status: 'completed', conversation_id: simulated.calls()[0]?.conversation_id });
  const before = await heads(earshot);
  expect(before).toHaveLength(1);
  expect((await runJobs(earshot.parts)).reconciled).toEqual({ polled: 0, found: 0, finished: 0, settled: 0 });
  expect(await heads(earshot)).toEqual(before);
});

it('an accepted dial that was given no conversation gets it when it has taken too long', async () => {
  const { earshot, simulated } = await both('no_conversation_id', 'lose_webhook');
  const { call_sid } = await dial(earshot);
  await simulated.idle();
  await runFollower(earshot.parts);
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'dialing', conversation_id: null });
  earshot.move(AFTER_GRACE_MS);
  expect((await runFollower(earshot.parts)).reconciled).toMatchObject({ settled: 1, finished: 1 });
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'completed', conversation_id: simulated.calls()[0]?.conversation_id });
});

it('a phone that nobody took ends the call as failed, its webhook lost', async () => {
  const { earshot, simulated } = await both('initiation_failure', 'lose_webhook');
  const { call_sid } = await dial(earshot);
  await simulated.idle();
  await runJobs(earshot.parts);
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'dialing' });
  earshot.move(AFTER_GRACE_MS);
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ finished: 1 });
  expect(await state(earshot, call_sid)).toMatchObject({ status: 'failed' });
  expect((await earshot.types(call_sid)).slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
});

it('more calls than one page holds are found, all of them, once', async () => {
  const { earshot, simulated } = await both('lose_webhook');
  const conversations: string[] = [];
  for (let number = 0; number < 130; number++) conversations.push(await inbound(simulated, number % 10 === 0 ? 'agent2' : 'agent1'));
  await simulated.idle();
  earshot.move(AFTER_GRACE_MS);
  expect((await runJobs(earshot.parts)).reconciled).toMatchObject({ found: 130, finished: 130 });
  const found = await earshot.parts.callLog.findMany(conversations);
  expect(found.map((call) => (call === null || call === 'erased' ? null : `${call.tenant} ${call.status}`))).toEqual(conversations.map((_id, index) => (index % 10 === 0 ? 't2 completed' : 't1 completed')));
  expect((await runJobs(earshot.parts)).reconciled).toEqual({ polled: 0, found: 0, finished: 0, settled: 0 });
});
