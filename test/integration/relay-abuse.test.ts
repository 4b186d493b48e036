import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeCodeIn, maskedFrame, rawUpgrade } from '../fixtures/raw-socket.ts';
import { startRelay, tokenOf, userOf, type RelayRig } from '../fixtures/relay.ts';

const TEXT = 0x81;
const bearer = { 'sec-websocket-protocol': `earshot.v1, bearer.${tokenOf('ann')}` };

describe('a relay that is abused', () => {
  let rig: RelayRig;
  beforeEach(async () => {
    rig = await startRelay({ options: { maxConnections: 3, maxConnectionsPerUser: 2 } });
  });
  afterEach(async () => {
    await rig.close();
  });

  const refusals: [string, string, Record<string, string | null>, string, number, string][] = [
    ['an unknown path', '/elsewhere', {}, 'GET', 404, 'not_found'],
    ['a path that is none', '//', {}, 'GET', 404, 'not_found'],
    ['an old version', '/ws', { 'sec-websocket-version': '8' }, 'GET', 426, 'upgrade_required'],
    ['another protocol', '/ws', { upgrade: 'h2c' }, 'GET', 426, 'upgrade_required'],
    ['another method', '/ws', {}, 'POST', 426, 'upgrade_required'],
    ['a foreign origin', '/ws', { origin: 'https://evil.example' }, 'GET', 403, 'origin_not_allowed'],
    ['an origin that only begins like an allowed one', '/ws', { origin: 'https://app.example.evil.example' }, 'GET', 403, 'origin_not_allowed'],
    ['the origin of a sandboxed page', '/ws', { origin: 'null' }, 'GET', 403, 'origin_not_allowed'],
  ];
  it.each(refusals)('refuses %s by HTTP', async (_what, path, headers, method, status, code) => {
    const raw = await rawUpgrade(rig.port, path, headers, method);
    expect(raw.head.split('\r\n')[0]).toContain(String(status));
    expect(JSON.parse((await raw.ended).toString())).toMatchObject({ status, code });
    if (status === 426) expect(raw.head.toLowerCase()).toContain('sec-websocket-version: 13');
  });

  it('refuses an upgrade without a key', async () => {
    const raw = await rawUpgrade(rig.port, '/ws', { 'sec-websocket-key': null });
    expect(raw.head).toContain('400');
    await raw.ended;
  });

  it('takes an exact origin, and answers a plain request to a socket path with what it needs', async () => {
    const raw = await rawUpgrade(rig.port, '/ws', { origin: 'https://app.example', ...bearer });
    expect(raw.head).toContain('101');
    raw.socket.destroy();
    const plain = await fetch(`${rig.httpUrl}/ws/calls/transcriptions`);
    expect([plain.status, plain.headers.get('sec-websocket-version'), await plain.json()]).toMatchObject([426, '13', { code: 'upgrade_required' }]);
  });

  it('negotiates no compression, whatever is offered', async () => {
    const raw = await rawUpgrade(rig.port, '/ws', { ...bearer, 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' });
    expect(raw.head).toContain('101');
    expect(raw.head.toLowerCase()).not.toContain('sec-websocket-extensions');
    raw.socket.destroy();
  });

  const faults: [string, Buffer, number][] = [
    ['an unmasked frame', Buffer.from([TEXT, 2, 0x7b, 0x7d]), 1002],
    ['a reserved bit', maskedFrame(TEXT | 0x40, Buffer.from('{}')), 1002],
    ['a reserved opcode', maskedFrame(0x83, Buffer.from('{}')), 1002],
    ['a control frame in pieces', maskedFrame(0x09, Buffer.from('x')), 1002],
    ['text that is not UTF-8', maskedFrame(TEXT, Buffer.from([0xc3, 0x28])), 1007],
    ['a message over 16 KiB', maskedFrame(TEXT, Buffer.alloc(16 * 1024 + 1, 0x20)), 1009],
    ['a message in more than eight pieces', Buffer.concat([maskedFrame(0x01, Buffer.from(' ')), ...Array.from({ length: 20 }, () => maskedFrame(0x00, Buffer.from(' ')))]), 1008],
    ['a binary message', maskedFrame(0x82, Buffer.from('{}')), 4500],
  ];
  it.each(faults)('closes on %s and keeps serving the others', async (_what, bytes, code) => {
    rig.callLog.add('EL_1');
    const other = await rig.client({ user: 'bob' });
    other.send({ subscribe: 'EL_1' });
    await other.next('subscription_confirmed');
    const raw = await rawUpgrade(rig.port, '/ws', bearer);
    raw.socket.write(bytes);
    const sent = await raw.ended;
    expect(closeCodeIn(sent)).toBe(code);
    await rig.say('EL_1', 'still here');
    expect(await other.next('transcription')).toMatchObject({ text: 'still here' });
  });

  it('answers a message nested thousands deep with an error, and goes on', async () => {
    const client = await rig.client();
    const deep = 8_000;
    client.send(`{"ping":${'['.repeat(deep)}${']'.repeat(deep)}}`);
    expect(await client.next('error')).toMatchObject({ code: 'invalid_message' });
    client.send({ ping: 1 });
    expect(await client.next('pong')).toEqual({ type: 'pong', ping: 1 });
  });

  it('closes a flood of messages, and of pings, as rate_limited', async () => {
    for (const flood of [maskedFrame(TEXT, Buffer.from('{"ping":1}')), maskedFrame(0x89, Buffer.alloc(0))]) {
      const raw = await rawUpgrade(rig.port, '/ws', bearer);
      raw.socket.write(Buffer.concat(Array.from({ length: 300 }, () => flood)));
      expect(closeCodeIn(await raw.ended)).toBe(4003);
    }
  });

  it('holds a user to its number of connections, but not one that replaces another', async () => {
    const first = await rig.client();
    const established = (await first.next('system_message'))['data'] as { connection_id: string };
    const second = await rig.client();
    await second.next('system_message');
    const replacing = await rig.client({ path: `/ws?replaces=${established.connection_id}` });
    await replacing.next('system_message');
    replacing.close();
    await replacing.closed;
    // The first was replaced once: it gives no second place away.
    const fourth = await rig.client({ path: `/ws?replaces=${established.connection_id}` });
    expect(await fourth.next('system_message')).toMatchObject({ data: { event: 'connection_established' } });
    second.send({ ping: 1 });
    expect(await second.next('pong')).toBeDefined();
  });

  it('counts polls and sockets each for themselves', async () => {
    const clients = [await rig.client(), await rig.client()];
    for (const client of clients) await client.next('heartbeat');
    const answer = await fetch(`${rig.httpUrl}/poll`, { method: 'POST', headers: { authorization: `Bearer ${tokenOf('ann')}` }, body: JSON.stringify({ calls: [], wait: 0 }) });
    expect([answer.status, ((await answer.json()) as { frames: unknown[] }).frames]).toEqual([200, [expect.objectContaining({ type: 'heartbeat' })]]);
  });

  it('lets a user hold twice its number at most, however each replaces the one before', async () => {
    await rig.close();
    rig = await startRelay({ options: { maxConnections: 50, maxConnectionsPerUser: 2 } });
    let before = '';
    for (let place = 0; place < 4; place++) {
      const client = await rig.client({ path: `/ws?replaces=${before}` });
      before = ((await client.next('system_message'))['data'] as { connection_id: string }).connection_id;
    }
    const fifth = await rig.client({ path: `/ws?replaces=${before}` });
    expect(await fifth.next('error')).toMatchObject({ code: 'too_many_connections' });
  });

  it('says to the user who has too many that it has, and lets a service pass', async () => {
    const [one, two] = await Promise.all([rig.client(), rig.client()]);
    await Promise.all([one.next('system_message'), two.next('system_message')]);
    const third = await rig.client();
    expect(await third.next('error')).toMatchObject({ code: 'too_many_connections' });
    expect((await third.closed).code).toBe(4505);
    for (const client of [one, two]) client.close();
    await Promise.all([one.closed, two.closed]);
    const bots = [await rig.client({ user: 'bot' }), await rig.client({ user: 'bot' }), await rig.client({ user: 'bot' })];
    for (const bot of bots) expect(await bot.next('system_message')).toMatchObject({ data: { user: 'bot' } });
  });

  it('refuses by 503 what it has no room for, and takes it when somebody left', async () => {
    const clients = [await rig.client({ user: 'bot' }), await rig.client({ user: 'bot' }), await rig.client({ user: 'bot' })];
    const raw = await rawUpgrade(rig.port, '/ws', bearer);
    expect(raw.head).toMatch(/503[^]*retry-after: 1/i);
    expect(JSON.parse((await raw.ended).toString())).toMatchObject({ code: 'relay_full' });
    const [leaving] = clients;
    leaving?.close();
    await leaving?.closed;
    const client = await rig.client();
    expect(await client.next('system_message')).toMatchObject({ data: { user: 'ann' } });
  });

  it('survives clients that vanish at any moment', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from([TEXT]), maskedFrame(TEXT, Buffer.from('{"subscribe":"EL_1"}')).subarray(0, 9)]) {
      const raw = await rawUpgrade(rig.port, '/ws', bearer);
      raw.socket.write(bytes);
      raw.socket.resetAndDestroy();
    }
    const client = await rig.client();
    expect(await client.next('heartbeat')).toBeDefined();
  });

  it('answers /health and /ready without a token, and /metrics only to those who may read them', async () => {
    expect(await (await fetch(`${rig.httpUrl}/health`)).json()).toMatchObject({ status: 'ok', version: 'test', checks: { call_log: 'ok', directory: 'ok', relay: 'ok' } });
    rig.callLog.broken = true;
    expect(await (await fetch(`${rig.httpUrl}/health`)).json()).toMatchObject({ status: 'unavailable', checks: { call_log: 'failed' } });
    expect((await fetch(`${rig.httpUrl}/ready`)).status).toBe(200);
    const metrics = async (user: string | null): Promise<number> =>
      (await fetch(`${rig.httpUrl}/metrics`, user === null ? {} : { headers: { authorization: `Bearer ${tokenOf(user)}` } })).status;
    rig.users.set('old', userOf('old', { roles: ['admin'], disabled: true }));
    expect([await metrics(null), await metrics('ann'), await metrics('root'), await metrics('bot'), await metrics('op'), await metrics('old')]).toEqual([401, 403, 200, 200, 200, 403]);
    rig.endedSignIns.add('sid-root');
    expect(await metrics('root')).toBe(401);
    rig.directory.broken = true;
    expect(await metrics('bot')).toBe(503);
    expect((await fetch(`${rig.httpUrl}/nothing`)).status).toBe(404);
  });
});
