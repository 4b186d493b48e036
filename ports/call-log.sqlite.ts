/**
 * The call log on one machine: node:sqlite, one writing process, any number of readers. Appends that arrive while a commit runs
 * wait and share the next transaction; nobody is answered before its commit.
 */
import { chainStart } from '../core/domain/digest.ts';
import { movedOn } from '../core/domain/call/call-sid.ts';
import { mustFit } from '../core/domain/call/commit-size.ts';
import { underEpoch } from '../core/domain/call/epoch.ts';
import { decide } from '../core/domain/call/decide.ts';
import type { FactEntry } from '../core/domain/call/facts.ts';
import { keysOf, needsHistory, turnKey } from '../core/domain/call/keys.ts';
import { isTerminal, newCallState, type CallDetails, type CallState, type NewCall } from '../core/domain/call/state.ts';
import type { HistoryEvent } from '../core/domain/call/turns.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import type { EventFrame } from '../core/protocol/frames.ts';
import { LOG_MIGRATIONS } from './call-log.sqlite-schema.ts';
import { sqliteReader, type CallReader } from './call-log.sqlite-reader.ts';
import type { AppendResult, CallLog, CreateResult, IdempotencyKey, LoggedEvent, NewGeneration } from './call-log.ts';
import { groupCommits } from './group-commit.ts';
import type { Runtime } from './runtime.ts';
import { openSqlite, type SqliteDatabase } from './sqlite-database.ts';

export interface SqliteCallLogOptions {
  /** File path, or `:memory:`. */
  readonly path: string;
  readonly runtime: Runtime;
  /** For relays beside the one process that writes. The file must exist. */
  readonly readOnly?: boolean;
  /** false: each append has a transaction of its own, as what group commit is measured beside. */
  readonly grouped?: boolean;
}

/** Opens the log; brings its schema up to date unless it is opened to read only. */
export const sqliteCallLog = (options: SqliteCallLogOptions): CallLog => {
  const store = openSqlite({ ...options, migrations: LOG_MIGRATIONS.map((step) => step.up) });
  // Chance comes from the runtime alone, so that a run can be replayed.
  if (options.readOnly !== true) store.sql("UPDATE log SET generation = ? WHERE generation = ''").run(options.runtime.randomHex(4));
  const reader = sqliteReader(store);
  const writer = options.readOnly === true ? null : sqliteWriter(store, reader, options.runtime);
  const commits = options.grouped === false ? store.transaction : groupCommits((units) => store.transaction(units));
  const write = async <T>(work: (writer: Writer) => T): Promise<T> => {
    if (writer === null) throw new Error('this log was opened to read only');
    return commits(() => work(writer));
  };
  return {
    create: (calls, key) => write((to) => to.create(calls, key)),
    append: async (callSid, entries) => {
      const result = await write((to) => to.append(callSid, entries));
      // Thrown here, not in the transaction: what was written there stays.
      if (result === 'erased') throw new EarshotError('call_erased');
      return result;
    },
    adopt: (conversationId, call, entries) => write((to) => to.adopt(conversationId, call, entries)),
    erase: (callSid) => write((to) => to.erase(callSid)),
    repeated: async (key) => store.snapshot(() => reader.repeated(key)),
    find: async (id) => store.snapshot(() => reader.find(id)),
    findMany: async (ids) => store.snapshot(() => ids.map((id) => reader.find(id))),
    get: async (callSid) => store.snapshot(() => reader.get(callSid)),
    findByProviderCall: async (workspace, id) => store.snapshot(() => reader.findByProviderCall(workspace, id)),
    unboundDials: async (workspace, agentId, since) => store.snapshot(() => reader.unboundDials(workspace, agentId, since)),
    read: async (callSid, afterSeq, limit) => store.snapshot(() => reader.page(callSid, afterSeq, limit)),
    wholeText: async (callSid, seq) => store.snapshot(() => reader.wholeText(callSid, seq)),
    details: async (callSid) => store.snapshot(() => reader.details(callSid)),
    knowsTurn: async (callSid, turnId) => store.snapshot(() => reader.hasKey(callSid, turnKey(turnId))),
    list: async (query) => store.snapshot(() => reader.list(query)),
    changes: async (tenants, mark) => store.snapshot(() => reader.changes(tenants, mark)),
    active: async (tenant, endedSince) => store.snapshot(() => reader.active(tenant, endedSince)),
    counts: async (tenant, since) => store.snapshot(() => reader.counts(tenant, since)),
    mergedInto: async (callSid) => store.snapshot(() => reader.mergedInto(callSid)),
    createdBefore: async (before, limit) => store.snapshot(() => reader.createdBefore(before, limit)),
    sweep: async () => 0,
    newGeneration: async ({ onMoved } = {}) => {
      const done = await write((to) => to.newGeneration());
      onMoved?.(done.calls);
      return done;
    },
    check: async () => store.snapshot(() => void reader.mark()),
    close: async () => {
      await commits(() => undefined).catch(() => undefined);
      store.close();
    },
  };
};

/** What stands inside a transaction. */
interface Writer {
  create(calls: readonly NewCall[], key: IdempotencyKey | null): CreateResult;
  append(callSid: string, entries: readonly FactEntry[]): AppendResult | 'erased' | null;
  adopt(conversationId: string, call: NewCall, entries: readonly FactEntry[]): AppendResult;
  erase(callSid: string): boolean;
  newGeneration(): NewGeneration;
}

const NO_DETAILS: CallDetails = { analysis_data: null, metadata_json: null };

const sqliteWriter = (store: SqliteDatabase, reader: CallReader, runtime: Runtime): Writer => {
  const { sql } = store;
  const nextMark = sql('UPDATE log SET mark = mark + 1 RETURNING mark');
  const putCall = sql(`
    INSERT INTO calls (call_sid, tenant, workspace, conversation_id, status, terminal, agent_id, driver_id, search, created_at, changed_at, unbound_since, mark,
      state, transcript_summary, call_duration_seconds, cost, call_successful, analysis_data, metadata_json)
    VALUES (:call_sid, :tenant, :workspace, :conversation_id, :status, :terminal, :agent_id, :driver_id, :search, :created_at, :changed_at, :unbound_since, :mark,
      :state, :transcript_summary, :call_duration_seconds, :cost, :call_successful, :analysis_data, :metadata_json)
    ON CONFLICT (call_sid) DO UPDATE SET conversation_id = excluded.conversation_id, status = excluded.status, terminal = excluded.terminal,
      agent_id = excluded.agent_id, search = excluded.search, changed_at = excluded.changed_at, unbound_since = excluded.unbound_since, mark = excluded.mark,
      state = excluded.state, transcript_summary = excluded.transcript_summary, call_duration_seconds = excluded.call_duration_seconds, cost = excluded.cost,
      call_successful = excluded.call_successful, analysis_data = excluded.analysis_data, metadata_json = excluded.metadata_json`);
  const putEvent = sql('INSERT INTO events (call_sid, seq, text, whole_text) VALUES (?, ?, ?, ?)');
  const putKey = sql('INSERT INTO keys (call_sid, key, value) VALUES (?, ?, ?) ON CONFLICT (call_sid, key) DO UPDATE SET value = excluded.value');
  const getKey = sql('SELECT value FROM keys WHERE call_sid = ? AND key = ?');
  const bindConversation = sql('INSERT INTO conversations (conversation_id, call_sid) VALUES (?, ?)');
  const bindProviderCall = sql('INSERT INTO provider_calls (workspace, provider_call_id, call_sid) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const putIdempotency = sql('INSERT INTO idempotency (key, request_hash, call_sids) VALUES (?, ?, ?)');
  const allEvents = sql('SELECT text, whole_text FROM events WHERE call_sid = ? ORDER BY seq');
  const nameGeneration = sql('UPDATE log SET generation = ?');
  const putTombstone = sql('INSERT INTO tombstones (id, erased_at, tenant, mark) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING');

  const putState = (call: CallState, details: CallDetails): void => {
    const { mark } = nextMark.get() as { mark: number };
    putCall.run({
      call_sid: call.call_sid,
      tenant: call.tenant,
      workspace: call.workspace,
      conversation_id: call.conversation_id,
      status: call.status,
      terminal: Number(isTerminal(call.status)),
      agent_id: call.agent_id,
      driver_id: call.driver?.driverId ?? null,
      search: [call.driver?.driverName, call.call_sid, call.conversation_id, call.to_number].filter((part) => typeof part === 'string').join('\n').toLowerCase(),
      created_at: call.created_at,
      changed_at: call.changed_at,
      unbound_since: call.conversation_id === null && call.dialed_at !== null && !isTerminal(call.status) ? call.dialed_at : null,
      mark,
      state: JSON.stringify(call),
      transcript_summary: call.transcript_summary,
      call_duration_seconds: call.call_duration_seconds,
      cost: call.cost,
      call_successful: call.call_successful === null ? null : Number(call.call_successful),
      ...details,
    });
  };

  /** Decides and writes; the call's projection is written even where nothing changed but a key. */
  const commit = (call: CallState, details: CallDetails, entries: readonly FactEntry[]): AppendResult => {
    const seen = new Map<string, string>();
    for (const key of new Set(entries.flatMap((entry) => keysOf(call.call_sid, entry, runtime.sha256)))) {
      const row = getKey.get(call.call_sid, key) as { value: string } | undefined;
      if (row !== undefined) seen.set(key, row.value);
    }
    const owners = new Map<string, string>();
    for (const { conversation_id: id } of entries) {
      if (id === null) continue;
      if (reader.isErased(id)) throw new EarshotError('call_erased');
      const owner = reader.ownerOf(id);
      if (owner !== null) owners.set(id, owner);
    }
    const history = call.last_seq > 0 && needsHistory(entries, call.transcript_final) ? (allEvents.all(call.call_sid) as unknown as { text: string; whole_text: string | null }[]).map(readEvent) : null;
    const decision = decide({ call, entries, seen, owners, history, details, now: runtime.now(), sha256: runtime.sha256 });
    mustFit(decision, details);
    const after = decision.call;
    if (after.conversation_id !== null && after.conversation_id !== call.conversation_id) bindConversation.run(after.conversation_id, call.call_sid);
    if (after.provider_call_id !== null && after.provider_call_id !== call.provider_call_id) bindProviderCall.run(call.workspace, after.provider_call_id, call.call_sid);
    for (const event of decision.events) putEvent.run(call.call_sid, event.seq, event.text, event.whole_text);
    for (const [key, value] of decision.keys) putKey.run(call.call_sid, key, value);
    if (after !== call || call.last_seq === 0) putState(after, decision.details);
    return { call: after, results: decision.results, events: decision.events.map(({ seq, text }): LoggedEvent => ({ seq, text })) };
  };

  /** The dial of an erased call is answered: without a tombstone its conversation would be adopted as nobody's. */
  const stopConversations = (entries: readonly FactEntry[]): void => {
    for (const { fact, conversation_id: id } of entries) {
      if (fact.kind === 'dial_accepted' && id !== null && reader.ownerOf(id) === null) putTombstone.run(id, runtime.now(), null, null);
    }
  };

  const newEpoch = (generation: string): string => `${generation}.${runtime.randomHex(6)}`;

  /** A new call under the first free id: milliseconds move on until it is. */
  const fresh = (call: NewCall): CallState => {
    let callSid = call.call_sid;
    while (reader.exists(callSid)) callSid = movedOn(callSid);
    const epoch = newEpoch(reader.generation());
    return newCallState({ ...call, call_sid: callSid }, epoch, runtime.now(), chainStart(epoch, runtime.sha256));
  };

  return {
    create: (calls, key) => {
      const known = key === null ? null : reader.repeated(key);
      if (known !== null) return known;
      const made = calls.map((call) => commit(fresh(call), NO_DETAILS, [{ fact: { kind: 'requested' }, source: 'request', conversation_id: null, provider_call_id: null }]));
      if (key !== null) putIdempotency.run(key.key, key.request_hash, JSON.stringify(made.map(({ call }) => call.call_sid)));
      return { result: 'created', calls: made.map(({ call }) => call), events: made.map(({ events }) => [...events]) };
    },
    append: (callSid, entries) => {
      const call = reader.get(callSid);
      if (call === null) {
        if (!reader.isErased(callSid)) return null;
        stopConversations(entries);
        return 'erased';
      }
      return commit(call, reader.details(callSid) ?? NO_DETAILS, entries);
    },
    adopt: (conversationId, call, entries) => {
      if (reader.isErased(conversationId)) throw new EarshotError('call_erased');
      const owner = reader.ownerOf(conversationId);
      const owned = owner === null ? null : reader.get(owner);
      if (owned !== null && (owned.workspace !== call.workspace || owned.tenant !== call.tenant)) {
        return { call: owned, results: entries.map(() => ({ result: 'ignored', why: 'foreign' }) as const), events: [] };
      }
      if (owned !== null) return commit(owned, reader.details(owned.call_sid) ?? NO_DETAILS, entries);
      return commit(fresh(call), NO_DETAILS, entries.map((entry) => ({ ...entry, conversation_id: conversationId })));
    },
    erase: (callSid) => {
      const call = reader.get(callSid);
      if (call === null) return false;
      const { mark } = nextMark.get() as { mark: number };
      putTombstone.run(call.call_sid, runtime.now(), call.tenant, mark);
      if (call.conversation_id !== null) putTombstone.run(call.conversation_id, runtime.now(), null, null);
      for (const table of ['events', 'keys', 'calls', 'conversations', 'provider_calls']) sql(`DELETE FROM ${table} WHERE call_sid = ?`).run(callSid);
      return true;
    },
    // In one transaction: where it is cut off, nothing of it was done.
    newGeneration: () => {
      const generation = runtime.randomHex(4);
      nameGeneration.run(generation);
      const open = reader.active(null, Number.MAX_SAFE_INTEGER).filter((call) => call.seal_revision === 0);
      for (const call of open) {
        const texts = (allEvents.all(call.call_sid) as { text: string }[]).map(({ text }) => text);
        putState(underEpoch(call, newEpoch(generation), texts, runtime.sha256), reader.details(call.call_sid) ?? NO_DETAILS);
      }
      return { generation, calls: open.length };
    },
  };
};

const readEvent = (row: { text: string; whole_text: string | null }): HistoryEvent => ({ event: JSON.parse(row.text) as EventFrame, whole_text: row.whole_text });
