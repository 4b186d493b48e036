import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FactEntry } from '../../core/domain/call/facts.ts';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import type { CallStatus } from '../../core/protocol/frames.ts';
import { CallMachine } from '../fixtures/call-machine.ts';
import { agentEvent, entry, finalTurn, finished, sha256, turn } from '../fixtures/facts.ts';

const requested = (): CallMachine => {
  const machine = new CallMachine();
  machine.take(entry({ kind: 'requested' }));
  return machine;
};
const types = (machine: CallMachine, after = 0): string[] => machine.frames().slice(after).map((frame) => frame.type);

describe('the call machine', () => {
  it('keeps turns apart whose ids differ by what looks like a revision', () => {
    const machine = requested();
    const said = (turn_id: string, rev: number | null, text: string): string => machine.take(entry(turn('agent', text, { turn_id, rev }))).results[0]?.result ?? '';
    expect([said('a:1', null, 'one'), said('a', 1, 'two'), said('a:1', null, 'one'), said('a', 1, 'two')]).toEqual(['appended', 'appended', 'duplicate', 'duplicate']);
    expect(machine.standing().map(({ turn_id, rev, text }) => [turn_id, rev, text])).toEqual([
      ['a:1', 1, 'one'],
      ['a', 1, 'two'],
    ]);
  });

  it('goes from request to dial to conversation to end, in this order of events', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry({ kind: 'dial_accepted', attempt: 1 }, 'conv'));
    machine.take(entry(turn('agent', 'Hello'), 'conv'));
    machine.take(entry(turn('driver', 'Yes'), 'conv'));
    machine.take(entry(agentEvent('tool_executing', { tool_call_id: 'c', tool_name: 'look_up' }), 'conv'));
    machine.take(entry(agentEvent('tool_completed', { tool_call_id: 'c', tool_name: 'look_up' }), 'conv'));
    machine.take(entry(turn('agent', 'Bye'), 'conv'));
    machine.take(entry(finished({ transcript: [finalTurn('agent', 'Hello'), finalTurn('driver', 'Yes'), finalTurn('agent', 'Bye')] }), 'conv'));
    expect(machine.frames().map((frame) => (frame.type === 'call_status' ? `${frame.previous ?? ''}>${frame.status}` : 'life' in frame ? `${frame.type} ${frame.life}` : frame.type))).toEqual([
      '>requested',
      'requested>dialing',
      'dialing>dialing',
      'dialing>in_progress',
      'agent_started 1',
      'transcription',
      'agent_completed 1',
      'transcription',
      'agent_thinking 2',
      'tool_executing 2',
      'tool_completed 2',
      'transcription',
      'agent_completed 2',
      'in_progress>completed',
      'call_completed',
      'call_sealed',
    ]);
  });

  it('says null for the conversation until it is bound and never rewrites it', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry({ kind: 'dial_accepted', attempt: 1 }, 'conv'));
    expect(machine.frames().map((frame) => frame.conversation_id)).toEqual([null, null, 'conv']);
  });

  it('takes the outcome before the dial was answered, and the answer changes nothing', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry(finished(), 'conv'));
    const head = machine.call.last_seq;
    machine.take(entry({ kind: 'dial_accepted', attempt: 1 }, 'conv'));
    expect(machine.call).toMatchObject({ status: 'completed', last_seq: head });
  });

  it('fails a refused dial with the same three events as any end', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry({ kind: 'dial_failed', attempt: 1, reason: 'busy' }));
    expect(types(machine, 2)).toEqual(['call_status', 'call_completed', 'call_sealed']);
    expect(machine.frames()[2]).toMatchObject({ status: 'failed', reason: 'busy' });
  });

  it('settles an unknown dial once a conversation is bound to it', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' }));
    expect(machine.call).toMatchObject({ status: 'unknown', dial_settled: false });
    machine.take(entry({ kind: 'needs_person' }));
    expect(machine.take(entry({ kind: 'needs_person' })).events).toEqual([]);
    machine.take(entry({ kind: 'announced' }, 'conv'));
    expect(machine.call).toMatchObject({ status: 'dialing', dial_settled: true, conversation_id: 'conv' });
  });

  it('does not call a dial unknown that a webhook has already told of', () => {
    const machine = requested();
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry(turn('driver', 'hi'), 'conv'));
    expect(machine.take(entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' })).events).toEqual([]);
    expect(machine.call.status).toBe('in_progress');
  });

  it.each([
    ['that was begun', [{ kind: 'dialing', attempt: 1 }], null, 'unknown'],
    ['that was accepted and named no conversation', [{ kind: 'dialing', attempt: 1 }, { kind: 'dial_accepted', attempt: 1 }], null, 'unknown'],
    ['whose answer never came', [{ kind: 'dialing', attempt: 1 }, { kind: 'dial_unknown', attempt: 1, reason: 'timeout' }], null, 'unknown'],
    ['that has its conversation', [{ kind: 'dialing', attempt: 1 }, { kind: 'dial_accepted', attempt: 1 }], 'conv', 'dialing'],
    ['of which there were words', [{ kind: 'dialing', attempt: 1 }, { kind: 'progress', status: 'in_progress', reason: null }], null, 'in_progress'],
    ['that was refused', [{ kind: 'dialing', attempt: 1 }, { kind: 'dial_failed', attempt: 1, reason: 'busy' }], null, 'failed'],
    ['that was not begun', [], null, 'requested'],
  ] as const)('a dial %s: a person is needed only where nothing else is known', (_what, facts, conversation, status) => {
    const machine = requested();
    for (const fact of facts) machine.take(entry(fact, conversation));
    const before = machine.call.last_seq;
    machine.take(entry({ kind: 'needs_person' }));
    expect(machine.call.status).toBe(status);
    const events = machine.frames().slice(before);
    if (status === 'unknown') expect(events).toMatchObject([{ type: 'call_status', status: 'unknown', reason: 'needs_person' }]);
    else expect(events).toEqual([]);
    expect(machine.take(entry({ kind: 'needs_person' })).events).toEqual([]);
    machine.take(entry({ kind: 'announced' }, 'conv'));
    if (status === 'unknown') expect(machine.call).toMatchObject({ status: 'dialing', reason: null, conversation_id: 'conv' });
  });

  it('dials an attempt once', () => {
    const machine = requested();
    expect(machine.take(entry({ kind: 'dialing', attempt: 1 })).results).toMatchObject([{ result: 'appended' }]);
    expect(machine.take(entry({ kind: 'dialing', attempt: 1 })).results).toEqual([{ result: 'duplicate' }]);
  });

  it.each([
    ['the same turn again', { turn_id: 'a', rev: 1 }, { turn_id: 'a', rev: 1 }, 'duplicate'],
    ['the same turn without a revision again', { turn_id: 'a' }, { turn_id: 'a' }, 'duplicate'],
    ['the same turn without any id again', {}, {}, 'duplicate'],
    ['another text under the same id', { turn_id: 'a' }, { turn_id: 'a', text: 'more' }, 'appended'],
    ['a correction with the same text', { turn_id: 'a' }, { turn_id: 'a', state: 'corrected' as const }, 'appended'],
    ['another time without an id', { time_in_call_secs: 1 }, { time_in_call_secs: 2 }, 'appended'],
  ])('%s is taken for what it is', (_name, first, second, result) => {
    const machine = requested();
    machine.take(entry(turn('driver', 'hello', first), 'conv'));
    expect(machine.take(entry({ ...turn('driver', 'hello'), ...second }, 'conv')).results[0]?.result).toBe(result);
  });

  it('numbers revisions on where the sender does not, and keeps the place of the turn', () => {
    const machine = requested();
    machine.take(entry(turn('agent', 'first'), 'conv'));
    machine.take(entry(turn('driver', 'helo', { turn_id: 'a' }), 'conv'));
    machine.take(entry(turn('driver', 'hello', { turn_id: 'a', state: 'corrected' }), 'conv'));
    expect(machine.frames().filter((frame) => frame.type === 'transcription')).toMatchObject([
      { index: 0, rev: 1 },
      { turn_id: 'a', index: 1, rev: 1, state: 'final' },
      { turn_id: 'a', index: 1, rev: 2, state: 'corrected' },
    ]);
    expect(machine.call).toMatchObject({ turn_count: 2, next_index: 2 });
  });

  it('logs an older revision that comes late, and the newer one goes on speaking', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'new', { turn_id: 'a', rev: 2 }), 'conv'));
    machine.take(entry(turn('driver', 'old', { turn_id: 'a', rev: 1 }), 'conv'));
    expect(machine.standing().map((standing) => standing.text)).toEqual(['new']);
    expect(machine.call.last_line).toBe('Driver: new');
  });

  it('takes back a turn and counts it no longer', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'noise', { turn_id: 'a' }), 'conv'));
    machine.take(entry(turn('driver', 'noise', { turn_id: 'a', state: 'retracted' }), 'conv'));
    expect(machine.standing()).toEqual([]);
    expect(machine.call.turn_count).toBe(0);
    expect(machine.take(entry(turn('driver', 'x', { turn_id: 'never', state: 'retracted' }), 'conv')).results).toMatchObject([{ result: 'ignored' }]);
  });

  it('adds only those tools of the final transcript that nobody told of live, marked late', () => {
    const machine = requested();
    machine.take(entry(agentEvent('tool_executing', { tool_call_id: 'a', tool_name: 'x' }), 'conv'));
    const before = machine.call.last_seq;
    const tool = { tool_name: 'x', is_error: false, duration_ms: 5, completed: true };
    machine.take(entry(finished({ transcript: [], tools: [{ ...tool, tool_call_id: 'a' }, { ...tool, tool_call_id: 'b' }] }), 'conv'));
    expect(machine.frames().slice(before).filter((frame) => frame.type.startsWith('tool_'))).toMatchObject([
      { type: 'tool_completed', tool_call_id: 'a', late: true },
      { type: 'tool_executing', tool_call_id: 'b', late: true },
      { type: 'tool_completed', tool_call_id: 'b', late: true, duration_ms: 5, is_error: false },
    ]);
  });

  it('ignores a turn after the seal that the final transcript has, and seals anew for one that it lacks', () => {
    const machine = requested();
    machine.take(entry(finished({ transcript: [finalTurn('driver', 'Hello there.')] }), 'conv'));
    expect(machine.take(entry(turn('driver', 'hello there'), 'conv')).events).toEqual([]);
    const late = machine.take(entry(turn('driver', 'And another thing'), 'conv'));
    expect(late.events.map((event) => (JSON.parse(event.text) as { type: string }).type)).toEqual(['transcription', 'call_sealed']);
    expect(machine.frames().at(-2)).toMatchObject({ late: true, index: 1 });
    expect(machine.call).toMatchObject({ seal_revision: 2, turn_count: 2 });
    expect(machine.take(entry(turn('driver', 'And another thing'), 'conv')).results).toEqual([{ result: 'duplicate' }]);
  });

  it('takes what comes later within one second for newer: a webhook tells its time in whole seconds', () => {
    const machine = new CallMachine();
    machine.take(entry(finished({ cost: 1 }, 10_900), 'conv'));
    machine.take(entry(finished({ cost: 2 }, 10_000), 'conv'));
    expect(machine.call).toMatchObject({ cost: 2, seal_revision: 2 });
    machine.take(entry(finished({ cost: 3 }, 9_999), 'conv'));
    expect(machine.call).toMatchObject({ cost: 2, seal_revision: 2 });
  });

  it('keeps the status word and amends field by field: null replaces nothing, older replaces nothing newer', () => {
    const machine = requested();
    machine.take(entry(finished({ cost: 1, transcript_summary: null }, 10_000), 'conv'));
    machine.take(entry(finished({ cost: 2, transcript_summary: 'older', status: 'failed' }, 9_000), 'conv'));
    expect(machine.call).toMatchObject({ status: 'completed', cost: 1, transcript_summary: 'older' });
    machine.take(entry(finished({ cost: 3, transcript_summary: null }, 11_000), 'conv'));
    expect(machine.call).toMatchObject({ status: 'completed', cost: 3, transcript_summary: 'older', seal_revision: 3 });
    expect(types(machine).filter((type) => type === 'call_completed')).toHaveLength(1);
  });

  it('does not take back what was said because a later read has no transcript any more', () => {
    const machine = requested();
    machine.take(entry(finished({ transcript: [finalTurn('driver', 'Hello')] }), 'conv'));
    machine.take(entry(finished({ transcript: [], cost: 9 }, 99_000), 'conv'));
    expect(machine.standing().map((standing) => standing.text)).toEqual(['Hello']);
  });

  it('leaves facts of another conversation alone', () => {
    const machine = requested();
    machine.take(entry(turn('driver', 'mine'), 'conv'));
    expect(machine.take(entry(turn('driver', 'theirs'), 'conv2')).results).toEqual([{ result: 'ignored', why: 'another conversation' }]);
    expect(machine.call.conversation_id).toBe('conv');
  });

  it('points facts of a conversation that another call owns to that call', () => {
    const machine = requested();
    machine.owners.set('conv', 'EL_other');
    const head = machine.call.last_seq;
    expect(machine.take(entry(turn('driver', 'x'), 'conv')).results).toEqual([{ result: 'elsewhere', call_sid: 'EL_other' }]);
    expect(machine.call.last_seq).toBe(head);
  });

  it('sheds what is too large for a frame, largest first, and says where the whole is', () => {
    const machine = requested();
    machine.take(entry(finished({ metadata_json: JSON.stringify('m'.repeat(100_000)), analysis_data: '{"small":true}' }), 'conv'));
    const frame = machine.frames().find((candidate) => candidate.type === 'call_completed');
    expect(frame).toMatchObject({ truncated: true, data: { metadata_json: null, analysis_data: '{"small":true}' } });
    expect(machine.details.metadata_json).toHaveLength(100_002);
  });
});

const RANK: Record<CallStatus, number> = { requested: 0, dialing: 1, unknown: 1, in_progress: 2, processing: 3, completed: 4, failed: 4 };
const text = fc.constantFrom('Hello', 'Yes', 'No, sir', 'I was at the terminal', 'Okay', 'x\ud800y');
const speaker = fc.constantFrom('agent' as const, 'driver' as const);
const anyEntry: fc.Arbitrary<FactEntry> = fc.oneof(
  fc.record({ speaker, text, id: fc.option(fc.constantFrom('a', 'b', 'c')), rev: fc.option(fc.integer({ min: 1, max: 3 })), state: fc.constantFrom('final' as const, 'corrected' as const, 'retracted' as const) }).map((t) => entry(turn(t.speaker, t.text, { turn_id: t.id, rev: t.id === null ? null : t.rev, state: t.state }), 'conv')),
  fc.record({ type: fc.constantFrom('agent_thinking' as const, 'tool_executing' as const, 'tool_completed' as const), id: fc.constantFrom('1', '2') }).map((e) => entry(agentEvent(e.type, { tool_call_id: e.id, event_id: e.id }), 'conv')),
  fc.record({ turns: fc.array(fc.record({ speaker, text }), { maxLength: 6 }), cost: fc.option(fc.integer({ min: 0, max: 3 })), at: fc.integer({ min: 1, max: 5 }), status: fc.constantFrom('completed' as const, 'failed' as const) }).map((o) =>
    entry(finished({ transcript: o.turns.map((t) => finalTurn(t.speaker, t.text)), cost: o.cost, status: o.status }, o.at), 'conv'),
  ),
  fc.constantFrom('dialing' as const, 'in_progress' as const, 'processing' as const).map((status) => entry({ kind: 'progress', status, reason: null }, 'conv')),
  fc.constant(entry({ kind: 'dialing', attempt: 1 })),
  fc.constantFrom(null, 'conv').map((conversation) => entry({ kind: 'dial_accepted', attempt: 1 }, conversation)),
  fc.constant(entry({ kind: 'dial_unknown', attempt: 1, reason: 'timeout' })),
  fc.constant(entry({ kind: 'dial_failed', attempt: 1, reason: 'refused' })),
  fc.constant(entry({ kind: 'needs_person' })),
  fc.constant(entry({ kind: 'audio_noted' }, 'conv')),
);

describe('whatever facts come, in any order and any number of times', () => {
  it('seqs are dense, status moves forward, a finished call ends in a seal that its chain proves, and repeats change nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.array(anyEntry, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), (batches) => {
        const machine = requested();
        let digest = chainStart(machine.call.epoch, sha256);
        for (const batch of batches) machine.take(...batch);
        let status: CallStatus = 'requested';
        let terminal = 0;
        machine.frames().forEach((frame, i) => {
          expect(frame.seq).toBe(i + 1);
          const eventText = machine.events[i]?.text ?? '';
          expect(JSON.stringify(JSON.parse(eventText))).toBe(eventText);
          if (frame.type === 'call_status') {
            expect(RANK[frame.status]).toBeGreaterThanOrEqual(RANK[status]);
            expect(RANK[status]).toBeLessThan(4);
            status = frame.status;
            terminal += Number(RANK[frame.status] === 4);
          }
          if (frame.type === 'call_sealed') expect([frame.digest, frame.last_seq]).toEqual([digest, frame.seq]);
          digest = chainNext(digest, eventText, sha256);
        });
        expect(machine.call.digest).toBe(digest);
        expect(terminal).toBe(RANK[machine.call.status] === 4 ? 1 : 0);
        if (terminal === 1) expect(machine.frames().at(-1)?.type).toBe('call_sealed');
        expect(machine.call.turn_count).toBe(machine.standing().length);
        const indexes = machine.standing().map((standing) => standing.index);
        expect(new Set(indexes).size).toBe(indexes.length);
        const head = machine.call.last_seq;
        for (const batch of batches) for (const fact of batch) if (fact.fact.kind === 'finished' || fact.fact.kind === 'agent_event' || (fact.fact.kind === 'turn' && fact.fact.rev !== null)) machine.take(fact);
        if (batches.flat().every((fact) => fact.fact.kind !== 'turn' || fact.fact.state !== 'retracted') && batches.flat().every((fact) => fact.fact.kind !== 'finished')) expect(machine.call.last_seq).toBe(head);
      }),
      { numRuns: 400 },
    );
  });

  it('after the final transcript the standing turns equal it exactly, in order', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 12 }), fc.array(fc.record({ speaker, text: fc.oneof(text, fc.string({ minLength: 1, maxLength: 12 })) }), { maxLength: 10 }), (before, final) => {
        const machine = requested();
        machine.take(...before.filter((fact) => fact.fact.kind !== 'finished' && fact.fact.kind !== 'dial_failed'), entry(finished({ transcript: final.map((row) => finalTurn(row.speaker, row.text)) }, 100), 'conv'));
        expect(machine.standing().map(({ index, speaker: who, text: said }) => [index, who, said])).toEqual(final.map((row, index) => [index, row.speaker, row.text]));
        expect(machine.call).toMatchObject({ turn_count: final.length, next_index: final.length });
      }),
      { numRuns: 400 },
    );
  });
});
