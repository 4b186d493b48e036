/**
 * I11: a relay's memory is bounded by its sessions and calls, whatever the slowest client does.
 * I13: subscriptions, tickets, leases and rooms do not outlive their bounds.
 */
import { BUFFER_HIGH_WATER_BYTES, FRAME_MAX_BYTES, SUBSCRIPTIONS_MAX_COUNT } from '../../core/protocol/limits.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** Answers to connections that are no sessions yet, or are being refused. */
const RELAY_MAX_BYTES = 4 * FRAME_MAX_BYTES;
/**
 * A pump stops once this much waits (one event may stand over the mark); beside it a session may be owed a heartbeat with its heads,
 * an update of the board and the answers to a message that subscribes to many calls at once: a frame's worth each.
 */
const SESSION_MAX_BYTES = BUFFER_HIGH_WATER_BYTES + 4 * FRAME_MAX_BYTES;
/** A snapshot of the board has a row for each active call, and goes out whole; rows are a fraction of this. */
const CALL_MAX_BYTES = 2 * 1024;

export const checkBounds = (world: World, report: Report): void => {
  const followed = new Set<string>();
  for (const [index, record] of world.records.entries()) {
    if (record.op === 'follow') followed.add(record.id);
    else if (record.op === 'confirmed') followed.add(record.call_sid);
    else if (record.op === 'frame' && record.type === 'subscription_confirmed' && record.call_sid !== null) followed.add(record.call_sid);
    else if (record.op === 'held') {
      const { relay, sessions, calls, bytes } = record;
      const most = RELAY_MAX_BYTES + sessions * (SESSION_MAX_BYTES + Math.max(calls, world.calls.size) * CALL_MAX_BYTES);
      if (bytes > most) report('I11', `${relay} holds ${bytes} bytes for ${sessions} sessions and ${calls} calls, at most ${most}`, index);
      const mostOfOne = SESSION_MAX_BYTES + Math.max(calls, world.calls.size) * CALL_MAX_BYTES;
      if ((record.most ?? 0) > mostOfOne) report('I11', `${relay} holds ${record.most ?? 0} bytes for one session, at most ${mostOfOne}`, index);
      // A call is dropped with its last watcher, so there are no more of them than subscriptions, nor than anybody ever asked for.
      const watched = Math.min(sessions * SUBSCRIPTIONS_MAX_COUNT, followed.size);
      if (calls > watched) report('I11', `${relay} holds ${calls} calls for ${sessions} sessions, which watch at most ${watched}`, index);
    }
  }
  for (const { record, index } of world.of('left')) {
    for (const what of ['subscriptions', 'tickets', 'leases', 'rooms', 'sessions'] as const) {
      if ((record[what] ?? 0) !== 0) report('I13', `${record[what]} ${what} are left when everybody has gone`, index);
    }
  }
};
