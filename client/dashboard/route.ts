/** Which view is open, in the address behind `#`: so a view can be bookmarked, sent to somebody, and left by the back button. */
import { signal } from '@preact/signals';

export const VIEWS = ['board', 'history', 'figures', 'quarantine'] as const;
export type View = (typeof VIEWS)[number];

/** What a view is narrowed to, by the names that its address has for them; what is not there is not narrowed. */
export type Filter = Readonly<Record<string, string>>;

export interface Route {
  readonly view: View;
  /** The call that is open beside it; null: none. */
  readonly call: string | null;
  /** Not there: the whole of the view. */
  readonly filter?: Filter;
}

/** `#/history`, `#/board/calls/EL_1`, `#/board?status=attention&q=john`. Whatever else stands there is the board. */
export const routeOf = (hash: string): Route => {
  const [path = '', query = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?');
  const [view = '', word, id] = path.split('/');
  const known = VIEWS.find((name) => name === view) ?? 'board';
  const filter = Object.fromEntries([...new URLSearchParams(query)].filter(([, value]) => value !== ''));
  return { view: known, call: word === 'calls' && id !== undefined && id !== '' ? decoded(id) : null, filter };
};

/** The address of a view, for links. */
export const linkTo = ({ view, call, filter = {} }: Route): string => {
  const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== '')).toString();
  return `#/${view}${call === null ? '' : `/calls/${encodeURIComponent(call)}`}${query === '' ? '' : `?${query}`}`;
};

const splitOnce = (text: string, mark: string): readonly string[] => {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
};

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

/** Narrows the open view, or widens it by an empty value. The address is the new one; the way back is not one step a letter. */
export const narrow = (change: Filter): void => {
  const { view, call, filter } = route.peek();
  const wanted: Route = { view, call, filter: Object.fromEntries(Object.entries({ ...filter, ...change }).filter(([, value]) => value !== '')) };
  history.replaceState(history.state, '', linkTo(wanted));
  route.value = wanted;
};
