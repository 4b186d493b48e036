import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { openSqlite } from '../../ports/sqlite-database.ts';

const TABLE = 'CREATE TABLE words (word TEXT)';
const place = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'earshot-sqlite-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'data', 'words.db');
};

it('makes its folder for its owner only: numbers, names and words lie there', () => {
  const path = place();
  openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE] }).close();
  expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700);
});

it('waits outside the event loop while another process writes, gives up in time, and goes on when it may', async () => {
  const path = place();
  let ahead = 0;
  let asked = 0;
  const runtime = { ...systemRuntime(), monotonic: () => ++asked * ahead };
  const store = openSqlite({ path, runtime, migrations: [TABLE] });
  const other = new DatabaseSync(path);
  onTestFinished(() => {
    store.close();
    other.close();
  });
  other.exec("BEGIN IMMEDIATE; INSERT INTO words VALUES ('theirs')");
  const write = (word: string): Promise<unknown> => store.transaction(() => store.database.prepare('INSERT INTO words VALUES (?)').run(word));
  ahead = 2_000;
  await expect(write('too late')).rejects.toMatchObject({ code: 'store_unavailable' });
  ahead = 0;
  const waiting = write('in time');
  expect(await store.snapshot(() => store.database.prepare('SELECT word FROM words').all())).toEqual([]);
  other.exec('COMMIT');
  await waiting;
  expect((await store.snapshot(() => store.database.prepare('SELECT word FROM words').all())).map((row) => row['word'])).toEqual(['theirs', 'in time']);
});

it('leaves nothing of a transaction that failed, and is good for the next', async () => {
  const store = openSqlite({ path: ':memory:', runtime: systemRuntime(), migrations: [TABLE] });
  onTestFinished(() => store.close());
  const insert = store.database.prepare('INSERT INTO words VALUES (?)');
  const failing = store.transaction(() => {
    insert.run('half');
    throw new Error('in the middle');
  });
  await expect(failing).rejects.toThrow('in the middle');
  await store.transaction(() => insert.run('whole'));
  expect((await store.snapshot(() => store.database.prepare('SELECT word FROM words').all())).map((row) => row['word'])).toEqual(['whole']);
});

it('refuses a file of a newer program', () => {
  const path = place();
  openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE, 'CREATE TABLE more (word TEXT)'] }).close();
  expect(() => openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE] })).toThrow('start the newer program');
});
