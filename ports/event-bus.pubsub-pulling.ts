/**
 * A subscription's stream, opened again whenever it ends for a reason that says nothing against the subscription: Pub/Sub ends every
 * stream sooner or later, and keeps meanwhile what is published. https://cloud.google.com/pubsub/docs/pull#streamingpull_api
 */
import { backOff } from './event-bus.pubsub-life.ts';
import { openStream, type PullStream, type StreamOptions } from './event-bus.pubsub-stream.ts';
import type { Log } from './log.ts';
import type { Timer } from './runtime.ts';

export interface PullingOptions extends Omit<StreamOptions, 'ended'> {
  readonly log: Log | null;
  /** Told once: the stream ended, and opening it again would not help. */
  readonly failed: (status: number) => void;
}

export interface Pulling {
  /** Another stream takes over; it is there before the old one goes. */
  renew(): void;
  /** Ends at once. */
  close(): void;
}

/** Ended without an error, cancelled, deadline exceeded, resource exhausted, aborted, internal, unavailable: after these the library opens another as well. */
const OPENED_AGAIN: readonly (number | 'silent')[] = [0, 1, 4, 8, 10, 13, 14, 'silent'];
/** A stream that was open for so long is followed by the next at once; one that was not, after a pause that grows. */
const SETTLED_MS = 1_000;
const REOPEN_FIRST_MS = 100;
const REOPEN_MAX_MS = 5_000;

/** Opens a stream, and goes on until it is closed or has failed. */
export const keepPulling = (options: PullingOptions): Pulling => {
  const { runtime, log, take } = options;
  const waits = backOff(runtime, REOPEN_FIRST_MS, REOPEN_MAX_MS);
  let closed = false;
  let pause: Timer | null = null;

  const open = (): PullStream => {
    const openedAt = runtime.monotonic();
    const opened = openStream({
      ...options,
      take: (message) => {
        if (!closed) take(message);
      },
      ended: (end) => {
        if (closed || opened !== stream) return;
        if (typeof end === 'number' && !OPENED_AGAIN.includes(end)) {
          closed = true;
          options.failed(end);
          return;
        }
        log?.debug('The stream of the bus ended and is opened again', { end });
        const again = (): void => void (stream = open());
        if (runtime.monotonic() - openedAt < SETTLED_MS) {
          pause = runtime.after(waits.next(), again);
          return;
        }
        waits.reset();
        again();
      },
    });
    return opened;
  };
  let stream = open();

  return {
    renew: () => {
      if (closed) return;
      pause?.cancel();
      const old = stream;
      stream = open();
      old.close();
    },
    close: () => {
      closed = true;
      pause?.cancel();
      stream.cut();
    },
  };
};
