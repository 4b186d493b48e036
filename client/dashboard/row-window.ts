/** Which rows of a long list have to be drawn: those in sight and a few around them. All rows are of one height. */

/** Drawn beyond what is in sight, so that scrolling shows no gap before the next paint. */
const AROUND_ROWS = 8;

export interface RowWindow {
  readonly from: number;
  /** The first that is not drawn any more. */
  readonly to: number;
}

/** @param top how far the list is scrolled, px; `height`: how much of it is in sight, px */
export const rowWindow = (top: number, height: number, rowHeight: number, count: number): RowWindow => {
  const from = Math.max(0, Math.min(count, Math.floor(top / rowHeight)) - AROUND_ROWS);
  return { from, to: Math.min(count, Math.max(0, Math.ceil((top + height) / rowHeight)) + AROUND_ROWS) };
};

/** Where to scroll so that the row is in sight; the same place where it is already. */
export const scrolledTo = (index: number, top: number, height: number, rowHeight: number): number => {
  const begin = index * rowHeight;
  if (begin < top) return begin;
  return begin + rowHeight > top + height ? begin + rowHeight - height : top;
};

/** The row to go to by a key; null: the key is none of those. @param at the row that is chosen now; -1: none */
export const movedBy = (key: string, at: number, count: number, pageRows: number): number | null => {
  const last = count - 1;
  const steps: Readonly<Record<string, number>> = { ArrowDown: at + 1, ArrowUp: at < 0 ? last : at - 1, PageDown: Math.max(0, at) + pageRows, PageUp: at - pageRows, Home: 0, End: last };
  const wanted = steps[key];
  return wanted === undefined || count === 0 ? null : Math.max(0, Math.min(last, wanted));
};
