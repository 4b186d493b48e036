/** Who listens to one source. Each reads what it has not had yet: a handler at once, an iterable when it is ready for it. */

/** The end of a source: undefined while it goes on, null by the page's own wish, else what iterables throw. */
export type End = Error | null | undefined;

export interface Following {
  close(): void;
}

/** Ends with `close()`, with `break` and with the feed. To be iterated over once. */
export interface Updates<T> extends AsyncIterable<T>, Following {}

/** What listeners read. `Reader`: how far one of them has got. */
export interface Source<Reader, T> {
  readonly begin: () => Reader;
  /** What this reader has not had; undefined: it has had everything. */
  readonly next: (reader: Reader) => T | undefined;
  readonly ended: () => End;
  /** The last listener has left. */
  readonly nobody: () => void;
}

export class Listeners<Reader, T> {
  readonly #source: Source<Reader, T>;
  readonly #readers = new Map<() => void, Reader>();

  constructor(source: Source<Reader, T>) {
    this.#source = source;
  }

  get readers(): Iterable<Reader> {
    return this.#readers.values();
  }

  /** There is something new, or it is the end. */
  wake(): void {
    for (const wake of [...this.#readers.keys()]) wake();
  }

  /** Tells a handler; what is there already in a moment. */
  tell(handler: (value: T) => void): Following {
    const reader = this.#source.begin();
    const wake = (): void => {
      while (this.#readers.has(wake)) {
        const value = this.#source.next(reader);
        if (value === undefined) return;
        guarded(() => handler(value));
      }
    };
    this.#readers.set(wake, reader);
    // Not at once: the page has yet to be given the means to close it.
    queueMicrotask(wake);
    return { close: () => this.#leave(wake) };
  }

  iterate(): Updates<T> {
    const reader = this.#source.begin();
    const { next, ended } = this.#source;
    let open = true;
    let ready = (): void => undefined;
    const wake = (): void => ready();
    const close = (): void => {
      open = false;
      this.#leave(wake);
      ready();
    };
    const values = async function* (): AsyncGenerator<T, void> {
      try {
        while (open) {
          const end = ended();
          if (end === null) return;
          const value = next(reader);
          if (value !== undefined) yield value;
          else if (end !== undefined) throw end;
          else await new Promise<void>((resolve) => (ready = resolve));
        }
      } finally {
        close();
      }
    };
    this.#readers.set(wake, reader);
    return Object.assign(values(), { close });
  }

  #leave(wake: () => void): void {
    if (this.#readers.delete(wake) && this.#readers.size === 0) this.#source.nobody();
  }
}

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
