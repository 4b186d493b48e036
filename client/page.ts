/** What the page or process around the client says of itself: network and sleep. Works in browsers and in Node. */

/** A gap between two looks that is this much longer than it should be was a sleep. */
const SLEEP_MS = 5_000;
const LOOK_MS = 1_000;

/** Reports until the answer is called. */
export const watchPage = (tell: (what: 'online' | 'offline' | 'wake') => void): (() => void) => {
  let lookedAt = Date.now();
  const look = setInterval(() => {
    const now = Date.now();
    if (now - lookedAt > LOOK_MS + SLEEP_MS) tell('wake');
    lookedAt = now;
  }, LOOK_MS);
  // In Node an interval keeps the process alive; in browsers it is a number.
  if (typeof look === 'object') (look as unknown as { unref(): void }).unref();
  const stop = new AbortController();
  const listens = typeof globalThis.addEventListener === 'function';
  if (listens) {
    globalThis.addEventListener('online', () => tell('online'), { signal: stop.signal });
    globalThis.addEventListener('offline', () => tell('offline'), { signal: stop.signal });
  }
  return () => {
    clearInterval(look);
    stop.abort();
  };
};
