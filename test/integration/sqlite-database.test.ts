import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Delivery } from '../../ports/raw-store.ts';
import { sqliteRawStore } from '../../ports/raw-store.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { openSqlite } from '../../ports/sqlite-database.ts';

const original = DatabaseSync.prototype.exec;
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

it('writes into its file seldom, and leaves nothing beside it when it is closed', async () => {
  const path = place();
  const store = openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE] });
  expect(store.database.prepare('PRAGMA wal_autocheckpoint').get()).toMatchObject({ wal_autocheckpoint: 8_000 });
  await store.transaction(() => store.database.prepare('INSERT INTO words VALUES (?)').run('kept'));
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  store.close();
  expect(existsSync(`${path}-wal`)).toBe(false);
  const again = openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE] });
  onTestFinished(() => again.close());
  expect(await again.snapshot(() => again.database.prepare('SELECT word FROM words').get()?.['word'])).toBe('kept');
});

it('waits for the disk with every commit but those that may do without, and with the next one again', async () => {
  const store = openSqlite({ path: place(), runtime: systemRuntime(), migrations: [TABLE] });
  onTestFinished(() => store.close());
  // https://sqlite.org/pragma.html#pragma_synchronous
  const [normal, full] = [1, 2];
  const synchronous = (): unknown => store.database.prepare('PRAGMA synchronous').get()?.['synchronous'];
  const insert = store.database.prepare('INSERT INTO words VALUES (?)');
  const write = (word: string): unknown => {
    insert.run(word);
    return synchronous();
  };
  expect([await store.transaction(() => write('one')), await store.transaction(() => write('two'), 'unsynced'), await store.snapshot(synchronous), await store.transaction(() => write('three'))]).toEqual([full, normal, normal, full]);
  const failing = store.transaction(() => {
    write('half');
    throw new Error('in the middle');
  }, 'unsynced');
  await expect(failing).rejects.toThrow('in the middle');
  expect(await store.transaction(() => write('four'))).toBe(full);
  expect((await store.snapshot(() => store.database.prepare('SELECT word FROM words').all())).map((row) => row['word'])).toEqual(['one', 'two', 'three', 'four']);
});

const delivery = (id: string, reason: Delivery['reason']): Omit<Delivery, 'count'> => ({
  id,
  workspace: 'w',
  tenant: 't1',
  reach_tenant: null,
  route: 'post-call',
  type: null,
  reason,
  conversation_id: null,
  agent_id: null,
  call_sid: null,
  received_at: 1,
  body: '{}',
});

it('has the copies that it was given before it was closed', async () => {
  const path = place();
  const rawStore = sqliteRawStore({ path, runtime: systemRuntime() });
  const given = [rawStore.put(delivery('copy', 'used')), rawStore.put(delivery('waits', 'waiting'))];
  await rawStore.close();
  await Promise.all(given);
  const again = sqliteRawStore({ path, runtime: systemRuntime() });
  onTestFinished(() => again.close());
  expect([(await again.get('copy'))?.reason, (await again.get('waits'))?.reason]).toEqual(['used', 'waiting']);
});

it('holds nobody up for the copy of a delivery that is in the log, and waits for the disk with all others', async () => {
  const folder = place();
  const ran: string[] = [];
  const exec = vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, text: string) {
    ran.push(text);
    original.call(this, text);
  });
  const rawStore = sqliteRawStore({ path: folder, runtime: systemRuntime() });
  onTestFinished(async () => {
    await rawStore.close();
    exec.mockRestore();
  });
  const put = async (id: string, reason: Delivery['reason']): Promise<string | undefined> => {
    await rawStore.put(delivery(id, reason));
    return ran.findLast((text) => text.includes('synchronous'))?.match(/synchronous = (\w+)/)?.[1];
  };
  expect([await put('a', 'unusable'), await put('b', 'used'), await put('c', 'unusable'), await put('d', 'used')]).toEqual(['FULL', 'NORMAL', 'FULL', 'NORMAL']);
  for (const reason of ['waiting', 'unassigned', 'foreign', 'too_large', 'to_fetch'] as const) expect([await put(reason, reason), await put('d', 'used')]).toEqual(['FULL', 'NORMAL']);
  await rawStore.remove('a');
  expect(ran.findLast((text) => text.includes('synchronous'))).toContain('FULL');
  expect([await rawStore.get('a'), (await rawStore.get('b'))?.reason, (await rawStore.get('c'))?.reason]).toEqual([null, 'used', 'unusable']);
});

it('refuses a file of a newer program', () => {
  const path = place();
  openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE, 'CREATE TABLE more (word TEXT)'] }).close();
  expect(() => openSqlite({ path, runtime: systemRuntime(), migrations: [TABLE] })).toThrow('start the newer program');
});
