import { describe, expect, it } from 'vitest';
import { newCallState } from '../../core/domain/call/state.ts';
import { EVENTS_ANSWER_MAX_BYTES } from '../../core/protocol/limits.ts';
import { eventsAnswer } from '../../functions/api/events-answer.ts';

const call = (lastSeq: number) => ({
  ...newCallState({ call_sid: 'EL_1', workspace: 'w1', tenant: 't1', driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null }, '1.e', 0, ''),
  last_seq: lastSeq,
});
const event = (seq: number, text = '') => ({ seq, text: JSON.stringify({ type: 'transcription', seq, text }) });
const events = (lastSeq: number, seqs: readonly number[], since: number, limit: number): unknown[] =>
  (JSON.parse(eventsAnswer({ call: call(lastSeq), events: seqs.map((seq) => event(seq)) }, since, limit, { recovered: true })) as { events: { seq?: number; from_seq?: number; to_seq?: number }[] }).events.map(
    ({ seq, from_seq, to_seq }) => seq ?? [from_seq, to_seq],
  );

describe('an answer of events', () => {
  it.each([
    ['whole', 3, [1, 2, 3], 0, 10, [1, 2, 3]],
    ['a page', 9, [1, 2, 3], 0, 3, [1, 2, 3]],
    ['nothing new', 3, [], 3, 10, []],
    ['a loss between', 5, [1, 2, 5], 0, 10, [1, 2, [3, 4], 5]],
    ['a loss at the start', 5, [4, 5], 1, 10, [[2, 3], 4, 5]],
    ['a loss at the end', 5, [1, 2], 0, 10, [1, 2, [3, 5]]],
    ['everything lost', 5, [], 0, 10, [[1, 5]]],
    ['a full page is no loss', 5, [1, 2], 0, 2, [1, 2]],
  ] as const)('says what is there and what is lost: %s', (_name, lastSeq, seqs, since, limit, expected) => {
    expect(events(lastSeq, seqs, since, limit)).toEqual(expected);
  });

  it('stays within its bytes, gets on even past them, and takes nothing cut off for a loss', () => {
    const long = 'x'.repeat(EVENTS_ANSWER_MAX_BYTES);
    const seqsOf = (all: { seq: number; text: string }[]): number[] => (JSON.parse(eventsAnswer({ call: call(9), events: all }, 0, 10, { recovered: true })) as { events: { seq: number }[] }).events.map((one) => one.seq);
    expect(seqsOf([event(1, long), event(2)])).toEqual([1]);
    expect(seqsOf([event(1), event(2, long), event(3)])).toEqual([1]);
  });
});
