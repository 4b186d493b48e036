/**
 * The frames of a board, made once for all who are to be sent the same: those who came together or have seen the same version, by the same
 * filter. Looking through all rows and writing them for each watcher is what a board costs (`npm run bench -- board`). What is kept is of the
 * board's newest version, and is let go of once a second.
 */
import type { Board, BoardFilter } from '../core/domain/relay/board.ts';
import { BOARD_PART_MAX_ROWS } from '../core/protocol/limits.ts';
import type { BoardRow } from '../core/protocol/frames.ts';
import { controlFrame, type Frame } from './frames.ts';

/** As a key: a filter's names are asked for one by one, so that their order says nothing. */
const keyOf = (from: number | 'all', { status, agent_id, driver_id }: BoardFilter): string => JSON.stringify([from, status, agent_id, driver_id]);

/** Rows in parts of at most BOARD_PART_MAX_ROWS; no rows are one empty part. */
const inParts = (rows: readonly BoardRow[]): BoardRow[][] => {
  const parts: BoardRow[][] = [];
  for (let from = 0; from === 0 || from < rows.length; from += BOARD_PART_MAX_ROWS) parts.push(rows.slice(from, from + BOARD_PART_MAX_ROWS));
  return parts;
};

/** All rows as frames. @param more fields that each of them carries besides */
export const snapshotFrames = (rows: readonly BoardRow[], more: { readonly id?: string | number } = {}): readonly Frame[] => {
  const parts = inParts(rows);
  return parts.map((part, place) => controlFrame({ type: 'board_snapshot', rows: part, more: place < parts.length - 1, ...more }));
};

export class BoardFrames {
  readonly #board: Board;
  readonly #kept = new Map<string, readonly Frame[]>();
  #version = 0;

  constructor(board: Board) {
    this.#board = board;
  }

  /** All rows that the filter lets through. */
  snapshot(filter: BoardFilter): readonly Frame[] {
    return this.#once(keyOf('all', filter), () => snapshotFrames(this.#board.snapshot(filter)));
  }

  /** What a watcher lacks that has seen this version; none: nothing that the filter lets through. */
  since(version: number, filter: BoardFilter): readonly Frame[] {
    return this.#once(keyOf(version, filter), () => {
      const changes = this.#board.since(version, filter);
      if (changes === null) return this.snapshot(filter);
      if (changes.rows.length === 0 && changes.gone.length === 0) return [];
      return inParts(changes.rows).map((rows, part) => controlFrame({ type: 'board_update', rows, gone: part === 0 ? [...changes.gone] : [] }));
    });
  }

  /** Lets go of everything. */
  forget(): void {
    this.#kept.clear();
  }

  #once(key: string, make: () => readonly Frame[]): readonly Frame[] {
    if (this.#version !== this.#board.version) this.forget();
    this.#version = this.#board.version;
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const made = make();
    this.#kept.set(key, made);
    return made;
  }
}
