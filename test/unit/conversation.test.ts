import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { idText, initiationFailureOf, outcomeOf, ownCallSid, providerCallId, speakerOf, statusOf, withoutHidden } from '../../core/domain/elevenlabs/conversation.ts';
import { asBoolean, asNumber, asRecord, asText, isDeeperThan, jsonDepth, type JsonRecord } from '../../core/domain/elevenlabs/json.ts';
import { ID_MAX_CHARACTERS } from '../../core/protocol/limits.ts';

const sample = (name: string): JsonRecord => asRecord(asRecord(JSON.parse(readFileSync(new URL(`../payloads/${name}`, import.meta.url), 'utf8')))['data']);
const completed = (data: JsonRecord) => outcomeOf(data, 'completed');

describe('what ElevenLabs really sends', () => {
  it('reads a real inbound call whole', () => {
    const data = sample('05-post_call_transcription.real-twilio-inbound-2025-11.json');
    const { transcript_summary, analysis_data, metadata_json, transcript, ...rest } = completed(data);
    expect(rest).toEqual({
      status: 'completed',
      reason: null,
      started_at: 1_762_966_237_000,
      call_duration_seconds: 17,
      cost: null,
      cost_credits: 120,
      call_successful: true,
      outcome: 'success',
      call_summary_title: 'User name collection',
      termination_reason: 'Call ended by remote party',
      evaluation_results: {},
      collection_results: asRecord(data['analysis'])['data_collection_results'],
      direction: 'inbound',
      agent_id: 'agent_8501k9r8sbb5fjbbym8c9y1jqt9b',
      tools: [],
    });
    expect(transcript_summary).toBe(asRecord(data['analysis'])['transcript_summary']);
    expect(JSON.parse(analysis_data ?? '')).toEqual(data['analysis']);
    expect(JSON.parse(metadata_json ?? '')).toEqual(data['metadata']);
    expect(transcript).toEqual([
      { speaker: 'agent', text: 'Hello! How can I help you today? What is your name?', time_in_call_secs: 0, source_event_id: null },
      { speaker: 'driver', text: 'Alex.', time_in_call_secs: 4, source_event_id: null },
      { speaker: 'agent', text: 'And your last name?', time_in_call_secs: 6, source_event_id: null },
      { speaker: 'driver', text: 'Sample, S-A-M-P-L-E.', time_in_call_secs: 8, source_event_id: null },
      { speaker: 'agent', text: 'Thank you, Alex. How can I assist you today?', time_in_call_secs: 13, source_event_id: null },
    ]);
  });

  it('reads the documented example of a call, in its older shape', () => {
    expect(completed(sample('01-post_call_transcription.docs-example.json'))).toMatchObject({
      started_at: 1_739_537_297_000,
      call_duration_seconds: 22,
      cost: null,
      cost_credits: 296,
      termination_reason: '',
      call_summary_title: null,
      direction: null,
      agent_id: 'xyz',
      tools: [],
    });
  });

  it('reads a call that was never answered as a failure, and knows nothing more of it', () => {
    const data = sample('03-call_initiation_failure.twilio.docs-example.json');
    const { metadata_json, ...rest } = initiationFailureOf(data);
    expect(rest).toEqual({
      status: 'failed',
      reason: 'busy',
      started_at: null,
      transcript_summary: null,
      call_duration_seconds: null,
      cost: null,
      cost_credits: null,
      call_successful: false,
      outcome: 'failure',
      call_summary_title: null,
      termination_reason: null,
      analysis_data: null,
      evaluation_results: null,
      collection_results: null,
      direction: null,
      agent_id: 'xyz',
      transcript: null,
      tools: [],
    });
    expect(JSON.parse(metadata_json ?? '')).toEqual(data['metadata']);
    expect(initiationFailureOf({})).toMatchObject({ status: 'failed', reason: 'unknown', metadata_json: null, agent_id: null });
  });
});

describe('an outcome', () => {
  it('of which nothing is known is null throughout, and a transcript that is not told of is not an empty one', () => {
    expect(completed({})).toEqual({
      status: 'completed',
      reason: null,
      started_at: null,
      transcript_summary: null,
      call_duration_seconds: null,
      cost: null,
      cost_credits: null,
      call_successful: null,
      outcome: null,
      call_summary_title: null,
      termination_reason: null,
      analysis_data: null,
      metadata_json: null,
      evaluation_results: null,
      collection_results: null,
      direction: null,
      agent_id: null,
      transcript: null,
      tools: [],
    });
    expect(completed({ transcript: [] }).transcript).toEqual([]);
    expect(completed({ analysis: null, metadata: null })).toMatchObject({ analysis_data: null, metadata_json: null });
  });

  it.each([
    ['the reason of the error', { error: { reason: 'no credit' }, phone_call: { call_result: 'busy' }, termination_reason: 'ended' }, 'no credit'],
    ["the carrier's result where no error is told of", { phone_call: { call_result: 'busy' }, termination_reason: 'ended' }, 'busy'],
    ['the reason of the ending where neither is', { termination_reason: 'ended' }, 'ended'],
    ['nothing but that it failed', {}, 'failed'],
  ])('of a failed call says %s', (_what, metadata, reason) => {
    expect(outcomeOf({ metadata }, 'failed')).toMatchObject({ status: 'failed', reason });
    expect(completed({ metadata })).toMatchObject({ status: 'completed', reason: null });
  });

  it.each([
    ['dollars where they are given', { cost_fiat: 0.25, cost: 120 }, { cost: 0.25, cost_credits: 120 }],
    ['dollars where they are given as text', { cost_fiat: '0.25' }, { cost: 0.25, cost_credits: null }],
    ['a cost with a fraction as dollars', { cost: 0.12 }, { cost: 0.12, cost_credits: null }],
    ['dollars before a cost with a fraction', { cost_fiat: 0.25, cost: 0.12 }, { cost: 0.25, cost_credits: null }],
    ['a whole cost as credits', { cost: 120 }, { cost: null, cost_credits: 120 }],
    ['no cost as none', {}, { cost: null, cost_credits: null }],
  ])('takes %s', (_what, metadata, cost) => {
    expect(completed({ metadata })).toMatchObject(cost);
  });

  it.each([
    ['success', { call_successful: true, outcome: 'success' }],
    ['failure', { call_successful: false, outcome: 'failure' }],
    ['unknown', { call_successful: null, outcome: 'unknown' }],
    [true, { call_successful: true, outcome: 'success' }],
    [false, { call_successful: false, outcome: 'failure' }],
    [7, { call_successful: null, outcome: null }],
    ['x'.repeat(65), { call_successful: null, outcome: `${'x'.repeat(63)}…` }],
  ])('takes the verdict %s for what it is', (call_successful, expected) => {
    expect(completed({ analysis: { call_successful } })).toMatchObject(expected);
  });

  it.each([
    [1_700_000_000, 1_700_000_000_000],
    [1_700_000_000.0006, 1_700_000_000_001],
    ['1700000000', 1_700_000_000_000],
    [1e10, 1e13],
    [1e10 + 1, null],
    [0, null],
    [-1, null],
    [null, null],
  ])('begun at second %s began at millisecond %s', (start_time_unix_secs, started_at) => {
    expect(completed({ metadata: { start_time_unix_secs } }).started_at).toBe(started_at);
  });

  it.each([
    ['inbound', 'inbound'],
    ['outbound', 'outbound'],
    ['sideways', null],
  ])('of a call that went %s has the direction %s', (direction, expected) => {
    expect(completed({ metadata: { phone_call: { direction } } }).direction).toBe(expected);
  });

  it('has room for long texts up to a bound, and cuts what is beyond it', () => {
    const { transcript_summary, call_summary_title, termination_reason, reason } = outcomeOf(
      { metadata: { termination_reason: 'r'.repeat(501) }, analysis: { transcript_summary: 's'.repeat(20_000), call_summary_title: 't'.repeat(301) } },
      'failed',
    );
    expect(transcript_summary).toBe('s'.repeat(12 * 1024 - 2));
    expect(call_summary_title).toBe(`${'t'.repeat(299)}…`);
    expect(termination_reason).toBe(`${'r'.repeat(499)}…`);
    expect(reason).toBe(termination_reason);
    expect(completed({ metadata: { termination_reason: 'r'.repeat(500) } }).termination_reason).toBe('r'.repeat(500));
  });

  it('takes the rows that hold words of somebody known, with the event they came of', () => {
    const said = (more: object) => ({ role: 'user', message: 'Yes', time_in_call_secs: 1, ...more });
    const row = (more: object = {}) => ({ speaker: 'driver', text: 'Yes', time_in_call_secs: 1, source_event_id: null, ...more });
    expect(
      completed({
        transcript: [said({}), said({ role: 'agent' }), said({ role: 'driver' }), said({ role: 'system' }), said({ message: null }), said({ message: '' }), 'Yes', said({ source_event_id: 5 }), said({ source_event_id: 'e' }), said({ source_event_id: {} }), said({ source_event_id: 'e'.repeat(ID_MAX_CHARACTERS + 1) }), said({ time_in_call_secs: 'soon' })],
      }).transcript,
    ).toEqual([row(), row({ speaker: 'agent' }), row(), row({ source_event_id: '5' }), row({ source_event_id: 'e' }), row(), row({ source_event_id: 'e'.repeat(ID_MAX_CHARACTERS) }), row({ time_in_call_secs: null })]);
  });

  it('joins the use of a tool with its result, whichever is told of, and leaves out what has no id or no name', () => {
    const call = (request_id: unknown, tool_name: unknown) => ({ role: 'agent', message: null, tool_calls: [{ request_id, tool_name }] });
    const result = (request_id: unknown, more: object = {}) => ({ role: 'agent', message: null, tool_results: [{ request_id, is_error: false, tool_latency_secs: 0.0126, ...more }] });
    expect(completed({ transcript: [call('a', 'look_up'), call('b', 'send'), call('c', null), call(null, 'nameless'), result('a'), result('d', { tool_name: 'late', is_error: 'no', tool_latency_secs: null }), result('e'), result(null, { tool_name: 'x' }), { tool_calls: 'none', tool_results: null }] }).tools).toEqual([
      { tool_call_id: 'a', tool_name: 'look_up', is_error: false, duration_ms: 13, completed: true },
      { tool_call_id: 'b', tool_name: 'send', is_error: null, duration_ms: null, completed: false },
      { tool_call_id: 'd', tool_name: 'late', is_error: null, duration_ms: null, completed: true },
    ]);
  });
});

describe('what nobody may see', () => {
  it('is left out at any depth: headers of tools, the transcript again, secrets of the account', () => {
    const analysis = { kept: 1, tool_details: { headers: { authorization: 'x' } }, rows: [{ secret__key: 'x', kept: [2] }, null, 'tool_details'], system__conversation_history: 'x', secret__: 'x', not_secret__: 3 };
    const seen = { kept: 1, rows: [{ kept: [2] }, null, 'tool_details'], not_secret__: 3 };
    expect(withoutHidden(analysis)).toEqual(seen);
    expect(JSON.parse(completed({ analysis }).analysis_data ?? '')).toEqual(seen);
    expect(completed({ analysis: { evaluation_criteria_results: analysis, data_collection_results: analysis } })).toMatchObject({ evaluation_results: seen, collection_results: seen });
    expect(JSON.parse(initiationFailureOf({ metadata: analysis }).metadata_json ?? '')).toEqual(seen);
  });
});

describe('a word, an id, a role', () => {
  it.each([
    ['initiated', 'dialing'],
    ['in-progress', 'in_progress'],
    ['in_progress', 'in_progress'],
    ['processing', 'processing'],
    ['done', 'completed'],
    ['failed', 'failed'],
    ['paused', null],
    [undefined, null],
  ])('the status %s is %s', (word, status) => {
    expect(statusOf(word)).toBe(status);
  });

  it.each([
    ['agent', 'agent'],
    ['user', 'driver'],
    ['driver', 'driver'],
    ['system', null],
    [undefined, null],
  ])('the role %s is %s', (role, speaker) => {
    expect(speakerOf(role)).toBe(speaker);
  });

  it('our own id comes back among the dynamic variables', () => {
    expect(ownCallSid({ conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: 'EL_1' } } })).toBe('EL_1');
    expect(ownCallSid({ conversation_initiation_client_data: { dynamic_variables: null } })).toBeNull();
    expect(ownCallSid({})).toBeNull();
  });

  it("the carrier's id stands where the carrier's kind puts it", () => {
    const variables = { conversation_initiation_client_data: { dynamic_variables: { system__call_sid: 'CA3' } } };
    expect(providerCallId({ ...variables, metadata: { phone_call: { call_sid: 'CA1', sip_call_id: 'SIP2' } } })).toBe('CA1');
    expect(providerCallId({ ...variables, metadata: { phone_call: { sip_call_id: 'SIP2' } } })).toBe('SIP2');
    expect(providerCallId(variables)).toBe('CA3');
    expect(providerCallId({})).toBeNull();
  });

  it.each([
    ['an id', 'conv_1', 'conv_1'],
    ['an id of the greatest length', 'c'.repeat(ID_MAX_CHARACTERS), 'c'.repeat(ID_MAX_CHARACTERS)],
    ['one character more', 'c'.repeat(ID_MAX_CHARACTERS + 1), null],
    ['nothing', '', null],
    ['a control character', 'conv\n1', null],
    ['half a character', 'conv\ud800', null],
    ['a number', 5, null],
  ])('%s is taken for an id only where it can be one', (_what, value, expected) => {
    expect(idText(value)).toBe(expected);
  });
});

describe('values that somebody else sent', () => {
  it('are read as what they are, or as nothing', () => {
    expect([{ a: 1 }, [1], null, 'x', 1].map(asRecord)).toEqual([{ a: 1 }, {}, {}, {}, {}]);
    expect(['x', '', 1, null, {}].map(asText)).toEqual(['x', '', null, null, null]);
    expect([true, false, 'true', 0, null].map(asBoolean)).toEqual([true, false, null, null, null]);
    expect([1.5, '1.5', ' 2 ', '', '  ', 'x', Number.NaN, Infinity, 'Infinity', null, true].map(asNumber)).toEqual([1.5, 1.5, 2, null, null, null, null, null, null, null, null]);
  });

  it.each([
    ['"flat"', 0],
    ['{}', 1],
    ['[[],[{}],[]]', 3],
    ['{"a":[{"b":{}}],"c":[]}', 4],
    ['"[[[["', 0],
    ['["\\"[[[",[]]', 2],
    ['["\\\\",[]]', 2],
    ['[[', 2],
  ])('%s has brackets %i deep', (text, depth) => {
    expect(jsonDepth(text)).toBe(depth);
    if (text === '[[') return;
    expect([depth - 1, depth, depth + 1].filter((levels) => levels >= 0).map((levels) => isDeeperThan(JSON.parse(text), levels))).toEqual(depth === 0 ? [false, false] : [true, false, false]);
  });

  it('a value may be as deep as its text can make it: nothing is looked at below the levels asked for', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(200_000)}${']'.repeat(200_000)}`);
    expect([isDeeperThan(deep, 0), isDeeperThan(deep, 200), isDeeperThan({ a: [1, { b: deep }] }, 200)]).toEqual([true, true, true]);
    expect(isDeeperThan(JSON.parse(`${'{"a":'.repeat(200)}1${'}'.repeat(200)}`), 200)).toBe(false);
    expect([null, 'text', 1, true].map((value) => isDeeperThan(value, 0))).toEqual([false, false, false, false]);
  });
});
