/** The schema of the embedded log, step by step, each with its way back. Released steps are never changed. */
import { MIGRATIONS } from '../core/domain/migrations.ts';

export interface Migration {
  readonly name: string;
  readonly up: string;
  readonly down: string;
}

export const LOG_MIGRATIONS: readonly Migration[] = [
  {
    name: MIGRATIONS[0].name,
    up: `
      CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), generation TEXT NOT NULL, mark INTEGER NOT NULL);
      INSERT INTO log VALUES (1, '', 0);
      CREATE TABLE calls (
        call_sid TEXT PRIMARY KEY, tenant TEXT NOT NULL, workspace TEXT NOT NULL, conversation_id TEXT, status TEXT NOT NULL, terminal INTEGER NOT NULL,
        agent_id TEXT, driver_id TEXT, search TEXT NOT NULL, created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, unbound_since INTEGER,
        mark INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
      CREATE INDEX calls_newest ON calls (tenant, created_at DESC, call_sid DESC);
      CREATE INDEX calls_mark ON calls (mark);
      CREATE INDEX calls_active ON calls (terminal, tenant, changed_at);
      CREATE INDEX calls_unbound ON calls (workspace, unbound_since) WHERE unbound_since IS NOT NULL;
      CREATE INDEX calls_merged ON calls (json_extract(state, '$.merged_into')) WHERE json_extract(state, '$.merged_into') IS NOT NULL;
      CREATE TABLE events (call_sid TEXT NOT NULL, seq INTEGER NOT NULL, text TEXT NOT NULL, whole_text TEXT, PRIMARY KEY (call_sid, seq)) WITHOUT ROWID;
      CREATE TABLE keys (call_sid TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (call_sid, key)) WITHOUT ROWID;
      CREATE TABLE conversations (conversation_id TEXT PRIMARY KEY, call_sid TEXT NOT NULL) WITHOUT ROWID;
      CREATE INDEX conversations_call ON conversations (call_sid);
      CREATE TABLE provider_calls (workspace TEXT NOT NULL, provider_call_id TEXT NOT NULL, call_sid TEXT NOT NULL, PRIMARY KEY (workspace, provider_call_id)) WITHOUT ROWID;
      CREATE INDEX provider_calls_call ON provider_calls (call_sid);
      CREATE TABLE idempotency (key TEXT PRIMARY KEY, request_hash TEXT NOT NULL, call_sids TEXT NOT NULL) WITHOUT ROWID;
      CREATE TABLE tombstones (id TEXT PRIMARY KEY, erased_at INTEGER NOT NULL, tenant TEXT, mark INTEGER) WITHOUT ROWID;
      CREATE INDEX tombstones_mark ON tombstones (mark) WHERE mark IS NOT NULL;`,
    down: `
      DROP TABLE log; DROP TABLE calls; DROP TABLE events; DROP TABLE keys; DROP TABLE conversations; DROP TABLE provider_calls;
      DROP TABLE idempotency; DROP TABLE tombstones;`,
  },
  {
    name: MIGRATIONS[1].name,
    up: `
      ALTER TABLE calls ADD COLUMN transcript_summary TEXT;
      ALTER TABLE calls ADD COLUMN call_duration_seconds INTEGER;
      ALTER TABLE calls ADD COLUMN cost REAL;
      ALTER TABLE calls ADD COLUMN call_successful INTEGER;
      ALTER TABLE calls ADD COLUMN analysis_data TEXT;
      ALTER TABLE calls ADD COLUMN metadata_json TEXT;`,
    down: `
      ALTER TABLE calls DROP COLUMN transcript_summary;
      ALTER TABLE calls DROP COLUMN call_duration_seconds;
      ALTER TABLE calls DROP COLUMN cost;
      ALTER TABLE calls DROP COLUMN call_successful;
      ALTER TABLE calls DROP COLUMN analysis_data;
      ALTER TABLE calls DROP COLUMN metadata_json;`,
  },
];
