import { generateKeyPairSync, sign as signBytes, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { base64url, CompactEncrypt, SignJWT } from 'jose';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Identity, TokenIssuer } from '../../ports/identity.ts';
import { joseIdentity, joseIssuer, loadOrCreateSigningKey } from '../../ports/identity.jose.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';

const START_MS = 1_795_000_000_000;
const START = START_MS / 1000;
const noFetch = (): Promise<Response> => Promise.reject(new Error('nothing to fetch'));

/** The real hashes with a clock that stands where it is put. */
const clockAt = (ms: number): Runtime & { move(by: number): void } => {
  let passed = 0;
  return { ...systemRuntime(), now: () => ms + passed, monotonic: () => passed, move: (by) => void (passed += by) };
};

const pair = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const signingKey = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const anna = { user: 'u1', username: 'anna', tenant: 't1', roles: ['dispatcher'], sid: 's1', signed_in_at: START - 60 } as const;

const parts = (runtime: Runtime): { issuer: TokenIssuer; identity: Identity } => {
  const issuer = joseIssuer({ signingKey, publicKeys: null, runtime });
  return { issuer, identity: joseIdentity({ publicKeys: () => issuer.publicKeys(), issuers: [], runtime, fetch: noFetch }) };
};

describe('access tokens of our own', () => {
  it('say who it is, for one hour', async () => {
    const runtime = clockAt(START_MS);
    const { issuer, identity } = parts(runtime);
    const { token, expires_in } = await issuer.issue(anna);
    expect(expires_in).toBe(3600);
    expect(await identity.verify(token)).toEqual({ ...anna, issued_at: START, expires_at: START + 3600, local: true });
    const [head = ''] = token.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: expect.any(String) as string });
  });

  it('end at their second, also where they were verified before', async () => {
    const runtime = clockAt(START_MS);
    const { issuer, identity } = parts(runtime);
    const { token } = await issuer.issue(anna);
    runtime.move(3_599_999);
    expect((await identity.verify(token)).user).toBe('u1');
    runtime.move(1);
    await expect(identity.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
    await expect(parts(runtime).identity.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
  });

  it('end with the sign-in, and are not issued after it', async () => {
    const runtime = clockAt(START_MS);
    const { issuer } = parts(runtime);
    expect((await issuer.issue({ ...anna, signed_in_at: START - 12 * 3600 + 10 })).expires_in).toBe(10);
    await expect(issuer.issue({ ...anna, signed_in_at: START - 12 * 3600 })).rejects.toMatchObject({ code: 'sign_in_ended' });
  });

  it('are not issued where there is no signing key', async () => {
    const runtime = clockAt(START_MS);
    const set = JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] });
    const issuer = joseIssuer({ signingKey: null, publicKeys: set, runtime });
    await expect(issuer.issue(anna)).rejects.toMatchObject({ code: 'secret_unavailable' });
    const identity = joseIdentity({ publicKeys: () => issuer.publicKeys(), issuers: [], runtime, fetch: noFetch });
    expect((await identity.verify((await parts(runtime).issuer.issue(anna)).token)).user).toBe('u1');
  });

  it('publish nothing private', async () => {
    const runtime = clockAt(START_MS);
    const leaking = JSON.stringify({ keys: [other.privateKey.export({ format: 'jwk' })] });
    const { keys } = await joseIssuer({ signingKey, publicKeys: leaking, runtime }).publicKeys();
    expect(keys.map((key) => Object.keys(key).sort())).toEqual([
      ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
      ['alg', 'crv', 'kid', 'kty', 'use', 'x'],
    ]);
  });

  it('verify with the old key and the new one during a change of keys, and no longer once the old one is gone', async () => {
    const runtime = clockAt(START_MS);
    const old = joseIssuer({ signingKey, publicKeys: null, runtime });
    const next = joseIssuer({ signingKey: other.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), publicKeys: null, runtime });
    const sets = [old, next];
    const identity = joseIdentity({ publicKeys: async () => ({ keys: (await Promise.all(sets.map((each) => each.publicKeys()))).flatMap((set) => set.keys) }), issuers: [], runtime, fetch: noFetch });
    const token = (await old.issue(anna)).token;
    expect((await identity.verify(token)).user).toBe('u1');
    expect((await identity.verify((await next.issue(anna)).token)).user).toBe('u1');
    sets.shift();
    expect((await identity.verify(token)).user).toBe('u1');
    runtime.move(5 * 60_000);
    await expect(identity.verify(token)).rejects.toMatchObject({ code: 'token_invalid' });
  });

  it('pass for nobody else when they come again: one that differs from a verified one in anything is verified on its own', async () => {
    const runtime = clockAt(START_MS);
    const { issuer, identity } = parts(runtime);
    const tokens = [(await issuer.issue(anna)).token, (await issuer.issue({ ...anna, user: 'u2', sid: 's2' })).token] as const;
    const users = async (): Promise<string[]> => Promise.all(tokens.map(async (token) => (await identity.verify(token)).user));
    expect([await users(), await users()]).toEqual([['u1', 'u2'], ['u1', 'u2']]);
    const [[head, body, signature], [, otherBody, otherSignature]] = tokens.map((token) => token.split('.')) as [string[], string[]];
    const forged = [[head, otherBody, signature], [head, body, otherSignature], [head, body, ''], [head, body, signature, '']].map((made) => made.join('.'));
    for (const token of [...forged, `${tokens[0]} `, tokens[0].slice(0, -1)]) await expect(identity.verify(token)).rejects.toMatchObject({ code: 'token_invalid' });
  });

  it('that were verified with a key that is gone do not pass, however often they passed, and pass again when it is back', async () => {
    const runtime = clockAt(START_MS);
    const old = joseIssuer({ signingKey, publicKeys: null, runtime });
    const next = joseIssuer({ signingKey: other.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), publicKeys: null, runtime });
    let current = old;
    const identity = joseIdentity({ publicKeys: () => current.publicKeys(), issuers: [], runtime, fetch: noFetch });
    const { token } = await old.issue(anna);
    for (let times = 0; times < 3; times++) expect((await identity.verify(token)).user).toBe('u1');
    current = next;
    runtime.move(5 * 60_000);
    for (let times = 0; times < 3; times++) await expect(identity.verify(token)).rejects.toMatchObject({ code: 'token_invalid' });
    current = old;
    runtime.move(5 * 60_000);
    expect((await identity.verify(token)).user).toBe('u1');
  });

  it('with a key that is new to us make us look again, but not more often than every half minute', async () => {
    const runtime = clockAt(START_MS);
    const old = joseIssuer({ signingKey, publicKeys: null, runtime });
    const next = joseIssuer({ signingKey: other.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(), publicKeys: null, runtime });
    let current = old;
    let reads = 0;
    const identity = joseIdentity({ publicKeys: async () => (reads++, current.publicKeys()), issuers: [], runtime, fetch: noFetch });
    await identity.verify((await old.issue(anna)).token);
    current = next;
    const token = (await next.issue(anna)).token;
    for (let i = 0; i < 20; i++) await expect(identity.verify(token)).rejects.toMatchObject({ code: 'token_invalid' });
    expect(reads).toBe(1);
    runtime.move(30_000);
    expect((await identity.verify(token)).user).toBe('u1');
    expect(reads).toBe(2);
  });

  it('are refused with store_unavailable, not as bad, while keys cannot be read; the last keys stay good for an hour', async () => {
    const runtime = clockAt(START_MS);
    const { issuer } = parts(runtime);
    let down = true;
    const identity = joseIdentity({ publicKeys: () => (down ? Promise.reject(new Error('down')) : issuer.publicKeys()), issuers: [], runtime, fetch: noFetch });
    const token = (await issuer.issue(anna)).token;
    await expect(identity.verify(token)).rejects.toMatchObject({ code: 'store_unavailable' });
    down = false;
    expect((await identity.verify(token)).user).toBe('u1');
    down = true;
    runtime.move(59 * 60_000);
    expect((await identity.verify(token)).user).toBe('u1');
    const later = (await issuer.issue(anna)).token;
    runtime.move(60_000);
    await expect(identity.verify(later)).rejects.toMatchObject({ code: 'store_unavailable' });
  });
});

describe('bad tokens', () => {
  const runtime = clockAt(START_MS);
  const { identity, issuer } = parts(runtime);
  let kid = '';
  let good = '';
  beforeAll(async () => {
    good = (await issuer.issue(anna)).token;
    kid = (JSON.parse(Buffer.from(good.split('.')[0] ?? '', 'base64url').toString()) as { kid: string }).kid;
  });

  const claims = { iss: 'earshot', aud: 'earshot', sub: 'u1', tenant: 't1', roles: ['admin'], sid: 's1', jti: 'j1', username: 'anna', auth_time: START, iat: START, exp: START + 3600 };
  const encoded = (value: unknown): string => base64url.encode(JSON.stringify(value));
  /** Signed by us over whatever header and claims are given: only what they say is wrong. */
  const forge = (header: Record<string, unknown>, payload: unknown, key: KeyObject = pair.privateKey): string => {
    const input = `${encoded({ alg: 'EdDSA', typ: 'at+jwt', kid, ...header })}.${encoded(payload)}`;
    return `${input}.${signBytes(null, Buffer.from(input), key).toString('base64url')}`;
  };
  const without = (name: keyof typeof claims): unknown => Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));

  const table: readonly (readonly [string, () => string | Promise<string>])[] = [
    ['nothing', () => ''],
    ['one word', () => 'token'],
    ['two parts', () => good.split('.').slice(0, 2).join('.')],
    ['four parts', () => `${good}.x`],
    ['an empty signature', () => good.replace(/[^.]*$/, '')],
    ['a space before', () => ` ${good}`],
    ['a line end after', () => `${good}\n`],
    ['padding after', () => `${good}==`],
    ['bits after the signature', () => good.slice(0, -1) + (good.endsWith('A') ? 'B' : String.fromCharCode(good.charCodeAt(good.length - 1) + 1))],
    ['a scheme before', () => `Bearer ${good}`],
    ['a header that is no JSON', () => `${base64url.encode('{')}.${good.split('.').slice(1).join('.')}`],
    ['a header that is a list', () => `${base64url.encode('[]')}.${good.split('.').slice(1).join('.')}`],
    ['claims that are no object', () => forge({}, 'claims')],
    ['claims that are null', () => forge({}, null)],
    ...['none', 'None', 'NONE', 'nOnE', ''].map((alg) => [`alg "${alg}"`, () => `${encoded({ alg, typ: 'at+jwt', kid })}.${encoded(claims)}.`] as const),
    ['alg none with a signature', () => forge({ alg: 'none' }, claims)],
    ['no alg', () => forge({ alg: undefined }, claims)],
    ['an alg of another spelling', () => forge({ alg: 'eddsa' }, claims)],
    ...['HS256', 'HS384', 'HS512'].map(
      (alg) =>
        [
          `${alg} with the public key as secret`,
          async () => new SignJWT(claims).setProtectedHeader({ alg, typ: 'at+jwt', kid }).sign(Buffer.from(pair.publicKey.export({ format: 'pem', type: 'spki' }).toString().padEnd(64))),
        ] as const,
    ),
    ['RS256 with its own key', async () => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid }).sign(rsa.privateKey)],
    ['a key that is not ours', () => forge({}, claims, other.privateKey)],
    ['a key of its own in the header', () => forge({ jwk: other.publicKey.export({ format: 'jwk' }), kid: undefined }, claims, other.privateKey)],
    ['a key set of its own', () => forge({ jku: 'https://keys.example.com/set', kid: 'theirs' }, claims, other.privateKey)],
    ['a certificate of its own', () => forge({ x5u: 'https://keys.example.com/cert', x5c: ['MIIB'] }, claims, other.privateKey)],
    ['a kid that is a path', () => forge({ kid: '../../dev/null' }, claims, other.privateKey)],
    ['a kid that is SQL', () => forge({ kid: "' OR 1=1 --" }, claims)],
    ['a kid that is a number', () => forge({ kid: 0 }, claims)],
    ['an unknown kid', () => forge({ kid: 'unknown' }, claims)],
    ['crit with an extension', () => forge({ crit: ['exp'] }, claims)],
    ['crit that is empty', () => forge({ crit: [] }, claims)],
    ['an unencoded payload', () => forge({ b64: false, crit: ['b64'] }, claims)],
    ['no typ', () => forge({ typ: undefined }, claims)],
    ['another typ', () => forge({ typ: 'JWT' }, claims)],
    ['the typ of a ticket', () => forge({ typ: 'ticket+jwt' }, claims)],
    ...(['iss', 'aud', 'sub', 'tenant', 'roles', 'sid', 'jti', 'username', 'auth_time', 'iat', 'exp'] as const).map((name) => [`no ${name}`, () => forge({}, without(name))] as const),
    ['another issuer', () => forge({}, { ...claims, iss: 'earshot.example.com' })],
    ['an issuer that is a list', () => forge({}, { ...claims, iss: ['earshot'] })],
    ['another audience', () => forge({}, { ...claims, aud: 'somebody' })],
    ['an empty subject', () => forge({}, { ...claims, sub: '' })],
    ['a subject that is a number', () => forge({}, { ...claims, sub: 1 })],
    ['an empty tenant', () => forge({}, { ...claims, tenant: '' })],
    ['no roles in the list', () => forge({}, { ...claims, roles: [] })],
    ['a role that does not exist', () => forge({}, { ...claims, roles: ['admin', 'root'] })],
    ['roles as text', () => forge({}, { ...claims, roles: 'admin' })],
    ['an end that is text', () => forge({}, { ...claims, exp: String(START + 3600) })],
    ['an end beyond an hour', () => forge({}, { ...claims, exp: START + 3601 })],
    ['issued in the future', () => forge({}, { ...claims, iat: START + 31, exp: START + 3600 })],
    ['not good before the future', () => forge({}, { ...claims, nbf: START + 31 })],
    ['other claims under the same signature', () => [good.split('.')[0], encoded({ ...claims, roles: ['operator'], tenant: null }), good.split('.')[2]].join('.')],
    ['encrypted', async () => new CompactEncrypt(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', typ: 'at+jwt' }).encrypt(rsa.publicKey)],
    ['more than 8 KiB', () => forge({}, { ...claims, more: 'x'.repeat(8 * 1024) })],
    ['a megabyte of nothing', () => 'x'.repeat(1024 * 1024)],
  ];
  it.each(table)('are refused: %s', async (_name, make) => {
    await expect(identity.verify(await make())).rejects.toMatchObject({ name: 'EarshotError', code: 'token_invalid' });
    // The one beside it is still good: nothing was broken by the bad one.
    expect((await identity.verify(good)).user).toBe('u1');
  });

  it('that have ended are told apart', async () => {
    await expect(identity.verify(forge({}, { ...claims, iat: START - 3600, exp: START }))).rejects.toMatchObject({ code: 'token_expired' });
    await expect(identity.verify(forge({}, { ...claims, iat: START - 3600, exp: START - 60 }, other.privateKey))).rejects.toMatchObject({ code: 'token_invalid' });
  });

  it('repeat nothing of the token in their error', async () => {
    const error: unknown = await identity.verify(forge({}, { ...claims, sub: 'canary-subject', aud: 'canary-audience' })).catch((thrown: unknown) => thrown);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error as object))).not.toContain('canary');
  });
});

describe('the signing key of one machine', () => {
  it('is made once, for its owner only, and is the same for all who start at once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'earshot-key-'));
    try {
      const dataDir = join(folder, 'data');
      const keys = await Promise.all(Array.from({ length: 5 }, () => loadOrCreateSigningKey(dataDir)));
      expect(new Set(keys).size).toBe(1);
      expect(await loadOrCreateSigningKey(dataDir)).toBe(keys[0]);
      const path = join(dataDir, 'auth-signing-key.json');
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ kty: 'OKP', crv: 'Ed25519' });
      const runtime = clockAt(START_MS);
      const issuer = joseIssuer({ signingKey: keys[0] ?? '', publicKeys: null, runtime });
      const identity = joseIdentity({ publicKeys: () => issuer.publicKeys(), issuers: [], runtime, fetch: noFetch });
      expect((await identity.verify((await issuer.issue(anna)).token)).user).toBe('u1');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('may be given as JWK text', async () => {
    const jwk = pair.privateKey.export({ format: 'jwk' });
    const issuer = joseIssuer({ signingKey: JSON.stringify(jwk), publicKeys: null, runtime: clockAt(START_MS) });
    expect((await issuer.publicKeys()).keys).toMatchObject([{ x: jwk.x, alg: 'EdDSA', use: 'sig' }]);
  });
});
