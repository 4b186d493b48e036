/**
 * I6, what follows from words: a first live turn means that the call is in progress and that its agent has started; a driver's words
 * set the agent thinking, its answer completes that. And no tool that the provider tells of is missing.
 */
import type { EventFrame } from '../../core/protocol/frames.ts';
import type { EpochLog } from './logged-call.ts';
import { eventsOf, isAgentEvent } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

const TALKING = new Set(['in_progress', 'processing', 'completed', 'failed']);

export const checkAgents = (world: World, report: Report): void => {
  for (const call of world.calls.values()) {
    for (const log of call.epochs.values()) if (!log.hasHoles) checkFollows(log, report);
  }
  checkTools(world, report);
};

const checkFollows = (log: EpochLog, report: Report): void => {
  const events = eventsOf(log);
  const turns = new Set<string>();
  let status: string | null = null;
  let last: string | null = null;
  const wrong = (event: EventFrame, what: string): void => report('I6', `event ${event.seq} of ${log.callSid} ${what}`, log.readings.at(-1)?.index ?? null);
  for (const [place, event] of events.entries()) {
    if (event.type === 'call_status') ({ status } = event);
    if (isAgentEvent(event)) {
      if (last === null && event.type !== 'agent_started' && event.late !== true) wrong(event, `is ${event.type} of an agent that has not started`);
      last = event.type;
    }
    if (event.type !== 'transcription') continue;
    const live = !turns.has(event.turn_id) && event.late !== true && event.state !== 'retracted';
    turns.add(event.turn_id);
    if (!live) continue;
    if (status === null || !TALKING.has(status)) wrong(event, `is said in a call that is ${status ?? 'nothing'}`);
    if (last === null) wrong(event, 'is said to an agent that has not started');
    const follows = event.speaker === 'driver' ? 'agent_thinking' : 'agent_completed';
    if (last !== follows && events[place + 1]?.type !== follows) wrong(event, `is not followed by ${follows}`);
  }
};

/** Once the final transcript is in the log, every tool call of it is, from its beginning to its end. */
const checkTools = (world: World, report: Report): void => {
  for (const [conversationId, { record }] of world.conversations) {
    const call = world.resolve(conversationId);
    if (call?.final?.record.status !== 'completed' || call.current.hasHoles || world.restoredAt > -1) continue;
    const there = new Set([call.current, ...world.mergedInto(call.callSid)].flatMap(eventsOf).flatMap((event) => (isAgentEvent(event) && event.tool_call_id !== undefined ? [`${event.type} ${event.tool_call_id}`] : [])));
    for (const tool of record.tools ?? []) {
      const missing = ['tool_executing', 'tool_completed'].filter((type) => !there.has(`${type} ${tool}`));
      if (missing.length > 0) report('I6', `${call.callSid} is completed without ${missing.join(' and ')} of tool call ${tool}`, call.final.index);
    }
  }
};
