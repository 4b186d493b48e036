/** I2: whatever was answered 200 (a delivery) or 2xx (a request) is in the log, and every viewer that stays gets it. */
import type { RecordOf } from './history.ts';
import type { EpochLog, LoggedCall } from './logged-call.ts';
import { eventsOf, isTerminalStatus, plainWords, realAgentEvents } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { View, Views } from './views.ts';
import type { Delivery, World } from './world.ts';

export const checkAnswered = (world: World, views: Views, report: Report): void => {
  // Without a reading of the log nothing can be said of what it holds.
  if (!world.of('logged').some(({ record }) => record.final)) return;
  for (const [conversationId, deliveries] of world.deliveriesOf) checkConversation(world, conversationId, deliveries, report);
  checkRequests(world, report);
  checkErased(world, report);
  checkViewers(world, views, report);
};

/** Answered 200 since the log was last set back. */
const mustStand = (world: World, delivery: Delivery): boolean => delivery.acked !== null && delivery.acked.last > world.restoredAt;

const checkConversation = (world: World, conversationId: string, deliveries: readonly Delivery[], report: Report): void => {
  const acked = deliveries.filter((delivery) => mustStand(world, delivery) && delivery.content.kind !== 'other');
  if (acked.length === 0) return;
  const call = world.resolve(conversationId);
  const owner = call?.final === null ? null : call;
  const log = owner?.current ?? null;
  if (log?.hasHoles === true) return;
  // What came by the id of a dialled call before that was merged into the owner stays where it was.
  const logs = log === null ? [] : [log, ...world.mergedInto(call?.callSid ?? '')];
  const missing = acked.filter((delivery) => !logs.some((one) => stands(one, delivery)));
  const lacking = log === null ? [] : lackingAgentEvents(logs, acked);
  if (missing.length === 0 && lacking.length === 0) return;
  if (world.mayBeErasedConversation(conversationId)) return;
  const waiting = world.of('quarantined').filter(({ record }) => record.conversation_id === conversationId).map(({ record }) => record);
  for (const delivery of [...missing, ...lacking]) {
    if (waiting.some((one) => mayBe(one, delivery))) continue;
    report('I2', `delivery ${delivery.delivery} (${delivery.content.kind}) of ${conversationId} was answered 200 and is neither in the log of ${owner?.callSid ?? 'any call'} nor in quarantine`, delivery.acked?.first ?? null);
  }
};

/** Agent events are counted beside this: their ids are not in the log. */
const stands = (log: EpochLog, { content }: Delivery): boolean => {
  switch (content.kind) {
    case 'turn':
      return turnStands(log, content.turn_id, content.text);
    case 'agent_event':
      return content.tool_call_id === null || eventsOf(log).some((event) => event.type === content.type && 'tool_call_id' in event && event.tool_call_id === content.tool_call_id);
    case 'final':
    case 'initiation_failure':
      return isTerminalStatus(log.readings.at(-1)?.record.status) && eventsOf(log).some((event) => event.type === 'call_completed');
    case 'other':
      return true;
  }
};

/** A turn that comes when the final transcript is there is dropped where that has it, by its id or by its words. */
const turnStands = (log: EpochLog, turnId: string | null, text: string): boolean => {
  let finished = false;
  let sameId = false;
  let sameWords = false;
  const words = plainWords(text);
  for (const event of eventsOf(log)) {
    if (event.type === 'call_completed') finished = true;
    if (event.type !== 'transcription') continue;
    if (turnId === null ? event.text === text : event.turn_id === turnId) {
      if (event.text === text || (event.truncated === true && text.startsWith(event.text))) return true;
      sameId = true;
    }
    sameWords ||= plainWords(event.text) === words;
  }
  return finished && (sameId || sameWords);
};

/** Of each type that has no key of its own in the log, as many have to be there as different ones were answered 200. */
const lackingAgentEvents = (logs: readonly EpochLog[], acked: readonly Delivery[]): Delivery[] => {
  const wanted = new Map<string, Map<string, Delivery>>();
  for (const delivery of acked) {
    const { content } = delivery;
    if (content.kind !== 'agent_event' || content.tool_call_id !== null) continue;
    let ofType = wanted.get(content.type);
    if (ofType === undefined) wanted.set(content.type, (ofType = new Map<string, Delivery>()));
    ofType.set(content.event_id, delivery);
  }
  if (wanted.size === 0) return [];
  const reals = logs.map(realAgentEvents);
  return [...wanted].flatMap(([type, deliveries]) => {
    // The first start may be one that was told or one that was made up for a call that was on: it counts for either.
    const there = reals.reduce((sum, real) => sum + (real.get(type) ?? 0), type === 'agent_started' ? 1 : 0);
    return [...deliveries.values()].slice(Math.min(there, deliveries.size));
  });
};

/** Whether this entry of the quarantine may hold the delivery; of a body that was not kept only its ids are known. */
const mayBe = ({ body }: RecordOf<'quarantined'>, { content }: Delivery): boolean => {
  if (body === null) return true;
  if (content.kind === 'turn') return body.includes(inJson(content.turn_id ?? content.text));
  if (content.kind === 'agent_event') return body.includes(inJson(content.event_id));
  return true;
};

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const checkRequests = (world: World, report: Report): void => {
  for (const { record, index } of world.of('request')) {
    if (record.phase !== 'ok' || index < world.restoredAt) continue;
    for (const callSid of record.call_sids) {
      if ((world.calls.get(callSid)?.final ?? null) !== null || world.mayBeErased(callSid)) continue;
      report('I2', `request ${record.id} was answered with call ${callSid}, which the log has not`, index);
    }
  }
};

/** An erasure is a promise too: once it was answered nothing brings the call back. */
const checkErased = (world: World, report: Report): void => {
  for (const { record, index } of world.of('erase')) {
    if (record.phase !== 'ok' || index < world.restoredAt) continue;
    const call = world.calls.get(record.call_sid);
    const back = call === undefined ? undefined : readingsOf(call).find((reading) => reading.index > index);
    if (back !== undefined) report('I2', `call ${record.call_sid} is in the log again after its erasure was answered`, back.index);
  }
};

const readingsOf = (call: LoggedCall) => [...call.epochs.values()].flatMap((log) => log.readings);

const checkViewers = (world: World, views: Views, report: Report): void => {
  if (world.healed === null) return;
  const gone = gonesOf(world);
  for (const view of views.values()) {
    if (view.refused || gone.has(view.actor) || gone.has(`${view.actor}\n${view.id}`)) continue;
    const call = world.resolve(view.callSid ?? view.id);
    if (call?.final == null || call.final.record.tenant !== view.tenant || !world.holdsRight(view.user, view.tenant) || world.mayBeErased(call.callSid)) continue;
    const { epoch, last_seq: head } = call.final.record;
    const got = gotUpTo(view, call.callSid, epoch);
    if (got < head) report('I2', `${view.actor} stayed and got ${view.id} up to ${got}, but ${call.callSid} goes to ${head}`, view.index);
  }
};

const gotUpTo = (view: View, callSid: string, epoch: string): number => (view.callSid === callSid && view.epoch === epoch ? view.cursor : 0);

/** Viewers that did not stay: stopped for good before the last look, kept away on purpose, or not connected then. */
const gonesOf = (world: World): Set<string> => {
  const gone = new Set<string>(world.healed?.record.unreachable);
  const looked = new Map<string, number>();
  for (const { record, index } of world.of('shown')) {
    looked.set(record.actor, index);
    const key = `${record.actor}\n${record.id}`;
    if (record.connected && !record.stopped) gone.delete(key);
    else gone.add(key);
  }
  for (const { record, index } of world.of('stopped')) if (index < (looked.get(record.actor) ?? Infinity)) gone.add(record.actor);
  return gone;
};
