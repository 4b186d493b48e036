import { canonical } from '../../core/domain/call/keys.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import { IDEMPOTENCY_KEY_MAX_CHARACTERS } from '../../core/protocol/limits.ts';
import type { IdempotencyKey } from '../../ports/call-log.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Runtime } from '../../ports/runtime.ts';

/**
 * The caller's Idempotency-Key within its scope (tenant, user, route), and what was asked under it: the same words in another order are
 * the same request. null where none was sent. Throws EarshotError `invalid_request` for a key that is blank, too long or not printable.
 */
export const idempotencyKey = (runtime: Runtime, asker: Principal, route: string, header: string | undefined, body: unknown): IdempotencyKey | null => {
  if (header === undefined) return null;
  if (header.length > IDEMPOTENCY_KEY_MAX_CHARACTERS || !/^[\x20-\x7e]*[\x21-\x7e][\x20-\x7e]*$/.test(header)) {
    throw new EarshotError('invalid_request', { problems: [`Idempotency-Key: has to be 1 to ${IDEMPOTENCY_KEY_MAX_CHARACTERS} printable characters`] });
  }
  return { key: runtime.sha256(JSON.stringify([asker.tenant, asker.user, route, header])), request_hash: runtime.sha256(canonical(body)) };
};
