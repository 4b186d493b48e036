import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMPARE_MS, DRAIN_SPREAD_MS, HEARTBEAT_MS, PONG_WAIT_MS, RIGHTS_RECHECK_MS, STORE_ANSWER_MAX_MS } from '../../core/protocol/limits.ts';
import { memoryBus } from '../../ports/event-bus.memory.ts';
import type { EventBus } from '../../ports/event-bus.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { limited, startRelay, tokenOf, userOf, type RelayRig, type TestClient } from '../fixtures/relay.ts';

/** Lets everything that is under way over real sockets and promises happen. */
const settle = (client: TestClient): Promise<unknown> => {
  client.send({ ping: 'settle' });
  return client.next('pong');
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a relay as time passes', () => {
  let runtime: SeededRuntime;
  let rig: RelayRig;
  beforeEach(async () => {
    runtime = seededRuntime(7);
    rig = await startRelay({ runtime, options: { moveAfterMs: 55 * 60_000 } });
  });
  afterEach(async () => {
    await rig.close();
  });
  /** Virtual seconds, one at a time, so that what each brings can be answered. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      runtime.advance(1_000);
      await turn();
    }
  };
  const inSeconds = (seconds: number): number => Math.floor(runtime.now() / 1000) + seconds;
  const events = (client: TestClient): unknown[] => client.frames.filter((frame) => frame['type'] === 'system_message').map((frame) => (frame['data'] as { event: string }).event);

  it('closes who offers no token within five seconds', async () => {
    const client = await rig.client({ protocols: ['earshot.v1'] });
    await pass(4);
    expect(client.frames).toEqual([]);
    await pass(2);
    expect((await client.closed).code).toBe(4501);
    expect(client.frames).toMatchObject([{ type: 'error', code: 'token_missing' }]);
  });

  it('beats every fifteen seconds, with the heads of the session\'s calls and when the log was last looked at', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('transcription');
    await pass(HEARTBEAT_MS / 1000);
    const beat = await client.next((frame) => frame['type'] === 'heartbeat' && Object.keys(frame['heads'] as object).length > 0);
    expect(beat['heads']).toEqual({ EL_1: 1 });
    const lag = Date.parse(String(beat['server_time'])) - Date.parse(String(beat['verified_at']));
    expect(lag).toBeLessThanOrEqual(COMPARE_MS);
    await pass(HEARTBEAT_MS / 1000);
    await client.next('heartbeat');
    expect(client.frames.filter((frame) => frame['type'] === 'heartbeat')).toHaveLength(3);
  });

  it('ends the subscription and the row of a call that was erased, though no message told of it', async () => {
    for (const id of ['EL_1', 'EL_2']) rig.callLog.add(id);
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    client.send({ watch: 'board' });
    await client.next('board_snapshot');
    rig.callLog.erase('EL_1');
    await pass(COMPARE_MS / 1000 + 1);
    expect(await client.next('error')).toMatchObject({ code: 'call_not_found', ref: 'EL_1' });
    expect(await client.next('board_update')).toMatchObject({ rows: [], gone: ['EL_1'] });
  });

  it('finds within five seconds what no message brought, the very last event too', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    rig.callLog.say('EL_1', 'unheard');
    await pass(COMPARE_MS / 1000);
    expect(await client.next('transcription')).toMatchObject({ seq: 1, text: 'unheard' });
  });

  it('does not say that it looked at a log that does not answer, and catches up when it does', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    await pass(COMPARE_MS / 1000);
    rig.callLog.broken = true;
    const events2 = rig.callLog.say('EL_1', 'one', 'two');
    await rig.publish('EL_1', events2.slice(1));
    client.send({ subscribe: 'EL_2', id: 1 });
    expect(await client.next('error')).toMatchObject({ code: 'store_unavailable', retryable: true, ref: 'EL_2', id: 1 });
    await pass(30);
    const beats = client.frames.filter((frame) => frame['type'] === 'heartbeat');
    const last = beats.at(-1);
    expect(Date.parse(String(last?.['server_time'])) - Date.parse(String(last?.['verified_at']))).toBeGreaterThan(15_000);
    expect(last?.['heads']).toEqual({ EL_1: 2 });
    rig.callLog.broken = false;
    await pass(6);
    await client.next((frame) => frame['seq'] === 2);
    expect(client.frames.filter((frame) => frame['seq'] !== undefined).map((frame) => frame['seq'])).toEqual([1, 2]);
  });

  it('goes on after a log that took questions and never answered, and drops answers that come too late', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('transcription');
    let answerLate = (): void => undefined;
    rig.callLog.gate = new Promise((resolve) => (answerLate = resolve));
    const lost = rig.callLog.say('EL_1', 'two', 'three');
    await rig.publish('EL_1', lost.slice(1));
    client.send({ subscribe: 'EL_2', id: 'hangs' });
    client.send({ watch: 'board', id: 'board hangs' });
    await turn();
    await pass(STORE_ANSWER_MAX_MS / 1000 + 1);
    expect(await client.next('error')).toMatchObject({ code: 'store_unavailable', ref: 'EL_2', id: 'hangs' });
    await pass(STORE_ANSWER_MAX_MS / 1000 + 1);
    expect(await client.next('error')).toMatchObject({ code: 'store_unavailable', id: 'board hangs' });
    rig.callLog.gate = Promise.resolve();
    await pass(STORE_ANSWER_MAX_MS / 1000 + COMPARE_MS / 1000);
    await client.next((frame) => frame['seq'] === 3);
    answerLate();
    await pass(HEARTBEAT_MS / 1000 + COMPARE_MS / 1000);
    await settle(client);
    const beat = client.frames.filter((frame) => frame['type'] === 'heartbeat').at(-1);
    expect(Date.parse(String(beat?.['server_time'])) - Date.parse(String(beat?.['verified_at']))).toBeLessThanOrEqual(COMPARE_MS);
    expect(client.frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]))).toEqual([1, 2, 3]);
  });

  it('does not cut a session as silent while the relay itself reads nothing from it', async () => {
    const client = await rig.client();
    await client.next('heartbeat');
    rig.directory.broken = true;
    await pass(65);
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'degraded');
    client.send({ ping: 'waits for the rights' });
    await pass(PONG_WAIT_MS / 1000 + 10);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    rig.directory.broken = false;
    await pass(RIGHTS_RECHECK_MS / 1000 + 1);
    expect(await client.next('pong')).toMatchObject({ ping: 'waits for the rights' });
  });

  it('warns a minute before the token ends, closes at its end, and says nothing after it', async () => {
    const client = await rig.client({ protocols: ['earshot.v1', `bearer.${tokenOf('ann', inSeconds(90))}`] });
    await client.next('heartbeat');
    await pass(29);
    expect(events(client)).toEqual(['connection_established']);
    await pass(2);
    await settle(client);
    expect(events(client)).toEqual(['connection_established', 'token_expiring']);
    await pass(60);
    expect((await client.closed).code).toBe(4503);
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'token_expired' });
  });

  it.each([91, 97, 104])('closes within a second of the end of its token, though no heartbeat is due then: after %i seconds', async (seconds) => {
    const client = await rig.client({ protocols: ['earshot.v1', `bearer.${tokenOf('ann', inSeconds(seconds))}`] });
    await client.next('heartbeat');
    await pass(seconds - 1);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    await pass(2);
    expect((await limited(client.closed, 'the close')).code).toBe(4503);
  });

  it('goes on with a token refreshed in band', async () => {
    const client = await rig.client({ protocols: ['earshot.v1', `bearer.${tokenOf('ann', inSeconds(90))}`] });
    await client.next('heartbeat');
    await pass(40);
    client.send({ auth: tokenOf('ann', inSeconds(600)), id: 'fresh' });
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'token_accepted');
    client.send({ auth: tokenOf('bob', inSeconds(600)) });
    expect(await client.next('error')).toMatchObject({ code: 'different_subject' });
    await pass(60);
    await settle(client);
  });

  const takings: [string, (rig: RelayRig) => void][] = [
    ['is disabled', (r) => r.users.set('ann', userOf('ann', { disabled: true }))],
    ['may not watch any more', (r) => r.users.set('ann', userOf('ann', { roles: [] }))],
    ['belongs to another tenant now', (r) => r.users.set('ann', userOf('ann', { tenant: 't2' }))],
    ['is gone', (r) => r.users.delete('ann')],
    ['has new tokens only', (r) => r.users.set('ann', userOf('ann', { tokens_valid_from: 1_000_001 }))],
    ['signed out', (r) => r.endedSignIns.add('sid-ann')],
  ];
  it.each(takings)('silences within a minute a user who %s', async (_what, take) => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    take(rig);
    await pass(RIGHTS_RECHECK_MS / 1000 + 1);
    expect((await client.closed).code).toBe(4504);
    expect(client.frames.at(-1)).toMatchObject({ type: 'error', code: 'access_revoked' });
    await rig.say('EL_1', 'secret');
    expect(client.texts.join('')).not.toContain('secret');
  });

  it('looks at once when a message says that rights changed, and believes the directory, not the message', async () => {
    const [ann, bob, eve] = [await rig.client(), await rig.client({ user: 'bob' }), await rig.client({ user: 'eve' })];
    await Promise.all([ann.next('heartbeat'), bob.next('heartbeat'), eve.next('heartbeat')]);
    rig.users.set('ann', userOf('ann', { disabled: true }));
    await rig.bus.publish({ kind: 'rights', tenant: 't1', user: null });
    expect((await ann.closed).code).toBe(4504);
    await Promise.all([settle(bob), settle(eve)]);
  });

  it('does not believe what was being read of the directory when a message says that rights changed, who is there and who is just coming in', async () => {
    const ann = await rig.client();
    await ann.next('heartbeat');
    let answer = (): void => undefined;
    rig.directory.gate = new Promise((resolve) => (answer = resolve));
    // Another reason to ask, and the answer is on its way.
    await rig.bus.publish({ kind: 'rights', tenant: 't1', user: 'ann' });
    await settle(ann);
    const late = await rig.client();
    await turn();
    rig.directory.gate = Promise.resolve();
    rig.users.set('ann', userOf('ann', { disabled: true }));
    await rig.bus.publish({ kind: 'rights', tenant: 't1', user: 'ann' });
    answer();
    expect((await ann.closed).code).toBe(4504);
    expect((await late.closed).code).toBe(4504);
    expect(late.frames.map((frame) => frame['code'])).toEqual(['access_revoked']);
  });

  it('does not cut a session with a fresh token for what is found of the old one later', async () => {
    const client = await rig.client();
    await client.next('heartbeat');
    let answer = (): void => undefined;
    rig.directory.gate = new Promise((resolve) => (answer = resolve));
    // A new password: tokens issued before it are void, and the page has signed in again already.
    rig.users.set('ann', userOf('ann', { tokens_valid_from: 1_000_001 }));
    await rig.bus.publish({ kind: 'rights', tenant: 't1', user: 'ann' });
    await settle(client);
    client.send({ auth: tokenOf('ann', inSeconds(600), 1_001) });
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'token_accepted');
    answer();
    await settle(client);
    await pass(RIGHTS_RECHECK_MS / 1000 + 1);
    await settle(client);
  });

  it('pauses a session whose rights cannot be confirmed for a minute, and goes on from its cursor', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    rig.directory.broken = true;
    await pass(55);
    await rig.say('EL_1', 'within the minute');
    await client.next((frame) => frame['seq'] === 1);
    await pass(10);
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'degraded');
    await rig.say('EL_1', 'while paused', 'and more');
    await pass(10);
    expect(client.texts.join('')).not.toContain('while paused');
    rig.directory.broken = false;
    await pass(RIGHTS_RECHECK_MS / 1000);
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'restored');
    await client.next((frame) => frame['seq'] === 3);
    expect(client.frames.filter((frame) => frame['seq'] !== undefined).map((frame) => frame['seq'])).toEqual([1, 2, 3]);
  });

  it('knows a call by the conversation that it got without an event', async () => {
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    expect(await client.next('subscription_confirmed')).toMatchObject({ conversation_id: null });
    rig.callLog.change('EL_1', { conversation_id: 'conv_1' });
    await pass(COMPARE_MS / 1000 + 1);
    client.send({ unsubscribe: 'conv_1' });
    expect(await client.next((frame) => frame['type'] === 'unsubscribe_confirmed' || frame['type'] === 'error')).toMatchObject({ call_sid: 'EL_1', conversation_id: 'conv_1' });
  });

  it('starts a call over for a session that was paused while its log began anew, though it has as many events as before', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one', 'two');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next((frame) => frame['seq'] === 2);
    rig.directory.broken = true;
    await pass(65);
    await client.next((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'degraded');
    rig.callLog.restore('EL_1', '2.new', 1);
    await rig.say('EL_1', 'after the restore');
    await pass(COMPARE_MS / 1000);
    rig.directory.broken = false;
    await pass(RIGHTS_RECHECK_MS / 1000);
    expect(await client.next('subscription_confirmed')).toMatchObject({ epoch: '2.new', recovered: false, reason: 'epoch_changed' });
    await client.next((frame) => frame['text'] === 'after the restore');
    expect(client.frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]))).toEqual([1, 2, 1, 2]);
  });

  it('asks an old session to move before the platform cuts it, and closes it when it does not', async () => {
    const client = await rig.client({ user: 'bot' });
    await client.next('heartbeat');
    const pump = async (minutes: number): Promise<void> => {
      for (let minute = 0; minute < minutes; minute++) {
        await pass(60);
        await settle(client);
      }
    };
    await pump(54);
    expect(events(client)).toEqual(['connection_established']);
    await pump(1);
    await pass(5);
    await settle(client);
    expect(client.frames.find((frame) => (frame['data'] as { event?: string } | undefined)?.event === 'move')).toMatchObject({ data: { within_ms: 60_000 } });
    await pass(61);
    expect((await client.closed).code).toBe(4000);
  });

  it('closes a connection that a new one replaced and that did not leave', async () => {
    const first = await rig.client();
    const { connection_id } = (await first.next('system_message'))['data'] as { connection_id: string };
    const second = await rig.client({ path: `/ws?replaces=${connection_id}` });
    await second.next('heartbeat');
    await pass(61);
    expect((await first.closed).code).toBe(4000);
    await settle(second);
  });

  it('pings while idle, and closes who does not answer for ninety seconds', async () => {
    const client = await rig.client({ socket: { autoPong: false } });
    await client.next('heartbeat');
    await pass(PONG_WAIT_MS / 1000 - 1);
    expect(client.ws.readyState).toBe(client.ws.OPEN);
    await pass(2);
    expect((await client.closed).code).toBe(4001);
  });

  it('drains: refuses new ones, asks all to move in slots, closes each as its slot passes', async () => {
    const clients = await Promise.all(Array.from({ length: 4 }, () => rig.client()));
    await Promise.all(clients.map((client) => client.next('heartbeat')));
    const drained = rig.relay.drain();
    for (const [place, client] of clients.entries()) {
      const move = await client.next('system_message');
      expect(move).toMatchObject({ data: { event: 'move', within_ms: ((place + 1) * DRAIN_SPREAD_MS) / 4 } });
    }
    await expect(rig.client()).rejects.toThrow('503');
    expect((await fetch(`${rig.httpUrl}/ready`)).status).toBe(503);
    for (const client of clients) {
      runtime.advance(DRAIN_SPREAD_MS / 4);
      expect((await client.closed).code).toBe(1012);
    }
    await limited(drained, 'the drain to end');
  });

  it('hears nothing of the bus any more as soon as it drains', async () => {
    await rig.close();
    const bus = memoryBus();
    let closed = 0;
    const counting: EventBus = {
      ...bus,
      subscribe: async (handler) => {
        const subscription = await bus.subscribe(handler);
        return {
          close: () => {
            closed++;
            return subscription.close();
          },
        };
      },
    };
    rig = await startRelay({ runtime, bus: counting });
    const client = await rig.client();
    await client.next('heartbeat');
    const drained = rig.relay.drain();
    expect(closed).toBe(1);
    runtime.advance(DRAIN_SPREAD_MS);
    await client.closed;
    await limited(drained, 'the drain to end');
  });

  it('ends a drain after eight seconds though somebody stays', async () => {
    const client = await rig.client();
    await client.next('heartbeat');
    client.ws.pause();
    const drained = rig.relay.drain();
    await turn();
    runtime.advance(8_000);
    await limited(drained, 'the drain to end');
  });
});
