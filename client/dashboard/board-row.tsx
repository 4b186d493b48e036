/** One row of the board. Its times tick by themselves; the rest is drawn anew only when the call changed. */
import { useMemo } from 'preact/hooks';
import type { BoardRow } from '../../core/protocol/frames.ts';
import { isEnded, needsAttention } from './board-order.ts';
import { boardAt, boardFresh } from './live.ts';
import { reasonSentence, UNNAMED_CALL } from './call-words.ts';
import { readable } from './readable.ts';
import { linkTo, route } from './route.ts';
import { STATUS_SENTENCES, STATUS_WORDS } from './status-words.ts';
import { age, duration } from './times.ts';
import { Name } from './words.tsx';

export interface RowProps {
  readonly row: BoardRow;
  /** From 1, the head being the first. */
  readonly index: number;
  /** Its call is open beside the board. */
  readonly open: boolean;
  /** The keyboard is at it. */
  readonly chosen: boolean;
}

/** The id of a row's element. */
export const rowId = (callSid: string): string => `row-${encodeURIComponent(callSid)}`;

/** What to call a call by: its driver; a number that was dialed, or one that nobody announced, has none. */
export const callName = ({ driver_name, call_sid }: Pick<BoardRow, 'driver_name' | 'call_sid'>): string => driver_name ?? (call_sid.startsWith('EL_call_') ? 'Dialed number' : UNNAMED_CALL);

export const Row = (props: RowProps) => {
  const { row, index, open, chosen } = props;
  return useMemo(() => <Drawn {...props} />, [row, index, open, chosen]);
};

/** What to say of a call in which nobody said anything: why. */
const reasonOf = ({ status, reason, last_line }: BoardRow): string | null => (reason !== null && last_line === null && needsAttention(status) ? reasonSentence(reason) : null);

const Drawn = ({ row, index, open, chosen }: RowProps) => {
  const why = reasonOf(row);
  return (
    <div id={rowId(row.call_sid)} role="row" aria-rowindex={index} aria-selected={chosen} class={`row ${isEnded(row.status) ? 'over' : ''} ${open ? 'open' : ''} ${chosen ? 'chosen' : ''}`} data-call={row.call_sid}>
      <span role="gridcell" class="c-status">
        <span class={`badge ${row.status}`} title={STATUS_SENTENCES[row.status]}>
          {STATUS_WORDS[row.status]}
        </span>
      </span>
      <span role="gridcell" class="c-driver one-line">
        <a href={linkTo({ ...route.peek(), view: 'board', call: row.call_sid })} tabIndex={-1} aria-current={open ? 'true' : undefined}>
          <Name text={callName(row)} />
        </a>
        {row.driver_name === null ? <span class="hint"> {row.conversation_id ?? row.call_sid}</span> : null}
      </span>
      <span role="gridcell" class="c-said one-line" dir="auto" data-last-line>
        {row.last_line === null ? null : readable(row.last_line)}
        {why === null ? null : <em class="hint">{why}</em>}
      </span>
      <Lasted row={row} />
      <Updated row={row} />
      <span role="gridcell" class="c-agent one-line hint">
        {row.agent_id}
      </span>
    </div>
  );
};

/** By the server's clock; stands still while nobody knows whether the call still goes on. */
const Lasted = ({ row }: { readonly row: BoardRow }) => {
  const end = row.ended_at === null ? boardAt.value : Date.parse(row.ended_at);
  const begin = row.started_at ?? (isEnded(row.status) ? null : row.created_at);
  return (
    <span role="gridcell" class="c-lasted">
      {end === null || begin === null ? '' : duration((end - Date.parse(begin)) / 1000)}
    </span>
  );
};

const Updated = ({ row }: { readonly row: BoardRow }) => (
  <span role="gridcell" class="c-updated hint" title={boardFresh.value ? undefined : 'Not known: the board is not live'}>
    {boardFresh.value && boardAt.value !== null ? age(boardAt.value - Date.parse(row.changed_at)) : '?'}
  </span>
);
