import { isTerminal, type CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Parts } from '../parts.ts';
import { publish } from './publish.ts';

/**
 * Asks the provider to end a call. The end itself is told by the call's own events.
 * @throws EarshotError `call_already_ended`, `end_not_supported`, `provider_unavailable`
 */
export const endCall = async (parts: Parts, call: CallState): Promise<{ command_id: string }> => {
  if (isTerminal(call.status)) throw new EarshotError('call_already_ended');
  const workspace = await parts.directory.workspace(call.workspace);
  if (workspace === null || call.conversation_id === null) throw new EarshotError('end_not_supported');
  if ((await parts.provider.end(workspace, call.conversation_id)) === 'not_supported') throw new EarshotError('end_not_supported');
  return { command_id: `cmd_${parts.runtime.randomHex(8)}` };
};

/**
 * Removes the call whole - log, keys, projection, raw deliveries - and leaves a tombstone at which every door stops. Calls that
 * were merged into it go with it: no id leads to them any more. A crash in between leaves something that can be erased again, since
 * the call itself goes after what only it leads to. What is found out later to be of the call - a conversation that its dial's late
 * answer names, or the provider - goes as soon as it is told (see `forgetErased`).
 */
export const eraseCall = async (parts: Parts, call: CallState): Promise<void> => {
  await eraseMerged(parts, call);
  await eraseOne(parts, call);
  // Merged while the call was being erased.
  await eraseMerged(parts, call);
};

const eraseMerged = async (parts: Parts, owner: CallState): Promise<void> => {
  for (const call of await parts.callLog.mergedInto(owner.call_sid)) await eraseOne(parts, call);
};

const eraseOne = async (parts: Parts, call: CallState): Promise<void> => {
  // From here on the store of deliveries keeps nothing of it, also of what is under way.
  await parts.rawStore.erase([call.call_sid, call.conversation_id].filter((id) => id !== null));
  const now = await parts.callLog.get(call.call_sid);
  // Its dial was answered meanwhile.
  if (now !== null && now.conversation_id !== call.conversation_id) return eraseOne(parts, now);
  await parts.callLog.erase(call.call_sid);
  await publish(parts, { kind: 'events', tenant: call.tenant, call_sid: call.call_sid, epoch: call.epoch, first_seq: 1, texts: [], at: parts.runtime.now() });
};
