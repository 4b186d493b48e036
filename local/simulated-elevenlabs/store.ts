import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { CallRecord } from './call-record.ts';
import type { MisbehaviourRule } from './misbehaviour.ts';

/** A webhook on its way. */
export interface Delivery {
  readonly id: string;
  readonly conversation_id: string;
  readonly type: string;
  /** Exactly what is sent and signed. */
  readonly body: string;
  /** The attempt that comes next, from 1. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly due_at: number;
  readonly signed_wrongly: boolean;
}

/** What outlives a restart: calls, webhooks on their way, orders to misbehave. */
export interface Store {
  calls(): readonly CallRecord[];
  /** Saves the call and the webhooks it gave rise to in one transaction. */
  saveCall(record: CallRecord, deliveries?: readonly Delivery[]): void;
  deliveries(): readonly Delivery[];
  saveDelivery(delivery: Delivery): void;
  removeDelivery(id: string): void;
  /** Calls so far, those that were refused included. */
  callCount(): number;
  saveCallCount(count: number): void;
  rules(): readonly MisbehaviourRule[];
  saveRules(rules: readonly MisbehaviourRule[]): void;
  close(): void;
}

/** More than anybody looks through by hand; the oldest leave. */
export const CALLS_KEPT_COUNT = 2_000;

/**
 * Opens the simulator's own file.
 * @param dataDir where `simulated-elevenlabs.sqlite` lies or is made; null: nothing outlives the process
 */
export const openStore = (dataDir: string | null): Store => {
  if (dataDir !== null) mkdirSync(dataDir, { recursive: true });
  const database = new DatabaseSync(dataDir === null ? ':memory:' : join(dataDir, 'simulated-elevenlabs.sqlite'));
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA busy_timeout = 1000;
    CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY, record TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS deliveries (id TEXT PRIMARY KEY, delivery TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `);
  const putCall = database.prepare('INSERT OR REPLACE INTO calls (number, record) VALUES (?, ?)');
  const dropOldCalls = database.prepare('DELETE FROM calls WHERE number <= ?');
  const putDelivery = database.prepare('INSERT OR REPLACE INTO deliveries (id, delivery) VALUES (?, ?)');
  const dropDelivery = database.prepare('DELETE FROM deliveries WHERE id = ?');
  const putSetting = database.prepare('INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)');
  const all = (table: 'calls' | 'deliveries', column: string, order: string): readonly unknown[] =>
    database.prepare(`SELECT ${column} AS text FROM ${table} ORDER BY ${order}`).all().map((row) => JSON.parse(String(row['text'])) as unknown);
  const setting = (name: string): unknown => {
    const row = database.prepare('SELECT value FROM settings WHERE name = ?').get(name);
    return row === undefined ? null : JSON.parse(String(row['value']));
  };
  return {
    calls: () => all('calls', 'record', 'number') as readonly CallRecord[],
    saveCall: (record, deliveries = []) => {
      database.exec('BEGIN IMMEDIATE');
      putCall.run(record.number, JSON.stringify(record));
      dropOldCalls.run(record.number - CALLS_KEPT_COUNT);
      for (const delivery of deliveries) putDelivery.run(delivery.id, JSON.stringify(delivery));
      database.exec('COMMIT');
    },
    deliveries: () => all('deliveries', 'delivery', 'id') as readonly Delivery[],
    saveDelivery: (delivery) => void putDelivery.run(delivery.id, JSON.stringify(delivery)),
    removeDelivery: (id) => void dropDelivery.run(id),
    callCount: () => Number(setting('call_count') ?? 0),
    saveCallCount: (count) => void putSetting.run('call_count', JSON.stringify(count)),
    rules: () => (setting('rules') ?? []) as readonly MisbehaviourRule[],
    saveRules: (rules) => void putSetting.run('rules', JSON.stringify(rules)),
    close: () => database.close(),
  };
};
