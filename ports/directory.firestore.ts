/**
 * The directory in Firestore, in two databases: who is who stands beside the log, where a relay may only read; what ends by itself and
 * is raced for - tickets, ended sign-ins, leases, watermarks - in one of its own, which a relay may write.
 */
import type { DocumentReference, DocumentSnapshot, Query, WriteBatch } from '@google-cloud/firestore';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Agent, Directory, Driver, Tenant, Ticket, User, Workspace } from './directory.ts';
import type { FirestoreDatabase } from './firestore-database.ts';
import { queryOf } from './firestore-queries.ts';
import type { Runtime } from './runtime.ts';

export interface FirestoreDirectoryOptions {
  /** Workspaces, tenants, agents, users, drivers. */
  readonly entries: FirestoreDatabase;
  /** Tickets, ended sign-ins, leases, watermarks. */
  readonly sessions: FirestoreDatabase;
  readonly runtime: Runtime;
}

/** Documents removed in one commit of a sweep. */
const SWEPT_AT_ONCE_COUNT = 400;

/** Both databases are closed with it. */
export const firestoreDirectory = ({ entries, sessions, runtime }: FirestoreDirectoryOptions): Directory => ({
  ...entriesOf(entries),
  ...racedOf(sessions, runtime),
  check: async () => {
    await Promise.all([entries.read(() => entries.db.doc('log/log').get()), sessions.read(() => sessions.db.doc('leases/none').get())]);
  },
  close: async () => {
    await Promise.all([entries.close(), sessions.close()]);
  },
});

/** What is put and read: workspaces, tenants, agents, users, drivers, the serving revision. Each entry is kept as JSON text, beside what it is searched by. */
const entriesOf = (store: FirestoreDatabase) => {
  const { db } = store;
  const at = (collection: string, id: string): DocumentReference => db.collection(collection).doc(store.docId(id));
  // A relay may read it here, and not name itself.
  const serving = db.doc('control/relay');
  const driverAt = (tenant: string, driverId: string): DocumentReference => at('drivers', JSON.stringify([tenant, driverId]));
  const get = async <T>(document: DocumentReference): Promise<T | null> => {
    const body = (await store.read(() => document.get())).get('body') as string | undefined;
    return body === undefined ? null : (JSON.parse(body) as T);
  };
  const all = <T>(query: Query): Promise<T[]> => store.read(async () => (await query.get()).docs.map((doc) => JSON.parse(doc.get('body') as string) as T));
  const put = async (document: DocumentReference, entry: object, searched: Record<string, unknown> = {}): Promise<void> => {
    await store.read(() => document.set({ ...searched, body: JSON.stringify(entry) }));
  };
  const by =
    <T>(id: (entry: T) => string) =>
    (one: T, other: T): number =>
      id(one) < id(other) ? -1 : 1;

  /** A user name has a document of its own, which belongs to one user. */
  const writeUser = (id: string, change: (before: User | null) => User | null): Promise<User | null> =>
    store.optimistic(async () => {
      const found = await at('users', id).get();
      const body = found.get('body') as string | undefined;
      const before = body === undefined ? null : (JSON.parse(body) as User);
      const after = change(before);
      if (after === null) return { batch: null, value: null };
      const name = await at('user_names', after.username).get();
      const owner = name.get('user') as string | undefined;
      if (owner !== undefined && owner !== id) throw new EarshotError('invalid_request', { problems: ['username: belongs to another user'] });
      const batch = db.batch();
      if (before !== null && before.username !== after.username) batch.delete(at('user_names', before.username));
      putOver(batch, name, { user: id });
      putOver(batch, found, { tenant: after.tenant, body: JSON.stringify(after) });
      return { batch, value: after };
    });

  return {
    workspace: (id) => get<Workspace>(at('workspaces', id)),
    workspaces: async () => (await all<Workspace>(db.collection('workspaces'))).sort(by(({ workspace }) => workspace)),
    putWorkspace: (entry) => put(at('workspaces', entry.workspace), entry),
    changeWorkspace: (id, change) =>
      store.optimistic(async () => {
        const found = await at('workspaces', id).get();
        const body = found.get('body') as string | undefined;
        const after = { ...change(body === undefined ? null : (JSON.parse(body) as Workspace)), workspace: id };
        return { batch: putOver(db.batch(), found, { body: JSON.stringify(after) }), value: after };
      }),
    tenant: (id) => get<Tenant>(at('tenants', id)),
    tenants: async () => (await all<Tenant>(db.collection('tenants'))).sort(by(({ tenant }) => tenant)),
    putTenant: (entry) => put(at('tenants', entry.tenant), entry),
    agent: (id) => get<Agent>(at('agents', id)),
    agents: async (tenant) => (await all<Agent>(queryOf(db, 'agents', { tenant: tenant ?? undefined }))).sort(by(({ agent_id }) => agent_id)),
    putAgent: (entry) => put(at('agents', entry.agent_id), entry, { tenant: entry.tenant }),
    removeAgent: (id) =>
      store.optimistic(async () => {
        const found = await at('agents', id).get();
        return { batch: found.exists ? db.batch().delete(found.ref) : null, value: found.exists };
      }),
    user: (id) => get<User>(at('users', id)),
    userByName: async (name) => {
      const owner = (await store.read(() => at('user_names', name).get())).get('user') as string | undefined;
      return owner === undefined ? null : get<User>(at('users', owner));
    },
    users: async (tenant) => (await all<User>(queryOf(db, 'users', { tenant: tenant ?? undefined }))).sort(by(({ user }) => user)),
    putUser: async (entry) => {
      await writeUser(entry.user, () => entry);
    },
    changeUser: (id, change) => writeUser(id, (before) => (before === null ? null : { ...change(before), user: id })),
    driver: (tenant, id) => get<Driver>(driverAt(tenant, id)),
    drivers: (tenant, after, limit) => {
      const listed = queryOf(db, 'drivers', { tenant });
      return all<Driver>((after === null ? listed : listed.startAfter(after)).limit(limit));
    },
    putDriver: (entry) => put(driverAt(entry.tenant, entry.driverId), entry, { tenant: entry.tenant, driver_id: entry.driverId }),
    servingRevision: async () => ((await store.read(() => serving.get())).get('revision') as string | null | undefined) ?? null,
    nameServingRevision: async (revision) => {
      await store.read(() => serving.set({ revision }));
    },
  } satisfies Partial<Directory>;
};

/** What ends by itself, and where the first one wins. */
const racedOf = (store: FirestoreDatabase, runtime: Runtime) => {
  const { db } = store;
  const at = (collection: string, id: string): DocumentReference => db.collection(collection).doc(store.docId(id));

  /** Removes what ended, so many at a time; a document that was renewed meanwhile stays. */
  const sweepOne = async (collection: string, now: number): Promise<number> => {
    let removed = 0;
    for (;;) {
      const ended = await store.read(() => db.collection(collection).where('until', '<=', now).limit(SWEPT_AT_ONCE_COUNT).get());
      if (ended.empty) return removed;
      for (const { ref, updateTime } of ended.docs) {
        // Looked at in here: outside, a document that is gone is taken for a database that is not there.
        const gone = await store.read(() =>
          ref.delete({ lastUpdateTime: updateTime }).then(
            () => true,
            (error: unknown) => {
              if (isOvertaken(error)) return false;
              throw error;
            },
          ),
        );
        if (gone) removed += 1;
      }
      if (ended.size < SWEPT_AT_ONCE_COUNT) return removed;
    }
  };

  /** Puts what `next` makes of the document in its place; undefined leaves it as it is. */
  const replace = <T>(document: DocumentReference, next: (found: DocumentSnapshot) => { readonly fields?: Record<string, unknown> | undefined; readonly value: T }): Promise<T> =>
    store.optimistic(async () => {
      const found = await document.get();
      const { fields, value } = next(found);
      return { batch: fields === undefined ? null : putOver(db.batch(), found, fields), value };
    });

  return {
    putTicket: ({ hash, principal, expires_at }) => replace(at('tickets', hash), ({ exists }) => ({ fields: exists ? undefined : { principal, until: expires_at, taken_by: null }, value: undefined })),
    takeTicket: (hash, now) => {
      // Whoever asks again because the answer was lost is still the one who took it. What was taken goes when its time is over.
      const taker = runtime.randomHex(8);
      return replace(at('tickets', hash), (found): { fields?: Record<string, unknown>; value: Ticket | null } => {
        const takenBy = found.get('taken_by') as string | null | undefined;
        if (!found.exists || (takenBy !== null && takenBy !== taker)) return { value: null };
        const [principal, expires_at] = [found.get('principal') as string, found.get('until') as number];
        return { fields: { principal, until: expires_at, taken_by: taker }, value: expires_at <= now ? null : { hash, principal, expires_at } };
      });
    },
    endSignIn: (sid, until) => replace(at('sign_ins', sid), (ended) => ({ fields: { until: Math.max(until, (ended.get('until') as number | undefined) ?? 0) }, value: undefined })),
    signInEnded: async (sid) => (await store.read(() => at('sign_ins', sid).get())).exists,
    takeLease: (name, holder, now, until) =>
      replace(at('leases', name), (lease) => {
        const isFree = !lease.exists || lease.get('holder') === holder || (lease.get('until') as number) <= now;
        return { fields: isFree ? { holder, until } : undefined, value: isFree };
      }),
    releaseLease: (name, holder) =>
      store.optimistic(async () => {
        const lease = await at('leases', name).get();
        return { batch: lease.updateTime === undefined || lease.get('holder') !== holder ? null : db.batch().delete(lease.ref, { lastUpdateTime: lease.updateTime }), value: undefined };
      }),
    watermark: async (name) => ((await store.read(() => at('watermarks', name).get())).get('at') as number | undefined) ?? null,
    raiseWatermark: (name, to) =>
      replace(at('watermarks', name), (mark) => ({ fields: ((mark.get('at') as number | undefined) ?? Number.NEGATIVE_INFINITY) < to ? { at: to } : undefined, value: undefined })),
    sweep: async (now) => {
      let removed = 0;
      for (const collection of ['tickets', 'sign_ins', 'leases']) removed += await sweepOne(collection, now);
      return removed;
    },
  } satisfies Partial<Directory>;
};

/** FAILED_PRECONDITION: it was renewed; NOT_FOUND: it is gone. */
const isOvertaken = (error: unknown): boolean => error instanceof Error && ((error as { code?: unknown }).code === 9 || (error as { code?: unknown }).code === 5);

/** Writes the document whole, unless it is no longer what was read. */
const putOver = (batch: WriteBatch, found: DocumentSnapshot, fields: Record<string, unknown>): WriteBatch => {
  if (found.updateTime === undefined) return batch.create(found.ref, fields);
  // An update keeps fields that it does not name: each writer here names all of them.
  return batch.update(found.ref, fields, { lastUpdateTime: found.updateTime });
};
