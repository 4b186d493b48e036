/** I2, an erasure is a promise too: once it was answered, nothing of the call is left or comes back, under whatever id, and no screen goes on showing it. */
import type { Report } from './violation.ts';
import type { World } from './world.ts';

export const checkErasures = (world: World, report: Report): void => {
  for (const [callSid, answered] of world.erased) {
    if (answered < world.restoredAt) continue;
    const ids = conversationsOf(world, callSid);
    for (const call of world.calls.values()) {
      const final = call.final?.record;
      if (final === undefined || call.callSid === callSid) continue;
      const same = final.conversation_id !== null && ids.has(final.conversation_id);
      if (final.merged_into === callSid) report('I2', `call ${call.callSid} was merged into ${callSid} and is in the log after its erasure was answered`, call.final?.index ?? null);
      // A call that was dialled for a conversation which another owns is not erased with that.
      else if (same && final.merged_into === null) report('I2', `the conversation of ${callSid} is in the log as ${call.callSid} after its erasure was answered`, call.final?.index ?? null);
    }
    for (const { record, index } of world.of('kept')) {
      if (record.call_sid === callSid || (record.conversation_id !== null && ids.has(record.conversation_id))) report('I2', `a delivery of ${callSid} (${record.reason}) is kept after its erasure was answered`, index);
    }
    for (const { record, index } of world.of('shown')) {
      if (record.call_sid === callSid && record.connected && !record.stopped && index > answered) report('I2', `${record.actor} still shows ${callSid}, whose erasure was answered`, index);
    }
  }
};

/**
 * Those that the log knew, and those that the provider has named as the call's since. Words that came without our id before that
 * are nobody's whom we know: their call goes when the provider tells whose it was.
 */
const conversationsOf = (world: World, callSid: string): ReadonlySet<string> => {
  const ids = new Set<string>();
  for (const { record } of world.of('erase')) if (record.call_sid === callSid && typeof record.conversation_id === 'string') ids.add(record.conversation_id);
  const answered = world.erasedAt(callSid) ?? Infinity;
  for (const [conversationId, { record }] of world.conversations) {
    const told = (world.deliveriesOf.get(conversationId) ?? []).some(({ content, acked }) => content.kind === 'final' && (acked?.last ?? -1) > answered);
    if (record.call_sid === callSid && told) ids.add(conversationId);
  }
  for (const log of world.calls.get(callSid)?.epochs.values() ?? []) {
    for (const { record } of log.readings) if (record.conversation_id !== null && record.merged_into === null) ids.add(record.conversation_id);
  }
  return ids;
};
