import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startRelay, tokenOf, type RelayRig } from '../fixtures/relay.ts';

describe('the wire of a relay', () => {
  let rig: RelayRig;
  beforeEach(async () => {
    rig = await startRelay();
  });
  afterEach(async () => {
    await rig.close();
  });

  it('greets first, then gives the history and what is said from then on, each once and exactly as logged', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_1', 'one', 'two');
    const client = await rig.client();
    client.send({ subscribe: 'conv_1', id: 7 });
    expect(await client.next('subscription_confirmed')).toEqual({
      type: 'subscription_confirmed',
      call_sid: 'EL_1',
      conversation_id: 'conv_1',
      status: 'in_progress',
      epoch: '1.EL_1',
      last_seq: 2,
      recovered: true,
      ref: 'conv_1',
      id: 7,
    });
    await client.next((frame) => frame['seq'] === 2);
    await rig.say('EL_1', 'three');
    await client.next((frame) => frame['seq'] === 3);
    expect(client.frames[0]).toMatchObject({ type: 'system_message', data: { event: 'connection_established', user: 'ann', tenant: 't1', protocol: 'earshot.v1' } });
    expect(client.texts.filter((text) => text.includes('"seq":'))).toEqual(rig.callLog.events('EL_1').map(({ text }) => text));
    expect(client.ws.protocol).toBe('earshot.v1');
  });

  it('beats at once after the greeting, so that freshness can be judged', async () => {
    const client = await rig.client({ protocols: [tokenOf('ann')] });
    expect(await client.next('heartbeat')).toMatchObject({ heads: {} });
    expect(client.frames.map((frame) => frame['type'])).toEqual(['system_message', 'heartbeat']);
  });
});
