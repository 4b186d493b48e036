/**
 * From a token to who it is, with jose: our own Ed25519 tokens, and those of outside identity providers that the settings name.
 * The keys are ours or the provider's own published set: what a token says of its key (`jku`, `x5u`, `jwk`) is never followed.
 */
import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';
import { ROLES, type Role } from '../core/domain/rights.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { TOKEN_LIFE_SECONDS, TOKEN_MAX_BYTES } from '../core/protocol/limits.ts';
import { TokenClaims } from '../core/protocol/token.ts';
import type { IssuerSetting } from '../core/settings.ts';
import type { Identity, Principal } from './identity.ts';
import { ALGORITHM, EARSHOT, TOKEN_TYPE } from './identity.jose-issuer.ts';
import { fetchedKeys, keySet, type FindKey, type KeySet, type ReadKeys } from './identity.jose-keys.ts';
import { GOOGLE, GOOGLE_ALGORITHM, schedulerIn, vouchedFor, type Scheduler } from './identity.jose-scheduler.ts';
import type { Runtime } from './runtime.ts';

export { joseIssuer, loadOrCreateSigningKey } from './identity.jose-issuer.ts';
export { fetchedKeys } from './identity.jose-keys.ts';
export { schedulerOf, type Scheduler } from './identity.jose-scheduler.ts';

/** Asymmetric only: a public key must never pass as a shared secret. */
const OUTSIDE_ALGORITHMS = ['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512'];
/** Clocks differ: a token may seem to come from a little later than now. Its end is never stretched. */
const CLOCK_TOLERANCE_SECONDS = 30;
/** Verified tokens remembered: more than the users of one process. */
const REMEMBERED_MAX_COUNT = 10_000;

export interface IdentityOptions {
  /** Our own public keys; asked again every JWKS_REFRESH_MS. */
  readonly publicKeys: ReadKeys;
  readonly issuers: readonly IssuerSetting[];
  /** Whose identity token may run jobs; nobody's where it is left out. */
  readonly scheduler?: Scheduler | null;
  readonly runtime: Runtime;
  readonly fetch: typeof globalThis.fetch;
}

/** Somebody whose tokens we take. */
interface Trusted {
  readonly keys: KeySet;
  readonly algorithms: string[];
  readonly audience: string;
  readonly issuer: string;
  readonly typ?: string;
  /** Who a token speaks for whose signature was verified, and taken away, before it came here; null: it was not. */
  readonly vouchedFor?: (token: string) => Principal | null;
  principal(claims: JWTPayload, token: string): Principal;
}

/** Verifies tokens; remembers verified ones until their end or until the keys are read again. */
export const joseIdentity = (options: IdentityOptions): Identity => {
  const { runtime } = options;
  const trusted = new Map<string, Trusted>([[EARSHOT, ourselves(keySet(options.publicKeys, runtime))]]);
  for (const issuer of options.issuers) trusted.set(issuer.issuer, outsider(issuer, keySet(fetchedKeys(issuer.jwks_url, options.fetch), runtime), runtime));
  const { scheduler = null } = options;
  if (scheduler !== null) trusted.set(GOOGLE, schedulersOwn(scheduler, keySet(fetchedKeys(scheduler.jwksUrl, options.fetch), runtime)));
  /** By the hash of the whole token: one that differs in anything is another. */
  const remembered = new Map<string, { readonly principal: Principal; readonly keys: KeySet; readonly find: FindKey }>();

  const remember = (hash: string, principal: Principal, keys: KeySet, find: FindKey): void => {
    const oldest = remembered.keys().next();
    if (remembered.size >= REMEMBERED_MAX_COUNT && oldest.done !== true) remembered.delete(oldest.value);
    remembered.set(hash, { principal, keys, find });
  };

  return {
    verify: async (token) => {
      if (token.length > TOKEN_MAX_BYTES) throw new EarshotError('token_invalid');
      // Nothing of a token that comes again is read, only whether the keys it was verified with are still the newest: most of what
      // letting somebody in again costs would be the reading (`npm run bench -- handshake`).
      const hash = runtime.sha256(token);
      const known = remembered.get(hash);
      if (known !== undefined && (await known.keys.current()) === known.find) return unended(known.principal, runtime);
      const from = trusted.get(issuerOf(token));
      if (from === undefined) throw new EarshotError('token_invalid');
      const vouched = from.vouchedFor?.(token) ?? null;
      if (vouched !== null) return unended(vouched, runtime);
      const find = await from.keys.current();
      const principal = await verifyAgainst(from, find, token, runtime);
      remember(hash, principal, from.keys, find);
      return principal;
    },
  };
};

/** Who claims to have made the token; nothing about it is known to be true yet. Refuses what no token of ours or theirs looks like. */
const issuerOf = (token: string): string => {
  if (!isCanonical(token)) throw new EarshotError('token_invalid');
  try {
    const header = decodeProtectedHeader(token);
    const { iss } = decodeJwt(token);
    if (typeof iss === 'string' && !('crit' in header) && !('b64' in header)) return iss;
  } catch {
    // Whatever was wrong with it, it is no token.
  }
  throw new EarshotError('token_invalid');
};

/** Three base64url parts in their one right spelling: decoders differ in what else they let pass. */
const isCanonical = (token: string): boolean => {
  const parts = token.split('.');
  return parts.length === 3 && parts.every((part) => part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part);
};

const verifyAgainst = async (from: Trusted, find: FindKey, token: string, runtime: Runtime): Promise<Principal> => {
  const options = {
    algorithms: from.algorithms,
    audience: from.audience,
    issuer: from.issuer,
    ...(from.typ === undefined ? {} : { typ: from.typ }),
    requiredClaims: ['sub', 'exp'],
    clockTolerance: CLOCK_TOLERANCE_SECONDS,
    currentDate: new Date(runtime.now()),
  };
  try {
    const { payload } = await jwtVerify(token, find, options).catch(async (error: unknown) => {
      const newer = error instanceof errors.JWKSNoMatchingKey ? await from.keys.lookAgain() : null;
      if (newer === null) throw error;
      return jwtVerify(token, newer, options);
    });
    return unended(from.principal(payload, token), runtime);
  } catch (error) {
    if (error instanceof EarshotError) throw error;
    throw new EarshotError(error instanceof errors.JWTExpired ? 'token_expired' : 'token_invalid');
  }
};

const unended = (principal: Principal, runtime: Runtime): Principal => {
  const now = runtime.now() / 1000;
  if (principal.expires_at <= now) throw new EarshotError('token_expired');
  if (principal.issued_at > now + CLOCK_TOLERANCE_SECONDS) throw new EarshotError('token_invalid');
  return principal;
};

const ourselves = (keys: KeySet): Trusted => ({
  keys,
  algorithms: [ALGORITHM],
  audience: EARSHOT,
  issuer: EARSHOT,
  typ: TOKEN_TYPE,
  principal: (payload) => {
    const claims = TokenClaims.safeParse(payload);
    if (!claims.success || claims.data.exp - claims.data.iat > TOKEN_LIFE_SECONDS) throw new EarshotError('token_invalid');
    const { sub, tenant, roles, sid, username, auth_time, iat, exp } = claims.data;
    return { user: sub, username, tenant, roles, sid, signed_in_at: auth_time, issued_at: iat, expires_at: exp, local: true };
  },
});

const outsider = (setting: IssuerSetting, keys: KeySet, runtime: Runtime): Trusted => ({
  keys,
  algorithms: OUTSIDE_ALGORITHMS,
  audience: setting.audience,
  issuer: setting.issuer,
  principal: (payload, token) => {
    const { sub, exp } = payload;
    const tenant = own(payload, setting.tenant_claim);
    if (typeof sub !== 'string' || sub === '' || typeof exp !== 'number' || typeof tenant !== 'string' || tenant === '') throw new EarshotError('token_invalid');
    const issuedAt = payload.iat ?? Math.min(exp, Math.floor(runtime.now() / 1000));
    const signedInAt = own(payload, 'auth_time');
    const sid = own(payload, 'sid');
    return {
      user: `${setting.issuer}|${sub}`,
      username: [own(payload, 'preferred_username'), own(payload, 'email'), sub].find((name) => typeof name === 'string') ?? sub,
      tenant,
      roles: rolesIn(own(payload, setting.roles_claim)),
      sid: typeof sid === 'string' ? `${setting.issuer}|${sid}` : runtime.sha256(token),
      signed_in_at: typeof signedInAt === 'number' ? signedInAt : issuedAt,
      issued_at: issuedAt,
      expires_at: exp,
      local: false,
    };
  },
});

const schedulersOwn = (scheduler: Scheduler, keys: KeySet): Trusted => ({
  keys,
  algorithms: [GOOGLE_ALGORITHM],
  audience: scheduler.audience,
  issuer: GOOGLE,
  vouchedFor: (token) => vouchedFor(scheduler, token),
  principal: (payload) => schedulerIn(scheduler, payload),
});

const own = (payload: JWTPayload, name: string): unknown => (Object.hasOwn(payload, name) ? payload[name] : undefined);

/** A list, or words with spaces between. `operator` stands above all tenants and is never granted from outside. */
const rolesIn = (claim: unknown): readonly Role[] => {
  const words: unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return ROLES.filter((role) => role !== 'operator' && words.includes(role));
};
