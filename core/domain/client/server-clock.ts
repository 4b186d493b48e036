/** The relay's wall clock, as far as a client can know it from the times that relays put into what they send. */

/** Heartbeats come every 15 s: what the last two minutes brought, so that a relay whose clock is another is soon gone by. */
const SAMPLES_MAX_COUNT = 8;

export class ServerClock {
  /** How far the server's clock is ahead of the page's monotonic one, by each of the last times that came. */
  #offsets: number[] = [];

  /** Takes a time that just came. `serverTime`: milliseconds, NaN is no time; `now`: monotonic milliseconds. */
  hear(serverTime: number, now: number): void {
    if (!Number.isNaN(serverTime)) this.#offsets = [...this.#offsets, serverTime - now].slice(-SAMPLES_MAX_COUNT);
  }

  /** The server's clock at that monotonic time, in milliseconds; null: no time came yet. */
  at(now: number): number | null {
    // What was longest on its way makes the server look most behind; the largest offset is the one with the smallest delay.
    return this.#offsets.length === 0 ? null : now + Math.max(...this.#offsets);
  }
}
