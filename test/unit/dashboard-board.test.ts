import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentsOf, countsOf, newerThan, newestFirst, shownRows, type BoardFilter } from '../../client/dashboard/board-order.ts';
import { movedBy, rowWindow, scrolledTo } from '../../client/dashboard/row-window.ts';
import { boardRows } from '../../core/domain/client/rows.ts';
import type { BoardRow } from '../../core/protocol/frames.ts';

const at = (second: number): string => new Date(Date.UTC(2026, 10, 22, 10, 0, second)).toISOString();
const row = (call_sid: string, more: Partial<BoardRow> = {}): BoardRow => ({ call_sid, conversation_id: null, driver_name: null, agent_id: 'agent_1', status: 'in_progress', created_at: at(0), started_at: null, ended_at: null, reason: null, last_line: null, epoch: '1.a', last_seq: 1, changed_at: at(0), ...more });
const ALL: BoardFilter = { group: null, agent: null, words: '' };
const sids = (rows: readonly BoardRow[]): string[] => rows.map(({ call_sid }) => call_sid);

describe('rows of the board', () => {
  it('stand by when they were created, the newest first, and by their id within a millisecond', () => {
    expect(sids(shownRows([row('EL_b'), row('EL_new', { created_at: at(5) }), row('EL_c'), row('EL_a')], ALL))).toEqual(['EL_new', 'EL_c', 'EL_b', 'EL_a']);
  });

  const rows = [
    row('EL_1', { driver_name: 'John Smith', last_line: 'Agent: the toll at Amarillo', created_at: at(4) }),
    row('EL_2', { status: 'unknown', agent_id: 'agent_2', created_at: at(3) }),
    row('EL_3', { status: 'failed', created_at: at(2) }),
    row('EL_4', { status: 'completed', agent_id: null, conversation_id: 'conv_ABC', created_at: at(1) }),
  ];
  it.each<[string, Partial<BoardFilter>, string[]]>([
    ['active ones', { group: 'active' }, ['EL_1', 'EL_2']],
    ['ended ones', { group: 'ended' }, ['EL_3', 'EL_4']],
    ['those that need attention', { group: 'attention' }, ['EL_2', 'EL_3']],
    ['those of an agent', { agent: 'agent_2' }, ['EL_2']],
    ['a driver', { words: ' SMITH ' }, ['EL_1']],
    ['words that were said', { words: 'amarillo' }, ['EL_1']],
    ['an id', { words: 'conv_abc' }, ['EL_4']],
    ['nothing that fits', { words: 'amarillo', group: 'ended' }, []],
    ['not what stands across two fields', { words: 'smith agent' }, []],
  ])('are narrowed to %s', (_what, filter, expected) => {
    expect(sids(shownRows(rows, { ...ALL, ...filter }))).toEqual(expected);
  });

  it('are counted by group, and their agents named once', () => {
    expect([countsOf(rows), agentsOf(rows)]).toEqual([{ active: 2, attention: 2, ended: 2 }, ['agent_1', 'agent_2']]);
  });

  it('that came above another are counted also when that one has gone', () => {
    const ordered = shownRows(rows, ALL);
    expect([row('EL_1', { created_at: at(4) }), row('EL_3', { created_at: at(2) }), row('EL_gone', { created_at: at(2) }), row('EL_old', { created_at: at(0) })].map((place) => newerThan(ordered, place))).toEqual([0, 2, 2, 4]);
  });

  it('are the newest sight of each call and in order, after any mix of updates, and no call changes its place by speaking', () => {
    const name = fc.integer({ min: 0, max: 9 });
    const part = fc.record({
      snapshot: fc.boolean(),
      rows: fc.uniqueArray(fc.record({ name, seq: fc.integer({ min: 1, max: 20 }), status: fc.constantFrom('dialing', 'in_progress', 'completed', 'failed') }), { selector: (one) => one.name, maxLength: 8 }),
      gone: fc.array(name, { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => {
        let shown: ReadonlyMap<string, BoardRow> = new Map();
        const expected = new Map<string, number>();
        let before: string[] = [];
        for (const { snapshot, rows: changed, gone } of parts) {
          const kept = new Map(expected);
          if (snapshot) expected.clear();
          for (const one of changed) expected.set(`EL_${one.name}`, Math.max(one.seq, kept.get(`EL_${one.name}`) ?? 0));
          for (const one of gone) expected.delete(`EL_${one}`);
          shown = boardRows(shown, { snapshot, rows: changed.map((one) => row(`EL_${one.name}`, { created_at: at(one.name % 4), last_seq: one.seq, changed_at: at(one.seq), status: one.status })), gone: gone.map((one) => `EL_${one}`) });
          const ordered = shownRows([...shown.values()], ALL);
          expect(new Map(ordered.map(({ call_sid, last_seq }) => [call_sid, last_seq]))).toEqual(expected);
          for (const [index, one] of ordered.entries()) expect(index === 0 || newestFirst(ordered[index - 1] ?? one, one) < 0).toBe(true);
          const stayed = sids(ordered).filter((sid) => before.includes(sid));
          expect(stayed).toEqual(before.filter((sid) => stayed.includes(sid)));
          before = sids(ordered);
        }
      }),
    );
  });
});

describe('a long list', () => {
  it('draws what is in sight and a few rows around it, and never what is not there', () => {
    expect([rowWindow(0, 350, 35, 2_000), rowWindow(35_000, 350, 35, 2_000), rowWindow(69_650, 350, 35, 2_000), rowWindow(500, 350, 35, 3), rowWindow(0, 350, 35, 0)]).toEqual([
      { from: 0, to: 18 },
      { from: 992, to: 1_018 },
      { from: 1_982, to: 2_000 },
      { from: 0, to: 3 },
      { from: 0, to: 0 },
    ]);
  });

  it('covers all that is in sight wherever it is scrolled to', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 80_000 }), fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 20, max: 90 }), fc.nat(2_000), (top, height, rowHeight, count) => {
        const { from, to } = rowWindow(top, height, rowHeight, count);
        const firstInSight = Math.min(count, Math.floor(top / rowHeight));
        expect(from <= firstInSight && to >= Math.min(count, Math.ceil((top + height) / rowHeight)) && from >= 0 && to <= count).toBe(true);
      }),
    );
  });

  it.each<[string, number, number | null]>([
    ['ArrowDown', 4, 5],
    ['ArrowDown', -1, 0],
    ['ArrowDown', 99, 99],
    ['ArrowUp', 4, 3],
    ['ArrowUp', 0, 0],
    ['ArrowUp', -1, 99],
    ['PageDown', 4, 14],
    ['PageDown', -1, 10],
    ['PageUp', 4, 0],
    ['Home', 40, 0],
    ['End', 4, 99],
    ['a', 4, null],
  ])('is moved through by %s from %i to %o', (key, from, to) => {
    expect(movedBy(key, from, 100, 10)).toBe(to);
    expect(movedBy(key, -1, 0, 10)).toBeNull();
  });

  it('scrolls no further than it has to', () => {
    expect([scrolledTo(3, 0, 350, 35), scrolledTo(10, 0, 350, 35), scrolledTo(2, 350, 350, 35), scrolledTo(0, 10, 350, 35)]).toEqual([0, 35, 70, 0]);
  });
});
