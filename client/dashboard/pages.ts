/** A list that is read page by page. */
import { signal, type ReadonlySignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { sentenceOf } from './http.ts';
import { boardFresh } from './live.ts';
import { session } from './session.ts';

export interface Page<T> {
  readonly rows: readonly T[];
  /** null: there is no more. */
  readonly next: string | null;
}

export interface Pages<T> {
  /** null: none came yet. They stay while the list is read anew. */
  readonly rows: readonly T[] | null;
  readonly next: string | null;
  readonly reading: boolean;
  /** What went wrong, as a sentence; null: nothing. */
  readonly problem: string | null;
}

export interface PagedList<T> {
  readonly pages: ReadonlySignal<Pages<T>>;
  /** Reads the next page, where there is one and none is being read. */
  more(): void;
  /** Reads from the start. */
  again(): void;
  /** Puts another row in the place of the one that stands there, or takes it out with null. */
  replace(is: (row: T) => boolean, by: T | null): void;
}

/**
 * Reads the first page, anew whenever `key` is another one or somebody has signed in again; and where it could not be read, when the
 * connection is back.
 * @param read may be another function with the same key: it then asks for the same
 */
export const usePages = <T>(key: string, read: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>): PagedList<T> => {
  const list = useMemo(() => pagedList<T>(), []);
  const who = session.value;
  useEffect(() => {
    if (who === null) return;
    list.begin(key, read);
    return list.stop;
  }, [key, who]);
  const isLive = boardFresh.value;
  useEffect(() => {
    const { rows, problem } = list.pages.peek();
    if (isLive && rows === null && problem !== null) list.again();
  }, [isLive]);
  return list;
};

const pagedList = <T>(): PagedList<T> & { begin(key: string, read: (cursor: string | null, signal: AbortSignal) => Promise<Page<T>>): void; stop(): void } => {
  const pages = signal<Pages<T>>({ rows: null, next: null, reading: false, problem: null });
  let read: ((cursor: string | null, signal: AbortSignal) => Promise<Page<T>>) | null = null;
  let wantedKey = '';
  /** What the rows are the answer to. */
  let rowsKey = '';
  let control = new AbortController();
  const readFrom = async (cursor: string | null): Promise<void> => {
    control.abort();
    const mine = (control = new AbortController());
    pages.value = { ...pages.peek(), reading: true, problem: null };
    try {
      const page = await read?.(cursor, mine.signal);
      if (mine.signal.aborted || page === undefined) return;
      rowsKey = wantedKey;
      pages.value = { rows: cursor === null ? page.rows : [...(pages.peek().rows ?? []), ...page.rows], next: page.next, reading: false, problem: null };
    } catch (error) {
      if (mine.signal.aborted) return;
      // Rows that answer another question would look like the answer to this one.
      const kept = rowsKey === wantedKey ? pages.peek() : { rows: null, next: null };
      pages.value = { rows: kept.rows, next: kept.next, reading: false, problem: sentenceOf(error) };
    }
  };
  return {
    pages,
    begin: (key, wanted) => {
      read = wanted;
      wantedKey = key;
      void readFrom(null);
    },
    stop: () => control.abort(),
    more: () => {
      const { next, reading } = pages.peek();
      if (next !== null && !reading) void readFrom(next);
    },
    again: () => void readFrom(null),
    replace: (is, by) => {
      const { rows } = pages.peek();
      if (rows !== null) pages.value = { ...pages.peek(), rows: rows.flatMap((row) => (!is(row) ? [row] : by === null ? [] : [by])) };
    },
  };
};
