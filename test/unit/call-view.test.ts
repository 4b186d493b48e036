import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EventFrame, InterimFrame } from '../../core/protocol/frames.ts';
import { CallView, INTERIM_SHOWN_MAX_MS, type CallUpdate } from '../../client/view.ts';

type Loose = Readonly<Record<string, unknown>>;

const AT = '2026-11-22T07:00:00.000Z';

/** Feeds a view; seqs follow by themselves. */
const fed = () => {
  const view = new CallView();
  let seq = 0;
  const apply = (update: CallUpdate, now = 0): void => view.apply(update, now);
  const event = (fields: Loose): void => apply({ kind: 'event', event: { call_sid: 'EL_1', conversation_id: 'conv_1', seq: ++seq, timestamp: AT, ...fields } as unknown as EventFrame });
  return {
    view,
    apply,
    event,
    turn: (id: string, text: string, fields: Loose = {}): void => event({ type: 'transcription', turn_id: id, rev: 1, index: 0, state: 'final', speaker: 'agent', text, time_in_call_secs: null, ...fields }),
    status: (status: string, fields: Loose = {}): void => event({ type: 'call_status', status, previous: null, ...fields }),
    agent: (type: string, fields: Loose = {}): void => event({ type, life: '1', ...fields }),
    speaking: (id: string, text: string, fields: Loose = {}, now = 0): void =>
      apply({ kind: 'interim', turn: { type: 'transcription', call_sid: 'EL_1', conversation_id: null, timestamp: AT, turn_id: id, rev: 1, index: 9, state: 'interim', speaker: 'driver', text, time_in_call_secs: null, ...fields } as unknown as InterimFrame }, now),
  };
};

const shown = (view: CallView): string[] => view.items.map((item) => (item.kind === 'turn' ? `${item.speaker} ${item.state}: ${item.text}` : `tool ${item.name ?? '?'} ${item.endedAt === null ? 'runs' : item.failed ? 'failed' : 'done'}`));

describe('the turns of a call', () => {
  it('stand in the order of the transcript, not in that of their coming', () => {
    const { view, turn } = fed();
    turn('b', 'second', { index: 1 });
    turn('a', 'first', { index: 0, speaker: 'driver' });
    expect(shown(view)).toEqual(['driver final: first', 'agent final: second']);
  });

  it('keep what they were before a correction, and a correction of the place alone is none of the words', () => {
    const { view, turn } = fed();
    turn('a', 'I was a sleep');
    turn('a', 'I was asleep', { rev: 2, state: 'corrected' });
    turn('a', 'I was asleep', { rev: 3, state: 'corrected', index: 4 });
    expect(view.items).toMatchObject([{ text: 'I was asleep', before: ['I was a sleep'], place: 4, state: 'corrected' }]);
  });

  it('keep the words that are taken back, and count no longer', () => {
    const { view, turn } = fed();
    turn('a', 'One moment');
    turn('a', '', { rev: 2, state: 'retracted' });
    expect(view.items).toMatchObject([{ text: 'One moment', before: [], state: 'retracted' }]);
    expect(view.turnCount).toBe(0);
  });

  it('that were taken back are nothing that a tool could stand behind', () => {
    const { view, turn, agent } = fed();
    turn('a', 'Hello', { index: 0 });
    turn('b', 'Never said', { index: 1 });
    turn('b', '', { index: 1, rev: 2, state: 'retracted' });
    agent('tool_executing', { tool_name: 'look', tool_call_id: 't' });
    expect(view.items.map(({ kind, place }) => [kind, place])).toEqual([['turn', 0], ['tool', 0.5], ['turn', 1]]);
  });

  it('stay late once they were', () => {
    const { view, turn } = fed();
    turn('a', 'Hello', { late: true });
    turn('a', 'Hello there', { rev: 2, state: 'corrected' });
    expect(view.items).toMatchObject([{ late: true, before: ['Hello'] }]);
  });

  it('say where the whole of a cut text is', () => {
    const { view, turn } = fed();
    turn('a', 'the beginning', { truncated: true, href: '/calls/EL_1/events/1/text' });
    turn('b', 'all', { index: 1, href: '/elsewhere' });
    expect(view.items).toMatchObject([{ href: '/calls/EL_1/events/1/text' }, { href: null }]);
  });

  it('are other objects only where they changed, and the list is the same until something did', () => {
    const { view, turn, status } = fed();
    turn('a', 'first');
    turn('b', 'second', { index: 1 });
    const before = view.items;
    status('in_progress');
    expect(view.items).toBe(before);
    turn('b', 'second, corrected', { index: 1, rev: 2, state: 'corrected' });
    expect(view.items[0]).toBe(before[0]);
    expect(view.items[1]).not.toBe(before[1]);
  });
});

describe('what is being spoken', () => {
  it('stands behind what was said until its final words come', () => {
    const { view, turn, speaking } = fed();
    turn('a', 'Hello');
    speaking('b', 'I wa');
    speaking('b', 'I was parked');
    expect(shown(view)).toEqual(['agent final: Hello', 'driver interim: I was parked']);
    turn('b', 'I was parked.', { speaker: 'driver', index: 1 });
    expect(shown(view)).toEqual(['agent final: Hello', 'driver final: I was parked.']);
  });

  it('goes when the same speaker says something else, and leaves the other speaker alone', () => {
    const { view, speaking } = fed();
    speaking('a', 'So', { speaker: 'agent', index: 0 });
    speaking('b', 'I was', { index: 1 });
    speaking('c', 'No wait', { index: 1 });
    expect(shown(view)).toEqual(['agent interim: So', 'driver interim: No wait']);
  });

  it('goes when nothing more was heard of it for long', () => {
    const { view, speaking } = fed();
    speaking('a', 'I was', {}, 1_000);
    expect(view.expire(1_000 + INTERIM_SHOWN_MAX_MS)).toBe(false);
    expect(view.expire(1_001 + INTERIM_SHOWN_MAX_MS)).toBe(true);
    expect(view.items).toEqual([]);
  });

  it('is nothing once the turn is logged or the call is over', () => {
    const { view, turn, speaking, status } = fed();
    turn('a', 'Hello');
    speaking('a', 'Hel');
    speaking('b', 'I was');
    status('completed');
    speaking('c', 'still');
    expect(shown(view)).toEqual(['agent final: Hello']);
  });
});

describe('tools and changes of status', () => {
  it('a tool stands behind the turn that it followed, also when that turn gets another place', () => {
    const { view, turn, agent } = fed();
    turn('a', 'Let me look', { index: 0 });
    agent('tool_executing', { tool_name: 'get_log', tool_call_id: '1' });
    turn('b', 'I see it', { index: 1 });
    agent('tool_completed', { tool_name: 'get_log', tool_call_id: '1', duration_ms: 840, detail: '212 miles' });
    expect(shown(view)).toEqual(['agent final: Let me look', 'tool get_log done', 'agent final: I see it']);
    // The final transcript begins with words that nobody heard live.
    turn('z', 'Hello', { index: 0, late: true });
    turn('a', 'Let me look', { index: 1, rev: 2, state: 'corrected' });
    turn('b', 'I see it', { index: 2, rev: 2, state: 'corrected' });
    expect(shown(view)).toEqual(['agent final: Hello', 'agent corrected: Let me look', 'tool get_log done', 'agent corrected: I see it']);
    expect(view.items[2]).toMatchObject({ durationMs: 840, detail: '212 miles', startedAt: AT, endedAt: AT });
  });

  it('uses of one tool without an id are told apart, and an end goes to the begin that is open', () => {
    const { view, agent } = fed();
    agent('tool_executing', { tool_name: 'a' });
    agent('tool_completed', { tool_name: 'a' });
    agent('tool_executing', { tool_name: 'a' });
    agent('tool_completed', { tool_name: 'a', is_error: true });
    agent('tool_completed', { tool_name: 'b' });
    expect(shown(view)).toEqual(['tool a done', 'tool a failed', 'tool b done']);
  });

  it('each change of status has its line, and the naming of the conversation has none', () => {
    const { view, turn, status } = fed();
    status('dialing');
    status('dialing');
    status('in_progress');
    turn('a', 'Hello');
    status('failed', { reason: 'busy' });
    expect(view.statuses.map(({ status: is, reason, place, seq }) => [is, reason, place, seq])).toEqual([
      ['dialing', null, -0.5, 1],
      ['in_progress', null, -0.5, 3],
      ['failed', 'busy', 0.5, 5],
    ]);
  });

  it('what the agent does is known until it is done, and not after the call', () => {
    const { view, agent, status } = fed();
    status('in_progress');
    agent('agent_thinking');
    expect(view.activity).toEqual({ type: 'agent_thinking', tool: null, timestamp: AT });
    agent('tool_executing', { tool_name: 'get_log', tool_call_id: '1' });
    expect(view.activity?.tool).toBe('get_log');
    agent('agent_completed');
    expect(view.activity).toBeNull();
    agent('agent_thinking');
    status('completed');
    agent('tool_executing', { tool_name: 'x', tool_call_id: '2' });
    expect(view.activity).toBeNull();
  });

  it('words that were spoken tell when something was last heard, words that came afterwards do not', () => {
    const { view, turn, speaking } = fed();
    turn('a', 'Hello', { timestamp: '2026-11-22T07:00:01.000Z' });
    speaking('b', 'I', { timestamp: '2026-11-22T07:00:02.000Z' });
    turn('c', 'Bye', { timestamp: '2026-11-22T07:00:09.000Z', late: true, index: 1 });
    expect(view.lastWordsAt).toBe('2026-11-22T07:00:02.000Z');
  });
});

describe('how much of the call is shown', () => {
  it('is proved by a seal until something comes after it', () => {
    const { view, apply, event, turn } = fed();
    expect(view.trust).toBe('arriving');
    event({ type: 'call_sealed', revision: 1, last_seq: 1, turns: 0, digest: '' });
    apply({ kind: 'sealed', proof: 'complete' });
    expect(view.trust).toBe('complete');
    turn('a', 'late', { late: true });
    expect(view.trust).toBe('arriving');
    apply({ kind: 'sealed', proof: 'cannot_prove' });
    expect(view.trust).toBe('cannot_prove');
  });

  it('is not all where events are gone or a seal does not match, whatever a later seal says', () => {
    const { view, apply } = fed();
    apply({ kind: 'sealed', proof: 'incomplete' });
    expect(view.trust).toBe('missing');
    apply({ kind: 'sealed', proof: 'complete' });
    expect(view.trust).toBe('complete');
    apply({ kind: 'lost', from: 3, to: 4 });
    apply({ kind: 'sealed', proof: 'complete' });
    expect(view.trust).toBe('missing');
    expect(view.lost).toEqual([{ from: 3, to: 4 }]);
  });

  it('a call that starts over shows nothing of before, and says that it did', () => {
    const { view, apply, turn, status, agent } = fed();
    apply({ kind: 'confirmed', callSid: 'EL_1', conversationId: 'conv_1', epoch: '1.a', status: 'in_progress' });
    turn('a', 'Hello');
    status('completed');
    agent('tool_executing', { tool_name: 'x' });
    apply({ kind: 'lost', from: 9, to: 9 });
    apply({ kind: 'reset', reason: 'epoch_changed' });
    expect(view).toMatchObject({ callSid: 'EL_1', status: null, outcome: null, lost: [], resets: 1, lastSeq: 0, trust: 'arriving' });
    expect(view.items).toEqual([]);
    expect(view.statuses).toEqual([]);
  });
});

describe('what became of the call', () => {
  const data = { transcript_summary: 'All is well.', call_duration_seconds: 40, cost: 0.1, call_successful: true, analysis_data: null, metadata_json: null, outcome: 'success', cost_credits: 12, call_summary_title: 'Well', evaluation_results: null, collection_results: null, turn_count: 1 };

  it('is its outcome as it was amended, and each amendment by itself', () => {
    const { view, event, status } = fed();
    status('in_progress', { timestamp: '2026-11-22T07:00:05.000Z' });
    status('completed', { timestamp: '2026-11-22T07:00:45.000Z' });
    event({ type: 'call_completed', data });
    event({ type: 'call_amended', changed: { cost: { from: 0.1, to: 0.12 } }, source: 'webhook' });
    expect(view.outcome).toEqual({ ...data, cost: 0.12 });
    expect(view.amendments).toEqual([{ field: 'cost', from: 0.1, to: 0.12, source: 'webhook', timestamp: AT }]);
    expect(view).toMatchObject({ over: true, startedAt: '2026-11-22T07:00:05.000Z', endedAt: '2026-11-22T07:00:45.000Z', imported: false });
  });

  it('is elsewhere where it was too long, or was joined with another call', () => {
    const { view, event, status } = fed();
    event({ type: 'call_completed', data, truncated: true, href: '/calls/EL_1', imported: true });
    status('failed', { merged_into: 'EL_2' });
    expect(view).toMatchObject({ outcomeHref: '/calls/EL_1', imported: true, mergedInto: 'EL_2' });
  });

  it('is a refusal where the relay refuses it, until it confirms', () => {
    const { view, apply } = fed();
    apply({ kind: 'error', code: 'call_not_found' });
    expect(view.refused).toBe('call_not_found');
    apply({ kind: 'confirmed', callSid: 'EL_1', conversationId: null, epoch: '1.a', status: 'requested' });
    expect(view).toMatchObject({ refused: null, callSid: 'EL_1', status: 'requested' });
  });
});

it('of any revisions in any order of turns, the highest of each stands, once and at its place', () => {
  const revision = fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd'), index: fc.nat(5), text: fc.string(), state: fc.constantFrom('final', 'corrected', 'retracted') });
  fc.assert(
    fc.property(fc.array(revision, { maxLength: 30 }), (revisions) => {
      const { view, turn } = fed();
      const last = new Map<string, { index: number; text: string; state: string }>();
      for (const { id, index, text, state } of revisions) {
        turn(id, text, { index, state, rev: 1 });
        last.set(id, { index, state, text: state === 'retracted' && text === '' ? (last.get(id)?.text ?? '') : text });
      }
      const places = view.items.map(({ place }) => place);
      expect(places).toEqual([...places].sort((a, b) => a - b));
      expect(new Map(view.items.map((item) => [item.key, item.kind === 'turn' ? { index: item.place, state: item.state, text: item.text } : null]))).toEqual(last);
    }),
  );
});
