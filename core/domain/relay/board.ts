/**
 * The board of one tenant: a row for each call that is not terminal or ended a short while ago. Rows come from the log
 * alone. A watcher costs one number, the version it has seen: whatever changed since is sent when it has room, each row once,
 * as it is by then.
 */
import { BOARD_ENDED_MS } from '../../protocol/limits.ts';
import type { BoardRow } from '../../protocol/frames.ts';
import { isTerminal, type CallState } from '../call/state.ts';

/** What a watcher wants to see; nothing given: all. */
export interface BoardFilter {
  readonly status?: string | undefined;
  readonly agent_id?: string | undefined;
  readonly driver_id?: string | undefined;
}

interface Entry {
  readonly row: BoardRow;
  readonly driverId: string | null;
  readonly changedAt: number;
  /** Wall clock when the call ended; null: it has not. */
  readonly endedAt: number | null;
  readonly version: number;
  /** When the status last changed: a filter on the status lets go of the row then. */
  readonly statusVersion: number;
}

export interface BoardChanges {
  readonly rows: readonly BoardRow[];
  readonly gone: readonly string[];
  readonly version: number;
}

/** Calls that left the board, remembered for watchers that have not heard; past it a watcher starts with a new snapshot. */
const GONE_MAX_COUNT = 1_000;

const time = (ms: number): string => new Date(ms).toISOString();
const timeOrNull = (ms: number | null): string | null => (ms === null ? null : time(ms));

/** When the call ended, as far as is known; null: it has not. */
const endOf = (call: CallState): number | null => (isTerminal(call.status) ? (call.call_end_time ?? call.changed_at) : null);

/** The row of a call. */
export const boardRow = (call: CallState): BoardRow => ({
  call_sid: call.call_sid,
  conversation_id: call.conversation_id,
  driver_name: call.driver?.driverName ?? null,
  agent_id: call.agent_id,
  status: call.status,
  created_at: time(call.created_at),
  started_at: timeOrNull(call.started_at),
  ended_at: timeOrNull(endOf(call)),
  reason: call.reason,
  last_line: call.last_line,
  epoch: call.epoch,
  last_seq: call.last_seq,
  changed_at: time(call.changed_at),
});

const matchesFixed = (entry: Entry, filter: BoardFilter): boolean =>
  (filter.agent_id === undefined || entry.row.agent_id === filter.agent_id) &&
  (filter.driver_id === undefined || entry.driverId === filter.driver_id);
const matchesStatus = (entry: Entry, filter: BoardFilter): boolean => filter.status === undefined || entry.row.status === filter.status;

export class Board {
  #version = 1;
  readonly #entries = new Map<string, Entry>();
  readonly #gone = new Map<string, number>();
  /** Versions up to this are no longer covered by what is remembered as gone. */
  #goneFrom = 0;

  /** The newest version; a watcher that has it has seen everything. */
  get version(): number {
    return this.#version;
  }

  /** A call as the log shows it. An older sight of it than the one here changes nothing. */
  put(call: CallState, now: number): void {
    const endedAt = endOf(call);
    if (call.merged_into !== null || (endedAt !== null && endedAt < now - BOARD_ENDED_MS)) {
      this.remove(call.call_sid);
      return;
    }
    const before = this.#entries.get(call.call_sid);
    const row = boardRow(call);
    if (before !== undefined) {
      // The log's count decides; times come from the clocks of several processes.
      const older = before.row.epoch === row.epoch && (call.last_seq < before.row.last_seq || (call.last_seq === before.row.last_seq && call.changed_at < before.changedAt));
      const same = before.changedAt === call.changed_at && before.row.last_seq === row.last_seq && before.row.epoch === row.epoch;
      if (older || same) return;
    }
    this.#version++;
    this.#gone.delete(call.call_sid);
    this.#entries.set(call.call_sid, {
      row,
      driverId: call.driver?.driverId ?? null,
      changedAt: call.changed_at,
      endedAt,
      version: this.#version,
      statusVersion: before !== undefined && before.row.status === row.status ? before.statusVersion : this.#version,
    });
  }

  /** The call is not on the board any more. */
  remove(callSid: string): void {
    if (!this.#entries.delete(callSid)) return;
    this.#version++;
    this.#gone.set(callSid, this.#version);
    if (this.#gone.size <= GONE_MAX_COUNT) return;
    for (const [oldest, version] of this.#gone) {
      this.#gone.delete(oldest);
      this.#goneFrom = version;
      return;
    }
  }

  /** Lets calls go that ended long enough ago. */
  expire(now: number): void {
    for (const [callSid, entry] of this.#entries) {
      if (entry.endedAt !== null && entry.endedAt < now - BOARD_ENDED_MS) this.remove(callSid);
    }
  }

  /** Everything that the filter lets through, newest change last. */
  snapshot(filter: BoardFilter): readonly BoardRow[] {
    const shown = [...this.#entries.values()].filter((entry) => matchesFixed(entry, filter) && matchesStatus(entry, filter));
    return shown.sort((a, b) => a.version - b.version).map((entry) => entry.row);
  }

  /** What changed after a version; null where so much has left that only a new snapshot tells. */
  since(version: number, filter: BoardFilter): BoardChanges | null {
    if (version < this.#goneFrom) return null;
    const rows: BoardRow[] = [];
    const gone: string[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.version <= version || !matchesFixed(entry, filter)) continue;
      if (matchesStatus(entry, filter)) rows.push(entry.row);
      else if (entry.statusVersion > version) gone.push(entry.row.call_sid);
    }
    for (const [callSid, goneAt] of this.#gone) if (goneAt > version) gone.push(callSid);
    return { rows, gone, version: this.#version };
  }
}
