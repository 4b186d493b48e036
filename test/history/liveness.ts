/** I3: after healing everyone catches up in bounded time, and nothing stays stuck that the provider shows as final. */
import { DIAL_UNKNOWN_MAX_MS, RECONCILE_MS, UNBOUND_DIAL_WAIT_MS } from '../../core/protocol/limits.ts';
import type { RecordOf } from './history.ts';
import { eventsOf, isTerminalStatus } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** What became known later than this before the end had no time to come right. */
const SETTLES_MS = 15_000;
/** Its dial may claim it so long, and the job that frees it then runs this often. */
const WAITS_MAX_MS = UNBOUND_DIAL_WAIT_MS + RECONCILE_MS;

/** So long after the healing every dial is settled, clocks and jobs allowed for. */
const DIALS_SETTLE_MS = DIAL_UNKNOWN_MAX_MS + 5 * 60_000;

export const checkLiveness = (world: World, report: Report): void => {
  if (world.healed === null) return;
  checkShown(world, world.healed.record, report);
  checkFinished(world, world.healed.record, report);
  checkUnfinished(world, world.healed.record, report);
  checkQuarantine(world, report);
};

const checkShown = (world: World, { unreachable }: RecordOf<'healed'>, report: Report): void => {
  const away = new Set(unreachable);
  const follows = new Map<string, RecordOf<'follow'>>();
  for (const { record } of world.of('follow')) follows.set(`${record.actor}\n${record.id}`, record);
  const refused = new Set<string>();
  for (const { record } of world.of('refused')) refused.add(`${record.actor}\n${record.id}`);
  const last = new Map<string, { record: RecordOf<'shown'>; index: number }>();
  for (const entry of world.of('shown')) last.set(`${entry.record.actor}\n${entry.record.id}`, entry);
  for (const [key, { record, index }] of last) {
    const follow = follows.get(key);
    if (!record.connected || record.stopped || away.has(record.actor) || follow === undefined) continue;
    const call = world.resolve(record.call_sid ?? record.id);
    if (call?.final == null || call.final.record.tenant !== follow.tenant || !world.holdsRight(follow.user, follow.tenant) || world.mayBeErased(call.callSid)) continue;
    if (record.call_sid === null && refused.has(key)) continue;
    const { last_seq: head } = call.final.record;
    if (record.call_sid !== call.callSid) report('I3', `${record.actor} shows ${record.call_sid ?? 'nothing'} as ${record.id}, which is ${call.callSid} by now`, index);
    else if (record.seq !== head) report('I3', `${record.actor} shows ${record.id} up to ${record.seq} after the healing, and ${call.callSid} goes to ${head}`, index);
    else if (!record.live) report('I3', `${record.actor} shows all of ${record.id} after the healing and does not say that it is live`, index);
  }
};

const checkFinished = (world: World, healed: RecordOf<'healed'>, report: Report): void => {
  for (const [conversationId, { record, index }] of world.conversations) {
    if (record.state !== 'done' && record.state !== 'failed') continue;
    if (record.at > healed.at && world.endsAt - record.at < SETTLES_MS) continue;
    if (!world.agents.has(record.agent_id) || world.mayBeErasedConversation(conversationId) || index < world.restoredAt) continue;
    const call = world.resolve(conversationId);
    const status = call?.final?.record.status;
    if (!isTerminalStatus(status)) report('I3', `the provider shows ${conversationId} as ${record.state}, and ${call?.callSid ?? 'no call'} is ${status ?? 'there'}`, index);
  }
};

/** A call that was asked for comes to an end, or a person is asked to look at it: also one whose dial nobody was left to make, or to hear of. */
const checkUnfinished = (world: World, healed: RecordOf<'healed'>, report: Report): void => {
  for (const call of world.calls.values()) {
    if (call.final === null || call.final.record.at - healed.at < DIALS_SETTLE_MS || call.current.hasHoles) continue;
    const { status, conversation_id } = call.final.record;
    const asked = eventsOf(call.current).some((event) => event.type === 'call_status' && event.reason === 'needs_person');
    if (!isTerminalStatus(status) && conversation_id === null && !asked) report('I3', `${call.callSid} is ${status} for good, and nobody is asked to look at it`, call.final.index);
  }
};

const checkQuarantine = (world: World, report: Report): void => {
  for (const { record, index } of world.of('quarantined')) {
    if (record.reason !== 'waiting') continue;
    const id = record.conversation_id;
    const bound = id !== null && world.resolve(id) !== null;
    if (bound) report('I3', `a delivery of ${id} waits in quarantine, and its conversation is bound`, index);
    else if (record.age_ms > WAITS_MAX_MS) report('I3', `a delivery of ${id ?? 'no conversation'} waits in quarantine since ${record.age_ms} ms`, index);
  }
};
