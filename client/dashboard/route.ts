/** Which view is open, in the address behind `#`: so a view can be bookmarked, sent to somebody, and left by the back button. */
import { signal } from '@preact/signals';

export const VIEWS = ['board', 'history', 'figures', 'quarantine'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  readonly view: View;
  /** The call that is open beside it; null: none. */
  readonly call: string | null;
}

/** `#/history`, `#/board/calls/EL_1`. Whatever else stands there is the board. */
export const routeOf = (hash: string): Route => {
  const [view = '', word, id] = hash.replace(/^#\/?/, '').split('/');
  const known = VIEWS.find((name) => name === view) ?? 'board';
  return { view: known, call: word === 'calls' && id !== undefined && id !== '' ? decoded(id) : null };
};

/** The address of a view, for links. */
export const linkTo = ({ view, call }: Route): string => `#/${view}${call === null ? '' : `/calls/${encodeURIComponent(call)}`}`;

const decoded = (text: string): string | null => {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
};

export const route = signal<Route>({ view: 'board', call: null });

/** Follows the address. Once, when the page begins. */
export const followAddress = (): void => {
  const read = (): void => {
    route.value = routeOf(location.hash);
  };
  addEventListener('hashchange', read);
  read();
};

/** Opens a view as if its link had been followed. */
export const go = (to: Route): void => {
  location.hash = linkTo(to);
};
