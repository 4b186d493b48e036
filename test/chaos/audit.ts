/** The auditor: reads the log and the quarantine straight from the store. */
import type { CallState } from '../../core/domain/call/state.ts';
import type { CallLog } from '../../ports/call-log.ts';
import { withDeliveries, withLog } from '../fixtures/stored-data.ts';
import type { Notes } from './notes.ts';

const PAGE_ROWS = 200;
const PAGE_EVENTS = 1_000;

/** Every call of both tenants. */
export const allCalls = async (log: CallLog): Promise<readonly CallState[]> => {
  const found: CallState[] = [];
  for (const tenant of ['t1', 't2']) {
    for (let cursor: string | undefined; ; ) {
      const page = await log.list({ tenant, limit: PAGE_ROWS, cursor });
      found.push(...page.calls);
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
  }
  return found;
};

export class Auditor {
  /** Events that the last reading of all found. */
  events = 0;
  calls = 0;
  readonly #dataDir: string;
  readonly #notes: Notes;
  readonly #seen = new Map<string, number>();

  constructor(dataDir: string, notes: Notes) {
    this.#dataDir = dataDir;
    this.#notes = notes;
  }

  /** Notes what changed since the last time; at the end everything. */
  async read(final: boolean): Promise<void> {
    await withLog(this.#dataDir, async (log) => {
      const calls = await allCalls(log);
      this.calls = calls.length;
      this.events = calls.reduce((sum, call) => sum + call.last_seq, 0);
      for (const call of calls) {
        if (!final && this.#seen.get(call.call_sid) === call.changed_at) continue;
        this.#seen.set(call.call_sid, call.changed_at);
        await this.#note(log, call.call_sid, final);
      }
    });
  }

  async #note(log: CallLog, callSid: string, final: boolean): Promise<void> {
    const texts: (string | null)[] = [];
    for (let head = 1; texts.length < head; ) {
      const page = await log.read(callSid, texts.length, PAGE_EVENTS);
      if (page === null) return;
      const { call } = page;
      head = call.last_seq;
      const bySeq = new Map(page.events.map(({ seq, text }) => [seq, text]));
      const to = page.events.at(-1)?.seq ?? head;
      for (let seq = texts.length + 1; seq <= to; seq++) texts.push(bySeq.get(seq) ?? null);
      if (texts.length < head) continue;
      const { tenant, workspace, agent_id, epoch, conversation_id, merged_into, status } = call;
      this.#notes.take({ actor: 'auditor', op: 'logged', call_sid: callSid, tenant, workspace, agent_id, epoch, conversation_id, merged_into, status, last_seq: head, texts, removed: [], final });
    }
  }

  /** Notes what waits in quarantine. */
  async readQuarantine(): Promise<void> {
    await withDeliveries(this.#dataDir, async (store) => {
      const now = Date.now();
      for (let after: string | null = null; ; ) {
        const entries = await store.quarantine(null, after, PAGE_ROWS);
        for (const { id } of entries) {
          const entry = await store.get(id);
          if (entry !== null) this.#notes.take({ actor: 'auditor', op: 'quarantined', reason: entry.reason, conversation_id: entry.conversation_id, body: entry.body, age_ms: now - entry.received_at });
        }
        after = entries.at(-1)?.id ?? null;
        if (entries.length < PAGE_ROWS) break;
      }
    });
  }
}
