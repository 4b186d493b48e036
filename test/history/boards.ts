/** I3, the board: after the healing each row says what the log says, calls that are gone have none, and calls of now have one. */
import { BOARD_ENDED_MS } from '../../core/protocol/limits.ts';
import type { RecordOf } from './history.ts';
import { isTerminalStatus } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** A relay's clock may be ahead of the others by this, and lets calls go earlier by its own. */
const CLOCKS_MAX_MS = 10 * 60_000;
const JUMPS = 'clock_jump';

export const checkBoards = (world: World, report: Report): void => {
  const finals = world.of('logged').some(({ record }) => record.final);
  if (world.healed === null || !finals) return;
  const away = new Set(world.healed.record.unreachable);
  const last = new Map<string, { readonly record: RecordOf<'board'>; readonly index: number }>();
  for (const entry of world.of('board')) last.set(entry.record.actor, entry);
  for (const { record, index } of last.values()) {
    if (!record.connected || away.has(record.actor) || !world.holdsRight(record.user, record.tenant)) continue;
    checkRows(world, record, index, report);
    checkAbsent(world, record, index, report);
  }
};

const checkRows = (world: World, board: RecordOf<'board'>, index: number, report: Report): void => {
  for (const row of board.rows) {
    const call = world.calls.get(row.call_sid)?.final?.record;
    const what = `the board of ${board.actor} shows ${row.call_sid}`;
    if (call === undefined) {
      if (world.erasedAt(row.call_sid) !== null || !world.mayBeErased(row.call_sid)) report('I3', `${what}, which is in no log`, index);
    } else if (call.merged_into !== null) report('I3', `${what}, which is ${call.merged_into} by now`, index);
    else if (row.status !== call.status || row.last_seq !== call.last_seq || row.epoch !== call.epoch || row.conversation_id !== call.conversation_id) {
      report('I3', `${what} as ${row.status} at ${row.last_seq}, and it is ${call.status} at ${call.last_seq}`, index);
    }
  }
};

const checkAbsent = (world: World, board: RecordOf<'board'>, index: number, report: Report): void => {
  if (world.of('fault').some(({ record }) => record.kind === JUMPS)) return;
  const rows = new Set(board.rows.map((row) => row.call_sid));
  for (const call of world.calls.values()) {
    const final = call.final?.record;
    if (final?.tenant !== board.tenant || final.merged_into !== null || rows.has(call.callSid) || world.mayBeErased(call.callSid)) continue;
    const conversation = final.conversation_id === null ? undefined : world.conversations.get(final.conversation_id)?.record;
    const since = isTerminalStatus(final.status) ? board.at - (conversation?.at ?? 0) : 0;
    if (since < BOARD_ENDED_MS - CLOCKS_MAX_MS) report('I3', `the board of ${board.actor} lacks ${call.callSid}, which is ${final.status}`, index);
  }
};
