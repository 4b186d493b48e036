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
        created_at: new Date(T).toISOString(),
        started_at: new Date(T).toISOString(),
        ended_at: null,
        reason: null,
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

  it('takes what the log counts further, though it was written by a clock that is behind', () => {
    const board = new Board();
    board.put(call('EL_1', { last_seq: 2, changed_at: T + 60_000, status: 'dialing' }), T);
    board.put(call('EL_1', { last_seq: 13, changed_at: T + 5_000, status: 'completed' }), T);
    expect(board.snapshot({}).map((row) => [row.last_seq, row.status])).toEqual([[13, 'completed']]);
    board.put(call('EL_1', { last_seq: 13, changed_at: T + 4_000, status: 'completed' }), T);
    expect(board.snapshot({})[0]?.changed_at).toBe(new Date(T + 5_000).toISOString());
  });

  it('says when a call ended: by its outcome, else by its last change', () => {
    const board = new Board();
    board.put(call('EL_1', { status: 'completed', changed_at: T + 9_000, call_end_time: T + 5_000 }), T);
    board.put(call('EL_2', { status: 'failed', changed_at: T + 9_000 }), T);
    expect(board.snapshot({}).map(({ ended_at }) => ended_at)).toEqual([new Date(T + 5_000).toISOString(), new Date(T + 9_000).toISOString()]);
  });

  it('says nothing of a start that was not yet', () => {
    const board = new Board();
    board.put(call('EL_1'), T);
    expect(board.snapshot({})[0]).toMatchObject({ started_at: null, driver_name: null });
  });

  const sights: [string, Partial<CallState>, boolean][] = [
    ['the same', {}, false],
    ['more events', { last_seq: 6, changed_at: T + 6 }, true],
    ['more events at the same time', { last_seq: 6 }, true],
    ['a later change without an event', { changed_at: T + 6 }, true],
    ['fewer events though changed later', { last_seq: 4, changed_at: T + 6 }, false],
    ['an earlier change of as many events', { changed_at: T + 4 }, false],
    ['another log of as many events', { epoch: '2.y' }, true],
    ['another log of fewer events, changed earlier', { epoch: '2.y', last_seq: 1, changed_at: T + 1 }, true],
  ];
  it.each(sights)('given a sight of a call that is %s', (_what, more, taken) => {
    const board = new Board();
    board.put(call('EL_1', { last_seq: 5, changed_at: T + 5, last_line: 'before' }), T);
    const { version } = board;
    board.put(call('EL_1', { last_seq: 5, changed_at: T + 5, last_line: 'after', ...more }), T);
    expect([board.version - version, board.snapshot({})[0]?.last_line]).toEqual(taken ? [1, 'after'] : [0, 'before']);
  });

  it('shows the newest change last', () => {
    const board = new Board();
    for (const sid of ['EL_1', 'EL_2', 'EL_3']) board.put(call(sid), T);
    board.put(call('EL_1', { last_seq: 1, changed_at: T + 1 }), T);
    expect(sids(board.snapshot({}))).toEqual(['EL_2', 'EL_3', 'EL_1']);
  });

  it('shows a call again that came back', () => {
    const board = new Board();
    board.put(call('EL_1'), T);
    const { version } = board;
    board.remove('EL_1');
    board.remove('EL_1');
    board.put(call('EL_1', { last_seq: 1 }), T);
    expect(board.version).toBe(version + 2);
    expect(board.since(version, {})).toMatchObject({ rows: [{ call_sid: 'EL_1', last_seq: 1 }], gone: [] });
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
    board.put(call('EL_live'), T);
    board.put(call('EL_1', { status: 'completed', call_end_time: T }), T + BOARD_ENDED_MS);
    board.put(call('EL_2', { status: 'failed', call_end_time: null, changed_at: T }), T + BOARD_ENDED_MS);
    board.expire(T + BOARD_ENDED_MS);
    expect(sids(board.snapshot({}))).toEqual(['EL_live', 'EL_1', 'EL_2']);
    const { version } = board;
    board.expire(T + BOARD_ENDED_MS + 1);
    expect(board.since(version, {})).toMatchObject({ rows: [], gone: ['EL_1', 'EL_2'] });
    expect(sids(board.snapshot({}))).toEqual(['EL_live']);
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

  it('takes a row away once, when the status changed, and not again with what follows', () => {
    const board = new Board();
    board.put(call('EL_1'), T);
    board.put(call('EL_1', { status: 'processing', changed_at: T + 1 }), T);
    const { version } = board;
    board.put(call('EL_1', { status: 'processing', changed_at: T + 2 }), T);
    expect(board.since(version - 1, { status: 'in_progress' })).toMatchObject({ rows: [], gone: ['EL_1'] });
    expect(board.since(version, { status: 'in_progress' })).toMatchObject({ rows: [], gone: [] });
    expect(sids(board.since(version, { status: 'processing' })?.rows ?? [])).toEqual(['EL_1']);
  });

  it('remembers a thousand calls that left, and asks for a new snapshot where one more was forgotten', () => {
    const board = new Board();
    const leave = (sid: string): number => {
      board.put(call(sid), T);
      board.remove(sid);
      return board.version;
    };
    const start = board.version;
    const versions = Array.from({ length: 1_000 }, (_, n) => leave(`EL_${n}`));
    expect(board.since(start, {})?.gone).toHaveLength(1_000);
    for (const [n, forgotten] of versions.slice(0, 3).entries()) {
      leave(`EL_more${n}`);
      expect(board.since(forgotten - 1, {})).toBeNull();
      expect(board.since(forgotten, {})?.gone).toHaveLength(1_000);
    }
    expect(board.since(board.version, {})).toMatchObject({ rows: [], gone: [] });
  });
});
