/** Whether a client still takes what it is sent and still answers: the slow are waited for, the hopeless are not. */
import { PONG_WAIT_MS, SLOW_CONSUMER_MIN_BYTES, SLOW_CONSUMER_MS } from '../core/protocol/limits.ts';
import type { Transport } from './viewer.ts';

export class Pulse {
  #heardAt: number;
  #progressAt: number;
  /** Bytes taken when progress was seen last; null: nothing waited then. */
  #takenThen: number | null = null;

  /** @param openedAt monotonic milliseconds, as all times here */
  constructor(openedAt: number) {
    this.#heardAt = openedAt;
    this.#progressAt = openedAt;
  }

  /** Something came from the client. */
  heard(now: number): void {
    this.#heardAt = now;
  }

  /** Until when `look` has nothing to find while nothing waits. */
  restsUntil(): number {
    return this.#heardAt + PONG_WAIT_MS;
  }

  /** Once a second, or after a rest. true: it took less than SLOW_CONSUMER_MIN_BYTES for SLOW_CONSUMER_MS, or was silent for PONG_WAIT_MS. */
  look(transport: Pick<Transport, 'waiting' | 'taken'>, now: number): boolean {
    const waits = transport.waiting() > 0;
    if (waits) this.#lookAtTaken(transport.taken(), now);
    else {
      this.#progressAt = now;
      this.#takenThen = null;
    }
    if (now - this.#progressAt >= SLOW_CONSUMER_MS) return true;
    // A reader that makes progress is alive: its pong may stand behind much that it has yet to read.
    return now - Math.max(this.#heardAt, waits ? this.#progressAt : 0) >= PONG_WAIT_MS;
  }

  #lookAtTaken(taken: number, now: number): void {
    if (this.#takenThen === null) {
      // What waits came after the last look, whenever that was.
      this.#takenThen = taken;
      this.#progressAt = now;
    }
    if (taken - this.#takenThen < SLOW_CONSUMER_MIN_BYTES) return;
    this.#progressAt = now;
    this.#takenThen = taken;
  }
}
