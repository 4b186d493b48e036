/** Calls of before: searched, read page by page, opened beside the list, taken away as a file. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { CallRow } from '../../core/protocol/rest.ts';
import { ask, askFile } from './api.ts';
import { reasonSentence, UNNAMED_CALL } from './call-words.ts';
import { historyQuery, SINCE } from './history-filter.ts';
import { useLiveRows } from './history-follow.ts';
import './history.css';
import { sentenceOf } from './http.ts';
import { feed } from './live.ts';
import { costText, counted } from './numbers.ts';
import { usePages } from './pages.ts';
import { go, linkTo, narrow, route, type Filter } from './route.ts';
import { saveFile } from './save-file.ts';
import { may } from './session.ts';
import { CALL_STATUSES, STATUS_SENTENCES, STATUS_WORDS } from './status-words.ts';
import { dayAndTimeText, zoneName } from './times-of-day.ts';
import { duration } from './times.ts';
import { Name } from './words.tsx';

/** Whoever types has paused. */
const TYPED_MS = 300;

/** Today is today also where the clock of this desk is wrong. */
const now = (): number => feed.peek()?.serverNow() ?? Date.now();

export const History = () => {
  const { filter = {}, call } = route.value;
  const list = usePages(JSON.stringify(filter), async (cursor, signal) => {
    const { calls, next_cursor } = await ask<{ readonly calls: readonly CallRow[]; readonly next_cursor: string | null }>('/calls', { query: { ...historyQuery(filter, now()), cursor }, signal });
    return { rows: calls, next: next_cursor };
  });
  useLiveRows(list, filter['status']);
  const { rows, next, reading, problem } = list.pages.value;
  return (
    <>
      <Filters filter={filter} onAgain={() => list.again()} count={rows === null ? '' : `${counted(rows.length, 'call')}${next === null ? '' : ', more below'}`} />
      {problem === null ? null : <p class="problem">{problem}</p>}
      <div class="scroll" aria-busy={reading}>
        {rows === null || rows.length === 0 ? (
          <Nothing state={reading ? 'reading' : problem === null ? 'read' : 'unread'} narrowed={Object.keys(filter).length > 0} />
        ) : (
          <table class="table history">
            <caption class="visually-hidden">Calls, newest first</caption>
            <thead>
              <tr>
                <th scope="col">Started ({zoneName(Date.now())})</th>
                <th scope="col">Driver</th>
                <th scope="col">Status</th>
                <th scope="col">Outcome</th>
                <th scope="col" class="number">
                  Lasted
                </th>
                <th scope="col" class="number">
                  Cost
                </th>
                <th scope="col">Summary</th>
                <th scope="col">Agent</th>
                <th scope="col">Record</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.call_sid} row={row} filter={filter} open={call === row.call_sid} />
              ))}
            </tbody>
          </table>
        )}
        {next === null ? null : (
          <p class="more">
            <button type="button" disabled={reading} onClick={() => list.more()}>
              {reading ? 'Loading ...' : 'Load more'}
            </button>
          </p>
        )}
      </div>
    </>
  );
};

const Row = ({ row, filter, open }: { readonly row: CallRow; readonly filter: Filter; readonly open: boolean }) => {
  const to = { view: 'history', call: row.call_sid, filter } as const;
  return (
    <tr aria-selected={open} onClick={(event) => (event.target as Element).closest('a') === null && getSelection()?.isCollapsed !== false && go(to)}>
      <td class="h-started">
        <time dateTime={row.started_at ?? row.created_at} title={`${row.started_at ?? row.created_at} (UTC)`}>
          {dayAndTimeText(row.started_at ?? row.created_at)}
        </time>
      </td>
      <th scope="row" class="h-driver">
        <a href={linkTo(to)} aria-current={open ? 'true' : undefined}>
          <Name text={row.driver?.driverName ?? row.to_number ?? UNNAMED_CALL} />
        </a>
      </th>
      <td class="h-status">
        <span class={`badge ${row.status}`} title={STATUS_SENTENCES[row.status]}>
          {STATUS_WORDS[row.status]}
        </span>
      </td>
      <td class="h-outcome" title={outcomeOf(row)}>
        {outcomeOf(row)}
      </td>
      <td class="number h-lasted">{row.call_duration_seconds === null ? '' : duration(row.call_duration_seconds)}</td>
      <td class="number h-cost">{costText(row.cost, row.cost_credits)}</td>
      <td class="h-summary">
        <Name text={row.call_summary_title ?? ''} />{' '}
        <span class="hint">
          <Name text={row.transcript_summary ?? ''} />
        </span>
      </td>
      <td class="h-agent hint">
        <Name text={row.agent_id ?? ''} />
      </td>
      <td class="h-record hint" title={row.sealed ? 'Everything that belongs to the call is there.' : 'The call is not over, or its end has not been confirmed yet.'}>
        {row.sealed ? 'Complete' : 'Not finished'}
      </td>
    </tr>
  );
};

const outcomeOf = ({ status, reason, call_successful }: CallRow): string => {
  // Why it failed tells more than that it did not succeed.
  if (reason !== null && (status === 'failed' || status === 'unknown')) return reasonSentence(reason);
  if (call_successful !== null) return call_successful ? 'Succeeded' : 'Did not succeed';
  return status === 'completed' ? 'Not judged' : '';
};

const Nothing = ({ state, narrowed }: { readonly state: 'reading' | 'read' | 'unread'; readonly narrowed: boolean }) => (
  <div class="empty">
    <strong>{state === 'reading' ? 'Looking for calls ...' : state === 'unread' ? 'The calls could not be read.' : narrowed ? 'No call fits.' : 'No calls yet.'}</strong>
    {state !== 'read' ? null : narrowed ? (
      <button type="button" class="link" onClick={() => narrow({ status: '', q: '', since: '', agent: '', driver: '' })}>
        Show all
      </button>
    ) : (
      'Every call that was ever made stands here.'
    )}
  </div>
);

const Filters = ({ filter, count, onAgain }: { readonly filter: Filter; readonly count: string; readonly onAgain: () => void }) => {
  const typed = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => () => clearTimeout(typed.current), []);
  const { status = '', q = '', since = '', agent, driver } = filter;
  // The address may change by other ways than the box, which then says what it says; never while somebody types.
  useEffect(() => {
    if (box.current !== null && typed.current === undefined && box.current.value.trim() !== q) box.current.value = q;
  }, [q]);
  const isDay = since !== '' && !(since in SINCE);
  const asksDay = useSignal(isDay);
  return (
    <div class="toolbar" role="search" aria-label="Narrow the history">
      <input
        ref={box}
        type="search"
        aria-label="Search driver, number or ids"
        placeholder="Search driver, number, ids"
        defaultValue={q}
        onInput={(event) => {
          const value = event.currentTarget.value.trim();
          clearTimeout(typed.current);
          typed.current = setTimeout(() => {
            typed.current = undefined;
            narrow({ q: value });
          }, TYPED_MS);
        }}
      />
      <select aria-label="Status" value={status} onChange={(event) => narrow({ status: event.currentTarget.value })}>
        <option value="">Any status</option>
        {CALL_STATUSES.map((name) => (
          <option key={name} value={name}>
            {STATUS_WORDS[name]}
          </option>
        ))}
      </select>
      <select
        aria-label="Since"
        value={asksDay.value ? 'day' : since}
        onChange={(event) => {
          asksDay.value = event.currentTarget.value === 'day';
          if (!asksDay.value) narrow({ since: event.currentTarget.value });
        }}
      >
        <option value="">Any time</option>
        {Object.entries(SINCE).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
        <option value="day">Since a day ...</option>
      </select>
      {asksDay.value ? <input type="date" aria-label="Since this day" value={isDay ? since : ''} onChange={(event) => narrow({ since: event.currentTarget.value })} /> : null}
      {[
        ['agent', agent],
        ['driver', driver],
      ].map(([name, value]) =>
        name === undefined || value === undefined ? null : (
          <button key={name} type="button" class="small" onClick={() => narrow({ [name]: '' })}>
            {name} {value} ×
          </button>
        ),
      )}
      <button type="button" class="quiet" onClick={onAgain}>
        Refresh
      </button>
      {may('calls.export') ? <Export filter={filter} /> : null}
      <p class="count" role="status">
        {count}
      </p>
    </div>
  );
};

const Export = ({ filter }: { readonly filter: Filter }) => {
  const busy = useSignal(false);
  const problem = useSignal<string | null>(null);
  const save = async (): Promise<void> => {
    busy.value = true;
    problem.value = null;
    try {
      saveFile(await askFile('/calls.csv', { query: historyQuery(filter, now()) }), `calls-${new Date().toISOString().slice(0, 10)}.csv`);
    } catch (error) {
      problem.value = sentenceOf(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      <button type="button" class="quiet" disabled={busy.value} title="All calls that fit, as a file for a spreadsheet" onClick={() => void save()}>
        {busy.value ? 'Preparing the file ...' : 'Export CSV'}
      </button>
      {problem.value === null ? null : (
        <span class="problem" role="alert">
          {problem.value}
        </span>
      )}
    </>
  );
};
