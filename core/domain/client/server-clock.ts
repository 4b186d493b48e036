/** The relay's wall clock, as far as a client can know it from the times that relays put into what they send. */

/** Heartbeats come every 15 s: what the last two minutes brought, so that a relay whose clock is another is soon gone by. */
const SAMPLES_MAX_COUNT = 8;

export interface ServerClock {
  /** Takes a time that just came. `serverTime`: milliseconds, NaN is no time; `now`: monotonic milliseconds. */
  readonly hear: (serverTime: number, now: number) => void;
  /** The server's clock at that monotonic time, in milliseconds; null: no time came yet. */
  readonly at: (now: number) => number | null;
}

export const newServerClock = (): ServerClock => {
  /** How far the server's clock is ahead of the page's monotonic one, by each of the last times that came. */
  let offsets: number[] = [];
  return {
    hear: (serverTime, now) => {
      if (serverTime) offsets = [...offsets, serverTime - now].slice(-SAMPLES_MAX_COUNT);
    },
    // What was longest on its way makes the server look most behind; the largest offset is the one with the smallest delay.
    at: (now) => (offsets.length ? now + Math.max(...offsets) : null),
  };
};
