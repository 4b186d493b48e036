/** The board, for all who follow it in this page: a slow reader gets the newest rows when it is ready for them. */
import type { Emitted } from '../core/domain/client/effects.ts';
import { boardRows } from '../core/domain/client/rows.ts';
import type { BoardRow } from '../core/protocol/frames.ts';
import { Listeners, type End } from './listeners.ts';

/** Which calls; nothing given: all. */
export interface BoardFilter {
  readonly status?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly driver_id?: string | undefined;
}

interface Reader {
  told: readonly BoardRow[] | undefined;
}

export class BoardSource {
  readonly listeners: Listeners<Reader, readonly BoardRow[]>;
  readonly #filter: string;
  #rows = new Map<string, BoardRow>();
  /** The rows as they are told; undefined until the first came. */
  #list: readonly BoardRow[] | undefined;

  constructor(filter: BoardFilter, ended: () => End, nobody: () => void) {
    this.#filter = JSON.stringify(filter);
    const next = (reader: Reader): readonly BoardRow[] | undefined => (reader.told === this.#list ? undefined : (reader.told = this.#list));
    this.listeners = new Listeners({ begin: (): Reader => ({ told: undefined }), next, ended, nobody });
  }

  isOf(filter: BoardFilter): boolean {
    return this.#filter === JSON.stringify(filter);
  }

  take(what: Extract<Emitted, { kind: 'board' }>): void {
    this.#rows = boardRows(this.#rows, what);
    this.#list = [...this.#rows.values()];
    this.listeners.wake();
  }
}
