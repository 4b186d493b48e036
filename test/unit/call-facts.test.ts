import { describe, expect, it } from 'vitest';
import type { Fact, FactEntry } from '../../core/domain/call/facts.ts';
import { keysOf, needsHistory } from '../../core/domain/call/keys.ts';
import { mayFollow } from '../../core/domain/call/draft.ts';
import { presentCall, presentRow } from '../../core/domain/call/present.ts';
import { isTerminal } from '../../core/domain/call/state.ts';
import { CallStatus } from '../../core/protocol/frames.ts';
import { FRAME_MAX_BYTES, LAST_LINE_MAX_CHARACTERS, TURN_TEXT_FRAME_MAX_BYTES } from '../../core/protocol/limits.ts';
import { CallMachine } from '../fixtures/call-machine.ts';
import { agentEvent, blankCall, entry, finished, outcome, sha256, turn } from '../fixtures/facts.ts';

const requested = (): CallMachine => {
  const machine = new CallMachine();
  machine.take(entry({ kind: 'requested' }));
  return machine;
};
const dialled = (): CallMachine => {
  const machine = requested();
  machine.take(entry({ kind: 'dialing', attempt: 1 }));
  return machine;
};
const after = (machine: CallMachine, ...entries: FactEntry[]): object[] => {
  const before = machine.events.length;
  machine.take(...entries);
  return machine.frames().slice(before);
};
const resultOf = (machine: CallMachine, given: FactEntry): object | undefined => machine.take(given).results[0];
const NOTHING_NEW = { result: 'ignored', why: 'nothing new' };

describe('a call that is asked for', () => {
  it('begins with its request, once', () => {
    const machine = new CallMachine();
    expect(resultOf(machine, entry({ kind: 'requested' }))).toEqual({ result: 'appended', first_seq: 1, last_seq: 1 });
    expect(machine.frames()).toEqual([{ type: 'call_status', call_sid: machine.call.call_sid, conversation_id: null, seq: 1, timestamp: new Date(machine.now).toISOString(), status: 'requested', previous: null }]);
    expect(resultOf(machine, entry({ kind: 'requested' }))).toEqual({ result: 'duplicate' });
  });

  it.each([
    ['requested', 'dialing'],
    ['requested', 'unknown'],
    ['dialing', 'unknown'],
    ['unknown', 'dialing'],
    ['unknown', 'in_progress'],
    ['dialing', 'in_progress'],
    ['in_progress', 'processing'],
    ['processing', 'completed'],
    ['requested', 'failed'],
  ] as const)('may go from %s to %s, and nowhere back', (from, to) => {
    expect([mayFollow(from, to), mayFollow(from, from)]).toEqual([true, false]);
    if (from !== 'unknown' && to !== 'unknown') expect(mayFollow(to, from)).toBe(false);
  });

  it('goes nowhere once it has ended', () => {
    for (const from of CallStatus.options) for (const to of CallStatus.options) if (isTerminal(from)) expect(mayFollow(from, to)).toBe(false);
    expect(CallStatus.options.filter(isTerminal)).toEqual(['completed', 'failed']);
  });
});

describe('a dial', () => {
  it('notes when it was begun, and is settled by its conversation alone', () => {
    const machine = dialled();
    expect(machine.call).toMatchObject({ dial_attempt: 1, dialed_at: machine.now, dial_settled: false, status: 'dialing', started_at: null });
    machine.take(entry({ kind: 'dial_accepted', attempt: 1 }));
    expect(machine.call).toMatchObject({ dial_settled: false, status: 'dialing' });
    expect(after(machine, entry({ kind: 'announced' }, 'conv'))).toMatchObject([{ type: 'call_status', status: 'dialing', previous: 'dialing', conversation_id: 'conv' }]);
    expect(machine.call.dial_settled).toBe(true);
  });

  it('is settled by an answer that comes with its conversation, or after it', () => {
    const named = dialled();
    named.take(entry({ kind: 'dial_accepted', attempt: 1 }, 'conv'));
    expect(named.call).toMatchObject({ dial_settled: true, conversation_id: 'conv' });
    const told = dialled();
    told.take(entry({ kind: 'announced' }, 'conv'));
    told.take(entry({ kind: 'dial_accepted', attempt: 1 }));
    expect(told.call.dial_settled).toBe(true);
    const known = requested();
    known.take(entry({ kind: 'announced' }, 'conv'));
    known.take(entry({ kind: 'dialing', attempt: 1 }));
    expect(known.call.dial_settled).toBe(true);
  });

  it.each<[string, Fact[], Fact, object, CallStatus]>([
    ['an answer again', [{ kind: 'dial_accepted', attempt: 1 }], { kind: 'dial_accepted', attempt: 1 }, { result: 'duplicate' }, 'dialing'],
    ['a refusal after an answer', [{ kind: 'dial_accepted', attempt: 1 }], { kind: 'dial_failed', attempt: 1, reason: 'busy' }, { result: 'duplicate' }, 'dialing'],
    ['that no answer came, after one', [{ kind: 'dial_accepted', attempt: 1 }], { kind: 'dial_unknown', attempt: 1, reason: 'timeout' }, { result: 'duplicate' }, 'dialing'],
    ['that no answer came, again', [{ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }], { kind: 'dial_unknown', attempt: 1, reason: 'timeout' }, { result: 'duplicate' }, 'unknown'],
    ['an answer after all', [{ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }], { kind: 'dial_accepted', attempt: 1 }, { result: 'appended', first_seq: 4, last_seq: 4 }, 'dialing'],
    ['a refusal after all', [{ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }], { kind: 'dial_failed', attempt: 1, reason: 'busy' }, { result: 'appended', first_seq: 4, last_seq: 6 }, 'failed'],
    ['an answer to another attempt', [{ kind: 'dial_accepted', attempt: 1 }], { kind: 'dial_accepted', attempt: 2 }, { result: 'noted' }, 'dialing'],
    ['another attempt', [{ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }], { kind: 'dialing', attempt: 2 }, { result: 'appended', first_seq: 4, last_seq: 4 }, 'dialing'],
  ])('that is told %s', (_what, before, fact, result, status) => {
    const machine = dialled();
    for (const each of before) machine.take(entry(each));
    expect(resultOf(machine, entry(fact))).toEqual(result);
    expect(machine.call.status).toBe(status);
  });

  it('that is answered before it is heard to have begun is open until its conversation is known', () => {
    const machine = requested();
    expect(resultOf(machine, entry({ kind: 'dial_accepted', attempt: 1 }))).toEqual({ result: 'noted' });
    expect(machine.call).toMatchObject({ status: 'requested', dial_settled: false });
    machine.take(entry({ kind: 'announced' }, 'conv'));
    expect(machine.call.dial_settled).toBe(true);
  });

  it('without an answer is not unknown where its conversation is there', () => {
    const machine = dialled();
    machine.take(entry({ kind: 'announced' }, 'conv'));
    expect(resultOf(machine, entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }))).toEqual(NOTHING_NEW);
    expect(machine.call.status).toBe('dialing');
  });

  it('says why no answer came', () => {
    const machine = dialled();
    expect(after(machine, entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }))).toMatchObject([{ type: 'call_status', status: 'unknown', previous: 'dialing', reason: 'timeout' }]);
    expect(machine.call.reason).toBe('timeout');
    expect(after(machine, entry({ kind: 'dial_accepted', attempt: 1 }))).toMatchObject([{ status: 'dialing', previous: 'unknown' }]);
    expect([machine.frames().at(-1), machine.call.reason]).toEqual([expect.not.objectContaining({ reason: expect.anything() as unknown }), null]);
  });

  it('that was refused ends nothing where its conversation is there all the same', () => {
    const machine = dialled();
    machine.take(entry({ kind: 'announced' }, 'conv'));
    expect(resultOf(machine, entry({ kind: 'dial_failed', attempt: 1, reason: 'busy' }))).toEqual({ result: 'noted' });
    expect(machine.call).toMatchObject({ status: 'dialing', dial_settled: true });
  });

  it('is looked for by a person once, and not where it is settled', () => {
    const settled = { result: 'ignored', why: 'settled' };
    expect(resultOf(requested(), entry({ kind: 'needs_person' }))).toEqual(settled);
    const machine = dialled();
    expect(after(machine, entry({ kind: 'needs_person' }))).toMatchObject([{ status: 'unknown', previous: 'dialing', reason: 'needs_person' }]);
    expect(machine.call).toMatchObject({ status: 'unknown', reason: 'needs_person' });
    expect(resultOf(machine, entry({ kind: 'needs_person' }))).toEqual(settled);
  });

  it('whose answer names a conversation of another call ends its own call and points there', () => {
    const machine = dialled();
    machine.owners.set('conv', 'EL_owner');
    const answer = entry({ kind: 'dial_accepted', attempt: 1 }, 'conv', { source: 'dial' });
    const { results, events } = machine.take(answer);
    expect(results).toEqual([{ result: 'elsewhere', call_sid: 'EL_owner' }]);
    expect(events).toHaveLength(3);
    expect(machine.frames().slice(2)).toMatchObject([
      { type: 'call_status', status: 'failed', previous: 'dialing', reason: 'merged', merged_into: 'EL_owner', conversation_id: null },
      { type: 'call_completed', data: { outcome: null, call_successful: null, turn_count: 0 } },
      { type: 'call_sealed', revision: 1 },
    ]);
    expect(machine.call).toMatchObject({ status: 'failed', reason: 'merged', merged_into: 'EL_owner', conversation_id: null, dial_settled: true });
    expect(resultOf(machine, entry(turn('driver', 'Yes'), 'other'))).toEqual({ result: 'elsewhere', call_sid: 'EL_owner' });
    expect(machine.call.last_seq).toBe(5);
  });

  it('that is found to be of another call after its own has ended amends that, and seals anew', () => {
    const machine = dialled();
    machine.take(entry({ kind: 'dial_failed', attempt: 1, reason: 'busy' }));
    machine.owners.set('conv', 'EL_owner');
    expect(after(machine, entry({ kind: 'dial_accepted', attempt: 1 }, 'conv'))).toMatchObject([
      { type: 'call_amended', source: 'dial', changed: { merged_into: { from: null, to: 'EL_owner' } } },
      { type: 'call_sealed', revision: 2 },
    ]);
    expect(machine.call).toMatchObject({ status: 'failed', reason: 'busy', merged_into: 'EL_owner' });
  });
});

describe('a conversation', () => {
  it('belongs to the call that it is named with, also where that owns it already', () => {
    const machine = dialled();
    machine.owners.set('conv', machine.call.call_sid);
    expect(resultOf(machine, entry({ kind: 'announced' }, 'conv'))).toEqual({ result: 'appended', first_seq: 3, last_seq: 3 });
    expect(resultOf(machine, entry({ kind: 'announced' }, 'conv'))).toEqual(NOTHING_NEW);
  });

  it('is not told of before the first event, which tells of it', () => {
    const machine = new CallMachine();
    expect(resultOf(machine, entry({ kind: 'announced' }, 'conv'))).toEqual({ result: 'noted' });
    expect(after(machine, entry({ kind: 'progress', status: 'in_progress', reason: null }, 'conv'))).toMatchObject([{ type: 'call_status', conversation_id: 'conv', status: 'in_progress', previous: null, seq: 1 }]);
    expect(machine.call.started_at).toBe(machine.now);
  });

  it('that becomes known after the end amends the call', () => {
    const machine = dialled();
    machine.take(entry({ kind: 'dial_failed', attempt: 1, reason: 'busy' }));
    expect(after(machine, entry({ kind: 'announced' }, 'conv', { source: 'reconciler' }))).toMatchObject([
      { type: 'call_amended', source: 'reconciler', changed: { conversation_id: { from: null, to: 'conv' } } },
      { type: 'call_sealed', revision: 2 },
    ]);
  });

  it("keeps the carrier's id that came first", () => {
    const machine = requested();
    expect(resultOf(machine, entry({ kind: 'announced' }, null, { provider_call_id: 'CA1' }))).toEqual({ result: 'noted' });
    expect(resultOf(machine, entry({ kind: 'announced' }, null, { provider_call_id: 'CA2' }))).toEqual(NOTHING_NEW);
    expect(machine.call.provider_call_id).toBe('CA1');
  });
});

describe('the word on how far a call is', () => {
  it('moves it on, says why where there is a why, and begins it once', () => {
    const machine = dialled();
    const [frame] = after(machine, entry({ kind: 'progress', status: 'in_progress', reason: 'picked up' }));
    expect(frame).toMatchObject({ status: 'in_progress', previous: 'dialing', reason: 'picked up' });
    const began = machine.now;
    expect(after(machine, entry({ kind: 'progress', status: 'processing', reason: null }))).toMatchObject([{ status: 'processing', previous: 'in_progress' }]);
    expect(machine.call).toMatchObject({ started_at: began, reason: null });
    expect(resultOf(machine, entry({ kind: 'progress', status: 'in_progress', reason: null }))).toEqual(NOTHING_NEW);
  });

  it('never ends it: that is told with its outcome', () => {
    const machine = dialled();
    for (const status of ['completed', 'failed'] as const) expect(resultOf(machine, entry({ kind: 'progress', status, reason: null }))).toEqual(NOTHING_NEW);
    expect(machine.call.status).toBe('dialing');
  });

  it('may be that its recording is there, once', () => {
    const machine = dialled();
    expect(after(machine, entry({ kind: 'audio_noted' }))).toMatchObject([{ status: 'processing', previous: 'dialing' }]);
    expect([machine.call.audio_noted, resultOf(machine, entry({ kind: 'audio_noted' }))]).toEqual([true, { result: 'duplicate' }]);
    const ended = dialled();
    ended.take(entry(finished(), 'conv'));
    expect(resultOf(ended, entry({ kind: 'audio_noted' }, 'conv'))).toEqual({ result: 'noted' });
  });
});

describe('live words', () => {
  it('are logged as they were said, and are the first sign of life of call and agent', () => {
    const machine = dialled();
    const frames = after(machine, entry(turn('agent', ' Hello\n  there ', { turn_id: 'a', time_in_call_secs: 1 }), 'conv'));
    expect(frames).toMatchObject([{ status: 'dialing' }, { status: 'in_progress' }, { type: 'agent_started', life: '1' }, {}, { type: 'agent_completed', life: '1' }]);
    expect(frames[3]).toEqual({ type: 'transcription', call_sid: machine.call.call_sid, conversation_id: 'conv', seq: 6, timestamp: new Date(machine.now).toISOString(), turn_id: 'a', rev: 1, index: 0, state: 'final', speaker: 'agent', text: ' Hello\n  there ', time_in_call_secs: 1 });
    expect(machine.call.last_line).toBe('Agent: Hello there');
    expect(after(machine, entry(turn('driver', 'Yes'), 'conv')).map((frame) => (frame as { type: string }).type)).toEqual(['transcription', 'agent_thinking']);
    expect(after(machine, entry(turn('driver', 'Or no'), 'conv'))).toHaveLength(1);
    expect(machine.call).toMatchObject({ last_line: 'Driver: Or no', turn_count: 3, agent_last: 'agent_thinking', agent_life: 2 });
    expect(after(machine, entry(turn('agent', 'Fine'), 'conv')).map((frame) => (frame as { type: string }).type)).toEqual(['transcription', 'agent_completed']);
    expect(after(machine, entry(turn('agent', 'Bye'), 'conv'))).toHaveLength(1);
  });

  it('stand on the board as one line of bounded length', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'x'.repeat(500)), 'conv'));
    expect(machine.call.last_line).toHaveLength(LAST_LINE_MAX_CHARACTERS);
    expect(machine.call.last_line).toMatch(/^Driver: x+…$/);
  });

  it('that are corrected or taken back are no new sign of life, and what was taken back is no last line', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'noise', { turn_id: 'a' }), 'conv'));
    expect(after(machine, entry(turn('driver', 'nice', { turn_id: 'a', state: 'corrected' }), 'conv'))).toMatchObject([{ type: 'transcription', rev: 2, state: 'corrected', index: 0 }]);
    expect(machine.call.last_line).toBe('Driver: nice');
    expect(after(machine, entry(turn('driver', 'gone', { turn_id: 'a', state: 'retracted' }), 'conv'))).toMatchObject([{ type: 'transcription', rev: 3, state: 'retracted' }]);
    expect(machine.call).toMatchObject({ last_line: 'Driver: nice', turn_count: 0, next_index: 1 });
    machine.take(entry(turn('driver', 'back', { turn_id: 'a' }), 'conv'));
    expect(machine.call).toMatchObject({ last_line: 'Driver: back', turn_count: 1, next_index: 1 });
    expect(resultOf(machine, entry(turn('driver', 'x', { turn_id: 'b', state: 'retracted' }), 'conv'))).toEqual({ result: 'ignored', why: 'no such turn' });
  });

  it('under a revision that was not the next one are counted on from there', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'five', { turn_id: 'a', rev: 5 }), 'conv'));
    expect(after(machine, entry(turn('driver', 'six', { turn_id: 'a' }), 'conv'))).toMatchObject([{ rev: 6 }]);
    expect(after(machine, entry(turn('driver', 'two', { turn_id: 'a', rev: 2 }), 'conv'))).toMatchObject([{ rev: 2 }]);
    expect(machine.call).toMatchObject({ last_line: 'Driver: six', turn_count: 1 });
    for (const rev of [2, 5, 6]) expect(resultOf(machine, entry(turn('driver', 'again', { turn_id: 'a', rev }), 'conv'))).toEqual({ result: 'duplicate' });
  });

  it('after a refused dial are shown as late, with a new seal', () => {
    const machine = dialled();
    machine.take(entry({ kind: 'dial_failed', attempt: 1, reason: 'busy' }));
    expect(after(machine, entry(turn('driver', 'Hello', { turn_id: 'a' })))).toMatchObject([{ type: 'transcription', late: true, index: 0 }, { type: 'call_sealed', revision: 2, turns: 1 }]);
    expect(machine.call.agent_last).toBeNull();
  });
});

describe("a step of the agent's life", () => {
  it('carries what is known of it, and nothing else', () => {
    const machine = requested();
    const head = { call_sid: machine.call.call_sid, conversation_id: null };
    const frames = after(machine, entry(agentEvent('tool_completed', { event_id: 'e', tool_name: 'x', tool_call_id: 'c', is_error: false, duration_ms: 0, detail: '' })));
    const timestamp = new Date(machine.now).toISOString();
    expect(frames).toEqual([
      { type: 'call_status', ...head, seq: 2, timestamp, status: 'in_progress', previous: 'requested' },
      { type: 'agent_started', ...head, seq: 3, timestamp, life: '1' },
      { type: 'tool_completed', ...head, seq: 4, timestamp, life: '1', tool_name: 'x', tool_call_id: 'c', is_error: false, duration_ms: 0, detail: '' },
    ]);
    expect(after(machine, entry(agentEvent('agent_thinking')))).toEqual([{ type: 'agent_thinking', ...head, seq: 5, timestamp: new Date(machine.now).toISOString(), life: '1' }]);
  });

  it('belongs to one stretch from started to completed', () => {
    const machine = requested();
    const lives = ['agent_started', 'agent_thinking', 'agent_completed', 'agent_thinking', 'agent_completed', 'agent_completed', 'agent_started'] as const;
    expect(lives.flatMap((type) => after(machine, entry(agentEvent(type)))).flatMap((frame) => ('life' in frame ? [frame.life] : []))).toEqual(['1', '1', '1', '2', '2', '3', '4']);
  });

  it.each([
    ['with the same id', agentEvent('agent_thinking', { event_id: 'e' }), agentEvent('agent_thinking', { event_id: 'e' }), true],
    ['with another id', agentEvent('agent_thinking', { event_id: 'e' }), agentEvent('agent_thinking', { event_id: 'f' }), false],
    ['of another kind with the same id', agentEvent('agent_thinking', { event_id: 'e' }), agentEvent('agent_completed', { event_id: 'e' }), false],
    ['without an id', agentEvent('agent_thinking'), agentEvent('agent_thinking'), false],
    ['of a tool without an id', agentEvent('tool_executing'), agentEvent('tool_executing'), false],
    ['of the same tool', agentEvent('tool_executing', { tool_call_id: 'c', event_id: 'e' }), agentEvent('tool_executing', { tool_call_id: 'c', event_id: 'f' }), true],
    ['that ends the same tool', agentEvent('tool_executing', { tool_call_id: 'c' }), agentEvent('tool_completed', { tool_call_id: 'c' }), false],
    ['that names a tool and is no step of one', agentEvent('agent_thinking', { tool_call_id: 'c' }), agentEvent('agent_thinking', { tool_call_id: 'c' }), false],
  ])('is a repeat of one %s: %#', (_what, first, second, repeat) => {
    const machine = requested();
    machine.take(entry(first));
    expect(resultOf(machine, entry(second))?.['result' as never]).toBe(repeat ? 'duplicate' : 'appended');
  });

  it('after the end is late, and changes no status', () => {
    const machine = requested();
    machine.take(entry(finished(), 'conv'));
    expect(after(machine, entry(agentEvent('agent_thinking'), 'conv'))).toMatchObject([{ type: 'agent_thinking', late: true, life: '1' }, { type: 'call_sealed', revision: 2 }]);
  });
});

describe('the keys that a fact is known by', () => {
  const SID = 'EL_1';
  it.each<[string, Fact, (string | RegExp)[]]>([
    ['a turn', turn('driver', 'x', { turn_id: 'a' }), ['newest:a']],
    ['a revision of a turn', turn('driver', 'x', { turn_id: 'a', rev: 2 }), ['newest:a', 'turn:a:2']],
    ['a turn without an id', turn('driver', 'x'), [/^newest:t_[0-9a-f]{24}$/]],
    ['a step of a tool', agentEvent('tool_completed', { tool_call_id: 'c', event_id: 'e' }), ['tool:c:tool_completed']],
    ['a step of the agent', agentEvent('agent_started', { event_id: 'e' }), ['agent:agent_started:e']],
    ['a step of the agent without an id', agentEvent('agent_started'), []],
    ['a dial that is begun', { kind: 'dialing', attempt: 2 }, ['dial:2:begun']],
    ['a dial that is accepted', { kind: 'dial_accepted', attempt: 2 }, ['dial:2:answered']],
    ['a dial that failed', { kind: 'dial_failed', attempt: 2, reason: 'x' }, ['dial:2:answered']],
    ['a dial without an answer', { kind: 'dial_unknown', attempt: 2, reason: 'x' }, ['dial:2:answered']],
    ['a request', { kind: 'requested' }, []],
    ['an outcome', finished({ tools: [{ tool_call_id: 'c', tool_name: 'x', is_error: null, duration_ms: null, completed: true }] }), [/^final:[0-9a-f]{40}$/, 'tool:c:tool_executing', 'tool:c:tool_completed']],
  ])('of %s', (_what, fact, keys) => {
    const known = keysOf(SID, entry(fact), sha256);
    expect(known).toHaveLength(keys.length);
    keys.forEach((key, place) => expect(known[place]).toMatch(typeof key === 'string' ? new RegExp(`^${key}$`) : key));
  });

  it('of a turn without an id tell call, speaker, time and text apart', () => {
    const id = (sid: string, more: Parameters<typeof turn>[2] = {}, text = 'x'): string | undefined => keysOf(sid, entry(turn('driver', text, more)), sha256)[0];
    const ids = [id(SID), id('EL_2'), id(SID, { speaker: 'agent' }), id(SID, { time_in_call_secs: 1 }), id(SID, {}, 'y')];
    expect(new Set(ids).size).toBe(5);
    expect(id(SID, { rev: null })).toBe(ids[0]);
  });

  it('need the events so far for an outcome, and for a turn only behind the final transcript', () => {
    const facts = [entry({ kind: 'requested' }), entry(turn('driver', 'x'))];
    expect([needsHistory(facts, false), needsHistory(facts, true), needsHistory(facts.slice(0, 1), true), needsHistory([...facts, entry(finished())], false), needsHistory([], true)]).toEqual([false, true, false, true, false]);
  });
});

describe('what is too long for a frame', () => {
  it('is cut where it is a turn, whose whole text is kept beside', () => {
    const machine = requested();
    const long = 'x'.repeat(TURN_TEXT_FRAME_MAX_BYTES - 1);
    const [frame] = after(machine, entry(turn('driver', long, { turn_id: 'a' }))).filter((each) => 'text' in each);
    expect(frame).toMatchObject({ truncated: true, text: 'x'.repeat(TURN_TEXT_FRAME_MAX_BYTES - 2), href: '/calls/EL_driver1_2026-01-01T00%3A00%3A00.000Z/events/4/text' });
    expect(machine.events.map((event) => event.whole_text)).toEqual([null, null, null, long, null]);
    expect(machine.standing()[0]?.text).toBe(long);
    const whole = requested();
    expect(after(whole, entry(turn('driver', long.slice(1), { turn_id: 'a' })))[2]).not.toHaveProperty('truncated');
  });

  it.each([
    ['nothing but the largest', { metadata_json: 62_000, analysis_data: 10 }, ['metadata_json']],
    ['two fields', { metadata_json: 62_000, analysis_data: 62_000, evaluation_results: 10 }, ['metadata_json', 'analysis_data']],
    ['three', { metadata_json: 10, analysis_data: 10, evaluation_results: 70_000, collection_results: 10 }, ['metadata_json', 'analysis_data', 'evaluation_results']],
    ['all four', { metadata_json: 1, analysis_data: 1, evaluation_results: 1, collection_results: 70_000 }, ['metadata_json', 'analysis_data', 'evaluation_results', 'collection_results']],
  ])('loses %s where it is the end of a call, until it fits', (_what, lengths, shed) => {
    const machine = requested();
    const fields = Object.fromEntries(Object.entries(lengths).map(([field, length]) => [field, 'x'.repeat(length)]));
    const frame = after(machine, entry(finished(fields), 'conv')).find((each) => 'data' in each) as { data: Record<string, unknown> };
    expect(frame).toMatchObject({ truncated: true, href: '/calls/EL_driver1_2026-01-01T00%3A00%3A00.000Z' });
    for (const field of ['metadata_json', 'analysis_data', 'evaluation_results', 'collection_results']) {
      const kept = fields[field] ?? outcome()[field as 'metadata_json'];
      expect([field, frame.data[field]]).toEqual([field, shed.includes(field) ? null : kept]);
    }
    expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThanOrEqual(FRAME_MAX_BYTES);
  });

  it('loses the long ones of its values where it is an amendment', () => {
    const machine = requested();
    machine.take(entry(finished({ metadata_json: null }), 'conv'));
    const [frame] = after(machine, entry(finished({ metadata_json: 'x'.repeat(70_000), analysis_data: 'y'.repeat(2_046), call_summary_title: 'z'.repeat(2_047) }, 11_000), 'conv'));
    expect(frame).toMatchObject({
      type: 'call_amended',
      truncated: true,
      href: '/calls/EL_driver1_2026-01-01T00%3A00%3A00.000Z',
      changed: { metadata_json: { from: null, to: null }, analysis_data: { from: '{"a":1}', to: 'y'.repeat(2_046) }, call_summary_title: { from: 'Talk', to: null } },
    });
    expect(machine.details.metadata_json).toHaveLength(70_000);
    const small = requested();
    small.take(entry(finished(), 'conv'));
    expect(after(small, entry(finished({ cost: 9 }, 11_000), 'conv'))[0]).not.toHaveProperty('truncated');
  });
});

describe('a call as REST shows it', () => {
  it('has every field, times as text, and null for what is not known', () => {
    const machine = requested();
    expect(presentRow(machine.call)).toEqual({
      call_sid: machine.call.call_sid,
      conversation_id: null,
      status: 'requested',
      reason: null,
      merged_into: null,
      driver: { driverId: 'driver1', driverName: 'Dana Example', phoneNumber: '+15550001111' },
      to_number: '+15550001111',
      triggers_count: 1,
      agent_id: 'agent1',
      direction: 'outbound',
      created_at: '1970-01-01T00:00:01.000Z',
      started_at: null,
      call_end_time: null,
      transcript_summary: null,
      call_duration_seconds: null,
      cost: null,
      call_successful: null,
      outcome: null,
      cost_credits: null,
      call_summary_title: null,
      termination_reason: null,
      turn_count: 0,
      epoch: '1.aa',
      last_seq: 1,
      sealed: false,
    });
  });

  it('is whole with its two large fields, and sealed once it has ended', () => {
    const machine = new CallMachine(blankCall({ created_at: 0 }));
    machine.take(entry(finished(), 'conv'));
    expect(presentCall(machine.call, machine.details)).toEqual({ ...presentRow(machine.call), analysis_data: '{"a":1}', metadata_json: '{"b":2}' });
    expect(presentCall(machine.call, null)).toEqual({ ...presentRow(machine.call), analysis_data: null, metadata_json: null });
    expect(presentRow(machine.call)).toMatchObject({ created_at: '1970-01-01T00:00:00.000Z', started_at: '1970-01-01T00:00:05.000Z', call_end_time: '1970-01-01T00:00:17.000Z', sealed: true });
  });
});
