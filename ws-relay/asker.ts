/** Who makes a plain HTTP request of the relay. */
import type { IncomingMessage } from 'node:http';
import type { SessionUser } from '../core/domain/relay/effects.ts';
import { confirmToken } from '../core/domain/rights.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { verifyOffer } from './offer.ts';
import type { RelayParts } from './parts.ts';

/** The token of an Authorization header; where it holds none, the code of why, as the API has it. */
export const bearerOf = ({ headers: { authorization = '' } }: IncomingMessage): { readonly token: string } | { readonly code: 'token_missing' | 'token_invalid' } => {
  if (authorization.trim() === '') return { code: 'token_missing' };
  const token = /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1];
  return token === undefined ? { code: 'token_invalid' } : { token };
};

/**
 * Who asks, as the directory knows them now: what a token says of a local user is held against it.
 * @throws EarshotError the code of why nobody may ask by this request; `store_unavailable` where the directory does not answer
 */
export const askerOf = async (parts: Pick<RelayParts, 'identity' | 'directory' | 'runtime'>, req: IncomingMessage): Promise<SessionUser> => {
  const bearer = bearerOf(req);
  if ('code' in bearer) throw new EarshotError(bearer.code);
  const verdict = await verifyOffer(parts, { kind: 'token', ...bearer });
  if ('code' in verdict) throw new EarshotError(verdict.code);
  const { user } = verdict;
  const [ended, account] = await Promise.all([parts.directory.signInEnded(user.sid), user.local ? parts.directory.user(user.user) : null]);
  if (ended) throw new EarshotError('sign_in_ended');
  const confirmed = user.local ? confirmToken(user, account) : user;
  if (typeof confirmed === 'string') throw new EarshotError(confirmed);
  return confirmed;
};
