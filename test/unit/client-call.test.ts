import { describe, expect, it } from 'vitest';
import { isFinal } from '../../core/domain/client/backoff.ts';
import { applyEvent, confirmCall, interimPasses, loseEvents, newCall, type Confirmation, type FollowedCall, type Proof } from '../../core/domain/client/call.ts';
import { timeOf, type Fields } from '../../core/domain/client/link.ts';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import { sha256 } from '../fixtures/client-relay.ts';

const confirmation = (more: Partial<Confirmation> = {}): Confirmation => ({ call_sid: 'EL_1', conversation_id: null, epoch: '1.a', last_seq: 5, recovered: true, ...more });
/** A call of which `events` were applied. */
const followed = (events = 0, last_seq = 5): FollowedCall => {
  const call = newCall('EL_1');
  confirmCall(call, confirmation({ last_seq }), sha256);
  for (let n = 1; n <= events; n++) apply(call, { type: 'transcription', turn_id: `t${n}` }, `event ${n}`);
  return call;
};
const apply = (call: FollowedCall, frame: Fields, text: string): Proof | null => applyEvent(call, frame, text, sha256);
const chain = (epoch: string, ...texts: string[]): string => texts.reduce((digest, text) => chainNext(digest, text, sha256), chainStart(epoch, sha256));

describe('a call as a client follows it', () => {
  it('begins at nothing, refused by nobody', () => {
    const call = newCall('conv_1');
    expect(call).toEqual({ asked: 'conv_1', relaySid: 'conv_1', epoch: null, cursor: 0, head: 0, refused: false, merged: false, ended: false, chain: null, logged: new Set() });
    expect(confirmCall(call, confirmation(), sha256)).toBe('');
    expect(call).toEqual({ ...newCall('conv_1'), relaySid: 'EL_1', epoch: '1.a', head: 5, chain: chain('1.a') });
  });

  it('goes on where the relay goes on, with the head that the relay knows now', () => {
    const call = followed(2);
    call.refused = true;
    expect(confirmCall(call, confirmation({ last_seq: 9 }), sha256)).toBeNull();
    expect([call.cursor, call.head, call.refused]).toEqual([2, 9, false]);
  });

  it('goes on where a relay that was asked before says of the epoch that it is another, and it has that one by now', () => {
    const call = followed(2);
    expect(confirmCall(call, confirmation({ recovered: false, reason: 'epoch_changed', last_seq: 9 }), sha256)).toBeNull();
    expect([call.cursor, call.head]).toEqual([2, 9]);
  });

  it.each<[string, Partial<Confirmation>, string]>([
    ['the relay does not go on from there', { recovered: false, reason: 'ahead_of_log' }, 'ahead_of_log'],
    ['the epoch is another', { epoch: '2.b' }, 'epoch_changed'],
    ['the call is another', { call_sid: 'EL_2' }, 'epoch_changed'],
    ['the relay says so without a reason', { recovered: false }, 'epoch_changed'],
  ])('starts over where %s', (_what, more, reason) => {
    const call = followed(2);
    apply(call, { type: 'call_status', status: 'failed', merged_into: 'EL_9' }, 'x');
    expect(call.merged).toBe(true);
    expect(confirmCall(call, confirmation({ last_seq: 7, ...more }), sha256)).toBe(reason);
    expect([call.relaySid, call.epoch, call.cursor, call.head, call.merged]).toEqual([more.call_sid ?? 'EL_1', more.epoch ?? '1.a', 0, 7, false]);
    // What was logged and ended before is neither now.
    expect(interimPasses(call, 't1')).toBe(true);
    expect(apply(call, { type: 'call_sealed', digest: chain(more.epoch ?? '1.a') }, 'y')).toBe('complete');
  });

  it('is proved by the chain of exactly what came', () => {
    const seal = (digest: string): object => ({ type: 'call_sealed', digest });
    expect(apply(followed(2), { ...seal(chain('1.a', 'event 1', 'event 2')) }, 'x')).toBe('complete');
    expect(apply(followed(2), { ...seal(chain('1.a', 'event 1', 'event x')) }, 'x')).toBe('incomplete');
    expect(apply(followed(2), { type: 'call_status', digest: chain('1.a', 'event 1', 'event 2') }, 'x')).toBeNull();
    const blind = newCall('EL_1');
    confirmCall(blind, confirmation(), null);
    expect(applyEvent(blind, { ...seal('') }, 'x', null)).toBe('cannot_prove');
  });

  it.each<[string, number, number, boolean]>([
    ['the next one', 3, 3, true],
    ['the next ones', 3, 8, true],
    ['one that is there already', 2, 3, false],
    ['one behind a gap', 4, 4, false],
    ['nothing', 3, 2, false],
  ])('that is told of the loss of %s', (_what, from, to, goesOn) => {
    const call = followed(2, 5);
    expect(loseEvents(call, from, to)).toBe(goesOn);
    expect(call.cursor).toBe(goesOn ? to : 2);
    apply(call, { type: 'agent_thinking' }, 'x');
    const digest = chain('1.a', 'event 1', 'event 2', 'x');
    expect(apply(call, { type: 'call_sealed', digest }, 'y')).toBe(goesOn ? 'incomplete' : 'complete');
  });

  it('lets interim turns pass that are turns, not logged, of a call that goes on', () => {
    const call = followed(1);
    apply(call, { type: 'agent_thinking', turn_id: 't8' }, 'x');
    apply(call, { type: 'transcription', turn_id: 9 }, 'x');
    apply(call, { type: 'call_status', status: 'processing' }, 'x');
    apply(call, { type: 'call_amended', status: 'failed', merged_into: 'EL_2' }, 'x');
    expect(['t1', 't8', 9, undefined].map((turn) => interimPasses(call, turn))).toEqual([false, true, false, false]);
    expect(call.merged).toBe(false);
    for (const status of ['completed', 'failed']) {
      const over = followed(0);
      apply(over, { type: 'call_status', status }, 'x');
      expect(interimPasses(over, 't8')).toBe(false);
    }
  });
});

describe('a time on the wire', () => {
  it.each<[unknown, number]>([
    ['2026-01-01T00:00:15.000Z', Date.UTC(2026, 0, 1, 0, 0, 15)],
    [null, NaN],
    [undefined, NaN],
    ['x', NaN],
    [2026, NaN],
  ])('%s is %s', (value, time) => {
    expect(timeOf(value)).toBe(time);
  });
});

describe('a close code', () => {
  it.each([
    [1000, false],
    [1002, true],
    [1003, true],
    [1006, false],
    [1007, true],
    [1009, true],
    [4499, false],
    [4500, true],
    [4503, true],
    [4999, true],
    [5000, false],
  ])('%i says not to come back as you are: %s', (code, final) => {
    expect(isFinal(code)).toBe(final);
  });
});
