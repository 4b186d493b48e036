/** Who listens to one source. Each reads what it has not had yet: a handler at once, an iterable when it is ready for it. */

/** The end of a source: undefined while it goes on, null by the page's own wish, else what iterables throw. */
export type End = Error | null | undefined;

export interface Following {
  close(): void;
}

/** Ends with `close()`, with `break` and with the feed. To be iterated over once. */
export interface Updates<T> extends AsyncIterable<T>, Following {}

/** Gives what its listener has not had; undefined: it has had everything. */
export type Reader<T> = () => T | undefined;

export interface Listeners<T> {
  /** There is something new, or it is the end. */
  readonly wakeAll: () => void;
  /** Tells a handler; what is there already in a moment. */
  readonly tell: (handler: (value: T) => void) => Following;
  readonly iterate: () => Updates<T>;
}

/**
 * @param begin makes a reader for one more listener
 * @param nobody the last listener has left
 */
export const newListeners = <T>(begin: () => Reader<T>, ended: () => End, nobody: () => void): Listeners<T> => {
  const wakes = new Set<() => void>();
  const leave = (wake: () => void): void => {
    if (wakes.delete(wake) && wakes.size === 0) nobody();
  };
  return {
    wakeAll: () => {
      for (const wake of [...wakes]) wake();
    },
    tell: (handler) => {
      const next = begin();
      const wake = (): void => {
        while (wakes.has(wake)) {
          const value = next();
          if (value === undefined) return;
          guarded(() => handler(value));
        }
      };
      wakes.add(wake);
      // Not at once: the page has yet to be given the means to close it.
      queueMicrotask(wake);
      return { close: () => leave(wake) };
    },
    iterate: () => {
      const next = begin();
      let ready = (): void => undefined;
      const wake = (): void => ready();
      const close = (): void => {
        leave(wake);
        ready();
      };
      const values = async function* (): AsyncGenerator<T, void> {
        try {
          while (wakes.has(wake)) {
            const end = ended();
            if (end === null) return;
            const value = next();
            if (value !== undefined) yield value;
            else if (end) throw end;
            else await new Promise<void>((resolve) => (ready = resolve));
          }
        } finally {
          close();
        }
      };
      wakes.add(wake);
      return Object.assign(values(), { close });
    },
  };
};

/** A reader of the newest alone. `had`: what its listener needs not be told. */
export const newest = <T>(look: () => T | undefined, had?: T): Reader<T> => () => {
  const now = look();
  return now === had ? undefined : (had = now);
};

/** A handler that throws must not stop the feed; the error is shown as any uncaught one. */
export const guarded = (run: () => void): void => {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
};
