/** The janitor: removes the subscriptions that relays left behind which ended without a goodbye. */
import { NOT_FOUND, statusOf, type PubsubPlace } from './event-bus.pubsub-channel.ts';
import { callOptions, closeClient, stubOf, subscriberOf, SUBSCRIPTION_LABELS } from './event-bus.pubsub-client.ts';
import { within } from './event-bus.pubsub-life.ts';
import type { BusLife } from './event-bus.pubsub-subscription.ts';
import type { Log } from './log.ts';
import type { Runtime } from './runtime.ts';

export interface SweepOptions extends PubsubPlace {
  readonly runtime: Runtime;
  readonly life: BusLife;
  readonly log: Log | null;
}

const REQUEST_MAX_MS = 10_000;

/** Removes those that nobody has renewed for ORPHAN_SUBSCRIPTION_MS; answers how many. Rejects where Pub/Sub does not list them. */
export const sweepSubscriptions = async (options: SweepOptions): Promise<number> => {
  const { runtime, life, log, projectId } = options;
  const client = subscriberOf(options);

  /** Ours, of this topic, by full name. */
  const ours = async (): Promise<readonly string[]> => {
    const [all] = await within(runtime, REQUEST_MAX_MS, client.listSubscriptions({ project: `projects/${projectId}` }, callOptions(REQUEST_MAX_MS)));
    const isOurs = ({ labels, topic }: (typeof all)[number]): boolean =>
      labels?.['earshot'] === SUBSCRIPTION_LABELS.earshot && (topic === `projects/${projectId}/topics/${options.topic}` || topic === '_deleted-topic_');
    return all.filter(isOurs).map(({ name }) => name ?? '');
  };

  /** Whether it was an orphan and is gone now. One that fails is tried again with the next sweep. */
  const removeOrphan = async (fullName: string): Promise<boolean> => {
    const name = fullName.slice(fullName.lastIndexOf('/') + 1);
    try {
      if (!(await life.takeOver(name))) return false;
      await within(runtime, REQUEST_MAX_MS, client.deleteSubscription({ subscription: fullName }, callOptions(REQUEST_MAX_MS))).catch((error: unknown) => {
        if (statusOf(error) !== NOT_FOUND) throw error;
      });
      await life.gone(name);
      return true;
    } catch (error) {
      log?.warn('A subscription that was left behind could not be removed', { status: statusOf(error) });
      return false;
    }
  };

  try {
    await within(runtime, REQUEST_MAX_MS, stubOf(client));
    let removed = 0;
    for (const name of await ours()) removed += (await removeOrphan(name)) ? 1 : 0;
    return removed;
  } finally {
    void closeClient(client);
  }
};
