import { describe, expect, it } from 'vitest';
import { redriveWaiting } from '../../functions/calls/redrive.ts';
import { runJobs } from '../../functions/jobs.ts';
import { entry, newCall } from '../fixtures/facts.ts';
import { functionsUnderTest, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

const otel = (agent = 'agent1', conversation: unknown = 'c1'): unknown => ({ type: 'post_call_transcription_otel', event_timestamp: 1_760_000_000, data: { conversation_id: conversation, agent_id: agent, otlp_traces: {} } });
const conversation = (status: string): unknown => ({ conversation_id: 'c1', agent_id: 'agent1', status, transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }], metadata: {}, analysis: {} });

const kept = async ({ parts }: FunctionsUnderTest): Promise<{ id: string; reason: string } | undefined> => {
  const [delivery] = [...(await parts.rawStore.quarantine(null, null, 10)), ...(await parts.rawStore.since('t1', { received_at: 0, id: '' }, 10))];
  return delivery === undefined ? undefined : { id: delivery.id, reason: delivery.reason };
};

describe('a delivery without the conversation in it', () => {
  it('is fetched again until the provider calls the conversation ended', async () => {
    let status = 'processing';
    const earshot = await functionsUnderTest({ provider: () => ({ status: 200, body: conversation(status) }) });
    expect((await earshot.webhook(otel())).body).toMatchObject({ result: 'quarantined' });
    await runJobs(earshot.parts);
    expect(await kept(earshot)).toMatchObject({ reason: 'to_fetch' });
    expect(await earshot.parts.callLog.find('c1')).toMatchObject({ status: 'processing' });
    status = 'done';
    await runJobs(earshot.parts);
    expect(await kept(earshot)).toMatchObject({ reason: 'used' });
    expect(await earshot.parts.callLog.find('c1')).toMatchObject({ status: 'completed' });
  });

  it('is fetched by hand once its agent is known', async () => {
    const earshot = await functionsUnderTest({ provider: () => ({ status: 200, body: { ...(conversation('done') as object), agent_id: 'agent7' } }) });
    await earshot.parts.directory.putAgent({ agent_id: 'agent3', workspace: 'w1', tenant: 't1', name: 'Three' });
    await earshot.webhook(otel('agent7'));
    await runJobs(earshot.parts);
    const { id, reason } = (await kept(earshot)) ?? { id: '', reason: '' };
    expect(reason).toBe('unassigned');
    await earshot.parts.directory.putAgent({ agent_id: 'agent7', workspace: 'w1', tenant: 't1', name: 'Seven' });
    await earshot.parts.rawStore.change(id, { tenant: 't1' });
    expect((await earshot.rest(`/quarantine/${id}/redrive`, { method: 'POST', token: await earshot.token() })).body).toEqual({ result: 'used', call_sid: 'EL_c1' });
  });

  it('is left to people when the provider has known nothing of it for ten minutes, and is not asked for again', async () => {
    let asked = 0;
    const earshot = await functionsUnderTest({ provider: (_method, path) => ({ status: 404, body: { asked: path.includes('/conversations/') ? ++asked : asked } }) });
    await earshot.webhook(otel());
    await runJobs(earshot.parts);
    expect(await kept(earshot)).toMatchObject({ reason: 'to_fetch' });
    earshot.move(10 * 60_000 + 1);
    await runJobs(earshot.parts);
    expect(await kept(earshot)).toMatchObject({ reason: 'unusable' });
    const before = asked;
    await runJobs(earshot.parts);
    expect(asked).toBe(before);
  });

  it('that names no conversation cannot be fetched', async () => {
    const earshot = await functionsUnderTest();
    await earshot.webhook(otel('agent1', null));
    expect(await kept(earshot)).toMatchObject({ reason: 'unusable' });
  });

  it('is the recording of a call that waited for its dial: noted without asking the provider', async () => {
    let gets = 0;
    const earshot = await functionsUnderTest({ provider: () => ({ status: 404, body: { gets: ++gets } }) });
    const callSid = await begun(earshot);
    const audio = { type: 'post_call_audio', event_timestamp: 1_760_000_000, data: { conversation_id: 'c1', agent_id: 'agent1', full_audio: 'AAAA' } };
    expect((await earshot.webhook(audio)).body).toMatchObject({ result: 'quarantined' });
    await earshot.parts.callLog.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect(await redriveWaiting(earshot.parts, 'c1')).toBe(1);
    expect(await earshot.parts.callLog.get(callSid)).toMatchObject({ audio_noted: true });
    expect(gets).toBe(0);
  });
});

const begun = async ({ parts }: FunctionsUnderTest): Promise<string> => {
  const created = await parts.callLog.create([newCall()], null);
  const callSid = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
  await parts.callLog.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
  return callSid;
};

it('a delivery whose dial binds between our look and our keeping it is freed by whoever kept it', async () => {
  let bind: () => Promise<unknown> = () => Promise.resolve();
  const earshot = await functionsUnderTest({ parts: ({ rawStore }) => ({ rawStore: { ...rawStore, put: async (delivery) => (await bind(), rawStore.put(delivery)) } }) });
  const callSid = await begun(earshot);
  bind = async () => {
    bind = () => Promise.resolve();
    await earshot.parts.callLog.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect(await redriveWaiting(earshot.parts, 'c1')).toBe(0);
  };
  await earshot.ingest('transcription', { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' });
  expect((await earshot.types(callSid)).filter((type) => type === 'transcription')).toHaveLength(1);
  expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
});

describe('more deliveries that wait than are looked at in one go', () => {
  const MANY = 230;
  const waitFor = async (earshot: FunctionsUnderTest, conversation: string, count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const turn = { conversation_id: conversation, agent_id: 'agent1', speaker: 'driver', text: `${conversation} ${index}`, turn_id: `${conversation} ${index}` };
      expect((await earshot.ingest('transcription', turn)).body).toMatchObject({ result: 'quarantined' });
    }
  };
  const turns = async (earshot: FunctionsUnderTest, callSid: string): Promise<number> => (await earshot.types(callSid)).filter((type) => type === 'transcription').length;

  it('are all freed when the dial binds their conversation', async () => {
    const earshot = await functionsUnderTest();
    const callSid = await begun(earshot);
    await waitFor(earshot, 'c1', MANY);
    await earshot.parts.callLog.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect(await redriveWaiting(earshot.parts, 'c1')).toBe(MANY);
    expect(await turns(earshot, callSid)).toBe(MANY);
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
  });

  it('are all adopted by the first job after their wait', async () => {
    const earshot = await functionsUnderTest();
    await begun(earshot);
    await waitFor(earshot, 'c2', MANY);
    earshot.move(2 * 60_000 + 1);
    expect(await runJobs(earshot.parts)).toMatchObject({ freed: MANY });
    expect(await turns(earshot, 'EL_c2')).toBe(MANY);
  });

  it('hold up nobody behind them: what can be used is used, however much waits before it', async () => {
    const earshot = await functionsUnderTest();
    const callSid = await begun(earshot);
    await waitFor(earshot, 'c2', MANY);
    await waitFor(earshot, 'c1', 1);
    // As a webhook binds it: nobody drives again what waited for it but the job.
    await earshot.parts.callLog.append(callSid, [entry({ kind: 'announced' }, 'c1')]);
    await begun(earshot);
    await runJobs(earshot.parts);
    expect(await turns(earshot, callSid)).toBe(1);
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(MANY);
  });
});

describe('an agent event without an id of its own', () => {
  const event = { conversation_id: 'c1', agent_id: 'agent1', type: 'agent_thinking' };
  const thinking = (types: readonly string[]): number => types.filter((type) => type === 'agent_thinking').length;

  it('is there once, though its dial binds while it is being kept', async () => {
    let bind: () => Promise<unknown> = () => Promise.resolve();
    const earshot = await functionsUnderTest({
      parts: ({ rawStore }) => ({
        rawStore: {
          ...rawStore,
          put: async (delivery) => {
            const entry = await rawStore.put(delivery);
            await bind();
            return entry;
          },
        },
      }),
    });
    const callSid = await begun(earshot);
    bind = async () => {
      bind = () => Promise.resolve();
      await earshot.parts.callLog.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
      await redriveWaiting(earshot.parts, 'c1');
    };
    await earshot.ingest('agent-events', event);
    expect(thinking(await earshot.types(callSid))).toBe(1);
  });

  it('is there once, though it is driven again by hand after it was used', async () => {
    const earshot = await functionsUnderTest();
    expect((await earshot.ingest('agent-events', event)).body).toMatchObject({ result: 'stored', call_sid: 'EL_c1' });
    const id = (await kept(earshot))?.id ?? '';
    expect((await earshot.rest(`/quarantine/${id}/redrive`, { method: 'POST', token: await earshot.token() })).body).toEqual({ result: 'used', call_sid: 'EL_c1' });
    expect(thinking(await earshot.types('EL_c1'))).toBe(1);
  });
});
