import { describe, expect, it } from 'vitest';
import { newCallState, type CallState } from '../../core/domain/call/state.ts';
import { Board } from '../../core/domain/relay/board.ts';
import { BOARD_ENDED_MS } from '../../core/protocol/limits.ts';

const T = 10_000_000;
const call = (call_sid: string, more: Partial<CallState> = {}): CallState => ({
  ...newCallState({ call_sid, workspace: 'w', tenant: 't1', driver: null, to_number: null, agent_id: 'a1', direction: null, triggers_count: 0, requested_by: null }, '1.x', T, ''),
  status: 'in_progress',
  ...more,
});
const sids = (rows: readonly { call_sid: string }[]): string[] => rows.map((row) => row.call_sid);

describe('the board', () => {
  it('shows a row with the names of the wire and times as text', () => {
    const board = new Board();
    board.put(call('EL_1', { driver: { driverId: 'd1', driverName: 'John', phoneNumber: '+15550100' }, started_at: T, last_seq: 3, last_line: 'Hey' }), T);
    expect(board.snapshot({})).toEqual([
      {
        call_sid: 'EL_1',
        conversation_id: null,
        driver_name: 'John',
        agent_id: 'a1',
        status: 'in_progress',
        started_at: new Date(T).toISOString(),
        last_line: 'Hey',
        epoch: '1.x',
        last_seq: 3,
        changed_at: new Date(T).toISOString(),
      },
    ]);
  });

  it('keeps the newest sight of a call', () => {
    const board = new Board();
    board.put(call('EL_1', { last_seq: 5, changed_at: T + 5 }), T);
    const { version } = board;
    board.put(call('EL_1', { last_seq: 4, changed_at: T + 4 }), T);
    board.put(call('EL_1', { last_seq: 5, changed_at: T + 5 }), T);
    expect([board.version, board.snapshot({})[0]?.last_seq]).toEqual([version, 5]);
  });

  it('tells a watcher each changed row once, as it is by then', () => {
    const board = new Board();
    board.put(call('EL_1'), T);
    board.put(call('EL_2'), T);
    const { version } = board;
    board.put(call('EL_1', { last_seq: 1, changed_at: T + 1 }), T);
    board.put(call('EL_1', { last_seq: 2, changed_at: T + 2 }), T);
    const changes = board.since(version, {});
    expect([sids(changes?.rows ?? []), changes?.rows[0]?.last_seq, changes?.gone]).toEqual([['EL_1'], 2, []]);
    expect(board.since(board.version, {})).toMatchObject({ rows: [], gone: [] });
  });

  it('lets an ended call go after fifteen minutes', () => {
    const board = new Board();
    board.put(call('EL_1', { status: 'completed', call_end_time: T }), T);
    board.expire(T + BOARD_ENDED_MS);
    expect(sids(board.snapshot({}))).toEqual(['EL_1']);
    const { version } = board;
    board.expire(T + BOARD_ENDED_MS + 1);
    expect(board.since(version, {})).toMatchObject({ rows: [], gone: ['EL_1'] });
  });

  it.each([
    ['ended long ago', { status: 'completed' as const, call_end_time: T - BOARD_ENDED_MS - 1 }],
    ['was merged into another', { status: 'failed' as const, merged_into: 'EL_9' }],
  ])('does not show a call that %s', (_what, more) => {
    const board = new Board();
    board.put(call('EL_1'), T);
    board.put(call('EL_1', { ...more, changed_at: T + 1 }), T);
    expect(board.snapshot({})).toEqual([]);
  });

  const filters: [string, object, string[]][] = [
    ['nothing', {}, ['EL_1', 'EL_2', 'EL_3']],
    ['a status', { status: 'processing' }, ['EL_2']],
    ['an agent', { agent_id: 'a2' }, ['EL_3']],
    ['a driver', { driver_id: 'd1' }, ['EL_1']],
    ['two things at once', { agent_id: 'a1', status: 'in_progress' }, ['EL_1']],
  ];
  it.each(filters)('filters by %s', (_what, filter, shown) => {
    const board = new Board();
    board.put(call('EL_1', { driver: { driverId: 'd1', driverName: 'John', phoneNumber: '+15550100' } }), T);
    board.put(call('EL_2', { status: 'processing' }), T);
    board.put(call('EL_3', { agent_id: 'a2' }), T);
    expect(sids(board.snapshot(filter)).sort()).toEqual(shown);
  });

  it('takes a row away from a watcher whose filter it left, and says nothing of rows it never showed', () => {
    const board = new Board();
    board.put(call('EL_1'), T);
    board.put(call('EL_2', { agent_id: 'a2' }), T);
    const { version } = board;
    board.put(call('EL_1', { status: 'processing', changed_at: T + 1, last_seq: 1 }), T);
    board.put(call('EL_2', { agent_id: 'a2', status: 'processing', changed_at: T + 1, last_seq: 1 }), T);
    expect(board.since(version, { status: 'in_progress', agent_id: 'a1' })).toMatchObject({ rows: [], gone: ['EL_1'] });
  });

  it('asks for a new snapshot where so much has left that it was forgotten', () => {
    const board = new Board();
    const { version } = board;
    for (let n = 0; n < 1_100; n++) {
      board.put(call(`EL_${n}`), T);
      board.remove(`EL_${n}`);
    }
    expect(board.since(version, {})).toBeNull();
    expect(board.since(board.version, {})).toMatchObject({ rows: [], gone: [] });
  });
});
