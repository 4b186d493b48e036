/** The baseline of the screen benchmark: the feed of the library, and a list that is made anew at each change. */
import { connect } from '../../../client/index.ts';

const given = new URLSearchParams(location.hash.slice(1));
const list = document.querySelector('ul');
const feed = connect({ url: given.get('relay') ?? '', token: () => given.get('token') ?? '' });
feed.board({
  onRows: (rows) => {
    const newest = [...rows].sort((a, b) => (a.started_at ?? a.changed_at).localeCompare(b.started_at ?? b.changed_at) * -1);
    list?.replaceChildren(
      ...newest.map((row) => {
        const item = document.createElement('li');
        for (const text of [row.status, row.driver_name ?? row.call_sid, row.agent_id ?? '', row.last_line ?? '', row.changed_at]) {
          const cell = document.createElement('span');
          cell.textContent = text;
          item.append(cell);
        }
        return item;
      }),
    );
  },
});
