/**
 * The bus through Pub/Sub: one topic for everybody, a short-lived subscription for each relay. Nothing is ordered, and what is
 * delivered twice or never does no harm (see the need); so there is no ordering key, no exactly-once, no dead-letter topic.
 *
 * Rights. Who publishes: `pubsub.topics.publish` on the topic. A relay: `pubsub.topics.attachSubscription` on the topic,
 * `pubsub.subscriptions.create`, `get`, `consume`, `delete`; see event-bus.pubsub-subscription.ts for why it may not publish. Who
 * sweeps: `pubsub.subscriptions.list` and `delete`.
 */
import type { PubSub, Topic } from '@google-cloud/pubsub';
import { EarshotError } from '../core/protocol/codes.ts';
import { callOptions, clientOf, closeClient, NOT_FOUND, statusOf, SUBSCRIPTION_LABELS, type PubsubPlace } from './event-bus.pubsub-client.ts';
import { within } from './event-bus.pubsub-life.ts';
import { decodeMessage, encodeMessage, type PubsubMessage } from './event-bus.pubsub-message.ts';
import { listen, type BusLife, type Listener } from './event-bus.pubsub-subscription.ts';
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

/** The need says that a publication is waited for PUBLISH_WAIT_MAX_MS; the message may still go out a while longer. */
const PUBLISH_MAX_MS = 5_000;
const PUBLISH_ATTEMPT_MS = 2_000;
const PUBLISH_RETRY_FIRST_MS = 50;
const PUBLISH_RETRY_MAX_MS = 500;
/** Cancelled, unknown, deadline exceeded, resource exhausted, aborted, internal, unavailable: as Google's own table repeats them. */
const PUBLISH_RETRIED = [1, 2, 4, 8, 10, 13, 14];
const SWEEP_REQUEST_MAX_MS = 10_000;
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
  let client: PubSub | null = null;
  let topic: Topic | null = null;
  let closed = false;
  let broken = 0;
  let notedAt = -Infinity;

  const pubsub = (): PubSub => {
    if (closed) throw new EarshotError('store_unavailable');
    return (client ??= clientOf(place));
  };

  const note = (): void => {
    broken++;
    if (runtime.monotonic() - notedAt < BROKEN_NOTE_MS) return;
    notedAt = runtime.monotonic();
    log?.warn('Messages on the bus that are not understood were dropped', { count: broken });
    broken = 0;
  };

  const send = async (message: PubsubMessage): Promise<void> => {
    topic ??= pubsub().topic(options.topic, { batching: { maxMessages: 1 }, gaxOpts: PUBLISH_OPTIONS });
    await topic.publishMessage({ data: message.data, attributes: { ...message.attributes } });
  };

  /** Ours, of this topic, by full name. */
  const ours = async (): Promise<readonly string[]> => {
    const [all] = await within(runtime, SWEEP_REQUEST_MAX_MS, pubsub().getSubscriptions({ gaxOpts: callOptions(SWEEP_REQUEST_MAX_MS) }));
    const isOurs = (metadata: (typeof all)[number]['metadata']): boolean =>
      metadata?.labels?.['earshot'] === SUBSCRIPTION_LABELS.earshot && (metadata.topic === `projects/${options.projectId}/topics/${options.topic}` || metadata.topic === '_deleted-topic_');
    return all.filter(({ metadata }) => isOurs(metadata)).map(({ name }) => name);
  };

  /** Whether it was an orphan and is gone now. One that fails is tried again with the next sweep. */
  const removeOrphan = async (fullName: string): Promise<boolean> => {
    const name = fullName.slice(fullName.lastIndexOf('/') + 1);
    try {
      if (!(await life.takeOver(name))) return false;
      await within(runtime, SWEEP_REQUEST_MAX_MS, pubsub().subscription(name).delete(callOptions(SWEEP_REQUEST_MAX_MS))).catch((error: unknown) => {
        if (statusOf(error) !== NOT_FOUND) throw error;
      });
      await life.gone(name);
      return true;
    } catch (error) {
      log?.warn('A subscription that was left behind could not be removed', { status: statusOf(error) });
      return false;
    }
  };

  return {
    publish: async (message) => {
      const encoded = encodeMessage(message);
      try {
        await within(runtime, PUBLISH_MAX_MS, send(encoded));
      } catch (error) {
        log?.debug('A publication failed', { status: statusOf(error) });
        throw new EarshotError('store_unavailable');
      }
    },
    subscribe: async (handler) => {
      if (closed) throw new EarshotError('store_unavailable');
      const take = (message: PubsubMessage): void => {
        const decoded = decodeMessage(message);
        if (decoded === null) note();
        else handler(decoded);
      };
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
      let removed = 0;
      try {
        for (const name of await ours()) removed += (await removeOrphan(name)) ? 1 : 0;
      } catch {
        throw new EarshotError('store_unavailable');
      }
      return removed;
    },
    close: async () => {
      closed = true;
      await Promise.all([...listeners].map((listener) => listener.close()));
      listeners.clear();
      if (client !== null) await closeClient(client);
    },
  };
};

const PUBLISH_OPTIONS = {
  timeout: PUBLISH_MAX_MS,
  retry: {
    retryCodes: PUBLISH_RETRIED,
    backoffSettings: {
      initialRetryDelayMillis: PUBLISH_RETRY_FIRST_MS,
      retryDelayMultiplier: 2,
      maxRetryDelayMillis: PUBLISH_RETRY_MAX_MS,
      initialRpcTimeoutMillis: PUBLISH_ATTEMPT_MS,
      rpcTimeoutMultiplier: 1,
      maxRpcTimeoutMillis: PUBLISH_ATTEMPT_MS,
      totalTimeoutMillis: PUBLISH_MAX_MS,
    },
  },
};
