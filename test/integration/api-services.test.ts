import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { VoiceProvider } from '../../ports/voice-provider.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

/** What routes make of their services' answers and refusals. */
let api: ApiUnderTest;
let fetched: CallState | null;
let ending: 'ok' | EarshotError;
const provider: VoiceProvider = {
  dial: async () => ({ result: 'unknown', reason: 'test' }),
  conversation: async () => null,
  conversations: async () => ({ conversations: [], next_cursor: null }),
  audio: async (_workspace, id) => (id === 'conv_html' ? sound('text/html') : id === 'conv_audio' ? sound('audio/mpeg') : null),
  webhooks: async () => null,
  end: async () => 'not_supported',
  monitor: async () => null,
};
const sound = (content_type: string) => ({ body: new Blob(['sound']).stream(), content_type, content_length: 5 });

beforeEach(async () => {
  fetched = null;
  ending = 'ok';
  api = await startApi({
    parts: {
      provider,
      endCall: async () => {
        if (ending !== 'ok') throw ending;
        return { command_id: 'cmd_7' };
      },
      fetchConversation: async () => {
        if (fetched === null) throw new EarshotError('conversation_not_found');
        return fetched;
      },
      webhookStats: async (tenant) => (tenant === 't1' ? { received: 4, succeeded: 3, by_code: { '200': 3, '401': 1 }, p50_ms: 1.5, p99_ms: 9 } : { received: 0, succeeded: 0, by_code: {}, p50_ms: null, p99_ms: null }),
    },
  });
  await api.parts.directory.putWorkspace({ workspace: 'w1', webhook_secrets: [], ingest_keys: [], api_key: 'k', base_url: 'http://127.0.0.1:1', telephony: 'twilio', phone_number_id: null, concurrency: 4 });
});
afterEach(() => api.close());

const bound = async (sid: string, conversationId: string): Promise<CallState> => {
  await api.newCall({ call_sid: sid });
  const appended = await api.parts.callLog.append(sid, [{ fact: { kind: 'dialing', attempt: 1 }, source: 'dial', conversation_id: null, provider_call_id: null }, { fact: { kind: 'dial_accepted', attempt: 1 }, source: 'dial', conversation_id: conversationId, provider_call_id: null }]);
  if (appended === null) throw new Error('there is no such call');
  return appended.call;
};

describe('ending a call', () => {
  it('is asked for, and noted', async () => {
    await api.newCall({ call_sid: 'EL_1' });
    expect(await api.json('anna', 'POST', '/calls/EL_1/end')).toEqual({ status: 202, body: { command_id: 'cmd_7' } });
    expect(api.logged().filter((line) => line['message'] === 'access')).toMatchObject([{ action: 'calls.end', user: 'user-anna', call_sid: 'EL_1' }]);
  });
  it.each(['end_not_supported', 'call_already_ended'] as const)('that cannot be is 409 %s, and not noted', async (code) => {
    await api.newCall({ call_sid: 'EL_1' });
    ending = new EarshotError(code);
    expect(await api.json('anna', 'POST', '/calls/EL_1/end')).toMatchObject({ status: 409, body: { code } });
    expect(api.logged().filter((line) => line['message'] === 'access')).toEqual([]);
  });
});

describe('fetching a conversation', () => {
  it('answers the call as it is then', async () => {
    fetched = await bound('EL_1', 'conv_1');
    expect(await api.json('anna', 'GET', '/conversations/conv_1/fetch')).toMatchObject({ status: 200, body: { call_sid: 'EL_1', conversation_id: 'conv_1', status: 'dialing', analysis_data: null } });
  });
  it('is 404 where there is none for the caller', async () => {
    expect(await api.json('anna', 'GET', '/conversations/conv_2/fetch')).toMatchObject({ status: 404, body: { code: 'conversation_not_found' } });
  });
});

describe('the recording', () => {
  it('is passed through as sound and nothing else, and noted', async () => {
    await bound('EL_1', 'conv_audio');
    await bound('EL_2', 'conv_html');
    const good = await api.ask('anna', 'GET', '/calls/EL_1/audio');
    expect([good.status, good.headers.get('content-type'), good.headers.get('content-length'), good.headers.get('cache-control'), good.headers.get('x-content-type-options'), await good.text()]).toEqual([200, 'audio/mpeg', '5', 'no-store', 'nosniff', 'sound']);
    expect((await api.ask('anna', 'GET', '/calls/EL_2/audio')).headers.get('content-type')).toBe('application/octet-stream');
    expect(api.logged().filter((line) => line['action'] === 'calls.audio')).toHaveLength(2);
  });
  it('is 404 where there is none (yet)', async () => {
    await api.newCall({ call_sid: 'EL_1' });
    await bound('EL_2', 'conv_silent');
    for (const id of ['EL_1', 'EL_2']) expect(await api.json('anna', 'GET', `/calls/${id}/audio`)).toMatchObject({ status: 404, body: { code: 'recording_not_found' } });
  });
});

describe('the figures', () => {
  it('count the own tenant\'s calls and webhooks', async () => {
    for (const sid of ['EL_1', 'EL_2', 'EL_3']) await api.newCall({ call_sid: sid });
    await api.newCall({ call_sid: 'EL_4', tenant: 't2' });
    const end = { status: 'completed', reason: null, started_at: null, transcript_summary: 'Said.', call_duration_seconds: 1, cost: null, cost_credits: null, call_successful: null, outcome: null, call_summary_title: null, termination_reason: null, analysis_data: null, metadata_json: null, evaluation_results: null, collection_results: null, direction: null, agent_id: null, transcript: null, tools: [] } as const;
    await api.append('EL_1', { kind: 'finished', outcome: end, at: Date.now() });
    await api.append('EL_2', { kind: 'finished', outcome: { ...end, transcript_summary: null }, at: Date.now() });
    expect(await api.json('anna', 'GET', '/stats?hours=1')).toEqual({
      status: 200,
      body: {
        calls_by_status: { requested: 1, completed: 2 },
        completed: { total_calls: 2, with_summary: 1, percentage: 50 },
        webhooks: { received: 4, succeeded: 3, by_code: { '200': 3, '401': 1 }, p50_ms: 1.5, p99_ms: 9, success_rate: 0.75 },
      },
    });
    expect((await api.json('theo', 'GET', '/stats')).body).toMatchObject({ calls_by_status: { requested: 1 }, completed: { total_calls: 0, percentage: 0 }, webhooks: { received: 0, success_rate: null } });
  });
  it.each(['hours=0', 'hours=745', 'hours=x'])('are refused for ?%s', async (query) => {
    expect((await api.json('anna', 'GET', `/stats?${query}`)).status).toBe(400);
  });
});
