import { describe, expect, it } from 'vitest';
import { RING_EVENTS } from '../../core/protocol/limits.ts';
import { CallHops, HOPS_KEPT_CALLS_COUNT, KeptHops, type Arrival } from '../../core/domain/relay/hops.ts';

const at = (heard: number, by: Arrival['by'] = 'bus'): Arrival => ({ by, trace: null, received_at: null, committed_at: null, heard_at: heard });
const shown = (hops: CallHops): (readonly [seq: number, heard: number, written: number | null])[] => hops.all().map(({ seq, arrival, written_at }) => [seq, arrival.heard_at, written_at]);

describe('the hops of a call', () => {
  it('tell when each event was heard of and when it was first written', () => {
    const hops = new CallHops('1.a');
    const together = at(10);
    hops.heard(1, together);
    hops.heard(2, together);
    hops.heard(3, at(20));
    hops.written(0, 2, () => 15);
    hops.written(2, 3, () => 25);
    expect(shown(hops)).toEqual([[1, 10, 15], [2, 10, 15], [3, 20, 25]]);
  });

  it('keep the first hearing and the first writing, whatever is repeated, and ask for no time that they do not need', () => {
    const hops = new CallHops('1.a');
    hops.heard(1, at(10));
    hops.heard(1, at(99, 'log'));
    hops.written(0, 1, () => 15);
    hops.written(0, 1, () => {
      throw new Error('asked for the time');
    });
    expect(hops.all()).toEqual([{ seq: 1, arrival: at(10), written_at: 15 }]);
  });

  it('say nothing of what was not written here: a viewer that came in behind it had it from elsewhere', () => {
    const hops = new CallHops('1.a');
    for (const seq of [1, 2, 3]) hops.heard(seq, at(seq));
    hops.written(2, 3, () => 30);
    expect(shown(hops)).toEqual([[1, 1, null], [2, 2, null], [3, 3, 30]]);
  });

  it('say nothing of events that nobody heard of here, such as history', () => {
    const hops = new CallHops('1.a');
    hops.heard(1_000, at(5));
    hops.written(0, 1_000, () => 9);
    expect(shown(hops)).toEqual([[1_000, 5, 9]]);
  });

  it('hold no more than the ring does; what comes late does not take the place of what is newer', () => {
    const hops = new CallHops('1.a');
    for (let seq = 1; seq <= 3 * RING_EVENTS; seq++) hops.heard(seq, at(seq));
    hops.heard(1, at(9_999));
    hops.written(0, 3 * RING_EVENTS, () => 7_777);
    expect(hops.all().map(({ seq }) => seq)).toEqual(Array.from({ length: RING_EVENTS }, (_, place) => 2 * RING_EVENTS + 1 + place));
    expect(new Set(hops.all().map(({ written_at }) => written_at))).toEqual(new Set([7_777]));
  });
});

describe('the hops of calls that nobody watches', () => {
  it('are there again for who comes back, but not in another epoch', () => {
    const kept = new KeptHops();
    const hops = kept.take('EL_1', '1.a');
    hops.heard(1, at(1));
    expect(kept.of('EL_1')).toBe(null);
    kept.keep('EL_1', hops);
    expect(kept.of('EL_1')).toBe(hops);
    expect(kept.take('EL_1', '1.a')).toBe(hops);
    expect(kept.of('EL_1')).toBe(null);
    kept.keep('EL_1', hops);
    expect(shown(kept.take('EL_1', '2.b'))).toEqual([]);
  });

  it('are those of the calls that were left last', () => {
    const kept = new KeptHops();
    for (let place = 0; place <= HOPS_KEPT_CALLS_COUNT; place++) kept.keep(`EL_${place}`, new CallHops('1.a'));
    expect(kept.of('EL_0')).toBe(null);
    expect(kept.of('EL_1')).not.toBe(null);
    kept.keep('EL_1', new CallHops('1.a'));
    kept.keep('EL_new', new CallHops('1.a'));
    expect([kept.of('EL_1') === null, kept.of('EL_2') === null]).toEqual([false, true]);
  });
});
