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

  it.each(['before', 'after'])('can be asked for again when the store of deliveries failed %s the log', async (when) => {
    let left = when === 'before' ? 0 : 1;
    let down = true;
    const earshot = await functionsUnderTest({
      parts: ({ rawStore }) => ({
        rawStore: {
          ...rawStore,
          erase: (callSid, conversationId) => (down && left-- === 0 ? Promise.reject(new EarshotError('store_unavailable')) : rawStore.erase(callSid, conversationId)),
        },
      }),
    });
    await earshot.ingest('transcription', turn);
    expect(await erase(earshot, 'EL_c1')).toBe(503);
    down = false;
    expect(await erase(earshot, 'EL_c1')).toBe(when === 'before' ? 204 : 404);
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
});
