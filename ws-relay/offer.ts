/** From what a client offered to who it is. */
import { createHash } from 'node:crypto';
import type { Offer, SessionUser } from '../core/domain/relay/effects.ts';
import { EarshotError, type ErrorCode } from '../core/protocol/codes.ts';
import { TOKEN_MAX_BYTES } from '../core/protocol/limits.ts';
import type { Principal } from '../ports/identity.ts';
import type { RelayParts } from './parts.ts';

/** Who it is, or the code of why not. */
export type Verdict = { readonly user: SessionUser } | { readonly code: ErrorCode };

/** Verifies a token, or takes a ticket, which then is spent. Never rejects. */
export const verifyOffer = async (
  { identity, directory, runtime }: Pick<RelayParts, 'identity' | 'directory' | 'runtime'>,
  offer: Exclude<Offer, { kind: 'none' }>,
): Promise<Verdict> => {
  try {
    if (offer.kind === 'token') {
      if (offer.token.length > TOKEN_MAX_BYTES) return { code: 'token_invalid' };
      return { user: await identity.verify(offer.token) };
    }
    const ticket = await directory.takeTicket(createHash('sha256').update(offer.ticket).digest('hex'), runtime.now());
    if (ticket === null) return { code: 'ticket_invalid' };
    const principal = JSON.parse(ticket.principal) as Principal;
    return principal.expires_at * 1000 <= runtime.now() ? { code: 'token_expired' } : { user: principal };
  } catch (error) {
    return { code: error instanceof EarshotError ? error.code : 'server_fault' };
  }
};
