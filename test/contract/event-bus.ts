/** What every event bus promises, whichever way it goes: run by `event-bus.test.ts` on each of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BusMessage, EventBus, EventsHead } from '../../ports/event-bus.ts';
import { limited } from '../fixtures/relay.ts';

export interface BusSetup {
  /** A bus as one process has it; each call answers the bus of another process, all on the same topic. */
  bus(): EventBus;
  close(): Promise<void>;
}

const events = (call_sid: string, ...texts: string[]): BusMessage => ({ kind: 'events', tenant: 't1', call_sid, epoch: '1.a', first_seq: 1, texts, at: 5 });

/** A handler that keeps what it gets and lets a test wait until it has so many. */
const inbox = (): { readonly take: (message: BusMessage) => void; readonly got: BusMessage[]; has(count: number): Promise<void> } => {
  const got: BusMessage[] = [];
  let tell = (): void => undefined;
  return {
    got,
    take: (message) => {
      got.push(message);
      tell();
    },
    has: (count) =>
      limited(
        new Promise((resolve) => {
          tell = (): void => {
            if (got.length >= count) resolve();
          };
          tell();
        }),
        `${count} messages`,
      ),
  };
};

export const eventBusContract = (way: string, setUp: () => Promise<BusSetup>): void => {
  describe(`the event bus: ${way}`, () => {
    let setup: BusSetup;
    beforeEach(async () => {
      setup = await setUp();
    });
    afterEach(async () => {
      await setup.close();
    });

    const messages: BusMessage[] = [
      events('EL_1', '{"seq":1,"text":"Grüße, \\u2028 \\"you\\"\\n"}', '{"seq":2}'),
      events('EL_2'),
      { kind: 'events', tenant: 't1', call_sid: 'EL_3', epoch: '1.a', first_seq: 4, texts: ['{"seq":4}'], at: 9, received_at: 8, trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      { kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'x', text: '{"a":1}', at: 7 },
      { kind: 'rights', tenant: 't1', user: null },
      { kind: 'rights', tenant: 't1', user: 'ann' },
    ];
    it('delivers every kind of message as it was published', async () => {
      const bus = setup.bus();
      const { take, got, has } = inbox();
      await bus.subscribe(take);
      for (const message of messages) await bus.publish(message);
      await has(messages.length);
      // No bus promises their order.
      expect(got).toHaveLength(messages.length);
      expect(got).toEqual(expect.arrayContaining(messages));
    });

    it('delivers to every subscriber, once to each', async () => {
      const bus = setup.bus();
      const [one, two] = [inbox(), inbox()];
      await bus.subscribe(one.take);
      await bus.subscribe(two.take);
      await bus.publish(events('EL_1', 'a'));
      await bus.publish(events('EL_1', 'b'));
      await Promise.all([one.has(2), two.has(2)]);
      expect([one.got.length, two.got.length]).toEqual([2, 2]);
    });

    it('delivers what is published after a subscription resolved, and nothing from before', async () => {
      const bus = setup.bus();
      await bus.publish(events('EL_before', 'a'));
      const { take, got, has } = inbox();
      await bus.subscribe(take);
      await bus.publish(events('EL_after', 'b'));
      await has(1);
      expect(got).toEqual([events('EL_after', 'b')]);
    });

    it('delivers nothing to a subscription that was closed, and goes on for the others', async () => {
      const bus = setup.bus();
      const [left, stays] = [inbox(), inbox()];
      const subscription = await bus.subscribe(left.take);
      await bus.subscribe(stays.take);
      await subscription.close();
      await bus.publish(events('EL_1', 'a'));
      await stays.has(1);
      expect(left.got).toEqual([]);
    });

    it('asks of events before their texts are read, and delivers those that are not passed over with all of another kind', async () => {
      const bus = setup.bus();
      const { take, got, has } = inbox();
      const other = inbox();
      const asked: EventsHead[] = [];
      await bus.subscribe(take, (head) => {
        asked.push(head);
        return head.call_sid === 'EL_1';
      });
      await bus.subscribe(other.take);
      const rights: BusMessage = { kind: 'rights', tenant: 't1', user: null };
      const sent = [events('EL_1', 'a', 'b'), events('EL_2', 'c'), events('EL_1'), rights];
      for (const message of sent) await bus.publish(message);
      await Promise.all([has(2), other.has(sent.length)]);
      await expect.poll(() => asked.length).toBe(3);
      expect(got).toHaveLength(2);
      expect(got).toEqual(expect.arrayContaining([events('EL_2', 'c'), rights]));
      const head = { tenant: 't1', epoch: '1.a', first_seq: 1 };
      expect(asked).toHaveLength(3);
      expect(asked).toEqual(expect.arrayContaining([{ ...head, call_sid: 'EL_1', count: 2 }, { ...head, call_sid: 'EL_2', count: 1 }, { ...head, call_sid: 'EL_1', count: 0 }]));
      expect(other.got).toHaveLength(sent.length);
    });

    it('sweeps nothing of what is alive', async () => {
      const bus = setup.bus();
      const { take, got, has } = inbox();
      await bus.subscribe(take);
      expect(await bus.sweep()).toBe(0);
      await bus.publish(events('EL_1', 'a'));
      await has(1);
      expect(got).toEqual([events('EL_1', 'a')]);
    });

    it('does not run a handler within publish', async () => {
      const bus = setup.bus();
      const { take, got, has } = inbox();
      await bus.subscribe(take);
      const published = bus.publish(events('EL_1', 'a'));
      expect(got).toEqual([]);
      await published;
      await has(1);
    });
  });
};
