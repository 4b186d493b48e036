/** The live feed of whoever is signed in: its connection and the board as signals. One feed for the page. */
import { batch, effect, signal } from '@preact/signals';
import type { Discovery } from '../../core/protocol/rest.ts';
import { connect, type BoardRow, type Connection, type Feed } from '../index.ts';
import { ask } from './api.ts';
import { Delays } from './delays.ts';
import { accessToken, session, signInEnded } from './session.ts';

/** Close codes after which only another sign-in helps. */
const SIGN_IN_AGAIN: ReadonlySet<number | null> = new Set([4501, 4502, 4503, 4504, 401, 403]);
/** Opening a call is caught up within less; a board that waits for longer is no longer true. */
const CATCHING_UP_MAX_MS = 3_000;
/** A frame that was not painted by then waited for a hidden page: what it says is no delay of ours. */
const PAINT_MAX_MS = 1_000;
const FIND_AGAIN_MIN_MS = 1_000;
const FIND_AGAIN_MAX_MS = 30_000;

export const feed = signal<Feed | null>(null);
/** null: nobody is signed in, or where the relay is has not been found out yet. */
export const connection = signal<Connection | null>(null);
/** All rows of the board, newest words; null until the first came. They stay while a sign-in is renewed. */
export const boardRows = signal<readonly BoardRow[] | null>(null);
/** Whether the rows are what is, not what was. */
export const boardFresh = signal(false);
/** The server's clock when the rows were last true, once a second, milliseconds; null: they never were. */
export const boardAt = signal<number | null>(null);
/** Why the feed does not come back by itself, as a close code; null: it does. */
export const stoppedBy = signal<number | null>(null);
/** Why the relay is not even found, as a sentence; null: it is. */
export const notFound = signal<string | null>(null);
/** From the commit of a change to its paint, for changes that came while the board was true. */
export const delays = new Delays();

/** Follows the sign-in: a feed while somebody is signed in. Once, when the page begins. */
export const followSession = (): void => {
  let began = 0;
  effect(() => {
    const who = session.value;
    const mine = ++began;
    stop();
    // An operator belongs to no tenant, and so no call is theirs to see.
    if (who !== null && who.tenant !== null) void follow(() => mine === began);
  });
  setInterval(look, 1000);
};

/** Finds the relay and opens the feed, unless nobody wants it any more. */
const follow = async (wanted: () => boolean): Promise<void> => {
  for (let wait = FIND_AGAIN_MIN_MS; ; wait = Math.min(wait * 2, FIND_AGAIN_MAX_MS)) {
    const said = await ask<Discovery>('/discovery').catch(() => null);
    if (!wanted()) return;
    notFound.value = said === null ? 'Earshot cannot be reached, so live calls cannot be shown. It is tried again by itself.' : null;
    if (said !== null) {
      start(said.services.relay.url);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, wait * (0.5 + Math.random() / 2)));
    if (!wanted()) return;
  }
};

/** The server's time since when the rows are true without a break; null: they are not. */
let trueSince: number | null = null;

/** Whether the rows are true now, and by which clock. */
const look = (): void => {
  const is = connection.peek();
  const now = feed.peek()?.serverNow() ?? null;
  const soonThere = is?.state === 'catching_up' && boardFresh.peek() && performance.now() - is.since < CATCHING_UP_MAX_MS;
  const fresh = now !== null && (is?.state === 'live' || is?.state === 'restored' || soonThere);
  trueSince = fresh ? (trueSince ?? now) : null;
  batch(() => {
    boardFresh.value = fresh;
    if (fresh) boardAt.value = now;
  });
};

const start = (url: string): void => {
  const opened = connect({
    url,
    token: accessToken,
    onConnection: (now) => {
      connection.value = now;
      look();
    },
    onStopped: (code) => {
      stoppedBy.value = code;
      if (SIGN_IN_AGAIN.has(code)) signInEnded(code === 4504 || code === 403 ? 'access_revoked' : undefined);
    },
  });
  batch(() => {
    feed.value = opened;
    connection.value = opened.connection;
    stoppedBy.value = null;
  });
  followBoard(opened);
};

const followBoard = (opened: Feed): void => {
  let shown: readonly BoardRow[] = [];
  let waiting: { rows: readonly BoardRow[]; readonly since: number } | null = null;
  const paint = (): void => {
    if (waiting === null || feed.peek() !== opened) return;
    const { rows, since } = waiting;
    waiting = null;
    boardRows.value = rows;
    const now = performance.now();
    if (now - since <= PAINT_MAX_MS && !document.hidden) measure(opened, shown, rows, now);
    shown = rows;
  };
  opened.board({
    onRows: (rows) => {
      // Many changes within a frame are painted once.
      if (waiting === null) {
        waiting = { rows, since: performance.now() };
        requestAnimationFrame(paint);
      } else waiting.rows = rows;
    },
  });
};

/** Notes how long the changes took that came while the board was true: what a snapshot brings, or what was missed, happened before that. */
const measure = (opened: Feed, before: readonly BoardRow[], rows: readonly BoardRow[], at: number): void => {
  const now = opened.serverNow();
  if (trueSince === null || now === null) return;
  const known = new Set(before);
  for (const row of rows) {
    const changedAt = Date.parse(row.changed_at);
    if (changedAt >= trueSince && !known.has(row)) delays.note(now - changedAt, at);
  }
};

const stop = (): void => {
  feed.peek()?.close();
  trueSince = null;
  batch(() => {
    feed.value = null;
    connection.value = null;
    boardFresh.value = false;
    notFound.value = null;
  });
};
