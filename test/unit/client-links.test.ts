import { describe, expect, it } from 'vitest';
import { BACKOFF_MAX_MS } from '../../core/domain/client/backoff.ts';
import { ClientRig } from '../fixtures/client-relay.ts';

/** A client that is live on one call of `count` events. */
const live = (count = 3, options: ConstructorParameters<typeof ClientRig>[0] = {}): ClientRig => {
  const rig = new ClientRig(options);
  rig.add('EL_1', count);
  rig.do('start');
  rig.do('follow', 'EL_1');
  rig.establish();
  rig.serve();
  rig.beat();
  return rig;
};
const cut = (rig: ClientRig, link: number, code = 1006): void => {
  const broken = rig.links.get(link);
  if (broken !== undefined) broken.closed = true;
  rig.do('closed', link, code);
};
/** Milliseconds until the next attempt; none is waited for: not a number. */
const untilRetry = (rig: ClientRig): number => (rig.timers.get('retry') ?? NaN) - rig.now;
const system = (rig: ClientRig, link: number, data: unknown): void => rig.frame(link, { type: 'system_message', data });
/** A client that is asked to move, with the new link opened. */
const moving = (): ClientRig => {
  const rig = live();
  system(rig, 1, { event: 'move', within_ms: 0 });
  rig.pass(0);
  return rig;
};
const polling = (): ClientRig => {
  const rig = live();
  for (let attempt = 1; attempt <= 4; attempt++) {
    cut(rig, attempt);
    if (attempt < 4) rig.pass(BACKOFF_MAX_MS);
  }
  return rig;
};

describe('what is no frame of a relay', () => {
  it.each(['null', '5', '"x"', '{', '', '[]', '{}', '{"type":"heartbeat","heads":null}', '{"type":"heartbeat","heads":5}', '{"type":"system_message"}', '{"type":"system_message","data":null}', '{"type":"system_message","data":"move"}', '{"type":"system_message","data":{"event":"of_tomorrow"}}'])(
    'changes nothing: %s',
    (text) => {
      const rig = live();
      const { emitted, links } = { emitted: rig.emitted.length, links: rig.links.size };
      rig.do('frame', 1, text);
      rig.pass(1_000);
      expect([rig.machine.connection.state, rig.emitted.length, rig.links.size]).toEqual(['live', emitted, links]);
    },
  );

  it('is heard of no link that the client does not have', () => {
    const rig = live();
    rig.append('EL_1', 1);
    rig.event(9, 'EL_1', 4);
    system(rig, 9, { event: 'degraded' });
    rig.do('closed', 9, 4500);
    expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['live', [1, 2, 3]]);
  });

  it('is no head of a call', () => {
    const rig = live();
    rig.frame(1, { type: 'heartbeat', server_time: new Date(Date.UTC(2026, 0, 1)).toISOString(), verified_at: new Date(Date.UTC(2026, 0, 1)).toISOString(), heads: { EL_1: '9', EL_2: 9 } });
    expect(rig.machine.connection.state).toBe('live');
  });
});

describe('connecting', () => {
  it('asks for one token, however often it is told to begin', () => {
    const rig = new ClientRig();
    for (const on of ['start', 'start', 'wake', 'start'] as const) rig.machine.input(0, on);
    expect(rig.machine.input(0, 'token', 'link', 'x').map(([act]) => act)).toContain('open');
    expect(rig.machine.input(0, 'start')).toEqual([]);
  });

  it('waits for its start', () => {
    const rig = new ClientRig();
    rig.do('wake');
    rig.do('online');
    expect([rig.tokensAsked, [...rig.timers.keys()], rig.machine.connection.state]).toEqual([[], [], 'connecting']);
  });

  it('tries at once after a sleep, without waiting for its turn', () => {
    const rig = live();
    cut(rig, 1);
    rig.do('wake');
    expect([rig.openLinks, rig.timers.has('retry')]).toEqual([[2], false]);
  });

  it('doubts its socket when the network is back', () => {
    const rig = live();
    rig.do('offline');
    rig.do('online');
    expect([rig.machine.connection.state, rig.newest.sent]).toEqual(['unverified', [{ ping: 'wake' }]]);
  });

  it('tries nothing without a network', () => {
    const rig = live();
    cut(rig, 1);
    rig.do('offline');
    rig.do('wake');
    expect([rig.openLinks, rig.timers.has('retry')]).toEqual([[], false]);
    rig.do('token', 'link', null);
    expect(rig.timers.has('retry')).toBe(false);
  });

  it('asks an opening link nothing after a sleep', () => {
    const rig = new ClientRig();
    rig.do('start');
    rig.do('wake');
    expect([rig.newest.sent, rig.timers.has('pong')]).toEqual([[], false]);
  });

  it('gives an attempt up that is not there after ten seconds, and no established link', () => {
    const rig = new ClientRig();
    rig.do('start');
    rig.pass(9_999);
    expect(rig.openLinks).toEqual([1]);
    rig.pass(1);
    expect(rig.openLinks).toEqual([]);
    rig.pass(untilRetry(rig));
    rig.establish(2);
    expect([rig.openLinks, rig.timers.has('opening 2')]).toEqual([[2], false]);
  });

  it('waits longer after each failure, and begins without a grudge after a connection of ten seconds', () => {
    const rig = new ClientRig({ canPoll: false });
    const fail = (lasted: number): number => {
      rig.pass(rig.timers.has('retry') ? untilRetry(rig) : 0);
      rig.establish();
      rig.pass(lasted);
      cut(rig, rig.newest.link);
      return untilRetry(rig);
    };
    rig.do('start');
    expect([fail(0), fail(9_999), fail(9_999), fail(9_999), fail(10_000), fail(9_999)]).toEqual([300, 600, 1_200, 2_400, 300, 600]);
  });

  it('is owed no good name by a link that was never there', () => {
    const rig = new ClientRig({ canPoll: false });
    rig.do('start');
    for (const wait of [300, 600, 1_200, 2_400]) {
      rig.pass(10_000);
      expect(untilRetry(rig)).toBe(wait);
      rig.pass(wait);
    }
  });

  it('polls after three failures and not before, where it can', () => {
    const asked = (canPoll: boolean): boolean[] => {
      const rig = new ClientRig({ canPoll });
      rig.do('start');
      return [1, 2, 3].map((link) => {
        cut(rig, link);
        const polls = rig.tokensAsked.includes('poll');
        rig.pass(BACKOFF_MAX_MS / 20);
        return polls;
      });
    };
    expect([asked(true), asked(false)]).toEqual([[false, false, true], [false, false, false]]);
  });

  it('asks again for a fresh token once it was up since', () => {
    const rig = live();
    cut(rig, 1, 4503);
    rig.establish(2);
    cut(rig, 2, 4503);
    expect([rig.openLinks, rig.machine.connection.state]).toEqual([[3], 'lost']);
    cut(rig, 3, 1006);
    rig.pass(untilRetry(rig));
    expect(rig.openLinks).toEqual([4]);
  });

  it('sends a fresh token on a link that is there, and none that could not be had', () => {
    const rig = live();
    rig.do('token', 'refresh', null);
    expect(rig.newest.sent).toEqual([]);
    cut(rig, 1);
    rig.do('token', 'refresh', 'x');
    rig.pass(300);
    rig.do('token', 'refresh', 'x');
    expect(rig.newest.sent).toEqual([]);
  });

  it('closes every link at the end, and polls no more', () => {
    const rig = moving();
    rig.do('stop');
    expect([rig.openLinks, rig.timers.size, rig.emitted.at(-2)]).toEqual([[], 0, { kind: 'stopped', code: null }]);
    const polled = polling();
    polled.do('stop');
    expect([polled.aborted, polled.timers.size, polled.machine.connection.state]).toEqual([1, 0, 'stopped']);
  });
});

describe('moving', () => {
  it.each([
    [4_000, 1_000],
    [4_001, 1_000],
    ['soon', 0],
    [undefined, 0],
  ])('within %s ms begins after half of a random part of it: %i', (within_ms, after) => {
    const rig = live();
    system(rig, 1, { event: 'move', within_ms });
    expect((rig.timers.get('move') ?? NaN) - rig.now).toBe(after);
  });

  it('is begun once, and by the link that leads', () => {
    const rig = moving();
    system(rig, 1, { event: 'move', within_ms: 0 });
    rig.establish(2);
    system(rig, 2, { event: 'move', within_ms: 0 });
    expect(rig.timers.has('move')).toBe(false);
    rig.do('timer', 'move');
    expect(rig.openLinks).toEqual([1, 2]);
  });

  it('asks for one token, and for none once its link is gone', () => {
    const rig = live();
    system(rig, 1, { event: 'move', within_ms: 4_000 });
    expect(rig.machine.input(rig.now, 'timer', 'move')).toEqual([['ask_token', 'link']]);
    expect(rig.machine.input(rig.now, 'timer', 'move')).toEqual([]);
    system(rig, 1, { event: 'move', within_ms: 4_000 });
    expect(rig.machine.input(rig.now, 'timer', 'move')).toEqual([]);
    const gone = live();
    system(gone, 1, { event: 'move', within_ms: 4_000 });
    cut(gone, 1);
    expect(gone.timers.has('move')).toBe(false);
    gone.do('timer', 'move');
    expect(gone.openLinks).toEqual([]);
  });

  it('takes no word of the new link on rights, tokens or freshness before that leads', () => {
    const rig = moving();
    const asked = rig.tokensAsked.length;
    rig.establish(2);
    system(rig, 2, { event: 'degraded' });
    system(rig, 2, { event: 'token_expiring' });
    rig.pass(34_000);
    rig.beat(2);
    expect([rig.machine.connection.state, rig.tokensAsked.length]).toEqual(['live', asked]);
    rig.pass(1_000);
    expect(rig.machine.connection.state).toBe('unverified');
  });

  it('gives the new link up that is not there after ten seconds, and tries again', () => {
    const rig = moving();
    rig.pass(10_000);
    expect([rig.openLinks, rig.machine.connection.state, rig.timers.has('move'), rig.timers.has('opening 2')]).toEqual([[1], 'live', true, false]);
    rig.pass(1_000);
    rig.establish(3);
    expect(rig.timers.has('opening 3')).toBe(false);
  });

  it('tries again later where no token could be had', () => {
    const rig = live();
    rig.tokens = false;
    system(rig, 1, { event: 'move', within_ms: 0 });
    rig.pass(0);
    expect([rig.openLinks, rig.timers.has('move'), rig.timers.has('retry')]).toEqual([[1], true, false]);
  });

  it('goes on with the old link, which is asked for nothing, when the new one breaks', () => {
    const rig = live();
    rig.add('EL_2', 0);
    rig.do('follow', 'EL_2');
    rig.serve();
    system(rig, 1, { event: 'move', within_ms: 0 });
    rig.pass(0);
    rig.establish(2);
    rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 3, recovered: true, ref: 'EL_1' });
    rig.append('EL_1', 2);
    rig.event(2, 'EL_1', 4);
    cut(rig, 2);
    rig.event(1, 'EL_1', 4);
    rig.event(1, 'EL_1', 5);
    expect([rig.links.get(1)?.sent, rig.machine.connection.state, rig.seqs('EL_1')]).toEqual([[], 'live', [1, 2, 3, 4, 5]]);
  });

  it('asks the old link for what the new one alone had heard of, a new epoch, when that breaks', () => {
    const rig = moving();
    rig.establish(2);
    const call = rig.add('EL_1', 2);
    call.epoch = '2.new';
    rig.add('EL_2', 0);
    rig.do('follow', 'EL_2');
    rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '2.new', last_seq: 2, recovered: false, reason: 'epoch_changed', ref: 'EL_1' });
    rig.event(2, 'EL_1', 1);
    rig.serve(1);
    expect(rig.machine.connection.state).toBe('catching_up');
    cut(rig, 2);
    expect(rig.links.get(1)?.sent).toEqual([{ subscribe: [{ id: 'EL_1', since: { epoch: '2.new', seq: 1 } }] }]);
    rig.serve(1);
    expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['live', [1, 2, 3, 1, 2]]);
  });

  it('starts over once for a new epoch that both links tell of, whichever is first', () => {
    const rig = moving();
    rig.establish(2);
    rig.do('follow', 'EL_2');
    const { epoch, texts } = Object.assign(rig.add('EL_1', 3), { epoch: '2.new' });
    const changed = { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch, last_seq: texts.length, recovered: false, reason: 'epoch_changed', ref: 'EL_1' };
    rig.frame(2, changed);
    for (const seq of [1, 2]) rig.event(2, 'EL_1', seq);
    rig.frame(1, changed);
    for (const seq of [1, 2, 3]) rig.event(1, 'EL_1', seq);
    expect(rig.emitted.filter(({ kind }) => kind === 'reset')).toHaveLength(1);
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('asks the new link again for a call that it did not find, once the old one has', () => {
    const rig = moving();
    rig.establish(2);
    rig.do('follow', 'EL_2');
    rig.frame(2, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_2' });
    const asked = rig.links.get(2)?.sent.splice(0);
    rig.add('EL_2', 2);
    rig.serve(1);
    expect(rig.seqs('EL_2')).toEqual([1, 2]);
    expect(rig.links.get(2)?.sent).toEqual([{ subscribe: [{ id: 'EL_2' }] }]);
    rig.links.get(2)?.sent.unshift(...(asked ?? []));
    rig.serve(2);
    rig.append('EL_2', 1);
    rig.event(2, 'EL_2', 3);
    rig.beat(2);
    expect([rig.openLinks, rig.seqs('EL_2'), rig.machine.connection.state]).toEqual([[2], [1, 2, 3], 'live']);
  });

  it('takes the next event from whichever link brings it, and drops it from the other', () => {
    const rig = moving();
    rig.establish(2);
    rig.add('EL_2', 0);
    rig.do('follow', 'EL_2');
    rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 3, recovered: true, ref: 'EL_1' });
    rig.append('EL_1', 4);
    for (const [link, seq] of [[1, 4], [2, 4], [2, 5], [2, 6], [1, 5], [1, 6], [1, 7], [2, 7]] as const) rig.event(link, 'EL_1', seq);
    expect([rig.seqs('EL_1'), rig.openLinks]).toEqual([[1, 2, 3, 4, 5, 6, 7], [1, 2]]);
  });

  it('asks the link again that left something out, and no other', () => {
    const rig = moving();
    rig.establish(2);
    rig.frame(2, { type: 'heartbeat' });
    rig.links.get(2)?.sent.splice(0);
    rig.add('EL_2', 0);
    rig.do('follow', 'EL_2');
    for (const link of [1, 2]) rig.links.get(link)?.sent.splice(0);
    rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 3, recovered: true, ref: 'EL_1' });
    rig.append('EL_1', 3);
    rig.event(2, 'EL_1', 5);
    rig.event(1, 'EL_1', 4);
    expect([rig.links.get(1)?.sent, rig.links.get(2)?.sent]).toEqual([[], [{ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 3 } }] }]]);
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 4]);
  });

  it('shows nothing more of a call that one of the links refused', () => {
    const rig = moving();
    rig.establish(2);
    rig.frame(2, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_1' });
    rig.append('EL_1', 1);
    rig.event(1, 'EL_1', 4);
    expect([rig.openLinks, rig.seqs('EL_1'), rig.emitted.filter(({ kind }) => kind === 'error')]).toEqual([[2], [1, 2, 3], [{ kind: 'error', call: 'EL_1', code: 'call_not_found' }]]);
  });

  it.each([
    ['goes on showing a call that the old link did not find before the new one did', 'call_not_found', [1, 2, 3, 4], []],
    ['shows nothing more of a call that the old link tells to be erased', 'call_erased', [1, 2, 3], [{ kind: 'error', call: 'EL_1', code: 'call_erased' }]],
  ])('%s', (_what, code, seqs, errors) => {
    const rig = moving();
    rig.establish(2);
    // So that the old link stays.
    rig.do('follow', 'EL_2');
    rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 3, recovered: true, ref: 'EL_1' });
    rig.frame(1, { type: 'error', code, retryable: false, ref: 'EL_1' });
    rig.append('EL_1', 1);
    rig.event(2, 'EL_1', 4);
    expect([rig.openLinks, rig.seqs('EL_1'), rig.emitted.filter(({ kind }) => kind === 'error')]).toEqual([[1, 2], seqs, errors]);
  });

  it('ends where nothing is left that had to change over', () => {
    const rig = moving();
    rig.establish(2);
    expect(rig.openLinks).toEqual([1, 2]);
    rig.do('unfollow', 'EL_1');
    expect(rig.openLinks).toEqual([2]);
  });

  it('watches the new link for silence, or until it is there', () => {
    const rig = moving();
    rig.establish(2);
    rig.serve(2);
    expect([rig.openLinks, [...rig.timers.keys()].sort()]).toEqual([[2], ['fresh', 'silence']]);
    rig.pass(50_000);
    expect(rig.openLinks).toEqual([]);
    const early = moving();
    cut(early, 1);
    expect([...early.timers.keys()].sort()).toEqual(['opening 2', 'silence']);
    early.pass(10_000);
    expect(early.openLinks).toEqual([]);
  });
});

describe('following', () => {
  it('asks once for what it follows twice, on every link that is there', () => {
    const rig = live();
    rig.do('follow', 'EL_1');
    expect(rig.newest.sent).toEqual([]);
    rig.do('follow', 'EL_2');
    expect(rig.newest.sent).toEqual([{ subscribe: [{ id: 'EL_2' }] }]);
    rig.do('unfollow', 'EL_9');
    expect(rig.newest.sent).toHaveLength(1);
  });

  it('leaves a call at the relay with the last of its names, and not one that was refused', () => {
    const rig = live();
    rig.do('follow', 'conv_1');
    rig.frame(1, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: 'conv_1', status: 'in_progress', epoch: '1.EL_1', last_seq: 3, recovered: true, ref: 'conv_1' });
    rig.do('follow', 'EL_2');
    rig.do('follow', 'EL_3');
    rig.frame(1, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_2' });
    rig.newest.sent.length = 0;
    for (const id of ['EL_1', 'EL_2', 'EL_3', 'conv_1']) rig.do('unfollow', id);
    expect(rig.newest.sent).toEqual([{ unsubscribe: 'EL_3' }, { unsubscribe: 'conv_1' }]);
  });

  it('takes no confirmation of what it does not follow', () => {
    const rig = live();
    const before = rig.emitted.length;
    for (const ref of ['EL_9', undefined]) rig.frame(1, { type: 'subscription_confirmed', call_sid: 'EL_9', conversation_id: null, status: 'in_progress', epoch: '1.EL_9', last_seq: 3, recovered: true, ref });
    expect(rig.emitted.length).toBe(before);
  });

  it('tells of a confirmation what it says', () => {
    const rig = live();
    expect(rig.emitted.find(({ kind }) => kind === 'confirmed')).toEqual({ kind: 'confirmed', call: 'EL_1', callSid: 'EL_1', conversationId: null, epoch: '1.EL_1', status: 'in_progress' });
  });

  it('shows an interim turn of the link that leads alone, and nothing else without a number', () => {
    const rig = moving();
    rig.establish(2);
    const said = { call_sid: 'EL_1', turn_id: 'new', timestamp: new Date(Date.UTC(2026, 0, 1)).toISOString() };
    rig.frame(2, { ...said, type: 'transcription', state: 'interim' });
    rig.frame(1, { ...said, type: 'agent_thinking' });
    expect(rig.emitted.some(({ kind }) => kind === 'interim')).toBe(false);
    rig.frame(1, { ...said, type: 'transcription', state: 'interim' });
    expect(rig.emitted.filter(({ kind }) => kind === 'interim')).toHaveLength(1);
  });

  it.each([
    ['five seconds ago by the clock of the relay', 5_000, 0, true],
    ['longer ago', 5_001, 0, false],
    ['four seconds before a heartbeat, one second ago', 4_000, 1_000, true],
    ['four seconds before a heartbeat, more than a second ago', 4_000, 1_001, false],
  ])('shows an interim turn that was said %s: %#', (_what, before, since, shown) => {
    const rig = new ClientRig();
    rig.now = 700_000;
    rig.add('EL_1', 1);
    rig.do('start');
    rig.do('follow', 'EL_1');
    rig.establish();
    rig.serve();
    rig.beat();
    const said = Date.UTC(2026, 0, 1) + rig.now - before;
    rig.pass(since);
    rig.frame(1, { type: 'transcription', state: 'interim', call_sid: 'EL_1', turn_id: 'new', timestamp: new Date(said).toISOString() });
    expect(rig.emitted.some(({ kind }) => kind === 'interim')).toBe(shown);
  });

  it('shows an interim turn whose age cannot be known', () => {
    const rig = new ClientRig();
    rig.add('EL_1', 1);
    rig.do('start');
    rig.do('follow', 'EL_1');
    rig.establish();
    rig.serve();
    const interim = { type: 'transcription', state: 'interim', call_sid: 'EL_1', turn_id: 'new' };
    rig.frame(1, { ...interim, timestamp: '2020-01-01T00:00:00.000Z' });
    rig.beat();
    rig.frame(1, { ...interim, timestamp: 'now' });
    expect(rig.emitted.filter(({ kind }) => kind === 'interim')).toHaveLength(2);
  });

  it('goes over what is lost with the link that leads, and lets the other one follow', () => {
    const rig = moving();
    rig.establish(2);
    rig.append('EL_1', 3);
    const lost = { type: 'history_lost', call_sid: 'EL_1', epoch: '1.EL_1', from_seq: 4, to_seq: 5 };
    const told = (): number => rig.emitted.filter(({ kind }) => kind === 'lost').length;
    const [subscribe] = rig.links.get(2)?.sent ?? [];
    expect(subscribe).toEqual({ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 3 } }] });
    rig.frame(2, lost);
    expect(told()).toBe(0);
    rig.frame(1, lost);
    rig.event(1, 'EL_1', 6);
    expect([told(), rig.seqs('EL_1'), rig.machine.connection.state]).toEqual([1, [1, 2, 3, 6], 'live']);
    rig.frame(1, lost);
    expect(told()).toBe(1);
  });

  it('is told of a loss by a poll too', () => {
    const rig = polling();
    rig.append('EL_1', 3);
    const six: unknown = JSON.parse(rig.calls.get('EL_1')?.texts[5] ?? '');
    const confirmed = { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 6, recovered: true, ref: 'EL_1' };
    rig.do('polled', 200, [null, 5, 'x', confirmed, { type: 'history_lost', call_sid: 'EL_1', epoch: '1.EL_1', from_seq: 4, to_seq: 5 }, six], undefined);
    expect([rig.emitted.filter(({ kind }) => kind === 'lost'), rig.seqs('EL_1')]).toEqual([[{ kind: 'lost', call: 'EL_1', from: 4, to: 5 }], [1, 2, 3, 6]]);
  });

  it('follows a merged call through a poll with the next question', () => {
    const rig = polling();
    rig.append('EL_1', 1, { type: 'call_status', status: 'failed', merged_into: 'EL_owner' });
    rig.seal('EL_1');
    rig.answerPoll();
    expect([rig.seqs('EL_1'), rig.polls.at(-1)?.body.calls]).toEqual([[1, 2, 3, 4, 5], [{ id: 'EL_1', epoch: '1.EL_1', seq: 5 }]]);
  });

  it('is not asked for again because it is sealed', () => {
    const rig = live();
    rig.seal('EL_1');
    rig.event(1, 'EL_1', 4);
    expect(rig.newest.sent).toEqual([]);
  });

  it('leaves out of polls what was refused, and asks for no more than a relay takes', () => {
    const rig = polling();
    rig.do('polled', 200, [{ type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_1' }], undefined);
    expect([rig.polls.at(-1)?.body, rig.machine.connection.state]).toEqual([{ calls: [], wait: 25 }, 'unverified']);
    for (let n = 2; n < 110; n++) rig.do('follow', `EL_${n}`);
    expect(rig.polls.at(-1)?.body.calls).toHaveLength(100);
  });
});

describe('polling', () => {
  it('asks for the board with what it has seen of it', () => {
    const rig = polling();
    rig.do('watch', { status: 'failed' });
    expect(rig.polls.at(-1)?.body.board).toEqual({ status: 'failed' });
    rig.do('polled', 200, [{ type: 'board_snapshot', rows: [{ call_sid: 'EL_1' }], more: false }], 'm1');
    expect([rig.polls.at(-1)?.body.board, rig.emitted.at(-2)]).toEqual([{ status: 'failed', mark: 'm1' }, { kind: 'board', snapshot: true, rows: [{ call_sid: 'EL_1' }], gone: [] }]);
    rig.do('watch', {});
    expect(rig.polls.at(-1)?.body.board).toEqual({});
    rig.do('unwatch');
    expect(rig.polls.at(-1)?.body).not.toHaveProperty('board');
    expect(rig.aborted).toBe(3);
  });

  it('keeps nothing of a part of a board that a poll brought', () => {
    const rig = polling();
    rig.do('watch', {});
    rig.do('polled', 200, [{ type: 'board_snapshot', rows: [{ call_sid: 'EL_1' }], more: true }], 'm1');
    rig.do('polled', 200, [{ type: 'board_snapshot', rows: [{ call_sid: 'EL_2' }], more: false }], 'm2');
    expect(rig.emitted.filter(({ kind }) => kind === 'board')).toEqual([{ kind: 'board', snapshot: true, rows: [{ call_sid: 'EL_2' }], gone: [] }]);
  });

  it('waits after an answer that could not tell of everything, and only then', () => {
    const rig = polling();
    rig.do('polled', 200, [{ type: 'heartbeat', retryable: true }, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_9' }], undefined);
    expect([rig.polls.length, rig.timers.has('poll')]).toEqual([2, false]);
    const waits = [1, 2, 3].map(() => {
      rig.do('polled', 200, [{ type: 'heartbeat' }, { type: 'error', code: 'store_unavailable', retryable: true, ref: 'EL_1' }], undefined);
      const wait = (rig.timers.get('poll') ?? NaN) - rig.now;
      rig.do('timer', 'poll');
      return wait;
    });
    expect(waits).toEqual([300, 600, 1_200]);
    expect(rig.polls).toHaveLength(5);
    rig.do('timer', 'poll');
    expect(rig.polls).toHaveLength(5);
  });

  it('is lost once a poll fails, takes no answer twice, and waits where no token can be had', () => {
    const rig = polling();
    rig.answerPoll();
    expect(rig.machine.connection.state).toBe('restored');
    rig.do('polled', 500, [], undefined);
    expect(rig.machine.connection.state).toBe('lost');
    const polls = rig.polls.length;
    rig.do('polled', 403, [], undefined);
    expect(rig.machine.connection.state).toBe('lost');
    rig.tokens = false;
    rig.do('timer', 'poll');
    expect([rig.polls.length, rig.timers.has('poll'), rig.tokensAsked.at(-1)]).toEqual([polls, true, 'poll']);
  });
});

describe('watching', () => {
  it('is asked for on a link that comes later, from its first row', () => {
    const rig = live();
    rig.do('watch', { agent_id: 'a1' });
    rig.frame(1, { type: 'board_snapshot', rows: [{ call_sid: 'EL_8' }], more: true });
    rig.do('watch', { agent_id: 'a2' });
    rig.frame(1, { type: 'board_snapshot', rows: [{ call_sid: 'EL_9' }], more: false });
    rig.frame(1, { type: 'board_snapshot', rows: [{ call_sid: 'EL_7' }], more: false });
    expect(rig.emitted.flatMap((what) => (what.kind === 'board' ? [what.rows] : []))).toEqual([[{ call_sid: 'EL_9' }], [{ call_sid: 'EL_7' }]]);
    rig.do('unwatch');
    expect(rig.newest.sent.at(-1)).toEqual({ unwatch: 'board' });
    rig.do('watch', {});
    cut(rig, 1);
    rig.pass(untilRetry(rig));
    rig.establish(2);
    expect(rig.newest.sent.map((message) => Object.keys(message)[0])).toEqual(['subscribe', 'watch']);
    rig.frame(2, { type: 'board_update', rows: 5, gone: null });
    expect(rig.emitted.at(-1)).toEqual({ kind: 'board', snapshot: false, rows: [], gone: [] });
  });
});
