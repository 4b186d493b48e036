/** What a verified post-call delivery says: facts and where they belong, or why it cannot be used. */
import { initiationFailureOf, idText, outcomeOf, ownCallSid, providerCallId } from '../../core/domain/elevenlabs/conversation.ts';
import { asNumber, asRecord, asText } from '../../core/domain/elevenlabs/json.ts';
import type { Fact, FactEntry } from '../../core/domain/call/facts.ts';
import type { DeliveryReason } from '../../ports/raw-store.ts';
import type { Address } from '../calls/route-facts.ts';

export type Reading =
  | { readonly read: 'facts'; readonly type: string; readonly address: Address; readonly entries: readonly FactEntry[] }
  /** Kept in quarantine, for this reason. */
  | { readonly read: 'unusable'; readonly type: string | null; readonly reason: DeliveryReason; readonly conversation_id: string | null; readonly agent_id: string | null; readonly problems: readonly string[] };

const unusable = (reason: DeliveryReason, type: string | null, data: unknown, problem: string): Reading => ({
  read: 'unusable',
  type,
  reason,
  conversation_id: idText(asRecord(data)['conversation_id']),
  agent_id: idText(asRecord(data)['agent_id']),
  problems: [problem],
});

/**
 * @param body the parsed body
 * @param now milliseconds, for deliveries that do not say when they were made
 */
export const readPostCall = (body: unknown, now: number): Reading => {
  const envelope = asRecord(body);
  const type = asText(envelope['type'])?.slice(0, 100) ?? null;
  const data = asRecord(envelope['data']);
  const conversationId = idText(data['conversation_id']);
  if (type === null) return unusable('unusable', null, data, 'type: a word is needed');
  const seconds = asNumber(envelope['event_timestamp']);
  // A time to come would be newer than all that will ever follow.
  const at = seconds === null || seconds <= 0 ? now : Math.min(seconds * 1000, now);
  const fact = factOf(type, data, at);
  const toFetch = type === 'post_call_transcription_otel';
  if (fact === null && !toFetch) return unusable('unknown_type', type, data, 'type: not one that is understood');
  if (conversationId === null) return unusable('unusable', type, data, 'data.conversation_id: an id is needed');
  if (fact === null) return unusable('to_fetch', type, data, 'type: holds no conversation');
  const carrier = providerCallId(data) ?? idText(asRecord(asRecord(data['metadata'])['body'])['CallSid']);
  return {
    read: 'facts',
    type,
    address: { conversation_id: conversationId, call_sid: null, own_call_sid: ownCallSid(data), provider_call_id: carrier, agent_id: idText(data['agent_id']) },
    entries: [{ fact, source: 'webhook', conversation_id: conversationId, provider_call_id: carrier }],
  };
};

const factOf = (type: string, data: Readonly<Record<string, unknown>>, at: number): Fact | null => {
  switch (type) {
    case 'post_call_transcription':
      return { kind: 'finished', outcome: outcomeOf(data, data['status'] === 'failed' ? 'failed' : 'completed'), at };
    case 'call_initiation_failure':
      return { kind: 'finished', outcome: initiationFailureOf(data), at };
    case 'post_call_audio':
      return { kind: 'audio_noted' };
    default:
      return null;
  }
};
