/**
 * The directory in one SQLite file. Several processes may have it open at once. Entries are kept as JSON beside the columns
 * that are searched by; what is raced for (tickets, leases, one user's change) is decided inside a write transaction.
 */
import type { StatementSync } from 'node:sqlite';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Agent, Directory, Driver, Tenant, Ticket, User, Workspace } from './directory.ts';
import type { Runtime } from './runtime.ts';
import { openSqlite, type SqliteDatabase } from './sqlite-database.ts';

const MIGRATIONS = [
  `CREATE TABLE workspaces (workspace TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE tenants (tenant TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE agents (agent_id TEXT PRIMARY KEY, tenant TEXT NOT NULL, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX agents_by_tenant ON agents (tenant);
   CREATE TABLE users (user TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, tenant TEXT, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE INDEX users_by_tenant ON users (tenant);
   CREATE TABLE drivers (tenant TEXT NOT NULL, driver_id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (tenant, driver_id)) STRICT, WITHOUT ROWID;
   CREATE TABLE tickets (hash TEXT PRIMARY KEY, principal TEXT NOT NULL, expires_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE ended_sign_ins (sid TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE watermarks (name TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE control (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

/** Opens (or makes) the directory's file. Throws where the file is of a newer program. */
export const sqliteDirectory = (options: { readonly path: string; readonly runtime: Runtime }): Directory => {
  const store = openSqlite({ ...options, migrations: MIGRATIONS });
  return { ...entries(store), ...raced(store), check: () => store.snapshot(() => void store.database.prepare('SELECT count(*) FROM tenants').get()), close: async () => store.close() };
};

type Value = string | number | null;
const bodyOf = (row: unknown): unknown => JSON.parse((row as { body: string }).body);

/** What is put and read: workspaces, tenants, agents, users, drivers, the serving revision. */
const entries = (store: SqliteDatabase) => {
  const { sql } = store;
  const all = <T>(statement: StatementSync, ...values: Value[]): Promise<readonly T[]> => store.snapshot(() => statement.all(...values).map((row) => bodyOf(row) as T));
  const get = async <T>(statement: StatementSync, ...values: Value[]): Promise<T | null> => (await all<T>(statement, ...values))[0] ?? null;
  const put = (statement: StatementSync, ...values: Value[]): Promise<void> => store.transaction(() => void statement.run(...values));

  const workspace = sql('SELECT body FROM workspaces WHERE workspace = ?');
  const workspaces = sql('SELECT body FROM workspaces ORDER BY workspace');
  const putWorkspace = sql('INSERT INTO workspaces VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body');
  const tenant = sql('SELECT body FROM tenants WHERE tenant = ?');
  const tenants = sql('SELECT body FROM tenants ORDER BY tenant');
  const putTenant = sql('INSERT INTO tenants VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body');
  const agent = sql('SELECT body FROM agents WHERE agent_id = ?');
  const agents = sql('SELECT body FROM agents WHERE ?1 IS NULL OR tenant = ?1 ORDER BY agent_id');
  const putAgent = sql('INSERT INTO agents VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET tenant = excluded.tenant, body = excluded.body');
  const removeAgent = sql('DELETE FROM agents WHERE agent_id = ?');
  const user = sql('SELECT body FROM users WHERE user = ?');
  const userByName = sql('SELECT body FROM users WHERE username = ?');
  const users = sql('SELECT body FROM users WHERE ?1 IS NULL OR tenant = ?1 ORDER BY user');
  const nameOwner = sql('SELECT user FROM users WHERE username = ? AND user <> ?');
  const putUser = sql('INSERT INTO users VALUES (?, ?, ?, ?) ON CONFLICT (user) DO UPDATE SET username = excluded.username, tenant = excluded.tenant, body = excluded.body');
  const driver = sql('SELECT body FROM drivers WHERE tenant = ? AND driver_id = ?');
  const drivers = sql('SELECT body FROM drivers WHERE tenant = ? AND driver_id > ? ORDER BY driver_id LIMIT ?');
  const putDriver = sql('INSERT INTO drivers VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body');

  const serving = sql("SELECT value FROM control WHERE name = 'relay'");
  const nameServing = sql("INSERT INTO control VALUES ('relay', ?) ON CONFLICT DO UPDATE SET value = excluded.value");
  const nameNone = sql("DELETE FROM control WHERE name = 'relay'");

  const writeUser = (entry: User): void => {
    if (nameOwner.get(entry.username, entry.user) !== undefined) throw new EarshotError('invalid_request', { problems: ['username: belongs to another user'] });
    putUser.run(entry.user, entry.username, entry.tenant, JSON.stringify(entry));
  };
  return {
    workspace: (id) => get<Workspace>(workspace, id),
    workspaces: () => all<Workspace>(workspaces),
    putWorkspace: (entry) => put(putWorkspace, entry.workspace, JSON.stringify(entry)),
    changeWorkspace: (id, change) =>
      store.transaction(() => {
        const row = workspace.get(id);
        const after = { ...change(row === undefined ? null : (bodyOf(row) as Workspace)), workspace: id };
        putWorkspace.run(id, JSON.stringify(after));
        return after;
      }),
    agent: (id) => get<Agent>(agent, id),
    agents: (id) => all<Agent>(agents, id),
    putAgent: (entry) => put(putAgent, entry.agent_id, entry.tenant, JSON.stringify(entry)),
    removeAgent: (id) => store.transaction(() => removeAgent.run(id).changes > 0),
    tenant: (id) => get<Tenant>(tenant, id),
    tenants: () => all<Tenant>(tenants),
    putTenant: (entry) => put(putTenant, entry.tenant, JSON.stringify(entry)),
    user: (id) => get<User>(user, id),
    userByName: (name) => get<User>(userByName, name),
    users: (id) => all<User>(users, id),
    putUser: (entry) => store.transaction(() => writeUser(entry)),
    changeUser: (id, change) =>
      store.transaction(() => {
        const row = user.get(id);
        if (row === undefined) return null;
        const after = { ...change(bodyOf(row) as User), user: id };
        writeUser(after);
        return after;
      }),
    driver: (owner, id) => get<Driver>(driver, owner, id),
    drivers: (owner, after, limit) => all<Driver>(drivers, owner, after ?? '', limit),
    putDriver: (entry) => put(putDriver, entry.tenant, entry.driverId, JSON.stringify(entry)),
    servingRevision: () => store.snapshot(() => (serving.get() as { value: string } | undefined)?.value ?? null),
    nameServingRevision: (revision) => (revision === null ? put(nameNone) : put(nameServing, revision)),
  } satisfies Partial<Directory>;
};

/** What ends by itself, and where the first one wins: tickets, ended sign-ins, leases, watermarks. */
const raced = (store: SqliteDatabase) => {
  const { sql } = store;
  const putTicket = sql('INSERT INTO tickets VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const takeTicket = sql('DELETE FROM tickets WHERE hash = ? RETURNING hash, principal, expires_at');
  const endSignIn = sql('INSERT INTO ended_sign_ins VALUES (?, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)');
  const signInEnded = sql('SELECT 1 FROM ended_sign_ins WHERE sid = ?');
  const takeLease = sql(
    'INSERT INTO leases VALUES (?1, ?2, ?4) ON CONFLICT DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE holder = ?2 OR until <= ?3',
  );
  const releaseLease = sql('DELETE FROM leases WHERE name = ? AND holder = ?');
  const watermark = sql('SELECT at FROM watermarks WHERE name = ?');
  const raiseWatermark = sql('INSERT INTO watermarks VALUES (?, ?) ON CONFLICT DO UPDATE SET at = max(at, excluded.at)');
  const sweeps = [sql('DELETE FROM tickets WHERE expires_at <= ?'), sql('DELETE FROM ended_sign_ins WHERE until <= ?'), sql('DELETE FROM leases WHERE until <= ?')];

  return {
    putTicket: (ticket) => store.transaction(() => void putTicket.run(ticket.hash, ticket.principal, ticket.expires_at)),
    takeTicket: (hash, now) =>
      store.transaction(() => {
        const row = takeTicket.get(hash) as Ticket | undefined;
        return row === undefined || row.expires_at <= now ? null : { hash: row.hash, principal: row.principal, expires_at: row.expires_at };
      }),
    endSignIn: (sid, until) => store.transaction(() => void endSignIn.run(sid, until)),
    signInEnded: (sid) => store.snapshot(() => signInEnded.get(sid) !== undefined),
    takeLease: (name, holder, now, until) => store.transaction(() => takeLease.run(name, holder, now, until).changes > 0),
    releaseLease: (name, holder) => store.transaction(() => void releaseLease.run(name, holder)),
    watermark: (name) => store.snapshot(() => (watermark.get(name) as { at: number } | undefined)?.at ?? null),
    raiseWatermark: (name, to) => store.transaction(() => void raiseWatermark.run(name, to)),
    sweep: (now) => store.transaction(() => sweeps.reduce((removed, statement) => removed + Number(statement.run(now).changes), 0)),
  } satisfies Partial<Directory>;
};
