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
 *   - A dead stream on a live connection: Pub/Sub answers the library's keep-alives on the stream, every 30 s, within 15 s; else the
 *     library opens another.
 *   - A stream that is silent for a reason that nobody has thought of: every STREAM_MAX_MS another takes over, whether or not
 *     anything seems wrong.
 * Whatever it was, another subscription is made, under another name and over another connection, and the old one is removed: what
 * waits in the old one was found in the log meanwhile, and would only delay what is new. While the bus is down relays find in the
 * log what they did not hear, every 5 seconds: all of this shortens a delay.
 */
import { Duration, type Message, type PubSub, type Subscription } from '@google-cloud/pubsub';
import { EarshotError } from '../core/protocol/codes.ts';
import { ORPHAN_SUBSCRIPTION_MS } from '../core/protocol/limits.ts';
import { clientOf, callOptions, closeClient, statusOf, NOT_FOUND, SUBSCRIPTION_LABELS, type PubsubPlace } from './event-bus.pubsub-client.ts';
import { backOff, ending, pause, within } from './event-bus.pubsub-life.ts';
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
  readonly take: (message: Pick<Message, 'data' | 'attributes'>) => void;
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

/** What waits in this process to be handled: a backlog stays with Pub/Sub. */
const WAITING_MAX_COUNT = 1_000;
const WAITING_MAX_BYTES = 32 * 1024 * 1024;

/** Pub/Sub's own bounds: messages are kept at least ten minutes, a subscription that nobody uses at least a day. */
const KEPT_SECONDS = 10 * 60;
const EXPIRES_SECONDS = 24 * 60 * 60;
const ACK_DEADLINE_SECONDS = 10;
/** What was not handled is given back at once, for as long as that takes. */
const GIVE_BACK_MAX_MS = 1_000;
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

  const create = async (pubsub: PubSub, name: string): Promise<void> => {
    if (!(await within(runtime, REQUEST_MAX_MS, life.renew(name)))) throw new Error('taken over before it was made');
    await within(
      runtime,
      REQUEST_MAX_MS,
      pubsub.createSubscription(options.topic, name, {
        ackDeadlineSeconds: ACK_DEADLINE_SECONDS,
        messageRetentionDuration: { seconds: KEPT_SECONDS },
        expirationPolicy: { ttl: { seconds: EXPIRES_SECONDS } },
        labels: { ...SUBSCRIPTION_LABELS },
        gaxOpts: callOptions(REQUEST_MAX_MS),
      }),
    );
  };

  /** Those that are no longer used, made or not; what cannot be removed now is tried again with every look. Does not fail. */
  const left = new Set<string>();
  const removeLeft = async (pubsub: PubSub): Promise<void> => {
    const remove = async (name: string): Promise<void> => {
      await pubsub.subscription(name).delete(callOptions(REQUEST_MAX_MS)).catch((error: unknown) => {
        if (statusOf(error) !== NOT_FOUND) throw error;
      });
      await life.gone(name);
      left.delete(name);
    };
    await Promise.allSettled([...left].map(remove));
  };

  const openStream = (pubsub: PubSub, name: string, failed: (error: unknown) => void): Subscription => {
    const stream = pubsub.subscription(name, {
      flowControl: { allowExcessMessages: false, maxMessages: WAITING_MAX_COUNT, maxBytes: WAITING_MAX_BYTES },
      streamingOptions: { maxStreams: 1 },
      closeOptions: { timeout: Duration.from({ milliseconds: GIVE_BACK_MAX_MS }) },
    });
    stream.on('error', failed);
    stream.on('close', () => failed(null));
    stream.on('message', (message: Message) => {
      message.ack();
      if (!end.isOver()) options.take(message);
    });
    return stream;
  };

  /** Is the subscription there, and does it hang on the topic? Throws where nobody answers. */
  const isThere = async (pubsub: PubSub, name: string): Promise<boolean> => {
    try {
      const [{ topic, detached }] = await within(runtime, WATCH_ANSWER_MAX_MS, pubsub.subscription(name).getMetadata(callOptions(WATCH_ANSWER_MAX_MS)));
      return detached !== true && topic !== DELETED_TOPIC;
    } catch (error) {
      if (statusOf(error) === NOT_FOUND) return false;
      throw error;
    }
  };

  /** false: the janitor has it. A life that does not answer is asked again later. */
  const renewed = (name: string): Promise<boolean> => within(runtime, REQUEST_MAX_MS, life.renew(name)).catch(() => true);

  /** Feeds from a subscription until something is wrong with it; answers what. */
  const feed = async (pubsub: PubSub, name: string): Promise<Reason> => {
    const broken = ending();
    const over = ending();
    void Promise.race([broken.ended, end.ended]).then(() => over.end());
    const fail = (error: unknown): void => {
      if (!over.isOver()) log?.info('The stream of the bus ended', { status: statusOf(error) });
      broken.end();
    };
    let stream = openStream(pubsub, name, fail);
    let openedAt = runtime.monotonic();
    let renewedAt = openedAt;
    try {
      while (!over.isOver()) {
        if (!(await isThere(pubsub, name))) return 'gone';
        if (!over.isOver()) first.end();
        void removeLeft(pubsub);
        await pause(runtime, watchMs, over);
        if (!over.isOver()) waits.reset();
        const now = runtime.monotonic();
        if (!over.isOver() && now - renewedAt >= RENEW_MS) {
          if (!(await renewed(name))) return 'gone';
          renewedAt = now;
        }
        if (!over.isOver() && now - openedAt >= streamMaxMs) {
          // The new one is there before the old one goes; what becomes of that says nothing any more.
          const old = stream.removeAllListeners('close').removeAllListeners('error').on('error', () => undefined);
          stream = openStream(pubsub, name, fail);
          openedAt = now;
          log?.debug('The stream of the bus is replaced by another');
          void old.close().catch(() => undefined);
        }
      }
      if (end.isOver()) return 'closed';
      return (await isThere(pubsub, name)) ? 'stream' : 'gone';
    } catch {
      return end.isOver() ? 'closed' : 'connection';
    } finally {
      broken.end();
      await within(runtime, GIVE_BACK_MAX_MS + 500, stream.close()).catch(() => undefined);
    }
  };

  /** Makes a subscription and feeds from it; answers what ended that. */
  const live = async (pubsub: PubSub, name: string): Promise<Reason> => {
    try {
      await create(pubsub, name);
    } catch (error) {
      log?.warn('The bus has no subscription for this relay yet', { status: statusOf(error) });
      return 'not_made';
    }
    return end.isOver() ? 'closed' : feed(pubsub, name);
  };

  const run = async (): Promise<void> => {
    for (let pubsub = clientOf(options); ; ) {
      const name = `${options.prefix}${runtime.randomHex(8)}`;
      const reason = await live(pubsub, name);
      left.add(name);
      if (end.isOver()) {
        await removeLeft(pubsub);
        await closeClient(pubsub);
        return;
      }
      log?.warn('The relay makes its way to the bus anew', { reason });
      void closeClient(pubsub);
      pubsub = clientOf(options);
      void removeLeft(pubsub);
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
