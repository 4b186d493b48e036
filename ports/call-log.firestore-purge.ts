/** What an erased call held is removed: nothing leads to it any more, so it may take as many commits as it takes, each of its own time. */
import type { LogPlaces } from './call-log.firestore-documents.ts';
import type { FirestoreDatabase } from './firestore-database.ts';

/** Documents removed in one commit: of those that may hold half a megabyte each, few. */
const SMALL_AT_ONCE_COUNT = 400;
const LARGE_AT_ONCE_COUNT = 20;

/**
 * Removes everything under the call, and notes with its tombstone that nothing is left. What a crash or a store that went away leaves here,
 * the next run removes. The client's own `recursiveDelete` begins with five hundred documents a second, which a long call exceeds.
 * @throws EarshotError `store_unavailable`
 */
export const purgeCall = async (store: FirestoreDatabase, places: LogPlaces, callSid: string): Promise<void> => {
  const parts = [['segments', LARGE_AT_ONCE_COUNT], ['texts', LARGE_AT_ONCE_COUNT], ['keys', SMALL_AT_ONCE_COUNT]] as const;
  for (const [name, count] of parts) {
    const collection = places.call(callSid).collection(name);
    for (let left: number = count; left === count; ) {
      left = await store.read(async () => {
        const found = await collection.select().limit(count).get();
        const batch = store.db.batch();
        for (const { ref } of found.docs) batch.delete(ref);
        if (!found.empty) await batch.commit();
        return found.size;
      });
    }
  }
  await store.read(() => places.tombstone(callSid).update({ purged: true }));
};
