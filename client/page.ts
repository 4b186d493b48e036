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
  // Node's global object is no event target, and there is no network state to hear of.
  const page = globalThis as Partial<EventTarget>;
  page.addEventListener?.('online', () => tell('online'), { signal: stop.signal });
  page.addEventListener?.('offline', () => tell('offline'), { signal: stop.signal });
  return () => {
    clearInterval(look);
    stop.abort();
  };
};
