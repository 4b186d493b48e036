/**
 * One Pub/Sub subscription of one relay, from its making to its end, remade for as long as somebody listens.
 *
 * How it is known to be alive. A relay may create, get, consume and delete subscriptions and attach them to the topic; it has no right
 * to publish, so that whoever takes a relay over cannot speak to the others. Hence no probe of its own travels through the
 * topic; instead:
 *   - It is ready when it was created and a `get` was answered while its stream was opening: from its creation on Pub/Sub keeps for
 *     it whatever is published, so nothing is missed however late the stream begins to flow.
 *   - A dead connection: `get` is asked every WATCH_MS over the connection of the stream. (Under it HTTP/2 pings every 30 s, for
 *     publications too.)
 *   - A subscription that was deleted, or whose topic was: the same `get`, and the stream's own error.
 *   - A stream that Pub/Sub ended, or that does not answer a keep-alive (every 30 s, within 15 s): another is opened at once
 *     (event-bus.pubsub-pulling.ts), and the subscription keeps what comes meanwhile.
 *   - A stream that is silent for a reason that nobody has thought of: every STREAM_MAX_MS another takes over, whether or not
 *     anything seems wrong.
 * Whatever it was, another subscription is made, under another name and over another connection, and the old one is removed: what
 * waits in the old one was found in the log meanwhile, and would only delay what is new. While the bus is down relays find in the
 * log what they did not hear, every 5 seconds: all of this shortens a delay.
 */
import type { v1 } from '@google-cloud/pubsub';
import { EarshotError } from '../core/protocol/codes.ts';
import { ORPHAN_SUBSCRIPTION_MS } from '../core/protocol/limits.ts';
import { NOT_FOUND, statusOf, type PubsubPlace } from './event-bus.pubsub-channel.ts';
import { callOptions, closeClient, stubOf, subscriberOf, SUBSCRIPTION_LABELS } from './event-bus.pubsub-client.ts';
import { backOff, ending, pause, within } from './event-bus.pubsub-life.ts';
import type { PubsubMessage } from './event-bus.pubsub-message.ts';
import { keepPulling } from './event-bus.pubsub-pulling.ts';
import { ACK_DEADLINE_SECONDS } from './event-bus.pubsub-stream.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

/**
 * By what a relay shows that it lives, so that a janitor can tell its subscription from one that was left behind. Handed in by the
 * composition root; any method may reject, and is asked again.
 */
export interface BusLife {
  /** The relay of this subscription lives. false: the janitor has taken the subscription over, and it is about to be gone. */
  renew(subscription: string): Promise<boolean>;
  /** For the janitor: true when nobody has renewed it for ORPHAN_SUBSCRIPTION_MS; from then on `renew` answers false. */
  takeOver(subscription: string): Promise<boolean>;
  /** The subscription is gone: nothing needs to be known of it any more. */
  gone(subscription: string): Promise<void>;
}

export interface ListenerOptions extends PubsubPlace {
  readonly runtime: Runtime;
  readonly life: BusLife;
  readonly log: Log | null;
  /** Must not throw. Called once for each message that arrives; it is acknowledged whatever it is. */
  readonly take: (message: PubsubMessage) => void;
  /** For tests; WATCH_MS and STREAM_MAX_MS otherwise. */
  readonly watchMs: number | null;
  readonly streamMaxMs: number | null;
}

/** A listener that goes on until it is closed. */
export interface Listener {
  /** Resolves when it is ready for the first time. Rejects with `store_unavailable` when it was closed before. */
  readonly ready: Promise<void>;
  /** Ends the stream at once and then removes the subscription; takes at most CLOSE_MAX_MS. */
  close(): Promise<void>;
}

/** How often it is asked whether the subscription is there, and so whether the connection is. */
const WATCH_MS = 30_000;
/** A `get` takes milliseconds. */
const WATCH_ANSWER_MAX_MS = 5_000;
/** However well it looks. */
const STREAM_MAX_MS = 10 * 60_000;
/** Several times within the bound after which it would be taken for an orphan. */
const RENEW_MS = ORPHAN_SUBSCRIPTION_MS / 6;
const REMAKE_FIRST_MS = 200;
const REMAKE_MAX_MS = 5_000;
const REQUEST_MAX_MS = 5_000;
/** A drain has DRAIN_MAX_MS for everything; what is not removed by then is the janitor's, and ends by itself after a day. */
const CLOSE_MAX_MS = 4_000;

/** Pub/Sub's own bounds: messages are kept at least ten minutes, a subscription that nobody uses at least a day. */
const KEPT_SECONDS = 10 * 60;
const EXPIRES_SECONDS = 24 * 60 * 60;
/** Instead of the topic's name, where it was deleted. */
const DELETED_TOPIC = '_deleted-topic_';

/** Why a subscription does not feed any more. */
type Reason = 'closed' | 'not_made' | 'stream' | 'gone' | 'connection';

/** Begins at once. */
export const listen = (options: ListenerOptions): Listener => {
  const { runtime, life, log } = options;
  const end = ending();
  const first = ending();
  const watchMs = options.watchMs ?? WATCH_MS;
  const streamMaxMs = options.streamMaxMs ?? STREAM_MAX_MS;
  const waits = backOff(runtime, REMAKE_FIRST_MS, REMAKE_MAX_MS);

  const fullName = (name: string): string => `projects/${options.projectId}/subscriptions/${name}`;

  const create = async (client: v1.SubscriberClient, name: string): Promise<void> => {
    if (!(await within(runtime, REQUEST_MAX_MS, life.renew(name)))) throw new Error('taken over before it was made');
    await within(runtime, REQUEST_MAX_MS, stubOf(client));
    await within(
      runtime,
      REQUEST_MAX_MS,
      client.createSubscription(
        {
          name: fullName(name),
          topic: `projects/${options.projectId}/topics/${options.topic}`,
          ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
          messageRetentionDuration: { seconds: KEPT_SECONDS },
          expirationPolicy: { ttl: { seconds: EXPIRES_SECONDS } },
          labels: { ...SUBSCRIPTION_LABELS },
        },
        callOptions(REQUEST_MAX_MS),
      ),
    );
  };

  /** Those that are no longer used, made or not; what cannot be removed now is tried again with every look. Does not fail. */
  const left = new Set<string>();
  const removeLeft = async (client: v1.SubscriberClient): Promise<void> => {
    const remove = async (name: string): Promise<void> => {
      await client.deleteSubscription({ subscription: fullName(name) }, callOptions(REQUEST_MAX_MS)).catch((error: unknown) => {
        if (statusOf(error) !== NOT_FOUND) throw error;
      });
      await life.gone(name);
      left.delete(name);
    };
    await Promise.allSettled([...left].map(remove));
  };

  /** Is the subscription there, and does it hang on the topic? Throws where nobody answers. */
  const isThere = async (client: v1.SubscriberClient, name: string): Promise<boolean> => {
    try {
      const [{ topic, detached }] = await within(runtime, WATCH_ANSWER_MAX_MS, client.getSubscription({ subscription: fullName(name) }, callOptions(WATCH_ANSWER_MAX_MS)));
      return detached !== true && topic !== DELETED_TOPIC;
    } catch (error) {
      if (statusOf(error) === NOT_FOUND) return false;
      throw error;
    }
  };

  /** false: the janitor has it. A life that does not answer is asked again later. */
  const renewed = (name: string): Promise<boolean> => within(runtime, REQUEST_MAX_MS, life.renew(name)).catch(() => true);

  /** Feeds from a subscription until something is wrong with it; answers what. */
  const feed = async (client: v1.SubscriberClient, name: string): Promise<Reason> => {
    const broken = ending();
    const over = ending();
    void Promise.race([broken.ended, end.ended]).then(() => over.end());
    const pulling = keepPulling({
      stub: await stubOf(client),
      subscription: fullName(name),
      clientId: name,
      runtime,
      log,
      take: (message) => {
        if (!end.isOver()) options.take(message);
      },
      failed: (status) => {
        log?.info('The stream of the bus ended', { status });
        broken.end();
      },
    });
    let openedAt = runtime.monotonic();
    let renewedAt = openedAt;
    try {
      while (!over.isOver()) {
        if (!(await isThere(client, name))) return 'gone';
        if (!over.isOver()) first.end();
        void removeLeft(client);
        await pause(runtime, watchMs, over);
        if (!over.isOver()) waits.reset();
        const now = runtime.monotonic();
        if (!over.isOver() && now - renewedAt >= RENEW_MS) {
          if (!(await renewed(name))) return 'gone';
          renewedAt = now;
        }
        if (!over.isOver() && now - openedAt >= streamMaxMs) {
          pulling.renew();
          openedAt = now;
          log?.debug('The stream of the bus is replaced by another');
        }
      }
      if (end.isOver()) return 'closed';
      return (await isThere(client, name)) ? 'stream' : 'gone';
    } catch {
      return end.isOver() ? 'closed' : 'connection';
    } finally {
      broken.end();
      pulling.close();
    }
  };

  /** Makes a subscription and feeds from it; answers what ended that. */
  const live = async (client: v1.SubscriberClient, name: string): Promise<Reason> => {
    try {
      await create(client, name);
    } catch (error) {
      log?.warn('The bus has no subscription for this relay yet', { status: statusOf(error) });
      return 'not_made';
    }
    return end.isOver() ? 'closed' : feed(client, name);
  };

  const run = async (): Promise<void> => {
    for (let client = subscriberOf(options); ; ) {
      const name = `${options.prefix}${runtime.randomHex(8)}`;
      const reason = await live(client, name);
      left.add(name);
      if (end.isOver()) {
        await removeLeft(client);
        await closeClient(client);
        return;
      }
      log?.warn('The relay makes its way to the bus anew', { reason });
      void closeClient(client);
      client = subscriberOf(options);
      void removeLeft(client);
      await pause(runtime, waits.next(), end);
    }
  };

  const done = run();
  return {
    ready: Promise.race([first.ended, end.ended]).then(() => {
      if (end.isOver()) throw new EarshotError('store_unavailable');
    }),
    close: async () => {
      end.end();
      await within(runtime, CLOSE_MAX_MS, done).catch(() => undefined);
    },
  };
};
