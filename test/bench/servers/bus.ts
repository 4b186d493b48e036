/**
 * Where a measured program hears from: the bus in its own process, or Pub/Sub at `PUBSUB_HOST` - through ours, or as one uses Google's
 * library first (`on('message')`, acknowledged, its data read as text).
 */
import type { Message } from '@google-cloud/pubsub';
import { memoryBus } from '../../../ports/event-bus.memory.ts';
import type { BusLife } from '../../../ports/event-bus.pubsub.ts';
import type { EventBus } from '../../../ports/event-bus.ts';
import type { Runtime } from '../../../ports/runtime.ts';

export const PROJECT = 'earshot-bench';
export const TOPIC = 'events';

const host = process.env['PUBSUB_HOST'];

/** Nobody is taken for dead while it is measured. */
const life: BusLife = { renew: async () => true, takeOver: async () => false, gone: async () => undefined };

/** Ours, as the composition roots make it. Google's libraries are loaded only where they are used: what holds memory is measured too. */
export const ourBus = async (runtime: Runtime): Promise<EventBus> => {
  if (host === undefined) return memoryBus();
  const { pubsubBus } = await import('../../../ports/event-bus.pubsub.ts');
  return pubsubBus({ projectId: PROJECT, topic: TOPIC, apiEndpoint: host, runtime, life });
};

/** What a naive receiver is told of a call's events. */
export interface Heard {
  readonly kind: string;
  readonly call_sid: string;
  readonly first_seq: number;
  readonly texts: readonly string[];
}

/** Calls back with each message, by the stock client where there is a host. */
export const hearNaively = async (take: (message: Heard) => void): Promise<EventBus> => {
  const bus = memoryBus();
  if (host === undefined) {
    await bus.subscribe((message) => {
      if (message.kind === 'events') take(message);
    });
    return bus;
  }
  const { PubSub } = await import('@google-cloud/pubsub');
  const pubsub = new PubSub({ projectId: PROJECT, apiEndpoint: host, emulatorMode: true });
  const [subscription] = await pubsub.createSubscription(`${TOPIC}-stock`, `stock-${process.pid}`);
  subscription.on('message', (message: Message) => {
    message.ack();
    const { kind = '', call_sid = '', first_seq = '' } = message.attributes;
    take({ kind, call_sid, first_seq: Number(first_seq), texts: message.data.toString().split('\n') });
  });
  return bus;
};
