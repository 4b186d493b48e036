/** The client library as Earshot uses it: where it speaks to, how long a request may take, what a failure means. */
import { PubSub, v1 } from '@google-cloud/pubsub';
import { EarshotError } from '../core/protocol/codes.ts';

/** Which topic, where. */
export interface PubsubPlace {
  readonly projectId: string;
  /** The short name. */
  readonly topic: string;
  /** Every subscription of ours begins so. */
  readonly prefix: string;
  /** `host:port` of an emulator, in clear and without credentials; without it Google's own (or PUBSUB_EMULATOR_HOST). */
  readonly apiEndpoint: string | undefined;
}

type Where = Pick<PubsubPlace, 'projectId' | 'apiEndpoint'>;

/** By these a janitor knows ours. */
export const SUBSCRIPTION_LABELS = { earshot: 'relay' } as const;

/** HTTP/2 pings while a request or a stream is under way; the library's own are five minutes apart. */
const PING_MS = 30_000;
const PONG_MAX_MS = 10_000;

/**
 * A client with connections of its own: another client in this process does not share one that has died.
 * `grpc.` options are handed on to @grpc/grpc-js; what it would repeat by itself is repeated by whoever asks.
 */
export const clientOf = ({ projectId, apiEndpoint }: Where): PubSub => {
  const channel = {
    'grpc.keepalive_time_ms': PING_MS,
    'grpc.keepalive_timeout_ms': PONG_MAX_MS,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 5_000,
    'grpc.enable_retries': 0,
  };
  return new PubSub({ projectId, ...(apiEndpoint === undefined ? {} : { apiEndpoint, emulatorMode: true }), ...channel });
};

/**
 * The generated clients, without the layer above them that holds messages, leases and batches. That layer's settings say where to speak
 * to, an emulator named in the environment included, and with which credentials.
 */
export const subscriberOf = (where: Where): v1.SubscriberClient => new v1.SubscriberClient(settingsOf(where));
export const publisherOf = (where: Where): v1.PublisherClient => new v1.PublisherClient(settingsOf(where));

/** The two layers' types differ in nothing that is used. */
const settingsOf = (where: Where): NonNullable<ConstructorParameters<typeof v1.SubscriberClient>[0]> => ({ ...clientOf(where).options });

/** Does not fail, and cuts what is under way. */
export const closeClient = async (client: Pick<PubSub | v1.SubscriberClient | v1.PublisherClient, 'close'>): Promise<void> => {
  await Promise.resolve(client.close()).catch(() => undefined);
};

/** What a call may be told besides its request. */
export interface RawOptions {
  /** Milliseconds since 1970. */
  readonly deadline: number;
  readonly interceptors: readonly Interceptor[];
}

interface RawCall {
  start(metadata: { set(key: string, value: string): void }, listener: unknown): void;
}
type Interceptor = (options: unknown, next: (options: unknown) => RawCall) => RawCall;

/** A stream in both directions, as @grpc/grpc-js has it. */
export interface RawStream<T> {
  write(request: Buffer): boolean;
  end(): void;
  cancel(): void;
  on(event: 'data', take: (response: T) => void): this;
  on(event: 'status', take: (status: { readonly code: number }) => void): this;
  on(event: 'error', take: (error: unknown) => void): this;
}

/**
 * Of `Client` of @grpc/grpc-js, which is what stands behind every stub: the same connection and credentials, and requests and answers as
 * bytes that we read and write ourselves. https://grpc.github.io/grpc/node/grpc.Client.html
 */
export interface RawStub {
  makeUnaryRequest(path: string, write: (request: Buffer) => Buffer, read: (answer: Buffer) => unknown, request: Buffer, options: RawOptions, done: (error: unknown) => void): { cancel(): void };
  makeBidiStreamRequest<T>(path: string, write: (request: Buffer) => Buffer, read: (answer: Buffer) => T, options: RawOptions): RawStream<T>;
}

/** Waits for credentials. Whoever has not waited for it once asks the client nothing: what it begins by itself then fails unheard. */
export const stubOf = async (client: v1.SubscriberClient | v1.PublisherClient): Promise<RawStub> => (await client.initialize()) as unknown as RawStub;

/** By which Google's front end finds where a request belongs. https://google.aip.dev/client-libraries/4222 */
export const routedBy = (params: string): Interceptor => (options, next) => {
  const call = next(options);
  const start = call.start.bind(call);
  call.start = (metadata, listener) => {
    metadata.set('x-goog-request-params', params);
    start(metadata, listener);
  };
  return call;
};

/** One attempt with a deadline: whoever asks knows better when to ask again. */
export const callOptions = (timeoutMs: number): { readonly timeout: number; readonly retry: null } => ({ timeout: timeoutMs, retry: null });

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const DEADLINE_EXCEEDED = 4;
export const NOT_FOUND = 5;

/** Of a failed request: the gRPC status, or the code of an error of ours; null: neither. */
export const statusOf = (error: unknown): number | string | null => {
  if (error instanceof EarshotError) return error.code;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'number' ? code : null;
};
