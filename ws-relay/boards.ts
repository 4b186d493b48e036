/**
 * The boards that somebody here watches, one for each tenant. A message of the bus only marks a call as changed: rows come
 * from the log, changed calls read together at most every BOARD_UPDATE_MS.
 */
import { Board, type BoardFilter } from '../core/domain/relay/board.ts';
import { errorFrame, type MessageId, echo } from '../core/domain/relay/message.ts';
import type { CallState } from '../core/domain/call/state.ts';
import { BOARD_ENDED_MS, BOARD_UPDATE_MS } from '../core/protocol/limits.ts';
import { BoardFrames, snapshotFrames } from './board-frames.ts';
import type { RelayParts } from './parts.ts';
import { say, write, type Viewer } from './viewer.ts';

interface Watcher {
  readonly filter: BoardFilter;
  version: number;
}

interface TenantBoard {
  readonly tenant: string;
  readonly board: Board;
  readonly frames: BoardFrames;
  readonly watchers: Map<Viewer, Watcher>;
  /** Those who will watch once the rows are there. */
  readonly waiting: Set<Viewer>;
  /** What changed is read only after the first reading of all rows: that would bring back what has left meanwhile. */
  readonly dirty: Set<string>;
  /** The first reading of all rows; null: it has to be begun. */
  loaded: Promise<void> | null;
  ready: boolean;
  timed: boolean;
  reading: boolean;
}

export interface Boards {
  /** Sends the snapshot, or an error where the log does not answer; afterwards the changes. */
  watch(viewer: Viewer, tenant: string, filter: BoardFilter, id: MessageId): Promise<void>;
  unwatch(viewer: Viewer): void;
  /** A call changed, says a message. */
  changed(tenant: string, callSid: string): void;
  /** A call as the log shows it. */
  compared(call: CallState): void;
  /** Sends a viewer the changes it lacks, if it has room. */
  pump(viewer: Viewer): void;
  /** Once a second: calls that ended long enough ago leave, what could not be read or sent is tried again. */
  tick(): void;
}

export const createBoards = ({ callLog, runtime, log }: Pick<RelayParts, 'callLog' | 'runtime' | 'log'>): Boards => {
  const boards = new Map<string, TenantBoard>();
  const boardOf = new Map<Viewer, TenantBoard>();

  const load = async (of: TenantBoard): Promise<void> => {
    const rows = await callLog.active(of.tenant, runtime.now() - BOARD_ENDED_MS);
    for (const call of rows) of.board.put(call, runtime.now());
    of.ready = true;
  };

  const pumpWatcher = (of: TenantBoard, viewer: Viewer, watcher: Watcher): void => {
    if (viewer.session.paused || watcher.version >= of.board.version || viewer.transport.room() <= 0) return;
    const frames = of.frames.since(watcher.version, watcher.filter);
    watcher.version = of.board.version;
    for (const frame of frames) write(viewer, frame);
  };

  const pumpBoard = (of: TenantBoard): void => {
    for (const [viewer, watcher] of of.watchers) pumpWatcher(of, viewer, watcher);
  };

  const readDirty = async (of: TenantBoard): Promise<void> => {
    const asked = [...of.dirty];
    of.dirty.clear();
    of.reading = true;
    try {
      const found = await callLog.findMany(asked);
      asked.forEach((callSid, place) => {
        const call = found[place] ?? null;
        // Merged calls answer with their owner, which stands on the board for both.
        if (call === null || call === 'erased' || call.call_sid !== callSid) of.board.remove(callSid);
        if (call !== null && call !== 'erased' && call.tenant === of.tenant) of.board.put(call, runtime.now());
      });
    } catch (error) {
      for (const callSid of asked) of.dirty.add(callSid);
      log.warn('Reading the board failed', { tenant: of.tenant, error: error instanceof Error ? error.name : 'unknown' });
    }
    of.reading = false;
    pumpBoard(of);
  };

  const schedule = (of: TenantBoard): void => {
    if (of.timed) return;
    of.timed = true;
    runtime.after(BOARD_UPDATE_MS, () => {
      of.timed = false;
      if (boards.get(of.tenant) !== of) return;
      if (of.dirty.size > 0 && of.ready && !of.reading) void readDirty(of);
      else pumpBoard(of);
    });
  };

  /** With the last of them goes the board, and its rows if they are still on their way: of a tenant without sessions no change is told. */
  const leave = (of: TenantBoard, viewer: Viewer): void => {
    of.waiting.delete(viewer);
    of.watchers.delete(viewer);
    if (of.watchers.size === 0 && of.waiting.size === 0 && boards.get(of.tenant) === of) boards.delete(of.tenant);
  };

  return {
    watch: async (viewer, tenant, filter, id) => {
      let of = boards.get(tenant);
      if (of === undefined) {
        const board = new Board();
        of = { tenant, board, frames: new BoardFrames(board), watchers: new Map(), waiting: new Set(), dirty: new Set(), loaded: null, ready: false, timed: false, reading: false };
        boards.set(tenant, of);
      }
      of.waiting.add(viewer);
      boardOf.set(viewer, of);
      const loading = (of.loaded ??= load(of));
      try {
        await loading;
      } catch {
        if (of.loaded === loading) of.loaded = null;
        if (boardOf.get(viewer) !== of) return;
        boardOf.delete(viewer);
        leave(of, viewer);
        say(viewer, errorFrame('store_unavailable', null, id));
        return;
      }
      // Its session ended meanwhile.
      if (boardOf.get(viewer) !== of) return;
      of.waiting.delete(viewer);
      of.watchers.set(viewer, { filter, version: of.board.version });
      for (const frame of id === undefined ? of.frames.snapshot(filter) : snapshotFrames(of.board.snapshot(filter), echo(id))) write(viewer, frame);
      if (of.dirty.size > 0) schedule(of);
    },
    unwatch: (viewer) => {
      const of = boardOf.get(viewer);
      if (of === undefined) return;
      boardOf.delete(viewer);
      leave(of, viewer);
    },
    changed: (tenant, callSid) => {
      const of = boards.get(tenant);
      if (of === undefined) return;
      of.dirty.add(callSid);
      schedule(of);
    },
    compared: (call) => {
      const of = boards.get(call.tenant);
      if (of === undefined) return;
      if (of.ready) of.board.put(call, runtime.now());
      else of.dirty.add(call.call_sid);
      schedule(of);
    },
    pump: (viewer) => {
      const of = boardOf.get(viewer);
      const watcher = of?.watchers.get(viewer);
      if (of !== undefined && watcher !== undefined) pumpWatcher(of, viewer, watcher);
    },
    tick: () => {
      for (const of of boards.values()) {
        of.frames.forget();
        of.board.expire(runtime.now());
        if (of.dirty.size > 0) schedule(of);
        else pumpBoard(of);
      }
    },
  };
};
