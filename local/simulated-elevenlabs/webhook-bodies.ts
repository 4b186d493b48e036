import type { CallRecord } from './call-record.ts';
import { durationSeconds, conversationOf, AGENT_NUMBER } from './conversation.ts';
import type { FailureReason } from './player.ts';
import { silentMp3 } from './silent-mp3.ts';

/** The envelope of every ElevenLabs webhook. */
export interface WebhookBody {
  readonly type: string;
  readonly event_timestamp: number;
  readonly data: unknown;
}

/** `post_call_transcription`: the whole conversation. `now` in milliseconds, as in the others. */
export const transcriptionBody = (record: CallRecord, now: number): WebhookBody =>
  envelope('post_call_transcription', now, conversationOf(record));

/** `post_call_transcription_otel`: neither words nor analysis, the receiver has to ask for them. */
export const otelBody = (record: CallRecord, now: number): WebhookBody =>
  envelope('post_call_transcription_otel', now, {
    conversation_id: record.conversation_id,
    agent_id: record.agent_id,
    otlp_traces: { resourceSpans: [] },
  });

/** `post_call_audio`: the recording as base64. */
export const audioBody = (record: CallRecord, now: number): WebhookBody =>
  envelope('post_call_audio', now, {
    agent_id: record.agent_id,
    conversation_id: record.conversation_id,
    full_audio: silentMp3(durationSeconds(record)).toString('base64'),
  });

/** `call_initiation_failure`: with the carrier's own words; no dynamic variables. */
export const failureBody = (record: CallRecord, reason: FailureReason, now: number): WebhookBody =>
  envelope('call_initiation_failure', now, {
    agent_id: record.agent_id,
    conversation_id: record.conversation_id,
    failure_reason: reason,
    metadata: record.telephony === 'twilio' ? { type: 'twilio', body: twilioBody(record, reason, now) } : { type: 'sip', body: sipBody(record, reason) },
  });

const envelope = (type: string, now: number, data: unknown): WebhookBody => ({ type, event_timestamp: Math.floor(now / 1_000), data });

const twilioBody = (record: CallRecord, reason: FailureReason, now: number) => ({
  Called: record.to_number,
  ToState: '',
  CallerCountry: 'US',
  Direction: 'outbound-api',
  Timestamp: new Date(now).toUTCString().replace('GMT', '+0000'),
  CallbackSource: 'call-progress-events',
  SipResponseCode: { busy: '486', 'no-answer': '487', unknown: '500' }[reason],
  CallerState: '',
  ToZip: '',
  SequenceNumber: '2',
  CallSid: record.carrier_call_id,
  To: record.to_number,
  CallerZip: '',
  ToCountry: 'US',
  CalledZip: '',
  ApiVersion: '2010-04-01',
  CalledCity: '',
  CallStatus: { busy: 'busy', 'no-answer': 'no-answer', unknown: 'failed' }[reason],
  Duration: '0',
  From: AGENT_NUMBER,
  CallDuration: '0',
  AccountSid: 'AC00000000000000000000000000000001',
  CalledCountry: 'US',
  CallerCity: '',
  ToCity: '',
  FromCountry: 'US',
  Caller: AGENT_NUMBER,
  FromCity: '',
  CalledState: '',
  FromZip: '',
  FromState: '',
});

const sipBody = (record: CallRecord, reason: FailureReason) => {
  const [code, words] = ({ busy: [486, 'Busy here'], 'no-answer': [480, 'Temporarily unavailable'], unknown: [500, 'Server internal error'] } as const)[reason];
  return {
    from_number: AGENT_NUMBER,
    to_number: record.to_number,
    sip_status_code: code,
    error_reason: `INVITE failed: sip status: ${code}: ${words} (SIP ${code})`,
    call_sid: record.carrier_call_id,
    sip_status: words,
    twirp_code: 'unavailable',
  };
};
