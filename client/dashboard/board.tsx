/** The live board: every call that goes on, newest first, and those that ended in the last quarter of an hour. */
import { computed } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { BoardGrid } from './board-grid.tsx';
import { agentsOf, countsOf, GROUPS, shownRows, type BoardFilter, type Group } from './board-order.ts';
import './board.css';
import { boardAt, boardFresh, boardRows, connection, notFound, stoppedBy } from './live.ts';
import { counted, whole } from './numbers.ts';
import { narrow, route } from './route.ts';
import { person } from './session.ts';
import { clockTime } from './times.ts';

const GROUP_WORDS: Readonly<Record<Group, string>> = { active: 'Active', attention: 'Needs attention', ended: 'Ended' };

const filter = computed((): BoardFilter => {
  const { status, agent, q } = route.value.filter ?? {};
  return { group: GROUPS.find((group) => group === status) ?? null, agent: agent ?? null, words: q ?? '' };
});
const shown = computed(() => (boardRows.value === null ? null : shownRows(boardRows.value, filter.value)));
const all = computed(() => boardRows.value ?? []);
const counts = computed(() => countsOf(all.value));
const agents = computed(() => agentsOf(all.value));

export const Board = () => {
  const rows = shown.value;
  const { group, agent, words } = filter.value;
  return (
    <>
      <Filters />
      <Staleness />
      {rows === null ? <Waiting /> : rows.length === 0 ? <Nothing /> : <BoardGrid key={`${group ?? ''} ${agent ?? ''} ${words}`} rows={rows} />}
    </>
  );
};

const Filters = () => {
  const { group, agent, words } = filter.value;
  const choices: readonly (readonly [Group | null, string, number])[] = [[null, 'All', all.value.length], ...GROUPS.map((name) => [name, GROUP_WORDS[name], counts.value[name]] as const)];
  return (
    <div class="toolbar" role="search" aria-label="Narrow the board">
      <div class="choice groups" role="group" aria-label="Which calls">
        {choices.map(([name, word, count]) => (
          <button key={word} type="button" aria-pressed={group === name} class={name === 'attention' && count > 0 ? 'alarming' : undefined} onClick={() => narrow({ status: name ?? '' })}>
            {word} <span class="hint">{whole(count)}</span>
          </button>
        ))}
      </div>
      {agents.value.length > 1 || agent !== null ? (
        <select aria-label="Agent" value={agent ?? ''} onChange={(event) => narrow({ agent: event.currentTarget.value })}>
          <option value="">All agents</option>
          {[...new Set([...agents.value, ...(agent === null ? [] : [agent])])].map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      ) : null}
      <input type="search" aria-label="Search driver, words or ids" placeholder="Search driver, words, ids" value={words} onInput={(event) => narrow({ q: event.currentTarget.value })} />
      <p class="count">{countText(shown.value?.length ?? null, all.value.length)}</p>
    </div>
  );
};

const countText = (count: number | null, of: number): string => {
  if (count === null) return '';
  return count === of ? counted(of, 'call') : `${whole(count)} of ${counted(of, 'call')}`;
};

/** Said plainly where the rows are no longer what is. */
const Staleness = () => {
  const at = boardAt.value;
  if (boardFresh.value || boardRows.value === null || at === null) return null;
  return <p class="notice">Not live. The board is as it was at {clockTime(new Date(at).toISOString())}.</p>;
};

const Waiting = () => {
  if (person.value?.tenant === null) return <Said title="This account sees no calls.">It is for deliveries that belong to nobody yet: see Quarantine.</Said>;
  if (notFound.value !== null) return <Said title="Live calls cannot be shown.">{notFound.value}</Said>;
  if (stoppedBy.value !== null) return <Said title="Live calls cannot be shown.">The connection was ended and does not come back by itself. Reload the page.</Said>;
  return <Said title="Looking for calls ...">{connection.value?.state === 'lost' ? 'There is no connection. They come when it is back.' : 'This takes a second.'}</Said>;
};

const Nothing = () => {
  if (all.value.length === 0) return <Said title="No calls now.">Calls appear here by themselves, and stay for 15 minutes after they ended. Earlier ones are in the history.</Said>;
  return (
    <Said title="No call fits.">
      {counted(all.value.length, 'call')} {all.value.length === 1 ? 'is' : 'are'} on the board.{' '}
      <button type="button" class="link" onClick={() => narrow({ status: '', agent: '', q: '' })}>
        Show all
      </button>
    </Said>
  );
};

const Said = ({ title, children }: { readonly title: string; readonly children: ComponentChildren }) => (
  <div class="empty">
    <strong>{title}</strong>
    {children}
  </div>
);
