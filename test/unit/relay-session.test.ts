import { beforeEach, describe, expect, it } from 'vitest';
import { newCallState, type CallState } from '../../core/domain/call/state.ts';
import { createBucket } from '../../core/domain/relay/bucket.ts';
import { judgePosition } from '../../core/domain/relay/position.ts';
import type { Effect, SessionUser, Times } from '../../core/domain/relay/effects.ts';
import { Session } from '../../core/domain/relay/session.ts';
import type { Found } from '../../core/domain/relay/subscriptions.ts';
import { JSON_DEPTH_MAX_LEVELS, MESSAGE_BUCKET_SIZE, WS_PRE_AUTH_FRAME_MAX_BYTES, WS_WAITING_MAX_BYTES } from '../../core/protocol/limits.ts';

const START = 1_700_000_000_000;
const ann: SessionUser = { user: 'ann', tenant: 't1', roles: ['dispatcher'], expires_at: START / 1000 + 3_600, local: true, sid: 's', issued_at: START / 1000 };
const call = (call_sid: string, more: Partial<CallState> = {}): CallState => ({
  ...newCallState({ call_sid, workspace: 'w', tenant: 't1', driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null }, `1.${call_sid}`, START, ''),
  ...more,
});
const found = (state: CallState): Found => ({ call: state, known: state.last_seq });

/** A session and everything it did, with a clock that a test moves. */
class Rig {
  at: Times = { now: START, mono: 7_000_000 };
  readonly session = new Session('ws_1', this.at);
  readonly effects: Effect[] = [];
  do(effects: readonly Effect[]): void {
    this.effects.push(...effects);
  }
  say(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.do(this.session.text(text, Buffer.byteLength(text), this.at));
  }
  later(ms: number): void {
    this.at = { now: this.at.now + ms, mono: this.at.mono + ms };
    this.do(this.session.tick(this.at));
  }
  open(user = ann): void {
    this.do(this.session.start({ kind: 'token', token: 'x' }));
    this.do(this.session.verified(user, this.at));
    this.do(this.session.rights('held', this.at));
    this.do(this.session.admitted(this.at));
    this.effects.length = 0;
  }
  found(...results: Found[]): void {
    this.do(this.session.found(results, this.at));
  }
  /** What was sent, without what an error says in words. */
  get sent(): unknown[] {
    return this.effects.flatMap((effect) => (effect.do === 'send' ? [effect.frame] : []));
  }
  get did(): string[] {
    return this.effects.map((effect) => (effect.do === 'send' ? sentWord(effect.frame) : effect.do === 'close' ? `close ${effect.name}` : effect.do));
  }
}
const sentWord = (frame: { readonly type: string; readonly code?: unknown; readonly data?: unknown }): string => {
  if (frame.type === 'error') return `error ${String(frame.code)}`;
  return frame.type === 'system_message' ? (frame.data as { event: string }).event : frame.type;
};

describe('a session', () => {
  let rig: Rig;
  beforeEach(() => {
    rig = new Rig();
  });

  it('is greeted when token, rights and room are there, in this order', () => {
    rig.do(rig.session.start({ kind: 'token', token: 'x' }));
    rig.do(rig.session.verified(ann, rig.at));
    rig.do(rig.session.rights('held', rig.at));
    rig.do(rig.session.admitted(rig.at));
    expect(rig.did).toEqual(['verify', 'check_rights', 'admit', 'connection_established']);
    const data = { event: 'connection_established', connection_id: 'ws_1', user: 'ann', tenant: 't1', protocol: 'earshot.v1', server_time: '2023-11-14T22:13:20.000Z' };
    expect(rig.sent).toEqual([{ type: 'system_message', data }]);
    expect([rig.session.phase, rig.session.paused, rig.session.user]).toEqual(['open', false, ann]);
  });

  it('says that it is busy while somebody outside has to answer', () => {
    const { session } = rig;
    expect(session.busy).toBe(false);
    rig.do(session.start({ kind: 'token', token: 'x' }));
    expect(session.busy).toBe(true);
    rig.do(session.verified(ann, rig.at));
    rig.do(session.rights('held', rig.at));
    rig.do(session.admitted(rig.at));
    expect(session.busy).toBe(false);
    rig.say({ subscribe: 'EL_1' });
    expect(session.busy).toBe(true);
    rig.found('absent');
    expect(session.busy).toBe(false);
  });

  it('takes no answer that it did not ask for', () => {
    const unasked = (session: Session): readonly Effect[] => [
      ...session.verified({ ...ann, expires_at: ann.expires_at + 9 }, rig.at),
      ...session.refused('token_invalid', rig.at),
      ...session.admitted(rig.at),
      ...session.found([found(call('EL_1'))], rig.at),
      ...session.watching(rig.at),
      ...session.callGone('EL_1'),
    ];
    const { session } = rig;
    rig.do(session.start({ kind: 'none' }));
    expect([...unasked(session), ...session.rights('revoked', rig.at), ...session.recheck(rig.at)]).toEqual([]);
    expect([session.phase, session.user]).toEqual(['awaiting_token', null]);
    rig.open();
    expect(unasked(session)).toEqual([]);
    expect([session.phase, session.user, session.subscriptions.size]).toEqual(['open', ann, 0]);
    rig.do(session.closed());
    expect([...unasked(session), ...session.rights('revoked', rig.at), ...session.recheck(rig.at), ...session.binary(), ...session.closed(), ...session.end('moving', null), ...session.text('{"ping":1}', 10, rig.at)]).toEqual([]);
  });

  it('is not let in by rights that were asked for before somebody said that they changed', () => {
    const { session } = rig;
    rig.do(session.start({ kind: 'token', token: 'x' }));
    rig.do(session.verified(ann, rig.at));
    rig.effects.length = 0;
    rig.do(session.recheck(rig.at));
    rig.do(session.rights('held', rig.at));
    expect(rig.did).toEqual(['check_rights']);
    rig.do(session.rights('held', rig.at));
    expect(rig.did).toEqual(['check_rights', 'admit']);
  });

  const refusals: [string, (rig: Rig) => void, string[]][] = [
    ['a token that does not verify', (r) => r.do(r.session.refused('token_invalid', r.at)), ['error token_invalid', 'unwatch', 'close token_invalid']],
    ['a token that has ended', (r) => r.do(r.session.refused('token_expired', r.at)), ['error token_expired', 'unwatch', 'close token_expired']],
    ['a ticket that was used', (r) => r.do(r.session.refused('ticket_invalid', r.at)), ['error ticket_invalid', 'unwatch', 'close token_invalid']],
    ['keys that cannot be had', (r) => r.do(r.session.refused('store_unavailable', r.at)), ['error store_unavailable', 'unwatch', 'close server_fault']],
    ['a user that has all the connections it may have', (r) => r.do(r.session.refused('too_many_connections', r.at)), ['error too_many_connections', 'unwatch', 'close too_many_connections']],
    ['a fault of ours', (r) => r.do(r.session.refused('server_fault', r.at)), ['error server_fault', 'unwatch', 'close server_fault']],
    ['a role that may not watch', (r) => r.do(r.session.verified({ ...ann, tenant: null, roles: ['operator'] }, r.at)), ['error forbidden', 'unwatch', 'close access_revoked']],
  ];
  it.each(refusals)('closes with one error and its code on %s', (_what, happens, did) => {
    rig.do(rig.session.start({ kind: 'token', token: 'x' }));
    rig.effects.length = 0;
    happens(rig);
    expect(rig.did).toEqual(did);
  });

  it.each([
    ['revoked' as const, 'error access_revoked', 'close access_revoked'],
    ['unknown' as const, 'error store_unavailable', 'close server_fault'],
  ])('does not open while rights are %s', (verdict, error, close) => {
    rig.do(rig.session.start({ kind: 'token', token: 'x' }));
    rig.do(rig.session.verified(ann, rig.at));
    rig.effects.length = 0;
    rig.do(rig.session.rights(verdict, rig.at));
    expect(rig.did).toEqual([error, 'unwatch', close]);
  });

  it('takes the token as its first message', () => {
    rig.do(rig.session.start({ kind: 'none' }));
    rig.say({ auth: 'abc' });
    expect(rig.effects).toEqual([{ do: 'verify', offer: { kind: 'token', token: 'abc' } }]);
  });

  it('takes a first message of the greatest length', () => {
    rig.do(rig.session.start({ kind: 'none' }));
    rig.do(rig.session.text('{"auth":"abc"}', WS_PRE_AUTH_FRAME_MAX_BYTES, rig.at));
    expect(rig.did).toEqual(['verify']);
  });

  const firsts: [string, unknown, string][] = [
    ['something else', { subscribe: 'EL_1' }, 'error token_missing'],
    ['no JSON', 'hello', 'error token_missing'],
    ['more than a token is long', { auth: 'x'.repeat(WS_PRE_AUTH_FRAME_MAX_BYTES) }, 'error payload_too_large'],
  ];
  it.each(firsts)('closes when the first message is %s', (_what, message, error) => {
    rig.do(rig.session.start({ kind: 'none' }));
    rig.say(message);
    expect(rig.did[0]).toBe(error);
    expect(rig.session.phase).toBe('closed');
  });

  it('waits five seconds for a token, not longer', () => {
    rig.do(rig.session.start({ kind: 'none' }));
    rig.later(4_999);
    expect(rig.did).toEqual([]);
    rig.later(1);
    expect(rig.did).toEqual(['error token_missing', 'unwatch', 'close token_missing']);
  });

  it('sends away for now who waits too long for an answer about the token', () => {
    rig.do(rig.session.start({ kind: 'token', token: 'x' }));
    rig.later(19_999);
    expect(rig.did).toEqual(['verify']);
    rig.later(1);
    expect(rig.did).toEqual(['verify', 'error store_unavailable', 'unwatch', 'close server_fault']);
  });

  it('lets frames wait while the token is being checked, up to a bound', () => {
    rig.do(rig.session.start({ kind: 'token', token: 'x' }));
    rig.say({ subscribe: 'EL_1' });
    rig.say({ ping: 1 });
    rig.do(rig.session.verified(ann, rig.at));
    rig.do(rig.session.rights('held', rig.at));
    rig.do(rig.session.admitted(rig.at));
    rig.found(found(call('EL_1')));
    expect(rig.did.slice(3)).toEqual(['connection_established', 'look_up', 'subscription_confirmed', 'attach', 'pong']);

    const flooded = new Rig();
    flooded.do(flooded.session.start({ kind: 'token', token: 'x' }));
    flooded.say({ ping: 'x'.repeat(WS_WAITING_MAX_BYTES) });
    expect(flooded.did.slice(1)).toEqual(['error payload_too_large', 'unwatch', 'close protocol_violation']);

    const full = new Rig();
    full.do(full.session.start({ kind: 'token', token: 'x' }));
    full.do(full.session.text('{"ping":1}', WS_WAITING_MAX_BYTES, full.at));
    expect(full.session.phase).toBe('checking');
  });

  it('lets eight times as much wait once it is open, and counts what was worked off no longer', () => {
    const most = 8 * WS_WAITING_MAX_BYTES;
    const wait = (bytes: number): void => rig.do(rig.session.text('{"ping":1}', bytes, rig.at));
    rig.open();
    for (let round = 0; round < 3; round++) {
      rig.do(rig.session.hold(true, rig.at));
      wait(most - 1);
      wait(1);
      expect(rig.session.phase).toBe('open');
      rig.do(rig.session.hold(false, rig.at));
    }
    expect(rig.did).toEqual(Array.from({ length: 6 }, () => 'pong'));
    rig.do(rig.session.hold(true, rig.at));
    wait(most);
    wait(1);
    expect(rig.did.slice(6)).toEqual(['error payload_too_large', 'unwatch', 'close protocol_violation']);
  });

  it('works messages off in the order they came, though some need an answer from outside', () => {
    rig.open();
    rig.say({ subscribe: 'EL_1', id: 1 });
    rig.say({ unsubscribe: 'EL_1', id: 2 });
    rig.say({ ping: null, id: 3 });
    expect(rig.did).toEqual(['look_up']);
    rig.found(found(call('EL_1', { conversation_id: 'conv_1' })));
    expect(rig.did).toEqual(['look_up', 'subscription_confirmed', 'attach', 'detach', 'unsubscribe_confirmed', 'pong']);
    expect(rig.sent[1]).toEqual({ type: 'unsubscribe_confirmed', call_sid: 'EL_1', conversation_id: 'conv_1', id: 2 });
    expect(rig.sent[2]).toEqual({ type: 'pong', ping: null, id: 3 });
  });

  it('answers each entry of an array by itself', () => {
    rig.open();
    rig.say({ subscribe: ['EL_1', { id: 'EL_2', since: { epoch: '1.EL_2', seq: 4 } }, 'EL_3', 'EL_4'], id: 'q' });
    expect(rig.effects).toEqual([{ do: 'look_up', ids: ['EL_1', 'EL_2', 'EL_3', 'EL_4'] }]);
    rig.found(found(call('EL_1')), found(call('EL_2', { last_seq: 9 })), 'absent', 'unavailable');
    expect(rig.sent).toMatchObject([
      { type: 'subscription_confirmed', call_sid: 'EL_1', recovered: true, ref: 'EL_1', id: 'q' },
      { type: 'subscription_confirmed', call_sid: 'EL_2', recovered: true, last_seq: 9, ref: 'EL_2', id: 'q' },
      { type: 'error', code: 'call_not_found', ref: 'EL_3', id: 'q' },
      { type: 'error', code: 'store_unavailable', ref: 'EL_4', id: 'q' },
    ]);
    expect(rig.session.subscriptions.get('EL_2')?.cursor).toBe(4);
  });

  it('answers an entry that the look-up said nothing of as one that could not be read', () => {
    rig.open();
    rig.say({ subscribe: ['EL_1', 'EL_2'] });
    rig.found(found(call('EL_1')));
    expect(rig.did).toEqual(['look_up', 'subscription_confirmed', 'attach', 'error store_unavailable']);
  });

  it.each([
    ['its call_sid, though asked by the conversation', 'conv_1', 'EL_1'],
    ['the conversation, though asked by its call_sid', 'EL_1', 'conv_1'],
  ])('lets a call be left by %s', (_what, asked, left) => {
    rig.open();
    rig.say({ subscribe: asked });
    rig.found(found(call('EL_1', { conversation_id: 'conv_1' })));
    rig.say({ unsubscribe: left });
    expect(rig.did).toEqual(['look_up', 'subscription_confirmed', 'attach', 'detach', 'unsubscribe_confirmed']);
    expect(rig.session.subscriptions.size).toBe(0);
  });

  it('answers for somebody else\'s call as for an absent one', () => {
    rig.open();
    rig.say({ subscribe: ['theirs', 'absent'] });
    rig.found(found(call('theirs', { tenant: 't2' })), 'absent');
    const [theirs, absent] = rig.sent as Record<string, unknown>[];
    expect({ ...theirs, ref: null }).toEqual({ ...absent, ref: null });
  });

  it('has one subscription to a call, whatever name it was asked by', () => {
    rig.open();
    const state = call('EL_1', { conversation_id: 'conv_1', last_seq: 3 });
    rig.say({ subscribe: 'EL_1' });
    rig.found(found(state));
    const before = rig.session.subscriptions.get('EL_1');
    rig.say({ subscribe: 'conv_1', since: { epoch: '1.EL_1', seq: 2 } });
    rig.found(found(state));
    expect(rig.did).toEqual(['look_up', 'subscription_confirmed', 'attach', 'look_up', 'detach', 'subscription_confirmed', 'attach']);
    expect(rig.effects[4]).toEqual({ do: 'detach', subscription: before });
    expect([...rig.session.subscriptions.values()].map(({ callSid, cursor }) => [callSid, cursor])).toEqual([['EL_1', 2]]);
  });

  it('judges a position by the log alone, not by what a message told of', () => {
    rig.open();
    rig.say({ subscribe: 'EL_1', since: { epoch: '1.EL_1', seq: 9 } });
    rig.found({ call: call('EL_1', { last_seq: 3 }), known: 1_000 });
    expect(rig.sent).toMatchObject([{ type: 'subscription_confirmed', last_seq: 1_000, recovered: false, reason: 'ahead_of_log' }]);
    expect(rig.session.subscriptions.get('EL_1')?.cursor).toBe(0);
  });

  it('leaves a merged call for its owner when it is asked for again', () => {
    rig.open();
    rig.say({ subscribe: 'EL_dialled' });
    rig.found(found(call('EL_dialled')));
    rig.say({ subscribe: 'EL_dialled', since: { epoch: '1.EL_dialled', seq: 3 } });
    rig.found(found(call('EL_owner', { last_seq: 7 })));
    expect(rig.sent[1]).toMatchObject({ call_sid: 'EL_owner', epoch: '1.EL_owner', recovered: false, reason: 'epoch_changed', ref: 'EL_dialled' });
    expect([...rig.session.subscriptions.keys()]).toEqual(['EL_owner']);
    rig.say({ unsubscribe: 'EL_dialled' });
    expect(rig.sent[2]).toMatchObject({ type: 'unsubscribe_confirmed', call_sid: 'EL_owner' });
  });

  it('lets go of the merged call and of its owner where it had both, and begins with the owner', () => {
    rig.open();
    rig.say({ subscribe: ['EL_dialled', 'EL_owner'] });
    rig.found(found(call('EL_dialled')), found(call('EL_owner')));
    const [dialled, owner] = [...rig.session.subscriptions.values()];
    rig.effects.length = 0;
    rig.say({ subscribe: 'EL_dialled' });
    rig.found(found(call('EL_owner')));
    expect(rig.did).toEqual(['look_up', 'detach', 'detach', 'subscription_confirmed', 'attach']);
    expect(rig.effects.slice(1, 3)).toEqual([
      { do: 'detach', subscription: dialled },
      { do: 'detach', subscription: owner },
    ]);
    expect([...rig.session.subscriptions.values()].map(({ callSid, names }) => [callSid, [...names]])).toEqual([['EL_owner', ['EL_owner', 'EL_dialled']]]);
  });

  it('has at most a hundred subscriptions, and still takes a known one again', () => {
    rig.open();
    const ids = Array.from({ length: 100 }, (_, place) => `EL_${place}`);
    rig.say({ subscribe: ids });
    rig.found(...ids.map((id) => found(call(id))));
    rig.say({ subscribe: ['EL_100', 'EL_5'] });
    rig.found(found(call('EL_100')), found(call('EL_5')));
    expect(rig.sent.slice(100)).toMatchObject([{ type: 'error', code: 'too_many_subscriptions', ref: 'EL_100' }, { type: 'subscription_confirmed', call_sid: 'EL_5' }]);
    rig.say({ subscribe: ['conv_6', 'EL_7'] });
    rig.found(found(call('EL_6', { conversation_id: 'conv_6' })), found(call('EL_owner')));
    expect(rig.sent.slice(102)).toMatchObject([
      { type: 'subscription_confirmed', call_sid: 'EL_6' },
      { type: 'subscription_confirmed', call_sid: 'EL_owner' },
    ]);
    expect(rig.session.subscriptions.size).toBe(100);
  });

  it('watches the board with its filter, and what comes meanwhile waits for the snapshot', () => {
    rig.open();
    rig.say({ watch: 'board', status: 'failed', agent_id: 'a1', driver_id: 'd1', id: 4 });
    rig.say({ unwatch: 'board', id: 5 });
    rig.say({ unwatch: 'board' });
    expect(rig.effects).toEqual([{ do: 'watch', filter: { status: 'failed', agent_id: 'a1', driver_id: 'd1' }, id: 4 }]);
    rig.effects.length = 0;
    rig.do(rig.session.watching(rig.at));
    expect(rig.effects).toEqual([
      { do: 'unwatch' },
      { do: 'send', frame: { type: 'board_unwatched', id: 5 } },
      { do: 'unwatch' },
      { do: 'send', frame: { type: 'board_unwatched' } },
    ]);
  });

  it('tells of a subscribed call that is gone, and feeds it no more', () => {
    rig.open();
    rig.say({ subscribe: 'EL_1' });
    rig.found(found(call('EL_1')));
    const subscription = rig.session.subscriptions.get('EL_1');
    rig.effects.length = 0;
    rig.do(rig.session.callGone('EL_1'));
    expect(rig.effects).toMatchObject([{ do: 'detach', subscription }, { do: 'send', frame: { type: 'error', code: 'call_not_found', ref: 'EL_1' } }]);
    expect(rig.session.subscriptions.size).toBe(0);
  });

  it('answers what it does not understand with an error, and goes on', () => {
    rig.open();
    for (const message of ['{', '[]', 'null', { subscribe: [] }, { nonsense: 1, id: 5 }, { nonsense: 1, id: 'five' }, { nonsense: 1, id: [5] }, { subscribe: 'a', extra: 1 }, { subscribe: 7 }]) rig.say(message);
    rig.say({ unsubscribe: 'EL_1', id: 6 });
    expect(rig.sent.map((frame) => [(frame as { code: string }).code, (frame as { ref: unknown }).ref])).toEqual([
      ['invalid_message', null],
      ['invalid_message', null],
      ['invalid_message', null],
      ['invalid_message', null],
      ['invalid_message', 5],
      ['invalid_message', 'five'],
      ['invalid_message', null],
      ['invalid_message', null],
      ['invalid_message', null],
      ['not_subscribed', 'EL_1'],
    ]);
    expect(rig.sent.map((frame) => 'id' in (frame as object))).toEqual([false, false, false, false, true, true, false, false, false, true]);
    expect(rig.session.phase).toBe('open');
  });

  it('reads a message as deep as any of ours, and none that is deeper', () => {
    const ping = (levels: number): string => `{"ping":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)},"id":1}`;
    rig.open();
    rig.say(ping(JSON_DEPTH_MAX_LEVELS));
    rig.say(ping(JSON_DEPTH_MAX_LEVELS + 1));
    expect(rig.did).toEqual(['pong', 'error invalid_message']);
    expect(rig.sent[1]).not.toHaveProperty('id');
  });

  it('takes a hundred resubscriptions at once, and cuts a flood', () => {
    rig.open();
    for (let n = 0; n < 100; n++) {
      rig.say({ subscribe: `EL_${n}` });
      rig.found(found(call(`EL_${n}`)));
    }
    expect(rig.session.phase).toBe('open');
    for (let n = 100; n < MESSAGE_BUCKET_SIZE; n++) rig.say({ ping: n });
    expect(rig.session.phase).toBe('open');
    rig.say({ ping: 'one more' });
    expect(rig.did.slice(-2)).toEqual(['unwatch', 'close rate_limited']);
  });

  it('counts each entry of an array as a message', () => {
    rig.open();
    const ids = Array.from({ length: 100 }, (_, place) => `EL_${place}`);
    for (let left = MESSAGE_BUCKET_SIZE; left >= 100; left -= 100) {
      rig.say({ subscribe: ids });
      rig.found(...ids.map((id) => found(call(id))));
    }
    expect(rig.session.phase).toBe('open');
    rig.say({ subscribe: ids });
    expect(rig.did.slice(-1)).toEqual(['close rate_limited']);
  });

  it('cuts a flood of protocol pings as one of messages', () => {
    rig.open();
    for (let n = 0; n < MESSAGE_BUCKET_SIZE; n++) rig.do(rig.session.pinged(rig.at));
    expect(rig.did).toEqual([]);
    rig.do(rig.session.pinged(rig.at));
    expect(rig.did).toContain('close rate_limited');
  });

  it('closes on a binary frame', () => {
    rig.open();
    rig.do(rig.session.binary());
    expect(rig.did).toEqual(['error invalid_message', 'unwatch', 'close protocol_violation']);
  });

  it('lets messages wait while the client takes nothing', () => {
    rig.open();
    rig.do(rig.session.hold(true, rig.at));
    rig.say({ ping: 1 });
    expect([rig.did, rig.session.backlogged]).toEqual([[], true]);
    rig.do(rig.session.hold(false, rig.at));
    expect([rig.did, rig.session.backlogged]).toEqual([['pong'], false]);
  });

  describe('and its token', () => {
    it('does not open once the token has ended, though it was good when the checks began', () => {
      const short = { ...ann, expires_at: START / 1000 + 2 };
      rig.do(rig.session.start({ kind: 'token', token: 'x' }));
      rig.do(rig.session.verified(short, rig.at));
      rig.at = { now: rig.at.now + 2_000, mono: rig.at.mono + 2_000 };
      rig.do(rig.session.rights('held', rig.at));
      rig.effects.length = 0;
      rig.do(rig.session.admitted(rig.at));
      expect(rig.did).toEqual(['error token_expired', 'unwatch', 'close token_expired']);
      expect(rig.session.phase).toBe('closed');
    });

    it('is warned once a minute before the end, and ends with it', () => {
      rig.open({ ...ann, local: false });
      rig.later(3_539_000);
      expect(rig.did).toEqual([]);
      rig.later(1_000);
      expect(rig.sent).toEqual([{ type: 'system_message', data: { event: 'token_expiring', expires_at: new Date(START + 3_600_000).toISOString() } }]);
      rig.later(1_000);
      expect(rig.did).toEqual(['token_expiring']);
      rig.later(59_000);
      expect(rig.did).toEqual(['token_expiring', 'error token_expired', 'unwatch', 'close token_expired']);
    });

    it('goes on with a fresh one of the same subject', () => {
      rig.open({ ...ann, local: false });
      rig.later(3_550_000);
      rig.say({ auth: 'fresh', id: 1 });
      expect(rig.effects[1]).toEqual({ do: 'verify', offer: { kind: 'token', token: 'fresh' } });
      rig.say({ ping: 1 });
      rig.do(rig.session.verified({ ...ann, local: false, expires_at: ann.expires_at + 3_600 }, rig.at));
      expect(rig.did).toEqual(['token_expiring', 'verify', 'token_accepted', 'check_rights', 'pong']);
      expect(rig.sent[1]).toEqual({ type: 'system_message', data: { event: 'token_accepted', expires_at: new Date(START + 7_200_000).toISOString(), id: 1 } });
      rig.later(60_000);
      expect(rig.session.phase).toBe('open');
      rig.later(3_540_000 - 60_000);
      expect(rig.did.slice(5)).toEqual([]);
      rig.later(60_000);
      expect(rig.did.slice(5)).toEqual(['token_expiring']);
    });

    it('closes where the fresh one is of somebody who may watch no longer', () => {
      rig.open();
      rig.say({ auth: 'fresh' });
      rig.do(rig.session.verified({ ...ann, roles: [] }, rig.at));
      expect(rig.did).toEqual(['verify', 'error access_revoked', 'unwatch', 'close access_revoked']);
    });

    it.each([
      ['another user', { ...ann, user: 'bob' }],
      ['another tenant', { ...ann, tenant: 't2' }],
    ])('keeps the old one where the fresh one is of %s', (_who, other) => {
      rig.open();
      rig.say({ auth: 'fresh', id: 1 });
      rig.do(rig.session.verified(other, rig.at));
      expect(rig.sent).toMatchObject([{ type: 'error', code: 'different_subject', ref: 1 }]);
      expect(rig.session.user).toBe(ann);
    });

    it('keeps the old one where the fresh one does not verify', () => {
      rig.open();
      rig.say({ auth: 'fresh', id: 1 });
      rig.say({ ping: 2 });
      rig.do(rig.session.refused('token_invalid', rig.at));
      expect(rig.did).toEqual(['verify', 'error token_invalid', 'pong']);
    });
  });

  describe('and its rights', () => {
    it('are asked about every thirty seconds', () => {
      rig.open();
      for (let second = 0; second < 61; second++) rig.later(1_000);
      expect(rig.did.filter((what) => what === 'check_rights')).toHaveLength(2);
    });

    it('are asked about at once where somebody says that they changed', () => {
      rig.open();
      rig.do(rig.session.recheck(rig.at));
      expect(rig.did).toEqual(['check_rights']);
    });

    it('cut it when they were taken away', () => {
      rig.open();
      rig.do(rig.session.rights('revoked', rig.at));
      expect(rig.did).toEqual(['error access_revoked', 'unwatch', 'close access_revoked']);
    });

    it('pause it when they cannot be confirmed for a minute, and let it go on when they can', () => {
      rig.open();
      rig.later(59_000);
      rig.do(rig.session.rights('unknown', rig.at));
      expect(rig.session.paused).toBe(false);
      rig.later(1_000);
      expect([rig.session.paused, rig.did]).toEqual([true, ['check_rights', 'degraded']]);
      expect(rig.sent).toEqual([{ type: 'system_message', data: { event: 'degraded', reason: 'rights_unconfirmed' } }]);
      rig.say({ subscribe: 'EL_1' });
      expect(rig.did).toHaveLength(2);
      rig.do(rig.session.rights('held', rig.at));
      expect(rig.did.slice(2)).toEqual(['restored', 'resume', 'look_up']);
    });

    it('of an outside provider\'s user are good until the token ends', () => {
      rig.open({ ...ann, local: false });
      rig.later(300_000);
      expect([rig.did, rig.session.paused]).toEqual([[], false]);
    });
  });

  it.each([
    ['cut by its client', (session: Session) => session.closed()],
    ['ended by the relay', (session: Session) => session.end('moving', null)],
  ])('subscribes nobody once it was %s, though a look-up is answered after that', (_how, ended) => {
    rig.open();
    rig.say({ subscribe: 'EL_1' });
    rig.do(ended(rig.session));
    rig.effects.length = 0;
    rig.found(found(call('EL_1')));
    expect(rig.did).toEqual([]);
    expect(rig.session.subscriptions.size).toBe(0);
    expect(rig.session.busy).toBe(false);
  });

  it('says why it is ended by the relay, where there is a reason to give', () => {
    rig.open();
    rig.do(rig.session.end('slow_consumer', { type: 'error', code: 'slow_consumer', message: '', retryable: true, ref: null }));
    expect(rig.did).toEqual(['error slow_consumer', 'unwatch', 'close slow_consumer']);
    rig = new Rig();
    rig.open();
    rig.do(rig.session.end('moving', null));
    expect(rig.did).toEqual(['unwatch', 'close moving']);
  });

  it('lets go of everything when it ends', () => {
    rig.open();
    rig.say({ subscribe: 'EL_1' });
    rig.found(found(call('EL_1')));
    rig.effects.length = 0;
    rig.do(rig.session.closed());
    expect(rig.did).toEqual(['detach', 'unwatch']);
    rig.say({ ping: 1 });
    rig.later(100_000);
    expect(rig.did).toHaveLength(2);
  });
});

describe('a position', () => {
  const since = (seq: number, epoch = '1.a'): { epoch: string; seq: number } => ({ epoch, seq });
  it.each([
    ['none given', undefined, { recovered: true, cursor: 0 }],
    ['the start', since(0), { recovered: true, cursor: 0 }],
    ['the middle', since(5), { recovered: true, cursor: 5 }],
    ['the head', since(10), { recovered: true, cursor: 10 }],
    ['past the head', since(11), { recovered: false, cursor: 0, reason: 'ahead_of_log' }],
    ['another epoch', since(5, '2.b'), { recovered: false, cursor: 0, reason: 'epoch_changed' }],
    ['negative', since(-1), { recovered: false, cursor: 0, reason: 'invalid_position' }],
    ['a fraction', since(1.5), { recovered: false, cursor: 0, reason: 'invalid_position' }],
    ['not a number', since(NaN), { recovered: false, cursor: 0, reason: 'invalid_position' }],
    ['past all whole numbers', since(2 ** 53), { recovered: false, cursor: 0, reason: 'invalid_position' }],
  ])('that is %s', (_what, given, judged) => {
    expect(judgePosition(given, '1.a', 10)).toEqual(judged);
  });
});

describe('a bucket', () => {
  it('gives its size at once and then its rate', () => {
    const t = 5_000_000;
    const bucket = createBucket(10, 2, t);
    expect([bucket.take(10, t), bucket.take(1, t), bucket.take(1, t + 499), bucket.take(1, t + 500), bucket.take(1, t + 500), bucket.take(11, 2 * t), bucket.take(10, 2 * t)]).toEqual([true, false, false, true, false, false, true]);
  });
});
