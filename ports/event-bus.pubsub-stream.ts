/**
 * One stream of a subscription: messages come, acknowledgements go back on it. Against `subscription.on('message')` of the library it has
 * no leases - a message is acknowledged as it comes, whatever becomes of it - and nothing that waits between the stream and whoever
 * takes; acknowledgements travel on the stream instead of in requests of their own. Between half and two thirds of the CPU for each
 * message (`npm run bench -- ingest`).
 */
import { routedBy, type RawStub } from './event-bus.pubsub-channel.ts';
import type { PubsubMessage } from './event-bus.pubsub-message.ts';
import { pullAcks, pullBeginning, pulledMessages } from './event-bus.pubsub-wire.ts';
import type { Runtime, Timer } from './runtime.ts';

export interface StreamOptions {
  readonly stub: RawStub;
  /** Full name. */
  readonly subscription: string;
  /** The same for streams that follow each other: Pub/Sub hands over what it knows of the one before. */
  readonly clientId: string;
  readonly runtime: Runtime;
  /** Must not throw. */
  readonly take: (message: PubsubMessage) => void;
  /** Told once, never within the opening: with which status of gRPC it ended (0: without an error); `silent`: a keep-alive was not answered. Not after `close` or `cut`. */
  readonly ended: (end: number | 'silent') => void;
}

export interface PullStream {
  /** Says goodbye: acknowledges what came, and takes what is still on its way for FAREWELL_MAX_MS at most. */
  close(): void;
  /** Ends it at once. */
  cut(): void;
}

const PATH = '/google.pubsub.v1.Subscriber/StreamingPull';
/** The smallest that there is; ours go back within ACK_DELAY_MS. */
export const ACK_DEADLINE_SECONDS = 10;
/** So long an acknowledgement waits for company: one write for all of them. Far below the deadline after which a message comes again. */
const ACK_DELAY_MS = 100;
/** Or until there are so many: well within what Pub/Sub lets be outstanding, so that it does not pause. */
const ACKS_MAX_COUNT = 250;
/** What may be under way without an acknowledgement; what is more stays with Pub/Sub while this process is behind. */
const OUTSTANDING_MAX_COUNT = 1_000;
const OUTSTANDING_MAX_BYTES = 32 * 1024 * 1024;
/** Pub/Sub closes a stream on which nothing is said, and answers whoever says something: the library's own two figures. */
const KEEP_ALIVE_MS = 30_000;
const KEPT_ALIVE_MAX_MS = 15_000;
/** Pub/Sub ends streams itself, after half an hour at most; ours are replaced before. */
const STREAM_MAX_MS = 15 * 60_000;
const FAREWELL_MAX_MS = 1_000;

const asItIs = (request: Buffer): Buffer => request;

/** Opens it; whether it flows is known by what comes. */
export const openStream = ({ stub, subscription, clientId, runtime, take, ended }: StreamOptions): PullStream => {
  const call = stub.makeBidiStreamRequest(PATH, asItIs, pulledMessages, { deadline: runtime.now() + STREAM_MAX_MS, interceptors: [routedBy(`subscription=${subscription}`)] });
  let phase: 'open' | 'closing' | 'over' = 'open';
  let ackIds: Buffer[] = [];
  let ackTimer: Timer | null = null;
  let heard = false;

  const acknowledge = (): void => {
    ackTimer?.cancel();
    if (ackIds.length > 0 && phase === 'open') call.write(pullAcks(ackIds));
    ackIds = [];
  };

  const stop = (): void => {
    phase = 'over';
    ackTimer?.cancel();
    aliveTimer.cancel();
  };

  const over = (end: number | 'silent'): void => {
    const wasOpen = phase === 'open';
    stop();
    if (wasOpen) ended(end);
  };

  const askAlive = (): void => {
    heard = false;
    call.write(pullAcks([]));
    aliveTimer = runtime.after(KEPT_ALIVE_MAX_MS, () => {
      if (heard) aliveTimer = runtime.after(KEEP_ALIVE_MS - KEPT_ALIVE_MAX_MS, askAlive);
      else {
        over('silent');
        call.cancel();
      }
    });
  };
  let aliveTimer = runtime.after(KEEP_ALIVE_MS, askAlive);

  call.on('data', (messages) => {
    heard = true;
    if (messages.length === 0) return;
    const isFirst = ackIds.length === 0;
    for (const message of messages) {
      ackIds.push(message.ackId);
      take(message);
    }
    if (ackIds.length >= ACKS_MAX_COUNT) acknowledge();
    else if (isFirst) ackTimer = runtime.after(ACK_DELAY_MS, acknowledge);
  });
  // The status says the same, and comes in every case.
  call.on('error', () => undefined);
  call.on('status', ({ code }) => over(code));
  call.write(pullBeginning({ subscription, ackDeadlineSeconds: ACK_DEADLINE_SECONDS, clientId, maxCount: OUTSTANDING_MAX_COUNT, maxBytes: OUTSTANDING_MAX_BYTES }));

  return {
    close: () => {
      if (phase !== 'open') return;
      acknowledge();
      phase = 'closing';
      aliveTimer.cancel();
      call.end();
      aliveTimer = runtime.after(FAREWELL_MAX_MS, () => call.cancel());
    },
    cut: () => {
      stop();
      call.cancel();
    },
  };
};
