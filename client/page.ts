/** What the page or process around the client says of itself: network and sleep. Works in browsers and in Node. */

const LOOK_MS = 1_000;
/** A gap between two looks that is longer was a sleep. */
const GAP_MAX_MS = 6_000;
/** A browser lets the timers of a hidden page run once a minute; but heartbeats come every 15 s, and a poll is answered within 25. */
const HIDDEN_GAP_MAX_MS = 30_000;

export interface PageWatch {
  /** To be called when something comes in, before it is taken: after a sleep that may be sooner than any timer. */
  look(): void;
  stop(): void;
}

/** Reports until it is stopped. */
export const watchPage = (tell: (what: 'online' | 'offline' | 'wake') => void): PageWatch => {
  // Node's global object is no event target and has no page.
  const page = globalThis as Partial<Pick<Window, 'addEventListener' | 'document'>>;
  const control = new AbortController();
  const isHidden = (): boolean => page.document?.hidden === true;
  let lookedAt = Date.now();
  let wasHidden = isHidden();
  const look = (): void => {
    const slept = Date.now() - lookedAt > (wasHidden ? HIDDEN_GAP_MAX_MS : GAP_MAX_MS);
    lookedAt = Date.now();
    wasHidden = isHidden();
    if (slept) tell('wake');
  };
  const looking = setInterval(look, LOOK_MS);
  // In Node an interval keeps the process alive; in browsers it is a number.
  if (typeof looking === 'object') (looking as unknown as { unref(): void }).unref();
  const on = (target: Partial<Pick<Window, 'addEventListener'>> | undefined, type: string, happened: (event: Event) => void): void => target?.addEventListener?.(type, happened, { signal: control.signal });
  on(page, 'online', () => tell('online'));
  on(page, 'offline', () => tell('offline'));
  // Brought back as it was left, from the browser's cache of pages.
  on(page, 'pageshow', (event) => (event as PageTransitionEvent).persisted && tell('wake'));
  on(page.document, 'resume', () => tell('wake'));
  on(page.document, 'visibilitychange', look);
  return {
    look,
    stop: () => {
      clearInterval(looking);
      control.abort();
    },
  };
};
