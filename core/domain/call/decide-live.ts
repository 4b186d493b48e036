/** What follows from a live turn or an agent event. */
import type { AgentEventType, Speaker } from '../../protocol/frames.ts';
import { LAST_LINE_MAX_CHARACTERS } from '../../protocol/limits.ts';
import { cutToCharacters, words } from '../text.ts';
import type { Draft } from './draft.ts';
import type { Fact, FactResult } from './facts.ts';
import { agentKey, revisionKey, turnIdOf, turnKey, turnSameness, type TurnKey } from './keys.ts';

type TurnFact = Extract<Fact, { kind: 'turn' }>;
type AgentFact = Extract<Fact, { kind: 'agent_event' }>;

/** @returns null where the draft shows what became of it */
export const decideTurn = (draft: Draft, fact: TurnFact): FactResult | null => {
  const id = turnIdOf(draft.call.call_sid, fact, draft.sha256);
  const value = draft.key(turnKey(id));
  const known = value === undefined ? null : (JSON.parse(value) as TurnKey);
  const same = turnSameness(fact.state, fact.text, draft.sha256);
  if (fact.rev === null ? known?.same === same : draft.key(revisionKey(id, fact.rev)) !== undefined) return { result: 'duplicate' };
  if (draft.call.transcript_final) return decideLateTurn(draft, fact, id, known);
  if (known === null && fact.state === 'retracted') return { result: 'ignored', why: 'no such turn' };
  const rev = fact.rev ?? (known?.rev ?? 0) + 1;
  const index = known?.index ?? draft.call.next_index;
  const late = draft.call.seal_revision > 0;
  if (known === null && !late) liveSign(draft);
  emitTurn(draft, fact, { id, rev, index, known, same, late });
  if (known === null && !late) followAgent(draft, fact.speaker);
  return null;
};

/** The final transcript speaks: only what it lacks is taken, and the batch ends in a new seal. */
const decideLateTurn = (draft: Draft, fact: TurnFact, id: string, known: TurnKey | null): FactResult | null => {
  if (known !== null || fact.state === 'retracted') return { result: 'ignored', why: 'the final transcript speaks' };
  const text = words(fact.text).join(' ');
  const has = draft.turns().standing.some((turn) => turn.speaker === fact.speaker && (words(turn.text).join(' ') === text || sameMoment(turn, fact)));
  if (has) return { result: 'ignored', why: 'the final transcript speaks' };
  const same = turnSameness(fact.state, fact.text, draft.sha256);
  emitTurn(draft, fact, { id, rev: fact.rev ?? 1, index: draft.call.next_index, known: null, same, late: true });
  return null;
};

const sameMoment = (turn: { readonly source_event_id: string | null }, fact: TurnFact): boolean =>
  fact.source_event_id !== null && turn.source_event_id === fact.source_event_id;

interface TurnPlace {
  readonly id: string;
  readonly rev: number;
  readonly index: number;
  readonly known: TurnKey | null;
  readonly same: string;
  readonly late: boolean;
}

const emitTurn = (draft: Draft, fact: TurnFact, place: TurnPlace): void => {
  const stands = fact.state !== 'retracted';
  draft.emit({
    type: 'transcription',
    turn_id: place.id,
    rev: place.rev,
    index: place.index,
    state: fact.state,
    speaker: fact.speaker,
    text: fact.text,
    time_in_call_secs: fact.time_in_call_secs,
    ...(place.late ? { late: true } : {}),
  });
  draft.keys.set(revisionKey(place.id, place.rev), '1');
  // An older revision that comes late is logged, but the newer one goes on speaking.
  if (place.known !== null && place.known.rev > place.rev) return;
  const value: TurnKey = { rev: place.rev, index: place.index, stands, same: place.same };
  draft.keys.set(turnKey(place.id), JSON.stringify(value));
  const stood = place.known?.stands ?? false;
  draft.change({
    turn_count: draft.call.turn_count + Number(stands) - Number(stood),
    next_index: Math.max(draft.call.next_index, place.index + 1),
    ...(stands ? { last_line: lineOf(fact.speaker, fact.text) } : {}),
  });
};

/** What the board shows of the last words. */
export const lineOf = (speaker: Speaker, text: string): string =>
  cutToCharacters(`${speaker === 'agent' ? 'Agent' : 'Driver'}: ${text.replace(/\s+/g, ' ').trim()}`, LAST_LINE_MAX_CHARACTERS);

/** Words or tool use mean that the conversation is on, and that its agent is. */
const liveSign = (draft: Draft): void => {
  draft.move('in_progress', null);
  if (draft.call.agent_last === null) emitAgent(draft, 'agent_started', {});
};

/** A driver's words set the agent thinking; its answer completes that. */
const followAgent = (draft: Draft, speaker: Speaker): void => {
  if (speaker === 'driver' && draft.call.agent_last !== 'agent_thinking') emitAgent(draft, 'agent_thinking', {});
  if (speaker === 'agent' && draft.call.agent_last !== 'agent_completed') emitAgent(draft, 'agent_completed', {});
};

/** @returns null where the draft shows what became of it */
export const decideAgentEvent = (draft: Draft, fact: AgentFact): FactResult | null => {
  const key = agentKey(fact);
  if (key !== null && draft.key(key) !== undefined) return { result: 'duplicate' };
  const late = draft.call.seal_revision > 0;
  if (!late) {
    draft.move('in_progress', null);
    if (fact.type !== 'agent_started' && draft.call.agent_last === null) emitAgent(draft, 'agent_started', {});
  }
  if (key !== null) draft.keys.set(key, '1');
  emitAgent(draft, fact.type, {
    ...(fact.tool_name === null ? {} : { tool_name: fact.tool_name }),
    ...(fact.tool_call_id === null ? {} : { tool_call_id: fact.tool_call_id }),
    ...(fact.is_error === null ? {} : { is_error: fact.is_error }),
    ...(fact.duration_ms === null ? {} : { duration_ms: fact.duration_ms }),
    ...(fact.detail === null ? {} : { detail: fact.detail }),
    ...(late ? { late: true } : {}),
  });
  return null;
};

interface AgentMembers {
  readonly tool_name?: string;
  readonly tool_call_id?: string;
  readonly is_error?: boolean;
  readonly duration_ms?: number;
  readonly detail?: string;
  readonly late?: boolean;
}

/** One stretch of the agent's life goes from started (or the first sign after a completed one) to completed. */
export const emitAgent = (draft: Draft, type: AgentEventType, members: AgentMembers): void => {
  const { agent_last: last, agent_life: life } = draft.call;
  const current = last === null || last === 'agent_completed' ? life + 1 : life;
  draft.change({ agent_life: current, agent_last: type });
  draft.emit({ type, life: String(current), ...members });
};
