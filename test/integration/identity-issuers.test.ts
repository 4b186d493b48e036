import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { IssuerSetting } from '../../core/settings.ts';
import type { Identity } from '../../ports/identity.ts';
import { joseIdentity } from '../../ports/identity.jose.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';

const NOW = Math.floor(Date.now() / 1000);
const ISSUER = 'https://id.example.com/';

/** An identity provider's key server: what it answers can be changed, and its requests are counted. */
let server: Server;
let answer: { status: number; body: string; headers?: Record<string, string> };
let requests: string[];
let setting: IssuerSetting;
let identity: Identity;
let key: { publicKey: CryptoKey; privateKey: CryptoKey };

beforeEach(async () => {
  requests = [];
  key = await generateKeyPair('ES256', { extractable: true });
  answer = { status: 200, body: JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), kid: 'k1', use: 'sig' }] }) };
  server = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  setting = { issuer: ISSUER, jwks_url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`, audience: 'earshot-api', tenant_claim: 'https://earshot.example/tenant', roles_claim: 'roles' };
  identity = joseIdentity({ publicKeys: async () => ({ keys: [] }), issuers: [setting], runtime: systemRuntime(), fetch });
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const claims = { iss: ISSUER, aud: 'earshot-api', sub: 'user-7', 'https://earshot.example/tenant': 't1', roles: ['dispatcher', 'operator', 'billing'], sid: 'session-1', preferred_username: 'anna', auth_time: NOW - 100, iat: NOW, exp: NOW + 600 };
const token = (payload: JWTPayload, header: Record<string, unknown> = {}): Promise<string> => new SignJWT(payload).setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header }).sign(key.privateKey);

describe('an outside identity provider', () => {
  it('says who somebody is, by the claims that the settings name, and never makes an operator', async () => {
    expect(await identity.verify(await token(claims))).toEqual({
      user: `${ISSUER}|user-7`,
      username: 'anna',
      tenant: 't1',
      roles: ['dispatcher'],
      sid: `${ISSUER}|session-1`,
      signed_in_at: NOW - 100,
      issued_at: NOW,
      expires_at: NOW + 600,
      local: false,
    });
  });

  it('is asked for its keys once, however many tokens come', async () => {
    await Promise.all(Array.from({ length: 20 }, async (_, index) => identity.verify(await token({ ...claims, jti: String(index) }))));
    expect(requests).toEqual(['/keys']);
  });

  it('may name roles as words, leave out what is not needed, and use one of several algorithms', async () => {
    const bare = { iss: ISSUER, aud: 'earshot-api', sub: 'user-7', 'https://earshot.example/tenant': 't1', exp: NOW + 600 };
    const principal = await identity.verify(await token({ ...bare, roles: 'admin service nobody', email: 'anna@example.com' }));
    expect(principal).toMatchObject({ username: 'anna@example.com', roles: ['admin', 'service'], local: false });
    expect(principal.sid).toMatch(/^[0-9a-f]{64}$/);

    const rsa = await generateKeyPair('RS256');
    answer.body = JSON.stringify({ keys: [await exportJWK(rsa.publicKey)] });
    const another = joseIdentity({ publicKeys: async () => ({ keys: [] }), issuers: [setting], runtime: systemRuntime(), fetch });
    expect((await another.verify(await new SignJWT(claims).setProtectedHeader({ alg: 'RS256' }).sign(rsa.privateKey))).tenant).toBe('t1');
  });

  const bad: readonly (readonly [string, () => Promise<string>])[] = [
    ['an issuer that nobody named', () => token({ ...claims, iss: 'https://other.example.com/' })],
    ['the issuer without its slash', () => token({ ...claims, iss: 'https://id.example.com' })],
    ['another audience', () => token({ ...claims, aud: 'somebody' })],
    ['no tenant', () => token({ ...claims, 'https://earshot.example/tenant': undefined })],
    ['a tenant list', () => token({ ...claims, 'https://earshot.example/tenant': ['t1', 't2'] })],
    ['no subject', () => token({ ...claims, sub: undefined as never })],
    ['no end', () => token({ ...claims, exp: undefined as never })],
    ['an unknown key', () => token(claims, { kid: 'k2' })],
    ['a secret for a key', async () => new SignJWT(claims).setProtectedHeader({ alg: 'HS256', kid: 'k1' }).sign(Buffer.from(answer.body))],
    [
      'a key set of its own',
      async () => {
        const mine = await generateKeyPair('ES256', { extractable: true });
        const jwk = await exportJWK(mine.publicKey);
        return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: await calculateJwkThumbprint(jwk), jwk, jku: setting.jwks_url.replace('/keys', '/mine') }).sign(mine.privateKey);
      },
    ],
    ['our own issuer, signed by theirs', () => token({ ...claims, iss: 'earshot', aud: 'earshot' }, { typ: 'at+jwt' })],
  ];
  it.each(bad)('is refused with %s', async (_name, make) => {
    await expect(identity.verify(await make())).rejects.toMatchObject({ name: 'EarshotError', code: 'token_invalid' });
    expect(requests.every((path) => path === '/keys')).toBe(true);
  });

  it('whose token has ended is told so', async () => {
    await expect(identity.verify(await token({ ...claims, iat: NOW - 700, exp: NOW - 100 }))).rejects.toMatchObject({ code: 'token_expired' });
  });

  const broken: readonly (readonly [string, () => void])[] = [
    ['answers 500', () => void (answer = { ...answer, status: 500 })],
    ['answers something else than JSON', () => void (answer.body = '<html>')],
    ['answers no set', () => void (answer.body = '[]')],
    ['answers a set of a megabyte', () => void (answer.body = JSON.stringify({ keys: [], more: 'x'.repeat(1024 * 1024) }))],
    ['sends us elsewhere', () => void (answer = { status: 302, body: '', headers: { location: '/elsewhere' } })],
    ['is not there', () => void server.close()],
  ];
  it.each(broken)('that %s is our fault to bear, not the token\'s', async (_name, breakIt) => {
    breakIt();
    await expect(identity.verify(await token(claims))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(requests.filter((path) => path !== '/keys')).toEqual([]);
  });
});
