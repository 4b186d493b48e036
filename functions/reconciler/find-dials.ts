/** Dials whose conversation nobody named: looked for by our own id, which the provider was given with the dial. */
import { isTerminal, type CallState } from '../../core/domain/call/state.ts';
import { DIALING_MAX_MS } from '../../core/protocol/limits.ts';
import { routeConversation } from '../calls/fetch-conversation.ts';
import { redriveWaiting } from '../calls/redrive.ts';
import type { Pass } from './pass.ts';
import { countEnd, endGone } from './poll-calls.ts';
import { factNow, isOverdue } from './what-is-due.ts';

/** One dial makes one conversation; a provider that does not know the filter lists them all. */
const ROWS = 5;

/** Looks for each of these calls that has lost its conversation. */
export const findDials = async (pass: Pass, calls: readonly CallState[]): Promise<void> => {
  const now = pass.parts.runtime.now();
  for (const call of calls.filter((one) => isLost(one, now))) {
    if (!pass.may(1 / 2)) break;
    await pass.attempt(call.call_sid, () => findDial(pass, call));
  }
};

/** Its answer never came, or it is taking too long to name a conversation. One that a person was asked about is left to the lists. */
export const isLost = (call: CallState, now: number): boolean => {
  if (call.conversation_id !== null || call.dialed_at === null || isTerminal(call.status) || call.reason === 'needs_person') return false;
  return call.status === 'unknown' || now - call.dialed_at > DIALING_MAX_MS;
};

const findDial = async (pass: Pass, call: CallState): Promise<void> => {
  const page = await pass.list({ cursor: null, page_size: ROWS, dynamic_variable: { name: 'earshot_call_sid', value: call.call_sid } });
  if (page === 'failed') return;
  let unread = false;
  for (const { conversation_id } of page.conversations) {
    const told = pass.may(1 / 4) ? await pass.read(conversation_id) : 'failed';
    if (told === 'failed') unread = true;
    if (told === 'failed' || told?.own_call_sid !== call.call_sid) continue;
    const now = pass.parts.runtime.now();
    const fact = factNow(told, now, isOverdue(call, now));
    const routed = await routeConversation(pass.parts, { workspace: call.workspace, tenant: call.tenant }, told, fact, 'reconciler', false);
    if (routed.routed !== 'call') continue;
    countEnd(pass, fact, routed);
    pass.tally.settled += 1;
    await redriveWaiting(pass.parts, conversation_id);
    return;
  }
  // Words came by our own id, and then nothing more: there is no conversation from which the end could be learned.
  const talked = call.status === 'in_progress' || call.status === 'processing';
  if (talked && !unread && isOverdue(call, pass.parts.runtime.now())) await endGone(pass, call);
};
