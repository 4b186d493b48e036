import type { Step, Turn } from './player.ts';

/** What the monitoring WebSocket tells of one step of a call, in ElevenLabs' own shapes (`@elevenlabs/types` 0.23.0). */
export const monitorEventsOf = (step: Step, conversationId: string): readonly unknown[] => {
  switch (step.kind) {
    case 'answered':
      return [{
        type: 'conversation_initiation_metadata',
        conversation_initiation_metadata_event: { conversation_id: conversationId, agent_output_audio_format: 'ulaw_8000', user_input_audio_format: 'ulaw_8000' },
      }];
    case 'agent_response':
      return [{ type: 'agent_response', agent_response_event: { agent_response: step.text, event_id: step.event_id } }];
    case 'turn':
      return step.turn.speaker === 'driver' ? driverEvents(step.turn) : agentEvents(step.turn, step.replaces);
    case 'tool': {
      const { tool_call_id, event_id, line } = step.use;
      const tool = { tool_name: line.tool, tool_call_id, tool_type: line.type, event_id };
      return step.phase === 'executing'
        ? [{ type: 'agent_tool_request', agent_tool_request: tool }]
        : [{ type: 'agent_tool_response', agent_tool_response: { ...tool, is_error: line.is_error ?? false, is_called: true } }];
    }
    case 'hung_up':
    case 'not_connected':
    case 'analysed':
      return [];
  }
};

const driverEvents = (turn: Turn): readonly unknown[] => {
  const words = { user_transcript: turn.text, event_id: turn.event_id };
  if (turn.state === 'interim') return [{ type: 'tentative_user_transcript', tentative_user_transcription_event: words }];
  return turn.state === 'final' ? [{ type: 'user_transcript', user_transcription_event: words }] : [];
};

const agentEvents = (turn: Turn, replaces: string | null): readonly unknown[] =>
  turn.state === 'corrected'
    ? [
        { type: 'interruption', interruption_event: { event_id: turn.event_id } },
        {
          type: 'agent_response_correction',
          agent_response_correction_event: { original_agent_response: replaces, corrected_agent_response: turn.text, event_id: turn.event_id },
        },
      ]
    : [];
