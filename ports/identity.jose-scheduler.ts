/**
 * Who may run the jobs: Cloud Scheduler, in the name of a service account, by a token that Google signs.
 *
 * Where IAM guards the function, Cloud Run itself has verified the token and hands it on **without its signature**, so that it cannot be
 * used elsewhere: https://docs.cloud.google.com/run/docs/troubleshooting#signature-removed. Such a token is taken for what it says only
 * where the settings say that nothing comes but through IAM.
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Settings } from '../core/settings.ts';
import type { Principal } from './identity.ts';

/** The service account in whose name Cloud Scheduler calls. */
export interface Scheduler {
  readonly email: string;
  readonly audience: string;
  /** Google's published keys. */
  readonly jwksUrl: string;
  /** Whether nobody reaches this process but through IAM, which has verified the token before. */
  readonly behindIam: boolean;
}

/** Issuer and keys of the identity tokens of service accounts: https://developers.google.com/identity/openid-connect/openid-connect#validatinganidtoken */
export const GOOGLE = 'https://accounts.google.com';
const GOOGLE_KEYS = 'https://www.googleapis.com/oauth2/v3/certs';
export const GOOGLE_ALGORITHM = 'RS256';
const SIGNATURE_REMOVED = 'SIGNATURE_REMOVED_BY_GOOGLE';

/** null where the settings name none. */
export const schedulerOf = ({ jobsInvoker, jobsAudience, jobsBehindIam }: Pick<Settings, 'jobsInvoker' | 'jobsAudience' | 'jobsBehindIam'>): Scheduler | null =>
  jobsInvoker === null || jobsAudience === null ? null : { email: jobsInvoker, audience: jobsAudience, jwksUrl: GOOGLE_KEYS, behindIam: jobsBehindIam };

/**
 * The token says for whom it was made (`aud`, which was looked at) and in whose name (`email`): only this one may, and it is nobody's of a tenant.
 * @throws EarshotError `token_invalid`
 */
export const schedulerIn = (scheduler: Scheduler, payload: JWTPayload): Principal => {
  const { sub, exp, iat } = payload;
  if (own(payload, 'email') !== scheduler.email || own(payload, 'email_verified') !== true || sub === undefined || exp === undefined || iat === undefined) throw new EarshotError('token_invalid');
  return { user: `${GOOGLE}|${sub}`, username: 'scheduler', tenant: null, roles: ['operator'], sid: `${GOOGLE}|${sub}`, signed_in_at: iat, issued_at: iat, expires_at: exp, local: false };
};

/**
 * Who a token without its signature speaks for, its end not looked at; null where it has one, or where nothing vouches for it.
 * @throws EarshotError `token_invalid`
 */
export const vouchedFor = (scheduler: Scheduler, token: string): Principal | null => {
  if (!scheduler.behindIam || token.split('.')[2] !== SIGNATURE_REMOVED) return null;
  const payload = decodeJwt(token);
  if (decodeProtectedHeader(token).alg !== GOOGLE_ALGORITHM || payload.iss !== GOOGLE || payload.aud !== scheduler.audience) throw new EarshotError('token_invalid');
  return schedulerIn(scheduler, payload);
};

const own = (payload: JWTPayload, name: string): unknown => (Object.hasOwn(payload, name) ? payload[name] : undefined);
