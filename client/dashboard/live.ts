/** The live feed of whoever is signed in: its connection and the board as signals. One feed for the page. */
import { batch, effect, signal } from '@preact/signals';
import type { Discovery } from '../../core/protocol/rest.ts';
import { connect, type BoardRow, type Connection, type Feed } from '../index.ts';
import { ask } from './api.ts';
import { accessToken, session, signInEnded } from './session.ts';

/** Close codes after which only another sign-in helps. */
const SIGN_IN_AGAIN: ReadonlySet<number | null> = new Set([4501, 4502, 4503, 4504, 401, 403]);

export const feed = signal<Feed | null>(null);
/** null: nobody is signed in, or where the relay is has not been found out yet. */
export const connection = signal<Connection | null>(null);
/** All rows of the board, newest words; null until the first came. */
export const boardRows = signal<readonly BoardRow[] | null>(null);
/** Why the feed does not come back by itself, as a close code; null: it does. */
export const stoppedBy = signal<number | null>(null);

/** Follows the sign-in: a feed while somebody is signed in. Once, when the page begins. */
export const followSession = (): void => {
  let began = 0;
  effect(() => {
    const who = session.value;
    const mine = ++began;
    if (who === null) {
      stop();
      return;
    }
    void relayUrl().then((url) => {
      if (mine === began) start(url);
    });
  });
};

const start = (url: string): void => {
  stop();
  const opened = connect({
    url,
    token: accessToken,
    onConnection: (now) => {
      connection.value = now;
    },
    onStopped: (code) => {
      stoppedBy.value = code;
      if (SIGN_IN_AGAIN.has(code)) signInEnded();
    },
  });
  batch(() => {
    feed.value = opened;
    connection.value = opened.connection;
    stoppedBy.value = null;
  });
  let waiting: readonly BoardRow[] | null = null;
  opened.board({
    onRows: (rows) => {
      // Many changes within a frame are painted once.
      if (waiting === null) requestAnimationFrame(() => {
        if (feed.value === opened) boardRows.value = waiting;
        waiting = null;
      });
      waiting = rows;
    },
  });
};

const stop = (): void => {
  feed.peek()?.close();
  batch(() => {
    feed.value = null;
    connection.value = null;
    boardRows.value = null;
  });
};

/** Where the relay is: the API says so. While it cannot, the page's own origin is tried. */
const relayUrl = async (): Promise<string> => {
  const said = await ask<Discovery>('/discovery').catch(() => null);
  return said?.services.relay.url ?? location.origin;
};
