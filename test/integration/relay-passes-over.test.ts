/** What a relay asks the bus for of calls that nobody there watches: nothing but what stands before the texts. */
import { afterEach, expect, it } from 'vitest';
import { memoryBus } from '../../ports/event-bus.memory.ts';
import type { BusMessage, EventBus, EventsHead, PassesOver } from '../../ports/event-bus.ts';
import { startRelay, type RelayRig } from '../fixtures/relay.ts';

let rig: RelayRig;
afterEach(() => rig.close());

/** A relay on a bus that tells which messages came to its handler and which were passed over. */
const start = async (): Promise<{ readonly passesOver: (head: EventsHead) => boolean; readonly handled: BusMessage[]; readonly passed: EventsHead[] }> => {
  const bus = memoryBus();
  const handled: BusMessage[] = [];
  const passed: EventsHead[] = [];
  let asked: PassesOver = () => false;
  const telling: EventBus = {
    ...bus,
    subscribe: (handler, passesOver) => {
      if (passesOver !== undefined) asked = passesOver;
      return bus.subscribe(
        (message) => {
          handled.push(message);
          handler(message);
        },
        (head) => {
          const over = asked(head);
          if (over) passed.push(head);
          return over;
        },
      );
    },
  };
  rig = await startRelay({ bus: telling });
  return { passesOver: (head) => asked(head), handled, passed };
};

it('passes over events of a call until somebody watches it, and again when nobody does any more', async () => {
  const { handled, passed } = await start();
  rig.callLog.add('EL_1');
  rig.callLog.add('EL_2');
  await rig.say('EL_1', 'before');
  const viewer = await rig.client();
  viewer.send({ subscribe: 'EL_1' });
  await viewer.next('subscription_confirmed');
  expect(await viewer.next('transcription')).toMatchObject({ text: 'before', seq: 1 });
  await rig.say('EL_1', 'seen');
  await rig.say('EL_2', 'of another call');
  expect(await viewer.next('transcription')).toMatchObject({ text: 'seen', seq: 2 });
  expect(handled.map((message) => message.kind === 'events' && [message.call_sid, message.first_seq])).toEqual([['EL_1', 2]]);
  viewer.send({ unsubscribe: 'EL_1', id: 'leave' });
  await viewer.next((frame) => frame['type'] === 'unsubscribed' || frame['id'] === 'leave');
  await rig.say('EL_1', 'unseen');
  await expect.poll(() => passed.map(({ call_sid, first_seq, count }) => [call_sid, first_seq, count])).toEqual([['EL_1', 1, 1], ['EL_2', 1, 1], ['EL_1', 3, 1]]);
  expect(handled).toHaveLength(1);
});

it('feeds what it passed over from the log when somebody comes for it', async () => {
  const { handled } = await start();
  rig.callLog.add('EL_1');
  await rig.say('EL_1', 'one', 'two');
  const viewer = await rig.client();
  viewer.send({ subscribe: 'EL_1' });
  expect(await viewer.next('subscription_confirmed')).toMatchObject({ last_seq: 2 });
  expect([(await viewer.next('transcription'))['text'], (await viewer.next('transcription'))['text']]).toEqual(['one', 'two']);
  expect(handled).toEqual([]);
});

it('remembers how far it was told of a call that it passed over, so that a look-up from before is not taken for the newest', async () => {
  const { passesOver } = await start();
  const { tenant, epoch } = rig.callLog.add('EL_1');
  const viewer = await rig.client();
  // The bus is ahead of what the log shows: as if the event had come between the look-up and its answer.
  expect(passesOver({ tenant, call_sid: 'EL_1', epoch, first_seq: 1, count: 2 })).toBe(true);
  viewer.send({ subscribe: 'EL_1' });
  expect(await viewer.next('subscription_confirmed')).toMatchObject({ last_seq: 2 });
});

it("marks a call that it passed over as changed on its tenant's board", async () => {
  await start();
  rig.callLog.add('EL_1');
  const viewer = await rig.client();
  viewer.send({ watch: 'board' });
  await viewer.next('board_snapshot');
  await rig.say('EL_1', 'newest line');
  expect(await viewer.next('board_update')).toMatchObject({ rows: [{ call_sid: 'EL_1', last_line: 'newest line' }] });
});
