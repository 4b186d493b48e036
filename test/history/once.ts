/** I5: one fact takes effect once, whichever way and however often it came, also when the outcome of a commit was not known. */
import type { EventFrame } from '../../core/protocol/frames.ts';
import type { EpochLog } from './logged-call.ts';
import { eventsOf, isAgentEvent, realAgentEvents } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { Delivery, World } from './world.ts';

export const checkOnce = (world: World, report: Report): void => {
  for (const call of world.calls.values()) {
    for (const log of call.epochs.values()) {
      const at = log.readings.at(-1)?.index ?? null;
      const say = (what: string): void => report('I5', `${call.callSid}: ${what}`, at);
      const conversation = call.latest.record.conversation_id;
      const sent = conversation === null ? [] : (world.deliveriesOf.get(conversation) ?? []);
      // Senders may name a call by our id as well.
      const all = [...sent, ...(world.deliveriesOf.get(call.callSid) ?? [])];
      checkKeys(eventsOf(log), say);
      checkTurns(eventsOf(log), all, finalTexts(world, conversation), say);
      checkAgentEvents(log, all, say);
      checkAmendments(eventsOf(log), factsOf(world, conversation, all, eventsOf(log)), say);
    }
  }
};

type Say = (what: string) => void;

const checkKeys = (events: readonly EventFrame[], say: Say): void => {
  const seen = new Set<string>();
  for (const event of events) {
    const key = keyOf(event);
    if (key === null) continue;
    if (seen.has(key)) say(`${key} took effect twice, again as event ${event.seq}`);
    seen.add(key);
  }
};

/** What stands in a log at most once. */
const keyOf = (event: EventFrame): string | null => {
  if (event.type === 'call_completed') return 'the outcome';
  if (event.type === 'call_status') return event.status === 'requested' ? 'the request' : null;
  if (event.type === 'transcription') return `revision ${event.rev} of turn ${event.turn_id}`;
  return isAgentEvent(event) && event.tool_call_id !== undefined && (event.type === 'tool_executing' || event.type === 'tool_completed') ? `${event.type} of tool call ${event.tool_call_id}` : null;
};

/** A turn was logged as often as it was sent, and the same words under as many ids as were sent or stand in a final transcript. */
const checkTurns = (events: readonly EventFrame[], sent: readonly Delivery[], transcripts: ReadonlyMap<string, number>, say: Say): void => {
  const sentRevisions = new Map<string, number>();
  const sentIds = new Map<string, Set<string>>();
  for (const { content } of sent) {
    if (content.kind !== 'turn') continue;
    const revision = `${content.turn_id ?? ''}\n${content.text}`;
    sentRevisions.set(revision, (sentRevisions.get(revision) ?? 0) + 1);
    idsIn(sentIds, content.text).add(content.turn_id ?? '');
  }
  const revisions = new Map<string, number>();
  const ids = new Map<string, Set<string>>();
  for (const event of events) {
    if (event.type !== 'transcription' || event.state !== 'final' || event.truncated === true) continue;
    const revision = `${event.turn_id}\n${event.text}`;
    const count = (revisions.get(revision) ?? 0) + 1;
    revisions.set(revision, count);
    if (count > Math.max(1, sentRevisions.get(revision) ?? 0)) say(`turn ${event.turn_id} was logged ${count} times with one text, again as event ${event.seq}`);
    const same = idsIn(ids, event.text).add(event.turn_id);
    const known = (sentIds.get(event.text)?.size ?? 0) + (transcripts.get(event.text) ?? 0);
    if (count === 1 && same.size > Math.max(1, known)) say(`the words of turn ${event.turn_id} stand under ${same.size} ids and were sent under ${known}, event ${event.seq}`);
  }
};

const idsIn = (map: Map<string, Set<string>>, text: string): Set<string> => {
  let ids = map.get(text);
  if (ids === undefined) map.set(text, (ids = new Set<string>()));
  return ids;
};

/** How often a text stands in the final transcripts, all versions together: each may have added it anew. */
const finalTexts = (world: World, conversation: string | null): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  if (conversation === null) return counts;
  for (const transcript of world.versions.get(conversation)?.values() ?? []) {
    for (const { text } of transcript) counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return counts;
};

const checkAgentEvents = (log: EpochLog, sent: readonly Delivery[], say: Say): void => {
  const ids = new Map<string, Set<string>>();
  for (const { content } of sent) {
    if (content.kind === 'agent_event' && content.tool_call_id === null) idsIn(ids, content.type).add(content.event_id);
  }
  for (const [type, count] of realAgentEvents(log)) {
    const known = ids.get(type)?.size ?? 0;
    if (count > known) say(`${type} stands ${count} times in the log, and ${known} different ones were sent`);
  }
};

/** How many different outcomes anybody could have told: each but the first amends at most once. */
const factsOf = (world: World, conversation: string | null, sent: readonly Delivery[], events: readonly EventFrame[]): number => {
  const versions = new Set(conversation === null ? [] : (world.versions.get(conversation)?.keys() ?? []));
  for (const { content } of sent) if (content.kind === 'final') versions.add(content.version);
  const newest = Math.max(0, ...versions);
  const refused = sent.some(({ content }) => content.kind === 'initiation_failure') ? 1 : 0;
  // A dial of ours that we ended ourselves: what the provider says later amends it.
  const own = events.some((event) => event.type === 'call_status' && event.status === 'requested') && events.some((event) => event.type === 'call_status' && event.status === 'failed') ? 1 : 0;
  return Math.max(newest, versions.size) + refused + own;
};

const checkAmendments = (events: readonly EventFrame[], facts: number, say: Say): void => {
  let amendments = 0;
  for (const event of events) {
    if (event.type !== 'call_amended') continue;
    const changed = Object.entries(event.changed);
    if (changed.length === 0) say(`event ${event.seq} amends nothing`);
    for (const [field, { from, to }] of changed) {
      if (event.truncated !== true && JSON.stringify(from) === JSON.stringify(to)) say(`event ${event.seq} amends ${field} to what it was`);
    }
    if (changed.some(([field]) => field !== 'conversation_id' && field !== 'merged_into')) amendments += 1;
    if (amendments > Math.max(0, facts - 1) && amendments > 0) say(`event ${event.seq} is amendment ${amendments} of the outcome, and the provider told ${facts} of it`);
  }
};
