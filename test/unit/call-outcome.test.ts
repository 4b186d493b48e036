import { describe, expect, it } from 'vitest';
import type { FactEntry, FinalTurn, Outcome } from '../../core/domain/call/facts.ts';
import { canonical } from '../../core/domain/call/keys.ts';
import { CallMachine } from '../fixtures/call-machine.ts';
import { agentEvent, blankCall, entry, finalTurn, finished, outcome, turn } from '../fixtures/facts.ts';

const HEAD = { call_sid: 'EL_driver1_2026-01-01T00:00:00.000Z', conversation_id: 'conv' };
const requested = (): CallMachine => {
  const machine = new CallMachine();
  machine.take(entry({ kind: 'requested' }));
  return machine;
};
const ended = (more: Partial<Outcome> = {}, at = 10_000): CallMachine => {
  const machine = requested();
  machine.take(entry(finished(more, at), 'conv'));
  return machine;
};
const framesAfter = (machine: CallMachine, ...entries: FactEntry[]): object[] => {
  const before = machine.events.length;
  machine.take(...entries);
  return machine.frames().slice(before);
};
const again = (more: Partial<Outcome>, at = 11_000): FactEntry => entry(finished(more, at), 'conv', { source: 'fetch' });
const said = (machine: CallMachine): unknown[] => machine.standing().map(({ index, speaker, text, time_in_call_secs }) => [index, speaker, text, time_in_call_secs]);

describe('the end of a call', () => {
  it('is told in three events that say all that is known, and stands in the call', () => {
    const machine = requested();
    machine.take(entry({ kind: 'announced' }, 'conv'));
    const frames = framesAfter(machine, entry(finished({ evaluation_results: { polite: true }, collection_results: { name: 'Alex' }, transcript: [finalTurn('agent', 'Hello')] }), 'conv'));
    const timestamp = new Date(machine.now).toISOString();
    expect(frames.slice(1)).toEqual([
      { type: 'call_status', ...HEAD, seq: 4, timestamp, status: 'completed', previous: 'requested' },
      {
        type: 'call_completed',
        ...HEAD,
        seq: 5,
        timestamp,
        data: {
          transcript_summary: 'They talked.',
          call_duration_seconds: 12,
          cost: 0.05,
          call_successful: true,
          analysis_data: '{"a":1}',
          metadata_json: '{"b":2}',
          outcome: 'success',
          cost_credits: 100,
          call_summary_title: 'Talk',
          evaluation_results: { polite: true },
          collection_results: { name: 'Alex' },
          turn_count: 1,
        },
      },
      { type: 'call_sealed', ...HEAD, seq: 6, timestamp, revision: 1, last_seq: 6, turns: 1, digest: (frames[3] as { digest: string }).digest },
    ]);
    expect(machine.call).toMatchObject({
      status: 'completed',
      reason: null,
      started_at: 5_000,
      call_end_time: 17_000,
      dial_settled: true,
      outcome_at: 10_000,
      transcript_final: true,
      transcript_summary: 'They talked.',
      call_duration_seconds: 12,
      cost: 0.05,
      cost_credits: 100,
      call_successful: true,
      outcome: 'success',
      call_summary_title: 'Talk',
      termination_reason: 'hung up',
      seal_revision: 1,
      last_line: 'Agent: Hello',
    });
    expect(machine.details).toEqual({ analysis_data: '{"a":1}', metadata_json: '{"b":2}' });
  });

  it('says why a failed call failed', () => {
    const machine = requested();
    expect(framesAfter(machine, entry(finished({ status: 'failed', reason: 'busy' }), 'conv'))).toMatchObject([{ type: 'call_status', status: 'requested' }, { type: 'call_status', status: 'failed', reason: 'busy', previous: 'requested' }, {}, {}]);
    expect(machine.call.reason).toBe('busy');
  });

  it('is the first that is heard of a call that nobody announced', () => {
    const machine = new CallMachine(blankCall({ direction: null, agent_id: null }));
    const frames = framesAfter(machine, entry(finished({ direction: 'inbound', agent_id: 'agent9' }), 'conv'));
    expect(frames).toMatchObject([{ type: 'call_status', previous: null, seq: 1, conversation_id: 'conv' }, { type: 'call_completed' }, { type: 'call_sealed' }]);
    expect(machine.call).toMatchObject({ direction: 'inbound', agent_id: 'agent9' });
  });

  it('changes neither direction nor agent of a call that has them', () => {
    expect(ended({ direction: 'inbound', agent_id: 'agent9' }).call).toMatchObject({ direction: 'outbound', agent_id: 'agent1' });
  });

  it.each([
    ['start and length', { started_at: 5_000, call_duration_seconds: 1.0004 }, 6_000],
    ['no start', { started_at: null, call_duration_seconds: 1 }, null],
    ['no length', { started_at: 5_000, call_duration_seconds: null }, null],
    ['no length to speak of', { started_at: 5_000, call_duration_seconds: 0 }, 5_000],
    ['a length below nothing', { started_at: 5_000, call_duration_seconds: -1 }, null],
    ['a length of a thousand million seconds', { started_at: 5_000, call_duration_seconds: 1e9 }, 1e12 + 5_000],
    ['a length that no call has', { started_at: 5_000, call_duration_seconds: 1e9 + 1 }, null],
  ])('is when %s say', (_what, more, call_end_time) => {
    expect(ended(more).call.call_end_time).toBe(call_end_time);
  });

  it('counts from the first sign of life where the outcome does not say when it began', () => {
    const machine = requested();
    machine.take(entry(turn('agent', 'Hello'), 'conv'));
    const began = machine.now;
    machine.take(entry(finished({ started_at: null }), 'conv'));
    expect(machine.call).toMatchObject({ started_at: began, call_end_time: began + 12_000 });
  });
});

describe('an outcome that comes after the end', () => {
  it('amends what it says otherwise, field by field, and seals anew', () => {
    const machine = ended();
    const frames = framesAfter(machine, again({ cost: 0.06, outcome: 'failure', call_successful: false, started_at: 6_000, analysis_data: '{"a":3}', transcript_summary: null }));
    expect(frames).toMatchObject([
      {
        type: 'call_amended',
        source: 'fetch',
        changed: {
          cost: { from: 0.05, to: 0.06 },
          call_successful: { from: true, to: false },
          outcome: { from: 'success', to: 'failure' },
          analysis_data: { from: '{"a":1}', to: '{"a":3}' },
          started_at: { from: '1970-01-01T00:00:05.000Z', to: '1970-01-01T00:00:06.000Z' },
        },
      },
      { type: 'call_sealed', revision: 2 },
    ]);
    expect(Object.keys((frames[0] as { changed: object }).changed)).toHaveLength(5);
    expect(machine.call).toMatchObject({ cost: 0.06, outcome: 'failure', started_at: 6_000, call_end_time: 18_000, outcome_at: 11_000, transcript_summary: 'They talked.' });
    expect(machine.details).toEqual({ analysis_data: '{"a":3}', metadata_json: '{"b":2}' });
  });

  it.each<[string, keyof Outcome, string | number | boolean]>([
    ['summary', 'transcript_summary', 'Later.'],
    ['length', 'call_duration_seconds', 13],
    ['cost', 'cost', 1],
    ['credits', 'cost_credits', 1],
    ['verdict', 'call_successful', false],
    ['word', 'outcome', 'unknown'],
    ['title', 'call_summary_title', 'Later'],
    ['reason of the ending', 'termination_reason', 'later'],
    ['analysis', 'analysis_data', '{}'],
    ['metadata', 'metadata_json', '{}'],
  ])('brings another %s, fills in one that was missing, and takes none away', (_what, field, value) => {
    const changed = (from: unknown, to: unknown, at?: number): unknown => (framesAfter(ended({ [field]: from }), again({ [field]: to, agent_id: 'x' }, at))[0] as { changed?: unknown } | undefined)?.changed;
    const known = outcome()[field];
    expect(changed(known, value)).toEqual({ [field]: { from: known, to: value } });
    expect(changed(null, value)).toEqual({ [field]: { from: null, to: value } });
    expect(changed(known, null)).toBeUndefined();
    // Older facts fill in what is missing and replace nothing.
    expect(changed(known, value, 9_999)).toBeUndefined();
    expect(changed(null, value, 9_999)).toEqual({ [field]: { from: null, to: value } });
    expect(changed(known, value, 10_000)).toEqual({ [field]: { from: known, to: value } });
  });

  it('fills in a start that was not known', () => {
    const machine = ended({ started_at: null });
    expect(framesAfter(machine, again({}, 9_000))).toMatchObject([{ changed: { started_at: { from: null, to: '1970-01-01T00:00:05.000Z' } } }, { type: 'call_sealed' }]);
    expect(machine.call).toMatchObject({ started_at: 5_000, call_end_time: 17_000, outcome_at: 10_000 });
  });

  it('changes nothing where it says the same in other words', () => {
    const machine = ended();
    expect(machine.take(again({ agent_id: 'other' })).results).toEqual([{ result: 'noted' }]);
    expect(machine.take(again({ agent_id: 'other' })).results).toEqual([{ result: 'duplicate' }]);
    expect(machine.take(again({ agent_id: 'older' }, 9_000)).results).toEqual([{ result: 'noted' }]);
    expect(machine.call).toMatchObject({ agent_id: 'agent1', outcome_at: 11_000, seal_revision: 1 });
  });

  it('corrects the transcript with a later one, and not with an older one', () => {
    const machine = ended({ transcript: [finalTurn('driver', 'I was at the turminal')] });
    machine.take(again({ transcript: [finalTurn('driver', 'I was at the tunnel')] }, 9_000));
    expect(said(machine)).toEqual([[0, 'driver', 'I was at the turminal', null]]);
    expect(framesAfter(machine, again({ transcript: [finalTurn('driver', 'I was at the terminal')] }))).toMatchObject([{ type: 'transcription', state: 'corrected', rev: 2, index: 0, text: 'I was at the terminal' }, { type: 'call_sealed', revision: 2, turns: 1 }]);
    expect(said(machine)).toEqual([[0, 'driver', 'I was at the terminal', null]]);
  });

  it('takes an older transcript where there was none, so that words are shown at all', () => {
    const machine = ended({ transcript: null });
    machine.take(again({ transcript: [finalTurn('driver', 'Hello')] }, 9_000));
    expect(said(machine)).toEqual([[0, 'driver', 'Hello', null]]);
    expect(machine.call).toMatchObject({ transcript_final: true, turn_count: 1, seal_revision: 2 });
  });
});

describe('the final transcript', () => {
  const whole = (machine: CallMachine): object[] => machine.frames().filter((frame) => frame.type === 'transcription');

  it('adds what nobody heard live, as late turns', () => {
    const machine = ended({ transcript: [finalTurn('agent', 'Hello', { time_in_call_secs: 1 }), finalTurn('driver', 'Yes')] });
    const [hello, yes] = whole(machine);
    expect(hello).toEqual({ type: 'transcription', ...HEAD, seq: 3, timestamp: new Date(machine.now).toISOString(), turn_id: expect.stringMatching(/^t_[0-9a-f]{24}$/) as unknown, rev: 1, index: 0, state: 'final', speaker: 'agent', text: 'Hello', time_in_call_secs: 1, late: true });
    expect(yes).toMatchObject({ index: 1, rev: 1, speaker: 'driver', late: true });
    expect(machine.call).toMatchObject({ turn_count: 2, next_index: 2, last_line: 'Driver: Yes' });
  });

  it('leaves no last line and no turn where nobody spoke', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'brrr', { turn_id: 'a' }), 'conv'));
    machine.take(entry(finished({ transcript: [] }), 'conv'));
    expect(machine.call).toMatchObject({ turn_count: 0, next_index: 0, last_line: null, transcript_final: true });
    expect(whole(machine).at(-1)).toMatchObject({ turn_id: 'a', rev: 2, index: 0, state: 'retracted', text: 'brrr' });
    expect(whole(machine).at(-1)).not.toHaveProperty('late');
  });

  it('moves and corrects what was heard live, and keeps its time where it has none itself', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'I was add the terminal', { turn_id: 'a', time_in_call_secs: 7 }), 'conv'));
    machine.take(entry(finished({ transcript: [finalTurn('agent', 'Hello'), finalTurn('driver', 'I was at the terminal')] }), 'conv'));
    expect(whole(machine).at(-1)).toMatchObject({ turn_id: 'a', rev: 2, index: 1, state: 'corrected', text: 'I was at the terminal', time_in_call_secs: 7 });
    expect(whole(machine).at(-1)).not.toHaveProperty('late');
    expect(machine.take(entry(turn('driver', 'I was at the terminal', { turn_id: 'a', rev: 2 }), 'conv')).results).toEqual([{ result: 'duplicate' }]);
    expect(machine.take(entry(turn('driver', 'I was at the terminal', { turn_id: 'a', state: 'corrected' }), 'conv')).results).toEqual([{ result: 'duplicate' }]);
    expect(machine.take(entry(turn('driver', 'I was at the terminus', { turn_id: 'a', state: 'corrected' }), 'conv')).results).toEqual([{ result: 'ignored', why: 'the final transcript speaks' }]);
    machine.take(again({ transcript: [finalTurn('agent', 'Hello'), finalTurn('driver', 'I was at the terminal', { time_in_call_secs: 9 }), finalTurn('driver', 'Bye')] }));
    expect(said(machine)).toEqual([[0, 'agent', 'Hello', null], [1, 'driver', 'I was at the terminal', 7], [2, 'driver', 'Bye', null]]);
  });

  it('gives equal rows ids of their own, the same in every reading', () => {
    const rows = [finalTurn('driver', 'Yes'), finalTurn('driver', 'Yes'), finalTurn('agent', 'Yes'), finalTurn('driver', 'Yes', { time_in_call_secs: 1 })];
    const ids = (machine: CallMachine): string[] => machine.standing().map((standing) => standing.turn_id);
    const first = ended({ transcript: rows });
    expect(new Set(ids(first)).size).toBe(4);
    expect(ids(ended({ transcript: rows }))).toEqual(ids(first));
    expect(ids(ended({ transcript: rows.slice(0, 1) }))).toEqual(ids(first).slice(0, 1));
  });

  it('names a row by the event of the monitor, unless a turn has that name already', () => {
    const row: FinalTurn = finalTurn('driver', 'Yes', { source_event_id: '5' });
    const machine = ended({ transcript: [row, { ...row, text: 'No' }, { ...row, speaker: 'agent' }, finalTurn('driver', 'Bye', { source_event_id: null })] });
    expect(machine.standing().map((standing) => standing.turn_id)).toEqual(['monitor:driver:5', expect.stringMatching(/^t_/), 'monitor:agent:5', expect.stringMatching(/^t_/)]);
  });

  it('gives a row that was taken back and comes again another id', () => {
    const machine = ended({ transcript: [finalTurn('driver', 'Yes')] });
    for (const cost of [1, 2]) {
      machine.take(again({ transcript: [finalTurn('agent', 'Hello')], cost }));
      machine.take(again({ transcript: [finalTurn('driver', 'Yes')], cost }));
    }
    expect(said(machine)).toEqual([[0, 'driver', 'Yes', null]]);
    const added = machine.frames().flatMap((frame) => (frame.type === 'transcription' && frame.state === 'final' ? [[frame.turn_id, frame.text]] : []));
    expect(added.map(([, text]) => text)).toEqual(['Yes', 'Hello', 'Yes', 'Hello', 'Yes']);
    expect(new Set(added.map(([id]) => id)).size).toBe(5);
  });

  it.each([
    ['said by the other', turn('agent', 'Hello there'), true],
    ['in other letters', turn('driver', 'hello, THERE!'), false],
    ['of the same event, whatever it heard', turn('driver', 'jello bear', { source_event_id: '5' }), false],
    ['of another event', turn('driver', 'jello bear', { source_event_id: '6' }), true],
    ['of no event', turn('driver', 'jello bear'), true],
    ['of the same event, said by the other', turn('agent', 'jello bear', { source_event_id: '5' }), true],
    ['by the name of a turn it has', turn('driver', 'jello bear', { turn_id: 'monitor:driver:5' }), false],
    ['taken back', turn('driver', 'jello bear', { turn_id: 'new', state: 'retracted' }), false],
  ])('takes a turn that comes after it %s only where it lacks it', (_what, late, taken) => {
    const machine = ended({ transcript: [finalTurn('driver', 'Hello there', { source_event_id: '5' })] });
    const { results } = machine.take(entry(late, 'conv'));
    if (taken) expect(results).toEqual([{ result: 'appended', first_seq: 7, last_seq: 8 }]);
    else expect(results).toEqual([{ result: 'ignored', why: 'the final transcript speaks' }]);
    expect(machine.call).toMatchObject(taken ? { turn_count: 2, next_index: 2, seal_revision: 2 } : { turn_count: 1, seal_revision: 1 });
    if (taken) expect(machine.frames().at(-2)).toMatchObject({ rev: 1, index: 1, late: true, speaker: late.speaker });
  });
});

describe('tools of the final transcript', () => {
  const tool = { tool_call_id: 'a', tool_name: 'look_up', is_error: null, duration_ms: null, completed: true };
  const toolFrames = (machine: CallMachine): object[] => machine.frames().filter((frame) => frame.type.startsWith('tool_'));

  it('are told with what is known of them', () => {
    const machine = ended({ transcript: [], tools: [tool, { ...tool, tool_call_id: 'b', is_error: true, duration_ms: 7 }, { ...tool, tool_call_id: 'c', completed: false }] });
    const frame = (type: string, tool_call_id: string, more: object = {}): object => ({ type, ...HEAD, seq: expect.any(Number) as unknown, timestamp: new Date(machine.now).toISOString(), life: '1', tool_name: 'look_up', tool_call_id, late: true, ...more });
    expect(toolFrames(machine)).toEqual([
      frame('tool_executing', 'a'),
      frame('tool_completed', 'a'),
      frame('tool_executing', 'b'),
      frame('tool_completed', 'b', { is_error: true, duration_ms: 7 }),
      frame('tool_executing', 'c'),
    ]);
  });

  it('are told once, though each later reading has them too', () => {
    const machine = ended({ transcript: [finalTurn('agent', 'x')], tools: [tool] });
    machine.take(again({ transcript: [finalTurn('agent', 'x')], tools: [tool], cost: 9 }));
    machine.take(entry(agentEvent('tool_completed', { tool_call_id: 'a' }), 'conv'));
    expect(toolFrames(machine)).toHaveLength(2);
  });
});

describe('facts of an outcome', () => {
  it('are equal in whatever order their members stand', () => {
    const text = '{"a":[{"c":1,"d":null},2],"b":{"x":"y","z":[]}}';
    expect(canonical({ b: { z: [], x: 'y' }, a: [{ d: null, c: 1 }, 2] })).toBe(text);
    expect(canonical(JSON.parse(text))).toBe(text);
    expect([canonical([2, 1]), canonical(null), canonical('x')]).toEqual(['[2,1]', 'null', '"x"']);
    // Names that an assignment would take for something else are members like all others.
    expect(canonical(JSON.parse('{"b":{"__proto__":{"y":1,"x":2}},"__proto__":1,"10":0,"9":0}'))).toBe('{"9":0,"10":0,"__proto__":1,"b":{"__proto__":{"x":2,"y":1}}}');
    expect(({} as { y?: number }).y).toBeUndefined();
  });
});
