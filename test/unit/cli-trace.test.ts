import { expect, it } from 'vitest';
import { waysOf } from '../../cli/trace.ts';

const hop = (seq: number, more: object = {}) => ({ seq, by: 'bus' as const, trace: null, received_at: null, committed_at: null, heard_at: '2026-01-01T00:00:00.020Z', written_at: null, ...more });
const answer = { call_sid: 'EL_1', relay: 'relay_1', epoch: '1.a', hops: [hop(2, { trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', received_at: '2026-01-01T00:00:00.001Z' })] };
const event = (seq: number): Record<string, unknown> => ({ type: 'transcription', seq, timestamp: '2026-01-01T00:00:00.010Z' });
const nothing = { trace_id: null, by: null, received_at: null, committed_at: null, heard_at: null, written_at: null };
const T0 = Date.UTC(2026, 0, 1);

it('joins what the log and the relay know of an event, and says of the others what the log does', () => {
  expect(waysOf({ call_sid: 'EL_1', epoch: '1.a', events: [event(1), event(2)] }, answer)).toEqual([
    { seq: 1, type: 'transcription', logged_at: T0 + 10, ...nothing },
    { seq: 2, type: 'transcription', logged_at: T0 + 10, ...nothing, by: 'bus', trace_id: '0af7651916cd43dd8448eb211c80319c', received_at: T0 + 1, heard_at: T0 + 20 },
  ]);
});

it('takes no hops of another epoch for those of these events', () => {
  expect(waysOf({ call_sid: 'EL_1', epoch: '2.b', events: [event(2)] }, answer)).toEqual([{ seq: 2, type: 'transcription', logged_at: T0 + 10, ...nothing }]);
});

it('shows the hops alone to whoever may read no calls', () => {
  expect(waysOf(null, answer)).toMatchObject([{ seq: 2, type: null, logged_at: null, heard_at: T0 + 20 }]);
});

it('passes over what the log says is lost', () => {
  expect(waysOf({ call_sid: 'EL_1', epoch: '1.a', events: [{ type: 'history_lost', from_seq: 1, to_seq: 1 }] }, answer).map(({ seq }) => seq)).toEqual([2]);
});
