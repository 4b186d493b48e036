import type { CallRecord } from './call-record.ts';
import type { Step } from './player.ts';

/** One POST to Earshot while a call runs. */
export interface LivePost {
  readonly path: '/webhooks/elevenlabs/transcription' | '/webhooks/agent-events';
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a server tool in the call would post of this step; null: nothing. */
export const livePostOf = (step: Step, record: CallRecord): LivePost | null => {
  if (step.kind === 'turn') {
    const { turn_id, rev, state, speaker, text, time_in_call_secs } = step.turn;
    return {
      path: '/webhooks/elevenlabs/transcription',
      body: { conversation_id: record.conversation_id, agent_id: record.agent_id, speaker, text, turn_id, rev, state, time_in_call_secs },
    };
  }
  if (step.kind === 'tool') {
    const { tool_call_id, line } = step.use;
    return {
      path: '/webhooks/agent-events',
      body: {
        conversation_id: record.conversation_id,
        agent_id: record.agent_id,
        type: step.phase === 'executing' ? 'tool_executing' : 'tool_completed',
        event_id: `${tool_call_id}:${step.phase}`,
        tool_name: line.tool,
        tool_call_id,
        ...(step.phase === 'executing' ? {} : { is_error: line.is_error ?? false, duration_ms: line.takes_ms }),
      },
    };
  }
  return null;
};

/** Whether a step's post is volatile: a turn that is still being spoken. */
export const isInterim = (step: Step): boolean => step.kind === 'turn' && step.turn.state === 'interim';

/**
 * Puts every second post before the first of its pair.
 * @param held the first of a pair that waits; null: none
 * @returns what to send now, and what waits then
 */
export const swapPairs = (held: LivePost | null, next: LivePost): { readonly send: readonly LivePost[]; readonly held: LivePost | null } =>
  held === null ? { send: [], held: next } : { send: [next, held], held: null };
