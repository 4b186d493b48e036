/**
 * The rows of the board: of thousands only those in sight are drawn. What is in sight stays where it is when calls come above it. The grid
 * itself holds the focus and names the chosen row, so that no update can take the focus away.
 */
import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { BoardRow } from '../../core/protocol/frames.ts';
import { newerThan, type Place } from './board-order.ts';
import { Row, rowId } from './board-row.tsx';
import { counted } from './numbers.ts';
import { go, route } from './route.ts';
import { movedBy, rowWindow, scrolledTo } from './row-window.ts';

const COLUMNS = { 'c-status': 'Status', 'c-driver': 'Driver', 'c-said': 'Last words', 'c-lasted': 'Lasted', 'c-updated': 'Updated', 'c-agent': 'Agent' } as const;

/** Heights in rem: one line to a row; two where there is no room for all columns. */
const ROW_REM = 2.5;
const TWO_LINE_ROW_REM = 4;
const HEAD_REM = 2.1;
/** Below it a row has two lines. */
const ONE_LINE_MIN_REM = 44;
/** From here on the agent has a column. */
const AGENT_MIN_REM = 60;
/** A display on the wall, px: few calls fill it with large rows, for whoever stands across the room. The styles have the same bound. */
const WALL_MIN_PX = 2_200;
const WALL_ROW_REM = 4;

interface Size {
  /** What is in sight of the rows, px. */
  readonly height: number;
  readonly rowHeight: number;
  /** Of a row where all fit in at that height; null: the display is no wall. */
  readonly wallRowHeight: number | null;
  readonly layout: 'wide' | 'narrow' | 'two-lines';
}

/** The first row in sight, and how much of it is scrolled away, px. */
interface Anchor {
  readonly place: Place;
  readonly offset: number;
}

const sizeOf = (scroller: HTMLElement): Size => {
  const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = scroller.clientWidth / rem;
  const twoLines = width < ONE_LINE_MIN_REM;
  const head = twoLines ? 0 : Math.round(HEAD_REM * rem);
  const layout = twoLines ? 'two-lines' : width < AGENT_MIN_REM ? 'narrow' : 'wide';
  return {
    height: Math.max(0, scroller.clientHeight - head),
    rowHeight: Math.round((twoLines ? TWO_LINE_ROW_REM : ROW_REM) * rem),
    wallRowHeight: layout === 'wide' && innerWidth >= WALL_MIN_PX ? Math.round(WALL_ROW_REM * rem) : null,
    layout,
  };
};

const topOf = (rows: readonly BoardRow[], anchor: Anchor | null, rowHeight: number): number => (anchor === null ? 0 : newerThan(rows, anchor.place) * rowHeight + anchor.offset);

export const BoardGrid = ({ rows }: { readonly rows: readonly BoardRow[] }) => {
  const scroller = useRef<HTMLDivElement>(null);
  const size = useSignal<Size>({ height: 0, rowHeight: 35, wallRowHeight: null, layout: 'wide' });
  const chosen = useSignal<string | null>(route.peek().call);
  // Drawn anew only when another row comes to the top.
  const [, setFirstRow] = useState(0);
  const anchor = useRef<Anchor | null>(null);
  const newestSeen = useRef<Place | undefined>(undefined);

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const watch = new ResizeObserver(() => (size.value = sizeOf(element)));
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  const { height, wallRowHeight, layout } = size.value;
  const isRoomy = wallRowHeight !== null && rows.length * wallRowHeight <= height;
  const rowHeight = isRoomy ? wallRowHeight : size.value.rowHeight;
  const top = topOf(rows, anchor.current, rowHeight);
  useLayoutEffect(() => {
    const element = scroller.current;
    element?.style.setProperty('--row', `${rowHeight}px`);
    if (element !== null && Math.abs(element.scrollTop - top) >= 1) element.scrollTop = top;
    if (anchor.current === null) newestSeen.current = rows[0];
  }, [rows, top, rowHeight]);

  const scrolled = (element: HTMLElement): void => {
    const at = Math.max(0, element.scrollTop);
    const index = Math.min(rows.length - 1, Math.floor(at / rowHeight));
    const row = rows[index];
    anchor.current = at < 1 || row === undefined ? null : { place: row, offset: at - index * rowHeight };
    if (anchor.current === null) newestSeen.current = rows[0];
    setFirstRow(index);
  };

  const keyPressed = (event: KeyboardEvent): void => {
    const element = scroller.current;
    if (element === null || event.target !== element || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = rows.findIndex(({ call_sid }) => call_sid === chosen.peek());
    const row = rows[at];
    if (event.key === 'Enter' && row !== undefined) {
      event.preventDefault();
      go({ ...route.peek(), view: 'board', call: row.call_sid });
      return;
    }
    const to = movedBy(event.key, at, rows.length, Math.max(1, Math.floor(height / rowHeight) - 1));
    const wanted = to === null ? undefined : rows[to];
    if (to === null || wanted === undefined) return;
    event.preventDefault();
    chosen.value = wanted.call_sid;
    element.scrollTop = scrolledTo(to, element.scrollTop, height, rowHeight);
    // Not only at the next frame: the chosen row has to be there.
    scrolled(element);
  };

  const inSight = rowWindow(top, height, rowHeight, rows.length);
  const drawn = rows.slice(inSight.from, inSight.to);
  const newAbove = anchor.current === null || newestSeen.current === undefined ? 0 : newerThan(rows, newestSeen.current);
  return (
    <div class="board-frame">
      {newAbove > 0 ? (
        <button
          type="button"
          class="new-above"
          onClick={() => {
            if (scroller.current === null) return;
            scroller.current.scrollTop = 0;
            scroller.current.focus();
          }}
        >
          ↑ {counted(newAbove, 'new call')} above
        </button>
      ) : null}
      <div
        ref={scroller}
        class={`board ${layout} ${isRoomy ? 'roomy' : ''}`}
        role="grid"
        aria-label="Live calls"
        aria-rowcount={rows.length + 1}
        aria-activedescendant={chosen.value !== null && drawn.some(({ call_sid }) => call_sid === chosen.value) ? rowId(chosen.value) : undefined}
        tabIndex={0}
        data-board-scroller
        onScroll={(event) => scrolled(event.currentTarget)}
        onKeyDown={keyPressed}
        onClick={(event) => {
          const clicked = (event.target as Element).closest<HTMLElement>('[data-call]')?.dataset['call'];
          if (clicked !== undefined) chosen.value = clicked;
        }}
      >
        <div role="row" aria-rowindex={1} class="head">
          {Object.entries(COLUMNS).map(([column, name]) => (
            <span key={column} role="columnheader" class={column}>
              {name}
            </span>
          ))}
        </div>
        <div role="rowgroup" class="all" style={{ height: `${rows.length * rowHeight}px` }}>
          <div role="presentation" style={{ transform: `translateY(${inSight.from * rowHeight}px)` }}>
            {drawn.map((row, index) => (
              <Row key={row.call_sid} row={row} index={inSight.from + index + 2} open={route.value.call === row.call_sid} chosen={chosen.value === row.call_sid} />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
};
