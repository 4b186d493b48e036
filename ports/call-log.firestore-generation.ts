/** A new generation of the cloud's log: named first, then every call that is not sealed gets an epoch of it, each in a commit of its own. */
import { FieldValue, type QueryDocumentSnapshot } from '@google-cloud/firestore';
import { generationOf, underEpoch } from '../core/domain/call/epoch.ts';
import { callDocument, eventsOf, stateOf, type LogPlaces, type Segment } from './call-log.firestore-documents.ts';
import { stateIn } from './call-log.firestore-reader.ts';
import type { NewGeneration, NewGenerationOptions } from './call-log.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import { queryOf } from './firestore-queries.ts';
import type { Runtime } from './runtime.ts';

/** Calls read at once. */
const PAGE_ROWS = 100;
/** Calls changed at once. */
const TOGETHER_COUNT = 10;

/** As `CallLog.newGeneration`. What was cut off is known by `changing` of the document `log/log`. */
export const newGeneration = async (store: FirestoreDatabase, places: LogPlaces, runtime: Runtime, { resume = false, onMoved }: NewGenerationOptions): Promise<NewGeneration> => {
  const { db } = store;

  /** Named before any call gets it: from then on new calls are of it, and need not be looked for. */
  const named = (): Promise<string> => {
    const tried = new Set<string>();
    return store.optimistic(async () => {
      const found = await places.log.get();
      const before = found.get('generation') as string | undefined;
      // Of an attempt whose answer was lost, or of a run that was cut off.
      if (before !== undefined && (tried.has(before) || (resume && found.get('changing') === true))) return { batch: null, value: before };
      const generation = runtime.randomHex(4);
      tried.add(generation);
      const fields = { generation, changing: true };
      const batch = db.batch();
      if (found.updateTime === undefined) batch.create(places.log, fields);
      else batch.update(places.log, fields, { lastUpdateTime: found.updateTime });
      return { batch, value: generation };
    });
  };

  /** false: it needs no other epoch. */
  const move = (callSid: string, generation: string): Promise<boolean> => {
    const tried = new Set<string>();
    return store.optimistic(async () => {
      const found = await places.call(callSid).get();
      const call = stateIn(found);
      if (call === null || found.updateTime === undefined || call.seal_revision > 0) return { batch: null, value: false };
      if (generationOf(call.epoch) === generation) return { batch: null, value: tried.has(call.epoch) };
      const segments = await queryOf(db, 'segments', { last_seq: 0 }, places.segments(callSid)).get();
      const events = segments.docs.flatMap((doc) => eventsOf(doc.data() as unknown as Segment, 0)).filter(({ seq }) => seq <= call.last_seq);
      const epoch = `${generation}.${runtime.randomHex(6)}`;
      tried.add(epoch);
      const after = underEpoch(call, epoch, events.map(({ text }) => text), runtime.sha256);
      return { batch: db.batch().update(found.ref, callDocument(after), { lastUpdateTime: found.updateTime }), value: true };
    });
  };

  const finished = (generation: string): Promise<void> =>
    store.optimistic(async () => {
      const found = await places.log.get();
      const isOurs = found.get('generation') === generation && found.get('changing') === true && found.updateTime !== undefined;
      return { batch: isOurs ? db.batch().update(places.log, { changing: FieldValue.delete() }, { lastUpdateTime: found.updateTime }) : null, value: undefined };
    });

  const generation = await named();
  let calls = 0;
  for (let last: QueryDocumentSnapshot | undefined; ; ) {
    // A call that has ended is sealed.
    const open = queryOf(db, 'open', { terminal: false });
    const page = (await store.read(() => (last === undefined ? open : open.startAfter(last)).limit(PAGE_ROWS).get())).docs;
    for (let from = 0; from < page.length; from += TOGETHER_COUNT) {
      calls += await together(page.slice(from, from + TOGETHER_COUNT).map((doc) => move(stateOf(doc.data()).call_sid, generation)));
    }
    if (page.length > 0) onMoved?.(calls);
    if (page.length < PAGE_ROWS) break;
    last = page.at(-1);
  }
  await finished(generation);
  return { generation, calls };
};

/** How many of them were moved. Where one failed, the others are over by the time that it is told. */
const together = async (moves: readonly Promise<boolean>[]): Promise<number> => {
  await Promise.allSettled(moves);
  return (await Promise.all(moves)).filter(Boolean).length;
};
