import { describe, expect, it } from 'vitest';
import { runJobs } from '../../functions/jobs.ts';
import { entry, newCall, turn } from '../fixtures/facts.ts';
import { functionsUnderTest, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

/** A dial of tenant t1 that was begun and has no conversation yet. */
const dialled = async (earshot: FunctionsUnderTest): Promise<string> => {
  const created = await earshot.parts.callLog.create([newCall({ call_sid: 'EL_mine' })], null);
  const callSid = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
  await earshot.parts.callLog.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
  return callSid;
};

const adopted = async (earshot: FunctionsUnderTest, conversation: string): Promise<string> => {
  const call = newCall({ call_sid: `EL_${conversation}`, tenant: 't2', agent_id: 'agent2', driver: null, requested_by: null });
  return (await earshot.parts.callLog.adopt(conversation, call, [entry(turn('driver', 'theirs'), conversation)])).call.call_sid;
};

describe('a sender reaches nothing of another tenant', () => {
  it('not by naming a call of its own together with a conversation of theirs', async () => {
    const earshot = await functionsUnderTest();
    const [mine, theirs] = [await dialled(earshot), await adopted(earshot, 'conv-theirs')];
    const before = await earshot.types(theirs);
    const answer = await earshot.ingest('transcription', { call_sid: mine, conversation_id: 'conv-theirs', speaker: 'agent', text: 'put into their mouth' });
    expect(answer).toMatchObject({ status: 200, body: { result: 'quarantined', call_sid: null } });
    expect(await earshot.types(theirs)).toEqual(before);
    expect(await earshot.types(mine)).toEqual(['call_status', 'call_status']);
  });

  it('not by an interim turn, nor by a final one or an agent event', async () => {
    const earshot = await functionsUnderTest();
    const theirs = await adopted(earshot, 'conv-theirs');
    const [before, published] = [await earshot.types(theirs), earshot.published.length];
    for (const id of [theirs, 'conv-theirs']) {
      expect((await earshot.ingest('transcription', { call_sid: id, speaker: 'agent', text: 'x', state: 'interim' })).body).toMatchObject({ result: 'ignored', call_sid: null });
      expect((await earshot.ingest('transcription', { call_sid: id, speaker: 'agent', text: 'x' })).body).toMatchObject({ result: 'quarantined', call_sid: null });
      expect((await earshot.ingest('agent-events', { conversation_id: id, type: 'agent_thinking' })).body).toMatchObject({ result: 'quarantined', call_sid: null });
    }
    expect(await earshot.types(theirs)).toEqual(before);
    expect(earshot.published).toHaveLength(published);
  });

  it('not by giving back the id of a call that another agent was asked for', async () => {
    const earshot = await functionsUnderTest();
    const mine = await dialled(earshot);
    const claim = {
      type: 'post_call_transcription',
      event_timestamp: 1_760_000_000,
      data: { conversation_id: 'conv-web', agent_id: 'agent2', status: 'done', transcript: [{ role: 'user', message: 'theirs', time_in_call_secs: 0 }], conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: mine } } },
    };
    expect(await earshot.webhook(claim)).toMatchObject({ status: 200, body: { result: 'quarantined', call_sid: null } });
    expect(await earshot.types(mine)).toEqual(['call_status', 'call_status']);
    expect(await earshot.parts.callLog.get(mine)).toMatchObject({ conversation_id: null, status: 'dialing' });
  });

  it('though an agent that was given to another tenant still ends the calls it began', async () => {
    const earshot = await functionsUnderTest();
    const mine = await dialled(earshot);
    await earshot.parts.callLog.append(mine, [entry({ kind: 'dial_accepted', attempt: 1 }, 'conv-1')]);
    await earshot.parts.directory.putAgent({ agent_id: 'agent1', workspace: 'w1', tenant: 't2', name: 'One' });
    const done = { type: 'post_call_transcription', event_timestamp: 1_760_000_000, data: { conversation_id: 'conv-1', agent_id: 'agent1', status: 'done', transcript: [] } };
    expect(await earshot.webhook(done)).toMatchObject({ status: 200, body: { result: 'stored', call_sid: mine } });
  });

  it('nor does a delivery that names no agent become one of whoever has a dial under way', async () => {
    const earshot = await functionsUnderTest();
    await dialled(earshot);
    const done = { type: 'post_call_transcription', event_timestamp: 1_760_000_000, data: { conversation_id: 'conv-1', status: 'done', transcript: [] } };
    expect((await earshot.webhook(done)).body).toMatchObject({ result: 'quarantined' });
    expect((await earshot.rest('/quarantine', { token: await earshot.token() })).body).toEqual({ deliveries: [], next_cursor: null });
    earshot.move(2 * 60_000 + 1);
    await runJobs(earshot.parts);
    expect(await earshot.parts.callLog.find('conv-1')).toBeNull();
    expect(await earshot.parts.rawStore.unassigned(null, 10)).toMatchObject([{ reason: 'unassigned', tenant: null }]);
  });

  it('nor can it tell an erased conversation of theirs from one that never was', async () => {
    const earshot = await functionsUnderTest();
    await earshot.parts.callLog.erase(await adopted(earshot, 'conv-theirs'));
    const token = await earshot.token();
    const never = await earshot.rest('/conversations/conv-never/fetch', { token });
    expect(never).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
    expect(await earshot.rest('/conversations/conv-theirs/fetch', { token })).toEqual(never);
  });

  it('nor by driving again what was refused', async () => {
    const earshot = await functionsUnderTest();
    const theirs = await adopted(earshot, 'conv-theirs');
    const before = await earshot.types(theirs);
    await earshot.ingest('transcription', { conversation_id: 'conv-theirs', speaker: 'agent', text: 'x' });
    const [refused] = await earshot.parts.rawStore.quarantine('t1', null, 10);
    expect(refused).toMatchObject({ reason: 'foreign' });
    expect((await earshot.rest(`/quarantine/${refused?.id ?? ''}/redrive`, { method: 'POST', token: await earshot.token() })).body).toEqual({ result: 'foreign', call_sid: null });
    expect(await earshot.types(theirs)).toEqual(before);
  });

  it.each([
    ["another tenant's agent", 'agent2'],
    ['an agent that nobody knows', 'stranger'],
    ['no agent at all', undefined],
  ])('nor by fetching a conversation of %s', async (_name, agent_id) => {
    const earshot = await functionsUnderTest({ provider: () => ({ status: 200, body: { conversation_id: 'conv-1', agent_id, status: 'done', transcript: [] } }) });
    expect(await earshot.rest('/conversations/conv-1/fetch', { token: await earshot.token() })).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
    expect(await earshot.parts.callLog.find('conv-1')).toBeNull();
    expect(earshot.published).toEqual([]);
  });

  it('nor is the provider asked about a conversation that is known to be theirs', async () => {
    let asked = 0;
    const earshot = await functionsUnderTest({ provider: () => ({ status: 200, body: { asked: ++asked } }) });
    const theirs = await adopted(earshot, 'conv-theirs');
    for (const id of ['conv-theirs', theirs]) expect((await earshot.rest(`/conversations/${id}/fetch`, { token: await earshot.token() })).status).toBe(404);
    expect(asked).toBe(0);
  });
});
