/**
 * A connection to Pub/Sub with nothing above gRPC: what publishes and what pulls writes and reads the bytes itself (event-bus.pubsub-wire.ts).
 * Google's client of Pub/Sub, and with it a description of all its types, is loaded only by those who make or list subscriptions; a function
 * that is started for a webhook is not kept waiting for it (`npm run bench -- cold-start`).
 */
import { Client, credentials, type ChannelCredentials } from '@grpc/grpc-js';
import { GoogleAuth } from 'google-auth-library';
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

/** https://cloud.google.com/pubsub/docs/reference/service_apis_overview#service_endpoints */
const ENDPOINT = 'pubsub.googleapis.com:443';
/** https://developers.google.com/identity/protocols/oauth2/scopes#pubsub */
const SCOPE = 'https://www.googleapis.com/auth/pubsub';

/** HTTP/2 pings while a request or a stream is under way; the library's own are five minutes apart. */
const PING_MS = 30_000;
const PONG_MAX_MS = 10_000;

/**
 * For @grpc/grpc-js: connections of one's own - another client in this process does not share one that has died - and no repeating below
 * us: whoever asks repeats.
 */
export const CHANNEL = {
  'grpc.keepalive_time_ms': PING_MS,
  'grpc.keepalive_timeout_ms': PONG_MAX_MS,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 5_000,
  'grpc.enable_retries': 0,
} as const;

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
 * Of `Client` of @grpc/grpc-js, which is what stands behind every stub: a connection and credentials, and requests and answers as bytes that
 * we read and write ourselves. https://grpc.github.io/grpc/node/grpc.Client.html
 */
export interface RawStub {
  makeUnaryRequest(path: string, write: (request: Buffer) => Buffer, read: (answer: Buffer) => unknown, request: Buffer, options: RawOptions, done: (error: unknown) => void): { cancel(): void };
  makeBidiStreamRequest<T>(path: string, write: (request: Buffer) => Buffer, read: (answer: Buffer) => T, options: RawOptions): RawStream<T>;
}

/** A connection that is made with its first request. */
export interface Channel {
  /** Rejects where there are no credentials. */
  readonly stub: Promise<RawStub>;
  /** Nothing new goes over it; what is under way ends by itself or by its deadline. Does not fail. */
  close(): Promise<void>;
}

/** Opens one; credentials are looked for at once. */
export const openChannel = (where: Pick<PubsubPlace, 'projectId' | 'apiEndpoint'>): Channel => {
  const emulator = hostIn(where.apiEndpoint) ?? hostIn(process.env['PUBSUB_EMULATOR_HOST']);
  const client = emulator === null ? googleCredentials(where.projectId).then((found) => new Client(ENDPOINT, found, CHANNEL)) : Promise.resolve(new Client(emulator, credentials.createInsecure(), CHANNEL));
  // Whoever asks is told; where nobody asks, nobody has to be.
  client.catch(() => undefined);
  return { stub: client as unknown as Promise<RawStub>, close: () => client.then((open) => open.close(), () => undefined) };
};

/** `host:port` of what may be a URL as well, as Google's client takes it; null: there is none. */
const hostIn = (named: string | undefined): string | null => named?.trim().replace(/^https?:\/\//, '').replace(/\/+$/, '') || null;

/** As Google's libraries have them: those of the environment. */
const googleCredentials = async (projectId: string): Promise<ChannelCredentials> => {
  const found = await new GoogleAuth({ projectId, scopes: [SCOPE] }).getClient();
  const headersFor = {
    getRequestHeaders: async (url?: string): Promise<Record<string, string>> => Object.fromEntries((await found.getRequestHeaders(url)).entries()),
  };
  return credentials.combineChannelCredentials(credentials.createSsl(), credentials.createFromGoogleCredential(headersFor));
};

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

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const DEADLINE_EXCEEDED = 4;
export const NOT_FOUND = 5;

/** Of a failed request: the gRPC status, or the code of an error of ours; null: neither. */
export const statusOf = (error: unknown): number | string | null => {
  if (error instanceof EarshotError) return error.code;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'number' ? code : null;
};
