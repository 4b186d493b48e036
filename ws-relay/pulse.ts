/** Whether a client still takes what it is sent and still answers: the slow are waited for, the hopeless are not. */
import { PONG_WAIT_MS, SLOW_CONSUMER_MIN_BYTES, SLOW_CONSUMER_MS } from '../core/protocol/limits.ts';
import type { Transport } from './viewer.ts';

export interface Pulse {
  /** Something came from the client. Monotonic milliseconds. */
  heard(now: number): void;
  /** Once a second. true: it took less than SLOW_CONSUMER_MIN_BYTES for SLOW_CONSUMER_MS, or was silent for PONG_WAIT_MS. */
  look(transport: Pick<Transport, 'waiting' | 'taken'>, now: number): boolean;
}

export const createPulse = (openedAt: number): Pulse => {
  let heardAt = openedAt;
  let progressAt = openedAt;
  let takenThen = 0;
  return {
    heard: (now) => (heardAt = now),
    look: (transport, now) => {
      const taken = transport.taken();
      if (transport.waiting() === 0 || taken - takenThen >= SLOW_CONSUMER_MIN_BYTES) {
        progressAt = now;
        takenThen = taken;
      }
      if (now - progressAt >= SLOW_CONSUMER_MS) return true;
      // A reader that makes progress is alive: its pong may stand behind much that it has yet to read.
      return now - Math.max(heardAt, transport.waiting() > 0 ? progressAt : 0) >= PONG_WAIT_MS;
    },
  };
};
