/** What is read out of a call's events by more than one invariant. */
import type { AgentEventType, CallStatus, EventFrame } from '../../core/protocol/frames.ts';
import type { EpochLog } from './logged-call.ts';

/** The events that are known, in order. */
export const eventsOf = (log: EpochLog): readonly EventFrame[] => log.events.filter((event) => event !== null);

export const isTerminalStatus = (status: CallStatus | undefined): boolean => status === 'completed' || status === 'failed';

/** Lower case, letters and digits only: what two writings of one utterance share. */
export const plainWords = (text: string): string =>
  text
    .toLowerCase()
    .normalize('NFKC')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

const AGENT_EVENTS = new Set<string>(['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed'] satisfies AgentEventType[]);
type AgentFrame = Extract<EventFrame, { readonly type: AgentEventType }>;
export const isAgentEvent = (event: EventFrame): event is AgentFrame => AGENT_EVENTS.has(event.type);

/**
 * How many events of each type were told by somebody and carry no tool call id. Not counted: what follows from turns - a driver's
 * words set the agent thinking, its answer completes that - and the first start, which the first sign of life makes up.
 */
export const realAgentEvents = (log: EpochLog): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  const turns = new Set<string>();
  let last: string | null = null;
  let follows: string | null = null;
  for (const event of eventsOf(log)) {
    if (event.type === 'transcription') {
      const live = !turns.has(event.turn_id) && event.late !== true && event.state !== 'retracted';
      turns.add(event.turn_id);
      const next = event.speaker === 'driver' ? 'agent_thinking' : 'agent_completed';
      follows = live && last !== next ? next : null;
      continue;
    }
    if (!isAgentEvent(event)) {
      follows = null;
      continue;
    }
    const madeUp = event.type === follows || (last === null && event.type === 'agent_started');
    if (!madeUp && event.tool_call_id === undefined) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
    follows = null;
    last = event.type;
  }
  return counts;
};
