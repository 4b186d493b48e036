/** The client library as Earshot uses it, for what is done seldom: making, asking for, listing and removing subscriptions. */
import { PubSub, v1 } from '@google-cloud/pubsub';
import { CHANNEL, type PubsubPlace, type RawStub } from './event-bus.pubsub-channel.ts';

type Where = Pick<PubsubPlace, 'projectId' | 'apiEndpoint'>;

/** By these a janitor knows ours. */
export const SUBSCRIPTION_LABELS = { earshot: 'relay' } as const;

/** A client with connections of its own. */
export const clientOf = ({ projectId, apiEndpoint }: Where): PubSub =>
  new PubSub({ projectId, ...(apiEndpoint === undefined ? {} : { apiEndpoint, emulatorMode: true }), ...CHANNEL });

/**
 * The generated client, without the layer above it that holds messages, leases and batches. That layer's settings say where to speak to, an
 * emulator named in the environment included, and with which credentials. The two layers' types differ in nothing that is used.
 */
export const subscriberOf = (where: Where): v1.SubscriberClient => {
  const settings = { ...clientOf(where).options } as NonNullable<ConstructorParameters<typeof v1.SubscriberClient>[0]>;
  return new v1.SubscriberClient(settings);
};

/** Does not fail, and cuts what is under way. */
export const closeClient = async (client: Pick<PubSub | v1.SubscriberClient, 'close'>): Promise<void> => {
  await Promise.resolve(client.close()).catch(() => undefined);
};

/** Waits for credentials. Whoever has not waited for it once asks the client nothing: what it begins by itself then fails unheard. */
export const stubOf = async (client: v1.SubscriberClient): Promise<RawStub> => (await client.initialize()) as unknown as RawStub;

/** One attempt with a deadline: whoever asks knows better when to ask again. */
export const callOptions = (timeoutMs: number): { readonly timeout: number; readonly retry: null } => ({ timeout: timeoutMs, retry: null });
