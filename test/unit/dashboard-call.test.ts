import { describe, expect, it } from 'vitest';
import type { EventFrame } from '../../core/protocol/frames.ts';
import { CallView } from '../../client/view.ts';
import { eventsJson, fileName, transcriptText } from '../../client/dashboard/call-export.ts';
import { linesOf } from '../../client/dashboard/call-lines.ts';
import { activityText, findingsOf, outcomeText, reasonText, refusalText, toolResult, valueText, endingText, reasonSentence } from '../../client/dashboard/call-words.ts';
import { cut, readable } from '../../client/dashboard/readable.ts';
import { age, duration, utc } from '../../client/dashboard/times.ts';

const outcome = { transcript_summary: 'All is well.', call_duration_seconds: 41, cost: 0.12, call_successful: true, analysis_data: null, metadata_json: null, outcome: 'success', cost_credits: null, call_summary_title: null, evaluation_results: null, collection_results: null, turn_count: 2 };

const events = (): readonly EventFrame[] =>
  [
    { type: 'call_status', status: 'in_progress', previous: null },
    { type: 'transcription', turn_id: 'a', rev: 1, index: 0, state: 'final', speaker: 'agent', text: 'Hello', time_in_call_secs: 1 },
    { type: 'tool_executing', life: '1', tool_name: 'get_log', tool_call_id: 't' },
    { type: 'tool_completed', life: '1', tool_name: 'get_log', tool_call_id: 't', duration_ms: 840, detail: '212 miles' },
    { type: 'transcription', turn_id: 'b', rev: 1, index: 1, state: 'final', speaker: 'driver', text: 'I was parked', time_in_call_secs: 75 },
    { type: 'transcription', turn_id: 'c', rev: 1, index: 2, state: 'retracted', speaker: 'agent', text: 'Never said', time_in_call_secs: 80 },
    { type: 'call_status', status: 'completed', previous: 'in_progress' },
    { type: 'call_completed', data: outcome },
  ].map((fields, index) => ({ call_sid: 'EL_1', conversation_id: 'conv_1', seq: index + 1, timestamp: '2026-11-22T07:00:00.000Z', ...fields }) as unknown as EventFrame);

const viewOf = (of: readonly EventFrame[]): CallView => {
  const view = new CallView();
  view.apply({ kind: 'confirmed', callSid: 'EL_1', conversationId: 'conv_1', epoch: '1.a', status: 'completed' }, 0);
  for (const event of of) view.apply({ kind: 'event', event }, 0);
  return view;
};

describe('a call taken along', () => {
  it('as text has who spoke, when in the call, what was done, how complete it is - and no words that were taken back', () => {
    expect(transcriptText(viewOf(events()), null)).toBe(
      [
        'Call: EL_1',
        'Conversation: conv_1',
        'Started: 2026-11-22 07:00:00 UTC',
        'Record: Still arriving',
        'Outcome: Succeeded',
        'Duration: 0:41',
        'Cost: $0.12',
        'Summary: All is well.',
        '',
        '[2026-11-22 07:00:00 UTC] Picked up',
        '   0:01 AGENT: Hello',
        '        Tool get log: done, 840 ms. 212 miles',
        '   1:15 DRIVER: I was parked',
        '[2026-11-22 07:00:00 UTC] Call ended',
        '',
      ].join('\n'),
    );
  });

  it('as JSON has the events exactly as they came', () => {
    const all = events();
    const view = viewOf(all);
    view.apply({ kind: 'lost', from: 9, to: 9 }, 0);
    expect(JSON.parse(eventsJson(view, all))).toEqual({ call_sid: 'EL_1', conversation_id: 'conv_1', record: 'missing', missing: [{ from: 9, to: 9 }], events: all });
  });

  it('has a name that every file system takes', () => {
    expect(fileName('EL_a/b:c"d_2026-11-22T07:00:00.000Z', 'txt')).toBe('EL_a-b-c-d_2026-11-22T07-00-00.000Z.txt');
    expect(fileName('x'.repeat(500), 'json')).toHaveLength(105);
  });
});

it('lines are what was said, done and become, in one order; what is being spoken is apart', () => {
  const view = viewOf(events().slice(0, 5));
  view.apply({ kind: 'interim', turn: { type: 'transcription', call_sid: 'EL_1', conversation_id: null, timestamp: '2026-11-22T07:00:00.000Z', turn_id: 'd', rev: 1, index: 2, state: 'interim', speaker: 'agent', text: 'So', time_in_call_secs: null } }, 0);
  const { said, speaking } = linesOf(view);
  expect(said.map(({ kind, place }) => [kind, place])).toEqual([['status', -0.5], ['turn', 0], ['tool', 0.5], ['turn', 1]]);
  expect(speaking.map(({ text }) => text)).toEqual(['So']);
});

it('lines behind the same turn stand as they happened, whether they are tools or changes of the call', () => {
  const happened = [
    { type: 'transcription', turn_id: 'a', rev: 1, index: 0, state: 'final', speaker: 'agent', text: 'Hello', time_in_call_secs: 1 },
    { type: 'tool_executing', life: '1', tool_name: 'first', tool_call_id: '1' },
    { type: 'call_status', status: 'processing', previous: 'in_progress' },
    { type: 'tool_executing', life: '1', tool_name: 'second', tool_call_id: '2' },
    { type: 'call_status', status: 'completed', previous: 'processing' },
  ].map((fields, index) => ({ ...fields, call_sid: 'EL_1', conversation_id: 'conv_1', seq: index + 1, timestamp: '2026-11-22T07:00:00.000Z' }) as unknown as EventFrame);
  expect(linesOf(viewOf(happened)).said.map((line) => (line.kind === 'turn' ? line.text : line.kind === 'tool' ? line.name : line.status))).toEqual(['Hello', 'first', 'processing', 'second', 'completed']);
});

describe("somebody else's text", () => {
  it.each([
    ['is as it is', 'Hello\tthere\r\n<b>you</b>', 'Hello\tthere\r\n<b>you</b>'],
    ['cannot turn the direction around', 'pay \u202E001$\u202C now', 'pay [U+202E]001$[U+202C] now'],
    ['cannot isolate what follows', '\u2066a\u2069', '[U+2066]a[U+2069]'],
    ['shows its controls', 'a\u0000b\u001B[31m\u0085', 'a[U+0000]b[U+001B][31m[U+0085]'],
    ['keeps scripts that are written from the right, and joined emoji', 'שלום \u200F👩\u200D🚒', 'שלום \u200F👩\u200D🚒'],
  ])('%s', (_does, text, shown) => {
    expect(readable(text)).toBe(shown);
  });

  it('is never cut within a character', () => {
    expect(cut('ab👩c', 3)).toBe('ab');
    expect(cut('ab👩c', 4)).toBe('ab👩');
    expect(cut('abc', 3)).toBe('abc');
  });
});

describe('words for what happens', () => {
  it.each([
    [{ endedAt: null }, 'running ...'],
    [{}, 'done, 840 ms'],
    [{ failed: true, durationMs: null }, 'failed'],
  ])('a tool %o is %s', (more, words) => {
    expect(toolResult({ kind: 'tool', key: 't', place: 0, seq: 1, name: 'a', startedAt: null, endedAt: 'x', failed: false, durationMs: 840, detail: null, late: false, ...more })).toBe(words);
  });

  it('an outcome is a word of ours, or the one of the provider, or not known', () => {
    expect([true, false, null].map((call_successful) => outcomeText({ ...outcome, call_successful, outcome: 'partly' }))).toEqual(['Succeeded', 'Did not succeed', 'partly']);
    expect([null, 'unknown'].map((word) => outcomeText({ ...outcome, call_successful: null, outcome: word }))).toEqual(['Not judged', 'Not judged']);
  });

  it.each([
    ['busy', 'The line was busy'],
    ['http_502', 'The phone service had a fault, so it may have dialed'],
    ['http_422', 'The phone service refused it'],
    ['something new', 'Something new'],
  ])('the reason %s reads: %s', (reason, words) => {
    expect(reasonSentence(reason)).toBe(words);
  });

  it.each([
    ['end_call tool was called.', 'The agent hung up'],
    ['Call ended by remote party', 'The other side hung up'],
    ['Client disconnected: 1006', 'Client disconnected: 1006'],
  ])('the ending %s reads: %s', (ending, words) => {
    expect(endingText(ending)).toBe(words);
  });

  it('findings of any shape are read, and none is none', () => {
    expect(findingsOf({ reached_driver: { criteria_id: 'x', result: 'success', rationale: 'He said so.' }, log: { value: true, rationale: '' }, odd: 7, empty: { value: null } })).toEqual([
      { name: 'reached driver', value: 'success', rationale: 'He said so.' },
      { name: 'log', value: 'yes', rationale: null },
      { name: 'odd', value: '7', rationale: null },
      { name: 'empty', value: 'none', rationale: null },
    ]);
    expect([findingsOf(null), findingsOf('text'), findingsOf({})]).toEqual([[], [], []]);
  });

  it('amended values are short, and whole documents are not shown', () => {
    expect([valueText('cost', 0.1), valueText('call_duration_seconds', 41), valueText('call_successful', false), valueText('outcome', null), valueText('analysis_data', '{}'), valueText('call_summary_title', 'Hi')]).toEqual(['$0.10', '41 s', 'no', 'none', null, 'Hi']);
  });

  it('what the agent does is told while the call goes on', () => {
    const view = viewOf(events().slice(0, 3));
    expect(activityText(view)).toBe('Agent is using get log ...');
    expect(activityText(viewOf(events()))).toBeNull();
  });

  it('reasons and refusals are sentences; a reason that nobody knows is shown as it came', () => {
    expect([reasonText('no-answer'), reasonText('line cut')]).toEqual(['nobody picked up', 'line cut']);
    for (const code of ['call_erased', 'call_not_found', 'forbidden', 'too_many_subscriptions', 'whatever']) expect(refusalText(code)).toMatch(/^[A-Z].*\.$/);
  });
});

describe('times', () => {
  it('are written as a person reads them', () => {
    expect([7, 760, 3723, -4].map(duration)).toEqual(['0:07', '12:40', '1:02:03', '0:00']);
    expect([0, 12_300, 185_000, 7_300_000, 400_000_000].map(age)).toEqual(['now', '12 s', '3 min', '2 h', '4 d']);
    expect(utc('2026-11-22T07:00:01.234Z')).toBe('2026-11-22 07:00:01 UTC');
  });
});
