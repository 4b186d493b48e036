/**
 * Which interim turns of a call pass. Volatile: dropped once the turn has a logged revision, once the call is terminal, once
 * older than INTERIM_AGE_MAX_MS; at most INTERIM_RATE_PER_SECOND a second, the newest of each turn waiting for its place.
 */
import { INTERIM_AGE_MAX_MS, INTERIM_RATE_PER_SECOND, RING_EVENTS } from '../../protocol/limits.ts';

/** One interim turn as it came. `at`: when it was published, wall clock in milliseconds. */
export interface Interim<F> {
  readonly turnId: string;
  readonly frame: F;
  readonly at: number;
}

/** More turns than are ever spoken at once: past it the oldest waiting one gives way. */
const WAITING_MAX_COUNT = 4;
const SPACING_MS = 1000 / INTERIM_RATE_PER_SECOND;

/**
 * The turns of the newest logged revisions, as many as the ring has events. Added to with every event of a call, asked only when an interim
 * turn comes: so it is cheap to add to, and looked through.
 */
class LoggedTurns {
  readonly #turns: string[] = [];
  #next = 0;

  add(turnId: string): void {
    this.#turns[this.#next] = turnId;
    this.#next = (this.#next + 1) % RING_EVENTS;
  }

  has(turnId: string): boolean {
    return this.#turns.includes(turnId);
  }
}

export class InterimGate<F> {
  readonly #openedAt: number;
  readonly #logged = new LoggedTurns();
  readonly #waiting = new Map<string, Interim<F>>();
  /** Newest publication time passed on for each turn being spoken. */
  readonly #newest = new Map<string, number>();
  #nextAt = 0;
  #ended = false;

  /** `openedAt`: wall clock. An interim turn published before it may belong to a turn whose logged revision was not seen here. */
  constructor(openedAt: number) {
    this.#openedAt = openedAt;
  }

  /** The turn has a logged revision: nothing interim of it passes any more. */
  logged(turnId: string): void {
    this.#logged.add(turnId);
    if (this.#waiting.size > 0) this.#waiting.delete(turnId);
    if (this.#newest.size > 0) this.#newest.delete(turnId);
  }

  /** The call is terminal. */
  end(): void {
    this.#ended = true;
    this.#waiting.clear();
    this.#newest.clear();
  }

  /** A new interim turn. Whatever may be sent now comes out of `due`. */
  offer(interim: Interim<F>, now: number): void {
    if (this.#ended || this.#logged.has(interim.turnId) || interim.at < this.#openedAt) return;
    if (now - interim.at > INTERIM_AGE_MAX_MS) return;
    const newest = Math.max(this.#newest.get(interim.turnId) ?? 0, this.#waiting.get(interim.turnId)?.at ?? 0);
    if (interim.at < newest) return;
    this.#waiting.set(interim.turnId, interim);
    if (this.#waiting.size > WAITING_MAX_COUNT) this.#waiting.delete(this.#waiting.keys().next().value ?? '');
  }

  /** The frame that may be sent now, or null. */
  due(now: number): F | null {
    if (now < this.#nextAt) return null;
    for (const interim of this.#waiting.values()) {
      this.#waiting.delete(interim.turnId);
      if (now - interim.at > INTERIM_AGE_MAX_MS) continue;
      this.#newest.set(interim.turnId, interim.at);
      if (this.#newest.size > WAITING_MAX_COUNT) this.#newest.delete(this.#newest.keys().next().value ?? '');
      this.#nextAt = now + SPACING_MS;
      return interim.frame;
    }
    return null;
  }

  /** Milliseconds until `due` should be asked again; null: nothing waits. */
  wait(now: number): number | null {
    return this.#waiting.size === 0 ? null : Math.max(0, this.#nextAt - now);
  }
}
