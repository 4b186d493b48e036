import { describe, expect, it } from 'vitest';
import { afterClose } from '../../core/domain/client/backoff.ts';
import { FollowedCall, type Confirmation } from '../../core/domain/client/call.ts';
import { isFresh, readBeat } from '../../core/domain/client/freshness.ts';
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import { sha256 } from '../fixtures/client-relay.ts';

const confirmation = (more: Partial<Confirmation> = {}): Confirmation => ({ call_sid: 'EL_1', conversation_id: null, epoch: '1.a', last_seq: 5, recovered: true, ...more });
/** A call of which `events` were applied. */
const followed = (events = 0, last_seq = 5): FollowedCall => {
  const call = new FollowedCall('EL_1', sha256);
  call.confirmed(confirmation({ last_seq }));
  for (let n = 1; n <= events; n++) call.apply({ type: 'transcription', turn_id: `t${n}` }, `event ${n}`);
  return call;
};
const chain = (epoch: string, ...texts: string[]): string => texts.reduce((digest, text) => chainNext(digest, text, sha256), chainStart(epoch, sha256));

describe('a call as a client follows it', () => {
  it('begins at nothing, refused by nobody', () => {
    const call = new FollowedCall('conv_1', sha256);
    expect([call.asked, call.callSid, call.epoch, call.since, call.cursor, call.head, call.refused, call.mergedInto]).toEqual(['conv_1', null, null, undefined, 0, 0, false, null]);
    expect(call.confirmed(confirmation())).toBeNull();
    expect([call.callSid, call.epoch, call.since, call.head]).toEqual(['EL_1', '1.a', { epoch: '1.a', seq: 0 }, 5]);
  });

  it('goes on where the relay goes on, with the head that the relay knows now', () => {
    const call = followed(2);
    call.refused = true;
    expect(call.confirmed(confirmation({ last_seq: 9 }))).toBeNull();
    expect([call.cursor, call.head, call.refused]).toEqual([2, 9, false]);
  });

  it.each<[string, Partial<Confirmation>, string]>([
    ['the relay does not go on from there', { recovered: false, reason: 'ahead_of_log' }, 'ahead_of_log'],
    ['the epoch is another', { epoch: '2.b' }, 'epoch_changed'],
    ['the call is another', { call_sid: 'EL_2' }, 'epoch_changed'],
    ['the relay says so without a reason', { recovered: false }, 'epoch_changed'],
  ])('starts over where %s', (_what, more, reason) => {
    const call = followed(2);
    call.apply({ type: 'call_status', status: 'failed', merged_into: 'EL_9' }, 'x');
    expect(call.mergedInto).toBe('EL_9');
    expect(call.confirmed(confirmation({ last_seq: 7, ...more }))).toBe(reason);
    expect([call.callSid, call.epoch, call.cursor, call.head, call.mergedInto]).toEqual([more.call_sid ?? 'EL_1', more.epoch ?? '1.a', 0, 7, null]);
    // What was logged and ended before is neither now.
    expect(call.interimPasses('t1')).toBe(true);
    expect(call.apply({ type: 'call_sealed', digest: chain(more.epoch ?? '1.a') }, 'y')).toBe('complete');
  });

  it('takes the next event, drops an older one, and hears of what lies behind a gap', () => {
    const call = followed(2, 2);
    expect([call.judge(2), call.judge(1), call.judge(3)]).toEqual(['old', 'old', 'next']);
    expect([call.head, call.judge(9), call.head, call.judge(5), call.head]).toEqual([2, 'gap', 9, 'gap', 9]);
    call.apply({ type: 'agent_thinking' }, 'x');
    expect([call.cursor, call.head]).toEqual([3, 9]);
    call.hear(4);
    expect(call.head).toBe(4);
    call.hear(0);
    expect(call.head).toBe(3);
  });

  it('is proved by the chain of exactly what came', () => {
    const seal = (digest: string): object => ({ type: 'call_sealed', digest });
    expect(followed(2).apply({ ...seal(chain('1.a', 'event 1', 'event 2')) }, 'x')).toBe('complete');
    expect(followed(2).apply({ ...seal(chain('1.a', 'event 1', 'event x')) }, 'x')).toBe('incomplete');
    expect(followed(2).apply({ type: 'call_status', digest: chain('1.a', 'event 1', 'event 2') }, 'x')).toBeNull();
    const blind = new FollowedCall('EL_1', null);
    blind.confirmed(confirmation());
    expect(blind.apply({ ...seal('') }, 'x')).toBe('cannot_prove');
  });

  it.each<[string, number, number, boolean]>([
    ['the next one', 3, 3, true],
    ['the next ones', 3, 8, true],
    ['one that is there already', 2, 3, false],
    ['one behind a gap', 4, 4, false],
    ['nothing', 3, 2, false],
  ])('that is told of the loss of %s', (_what, from, to, goesOn) => {
    const call = followed(2, 5);
    expect(call.lost(from, to)).toBe(goesOn);
    expect([call.cursor, call.head]).toEqual(goesOn ? [to, Math.max(5, to)] : [2, 5]);
    call.apply({ type: 'agent_thinking' }, 'x');
    const digest = chain('1.a', 'event 1', 'event 2', 'x');
    expect(call.apply({ type: 'call_sealed', digest }, 'y')).toBe(goesOn ? 'incomplete' : 'complete');
  });

  it('lets interim turns pass that are turns, not logged, of a call that goes on', () => {
    const call = followed(1);
    call.apply({ type: 'agent_thinking', turn_id: 't8' }, 'x');
    call.apply({ type: 'transcription', turn_id: 9 }, 'x');
    call.apply({ type: 'call_status', status: 'processing' }, 'x');
    call.apply({ type: 'call_amended', status: 'failed', merged_into: 'EL_2' }, 'x');
    expect(['t1', 't8', 9, undefined].map((turn) => call.interimPasses(turn))).toEqual([false, true, false, false]);
    expect(call.mergedInto).toBeNull();
    for (const status of ['completed', 'failed']) {
      const over = followed(0);
      over.apply({ type: 'call_status', status }, 'x');
      expect(over.interimPasses('t8')).toBe(false);
    }
  });

  it('remembers 256 logged turns', () => {
    const call = followed(257, 257);
    expect([call.interimPasses('t1'), call.interimPasses('t2'), call.interimPasses('t257')]).toEqual([true, false, false]);
  });
});

describe('a heartbeat', () => {
  const server_time = '2026-01-01T00:00:20.000Z';
  it.each<[string, Record<string, unknown>, number | null | undefined]>([
    ['that compared five seconds ago', { server_time, verified_at: '2026-01-01T00:00:15.000Z' }, 5_000],
    ['that never compared', { server_time, verified_at: null }, null],
    ['whose word on that is no time', { server_time, verified_at: 'x' }, null],
    ['whose word on that is a number', { server_time, verified_at: 2026 }, null],
    ['without a time', { verified_at: server_time }, undefined],
  ])('%s', (_what, frame, lagMs) => {
    expect(readBeat(frame, 7)).toEqual(lagMs === undefined ? null : { at: 7, serverTime: Date.parse(server_time), lagMs });
  });

  it('confirms for 35 seconds what was compared within 15', () => {
    const beat = { at: 1_000, serverTime: 0, lagMs: 15_000 };
    expect([isFresh(beat, 35_999), isFresh(beat, 36_000), isFresh({ ...beat, lagMs: 15_001 }, 1_000), isFresh({ ...beat, lagMs: null }, 1_000), isFresh(null, 1_000)]).toEqual([true, false, false, false, false]);
  });
});

describe('a close code', () => {
  it.each([
    [1000, 'come_back'],
    [1002, 'stop'],
    [1003, 'stop'],
    [1006, 'come_back'],
    [1007, 'stop'],
    [1009, 'stop'],
    [4499, 'come_back'],
    [4500, 'stop'],
    [4503, 'fresh_token'],
    [4999, 'stop'],
    [5000, 'come_back'],
  ])('%i: %s', (code, what) => {
    expect(afterClose(code)).toBe(what);
  });
});
