/**
 * Publishing, one request for each message at once: what a person waits for is not held back for company, as the library does by default.
 * Beside its `publishMessage` it makes neither a queue nor a description of the types for one message (`npm run bench -- publish`).
 */
import type { v1 } from '@google-cloud/pubsub';
import { closeClient, DEADLINE_EXCEEDED, publisherOf, routedBy, statusOf, stubOf, type PubsubPlace, type RawOptions, type RawStub } from './event-bus.pubsub-client.ts';
import { backOff, ending, pause } from './event-bus.pubsub-life.ts';
import type { PubsubMessage } from './event-bus.pubsub-message.ts';
import { publishRequest } from './event-bus.pubsub-wire.ts';
import type { Runtime } from './runtime.ts';

export interface Publishing {
  /** Resolves when the topic has it; rejects with what the last attempt did when PUBLISH_MAX_MS have passed, or at once with what does not help to repeat. */
  publish(message: PubsubMessage): Promise<void>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** The need says that a publication is waited for PUBLISH_WAIT_MAX_MS; the message may still go out a while longer. */
export const PUBLISH_MAX_MS = 5_000;
const ATTEMPT_MS = 2_000;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 500;
/** Cancelled, unknown, deadline exceeded, resource exhausted, aborted, internal, unavailable: as Google's own table repeats them. */
const RETRIED: readonly unknown[] = [1, 2, DEADLINE_EXCEEDED, 8, 10, 13, 14];

const PATH = '/google.pubsub.v1.Publisher/Publish';

/** A client and what stands behind it. */
interface Way {
  readonly client: v1.PublisherClient;
  readonly stub: Promise<RawStub>;
}

/** Connects with the first publication. */
export const publishing = (place: PubsubPlace, runtime: Runtime): Publishing => {
  const topic = `projects/${place.projectId}/topics/${place.topic}`;
  const interceptors = [routedBy(`topic=${topic}`)];
  const end = ending();
  let way: Way | null = null;

  const connect = (): Way => {
    const client = publisherOf(place);
    return { client, stub: stubOf(client) };
  };

  /** A connection on which nobody answered may be dead without knowing: the next attempt has another. */
  const leave = (left: Way): void => {
    if (way === left) way = null;
    void closeClient(left.client);
  };

  const attempt = async (request: Buffer, untilMs: number): Promise<void> => {
    const by = (way ??= connect());
    const options: RawOptions = { deadline: runtime.now() + Math.min(ATTEMPT_MS, untilMs), interceptors };
    try {
      const stub = await by.stub;
      await new Promise<void>((resolve, reject) => {
        stub.makeUnaryRequest(PATH, asItIs, ANSWERED, request, options, (error) => (error === null ? resolve() : reject(error instanceof Error ? error : new Error('refused'))));
      });
    } catch (error) {
      // Also where there were no credentials: what was promised once stays refused.
      if (statusOf(error) === DEADLINE_EXCEEDED || statusOf(error) === null) leave(by);
      throw error;
    }
  };

  return {
    publish: async (message) => {
      const request = publishRequest(topic, message);
      const until = runtime.monotonic() + PUBLISH_MAX_MS;
      const waits = backOff(runtime, RETRY_FIRST_MS, RETRY_MAX_MS);
      for (;;) {
        try {
          await attempt(request, until - runtime.monotonic());
          return;
        } catch (error) {
          if (end.isOver() || !RETRIED.includes(statusOf(error))) throw error;
          const waitMs = waits.next();
          if (runtime.monotonic() + waitMs >= until) throw error;
          await pause(runtime, waitMs, end);
        }
      }
    },
    close: async () => {
      end.end();
      if (way !== null) await closeClient(way.client);
    },
  };
};

const asItIs = (request: Buffer): Buffer => request;
/** The answer names the message; nobody asks. gRPC wants something for it. */
const ANSWERED = (): true => true;
