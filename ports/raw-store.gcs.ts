/**
 * Raw deliveries in a bucket of Cloud Storage, and nothing but that bucket.
 *
 *   deliveries/<id>                                   the truth: the body as content, everything else as metadata
 *   used/tenant/<tenant>/<time>_<id>                  index objects, empty: only their names say something
 *   used/call/<call>/<id>   used/conversation/<conversation>/<id>
 *   quarantine/tenant/<tenant or nobody>/<time>_<id>
 *   quarantine/call/<call>/<id>   quarantine/conversation/<conversation>/<id>
 *   quarantine/pending/<waiting or to_fetch>/<time>_<id>-<conversation>
 *   erased/<call or conversation>                     the mark of what was erased, empty, for good
 *
 * A bucket has no transaction, so the order of requests keeps the one rule: **a truth has all its index objects**. Whoever creates or
 * moves a delivery writes the index objects of its new state first, then the truth, then removes those that it has left. A crash
 * between any two leaves index objects too many, never too few: every reader holds what an index says against the truth, skips
 * what does not fit and removes it. So a delivery is found by whatever asks for it, above all by `erase`.
 *
 * Races are decided by generations. A truth is created only where there is none and changed only as it was read, else it is read
 * again. An index object is removed only in the generation that was seen before, and - but for the one that moves a delivery, whose
 * change of the truth stops everybody who read it before - only when older than INDEX_SETTLED_MS, by when whoever wrote it has
 * long written its truth or given up.
 *
 * An erasure sets its mark first, then finds what is there by the index objects. Whoever creates or moves a delivery looks for the mark
 * after it has written the index objects and before it writes the truth. So either it finds the mark, or the erasure finds its index
 * object: and where that leads to nothing yet, or to a truth that may be about to become the call's, the truth is written anew - as a
 * fence, an object that is no delivery, or as it is - and the one that is late conflicts, reads again, and finds the mark.
 *
 * Google writes an object at most about once a second and answers 429 to the rest: the same body many times at once still is one
 * entry, and how often it came is counted as far as the bucket allows.
 *
 * What the bucket itself needs: no versions and no soft delete (what is erased must be gone), and two lifecycle rules beside `sweep`
 * - `daysSinceCustomTime` on the prefix `deliveries/`, and some days later, since rules take their time and `erase` finds by them,
 * `age` on `used/`. A delivery gets its custom time when it is used, a fence at once, so neither rule ever touches what is in quarantine.
 */
import type { Log } from './log.ts';
import { gcsBucket, type ListedObject, type ListQuery, type StoredObject, type Written } from './raw-store.gcs-bucket.ts';
import { DELIVERIES, deliveryOf, entryOf, gcsLayout, labelsOf, QUARANTINE, QUARANTINE_BY_TENANT, USED_BY_TENANT, type Entry } from './raw-store.gcs-layout.ts';
import { inOrder } from './raw-store.gcs-order.ts';
import { AT_ONCE_COUNT, gcsReading, INDEX_SETTLED_MS, nextName, type Kept } from './raw-store.gcs-reading.ts';
import type { Delivery, RawStore } from './raw-store.ts';
import type { Runtime } from './runtime.ts';

export interface GcsRawStoreOptions {
  readonly bucket: string;
  /** Needed by no request of the store; spares the client library the question. */
  readonly projectId?: string;
  /** See GcsBucketOptions. */
  readonly apiEndpoint?: string;
  readonly runtime: Runtime;
  readonly log?: Log;
  /** For tests; OPERATION_MAX_MS and REQUEST_MAX_MS otherwise. */
  readonly operationMaxMs?: number;
  readonly requestMaxMs?: number;
}

/** One call of the need is through by now or has failed: as long as an append may take. */
const OPERATION_MAX_MS = 8_000;
/** One attempt of one request; 8 MiB go up within a second. */
const REQUEST_MAX_MS = 5_000;
/** Counted to here; more is an alert long before. */
const QUARANTINE_COUNTED_MAX = 100_000;
/** A sweep begins nothing after this time; the rest follows in the next, and the bucket's lifecycle sees to what nobody does. */
const SWEEP_MAX_MS = 60_000;
/** Quarantine index objects that one sweep holds against their truths. */
const SWEEP_CHECKED_COUNT = 1_000;
/** Names of one list: the most that Google gives. */
const BATCH_COUNT = 1_000;
const CONFLICT_WAIT_MS = 20;

/** @throws every method EarshotError `store_unavailable`, with nothing of a delivery in it */
export const gcsRawStore = (options: GcsRawStoreOptions): RawStore => {
  const { runtime } = options;
  const bucket = gcsBucket({ ...options, requestMaxMs: options.requestMaxMs ?? REQUEST_MAX_MS });
  const layout = gcsLayout(runtime.sha256);
  const begin = (): number => runtime.monotonic() + (options.operationMaxMs ?? OPERATION_MAX_MS);
  const { find, bodyOf, withBodies, page, forgetStale } = gcsReading({ bucket, layout, runtime });
  let checkedTo = QUARANTINE;

  const writeIndex = async (name: string, anew: boolean, until: number): Promise<void> => {
    for (let generation: string | null = null; ; ) {
      if ((await bucket.write(name, '', { metadata: {} }, generation, until)) === 'done') return;
      const there = await bucket.stat(name, until);
      if (there !== null && !anew && runtime.now() - there.createdAt < INDEX_SETTLED_MS / 2) return;
      generation = there?.generation ?? null;
    }
  };

  /** Makes sure of them. `anew`: in a generation that nobody has seen yet. */
  const writeIndexes = async (entry: Entry, anew: boolean, until: number): Promise<void> => {
    await Promise.all(layout.indexes(entry).map((name) => writeIndex(name, anew, until)));
  };

  /** Whether nothing is to be kept of its call or conversation. */
  const isErased = async ({ call_sid, conversation_id }: Entry, until: number): Promise<boolean> => {
    const marks = [call_sid, conversation_id].filter((id) => id !== null).map((id) => bucket.stat(layout.erased(id), until));
    return (await Promise.all(marks)).some((mark) => mark !== null);
  };

  /** Takes a truth from one state to another; `conflict`: it is no longer as it was read. `erased`: by this it would be an erased call's. */
  const move = async ({ object, entry }: Kept, next: Entry, until: number): Promise<Written | 'erased'> => {
    const staying = new Set(layout.indexes(next));
    const left = await Promise.all(layout.indexes(entry).filter((name) => !staying.has(name)).map((name) => bucket.stat(name, until)));
    await writeIndexes(next, true, until);
    if (await isErased(next, until)) return 'erased';
    const written = await bucket.relabel(object, { metadata: labelsOf(next), ...(next.reason === 'used' && entry.reason !== 'used' ? { customTime: runtime.now() } : {}) }, until);
    // What is not removed here is skipped and removed by whoever reads it.
    if (written === 'done') await Promise.allSettled(left.filter((index) => index !== null).map((index) => bucket.remove(index, until)));
    return written;
  };

  /** The same body came again, and nothing but its count changes: as far as that goes. Makes sure of its index objects. null: it was removed meanwhile. */
  const countAgain = async ({ object, entry }: Kept, next: Entry, until: number): Promise<Entry | null> => {
    try {
      await writeIndexes(entry, false, until);
      const written = await bucket.relabel(object, { metadata: labelsOf(next) }, until, 1);
      return written === 'absent' ? null : written === 'done' ? next : entry;
    } catch {
      return entry;
    }
  };

  const pause = (): Promise<void> => new Promise((resolve) => void runtime.after(CONFLICT_WAIT_MS * (0.5 + runtime.random()), resolve));

  /** Removes a truth as it was read, and those of its index objects that nobody can still be writing. false: it was changed or removed meanwhile. */
  const removeWhole = async ({ object, entry }: Kept): Promise<boolean> => {
    const until = begin();
    const indexes = await Promise.all(layout.indexes(entry).map((name) => bucket.stat(name, until)));
    if (!(await bucket.remove(object, until))) return false;
    await Promise.all(indexes.filter((index) => index !== null).map((index) => forgetStale(index, until)));
    return true;
  };

  /** @param fits whether an entry is what was asked for: a hash in a name may be somebody else's */
  const quarantine = async (prefixes: readonly string[], after: string | null, limit: number, fits: (entry: Entry) => boolean): Promise<Delivery[]> => {
    const until = begin();
    const last = after === null ? null : await bucket.stat(layout.truth(after), until);
    const kept = await page({ prefixes, after: last === null ? null : entryOf(last), limit, fits }, until);
    return kept.map(({ entry }) => ({ ...deliveryOf(entry, null), body: null }));
  };

  /** Removes a delivery however often it is changed meanwhile. */
  const removeOne = async (id: string): Promise<void> => {
    const until = begin();
    for (;;) {
      const object = await bucket.stat(layout.truth(id), until);
      const entry = object === null ? null : entryOf(object);
      if (object === null || entry === null || (await removeWhole({ object, entry }))) return;
      await pause();
    }
  };

  /** Removes what an index object leads to, and stops whoever may be about to write that. `stopped`: names of truths that this erasure has fenced. */
  const eraseOne = async (index: ListedObject, isTheirs: (entry: Entry) => boolean, stopped: Set<string>): Promise<void> => {
    const until = begin();
    const name = layout.truthOf(index.name);
    const mayBeWritten = runtime.now() - index.createdAt < INDEX_SETTLED_MS;
    while (!stopped.has(name)) {
      const object = await bucket.stat(name, until);
      const entry = object === null ? null : entryOf(object);
      const kept = object === null || entry === null ? null : { object, entry };
      const theirs = kept !== null && isTheirs(kept.entry);
      if (mayBeWritten) {
        const fenced = kept !== null && !theirs ? await writeAsItIs(kept, until) : await writeFence(name, object, until);
        if (fenced === 'done') stopped.add(name);
      } else if (!theirs) {
        return forgetStale(index, until);
      } else if (await removeWhole(kept)) {
        return;
      }
    }
  };

  /** An object that is no delivery, in the place of whatever stands there. */
  const writeFence = (name: string, object: StoredObject | null, until: number): Promise<Written> =>
    bucket.write(name, '', { metadata: {}, customTime: runtime.now() }, object?.generation ?? null, until);

  /** So that whoever has read it conflicts. By another writer, since a change that changes nothing may be none. */
  const writeAsItIs = ({ object, entry }: Kept, until: number): Promise<Written> => bucket.relabel(object, { metadata: labelsOf({ ...entry, writer: runtime.randomHex(8) }) }, until);

  const mark = async (id: string): Promise<void> => {
    const until = begin();
    const name = layout.erased(id);
    if ((await bucket.stat(name, until)) === null) await bucket.write(name, '', { metadata: {} }, null, until);
  };

  /** All names of a list, batch by batch, each in a time of its own; `take` answers whether to go on. */
  const eachBatch = async (query: Pick<ListQuery, 'prefix' | 'before'>, take: (indexes: readonly ListedObject[]) => Promise<boolean>): Promise<void> => {
    for (let from = query.prefix; ; ) {
      const indexes = await bucket.list({ ...query, from, most: BATCH_COUNT }, begin());
      const last = indexes.at(-1);
      if (!(await take(indexes)) || last === undefined || indexes.length < BATCH_COUNT) return;
      from = nextName(last.name);
    }
  };

  const sweepFolder = async (prefix: string, before: number, end: number): Promise<number> => {
    let removed = 0;
    await eachBatch({ prefix, before: layout.at(prefix, before) }, async (indexes) => {
      const gone = await inOrder(indexes, AT_ONCE_COUNT, async (index) => {
        if (runtime.monotonic() > end) return false;
        const kept = await find(index, begin());
        return kept !== null && kept.entry.received_at < before && (await removeWhole(kept));
      });
      removed += gone.filter(Boolean).length;
      return runtime.monotonic() < end;
    });
    return removed;
  };

  /** Index objects that a crash left in quarantine are no lifecycle rule's: each sweep goes on where the last of this process ended. */
  const sweepQuarantine = async (): Promise<void> => {
    const indexes = await bucket.list({ prefix: QUARANTINE, from: checkedTo, most: SWEEP_CHECKED_COUNT }, begin());
    await inOrder(indexes, AT_ONCE_COUNT, (index) => find(index, begin()));
    const last = indexes.at(-1);
    checkedTo = last === undefined || indexes.length < SWEEP_CHECKED_COUNT ? QUARANTINE : nextName(last.name);
  };

  return {
    put: async (delivery) => {
      const until = begin();
      const writer = runtime.randomHex(8);
      const { body, ...fields } = delivery;
      const fresh: Entry = { ...fields, count: 1, hasBody: body !== null, writer };
      const labels = { metadata: labelsOf(fresh), ...(fresh.reason === 'used' ? { customTime: runtime.now() } : {}) };
      const name = layout.truth(delivery.id);
      for (;;) {
        const [object, erased] = await Promise.all([bucket.stat(name, until), isErased(fresh, until)]);
        const entry = object === null ? null : entryOf(object);
        if (erased) {
          if (entry !== null) await removeOne(delivery.id);
          return null;
        }
        // An object that is not ours stands where ours belongs: it is written over.
        if (object === null || entry === null) {
          await writeIndexes(fresh, false, until);
          if (await isErased(fresh, until)) return null;
          if ((await bucket.write(name, body ?? '', labels, object?.generation ?? null, until)) === 'done') return deliveryOf(fresh, body);
          continue;
        }
        if (entry.writer === writer) return deliveryOf(entry, body);
        const next = merged(entry, fresh);
        const kept = { object, entry };
        const moved = isOnlyCounted(entry, next) ? await countAgain(kept, next, until) : await move(kept, next, until);
        if (moved === 'erased') {
          await removeOne(delivery.id);
          return null;
        }
        const stands = moved === 'done' ? next : typeof moved === 'string' ? null : moved;
        if (stands !== null) return deliveryOf(stands, stands.hasBody && body === null ? await bucket.read(name, object.generation, until) : body);
        await pause();
      }
    },
    get: async (id) => {
      const until = begin();
      const object = await bucket.stat(layout.truth(id), until);
      const entry = object === null ? null : entryOf(object);
      return object === null || entry?.id !== id ? null : bodyOf({ object, entry }, until);
    },
    change: async (id, change) => {
      const until = begin();
      const writer = runtime.randomHex(8);
      for (;;) {
        const object = await bucket.stat(layout.truth(id), until);
        const entry = object === null ? null : entryOf(object);
        if (object === null || entry === null || entry.writer === writer) return;
        const next: Entry = { ...entry, ...change, ...(entry.reason === 'used' ? { reason: 'used' } : {}), writer };
        const moved = await move({ object, entry }, next, until);
        if (moved === 'erased') return removeOne(id);
        if (moved === 'done') return;
        await pause();
      }
    },
    quarantine: async (tenant, after, limit) =>
      tenant === null
        ? quarantine(await bucket.folders(QUARANTINE_BY_TENANT, begin()), after, limit, () => true)
        : quarantine([layout.quarantineOf(tenant)], after, limit, (entry) => entry.tenant === tenant),
    unassigned: (after, limit) => quarantine([layout.quarantineOf(null)], after, limit, (entry) => entry.tenant === null),
    pending: async (reason, conversationId, limit, after = { received_at: -1, id: '' }) => {
      const until = begin();
      const ofConversation = conversationId === null ? {} : { named: (name: string) => layout.isOf(name, conversationId) };
      const fits = (entry: Entry): boolean => conversationId === null || entry.conversation_id === conversationId;
      return withBodies(await page({ prefixes: [layout.pendingFor(reason)], after, limit, fits, ...ofConversation }, until), until);
    },
    since: async (tenant, after, limit) => {
      const until = begin();
      return withBodies(await page({ prefixes: [layout.usedOf(tenant)], after, limit, fits: (entry) => entry.tenant === tenant }, until), until);
    },
    quarantineSize: async () => {
      // A delivery that is moved, or that several bring at once, may have two names for a while.
      const truths = new Set<string>();
      await eachBatch({ prefix: QUARANTINE_BY_TENANT }, (indexes) => {
        for (const { name } of indexes) truths.add(layout.truthOf(name));
        return Promise.resolve(truths.size < QUARANTINE_COUNTED_MAX);
      });
      return truths.size;
    },
    sweep: async (before) => {
      const end = runtime.monotonic() + SWEEP_MAX_MS;
      let removed = 0;
      for (const folder of await bucket.folders(USED_BY_TENANT, begin())) removed += await sweepFolder(folder, before, end);
      await sweepQuarantine();
      return removed;
    },
    remove: removeOne,
    erase: async (ids) => {
      await Promise.all(ids.map(mark));
      const stopped = new Set<string>();
      const isTheirs = ({ call_sid, conversation_id }: Entry): boolean => ids.some((id) => call_sid === id || conversation_id === id);
      for (const prefix of ids.flatMap(layout.related)) {
        await eachBatch({ prefix }, async (indexes) => {
          await inOrder(indexes, AT_ONCE_COUNT, (index) => eraseOne(index, isTheirs, stopped));
          return true;
        });
      }
    },
    check: async () => {
      await bucket.list({ prefix: DELIVERIES, most: 1 }, begin());
    },
    close: async () => bucket.close(),
  };
};

/** How a delivery that came again changes the one that is kept. */
const merged = (kept: Entry, again: Entry): Entry => ({
  ...kept,
  tenant: again.tenant ?? kept.tenant,
  call_sid: again.call_sid ?? kept.call_sid,
  reason: kept.reason === 'used' ? 'used' : again.reason,
  count: kept.count + 1,
  writer: again.writer,
});

const isOnlyCounted = (kept: Entry, next: Entry): boolean => kept.tenant === next.tenant && kept.call_sid === next.call_sid && kept.reason === next.reason;
