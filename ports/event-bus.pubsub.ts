/**
 * The bus through Pub/Sub: one topic for everybody, a short-lived subscription for each relay. Nothing is ordered, and what is
 * delivered twice or never does no harm (see the need); so there is no ordering key, no exactly-once, no dead-letter topic.
 *
 * Rights. Who publishes: `pubsub.topics.publish` on the topic. A relay: `pubsub.topics.attachSubscription` on the topic,
 * `pubsub.subscriptions.create`, `get`, `consume`, `delete`; see event-bus.pubsub-subscription.ts for why it may not publish. Who
 * sweeps: `pubsub.subscriptions.list` and `delete`.
 */
import { EarshotError } from '../core/protocol/codes.ts';
import { statusOf, type PubsubPlace } from './event-bus.pubsub-channel.ts';
import { within } from './event-bus.pubsub-life.ts';
import { decodeMessage, encodeMessage, type PubsubMessage } from './event-bus.pubsub-message.ts';
import { publishing, PUBLISH_MAX_MS } from './event-bus.pubsub-publishing.ts';
import type { BusLife, Listener } from './event-bus.pubsub-subscription.ts';
import type { EventBus } from './event-bus.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

export type { BusLife } from './event-bus.pubsub-subscription.ts';

export interface PubsubBusOptions {
  readonly projectId: string;
  /** The topic's short name; it has to be there. */
  readonly topic: string;
  /** See PubsubPlace. */
  readonly apiEndpoint?: string;
  readonly runtime: Runtime;
  readonly life: BusLife;
  readonly log?: Log;
  /** For tests: how often a subscription is looked at, and how old a stream becomes; milliseconds. */
  readonly watchMs?: number;
  readonly streamMaxMs?: number;
}

/** One line a minute about messages that nobody understands says enough. */
const BROKEN_NOTE_MS = 60_000;
const PREFIX = 'earshot-relay-';

/**
 * Connects when first used. `publish` rejects with `store_unavailable` when the topic did not take the message within
 * PUBLISH_MAX_MS; `subscribe` tries until it succeeds or is closed.
 */
export const pubsubBus = (options: PubsubBusOptions): EventBus => {
  const { runtime, life } = options;
  const log = options.log ?? null;
  const place: PubsubPlace = { projectId: options.projectId, topic: options.topic, prefix: PREFIX, apiEndpoint: options.apiEndpoint };
  const listeners = new Set<Listener>();
  const publisher = publishing(place, runtime);
  let closed = false;
  const isClosed = (): boolean => closed;
  let broken = 0;
  let notedAt = -Infinity;

  const note = (): void => {
    broken++;
    if (runtime.monotonic() - notedAt < BROKEN_NOTE_MS) return;
    notedAt = runtime.monotonic();
    log?.warn('Messages on the bus that are not understood were dropped', { count: broken });
    broken = 0;
  };

  return {
    publish: async (message) => {
      const encoded = encodeMessage(message);
      try {
        if (closed) throw new EarshotError('store_unavailable');
        await within(runtime, PUBLISH_MAX_MS, publisher.publish(encoded));
      } catch (error) {
        log?.debug('A publication failed', { status: statusOf(error) });
        throw new EarshotError('store_unavailable');
      }
    },
    subscribe: async (handler, passesOver) => {
      if (closed) throw new EarshotError('store_unavailable');
      const take = (message: PubsubMessage): void => {
        const decoded = decodeMessage(message, passesOver);
        if (decoded === null) note();
        else if (decoded !== 'passed_over') handler(decoded);
      };
      // Google's client is loaded only where subscriptions are.
      const { listen } = await import('./event-bus.pubsub-subscription.ts');
      if (isClosed()) throw new EarshotError('store_unavailable');
      const listener = listen({ ...place, runtime, life, log, take, watchMs: options.watchMs ?? null, streamMaxMs: options.streamMaxMs ?? null });
      listeners.add(listener);
      await listener.ready;
      return {
        close: async () => {
          await listener.close();
          listeners.delete(listener);
        },
      };
    },
    sweep: async () => {
      if (closed) throw new EarshotError('store_unavailable');
      try {
        const { sweepSubscriptions } = await import('./event-bus.pubsub-sweep.ts');
        return await sweepSubscriptions({ ...place, runtime, life, log });
      } catch {
        throw new EarshotError('store_unavailable');
      }
    },
    close: async () => {
      closed = true;
      await Promise.all([...listeners].map((listener) => listener.close()));
      listeners.clear();
      await publisher.close();
    },
  };
};
