/**
 * Earshot for React 18 and later: what a feed tells, as the state of components. Any number of components share one subscription, and a
 * burst of events is a few renderings. `feed` may be null until there is one; on a server nothing is followed.
 */
import { useCallback, useMemo, useSyncExternalStore } from 'react';
import type { BoardFilter, BoardRow, Connection, Feed, Following } from './index.ts';
import { CallView, INTERIM_SHOWN_MAX_MS } from './view.ts';

/** Changes within this time are rendered together: too short to be noticed. */
const TOGETHER_MS = 50;

/** A call as `useCall` answers it: another object after each change, while `view` stays the same one. */
export interface CallShown {
  readonly view: CallView;
  /** Rises with every change. */
  readonly version: number;
}

/** The feed's connection. */
export const useConnection = (feed: Feed | null): Connection => {
  const subscribe = useCallback(
    (changed: () => void) => {
      const listening = feed?.onConnection(changed);
      return () => listening?.close();
    },
    [feed],
  );
  return useSyncExternalStore(
    subscribe,
    () => feed?.connection ?? NO_CONNECTION,
    () => NO_CONNECTION,
  );
};

/** A call by call_sid or conversation_id, followed while a component shows it; id null: none is. */
export const useCall = (feed: Feed | null, id: string | null): CallShown => {
  const follow = (from: Feed, show: (shown: CallShown) => void): Following => (id === null ? NOTHING : followCall(from, id, show));
  return useFollowed(feed, `call ${id ?? ''}`, () => new Followed(follow, NO_CALL));
};

/** The board's rows, newest words; null until the first came. One filter at a time on one feed. */
export const useBoard = (feed: Feed | null, filter: BoardFilter = {}): readonly BoardRow[] | null => {
  const { status, agent_id, driver_id } = filter;
  const follow = (from: Feed, onRows: (rows: readonly BoardRow[] | null) => void): Following => from.board({ status, agent_id, driver_id, onRows });
  return useFollowed(feed, `board ${JSON.stringify([status, agent_id, driver_id])}`, () => new Followed(follow, null));
};

const NO_CONNECTION: Connection = { state: 'connecting', via: null, since: 0, retryAt: null, verifiedAt: null };
const NO_CALL: CallShown = { view: new CallView(), version: 0 };
const NOTHING: Following = { close: () => undefined };

const followCall = (feed: Feed, id: string, show: (shown: CallShown) => void): Following => {
  const view = new CallView();
  let version = 0;
  let expiring: ReturnType<typeof setTimeout> | undefined;
  const changed = (): void => {
    version++;
    show({ view, version });
  };
  const following = feed.call(id, (update) => {
    view.apply(update, performance.now());
    changed();
    if (update.kind !== 'interim') return;
    clearTimeout(expiring);
    // A turn of which nothing more is heard is taken away a moment after its time.
    expiring = setTimeout(() => view.expire(performance.now()) && changed(), INTERIM_SHOWN_MAX_MS + TOGETHER_MS);
  });
  return {
    close: () => {
      clearTimeout(expiring);
      following.close();
    },
  };
};

type Follow<Shown> = (feed: Feed, show: (shown: Shown) => void) => Following;

/** Something that is followed while any component listens, and what is shown of it. */
class Followed<Shown> {
  readonly #follow: Follow<Shown>;
  readonly #nothing: Shown;
  readonly #listeners = new Set<() => void>();
  #following: Following = NOTHING;
  #newest: Shown;
  #waiting: ReturnType<typeof setTimeout> | undefined;
  /** As it was when components were last told. */
  shown: Shown;

  constructor(follow: Follow<Shown>, nothing: Shown) {
    this.#follow = follow;
    this.#nothing = nothing;
    this.#newest = nothing;
    this.shown = nothing;
  }

  /** @returns whether nobody listens any more, once called */
  listen(feed: Feed, changed: () => void): () => boolean {
    this.#listeners.add(changed);
    if (this.#listeners.size === 1) this.#following = this.#follow(feed, (newest) => this.#take(newest));
    return () => {
      this.#listeners.delete(changed);
      if (this.#listeners.size > 0) return false;
      this.#following.close();
      clearTimeout(this.#waiting);
      this.#waiting = undefined;
      this.shown = this.#nothing;
      return true;
    };
  }

  #take(newest: Shown): void {
    this.#newest = newest;
    this.#waiting ??= setTimeout(() => {
      this.#waiting = undefined;
      this.shown = this.#newest;
      for (const changed of this.#listeners) changed();
    }, TOGETHER_MS);
  }
}

/** What components of a feed follow, by what it is. */
const followedBy = new WeakMap<Feed, Map<string, unknown>>();

const useFollowed = <Shown>(feed: Feed | null, key: string, make: () => Followed<Shown>): Shown => {
  const followed = useMemo(() => (feed === null ? make() : sharedOf(feed, key, make)), [feed, key]);
  const subscribe = useCallback(
    (changed: () => void) => {
      if (feed === null) return () => undefined;
      // One that everybody had left was taken away.
      followedOf(feed).set(key, followed);
      const stop = followed.listen(feed, changed);
      return () => {
        if (stop() && followedOf(feed).get(key) === followed) followedOf(feed).delete(key);
      };
    },
    [feed, key, followed],
  );
  const shown = (): Shown => followed.shown;
  return useSyncExternalStore(subscribe, shown, shown);
};

const followedOf = (feed: Feed): Map<string, unknown> => {
  const followed = followedBy.get(feed) ?? new Map<string, unknown>();
  followedBy.set(feed, followed);
  return followed;
};

/** The same for all components that show the same. */
const sharedOf = <Shown>(feed: Feed, key: string, make: () => Followed<Shown>): Followed<Shown> => {
  const followed = (followedOf(feed).get(key) as Followed<Shown> | undefined) ?? make();
  followedOf(feed).set(key, followed);
  return followed;
};
