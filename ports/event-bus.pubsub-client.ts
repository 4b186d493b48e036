/** The client library as Earshot uses it: where it speaks to, how long a request may take, what a failure means. */
import { PubSub } from '@google-cloud/pubsub';
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

/** By these a janitor knows ours. */
export const SUBSCRIPTION_LABELS = { earshot: 'relay' } as const;

/** HTTP/2 pings while a request or a stream is under way; the library's own are five minutes apart. */
const PING_MS = 30_000;
const PONG_MAX_MS = 10_000;

/**
 * A client with connections of its own: another client in this process does not share one that has died.
 * `grpc.` options are handed on to @grpc/grpc-js.
 */
export const clientOf = ({ projectId, apiEndpoint }: Pick<PubsubPlace, 'projectId' | 'apiEndpoint'>): PubSub => {
  const channel = { 'grpc.keepalive_time_ms': PING_MS, 'grpc.keepalive_timeout_ms': PONG_MAX_MS, 'grpc.use_local_subchannel_pool': 1, 'grpc.initial_reconnect_backoff_ms': 100, 'grpc.max_reconnect_backoff_ms': 5_000 };
  return new PubSub({ projectId, ...(apiEndpoint === undefined ? {} : { apiEndpoint, emulatorMode: true }), ...channel });
};

/** Does not fail, and cuts what is under way. */
export const closeClient = async (pubsub: PubSub): Promise<void> => {
  await pubsub.close().catch(() => undefined);
};

/** One attempt with a deadline: whoever asks knows better when to ask again. */
export const callOptions = (timeoutMs: number): { readonly timeout: number; readonly retry: null } => ({ timeout: timeoutMs, retry: null });

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
export const NOT_FOUND = 5;

/** Of a failed request: the gRPC status, or the code of an error of ours; null: neither. */
export const statusOf = (error: unknown): number | string | null => {
  if (error instanceof EarshotError) return error.code;
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'number' ? code : null;
};
