/** Reads from index objects to the deliveries that they lead to. An index may say too much, so each is held against its truth. */
import type { GcsBucket, ListedObject, StoredObject } from './raw-store.gcs-bucket.ts';
import { deliveryOf, entryOf, type Entry, type Layout } from './raw-store.gcs-layout.ts';
import { inOrder } from './raw-store.gcs-order.ts';
import type { Delivery } from './raw-store.ts';
import type { Runtime } from './runtime.ts';

/** An index object of this age is nobody's who is still writing: far more than a call of the store may take, and than clocks differ. */
export const INDEX_SETTLED_MS = 10 * 60_000;
/** Requests under way at once for one reader. */
export const AT_ONCE_COUNT = 16;
/** Of those that carry a body of up to 8 MiB. */
const BODIES_AT_ONCE_COUNT = 4;
/** Google's longest list: where names alone decide, one request finds them. */
const NAMES_COUNT = 1_000;
/** Lists for one page: an index does not say too much this often. */
const ROUNDS_MAX_COUNT = 50;

/** A truth as it was read. */
export interface Kept {
  readonly object: StoredObject;
  readonly entry: Entry;
}

/** Which deliveries, of one or several indexes by time. */
export interface PageQuery {
  readonly prefixes: readonly string[];
  /** The position to begin after; null: from the oldest. */
  readonly after: { readonly received_at: number; readonly id: string } | null;
  readonly limit: number;
  /** Whether the name alone may be what is asked for. */
  readonly named?: (name: string) => boolean;
  readonly fits: (entry: Entry) => boolean;
}

export interface GcsReading {
  /** What an index object leads to; null where it does not, and then it is removed if it is old enough. */
  find(index: ListedObject, until: number): Promise<Kept | null>;
  /** Removes an index object that leads nowhere, if it is old enough. Does not fail. */
  forgetStale(index: ListedObject, until: number): Promise<void>;
  /** Oldest first. */
  page(query: PageQuery, until: number): Promise<readonly Kept[]>;
  /** The whole delivery; null: it is gone. */
  bodyOf(kept: Kept, until: number): Promise<Delivery | null>;
  /** See `bodyOf`; those that are gone are left out. */
  withBodies(kept: readonly Kept[], until: number): Promise<Delivery[]>;
}

/** The first name that may stand behind this one: no name of ours holds anything below `-`. */
export const nextName = (name: string): string => `${name}!`;

/** Reading for a store on this bucket. Throws as the bucket does. */
export const gcsReading = ({ bucket, layout, runtime }: { readonly bucket: GcsBucket; readonly layout: Layout; readonly runtime: Runtime }): GcsReading => {
  const forgetStale = async (index: ListedObject, until: number): Promise<void> => {
    if (runtime.now() - index.createdAt < INDEX_SETTLED_MS) return;
    await bucket.remove(index, until).catch(() => false);
  };

  const find = async (index: ListedObject, until: number): Promise<Kept | null> => {
    const object = await bucket.stat(layout.truthOf(index.name), until);
    const entry = object === null ? null : entryOf(object);
    if (object !== null && entry !== null && layout.indexes(entry).includes(index.name)) return { object, entry };
    await forgetStale(index, until);
    return null;
  };

  /** The first names of all these indexes after a place, as many as are asked for, and those of the same place as the last. */
  const firstOf = async (prefixes: readonly string[], from: (prefix: string) => string, most: number, until: number): Promise<readonly ListedObject[]> => {
    const lists = await inOrder(prefixes, AT_ONCE_COUNT, (prefix) => bucket.list({ prefix, from: from(prefix), most }, until));
    const all = lists.flat().sort((a, b) => (layout.place(a.name) < layout.place(b.name) ? -1 : 1));
    const end = all[most - 1];
    return end === undefined ? all : all.filter(({ name }) => layout.place(name) <= layout.place(end.name));
  };

  const page = async ({ prefixes, after, limit, named, fits }: PageQuery, until: number): Promise<readonly Kept[]> => {
    const found: Kept[] = [];
    let last: string | null = null;
    for (let round = 0; round < ROUNDS_MAX_COUNT && found.length < limit; round++) {
      const most = named === undefined ? Math.min(limit - found.length, NAMES_COUNT) : NAMES_COUNT;
      const behind: string | null = last;
      const names = await firstOf(prefixes, (prefix) => (behind === null ? layout.after(prefix, after) : nextName(`${prefix}${behind}`)), most, until);
      const tail = names.at(-1);
      if (tail === undefined) break;
      last = layout.place(tail.name);
      const kept = await inOrder(names.filter(({ name }) => named?.(name) ?? true), AT_ONCE_COUNT, (index) => find(index, until));
      found.push(...kept.filter((one) => one !== null).filter(({ entry }) => fits(entry)));
      if (names.length < most) break;
    }
    return found.slice(0, limit);
  };

  const bodyOf = async ({ object, entry }: Kept, until: number): Promise<Delivery | null> => {
    if (!entry.hasBody) return deliveryOf(entry, null);
    const body = await bucket.read(object.name, object.generation, until);
    return body === null ? null : deliveryOf(entry, body);
  };

  return {
    find,
    forgetStale,
    page,
    bodyOf,
    withBodies: async (kept, until) => (await inOrder(kept, BODIES_AT_ONCE_COUNT, (one) => bodyOf(one, until))).filter((delivery) => delivery !== null),
  };
};
