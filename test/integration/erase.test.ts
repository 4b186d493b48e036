import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { entry, newCall } from '../fixtures/facts.ts';
import { functionsUnderTest, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

const turn = { conversation_id: 'c1', agent_id: 'agent1', speaker: 'driver', text: 'Please forget me' };
const erase = async (earshot: FunctionsUnderTest, id: string): Promise<number> => (await earshot.rest(`/calls/${id}`, { method: 'DELETE', token: await earshot.token() })).status;
const raw = async ({ parts }: FunctionsUnderTest): Promise<number> => (await parts.rawStore.since('t1', { received_at: 0, id: '' }, 10)).length;

describe('erasing a call', () => {
  it('takes the calls with it that were merged into it: no id leads to them any more', async () => {
    const earshot = await functionsUnderTest();
    const { callLog } = earshot.parts;
    const created = await callLog.create([newCall()], null);
    const dialled = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
    await earshot.ingest('transcription', turn);
    await callLog.append(dialled, [entry({ kind: 'dialing', attempt: 1 })]);
    await callLog.append(dialled, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect(await callLog.get(dialled)).toMatchObject({ merged_into: 'EL_c1' });
    expect(await erase(earshot, 'EL_c1')).toBe(204);
    expect(await callLog.get(dialled)).toBeNull();
    expect(await callLog.list({ tenant: 't1', limit: 10 })).toMatchObject({ calls: [] });
    expect(await raw(earshot)).toBe(0);
  });

  it.each(['rawStore', 'callLog'] as const)('can be asked for again when the %s failed, and then leaves nothing', async (what) => {
    let down = true;
    const refusing = <T extends unknown[], R>(work: (...args: T) => Promise<R>) => (...args: T): Promise<R> => (down ? Promise.reject(new EarshotError('store_unavailable')) : work(...args));
    const earshot = await functionsUnderTest({ parts: (parts) => ({ [what]: { ...parts[what], erase: refusing<[never], unknown>(parts[what].erase) } }) });
    await earshot.ingest('transcription', turn);
    expect(await erase(earshot, 'EL_c1')).toBe(503);
    expect(await earshot.parts.callLog.find('c1')).toMatchObject({ call_sid: 'EL_c1' });
    down = false;
    expect(await erase(earshot, 'EL_c1')).toBe(204);
    expect(await earshot.parts.callLog.find('c1')).toBe('erased');
    expect(await raw(earshot)).toBe(0);
  });

  it('takes the copy of a delivery with it that was stored just before and kept just after', async () => {
    let meanwhile: (() => Promise<unknown>) | null = null;
    const earshot = await functionsUnderTest({
      parts: ({ rawStore }) => ({
        rawStore: {
          ...rawStore,
          put: async (delivery) => {
            const erasing = meanwhile;
            meanwhile = null;
            await erasing?.();
            return rawStore.put(delivery);
          },
        },
      }),
    });
    await earshot.ingest('transcription', turn);
    meanwhile = () => erase(earshot, 'EL_c1');
    expect((await earshot.ingest('transcription', { ...turn, turn_id: 'later' })).status).toBe(200);
    expect(await earshot.parts.callLog.find('c1')).toBe('erased');
    expect(await raw(earshot)).toBe(0);
  });

  it.each([
    ['of a type that nobody knows', { type: 'answering_machine_detection', data: { conversation_id: 'c1', agent_id: 'agent1' } }],
    ['whose content cannot be read', { type: 'post_call_transcription', data: { conversation_id: 'c1', agent_id: 'agent1', transcript: 'Please forget me' } }],
    ['of a recording', { type: 'post_call_audio', data: { conversation_id: 'c1', agent_id: 'agent1', full_audio: 'SUQz' } }],
  ])('stops a delivery %s: it is answered 200, and nothing of it is kept', async (_what, body) => {
    const earshot = await functionsUnderTest();
    await earshot.ingest('transcription', turn);
    expect(await erase(earshot, 'EL_c1')).toBe(204);
    expect(await earshot.webhook(body)).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
    expect(await raw(earshot)).toBe(0);
  });

  it('stops a delivery that nobody can use while the log does not answer whether its call was erased', async () => {
    let down = false;
    const earshot = await functionsUnderTest({
      parts: ({ callLog }) => ({ callLog: { ...callLog, find: (id) => (down ? Promise.reject(new EarshotError('store_unavailable')) : callLog.find(id)) } }),
    });
    await earshot.ingest('transcription', turn);
    expect(await erase(earshot, 'EL_c1')).toBe(204);
    down = true;
    const unknown = (conversation: string) => ({ type: 'answering_machine_detection', data: { conversation_id: conversation, agent_id: 'agent1' } });
    expect(await earshot.webhook(unknown('c1'))).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await earshot.webhook(unknown('c2'))).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect((await earshot.parts.rawStore.quarantine(null, null, 10)).map(({ conversation_id }) => conversation_id)).toEqual(['c2']);
  });

  it('takes what waits for its dial with it when the dial is answered in the middle of the erasure', async () => {
    let meanwhile: (() => Promise<unknown>) | null = null;
    const earshot = await functionsUnderTest({
      parts: ({ rawStore }) => ({
        rawStore: {
          ...rawStore,
          erase: async (ids) => {
            await rawStore.erase(ids);
            const answering = meanwhile;
            meanwhile = null;
            await answering?.();
          },
        },
      }),
    });
    const { callLog } = earshot.parts;
    const callSid = await dialling(earshot);
    await earshot.ingest('transcription', foreign);
    meanwhile = () => callLog.append(callSid, [entry({ kind: 'dial_accepted', attempt: 1 }, 'c1')]);
    expect(await erase(earshot, callSid)).toBe(204);
    expect(await callLog.find('c1')).toBe('erased');
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
  });
});

/** Of another tenant's agent than the key's: it is kept in quarantine, and never driven again by itself. */
const foreign = { ...turn, agent_id: 'agent2' };

/** A call whose dial has no answer yet. */
const dialling = async ({ parts }: FunctionsUnderTest): Promise<string> => {
  const created = await parts.callLog.create([newCall()], null);
  const callSid = created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
  await parts.callLog.append(callSid, [entry({ kind: 'dialing', attempt: 1 })]);
  return callSid;
};

describe('a conversation that is found out to be of an erased call', () => {
  it('goes with all that was kept of it, when a delivery tells whose it was', async () => {
    const earshot = await functionsUnderTest();
    const callSid = await dialling(earshot);
    expect(await earshot.ingest('transcription', foreign)).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await erase(earshot, callSid)).toBe(204);
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(1);
    const told = { type: 'post_call_transcription', event_timestamp: 1, data: { agent_id: 'agent1', conversation_id: 'c1', status: 'done', transcript: [], conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: callSid } } } };
    expect(await earshot.webhook(told)).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
    expect(await earshot.ingest('transcription', foreign)).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
  });

  it("goes with all that was kept of it, when the dial's answer comes late", async () => {
    let answer: (body: unknown) => void = () => undefined;
    const held = new Promise<unknown>((resolve) => (answer = resolve));
    const earshot = await functionsUnderTest({ provider: async (method) => (method === 'POST' ? { status: 200, body: await held } : { status: 404, body: {} }) });
    const token = await earshot.token();
    const dialled = earshot.rest('/driver_data/call-elevenlabs', { token, body: { driver_ids: ['d1'] } });
    const unbound = () => earshot.parts.callLog.unboundDials('w1', 'agent1', 0);
    await expect.poll(async () => (await unbound()).length).toBe(1);
    const callSid = (await unbound())[0]?.call_sid ?? '';
    await earshot.ingest('transcription', foreign);
    expect(await erase(earshot, callSid)).toBe(204);
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(1);
    answer({ success: true, message: 'ok', conversation_id: 'c1', callSid: 'CA1' });
    await dialled;
    expect(await earshot.parts.callLog.find('c1')).toBe('erased');
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
  });

  it('is no other one that a sender names beside the erased call', async () => {
    const earshot = await functionsUnderTest();
    await earshot.ingest('transcription', turn);
    await earshot.ingest('transcription', { ...turn, conversation_id: 'c2' });
    expect(await erase(earshot, 'EL_c1')).toBe(204);
    expect(await earshot.ingest('transcription', { ...turn, call_sid: 'EL_c1', conversation_id: 'c2' })).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await raw(earshot)).toBe(1);
    expect(await earshot.ingest('transcription', { ...turn, conversation_id: 'c2', turn_id: 'more' })).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await raw(earshot)).toBe(2);
  });
});
