/** Signing of our own access tokens (RFC 9068 in form), and the key for it. */
import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, importPKCS8, SignJWT, type CryptoKey, type JWK } from 'jose';
import { EarshotError } from '../core/protocol/codes.ts';
import { SIGN_IN_LIFE_SECONDS, TOKEN_LIFE_SECONDS } from '../core/protocol/limits.ts';
import type { TokenIssuer } from './identity.ts';
import type { Runtime } from './runtime.ts';

/** Issuer and audience of our own tokens. */
export const EARSHOT = 'earshot';
/** The one algorithm of our own tokens (Ed25519). */
export const ALGORITHM = 'EdDSA';
/** Says what the token is for: a token of ours made for anything else is no access token. */
export const TOKEN_TYPE = 'at+jwt';

interface IssuerOptions {
  /** PKCS#8 PEM or JWK text; null: this process signs nothing. */
  readonly signingKey: string | null;
  /** JWK set text of keys that verify too, while one key replaces another. */
  readonly publicKeys: string | null;
  readonly runtime: Runtime;
}

/**
 * Issues tokens for users of the directory. `issue` throws EarshotError `sign_in_ended` past the sign-in's end and
 * `secret_unavailable` where this process has no signing key.
 */
export const joseIssuer = (options: IssuerOptions): TokenIssuer => {
  const { runtime } = options;
  let prepared: Promise<SigningKey> | null = null;
  const key = (): Promise<SigningKey> | null => {
    if (options.signingKey === null) return null;
    return (prepared ??= signingKey(options.signingKey));
  };
  return {
    issue: async (principal) => {
      const signing = await key();
      if (signing === null) throw new EarshotError('secret_unavailable');
      const now = Math.floor(runtime.now() / 1000);
      const expiresAt = Math.min(now + TOKEN_LIFE_SECONDS, principal.signed_in_at + SIGN_IN_LIFE_SECONDS);
      if (expiresAt <= now) throw new EarshotError('sign_in_ended');
      const token = await new SignJWT({
        tenant: principal.tenant,
        roles: [...principal.roles],
        sid: principal.sid,
        username: principal.username,
        auth_time: principal.signed_in_at,
      })
        .setProtectedHeader({ alg: ALGORITHM, typ: TOKEN_TYPE, kid: signing.kid })
        .setIssuer(EARSHOT)
        .setAudience(EARSHOT)
        .setSubject(principal.user)
        .setJti(runtime.randomHex(16))
        .setIssuedAt(now)
        .setExpirationTime(expiresAt)
        .sign(signing.key);
      return { token, expires_in: expiresAt - now };
    },
    publicKeys: async () => {
      const signing = await key();
      const others = options.publicKeys === null ? [] : (JSON.parse(options.publicKeys) as { keys: JWK[] }).keys;
      const all = await Promise.all([...(signing === null ? [] : [signing.publicKey]), ...others].map(published));
      return { keys: all.filter((one, index) => all.findIndex((other) => other.kid === one.kid) === index) };
    },
  };
};

interface SigningKey {
  readonly key: CryptoKey;
  readonly publicKey: JWK;
  readonly kid: string;
}

const signingKey = async (text: string): Promise<SigningKey> => {
  const jwk = text.trimStart().startsWith('{') ? (JSON.parse(text) as JWK) : await exportJWK(await importPKCS8(text, ALGORITHM, { extractable: true }));
  const publicKey = await published(jwk);
  return { key: (await importJWK(jwk, ALGORITHM)) as CryptoKey, publicKey, kid: publicKey.kid };
};

/** Only what may be shown, whatever else stands in the key. */
const published = async ({ kty, crv, x, kid }: JWK): Promise<JWK & { readonly kid: string }> => {
  const bare = { kty, crv, x } as JWK;
  return { ...bare, kid: kid ?? (await calculateJwkThumbprint(bare)), alg: ALGORITHM, use: 'sig' };
};

/**
 * The signing key of one machine, as JWK text: kept in `auth-signing-key.json` of the folder, readable by its owner only,
 * made when it is not there. Of several processes that start at once all get the same.
 */
export const loadOrCreateSigningKey = async (dataDir: string): Promise<string> => {
  const path = join(dataDir, 'auth-signing-key.json');
  const kept = await readFile(path, 'utf8').catch(absent);
  if (kept !== null) return kept;
  await mkdir(dataDir, { recursive: true });
  const { privateKey } = await generateKeyPair(ALGORITHM, { crv: 'Ed25519', extractable: true });
  const fresh = `${path}.${randomBytes(8).toString('hex')}`;
  await writeFile(fresh, JSON.stringify(await exportJWK(privateKey)), { mode: 0o600 });
  await chmod(fresh, 0o600);
  // A link appears whole and only once: whoever comes second reads the first one's key.
  await link(fresh, path).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  });
  await rm(fresh);
  return readFile(path, 'utf8');
};

const absent = (error: unknown): null => {
  if ((error as { code?: unknown }).code === 'ENOENT') return null;
  throw error;
};
