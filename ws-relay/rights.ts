/** Asks the directory whether a user may still be here. */
import { mayDo } from '../core/domain/rights.ts';
import type { RightsVerdict, SessionUser } from '../core/domain/relay/effects.ts';
import type { RelayParts } from './parts.ts';

/** Checks rights; sessions of the same sign-in that ask in the same turn share one read. Every answer comes from a read that began after it was asked for. */
export const createRightsCheck = ({ directory }: Pick<RelayParts, 'directory'>): ((user: SessionUser) => Promise<RightsVerdict>) => {
  /** Reads that have not begun. */
  const toCome = new Map<string, Promise<RightsVerdict>>();

  const check = async (asked: SessionUser): Promise<RightsVerdict> => {
    try {
      const [user, ended] = await Promise.all([directory.user(asked.user), directory.signInEnded(asked.sid)]);
      if (user === null || ended || user.disabled || user.tenant !== asked.tenant) return 'revoked';
      if (user.tokens_valid_from > asked.issued_at * 1000) return 'revoked';
      return mayDo({ tenant: user.tenant, roles: user.roles }, 'calls.watch', user.tenant) ? 'held' : 'revoked';
    } catch {
      return 'unknown';
    }
  };

  return (user) => {
    // Whoever an outside provider answers for is good until the token's end.
    if (!user.local) return Promise.resolve('held');
    const key = JSON.stringify([user.user, user.sid, user.tenant, user.issued_at]);
    const shared = toCome.get(key);
    if (shared !== undefined) return shared;
    const asked = Promise.resolve().then(() => {
      toCome.delete(key);
      return check(user);
    });
    toCome.set(key, asked);
    return asked;
  };
};
