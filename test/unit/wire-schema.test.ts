import { describe, expect, it } from 'vitest';
import { TURN_TEXT_FRAME_MAX_BYTES } from '../../core/protocol/limits.ts';
import { CallMachine } from '../fixtures/call-machine.ts';
import { agentEvent, entry, finalTurn, finished, turn } from '../fixtures/facts.ts';
import { eventFaults, wireFaults } from '../fixtures/wire-schema.ts';

describe('the published schemas', () => {
  it('know every event that a call can log, and every field of it', () => {
    const machine = new CallMachine();
    machine.take(entry({ kind: 'requested' }));
    machine.take(entry({ kind: 'dialing', attempt: 1 }));
    machine.take(entry(turn('agent', 'Hello', { turn_id: 'a' }), 'conv_1'));
    machine.take(entry(turn('agent', 'Hello there', { turn_id: 'a' })), entry(turn('driver', 'x'.repeat(TURN_TEXT_FRAME_MAX_BYTES * 2), { turn_id: 'b' })));
    machine.take(
      entry(agentEvent('tool_executing', { tool_name: 'look_up', tool_call_id: 't1' })),
      entry(agentEvent('tool_completed', { tool_name: 'look_up', tool_call_id: 't1', is_error: true, duration_ms: 12, detail: 'none' })),
    );
    machine.take(entry(finished({ transcript: [finalTurn('agent', 'Hello there!'), finalTurn('driver', 'Late words')] })));
    machine.take(entry(finished({ cost: 0.07, transcript_summary: 'They talked more.', transcript: [finalTurn('agent', 'Hello there!'), finalTurn('driver', 'Late words')] }, 20_000)));
    const types = new Set(machine.frames().map(({ type }) => type));
    expect([...types].toSorted()).toEqual(['agent_completed', 'agent_started', 'agent_thinking', 'call_amended', 'call_completed', 'call_sealed', 'call_status', 'tool_completed', 'tool_executing', 'transcription']);
    expect(machine.events.flatMap(({ text }) => eventFaults(text).map((fault) => `${fault} in ${text.slice(0, 200)}`))).toEqual([]);
  });

  it.each([
    ['a type that nobody knows', { type: 'news' }],
    ['a field that nobody knows', { type: 'pong', ping: 1, pang: 2 }],
    ['a system message of a kind that nobody knows', { type: 'system_message', data: { event: 'news' } }],
    ['an interim turn without the right state', { type: 'transcription', state: 'final' }],
  ])('find fault with %s', (_what, frame) => {
    expect(wireFaults(JSON.stringify(frame))).not.toEqual([]);
  });
});
