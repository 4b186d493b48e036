/** The live board: every call that goes on, newest first. */
import { computed } from '@preact/signals';
import { boardRows } from './live.ts';
import { linkTo, route } from './route.ts';

const newestFirst = computed(() => [...(boardRows.value ?? [])].sort((a, b) => ((a.started_at ?? a.changed_at) < (b.started_at ?? b.changed_at) ? 1 : -1)));

export const Board = () => (
  <ul class="board">
    {newestFirst.value.map((row) => (
      <li key={row.call_sid}>
        <a href={linkTo({ view: 'board', call: row.call_sid })} aria-current={route.value.call === row.call_sid ? 'true' : undefined}>
          <span class={`status ${row.status}`}>{row.status.replace('_', ' ')}</span> <strong>{row.driver_name ?? row.call_sid}</strong> {row.last_line}
        </a>
      </li>
    ))}
  </ul>
);
