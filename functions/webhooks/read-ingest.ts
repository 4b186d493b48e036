/** What a live turn or an agent event says: facts and where they belong, or why it cannot be used. */
import type { z } from 'zod';
import { idText } from '../../core/domain/elevenlabs/conversation.ts';
import { asRecord } from '../../core/domain/elevenlabs/json.ts';
import { IngestAgentEvent, IngestTurn } from '../../core/protocol/ingest.ts';
import type { Address } from '../calls/route-facts.ts';
import type { Reading } from './read-post-call.ts';

/** An interim turn, which is never logged. */
export interface InterimTurn {
  readonly read: 'interim';
  readonly address: Address;
  readonly turn: IngestTurn;
}

/** @param body the parsed body */
export const readTurn = (body: unknown): Reading | InterimTurn => {
  const parsed = IngestTurn.safeParse(body);
  if (!parsed.success) return unusable(body, 'transcription', parsed.error);
  const turn = parsed.data;
  const address = addressOf(turn);
  if (turn.state === 'interim') return { read: 'interim', address, turn };
  return {
    read: 'facts',
    type: 'transcription',
    address,
    entries: [
      {
        source: 'ingest',
        conversation_id: address.conversation_id,
        provider_call_id: null,
        fact: {
          kind: 'turn',
          turn_id: turn.turn_id ?? null,
          rev: turn.rev ?? null,
          state: turn.state,
          speaker: turn.speaker === 'agent' ? 'agent' : 'driver',
          text: turn.text,
          time_in_call_secs: turn.time_in_call_secs ?? null,
          source_event_id: null,
        },
      },
    ],
  };
};

/**
 * @param body the parsed body
 * @param onceId stands in for a missing event id: without one every delivery is an event of its own
 */
export const readAgentEvent = (body: unknown, onceId: () => string): Reading => {
  const parsed = IngestAgentEvent.safeParse(body);
  if (!parsed.success) return unusable(body, 'agent_event', parsed.error);
  const event = parsed.data;
  const address = addressOf(event);
  return {
    read: 'facts',
    type: event.type,
    address,
    entries: [
      {
        source: 'ingest',
        conversation_id: address.conversation_id,
        provider_call_id: null,
        fact: {
          kind: 'agent_event',
          type: event.type,
          event_id: String(event.event_id ?? onceId()),
          tool_name: event.tool_name ?? null,
          tool_call_id: event.tool_call_id ?? null,
          is_error: event.is_error ?? null,
          duration_ms: event.duration_ms ?? null,
          detail: event.detail ?? null,
        },
      },
    ],
  };
};

const addressOf = (body: { readonly conversation_id?: string | null | undefined; readonly call_sid?: string | null | undefined; readonly agent_id?: string | null | undefined }): Address => {
  return { conversation_id: body.conversation_id ?? null, call_sid: body.call_sid ?? null, own_call_sid: null, provider_call_id: null, agent_id: body.agent_id ?? null };
};

const unusable = (body: unknown, type: string, error: z.ZodError): Reading => ({
  read: 'unusable',
  type,
  reason: 'unusable',
  conversation_id: idText(asRecord(body)['conversation_id']),
  agent_id: idText(asRecord(body)['agent_id']),
  // Where and what form, never what was sent.
  problems: error.issues.map((issue) => `${issue.path.map(String).join('.') || 'body'}: ${issue.code === 'custom' ? issue.message : issue.code}`),
});
