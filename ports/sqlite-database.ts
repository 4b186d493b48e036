/**
 * How the embedded ways open a database: WAL, every commit on the disk, and nobody waits inside the event loop - a busy
 * database is asked again later, up to SQLITE_BUSY_MAX_MS, then `store_unavailable`.
 */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { EarshotError } from '../core/protocol/codes.ts';
import { SQLITE_BUSY_MAX_MS } from '../core/protocol/limits.ts';
import type { Runtime } from './runtime.ts';

/** SQLite's own waiting blocks the event loop: only long enough for a commit under way elsewhere. */
const BUSY_WAIT_MS = 20;
const RETRY_MS = 15;

/**
 * So many pages (32 MiB) wait beside the file before they are written into it, which holds the event loop for tens of milliseconds:
 * SQLite's own 1,000 come together within a second where much is said (`npm run bench -- journey`, 1,000 a second).
 */
const CHECKPOINT_PAGES = 8_000;

export interface SqliteOptions {
  /** File path, or `:memory:`. */
  readonly path: string;
  readonly runtime: Runtime;
  readonly readOnly?: boolean;
  /** Each takes the schema one number further; the number is kept in the file (`user_version`). Never changed once released. */
  readonly migrations: readonly string[];
}

export type Durability = 'synced' | 'unsynced';

export interface SqliteDatabase {
  readonly database: DatabaseSync;
  /** The statement of this text, prepared when it is first asked for: a log opened to read only may be of an older schema than a statement. */
  sql(text: string): StatementSync;
  /**
   * Runs in one `BEGIN IMMEDIATE` transaction: all of it or nothing. `work` must not wait. `unsynced`: what a kill of this process cannot
   * undo, but a machine that loses its power may, until the next commit that is not so; the disk is not waited for, which holds the event loop
   * for milliseconds (https://sqlite.org/pragma.html#pragma_synchronous, WAL with NORMAL).
   */
  transaction<T>(work: () => T, durability?: Durability): Promise<T>;
  /** Runs reads on one consistent snapshot. */
  snapshot<T>(work: () => T): Promise<T>;
  close(): void;
}

/** Opens the file and brings its schema up to date. Throws where the file is newer than this program. */
export const openSqlite = (options: SqliteOptions): SqliteDatabase => {
  if (options.path !== ':memory:' && options.readOnly !== true) mkdirSync(dirname(options.path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(options.path, { readOnly: options.readOnly ?? false, timeout: BUSY_WAIT_MS });
  if (options.readOnly !== true) prepare(database, options.migrations);
  let open = true;
  const prepared = new Map<string, StatementSync>();
  let durable: Durability = 'synced';

  /** Outside of transactions alone is it taken notice of. */
  const beDurable = (wanted: Durability): void => {
    if (wanted === durable) return;
    database.exec(`PRAGMA synchronous = ${wanted === 'synced' ? 'FULL' : 'NORMAL'}`);
    durable = wanted;
  };

  const run = async <T>(begin: string, work: () => T, wanted: Durability): Promise<T> => {
    const started = options.runtime.monotonic();
    for (;;) {
      if (!open) throw new EarshotError('store_unavailable');
      try {
        beDurable(wanted);
        return once(database, begin, work);
      } catch (error) {
        if (!isBusy(error)) throw asStoreError(error);
        if (options.runtime.monotonic() - started > SQLITE_BUSY_MAX_MS) throw new EarshotError('store_unavailable');
      }
      await new Promise<void>((resolve) => void options.runtime.after(RETRY_MS * (0.5 + options.runtime.random()), resolve));
    }
  };
  return {
    database,
    sql: (text) => {
      let statement = prepared.get(text);
      if (statement === undefined) prepared.set(text, (statement = database.prepare(text)));
      return statement;
    },
    transaction: (work, durability = 'synced') => run('BEGIN IMMEDIATE', work, durability),
    snapshot: (work) => run('BEGIN', work, durable),
    close: () => {
      if (!open) return;
      open = false;
      database.close();
    },
  };
};

const prepare = (database: DatabaseSync, migrations: readonly string[]): void => {
  // Two processes may open a new file at the same moment: here, before anything is served, waiting is right.
  database.exec(`PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA foreign_keys = ON;`);
  once(database, 'BEGIN IMMEDIATE', () => {
    const { user_version: version } = database.prepare('PRAGMA user_version').get() as { user_version: number };
    if (version > migrations.length) throw new Error(`the database is of schema ${version}, this program knows ${migrations.length}: start the newer program`);
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
  });
  database.exec(`PRAGMA busy_timeout = ${BUSY_WAIT_MS};`);
};

const once = <T>(database: DatabaseSync, begin: string, work: () => T): T => {
  database.exec(begin);
  try {
    const value = work();
    database.exec('COMMIT');
    return value;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
};

/** Primary result codes, https://sqlite.org/rescode.html. */
const BUSY = new Set([5, 6]);
/** Out of memory, read-only, I/O error, corrupt, full, cannot open, locking protocol: the store's fault, not the program's. */
const UNAVAILABLE = new Set([7, 8, 10, 11, 13, 14, 15]);

const primaryCode = (error: unknown): number | null =>
  error instanceof Error && (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR' ? (error as unknown as { errcode: number }).errcode & 0xff : null;

const isBusy = (error: unknown): boolean => BUSY.has(primaryCode(error) ?? -1);

const asStoreError = (error: unknown): unknown => (UNAVAILABLE.has(primaryCode(error) ?? -1) ? new EarshotError('store_unavailable') : error);
