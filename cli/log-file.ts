/** The file of the embedded log, as far as the command handles it whole: whether somebody holds it, and the number of its schema. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { LOG_MIGRATIONS } from '../ports/call-log.sqlite-schema.ts';
import { CliError } from './exit-codes.ts';

/** SQLite's own waiting blocks the process: a server that holds the file holds it for long. */
const BUSY_WAIT_MS = 200;

/**
 * Runs `work` with the file for this process alone: a server that has it open makes this fail, and one that starts meanwhile
 * waits. Throws CliError `server_running`, `no_data`.
 */
export const withLogFile = <T>(path: string, work: (database: DatabaseSync) => T): T => {
  if (!existsSync(path)) throw new CliError('no_data', 'There is no call log in DATA_DIR yet: start Earshot there once (`npm start`).', 'not_found');
  const database = new DatabaseSync(path, { timeout: BUSY_WAIT_MS });
  try {
    takeAlone(database);
    return work(database);
  } finally {
    database.close();
  }
};

const takeAlone = (database: DatabaseSync): void => {
  try {
    // In WAL every open connection holds the file: to get it alone is to know that nobody else has it.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;');
  } catch (error) {
    if (((error as { errcode?: number }).errcode ?? 0) % 256 === 5) throw new CliError('server_running', 'A server holds this data: stop it first.', 'not_now');
    throw error;
  }
};

/** How many of LOG_MIGRATIONS the file has. */
export const schemaOf = (database: DatabaseSync): number => (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;

/** Takes the schema to that number, a step at a time; each step is whole or not at all. */
export const migrateTo = (database: DatabaseSync, to: number): void => {
  for (let at = schemaOf(database); at !== to; at = schemaOf(database)) {
    const step = at < to ? LOG_MIGRATIONS[at]?.up : LOG_MIGRATIONS[at - 1]?.down;
    if (step === undefined) throw new CliError('schema_unknown', `The log is of schema ${at}, and this program knows ${LOG_MIGRATIONS.length}: use the newer program.`, 'failed');
    database.exec(`BEGIN IMMEDIATE; ${step} PRAGMA user_version = ${at < to ? at + 1 : at - 1}; COMMIT;`);
  }
};
