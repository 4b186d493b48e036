/** Who may run the jobs over HTTP: Cloud Scheduler by its identity token, and nobody who only looks like it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey, type JWTPayload } from 'jose';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { joseIdentity } from '../../ports/identity.jose.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { functionsUnderTest, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

const EMAIL = 'scheduler@earshot.iam.gserviceaccount.com';
const AUDIENCE = 'https://jobs.example.com';
const ISSUER = 'https://accounts.google.com';
const now = (): number => Math.floor(Date.now() / 1000);

interface Key {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}
let google: Key;
let somebody: Key;
let elliptic: Key;
beforeAll(async () => {
  [google, somebody, elliptic] = await Promise.all([generateKeyPair('RS256', { extractable: true }), generateKeyPair('RS256', { extractable: true }), generateKeyPair('ES256', { extractable: true })]);
});

/** As Google makes it for a service account. */
const claims = (more: Record<string, unknown> = {}): JWTPayload => ({ iss: ISSUER, aud: AUDIENCE, azp: '1089', sub: '1089', email: EMAIL, email_verified: true, iat: now() - 1, exp: now() + 3_600, ...more });
const without = (...names: readonly string[]): JWTPayload => Object.fromEntries(Object.entries(claims()).filter(([name]) => !names.includes(name)));
const signed = (payload: JWTPayload = claims(), key: CryptoKey = google.privateKey, header: Record<string, unknown> = {}): Promise<string> => new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'g1', typ: 'JWT', ...header }).sign(key);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
/** As Cloud Run hands it on when IAM has verified it. */
const stripped = (payload: JWTPayload = claims(), header: Record<string, unknown> = { alg: 'RS256', kid: 'g1', typ: 'JWT' }): string => `${part(header)}.${part(payload)}.SIGNATURE_REMOVED_BY_GOOGLE`;

interface Jobs {
  readonly earshot: FunctionsUnderTest;
  /** Requests for Google's keys so far. */
  readonly asked: () => number;
  run(token: string | null, path?: string): Promise<{ readonly status: number; readonly code: string | null; readonly body: unknown }>;
}

const jobs = async (behindIam: boolean): Promise<Jobs> => {
  let asked = 0;
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(google.publicKey)), kid: 'g1', use: 'sig', alg: 'RS256' }, { ...(await exportJWK(elliptic.publicKey)), kid: 'e1', use: 'sig' }] });
  const listen = async (server: ReturnType<typeof createServer>): Promise<string> => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const jwks = await listen(
    createServer((_request, response) => {
      asked += 1;
      response.writeHead(200, { 'content-type': 'application/json' }).end(keys);
    }),
  );
  const scheduler = { email: EMAIL, audience: AUDIENCE, jwksUrl: `${jwks}/certs`, behindIam };
  const earshot = await functionsUnderTest({ parts: (made) => ({ identity: joseIdentity({ publicKeys: made.issuer.publicKeys, issuers: [], scheduler, runtime: systemRuntime(), fetch }) }) });
  const url = await listen(createServer(earshot.app.jobs));
  return {
    earshot,
    asked: () => asked,
    run: async (token, path = '/janitor') => {
      const answer = await fetch(url + path, { method: 'POST', headers: token === null ? {} : { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(30_000) });
      const body = (await answer.json()) as { code?: string };
      return { status: answer.status, code: body.code ?? null, body };
    },
  };
};

const REFUSED: readonly (readonly [string, () => Promise<string> | string, string])[] = [
  ['for another audience', () => signed(claims({ aud: 'https://api.example.com' })), 'token_invalid'],
  ['for no audience', () => signed(without('aud')), 'token_invalid'],
  ['for the audience in other letters', () => signed(claims({ aud: 'https://JOBS.example.com' })), 'token_invalid'],
  ['of another service account', () => signed(claims({ email: 'other@earshot.iam.gserviceaccount.com' })), 'token_invalid'],
  ['of an account whose name begins alike', () => signed(claims({ email: `${EMAIL}.example.com` })), 'token_invalid'],
  ['of no account', () => signed(without('email')), 'token_invalid'],
  ['of an account that is not verified', () => signed(claims({ email_verified: false })), 'token_invalid'],
  ['of an account that is verified by a word', () => signed(claims({ email_verified: 'true' })), 'token_invalid'],
  ['of an account of which nothing is said', () => signed(without('email_verified')), 'token_invalid'],
  ['of another issuer', () => signed(claims({ iss: 'https://accounts.google.example' })), 'token_invalid'],
  ['of our own name, signed by Google', () => signed(claims({ iss: 'earshot' })), 'token_invalid'],
  ['without a subject', () => signed(without('sub')), 'token_invalid'],
  ['without an end', () => signed(without('exp')), 'token_invalid'],
  ['without a beginning', () => signed(without('iat')), 'token_invalid'],
  ['that has ended', () => signed(claims({ iat: now() - 7_200, exp: now() - 1 })), 'token_expired'],
  ['that is of the future', () => signed(claims({ iat: now() + 600, exp: now() + 4_200 })), 'token_invalid'],
  ['that is not good yet', () => signed(claims({ nbf: now() + 600 })), 'token_invalid'],
  ['signed by somebody else', () => signed(claims(), somebody.privateKey), 'token_invalid'],
  ['signed by somebody else who brings the key', async () => signed(claims(), somebody.privateKey, { jwk: await exportJWK(somebody.publicKey) }), 'token_invalid'],
  ['signed with a key that Google has not', () => signed(claims(), google.privateKey, { kid: 'g9' }), 'token_invalid'],
  ["signed with Google's public key as a secret (HS256)", async () => new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'g1' }).sign(new TextEncoder().encode(JSON.stringify(await exportJWK(google.publicKey)))), 'token_invalid'],
  ['by another algorithm, with a key of the set', () => new SignJWT(claims()).setProtectedHeader({ alg: 'ES256', kid: 'e1' }).sign(elliptic.privateKey), 'token_invalid'],
  ['that is not signed', () => new UnsecuredJWT(claims()).encode(), 'token_invalid'],
  ['with a signature of nothing', () => `${stripped().split('.').slice(0, 2).join('.')}.AAAA`, 'token_invalid'],
];

describe('the jobs', () => {
  it('run for the scheduler, each by its name and all of them, and its keys are read once', async () => {
    const { run, asked, earshot } = await jobs(false);
    expect(await run(await signed())).toEqual({ status: 200, code: null, body: { swept: 0 } });
    expect(await run(await signed(claims({ aud: [AUDIENCE] })), '/')).toMatchObject({ status: 200, body: { swept: 0, erased: 0 } });
    expect(await run(await signed(), '/reconcile')).toMatchObject({ status: 200, body: { freed: 0, settled: 0 } });
    expect(asked()).toBe(1);
    for (const secret of [EMAIL, 'eyJ']) expect(earshot.lines.join('\n')).not.toContain(secret);
  });

  it.each(REFUSED)('do not run for a token %s', async (_name, token, code) => {
    for (const behindIam of [false, true]) {
      const { run, earshot } = await jobs(behindIam);
      expect(await run(await token())).toMatchObject({ status: 401, code });
      expect(earshot.lines.filter((line) => line.includes('job'))).toEqual([]);
    }
  });

  it('do not run for nobody, for a user of ours without the right, and do for a service of ours', async () => {
    const { run, earshot } = await jobs(false);
    expect(await run(null)).toMatchObject({ status: 401, code: 'token_missing' });
    for (const role of ['dispatcher', 'admin'] as const) expect(await run(await earshot.token([role]))).toMatchObject({ status: 403, code: 'forbidden' });
    expect(await run(await earshot.token(['service']))).toMatchObject({ status: 200 });
  });

  it("know no scheduler where the settings name none: then Google's token is nobody's", async () => {
    const earshot = await functionsUnderTest();
    expect(await earshot.parts.identity.verify(await signed()).catch((error: unknown) => error)).toMatchObject({ code: 'token_invalid' });
  });
});

describe('a token whose signature Cloud Run has taken away, as it does where IAM guards the function', () => {
  it('runs the jobs where the settings say that nobody comes but through IAM, and asks nobody for keys', async () => {
    const { run, asked } = await jobs(true);
    expect(await run(stripped())).toEqual({ status: 200, code: null, body: { swept: 0 } });
    expect(asked()).toBe(0);
    // One that kept its signature is verified as ever.
    expect(await run(await signed())).toMatchObject({ status: 200 });
    expect(asked()).toBe(1);
  });

  it('is refused where they do not say so: anybody could write it', async () => {
    const { run } = await jobs(false);
    expect(await run(stripped())).toMatchObject({ status: 401, code: 'token_invalid' });
  });

  it.each([
    ['for another audience', () => stripped(claims({ aud: 'https://api.example.com' })), 'token_invalid'],
    ['of another service account', () => stripped(claims({ email: 'other@earshot.iam.gserviceaccount.com' })), 'token_invalid'],
    ['of an account that is not verified', () => stripped(claims({ email_verified: false })), 'token_invalid'],
    ['of another issuer', () => stripped(claims({ iss: 'https://accounts.google.example' })), 'token_invalid'],
    ['of our own name', () => stripped(claims({ iss: 'earshot' })), 'token_invalid'],
    ['by another algorithm', () => stripped(claims(), { alg: 'HS256' }), 'token_invalid'],
    ['by none', () => stripped(claims(), { alg: 'none' }), 'token_invalid'],
    ['without an end', () => stripped(without('exp')), 'token_invalid'],
    ['that has ended', () => stripped(claims({ iat: now() - 7_200, exp: now() - 1 })), 'token_expired'],
    ['that is of the future', () => stripped(claims({ iat: now() + 600, exp: now() + 4_200 })), 'token_invalid'],
    ['with a list of audiences', () => stripped(claims({ aud: [AUDIENCE, 'https://api.example.com'] })), 'token_invalid'],
    ['with something behind it', () => `${stripped()}AA`, 'token_invalid'],
  ] as const)('is refused all the same: %s', async (_name, token, code) => {
    const { run } = await jobs(true);
    expect(await run(token())).toMatchObject({ status: 401, code });
  });
});
