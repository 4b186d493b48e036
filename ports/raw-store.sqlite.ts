import { groupCommits } from './group-commit.ts';
import type { Delivery, RawStore } from './raw-store.ts';
import type { Runtime } from './runtime.ts';
import { openSqlite } from './sqlite-database.ts';

const MIGRATIONS = [
  `CREATE TABLE deliveries (
     id TEXT PRIMARY KEY, workspace TEXT NOT NULL, tenant TEXT, reach_tenant TEXT, route TEXT NOT NULL, type TEXT, reason TEXT NOT NULL, conversation_id TEXT, agent_id TEXT,
     call_sid TEXT, received_at INTEGER NOT NULL, count INTEGER NOT NULL, body TEXT) WITHOUT ROWID;
   CREATE INDEX deliveries_arrival ON deliveries (reason = 'used', received_at, id);
   CREATE INDEX deliveries_waiting ON deliveries (conversation_id) WHERE reason = 'waiting';
   CREATE INDEX deliveries_call ON deliveries (call_sid);
   CREATE INDEX deliveries_conversation ON deliveries (conversation_id);`,
  // Calls and conversations that nothing is kept of any more.
  'CREATE TABLE erased (id TEXT PRIMARY KEY) WITHOUT ROWID;',
];

const COLUMNS = 'id, workspace, tenant, reach_tenant, route, type, reason, conversation_id, agent_id, call_sid, received_at, count';

/** Raw deliveries in a file of their own, so that their size never slows the log. `path` may be `:memory:`. */
export const sqliteRawStore = (options: { readonly path: string; readonly runtime: Runtime }): RawStore => {
  const store = openSqlite({ ...options, migrations: MIGRATIONS });
  const commit = groupCommits((work) => store.transaction(work));
  // What is in the log as well: whoever sent it is promised no copy, so the disk is not waited for (`npm run bench -- journey`).
  const commitCopy = groupCommits((work) => store.transaction(work, 'unsynced'));
  const { sql } = store;
  const get = sql(`SELECT ${COLUMNS}, body FROM deliveries WHERE id = ?`);
  const insert = sql(`INSERT INTO deliveries (${COLUMNS}, body)
    VALUES (:id, :workspace, :tenant, :reach_tenant, :route, :type, :reason, :conversation_id, :agent_id, :call_sid, :received_at, 1, :body)
    ON CONFLICT (id) DO UPDATE SET count = count + 1, tenant = coalesce(excluded.tenant, tenant), call_sid = coalesce(excluded.call_sid, call_sid),
      reason = CASE WHEN reason = 'used' THEN 'used' ELSE excluded.reason END`);
  const remove = sql('DELETE FROM deliveries WHERE id = ?');
  const erased = sql('SELECT 1 FROM erased WHERE id IN (?, ?)');
  const removeErased = sql('DELETE FROM deliveries WHERE id = ? AND (call_sid IN (SELECT id FROM erased) OR conversation_id IN (SELECT id FROM erased))');
  const noteErased = sql('INSERT INTO erased (id) VALUES (?) ON CONFLICT DO NOTHING');
  const removeAll = sql('DELETE FROM deliveries WHERE call_sid = :id OR conversation_id = :id');
  const read = (work: () => unknown): Promise<Delivery[]> => store.snapshot(() => (work() as Delivery[]).map((row) => ({ ...row })));
  return {
    put: (delivery) =>
      (delivery.reason === 'used' ? commitCopy : commit)(() => {
        if (erased.get(delivery.call_sid, delivery.conversation_id) !== undefined) {
          remove.run(delivery.id);
          return null;
        }
        insert.run({ ...delivery });
        return { ...(get.get(delivery.id) as unknown as Delivery) };
      }),
    get: (id) =>
      store.snapshot(() => {
        const row = get.get(id) as unknown as Delivery | undefined;
        return row === undefined ? null : { ...row };
      }),
    change: (id, change) =>
      commit(() => {
        for (const [column, value] of Object.entries(change)) {
          const kept = column === 'reason' ? " AND reason <> 'used'" : '';
          sql(`UPDATE deliveries SET ${column} = ? WHERE id = ?${kept}`).run(value, id);
        }
        removeErased.run(id);
      }),
    quarantine: (tenant, after, limit) =>
      read(() =>
        sql(`SELECT ${COLUMNS}, NULL AS body FROM deliveries WHERE (reason = 'used') = 0 AND (? IS NULL OR tenant = ?)
             AND (received_at, id) > (SELECT received_at, id FROM deliveries WHERE id = ? UNION ALL SELECT -1, '' LIMIT 1) ORDER BY received_at, id LIMIT ?`).all(tenant, tenant, after, limit),
      ),
    unassigned: (after, limit) =>
      read(() =>
        sql(`SELECT ${COLUMNS}, NULL AS body FROM deliveries WHERE (reason = 'used') = 0 AND tenant IS NULL
             AND (received_at, id) > (SELECT received_at, id FROM deliveries WHERE id = ? UNION ALL SELECT -1, '' LIMIT 1) ORDER BY received_at, id LIMIT ?`).all(after, limit),
      ),
    pending: (reason, conversationId, limit, after = { received_at: -1, id: '' }) =>
      read(() =>
        sql(`SELECT ${COLUMNS}, body FROM deliveries WHERE reason = ? AND (? IS NULL OR conversation_id = ?) AND (received_at, id) > (?, ?) ORDER BY received_at, id LIMIT ?`).all(reason, conversationId, conversationId, after.received_at, after.id, limit),
      ),
    since: (tenant, after, limit) =>
      read(() =>
        sql(`SELECT ${COLUMNS}, body FROM deliveries WHERE reason = 'used' AND tenant = ? AND (received_at, id) > (?, ?) ORDER BY received_at, id LIMIT ?`).all(tenant, after.received_at, after.id, limit),
      ),
    quarantineSize: () => store.snapshot(() => (sql("SELECT COUNT(*) AS size FROM deliveries WHERE (reason = 'used') = 0").get() as { size: number }).size),
    sweep: (before) => commit(() => Number(sql("DELETE FROM deliveries WHERE reason = 'used' AND received_at < ?").run(before).changes)),
    remove: (id) => commit(() => void remove.run(id)),
    erase: (ids) =>
      commit(() => {
        for (const id of ids) {
          noteErased.run(id);
          removeAll.run({ id });
        }
      }),
    check: () => store.snapshot(() => void sql('SELECT 1 FROM deliveries LIMIT 1').get()),
    close: async () => {
      for (const last of [commitCopy, commit]) await last(() => undefined).catch(() => undefined);
      store.close();
    },
  };
};
