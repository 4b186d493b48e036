/** What happens to a call between the look-up that found it and the beginning of its feed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMPARE_MS } from '../../core/protocol/limits.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { startRelay, type RelayRig, type TestClient } from '../fixtures/relay.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('between the look-up of a call and its answer', () => {
  let runtime: SeededRuntime;
  let rig: RelayRig;
  beforeEach(async () => {
    runtime = seededRuntime(11);
    rig = await startRelay({ runtime });
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one', 'two');
  });
  afterEach(() => rig.close());

  /** One comparison with the log and a little more: it is told all that has changed, and will not be told of it again. */
  const compare = async (): Promise<void> => {
    for (let second = 0; second <= COMPARE_MS / 1000; second++) {
      runtime.advance(1_000);
      await turn();
    }
  };
  /** Subscribes; the log has found the call as it is now, and its answer is on the way until it is let in. */
  const lookUp = async (client: TestClient, message: object): Promise<() => void> => {
    const { findMany } = rig.callLog;
    let arrive = (): void => undefined;
    const arrived = new Promise<void>((resolve) => (arrive = resolve));
    const found = new Promise<void>((resolve) => {
      rig.callLog.findMany = async (ids) => {
        const answer = await findMany(ids);
        rig.callLog.findMany = findMany;
        resolve();
        await arrived;
        return answer;
      };
    });
    client.send(message);
    await found;
    return arrive;
  };
  const emptied = (epoch = '1.EL_1'): Promise<void> => rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch, first_seq: 1, texts: [], at: runtime.now() });
  const seqs = ({ frames }: TestClient): unknown[] => frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]));

  it('an event that no message told of, only a comparison, is fed', async () => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1' });
    rig.callLog.say('EL_1', 'three');
    await compare();
    answer();
    expect(await client.next('subscription_confirmed')).toMatchObject({ last_seq: 3 });
    await client.next((frame) => frame['seq'] === 3);
    expect(seqs(client)).toEqual([1, 2, 3]);
  });

  it('an event whose message was followed by the repetition of an older one is fed', async () => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1' });
    const [three, four] = [rig.callLog.say('EL_1', 'three'), rig.callLog.say('EL_1', 'four')];
    await rig.publish('EL_1', four);
    await rig.publish('EL_1', three);
    answer();
    expect(await client.next('subscription_confirmed')).toMatchObject({ last_seq: 4 });
    await client.next((frame) => frame['seq'] === 4);
    expect(seqs(client)).toEqual([1, 2, 3, 4]);
  });

  const ends: [string, () => Promise<void>][] = [
    ['a message told', () => emptied()],
    ['a comparison told', compare],
    ['a message told, followed by the repetition of an older one', async () => {
      await emptied();
      await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 2, texts: ['{}'], at: runtime.now() });
    }],
  ];
  it.each(ends)('an erasure of which %s ends the subscription, also of who has everything', async (_what, tell) => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 2 } });
    rig.callLog.erase('EL_1');
    await tell();
    answer();
    await client.next('subscription_confirmed');
    expect(await client.next('error')).toMatchObject({ code: 'call_not_found', ref: 'EL_1' });
  });

  it('an erasure of which those heard who watched it then ends the subscription as well', async () => {
    const [there, coming] = [await rig.client(), await rig.client({ user: 'bob' })];
    there.send({ subscribe: 'EL_1' });
    await there.next((frame) => frame['seq'] === 2);
    const answer = await lookUp(coming, { subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 2 } });
    rig.callLog.erase('EL_1');
    await emptied();
    expect(await there.next('error')).toMatchObject({ code: 'call_not_found' });
    answer();
    expect(await coming.next('error')).toMatchObject({ code: 'call_not_found', ref: 'EL_1' });
  });

  const begins: [string, () => Promise<void>][] = [
    ['a message told', () => rig.publish('EL_1', rig.callLog.events('EL_1').slice(0, 1))],
    ['a comparison told', compare],
  ];
  it.each(begins)('a new epoch of which %s starts the viewer over', async (_what, tell) => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 2 } });
    rig.callLog.restore('EL_1', '2.new', 1);
    await tell();
    answer();
    expect(await client.next('subscription_confirmed')).toMatchObject({ epoch: '1.EL_1', recovered: true });
    expect(await client.next('subscription_confirmed')).toMatchObject({ epoch: '2.new', recovered: false, reason: 'epoch_changed' });
    await client.next((frame) => frame['seq'] === 1);
    expect(seqs(client)).toEqual([1]);
  });

  it('an event that was heard by whoever watched it and left is fed, though the call had begun anew while it was watched', async () => {
    const [there, coming] = [await rig.client(), await rig.client({ user: 'bob' })];
    there.send({ subscribe: 'EL_1' });
    await there.next((frame) => frame['seq'] === 2);
    rig.callLog.restore('EL_1', '2.new', 1);
    await rig.say('EL_1', 'after the restore');
    await there.next((frame) => frame['text'] === 'after the restore');
    const answer = await lookUp(coming, { subscribe: 'EL_1' });
    await rig.say('EL_1', 'newest');
    await there.next((frame) => frame['text'] === 'newest');
    there.send({ unsubscribe: 'EL_1' });
    await there.next('unsubscribe_confirmed');
    answer();
    expect(await coming.next('subscription_confirmed')).toMatchObject({ epoch: '2.new', last_seq: 3 });
    await coming.next((frame) => frame['seq'] === 3);
    expect(seqs(coming)).toEqual([1, 2, 3]);
  });

  it('a message that names another tenant is not believed, whatever follows it', async () => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1' });
    await rig.bus.publish({ kind: 'events', tenant: 't2', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 9, texts: ['{}'], at: runtime.now() });
    await rig.say('EL_1', 'three');
    answer();
    expect((await client.next('subscription_confirmed'))['last_seq']).not.toBe(9);
    await client.next((frame) => frame['seq'] === 3);
    expect(seqs(client)).toEqual([1, 2, 3]);
  });

  it('a message that lies about the epoch costs a look at the log, and changes nothing', async () => {
    const client = await rig.client();
    const answer = await lookUp(client, { subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 1 } });
    await emptied('9.lie');
    answer();
    await client.next((frame) => frame['seq'] === 2);
    await rig.say('EL_1', 'three');
    await client.next((frame) => frame['seq'] === 3);
    expect(seqs(client)).toEqual([2, 3]);
    expect(client.frames.filter((frame) => frame['type'] === 'subscription_confirmed')).toHaveLength(1);
  });
});
