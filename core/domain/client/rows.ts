/** The board as a page shows it: what came joined with what stands there. */
import type { BoardRow } from '../../protocol/frames.ts';
import type { BoardNews } from './effects.ts';

/**
 * The rows after this part. A snapshot replaces all rows, others their own; but a row never goes back to an earlier sight of its
 * call. That the log's count tells: times come from the clocks of several processes.
 */
export const boardRows = (before: ReadonlyMap<string, BoardRow>, { snapshot, rows: came, gone }: BoardNews): Map<string, BoardRow> => {
  const rows = snapshot ? new Map<string, BoardRow>() : new Map(before);
  for (const row of came as readonly BoardRow[]) {
    const shown = before.get(row.call_sid);
    rows.set(row.call_sid, shown === undefined || isNewer(row, shown) ? row : shown);
  }
  for (const callSid of gone) rows.delete(callSid);
  return rows;
};

const isNewer = (row: BoardRow, shown: BoardRow): boolean =>
  row.epoch !== shown.epoch || row.last_seq > shown.last_seq || (row.last_seq === shown.last_seq && row.changed_at >= shown.changed_at);
