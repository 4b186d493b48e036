/**
 * The keys of a call: what makes every fact take effect once, however often and by whichever way it comes. They live as long as
 * the call. A key's value is a small JSON text that tells a repeat apart from something new.
 */
import type { Sha256 } from '../digest.ts';
import { withMembers } from '../members.ts';
import type { Fact, FactEntry, Outcome } from './facts.ts';

/** What the key of a turn remembers: its highest revision. */
export interface TurnKey {
  readonly rev: number;
  readonly index: number;
  readonly stands: boolean;
  /** Hash over state and text: the same again is a repeat. */
  readonly same: string;
}

type TurnFact = Extract<Fact, { kind: 'turn' }>;
type AgentFact = Extract<Fact, { kind: 'agent_event' }>;

/** The turn's id: the caller's own, else made of what the turn is, so that a repeat gets the same. */
export const turnIdOf = (callSid: string, turn: TurnFact, sha256: Sha256): string =>
  turn.turn_id ?? derivedTurnId(callSid, turn.speaker, turn.time_in_call_secs, turn.text, 'live', sha256);

/** @param which `live`, or for rows of the final transcript the how-many-th row that is the same in all of this */
export const derivedTurnId = (callSid: string, speaker: string, time: number | null, text: string, which: string | number, sha256: Sha256): string =>
  `t_${sha256(JSON.stringify([callSid, speaker, time, text, which])).slice(0, 24)}`;

/** Hash that tells a turn's state and text from any other. */
export const turnSameness = (state: string, text: string, sha256: Sha256): string => sha256(JSON.stringify([state, text])).slice(0, 24);

/** Newest known revision of a turn. Its own word in front: ids are the sender's, and `a:1` is not revision 1 of `a`. */
export const turnKey = (turnId: string): string => `newest:${turnId}`;
/** One revision of a turn. */
export const revisionKey = (turnId: string, rev: number): string => `turn:${turnId}:${rev}`;
/** One step of one tool use. */
export const toolKey = (toolCallId: string, phase: 'tool_executing' | 'tool_completed'): string => `tool:${toolCallId}:${phase}`;
/** What became of one dial: begun, answered. */
export const dialKey = (attempt: number, step: 'begun' | 'answered'): string => `dial:${attempt}:${step}`;

/** One key for the outcome, from webhook, fetch and reconciler alike: over the normalised facts, never over the body. */
export const outcomeKey = (outcome: Outcome, sha256: Sha256): string => `final:${sha256(canonical(outcome)).slice(0, 40)}`;

/** The key of an agent event; a tool's step has one key whichever way it comes. */
export const agentKey = (fact: AgentFact): string | null => {
  if (fact.tool_call_id !== null && (fact.type === 'tool_executing' || fact.type === 'tool_completed')) return toolKey(fact.tool_call_id, fact.type);
  return fact.event_id === null ? null : `agent:${fact.type}:${fact.event_id}`;
};

/** Every key that deciding on this entry has to look at: they are read before, in the same transaction. */
export const keysOf = (callSid: string, entry: FactEntry, sha256: Sha256): string[] => {
  const { fact } = entry;
  switch (fact.kind) {
    case 'turn': {
      const id = turnIdOf(callSid, fact, sha256);
      return fact.rev === null ? [turnKey(id)] : [turnKey(id), revisionKey(id, fact.rev)];
    }
    case 'agent_event': {
      const key = agentKey(fact);
      return key === null ? [] : [key];
    }
    case 'finished':
      return [
        outcomeKey(fact.outcome, sha256),
        ...fact.outcome.tools.flatMap((tool) => [toolKey(tool.tool_call_id, 'tool_executing'), toolKey(tool.tool_call_id, 'tool_completed')]),
      ];
    case 'dialing':
      return [dialKey(fact.attempt, 'begun')];
    case 'dial_accepted':
    case 'dial_failed':
    case 'dial_unknown':
      return [dialKey(fact.attempt, 'answered')];
    case 'requested':
    case 'announced':
    case 'needs_person':
    case 'progress':
    case 'audio_noted':
      return [];
  }
};

/** Whether deciding needs the events so far (and, for an outcome, the details beside the projection). */
export const needsHistory = (entries: readonly FactEntry[], transcriptFinal: boolean): boolean =>
  entries.some(({ fact }) => fact.kind === 'finished' || (fact.kind === 'turn' && transcriptFinal));

/** JSON with the members of every object in one order: equal facts have equal text. */
export const canonical = (value: unknown): string => JSON.stringify(inOrder(value));

const inOrder = (value: unknown): unknown => {
  if (value === null || typeof value !== 'object') return value;
  return Array.isArray(value) ? value.map(inOrder) : withMembers(value, Object.keys(value).sort(), inOrder);
};
