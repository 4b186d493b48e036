/** The board, for all who follow it in this page: a slow reader gets the newest rows when it is ready for them. */
import type { BoardNews } from '../core/domain/client/effects.ts';
import { boardRows } from '../core/domain/client/rows.ts';
import type { BoardRow } from '../core/protocol/frames.ts';
import { newest, newListeners, type End, type Listeners } from './listeners.ts';

/** Which calls; nothing given: all. */
export interface BoardFilter {
  readonly status?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly driver_id?: string | undefined;
}

export interface BoardSource {
  readonly listeners: Listeners<readonly BoardRow[]>;
  readonly take: (news: BoardNews) => void;
}

export const newBoardSource = (ended: () => End, nobody: () => void): BoardSource => {
  let rows = new Map<string, BoardRow>();
  /** The rows as they are told; undefined until the first came. */
  let list: readonly BoardRow[] | undefined;
  const listeners = newListeners(() => newest(() => list), ended, nobody);
  return {
    listeners,
    take: (news) => {
      rows = boardRows(rows, news);
      list = [...rows.values()];
      listeners.wakeAll();
    },
  };
};
