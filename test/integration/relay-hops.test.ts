import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HopsAnswer } from '../../core/protocol/rest.ts';
import { startRelay, tokenOf, userOf, type RelayRig, type TestClient } from '../fixtures/relay.ts';

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

describe('the hops of a call in a relay', () => {
  let rig: RelayRig;
  beforeEach(async () => {
    rig = await startRelay();
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
  });
  afterEach(async () => {
    await rig.close();
  });

  const ask = async (id: string, token: string | null = tokenOf('root'), method = 'GET'): Promise<{ status: number; code: unknown; body: unknown }> => {
    const answer = await fetch(`${rig.httpUrl}/hops/${id}`, { method, headers: token === null ? {} : { authorization: `Bearer ${token}` } });
    const body = JSON.parse(await answer.text()) as Record<string, unknown>;
    return { status: answer.status, code: body['code'], body };
  };
  const hops = async (id = 'EL_1'): Promise<HopsAnswer> => HopsAnswer.parse((await ask(id)).body);
  const watching = async (): Promise<TestClient> => {
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    return client;
  };
  /** As a function publishes what it has committed for a request. */
  const published = async (words: string[], more: { trace?: string; received_at?: number } = {}, at = Date.now()): Promise<void> => {
    const events = rig.callLog.say('EL_1', ...words);
    await rig.bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: events[0]?.seq ?? 0, texts: events.map(({ text }) => text), at, ...more });
  };
  const iso = (ms: number): string => new Date(ms).toISOString();

  it('tell of each event when it was received, committed, heard of and written, and the trace that it comes of', async () => {
    rig.callLog.say('EL_1', 'before anybody watched');
    const client = await watching();
    const before = Date.now();
    await published(['one', 'two'], { trace: TRACEPARENT, received_at: 1_760_000_000_000 }, 1_760_000_000_005);
    await client.next((frame) => frame['seq'] === 3);
    const answer = await hops('conv_1');
    expect(answer).toMatchObject({ call_sid: 'EL_1', epoch: '1.EL_1', relay: expect.stringMatching(/^relay_[\da-f]{8}$/) as string });
    expect(answer.hops).toEqual(
      [2, 3].map((seq) => ({ seq, by: 'bus', trace: TRACEPARENT, received_at: iso(1_760_000_000_000), committed_at: iso(1_760_000_000_005), heard_at: expect.any(String) as string, written_at: expect.any(String) as string })),
    );
    for (const { heard_at, written_at } of answer.hops) {
      expect(Date.parse(heard_at)).toBeGreaterThanOrEqual(before);
      expect(Date.parse(written_at ?? '')).toBeGreaterThanOrEqual(Date.parse(heard_at));
      expect(Date.parse(written_at ?? '')).toBeLessThanOrEqual(Date.now());
    }
    expect(JSON.stringify(answer)).not.toContain('one');
  });

  it('are those of older publishers as well, which tell of no trace, and pass over what is no trace and no time', async () => {
    const client = await watching();
    await published(['one']);
    await published(['two'], { trace: '<script>', received_at: Number.NaN }, Number.MAX_VALUE);
    await client.next((frame) => frame['seq'] === 2);
    expect((await hops()).hops).toMatchObject([
      { seq: 1, trace: null, received_at: null, committed_at: expect.any(String) as string },
      { seq: 2, trace: null, received_at: null, committed_at: null },
    ]);
  });

  it('say which events the bus did not bring', async () => {
    const client = await watching();
    rig.callLog.say('EL_1', 'lost on the way');
    await published(['one'], { trace: TRACEPARENT });
    await client.next((frame) => frame['seq'] === 2);
    expect((await hops()).hops).toMatchObject([
      { seq: 1, by: 'log', trace: null, committed_at: null, written_at: expect.any(String) as string },
      { seq: 2, by: 'bus', trace: TRACEPARENT, written_at: expect.any(String) as string },
    ]);
  });

  it('are known when nobody watches any more, and go on when somebody comes back', async () => {
    const client = await watching();
    await published(['one']);
    await client.next((frame) => frame['seq'] === 1);
    client.close();
    await client.closed;
    expect((await hops()).hops.map(({ seq }) => seq)).toEqual([1]);
    const back = await watching();
    await published(['two']);
    await back.next((frame) => frame['seq'] === 2);
    expect((await hops()).hops.map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('are empty for a call that nobody watched here', async () => {
    await published(['one']);
    expect((await hops()).hops).toEqual([]);
  });

  it.each([
    ['an admin', 'root', 200, undefined],
    ['a service', 'bot', 200, undefined],
    ['an operator', 'op', 200, undefined],
    ['a dispatcher', 'ann', 403, 'forbidden'],
    ["another tenant's admin", 'ida', 404, 'call_not_found'],
    ['an admin who was disabled', 'old', 403, 'access_revoked'],
  ])('are answered to %s: %s %i', async (_, user, status, code) => {
    rig.users.set('ida', userOf('ida', { tenant: 't2', roles: ['admin'] }));
    rig.users.set('old', userOf('old', { roles: ['admin'], disabled: true }));
    expect(await ask('EL_1', tokenOf(user))).toMatchObject({ status, code });
  });

  it('are answered to nobody without a good token, and to nobody whose sign-in has ended', async () => {
    expect(await ask('EL_1', null)).toMatchObject({ status: 401, code: 'token_missing' });
    expect(await ask('EL_1', 'bad.root.4000000000.1000')).toMatchObject({ status: 401, code: 'token_invalid' });
    rig.endedSignIns.add('sid-root');
    expect(await ask('EL_1')).toMatchObject({ status: 401, code: 'sign_in_ended' });
  });

  it.each([
    ['EL_none', 'GET', 404, 'call_not_found'],
    ['x'.repeat(400), 'GET', 404, 'call_not_found'],
    ['EL_1', 'POST', 405, 'method_not_allowed'],
  ])('of %s by %s: %i', async (id, method, status, code) => {
    expect(await ask(id, tokenOf('root'), method)).toMatchObject({ status, code });
  });

  it('are 503 while the directory does not answer', async () => {
    rig.directory.broken = true;
    expect(await ask('EL_1')).toMatchObject({ status: 503, code: 'store_unavailable' });
  });
});
