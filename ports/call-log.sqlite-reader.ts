/** The reads of the embedded log, each to be run inside a transaction, so that what belongs together is seen together. */
import { readCallState, type CallDetails, type CallState } from '../core/domain/call/state.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { CallStatus } from '../core/protocol/frames.ts';
import type { CallCounts, Changes, CreateResult, IdempotencyKey, ListQuery, LoggedEvent, Page } from './call-log.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

export interface CallReader {
  generation(): string;
  mark(): number;
  exists(callSid: string): boolean;
  isErased(id: string): boolean;
  ownerOf(conversationId: string): string | null;
  get(callSid: string): CallState | null;
  find(id: string): CallState | 'erased' | null;
  repeated(key: IdempotencyKey): Exclude<CreateResult, { readonly result: 'created' }> | null;
  findByProviderCall(workspace: string, providerCallId: string): CallState | null;
  unboundDials(workspace: string, agentId: string | null, since: number): CallState[];
  page(callSid: string, afterSeq: number, limit: number): Page | null;
  wholeText(callSid: string, seq: number): string | null;
  details(callSid: string): CallDetails | null;
  hasKey(callSid: string, key: string): boolean;
  list(query: ListQuery): { calls: CallState[]; next_cursor: string | null };
  changes(tenants: readonly string[] | null, mark: string | null): Changes;
  active(tenant: string | null, endedSince: number): CallState[];
  counts(tenant: string, since: number): CallCounts;
  mergedInto(callSid: string): CallState[];
  createdBefore(before: number, limit: number): CallState[];
}

/** Mergers point at an owner, never in a circle; the bound is for a log that was tampered with. */
const MERGERS_MAX_COUNT = 8;
const CHANGES_PAGE_ROWS = 500;

export const sqliteReader = ({ sql }: Pick<SqliteDatabase, 'sql'>): CallReader => {
  const states = (rows: unknown): CallState[] => (rows as { state: string }[]).map((row) => readCallState(row.state));
  const get = (callSid: string): CallState | null => {
    const row = sql('SELECT state FROM calls WHERE call_sid = ?').get(callSid) as { state: string } | undefined;
    return row === undefined ? null : readCallState(row.state);
  };
  const isErased = (id: string): boolean => sql('SELECT 1 FROM tombstones WHERE id = ?').get(id) !== undefined;
  const ownerOf = (conversationId: string): string | null =>
    (sql('SELECT call_sid FROM conversations WHERE conversation_id = ?').get(conversationId) as { call_sid: string } | undefined)?.call_sid ?? null;
  const mark = (): number => (sql('SELECT mark FROM log').get() as { mark: number }).mark;

  const find = (id: string): CallState | 'erased' | null => {
    let call = get(id) ?? get(ownerOf(id) ?? '');
    if (call === null) return isErased(id) ? 'erased' : null;
    for (let hop = 0; call.merged_into !== null && hop < MERGERS_MAX_COUNT; hop++) {
      const owner: CallState | null = get(call.merged_into);
      if (owner === null) return isErased(call.merged_into) ? 'erased' : call;
      call = owner;
    }
    return call;
  };

  return {
    generation: () => (sql('SELECT generation FROM log').get() as { generation: string }).generation,
    mark,
    exists: (callSid) => sql('SELECT 1 FROM calls WHERE call_sid = ? UNION ALL SELECT 1 FROM tombstones WHERE id = ?').get(callSid, callSid) !== undefined,
    isErased,
    ownerOf,
    get,
    find,
    repeated: (key) => {
      const row = sql('SELECT request_hash, call_sids FROM idempotency WHERE key = ?').get(key.key) as { request_hash: string; call_sids: string } | undefined;
      if (row === undefined) return null;
      if (row.request_hash !== key.request_hash) return { result: 'key_reused' };
      const sids = JSON.parse(row.call_sids) as string[];
      if (sids.some(isErased)) return { result: 'erased' };
      return { result: 'repeated', calls: sids.map(get).filter((call) => call !== null) };
    },
    findByProviderCall: (workspace, providerCallId) => {
      const row = sql('SELECT call_sid FROM provider_calls WHERE workspace = ? AND provider_call_id = ?').get(workspace, providerCallId) as { call_sid: string } | undefined;
      return row === undefined ? null : get(row.call_sid);
    },
    unboundDials: (workspace, agentId, since) =>
      states(sql('SELECT state FROM calls WHERE workspace = ? AND unbound_since >= ? AND (? IS NULL OR agent_id = ?) ORDER BY unbound_since').all(workspace, since, agentId, agentId)),
    page: (callSid, afterSeq, limit) => {
      const call = get(callSid);
      if (call === null) return null;
      const rows = sql('SELECT seq, text FROM events WHERE call_sid = ? AND seq > ? ORDER BY seq LIMIT ?').all(callSid, afterSeq, limit) as unknown as LoggedEvent[];
      return { call, events: rows.map(({ seq, text }) => ({ seq, text })) };
    },
    wholeText: (callSid, seq) => {
      const row = sql('SELECT text, whole_text FROM events WHERE call_sid = ? AND seq = ?').get(callSid, seq) as { text: string; whole_text: string | null } | undefined;
      if (row === undefined) return null;
      const text = row.whole_text ?? (JSON.parse(row.text) as { text?: unknown }).text;
      return typeof text === 'string' ? text : null;
    },
    details: (callSid) => {
      const row = sql('SELECT analysis_data, metadata_json FROM calls WHERE call_sid = ?').get(callSid) as unknown as CallDetails | undefined;
      return row === undefined ? null : { analysis_data: row.analysis_data, metadata_json: row.metadata_json };
    },
    hasKey: (callSid, key) => sql('SELECT 1 FROM keys WHERE call_sid = ? AND key = ?').get(callSid, key) !== undefined,
    list: (query) => list(sql, query),
    changes: (tenants, after) => {
      if (after === null) return { calls: [], erased: [], mark: String(mark()), more: false };
      if (!/^\d{1,15}$/.test(after)) throw new EarshotError('invalid_cursor');
      const head = mark();
      const rows = sql('SELECT mark, tenant, state FROM calls WHERE mark > ? ORDER BY mark LIMIT ?').all(Number(after), CHANGES_PAGE_ROWS) as { mark: number; tenant: string; state: string }[];
      const more = rows.length === CHANGES_PAGE_ROWS;
      const last = more ? (rows.at(-1)?.mark ?? head) : head;
      const erased = sql('SELECT tenant, id AS call_sid FROM tombstones WHERE mark > ? AND mark <= ? ORDER BY mark').all(Number(after), last) as { tenant: string; call_sid: string }[];
      const asked = ({ tenant }: { readonly tenant: string }): boolean => tenants === null || tenants.includes(tenant);
      return { calls: rows.filter(asked).map((row) => readCallState(row.state)), erased: erased.filter(asked).map((row) => ({ ...row })), mark: String(last), more };
    },
    active: (tenant, endedSince) =>
      states(sql('SELECT state FROM calls WHERE (? IS NULL OR tenant = ?) AND (terminal = 0 OR (terminal = 1 AND changed_at >= ?)) ORDER BY created_at DESC').all(tenant, tenant, endedSince)),
    counts: (tenant, since) => {
      const rows = sql('SELECT status, COUNT(*) AS calls, COUNT(transcript_summary) AS summaries FROM calls WHERE tenant = ? AND created_at >= ? GROUP BY status').all(tenant, since) as {
        status: CallStatus;
        calls: number;
        summaries: number;
      }[];
      const completed = rows.find((row) => row.status === 'completed');
      return {
        by_status: Object.fromEntries(rows.map((row) => [row.status, row.calls])),
        completed: completed?.calls ?? 0,
        completed_with_summary: completed?.summaries ?? 0,
      };
    },
    mergedInto: (callSid) => states(sql("SELECT state FROM calls WHERE json_extract(state, '$.merged_into') = ? ORDER BY created_at").all(callSid)),
    createdBefore: (before, limit) => states(sql('SELECT state FROM calls WHERE created_at < ? ORDER BY created_at LIMIT ?').all(before, limit)),
  };
};

const list = (sql: (text: string) => ReturnType<SqliteDatabase['database']['prepare']>, query: ListQuery): { calls: CallState[]; next_cursor: string | null } => {
  const where = ['tenant = :tenant'];
  const values: Record<string, string | number> = { tenant: query.tenant, limit: query.limit + 1 };
  const given = (name: string, value: string | number | undefined, condition: string): void => {
    if (value === undefined) return;
    where.push(condition);
    values[name] = value;
  };
  given('status', query.status, 'status = :status');
  given('driver_id', query.driver_id, 'driver_id = :driver_id');
  given('agent_id', query.agent_id, 'agent_id = :agent_id');
  given('since', query.since, 'created_at >= :since');
  given('q', query.q === undefined ? undefined : `%${query.q.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`, "search LIKE :q ESCAPE '\\'");
  if (query.cursor !== undefined) {
    const cursor = /^(\d{1,15})\.(.{1,512})$/s.exec(query.cursor);
    if (cursor === null) throw new EarshotError('invalid_cursor');
    where.push('(created_at, call_sid) < (:at, :sid)');
    values['at'] = Number(cursor[1]);
    values['sid'] = cursor[2] ?? '';
  }
  const rows = sql(`SELECT state FROM calls WHERE ${where.join(' AND ')} ORDER BY created_at DESC, call_sid DESC LIMIT :limit`).all(values) as { state: string }[];
  const calls = rows.slice(0, query.limit).map((row) => readCallState(row.state));
  const last = calls.at(-1);
  return { calls, next_cursor: rows.length > query.limit && last !== undefined ? `${last.created_at}.${last.call_sid}` : null };
};
