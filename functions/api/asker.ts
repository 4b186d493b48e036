/** Who asks: the bearer token, held against the directory's word on its user at every request. */
import type { MiddlewareHandler } from 'hono';
import { confirmToken, mayDo, type Action } from '../../core/domain/rights.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { CallLog } from '../../ports/call-log.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Identity, Principal } from '../../ports/identity.ts';
import type { ApiEnv } from './services.ts';

interface Doors {
  readonly identity: Identity;
  readonly directory: Directory;
}

/** Lets a request pass with a good token and tells its handler who it is. */
export const bearer =
  (doors: Doors): MiddlewareHandler<ApiEnv> =>
  async (c, next) => {
    c.set('asker', await whoAsks(doors, c.req.header('authorization')));
    await next();
  };

/**
 * The person behind an Authorization header, with the roles of this moment. Throws EarshotError `token_missing`, `token_invalid`,
 * `token_expired`, `sign_in_ended`, `access_revoked`, `store_unavailable`.
 */
export const whoAsks = async ({ identity, directory }: Doors, header: string | undefined): Promise<Principal> => {
  if (header === undefined || header.trim() === '') throw new EarshotError('token_missing');
  const token = /^Bearer +(\S+)$/i.exec(header.trim())?.[1];
  if (token === undefined) throw new EarshotError('token_invalid');
  const principal = await identity.verify(token);
  const [ended, user] = await Promise.all([directory.signInEnded(principal.sid), principal.local ? directory.user(principal.user) : null]);
  if (ended) throw new EarshotError('sign_in_ended');
  if (!principal.local) return principal;
  const confirmed = confirmToken(principal, user);
  if (typeof confirmed === 'string') throw new EarshotError(confirmed);
  return confirmed;
};

/** The asker's tenant, where the asker may do this within it. Throws EarshotError `forbidden`. */
export const ownTenant = (asker: Principal, action: Action): string => {
  if (asker.tenant === null || !mayDo(asker, action, asker.tenant)) throw new EarshotError('forbidden');
  return asker.tenant;
};

/**
 * The call, where the asker may do this to it. Throws EarshotError `forbidden` where the role may do it to no call,
 * `call_not_found` for somebody else's as for an absent one.
 */
export const callFor = async (callLog: CallLog, asker: Principal, action: Action, id: string): Promise<CallState> => {
  ownTenant(asker, action);
  const call = await callLog.find(id);
  if (call === null || call === 'erased' || !mayDo(asker, action, call.tenant)) throw new EarshotError('call_not_found');
  return call;
};
