/**
 * Publishing, one request for each message at once: what a person waits for is not held back for company, as the library does by default.
 * Beside its `publishMessage` it makes neither a queue nor a description of the types for one message (`npm run bench -- publish`).
 */
import { DEADLINE_EXCEEDED, openChannel, routedBy, statusOf, type Channel, type PubsubPlace, type RawOptions } from './event-bus.pubsub-channel.ts';
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

/** Connects with the first publication. */
export const publishing = (place: PubsubPlace, runtime: Runtime): Publishing => {
  const topic = `projects/${place.projectId}/topics/${place.topic}`;
  const interceptors = [routedBy(`topic=${topic}`)];
  const end = ending();
  const underWay = new Set<{ cancel(): void }>();
  let way: Channel | null = null;

  /** A connection on which nobody answered may be dead without knowing: the next attempt has another. */
  const leave = (left: Channel): void => {
    if (way === left) way = null;
    void left.close();
  };

  const attempt = async (request: Buffer, untilMs: number): Promise<void> => {
    const by = (way ??= openChannel(place));
    const options: RawOptions = { deadline: runtime.now() + Math.min(ATTEMPT_MS, untilMs), interceptors };
    try {
      const stub = await by.stub;
      await new Promise<void>((resolve, reject) => {
        const call = stub.makeUnaryRequest(PATH, asItIs, answered, request, options, (error) => {
          underWay.delete(call);
          if (error === null) resolve();
          else reject(error instanceof Error ? error : new Error('refused'));
        });
        underWay.add(call);
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
          // It would open a connection that nobody closes.
          if (end.isOver()) throw error;
        }
      }
    },
    close: async () => {
      end.end();
      for (const call of underWay) call.cancel();
      await way?.close();
    },
  };
};

const asItIs = (request: Buffer): Buffer => request;
/** The answer names the message; nobody asks. gRPC wants something for it. */
const answered = (): true => true;
