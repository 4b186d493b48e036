/** Raw deliveries of what was erased, where the log learns only later what that was, or a process died over the erasure. */
import type { Parts } from '../parts.ts';

/**
 * Whichever of these calls and conversations the log has as erased: their deliveries are removed, and none is kept any more. Others are left alone,
 * since a sender may name what it likes beside an erased call.
 * @throws EarshotError `store_unavailable`
 */
export const forgetErased = async (parts: Pick<Parts, 'callLog' | 'rawStore'>, ids: readonly (string | null)[]): Promise<void> => {
  const named = ids.filter((id) => id !== null);
  const found = await parts.callLog.findMany(named);
  const erased = named.filter((_id, place) => found[place] === 'erased');
  if (erased.length > 0) await parts.rawStore.erase(erased);
};
