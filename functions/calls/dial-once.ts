import type { Fact } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { DialAnswer } from '../../ports/voice-provider.ts';
import type { Workspace } from '../../ports/directory.ts';
import type { Parts } from '../parts.ts';
import { forgetErased } from './forget-erased.ts';
import { appended } from './publish.ts';
import { redriveWaiting } from './redrive.ts';

/** The only attempt: an answer that never came is settled by looking the call up, never by another POST. */
const ATTEMPT = 1;

/** Commits `dialing`, sends the one POST, commits its answer. Never rejects: a fault of the store leaves the dial to be settled later. */
export const dialOnce = async (parts: Parts, workspace: Workspace, call: CallState, variables: Readonly<Record<string, string | number | boolean>>): Promise<void> => {
  try {
    const begun = await append(parts, call, { kind: 'dialing', attempt: ATTEMPT }, null, null);
    // Somebody else dialled it already: a phone must not ring twice.
    if (begun?.results[0]?.result !== 'appended') return;
    const answer = await parts.provider.dial(workspace, { agent_id: call.agent_id ?? '', to_number: call.to_number ?? '', dynamic_variables: variables });
    parts.metrics.count('earshot_dials_total', { result: answer.result });
    await saveAnswer(parts, call, answer);
  } catch (error) {
    parts.log.error('a dial could not be recorded; it will be settled', { call_sid: call.call_sid }, error);
  }
};

const saveAnswer = async (parts: Parts, call: CallState, answer: DialAnswer): Promise<void> => {
  switch (answer.result) {
    case 'accepted':
      await bind(parts, call, answer);
      if (answer.conversation_id !== null) await redriveWaiting(parts, answer.conversation_id);
      return;
    case 'refused':
      await append(parts, call, { kind: 'dial_failed', attempt: ATTEMPT, reason: answer.reason }, null, null);
      return;
    case 'unknown':
      await append(parts, call, { kind: 'dial_unknown', attempt: ATTEMPT, reason: answer.reason }, null, null);
  }
};

const bind = async (parts: Parts, call: CallState, answer: Extract<DialAnswer, { result: 'accepted' }>): Promise<void> => {
  try {
    await append(parts, call, { kind: 'dial_accepted', attempt: ATTEMPT }, answer.conversation_id, answer.provider_call_id);
  } catch (error) {
    // Erased while its phone rang: only now it is known whose conversation this was.
    if (error instanceof EarshotError && error.code === 'call_erased') await forgetErased(parts, [answer.conversation_id]);
    throw error;
  }
};

const append = (parts: Parts, call: CallState, fact: Fact, conversationId: string | null, providerCallId: string | null) =>
  appended(parts, () => parts.callLog.append(call.call_sid, [{ fact, source: 'dial', conversation_id: conversationId, provider_call_id: providerCallId }]));
