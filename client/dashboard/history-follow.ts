/** Keeps rows of the history true that stand on the board as well: a list under the word "Live" that says "Talking" of a call that is over would lie. */
import { useEffect, useRef } from 'preact/hooks';
import type { CallRow } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';
import { erasedCalls } from './erased.ts';
import { boardRows } from './live.ts';
import type { PagedList } from './pages.ts';

/**
 * Reads a call of the list anew whenever the board tells another status of it; where it no longer has the wanted one, or was erased, it leaves the list.
 * @param status what the list is narrowed to; undefined: any
 */
export const useLiveRows = (list: PagedList<CallRow>, status: string | undefined): void => {
  /** The status for which a call was last read anew: nobody asks twice. */
  const askedFor = useRef(new Map<string, string>());
  const { rows } = list.pages.value;
  const board = boardRows.value;
  useEffect(() => {
    const open = rows?.filter(({ sealed }) => !sealed) ?? [];
    if (open.length === 0 || board === null) return;
    const told = new Map(board.map((row) => [row.call_sid, row.status]));
    for (const { call_sid, status: shown } of open) {
      const now = told.get(call_sid);
      if (now === undefined || now === shown || askedFor.current.get(call_sid) === now) continue;
      askedFor.current.set(call_sid, now);
      void readAnew(list, call_sid, status);
    }
  }, [rows, board, status]);
  const erased = erasedCalls.value;
  useEffect(() => {
    const isErased = (row: CallRow): boolean => erased.has(row.call_sid) || (row.conversation_id !== null && erased.has(row.conversation_id));
    if (rows?.some(isErased) === true) list.replace(isErased, null);
  }, [rows, erased]);
};

/** Without an answer the row stays as it is: whoever wants the whole list anew presses Refresh. */
const readAnew = async (list: PagedList<CallRow>, callSid: string, status: string | undefined): Promise<void> => {
  const row = await ask<CallRow>(`/calls/${encodeURIComponent(callSid)}`).catch(() => null);
  if (row !== null) list.replace(({ call_sid }) => call_sid === callSid, status === undefined || row.status === status ? row : null);
};
