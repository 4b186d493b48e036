/** I9: one Idempotency-Key, at most one dial; a dial is in the log before the phone rings; each `unknown` is settled once. */
import type { EpochLog } from './logged-call.ts';
import { eventsOf } from './reading-events.ts';
import type { Report } from './violation.ts';
import { listIn, type World } from './world.ts';

export const checkDials = (world: World, report: Report): void => {
  const intents = checkRequests(world, report);
  checkRings(world, intents, report);
  for (const call of world.calls.values()) for (const log of call.epochs.values()) checkUnknown(log, report);
};

/** What somebody wanted: all requests of one user under one key, or one request without a key. */
interface Intent {
  readonly number: string;
  /** Calls of its first answer; null: none was heard. */
  calls: readonly string[] | null;
  /** Every attempt surely had no effect. */
  failed: boolean;
}

const checkRequests = (world: World, report: Report): readonly Intent[] => {
  const intents = new Map<string, Intent>();
  const intentOf = new Map<string, string>();
  const pending = new Map<string, number>();
  const owners = new Map<string, string>();
  for (const { record, index } of world.of('request')) {
    if (record.phase === 'invoke') {
      const key = record.idempotency_key === null ? record.id : `${record.user}\n${record.tenant}\n${record.idempotency_key}`;
      intentOf.set(record.id, key);
      pending.set(key, (pending.get(key) ?? 0) + 1);
      if (!intents.has(key)) intents.set(key, { number: record.number, calls: null, failed: false });
      continue;
    }
    const key = intentOf.get(record.id) ?? record.id;
    const intent = intents.get(key);
    if (intent === undefined) continue;
    if (record.phase === 'fail') {
      const left = (pending.get(key) ?? 1) - 1;
      pending.set(key, left);
      intent.failed = left === 0 && intent.calls === null;
    }
    if (record.phase !== 'ok') continue;
    if (intent.calls !== null && !sameCalls(intent.calls, record.call_sids)) {
      report('I9', `request ${record.id} was answered with ${record.call_sids.join(', ')}, and the same key before with ${intent.calls.join(', ')}`, index);
    }
    intent.calls ??= record.call_sids;
    for (const callSid of record.call_sids) {
      const owner = owners.get(callSid);
      if (owner !== undefined && owner !== key) report('I9', `request ${record.id} was answered with ${callSid}, which another request began`, index);
      owners.set(callSid, owner ?? key);
    }
  }
  return [...intents.values()];
};

const sameCalls = (a: readonly string[], b: readonly string[]): boolean => a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');

const checkRings = (world: World, intents: readonly Intent[], report: Report): void => {
  const wanted = new Map<string, number>();
  for (const intent of intents) wanted.set(intent.number, (wanted.get(intent.number) ?? 0) + (intent.failed ? 0 : Math.max(1, intent.calls?.length ?? 1)));
  const rings = new Map<string, number[]>();
  const rung = new Set<string>();
  for (const { record, index } of world.of('rang')) {
    const { call_sid: callSid, number } = record;
    const ofNumber = listIn(rings, number);
    ofNumber.push(index);
    const most = wanted.get(number);
    if (most !== undefined && ofNumber.length > most) report('I9', `the phone rang ${ofNumber.length} times (now ${record.conversation_id}) for ${most} calls that were asked for`, index);
    if (callSid === null) continue;
    if (rung.has(callSid)) report('I9', `the phone rang again for ${callSid} (${record.conversation_id})`, index);
    rung.add(callSid);
    const call = world.calls.get(callSid);
    if (call?.final == null || call.current.hasHoles || world.restoredAt > -1) continue;
    const dialled = eventsOf(call.current).some((event) => event.type === 'call_status' && event.status === 'dialing');
    if (!dialled) report('I9', `the phone rang for ${callSid}, and its log knows of no dial`, index);
  }
};

const checkUnknown = (log: EpochLog, report: Report): void => {
  const at = log.readings.at(-1)?.index ?? null;
  let entered = 0;
  let persons = 0;
  let left = 0;
  for (const event of eventsOf(log)) {
    if (event.type !== 'call_status') continue;
    const { status, previous } = event;
    if (status === 'unknown' && previous !== 'unknown' && ++entered > 1) report('I9', `${log.callSid} becomes unknown again with event ${event.seq}`, at);
    if (status === 'unknown' && previous === 'unknown' && ++persons > 1) report('I9', `${log.callSid} needs a person again with event ${event.seq}`, at);
    if (status !== 'unknown' && previous === 'unknown' && ++left > 1) report('I9', `${log.callSid} is settled again with event ${event.seq}`, at);
  }
};
