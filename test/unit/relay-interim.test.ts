import { describe, expect, it } from 'vitest';
import { InterimGate } from '../../core/domain/relay/interim.ts';
import { RING_EVENTS } from '../../core/protocol/limits.ts';

const T = 1_000_000;
const interim = (turnId: string, at: number, frame = `${turnId}@${at}`): { turnId: string; frame: string; at: number } => ({ turnId, frame, at });

describe('the interim gate', () => {
  it('passes an interim turn at once', () => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', T + 10), T + 12);
    expect([gate.due(T + 12), gate.due(T + 12), gate.wait(T + 12)]).toEqual(['a@1000010', null, null]);
  });

  it('passes at most four a second, the newest of each turn', () => {
    const gate = new InterimGate<string>(T);
    const passed: string[] = [];
    for (let ms = 0; ms < 1_000; ms += 10) {
      gate.offer(interim('a', T + ms), T + ms);
      const frame = gate.due(T + ms);
      if (frame !== null) passed.push(frame);
    }
    expect(passed).toEqual(['a@1000000', 'a@1000250', 'a@1000500', 'a@1000750']);
    expect(gate.wait(T + 999)).toBe(1);
    expect(gate.due(T + 1_000)).toBe('a@1000990');
  });

  const dropped: [string, (gate: InterimGate<string>) => void][] = [
    ['a turn that has a logged revision', (gate) => gate.logged('a')],
    ['a call that is terminal', (gate) => gate.end()],
  ];
  it.each(dropped)('drops an interim turn of %s, also one that waits', (_what, happens) => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('b', T), T);
    gate.due(T);
    gate.offer(interim('a', T + 1), T + 1);
    happens(gate);
    gate.offer(interim('a', T + 2), T + 2);
    expect(gate.due(T + 5_000)).toBeNull();
  });

  it.each([
    ['older than five seconds', T + 100, T + 5_101],
    ['published before the feed was opened', T - 1, T],
  ])('drops an interim turn that is %s', (_what, at, now) => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', at), now);
    expect(gate.due(now)).toBeNull();
  });

  it('drops one that grew old while it waited', () => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', T), T);
    gate.due(T);
    gate.offer(interim('a', T + 1), T + 1);
    expect(gate.due(T + 5_002)).toBeNull();
  });

  it('passes one that is five seconds old, also where it waited, and lets none wait that is older', () => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', T), T + 5_001);
    expect(gate.wait(T + 5_001)).toBeNull();
    gate.offer(interim('a', T), T + 5_000);
    expect(gate.due(T + 5_000)).toBe('a@1000000');
    gate.offer(interim('b', T + 5_000), T + 5_001);
    expect(gate.due(T + 10_000)).toBe('b@1005000');
  });

  it('takes the later word of two that were published at the same time', () => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', T, 'first'), T);
    gate.offer(interim('a', T, 'second'), T);
    expect([gate.due(T), gate.due(T + 250)]).toEqual(['second', null]);
  });

  it('lets four turns wait; of a fifth the oldest gives way', () => {
    const gate = new InterimGate<string>(T);
    for (const turn of ['a', 'b', 'c', 'd', 'e']) gate.offer(interim(turn, T), T);
    expect([0, 250, 500, 750, 1_000].map((ms) => gate.due(T + ms))).toEqual(['b@1000000', 'c@1000000', 'd@1000000', 'e@1000000', null]);
  });

  it('remembers as many logged turns as the ring has events, the last logged longest', () => {
    const gate = new InterimGate<string>(T);
    const passes = (turn: string): boolean => {
      gate.offer(interim(turn, T), T);
      return gate.wait(T) !== null && gate.due(T + 1_000_000) === null;
    };
    for (let n = 0; n < RING_EVENTS; n++) gate.logged(`t${n}`);
    gate.logged('t0');
    expect([passes('t0'), passes('t1')]).toEqual([false, false]);
    gate.logged('more');
    expect([passes('t0'), passes('t1'), passes('t2'), passes('more')]).toEqual([false, true, false, false]);
  });

  it('does not go back to an older sight of a turn', () => {
    const gate = new InterimGate<string>(T);
    gate.offer(interim('a', T + 300), T + 300);
    expect(gate.due(T + 300)).toBe('a@1000300');
    gate.offer(interim('a', T + 200), T + 301);
    expect(gate.due(T + 900)).toBeNull();
  });
});
