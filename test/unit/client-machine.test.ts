import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, BACKOFF_MAX_MS, BACKOFF_MIN_MS, isFinal } from '../../core/domain/client/backoff.ts';
import { CLOSE_CODES } from '../../core/protocol/codes.ts';
import { ClientRig } from '../fixtures/client-relay.ts';

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, place) => from + place);

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

describe('the client machine', () => {
  it('goes from connecting to live when all is confirmed and there', () => {
    const rig = live();
    expect(rig.states).toEqual(['catching_up', 'unverified', 'live']);
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3]);
  });

  it('asks from the start at first, then from its own position', () => {
    const rig = live();
    rig.do('closed', 1, 1006);
    expect(rig.machine.connection.state).toBe('lost');
    rig.pass(BACKOFF_MAX_MS);
    rig.establish();
    expect(rig.newest.sent).toEqual([{ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 3 } }] }]);
    rig.append('EL_1', 2);
    rig.serve();
    rig.beat();
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 4, 5]);
    rig.pass(4_000);
    expect(rig.states.slice(-3)).toEqual(['unverified', 'restored', 'live']);
  });

  it('applies each event once and in order, whatever frames come', () => {
    const frame = fc.oneof(fc.record({ what: fc.constant('event' as const), seq: fc.integer({ min: 1, max: 12 }) }), fc.record({ what: fc.constantFrom('serve' as const, 'cut' as const, 'beat' as const, 'move' as const, 'junk' as const) }));
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 60 }), (story) => {
        const rig = live(12);
        for (const each of story) {
          const [link] = rig.openLinks;
          if (link === undefined) {
            rig.pass(31_000);
            for (const opened of rig.openLinks) rig.establish(opened);
          } else if (each.what === 'event') rig.event(rig.newest.link, 'EL_1', each.seq);
          else if (each.what === 'serve') for (const opened of rig.openLinks) rig.serve(opened, 6);
          else if (each.what === 'beat') rig.beat(link);
          else if (each.what === 'junk') rig.do('frame', link, '{"type":"unknown_of_tomorrow","call_sid":"EL_1","seq":"x"}');
          else if (each.what === 'move') {
            rig.frame(link, { type: 'system_message', data: { event: 'move', within_ms: 100 } });
            rig.pass(100);
            rig.establish();
          } else {
            const broken = rig.links.get(link);
            if (broken !== undefined) broken.closed = true;
            rig.do('closed', link, 1006);
          }
          const seqs = rig.seqs('EL_1');
          expect(seqs).toEqual(range(1, seqs.length));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('drops what it has, and asks again once where something is missing', () => {
    const rig = live(3);
    rig.append('EL_1', 4);
    rig.event(1, 'EL_1', 2);
    rig.event(1, 'EL_1', 5);
    rig.event(1, 'EL_1', 6);
    expect(rig.newest.sent).toEqual([{ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 3 } }] }]);
    expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['catching_up', [1, 2, 3]]);
    rig.serve();
    expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['live', range(1, 7)]);
  });

  it('waits for no more than the relay last told of, where it told of too much before', () => {
    const rig = live(3);
    const beat = { type: 'heartbeat', server_time: new Date(Date.UTC(2026, 0, 1)).toISOString(), verified_at: new Date(Date.UTC(2026, 0, 1)).toISOString() };
    rig.frame(1, { ...beat, heads: { EL_1: 1_000 } });
    expect(rig.machine.connection.state).toBe('catching_up');
    rig.frame(1, { ...beat, heads: { EL_1: 3 } });
    expect(rig.machine.connection.state).toBe('live');
  });

  it('starts a call over when the relay says so', () => {
    const rig = live(3);
    const call = rig.add('EL_1', 2);
    call.epoch = '2.new';
    rig.do('closed', 1, 1012);
    rig.pass(BACKOFF_MAX_MS);
    rig.establish();
    rig.serve();
    expect(rig.emitted.filter(({ kind }) => kind === 'reset')).toEqual([{ kind: 'reset', call: 'EL_1', reason: 'epoch_changed' }]);
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2]);
  });

  it('follows a merged call to its owner after its last event, under the id that it was asked by', () => {
    const rig = live(1);
    rig.add('EL_owner', 2);
    rig.append('EL_1', 1, { type: 'call_status', status: 'failed', merged_into: 'EL_owner' });
    rig.seal('EL_1');
    const call = rig.calls.get('EL_1');
    if (call !== undefined) call.owner = 'EL_owner';
    rig.event(1, 'EL_1', 2);
    rig.event(1, 'EL_1', 3);
    rig.serve();
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2]);
    expect(rig.emitted.filter(({ kind }) => kind === 'confirmed').at(-1)).toMatchObject({ call: 'EL_1', callSid: 'EL_owner' });
  });

  const refused: [string, object, string | null][] = [
    ['a call that is refused', { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_9' }, 'EL_9'],
    ['an error that belongs to no call', { type: 'error', code: 'invalid_message', retryable: false, ref: null }, null],
  ];
  it.each(refused)('tells of %s, and is live for the rest', (_what, frame, call) => {
    const rig = live();
    rig.do('follow', 'EL_9');
    expect(rig.machine.connection.state).toBe('catching_up');
    rig.frame(1, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_9' });
    rig.frame(1, frame);
    expect(rig.emitted.filter(({ kind }) => kind === 'error').at(-1)).toMatchObject({ call });
    expect(rig.machine.connection.state).toBe('live');
  });

  it('asks again for a call that the store could not find just now', () => {
    const rig = live();
    rig.add('EL_2', 1);
    rig.do('follow', 'EL_2');
    rig.newest.sent.length = 0;
    rig.frame(1, { type: 'error', code: 'store_unavailable', retryable: true, ref: 'EL_2' });
    rig.pass(2_000);
    expect(rig.newest.sent).toEqual([{ subscribe: [{ id: 'EL_2' }] }]);
    rig.serve();
    expect([rig.seqs('EL_2'), rig.emitted.some(({ kind }) => kind === 'error')]).toEqual([[1], false]);
  });

  it('asks again for a board that the store could not read just now, and is not live without it', () => {
    const rig = live();
    rig.do('watch', {});
    expect(rig.machine.connection.state).toBe('catching_up');
    rig.newest.sent.length = 0;
    rig.frame(1, { type: 'error', code: 'store_unavailable', retryable: true, ref: null });
    rig.pass(2_000);
    expect(rig.newest.sent).toEqual([{ watch: 'board' }]);
    rig.frame(1, { type: 'board_snapshot', rows: [], more: false });
    expect([rig.machine.connection.state, rig.emitted.some(({ kind }) => kind === 'error')]).toEqual(['live', false]);
  });

  it('is told under every name that it asked by when a call is gone', () => {
    const rig = live(3);
    rig.do('follow', 'conv_1');
    rig.newest.sent.length = 0;
    rig.frame(1, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: 'conv_1', status: 'in_progress', epoch: '1.EL_1', last_seq: 0, recovered: true, ref: 'conv_1' });
    rig.frame(1, { type: 'error', code: 'call_not_found', retryable: false, ref: 'EL_1' });
    expect(rig.emitted.filter(({ kind }) => kind === 'error')).toEqual([
      { kind: 'error', call: 'EL_1', code: 'call_not_found' },
      { kind: 'error', call: 'conv_1', code: 'call_not_found' },
    ]);
  });

  it('does not take the answer to an old unsubscription for a refusal of the call that it asked for again', () => {
    const rig = live(3);
    rig.do('unfollow', 'EL_1');
    rig.do('follow', 'EL_1');
    rig.frame(1, { type: 'error', code: 'not_subscribed', retryable: false, ref: 'EL_1' });
    expect([rig.machine.connection.state, rig.emitted.filter(({ kind }) => kind === 'error')]).toEqual(['catching_up', []]);
  });

  it('sends many subscriptions in a few messages', () => {
    const rig = new ClientRig();
    rig.do('start');
    for (const n of range(1, 100)) rig.do('follow', `EL_${n}`);
    rig.establish();
    expect(rig.newest.sent.map((message) => (message['subscribe'] as unknown[]).length)).toEqual([25, 25, 25, 25]);
  });

  it('stops following', () => {
    const rig = live();
    rig.do('unfollow', 'EL_1');
    expect(rig.newest.sent).toEqual([{ unsubscribe: 'EL_1' }]);
    rig.append('EL_1', 1);
    rig.event(1, 'EL_1', 4);
    expect(rig.seqs('EL_1')).toEqual([1, 2, 3]);
  });

  describe('and the proof', () => {
    it('is complete when the digest equals the chain, across reconnects', () => {
      const rig = live(3);
      rig.do('closed', 1, 1006);
      rig.append('EL_1', 2);
      rig.seal('EL_1');
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      rig.serve();
      expect(rig.emitted.filter(({ kind }) => kind === 'sealed')).toEqual([{ kind: 'sealed', call: 'EL_1', proof: 'complete' }]);
    });

    it('is of the new epoch alone where the call started over', () => {
      const rig = live(3);
      const call = rig.add('EL_1', 2);
      call.epoch = '2.new';
      rig.seal('EL_1');
      rig.do('closed', 1, 1012);
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      rig.serve();
      expect(rig.emitted.filter(({ kind }) => kind === 'sealed')).toEqual([{ kind: 'sealed', call: 'EL_1', proof: 'complete' }]);
    });

    it('is incomplete when a text was changed on the way', () => {
      const rig = live(3);
      rig.append('EL_1', 1);
      rig.seal('EL_1');
      rig.do('frame', 1, JSON.stringify({ type: 'transcription', call_sid: 'EL_1', seq: 4, turn_id: 'forged' }));
      rig.event(1, 'EL_1', 5);
      expect(rig.emitted.at(-1)).toEqual({ kind: 'sealed', call: 'EL_1', proof: 'incomplete' });
    });

    it('is incomplete when history was lost, which is told', () => {
      const rig = live(3);
      rig.append('EL_1', 3);
      rig.seal('EL_1');
      rig.frame(1, { type: 'history_lost', call_sid: 'EL_1', epoch: '1.EL_1', from_seq: 4, to_seq: 5 });
      for (const seq of [6, 7]) rig.event(1, 'EL_1', seq);
      expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 6, 7]);
      expect(rig.emitted.filter(({ kind }) => kind === 'lost' || kind === 'sealed')).toEqual([
        { kind: 'lost', call: 'EL_1', from: 4, to: 5 },
        { kind: 'sealed', call: 'EL_1', proof: 'incomplete' },
      ]);
    });

    it('cannot be given where nothing can hash', () => {
      const rig = live(3, { hash: false });
      rig.seal('EL_1');
      rig.event(1, 'EL_1', 4);
      expect(rig.emitted.at(-1)).toEqual({ kind: 'sealed', call: 'EL_1', proof: 'cannot_prove' });
    });
  });

  describe('and freshness', () => {
    it('is unverified after 35 s without a heartbeat, and gives the connection up after 50', () => {
      const rig = live();
      rig.pass(34_999);
      expect(rig.machine.connection.state).toBe('live');
      rig.pass(1);
      expect(rig.machine.connection.state).toBe('unverified');
      rig.pass(15_000);
      expect([rig.machine.connection.state, rig.links.get(1)?.closed]).toEqual(['lost', true]);
    });

    it('is unverified when its time is over, though the timer came a fraction of a millisecond early by the clock', () => {
      const rig = live();
      rig.now += 34_999.999;
      rig.do('timer', 'fresh');
      expect(rig.machine.connection.state).toBe('unverified');
      rig.beat();
      expect(rig.machine.connection.state).toBe('live');
    });

    it.each([
      [15_000, 'live'],
      [15_001, 'unverified'],
    ])('with a comparison %i ms old is %s', (lag, state) => {
      const rig = live();
      rig.beat(1, lag);
      expect(rig.machine.connection.state).toBe(state);
    });

    it('is catching up while the relay knows of more than came', () => {
      const rig = live();
      rig.append('EL_1', 1);
      rig.beat();
      expect(rig.machine.connection.state).toBe('catching_up');
      rig.event(1, 'EL_1', 4);
      expect(rig.machine.connection.state).toBe('live');
    });

    it('is unverified while the relay is degraded', () => {
      const rig = live();
      rig.frame(1, { type: 'system_message', data: { event: 'degraded', reason: 'rights_unconfirmed' } });
      expect(rig.machine.connection.state).toBe('unverified');
      rig.frame(1, { type: 'system_message', data: { event: 'restored' } });
      expect(rig.machine.connection.state).toBe('live');
    });

    it('is in question after a sleep until the socket has shown that it lives', () => {
      const rig = live();
      rig.do('wake');
      expect([rig.machine.connection.state, rig.newest.sent]).toEqual(['unverified', [{ ping: 'wake' }]]);
      rig.frame(1, { type: 'pong', ping: 'wake' });
      rig.beat();
      rig.pass(6_000);
      expect([rig.machine.connection.state, rig.openLinks]).toEqual(['live', [1]]);
      rig.do('wake');
      rig.pass(5_000);
      expect([rig.machine.connection.state, rig.links.get(1)?.closed]).toEqual(['lost', true]);
    });

    it('is not confirmed after a sleep by a heartbeat that had come before it', () => {
      const rig = live();
      rig.do('wake');
      rig.beat();
      expect(rig.machine.connection.state).toBe('unverified');
      rig.frame(1, { type: 'pong', ping: 'wake' });
      expect(rig.machine.connection.state).toBe('unverified');
      rig.beat();
      expect(rig.machine.connection.state).toBe('live');
    });

    it('is confirmed by the first heartbeat of a new connection after a sleep that the old one did not survive', () => {
      const rig = live();
      rig.do('wake');
      rig.do('closed', 1, 1006);
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      rig.serve();
      rig.beat();
      expect(rig.machine.connection.state).toBe('restored');
    });

    it('is lost while the machine is offline, and comes back at once', () => {
      const rig = live();
      rig.do('offline');
      expect(rig.machine.connection.state).toBe('lost');
      rig.do('closed', 1, 1006);
      rig.pass(600_000);
      expect(rig.openLinks).toEqual([1]);
      rig.do('online');
      rig.pass(300);
      expect(rig.newest.link).toBe(2);
    });
  });

  describe('and interim turns', () => {
    const interim = (turn: string, at = Date.UTC(2026, 0, 1)): object => ({ type: 'transcription', state: 'interim', call_sid: 'EL_1', turn_id: turn, timestamp: new Date(at).toISOString() });
    it('pass until the turn is logged, the call is over, or they are old', () => {
      const rig = live(1);
      const passed = (): number => rig.emitted.filter(({ kind }) => kind === 'interim').length;
      rig.frame(1, interim('new'));
      expect(passed()).toBe(1);
      rig.frame(1, interim('t0'));
      rig.frame(1, interim('new', Date.UTC(2026, 0, 1) - 5_001));
      expect(passed()).toBe(1);
      rig.append('EL_1', 1, { type: 'call_status', status: 'completed' });
      rig.event(1, 'EL_1', 2);
      rig.frame(1, interim('newer'));
      expect(passed()).toBe(1);
    });
  });

  describe('and close codes', () => {
    it.each(Object.values(CLOSE_CODES).map(({ code }) => code))('%i says whether it comes back', (code) => {
      const rig = live();
      rig.do('closed', 1, code);
      rig.pass(1_000);
      const stops = code >= 4500 && code !== 4503;
      expect(rig.machine.connection.state === 'stopped').toBe(stops);
      expect(rig.links.size).toBe(stops ? 1 : 2);
      if (stops) expect(rig.emitted).toContainEqual({ kind: 'stopped', code });
    });

    it('asks for a fresh token once, at once', () => {
      const rig = live();
      rig.do('closed', 1, 4503);
      expect(rig.newest.link).toBe(2);
      rig.do('closed', 2, 4503);
      expect(rig.machine.connection.state).toBe('stopped');
    });

    it('waits longer after each failure, never less than 0.3 s and never more than 30 s', () => {
      expect(range(0, 30).map((failures) => backoffMs(failures, 0))).toEqual(range(0, 30).map(() => BACKOFF_MIN_MS));
      expect(Math.max(...range(0, 40).map((failures) => backoffMs(failures, 0.999_999)))).toBe(BACKOFF_MAX_MS);
      expect(range(0, 4).map((failures) => backoffMs(failures, 0.5))).toEqual([300, 300, 600, 1_200, 2_400]);
      expect([1002, 1007, 1009].map(isFinal)).toEqual([true, true, true]);
    });

    it('refreshes its token in band when it is told that the old one ends', () => {
      const rig = live();
      rig.frame(1, { type: 'system_message', data: { event: 'token_expiring', expires_at: '' } });
      expect(rig.newest.sent).toEqual([{ auth: 'token' }]);
    });

    it('goes on trying while no token can be had', () => {
      const rig = new ClientRig({ canPoll: false });
      rig.tokens = false;
      rig.do('start');
      rig.pass(100_000);
      expect([rig.links.size, rig.tokensAsked.length > 3]).toEqual([0, true]);
      rig.tokens = true;
      rig.pass(30_000);
      expect(rig.links.size).toBe(1);
    });

    it('ends at the wish of the page, once and for all', () => {
      const rig = live();
      rig.do('stop');
      expect([rig.machine.connection.state, rig.openLinks, rig.timers.size]).toEqual(['stopped', [], 0]);
      rig.do('wake');
      rig.do('online');
      expect(rig.links.size).toBe(1);
    });
  });

  describe('and a move', () => {
    const moving = (): ClientRig => {
      const rig = live(3);
      rig.frame(1, { type: 'system_message', data: { event: 'move', within_ms: 4_000 } });
      rig.pass(4_000);
      return rig;
    };
    it('opens the new link before it leaves the old one, and names what it replaces', () => {
      const rig = moving();
      expect([rig.openLinks, rig.newest.replaces, rig.machine.connection.state]).toEqual([[1, 2], 'ws_1', 'live']);
      rig.establish(2);
      rig.serve(2);
      expect([rig.openLinks, rig.machine.connection.state]).toEqual([[2], 'live']);
    });

    it('lets one link lead: the new one when it has reached where the client is', () => {
      const rig = moving();
      rig.establish(2);
      rig.append('EL_1', 3);
      rig.event(1, 'EL_1', 4);
      rig.event(1, 'EL_1', 5);
      rig.frame(2, { type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch: '1.EL_1', last_seq: 6, recovered: true, ref: 'EL_1' });
      rig.event(2, 'EL_1', 4);
      expect(rig.openLinks).toEqual([1, 2]);
      rig.event(2, 'EL_1', 5);
      expect(rig.openLinks).toEqual([2]);
      rig.event(2, 'EL_1', 6);
      expect(rig.seqs('EL_1')).toEqual(range(1, 6));
    });

    it('does not give a call back to the old link because that brings an event later than the new one', () => {
      const rig = live(3);
      rig.add('EL_2', 0);
      rig.do('follow', 'EL_2');
      rig.serve();
      rig.frame(1, { type: 'system_message', data: { event: 'move', within_ms: 0 } });
      rig.pass(0);
      rig.establish(2);
      const confirmed = (call_sid: string, last_seq: number): object => ({ type: 'subscription_confirmed', call_sid, conversation_id: null, status: 'in_progress', epoch: `1.${call_sid}`, last_seq, recovered: true, ref: call_sid });
      rig.frame(2, confirmed('EL_1', 3));
      rig.append('EL_1', 1);
      rig.event(2, 'EL_1', 4);
      rig.event(1, 'EL_1', 4);
      expect([rig.openLinks, rig.seqs('EL_1')]).toEqual([[1, 2], range(1, 4)]);
      rig.frame(2, confirmed('EL_2', 0));
      expect(rig.openLinks).toEqual([2]);
    });

    it('takes no event of the old epoch from a link that has not heard of the new one', () => {
      const rig = moving();
      rig.establish(2);
      const call = rig.add('EL_1', 4);
      const old = call.texts[3] ?? '';
      call.epoch = '2.new';
      call.texts = call.texts.map((text) => JSON.stringify({ ...(JSON.parse(text) as object), text: 'after the restore' }));
      rig.add('EL_2', 0);
      rig.do('follow', 'EL_2');
      const [link] = [rig.links.get(2)];
      const subscribe = link?.sent.splice(0).slice(0, 1) ?? [];
      link?.sent.push(...subscribe);
      rig.serve(2, 3);
      expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2, 3]);
      rig.do('frame', 1, old);
      expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2, 3]);
      rig.event(2, 'EL_1', 4);
      expect(rig.emitted.flatMap((what) => (what.kind === 'event' && what.seq === 4 ? [what.frame['text']] : []))).toEqual(['after the restore']);
    });

    it('takes no event of the old epoch from the new link either, where the old one heard of the new epoch first', () => {
      const rig = moving();
      rig.add('EL_2', 0);
      rig.do('follow', 'EL_2');
      rig.establish(2);
      const confirmed = (epoch: string, more: object): object => ({ type: 'subscription_confirmed', call_sid: 'EL_1', conversation_id: null, status: 'in_progress', epoch, last_seq: 3, ...more });
      rig.frame(2, confirmed('1.EL_1', { recovered: true, ref: 'EL_1' }));
      rig.append('EL_1', 1);
      rig.frame(1, confirmed('2.new', { recovered: false, reason: 'epoch_changed' }));
      for (const seq of [1, 2, 3]) rig.event(1, 'EL_1', seq);
      rig.event(2, 'EL_1', 4);
      expect(rig.seqs('EL_1')).toEqual([1, 2, 3, 1, 2, 3]);
    });

    it('goes on with the new link when the old one is cut first', () => {
      const rig = moving();
      rig.establish(2);
      rig.append('EL_1', 1);
      rig.do('closed', 1, 1012);
      expect([rig.machine.connection.state, rig.openLinks]).toEqual(['catching_up', [1, 2]]);
      rig.serve(2);
      rig.beat(2);
      expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['live', range(1, 4)]);
    });

    it('stays with the old link when the new one fails, and tries again', () => {
      const rig = moving();
      const broken = rig.links.get(2);
      if (broken !== undefined) broken.closed = true;
      rig.do('closed', 2, 1006);
      rig.append('EL_1', 1);
      rig.event(1, 'EL_1', 4);
      expect([rig.machine.connection.state, rig.seqs('EL_1')]).toEqual(['live', range(1, 4)]);
      rig.pass(1_000);
      expect([rig.newest.link, rig.openLinks]).toEqual([3, [1, 3]]);
    });
  });

  describe('and polling', () => {
    const polling = (): ClientRig => {
      const rig = live(3);
      for (const attempt of range(1, 4)) {
        const link = rig.links.get(attempt);
        if (link !== undefined) link.closed = true;
        rig.do('closed', attempt, 1006);
        if (attempt < 4) rig.pass(BACKOFF_MAX_MS);
      }
      return rig;
    };
    it('begins after three failures, from the same position', () => {
      const rig = polling();
      expect(rig.polls).toEqual([{ body: { calls: [{ id: 'EL_1', epoch: '1.EL_1', seq: 3 }], wait: 25 } }]);
      rig.append('EL_1', 2);
      rig.answerPoll();
      expect(rig.seqs('EL_1')).toEqual(range(1, 5));
      expect(rig.machine.connection.state).toBe('restored');
      expect(rig.polls.at(-1)?.body.calls).toEqual([{ id: 'EL_1', epoch: '1.EL_1', seq: 5 }]);
    });

    it('is in question after the machine was offline, until a poll has been answered again', () => {
      const rig = polling();
      rig.answerPoll();
      rig.do('offline');
      rig.do('online');
      expect(rig.machine.connection.state).toBe('unverified');
      rig.answerPoll();
      expect(rig.machine.connection.state).toBe('restored');
    });

    it('proves a call complete as a socket does', () => {
      const rig = polling();
      rig.append('EL_1', 2);
      rig.seal('EL_1');
      rig.answerPoll();
      expect(rig.emitted).toContainEqual({ kind: 'sealed', call: 'EL_1', proof: 'complete' });
    });

    it('ends when a socket is there again, from the position that it reached', () => {
      const rig = polling();
      rig.append('EL_1', 2);
      rig.answerPoll();
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      expect(rig.newest.sent).toEqual([{ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 5 } }] }]);
      expect(rig.aborted).toBe(1);
      const before = rig.polls.length;
      rig.answerPoll();
      rig.append('EL_1', 1);
      rig.serve();
      rig.beat();
      expect([rig.seqs('EL_1'), rig.polls.length]).toEqual([range(1, 6), before]);
    });

    it('takes nothing of an answer that comes after a socket is there again', () => {
      const rig = polling();
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      rig.append('EL_1', 2);
      rig.answerPoll();
      expect(rig.seqs('EL_1')).toEqual(range(1, 3));
      rig.serve();
      expect(rig.seqs('EL_1')).toEqual(range(1, 5));
    });

    it('asks anew when another call is wanted', () => {
      const rig = polling();
      rig.add('EL_2', 1);
      rig.do('follow', 'EL_2');
      expect(rig.aborted).toBe(1);
      rig.answerPoll();
      expect(rig.seqs('EL_2')).toEqual([1]);
    });

    it('makes one poll of all that is wanted while the token for it is awaited', () => {
      const rig = polling();
      const first = rig.machine.input(rig.now, 'follow', 'EL_2');
      const second = rig.machine.input(rig.now, 'follow', 'EL_3');
      expect([first, second].map((effects) => effects.map(([act]) => act))).toEqual([['abort_poll', 'ask_token'], []]);
      rig.do('token', 'poll', 'x');
      rig.do('token', 'poll', 'x');
      expect(rig.polls.slice(1).map(({ body }) => body.calls.map(({ id }) => id))).toEqual([['EL_1', 'EL_2', 'EL_3']]);
    });

    it('waits before it polls again where the relay has no store to answer from', () => {
      const rig = polling();
      const unable = { type: 'error', code: 'store_unavailable', retryable: true, ref: 'EL_1' };
      for (const answers of range(2, 4)) {
        rig.do('polled', 200, [unable], undefined);
        expect(rig.polls).toHaveLength(answers - 1);
        rig.pass(BACKOFF_MAX_MS);
        for (const link of rig.openLinks) rig.do('closed', link, 1006);
        expect(rig.polls).toHaveLength(answers);
      }
    });

    it('waits between polls that fail, and stops where it is forbidden', () => {
      const rig = polling();
      rig.do('polled', null, [], undefined);
      expect(rig.polls).toHaveLength(1);
      rig.pass(BACKOFF_MAX_MS);
      expect(rig.polls.length).toBeGreaterThan(1);
      rig.do('polled', 403, [], undefined);
      expect(rig.machine.connection.state).toBe('stopped');
    });
  });

  describe('and the board', () => {
    it('is asked for on every link and told of as it comes', () => {
      const rig = live();
      rig.do('watch', { status: 'in_progress' });
      expect(rig.newest.sent).toEqual([{ watch: 'board', status: 'in_progress' }]);
      rig.frame(1, { type: 'board_snapshot', rows: [{ call_sid: 'EL_1' }], more: false });
      rig.frame(1, { type: 'board_update', rows: [], gone: ['EL_1'] });
      expect(rig.emitted.filter(({ kind }) => kind === 'board')).toEqual([
        { kind: 'board', snapshot: true, rows: [{ call_sid: 'EL_1' }], gone: [] },
        { kind: 'board', snapshot: false, rows: [], gone: ['EL_1'] },
      ]);
      rig.do('unwatch');
      rig.frame(1, { type: 'board_update', rows: [], gone: ['EL_2'] });
      expect(rig.emitted.filter(({ kind }) => kind === 'board')).toHaveLength(2);
    });

    it('is told of whole, whatever comes between the parts of a snapshot', () => {
      const rig = live();
      rig.do('watch', {});
      rig.serve();
      rig.frame(1, { type: 'system_message', data: { event: 'move', within_ms: 0 } });
      rig.pass(0);
      rig.establish(2);
      rig.emitted.length = 0;
      rig.frame(2, { type: 'board_snapshot', rows: [{ call_sid: 'a' }], more: true });
      rig.frame(1, { type: 'board_update', rows: [{ call_sid: 'c' }], gone: [] });
      rig.frame(2, { type: 'board_snapshot', rows: [{ call_sid: 'b' }], more: false });
      expect(rig.emitted.filter(({ kind }) => kind === 'board')).toEqual([
        { kind: 'board', snapshot: false, rows: [{ call_sid: 'c' }], gone: [] },
        { kind: 'board', snapshot: true, rows: [{ call_sid: 'a' }, { call_sid: 'b' }], gone: [] },
      ]);
    });

    it('keeps nothing of a snapshot that was cut in its middle', () => {
      const rig = live();
      rig.do('watch', {});
      rig.frame(1, { type: 'board_snapshot', rows: [{ call_sid: 'gone meanwhile' }], more: true });
      rig.do('closed', 1, 1006);
      rig.pass(BACKOFF_MAX_MS);
      rig.establish();
      rig.frame(rig.newest.link, { type: 'board_snapshot', rows: [{ call_sid: 'a' }], more: false });
      expect(rig.emitted.filter(({ kind }) => kind === 'board')).toEqual([{ kind: 'board', snapshot: true, rows: [{ call_sid: 'a' }], gone: [] }]);
    });

    it('keeps the old link on a move until the new one has shown it', () => {
      const rig = live();
      rig.do('watch', {});
      rig.serve();
      rig.frame(1, { type: 'system_message', data: { event: 'move', within_ms: 0 } });
      rig.pass(0);
      rig.establish(2);
      const [subscribe] = rig.newest.sent.splice(0);
      rig.newest.sent.push(subscribe ?? {});
      rig.serve(2);
      expect(rig.openLinks).toEqual([1, 2]);
      rig.frame(2, { type: 'board_snapshot', rows: [], more: false });
      expect(rig.openLinks).toEqual([2]);
    });
  });
});
