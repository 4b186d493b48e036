import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { BusMessage } from '../../ports/event-bus.ts';
import { PASSWORD, startApi, userOf, type ApiUnderTest } from '../fixtures/api-under-test.ts';

let api: ApiUnderTest;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const login = (username: string, password: string) => api.json(null, 'POST', '/auth/login', { username, password });
const withToken = (token: string) => ({ authorization: `Bearer ${token}` });
const callsBy = async (token: string): Promise<unknown> => {
  const { status, body } = await api.json(null, 'GET', '/calls', undefined, withToken(token));
  return status === 200 ? 200 : body['code'];
};

describe('signing in', () => {
  it('gives a token for an hour that opens the API', async () => {
    const { status, body } = await login('anna', PASSWORD);
    expect([status, Object.keys(body), body['token_type'], body['expires_in']]).toEqual([200, ['access_token', 'token_type', 'expires_in'], 'Bearer', 3600]);
    expect(await callsBy(String(body['access_token']))).toBe(200);
    expect(await api.parts.identity.verify(String(body['access_token']))).toMatchObject({ user: 'user-anna', username: 'anna', tenant: 't1', roles: ['dispatcher'] });
  });

  it('answers the same whether nobody has the name, the password is wrong or the user is disabled', async () => {
    await api.parts.directory.putUser({ ...userOf('sam'), disabled: true });
    const answers = await Promise.all([login('nobody', PASSWORD), login('anna', 'wrong'), login('sam', PASSWORD)]);
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, body: { code: 'credentials_invalid', retryable: false } });
  });

  it.each([['anna'], ['nobody']])('as %s rests after five failures, whoever asks from wherever, and then goes on', async (name) => {
    for (let index = 0; index < 5; index++) expect((await login(name, `wrong ${index}`)).body['code']).toBe('credentials_invalid');
    const refused = await api.ask(null, 'POST', '/auth/login', { username: name, password: PASSWORD }, { 'x-forwarded-for': '203.0.113.9' });
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([429, 'too_many_attempts']);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(2);
    expect((await login('theo', PASSWORD)).status).toBe(200);
    api.move(2_000);
    expect((await login(name, PASSWORD)).status).toBe(name === 'anna' ? 200 : 401);
    expect((await api.parts.directory.userByName('anna'))?.failed_sign_ins).toBe(0);
  });

  it('lets brute force have a handful of tries, however many come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => login('anna', `guess ${index}`)));
    const tried = answers.filter((answer) => answer.body['code'] === 'credentials_invalid').length;
    expect(tried).toBeLessThanOrEqual(8);
    expect(answers.filter((answer) => answer.body['code'] === 'too_many_attempts').length).toBe(60 - tried);
  });

  it('works for two hundred at once', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => login('anna', PASSWORD)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
  });

  it.each([
    [{ username: 'anna' }],
    [{ username: 'anna', password: '' }],
    [{ username: 'anna', password: 5 }],
    [{ username: 'anna', password: 'x', extra: 1 }],
    [[]],
    [null],
  ])('refuses the body %j', async (body) => {
    expect(await api.json(null, 'POST', '/auth/login', body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it('leaves no password, token or name of a try in the log or an error', async () => {
    await login('anna', 'canary-password');
    await login('canary-name', PASSWORD);
    await api.json(null, 'POST', '/auth/login', { username: 'anna', password: 'x', 'canary field': 'canary-value' });
    const { body } = await login('anna', PASSWORD);
    await callsBy(`${String(body['access_token'])}x`);
    expect(JSON.stringify(api.logged())).not.toMatch(/canary|eyJ/);
  });

  it('is 503 while the store is down', async () => {
    const down = await startApi({ parts: { directory: { ...api.parts.directory, userByName: () => Promise.reject(new EarshotError('store_unavailable')), signInEnded: () => Promise.reject(new EarshotError('store_unavailable')) } } });
    try {
      expect(await down.json(null, 'POST', '/auth/login', { username: 'anna', password: PASSWORD })).toMatchObject({ status: 503, body: { code: 'store_unavailable', retryable: true } });
      expect(await down.json('anna', 'GET', '/calls')).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
    } finally {
      await down.close();
    }
  });
});

describe('a token', () => {
  it.each([
    ['none', {}, 'token_missing'],
    ['an empty header', { authorization: '' }, 'token_missing'],
    ['another scheme', { authorization: 'Basic YTpi' }, 'token_invalid'],
    ['no token after the scheme', { authorization: 'Bearer' }, 'token_invalid'],
    ['words', { authorization: 'Bearer not a token' }, 'token_invalid'],
    ['a forged one', { authorization: 'Bearer e30.e30.e30' }, 'token_invalid'],
  ])('that is %s is refused with 401 and how to do it', async (_name, headers, code) => {
    const response = await api.ask(null, 'GET', '/calls', undefined, headers);
    expect([response.status, ((await response.json()) as { code: string }).code, response.headers.get('www-authenticate')]).toEqual([401, code, 'Bearer']);
  });

  it('is renewed within the sign-in and not past it', async () => {
    const first = String((await login('anna', PASSWORD)).body['access_token']);
    let token = first;
    for (let hour = 1; hour <= 11; hour++) {
      api.move(3_500_000);
      const { status, body } = await api.json(null, 'POST', '/auth/refresh', undefined, withToken(token));
      expect([hour, status]).toEqual([hour, 200]);
      token = String(body['access_token']);
    }
    expect((await api.parts.identity.verify(token)).sid).toBe((await signInOf(first)).sid);
    api.move(3_500_000);
    const last = await api.json(null, 'POST', '/auth/refresh', undefined, withToken(token));
    expect(last.status).toBe(200);
    expect(last.body['expires_in']).toBeLessThanOrEqual(1_200);
    api.move(1_200_000);
    expect(await api.json(null, 'POST', '/auth/refresh', undefined, withToken(String(last.body['access_token'])))).toMatchObject({ status: 401, body: { code: 'token_expired' } });
  });
  const signInOf = async (token: string): Promise<{ sid: string }> => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sid: string };

  it('ends with the sign-in for all tokens of it, and tells the relays', async () => {
    const heard: BusMessage[] = [];
    await api.parts.bus.subscribe((message) => heard.push(message));
    const first = String((await login('anna', PASSWORD)).body['access_token']);
    const second = String((await api.json(null, 'POST', '/auth/refresh', undefined, withToken(first))).body['access_token']);
    const other = String((await login('anna', PASSWORD)).body['access_token']);
    expect((await api.ask(null, 'POST', '/auth/logout', undefined, withToken(first))).status).toBe(204);
    expect([await callsBy(first), await callsBy(second), await callsBy(other)]).toEqual(['sign_in_ended', 'sign_in_ended', 200]);
    expect(heard).toEqual([{ kind: 'rights', tenant: 't1', user: 'user-anna' }]);
  });

  it('is worth what the directory says now', async () => {
    const token = await api.token('adam');
    const erase = async (): Promise<number> => (await api.ask(null, 'DELETE', '/calls/EL_none', undefined, withToken(token))).status;
    expect(await erase()).toBe(404);
    await api.parts.directory.changeUser('user-adam', (user) => ({ ...user, roles: ['dispatcher'] }));
    expect(await erase()).toBe(403);
    expect(await callsBy(token)).toBe(200);
    await api.parts.directory.changeUser('user-adam', (user) => ({ ...user, tokens_valid_from: Date.now() + 1_000 }));
    expect(await callsBy(token)).toBe('sign_in_ended');
    await api.parts.directory.changeUser('user-adam', (user) => ({ ...user, tokens_valid_from: 0, disabled: true }));
    expect(await callsBy(token)).toBe('access_revoked');
  });

  it('of an outside provider is not renewed here', async () => {
    const outside = await startApi({ parts: { identity: { verify: async () => ({ user: 'https://id.example.com|7', username: 'x', tenant: 't1', roles: ['dispatcher'], sid: 's', signed_in_at: 1, issued_at: 1, expires_at: 2_000_000_000, local: false }) } } });
    try {
      const headers = withToken('theirs');
      expect((await outside.ask(null, 'GET', '/calls', undefined, headers)).status).toBe(200);
      expect(await outside.json(null, 'POST', '/auth/refresh', undefined, headers)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
      expect((await outside.ask(null, 'POST', '/auth/logout', undefined, headers)).status).toBe(204);
      expect(await outside.json(null, 'GET', '/calls', undefined, headers)).toMatchObject({ status: 401, body: { code: 'sign_in_ended' } });
    } finally {
      await outside.close();
    }
  });
});

describe('a ticket', () => {
  it('stands for the token that bought it, once, for half a minute', async () => {
    const { status, body } = await api.json('anna', 'POST', '/auth/ticket');
    expect([status, body['expires_in'], String(body['ticket'])]).toEqual([200, 30, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    const hash = api.parts.runtime.sha256(String(body['ticket']));
    const taken = await api.parts.directory.takeTicket(hash, api.parts.runtime.now());
    expect(JSON.parse(taken?.principal ?? '{}')).toMatchObject({ user: 'user-anna', tenant: 't1', roles: ['dispatcher'], sid: 'sid-anna', local: true });
    expect(await api.parts.directory.takeTicket(hash, api.parts.runtime.now())).toBeNull();
    const second = String((await api.json('anna', 'POST', '/auth/ticket')).body['ticket']);
    expect(await api.parts.directory.takeTicket(api.parts.runtime.sha256(second), api.parts.runtime.now() + 30_000)).toBeNull();
  });

  it('is no token, and a token no ticket', async () => {
    const ticket = String((await api.json('anna', 'POST', '/auth/ticket')).body['ticket']);
    expect(await callsBy(ticket)).toBe('token_invalid');
    expect(await api.parts.directory.takeTicket(api.parts.runtime.sha256(await api.token('anna')), 0)).toBeNull();
  });
});

describe('the public keys', () => {
  it('are there for everybody, may be kept for five minutes, and hold nothing private', async () => {
    const response = await api.ask(null, 'GET', '/.well-known/jwks.json');
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=300']);
    expect(await response.json()).toEqual({ keys: [{ kty: 'OKP', crv: 'Ed25519', x: expect.any(String) as string, kid: expect.any(String) as string, alg: 'EdDSA', use: 'sig' }] });
  });
});

describe('the simulated sign-in', () => {
  it('is not there without its key', async () => {
    expect(await api.json(null, 'POST', '/auth/simulate', { username: 'anna', key: 'x' })).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('takes a user of the directory and the key, and nothing else', async () => {
    const open = await startApi({ settings: { e2eAuthKey: 'the-key-of-tests' } });
    try {
      const simulate = (body: unknown) => open.json(null, 'POST', '/auth/simulate', body);
      const { status, body } = await simulate({ username: 'anna', key: 'the-key-of-tests' });
      expect(status).toBe(200);
      expect(await open.parts.identity.verify(String(body['access_token']))).toMatchObject({ user: 'user-anna', roles: ['dispatcher'] });
      await open.parts.directory.putUser({ ...userOf('sam'), disabled: true });
      for (const wrong of [{ username: 'anna', key: 'the-key-of-test' }, { username: 'nobody', key: 'the-key-of-tests' }, { username: 'sam', key: 'the-key-of-tests' }]) {
        expect(await simulate(wrong)).toMatchObject({ status: 401, body: { code: 'credentials_invalid' } });
      }
      expect((await simulate({ username: 'anna', key: 'the-key-of-tests', roles: ['admin'] })).status).toBe(400);
    } finally {
      await open.close();
    }
  });
});
