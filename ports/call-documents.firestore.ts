/** The calls of Firestore's log as schema changes see them. A step writes what differs and nothing else: `changed` stays, so no relay reads a call again for it. */
import { FieldPath, FieldValue, type DocumentReference, type DocumentSnapshot } from '@google-cloud/firestore';
import type { StoredCall } from '../core/domain/migrations.ts';
import type { CallDocument, CallDocuments, MigrationProgress } from './call-documents.ts';
import type { FirestoreDatabase } from './firestore-database.ts';

/** The field that holds the projection as JSON text. */
const STATE = 'state';

/** @param store is closed with it */
export const firestoreCallDocuments = (store: FirestoreDatabase): CallDocuments => {
  const { db } = store;
  const calls = db.collection('calls');
  const kept = db.doc('log/migration');

  const textsOf = (call: DocumentReference): Promise<DocumentSnapshot[]> => store.read(async () => (await call.collection('texts').select('name').get()).docs);

  const documentOf = async (found: DocumentSnapshot): Promise<CallDocument | null> => {
    const fields = found.data();
    if (fields === undefined) return null;
    const { [STATE]: state, ...others } = fields;
    const names = (await textsOf(found.ref)).map((text) => text.get('name') as string);
    return { id: found.id, call: { fields: others, state: JSON.parse(state as string) as StoredCall['state'], texts: [...new Set(names)] }, version: versionOf(found) };
  };

  return {
    page: async (after, limit) => {
      const inOrder = calls.orderBy(FieldPath.documentId()).limit(limit);
      const found = await store.read(() => (after === null ? inOrder : inOrder.startAfter(after)).get());
      return (await Promise.all(found.docs.map(documentOf))).filter((document) => document !== null);
    },
    one: async (id) => documentOf(await store.read(() => calls.doc(id).get())),
    put: (before, call) =>
      store.optimistic(async () => {
        const found = await calls.doc(before.id).get();
        const at = found.updateTime;
        if (at === undefined || versionOf(found) !== before.version) return { batch: null, value: false };
        const batch = db.batch();
        batch.update(found.ref, { ...changesOf(before.call.fields, call.fields), [STATE]: JSON.stringify(call.state) }, { lastUpdateTime: at });
        const gone = before.call.texts.filter((name) => !call.texts.includes(name));
        if (gone.length > 0) for (const text of await textsOf(found.ref)) if (gone.includes(text.get('name') as string)) batch.delete(text.ref);
        return { batch, value: true };
      }),
    progress: async () => {
      const found = await store.read(() => kept.get());
      return (found.data() as MigrationProgress | undefined) ?? null;
    },
    keepProgress: async (progress) => {
      await store.read(() => kept.set({ ...progress }));
    },
    close: store.close,
  };
};

const versionOf = ({ updateTime }: DocumentSnapshot): string => (updateTime === undefined ? '' : `${updateTime.seconds}.${updateTime.nanoseconds}`);

const changesOf = (before: StoredCall['fields'], after: StoredCall['fields']): Record<string, unknown> => ({
  ...Object.fromEntries(Object.entries(after).filter(([name, value]) => !(name in before) || before[name] !== value)),
  ...Object.fromEntries(Object.keys(before).filter((name) => !(name in after)).map((name) => [name, FieldValue.delete()])),
});
