import { describe, expect, it } from 'vitest';
import { Board } from '../../core/domain/relay/board.ts';
import { BoardFrames, snapshotFrames } from '../../ws-relay/board-frames.ts';
import { frameText, type Frame } from '../../ws-relay/frames.ts';
import { blankCall } from '../fixtures/facts.ts';

const NOW = 10_000;

const boardOf = (...sids: string[]): Board => {
  const board = new Board();
  for (const sid of sids) board.put(blankCall({ call_sid: sid, agent_id: sid === 'b' ? 'second' : 'first' }), NOW);
  return board;
};

interface Shown {
  readonly type: string;
  readonly rows: readonly { readonly call_sid: string }[];
  readonly gone?: readonly string[];
  readonly more?: boolean;
}
const shown = (frames: readonly Frame[]): Shown[] => frames.map((frame) => JSON.parse(frameText(frame)) as Shown);
const sidsOf = (frames: readonly Frame[]): string[][] => shown(frames).map(({ rows }) => rows.map(({ call_sid }) => call_sid));

describe('the frames of a board', () => {
  it('are the same bytes for all who have seen the same version by the same filter', () => {
    const board = boardOf('a', 'b');
    const frames = new BoardFrames(board);
    const seen = board.version;
    board.put(blankCall({ call_sid: 'c', agent_id: 'first' }), NOW);
    const first = frames.since(seen, {});
    expect(sidsOf(first)).toEqual([['c']]);
    expect(frames.since(seen, {})).toBe(first);
    expect(frames.snapshot({})).toBe(frames.snapshot({}));
    expect(sidsOf(frames.snapshot({}))).toEqual([['a', 'b', 'c']]);
  });

  it('are not shared by those who have seen another version, or look through another filter', () => {
    const board = boardOf('a');
    const frames = new BoardFrames(board);
    const seen = board.version;
    board.put(blankCall({ call_sid: 'b', agent_id: 'second' }), NOW);
    const between = board.version;
    board.put(blankCall({ call_sid: 'c', agent_id: 'first' }), NOW);
    expect(sidsOf(frames.since(seen, {}))).toEqual([['b', 'c']]);
    expect(sidsOf(frames.since(between, {}))).toEqual([['c']]);
    expect(sidsOf(frames.since(seen, { agent_id: 'second' }))).toEqual([['b']]);
    expect(sidsOf(frames.since(seen, { driver_id: 'second' }))).toEqual([]);
    expect(frames.since(board.version, {})).toEqual([]);
  });

  it('are not shared by those who want to see calls of another status', () => {
    const board = new Board();
    const seen = board.version;
    board.put(blankCall({ call_sid: 'a', status: 'dialing' }), NOW);
    board.put(blankCall({ call_sid: 'b', status: 'in_progress' }), NOW);
    const frames = new BoardFrames(board);
    expect([sidsOf(frames.snapshot({})), sidsOf(frames.snapshot({ status: 'in_progress' }))]).toEqual([[['a', 'b']], [['b']]]);
    expect([sidsOf(frames.since(seen, { status: 'dialing' })), sidsOf(frames.since(seen, { status: 'in_progress' }))]).toEqual([[['a']], [['b']]]);
  });

  it('are made anew once something changes', () => {
    const board = boardOf('a');
    const frames = new BoardFrames(board);
    const seen = board.version;
    board.put(blankCall({ call_sid: 'b' }), NOW);
    expect(sidsOf(frames.since(seen, {}))).toEqual([['b']]);
    board.remove('a');
    expect(shown(frames.since(seen, {}))).toMatchObject([{ type: 'board_update', rows: [{ call_sid: 'b' }], gone: ['a'] }]);
    expect(sidsOf(frames.snapshot({}))).toEqual([['b']]);
  });

  it('are a new snapshot where more has left than is remembered', () => {
    const many = Array.from({ length: 1_100 }, (_, place) => `call-${place}`);
    const board = boardOf(...many, 'last');
    const frames = new BoardFrames(board);
    const seen = board.version;
    for (const sid of many) board.remove(sid);
    expect(shown(frames.since(seen, {}))).toMatchObject([{ type: 'board_snapshot', rows: [{ call_sid: 'last' }], more: false }]);
  });

  it('say of each part of a snapshot whether more follow, and carry what they are asked to', () => {
    const rows = boardOf(...Array.from({ length: 150 }, (_, place) => `call-${place}`)).snapshot({});
    expect(shown(snapshotFrames(rows, { id: 7 })).map(({ rows: part, more, ...rest }) => [part.length, more, (rest as { id?: number }).id])).toEqual([
      [100, true, 7],
      [50, false, 7],
    ]);
    expect(shown(snapshotFrames([]))).toEqual([{ type: 'board_snapshot', rows: [], more: false }]);
  });
});
