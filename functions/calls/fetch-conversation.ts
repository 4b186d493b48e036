/** One conversation read from the provider and put into the log, as its webhook would have been. */
import { outcomeOf, ownCallSid, idText, providerCallId, statusOf } from '../../core/domain/elevenlabs/conversation.ts';
import { asRecord } from '../../core/domain/elevenlabs/json.ts';
import type { Fact, FactSource } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Parts } from '../parts.ts';
import { routeFacts, type Reach, type Routed } from './route-facts.ts';

/**
 * Reads the conversation with the workspace's key and routes what it says.
 * @returns null where the provider has none of this id
 * @throws EarshotError `provider_unavailable`, `store_unavailable`
 */
export const fetchIntoLog = async (parts: Parts, reach: Reach, conversationId: string, source: FactSource): Promise<Routed | null> => {
  const workspace = await parts.directory.workspace(reach.workspace);
  if (workspace === null) return null;
  const answer = await parts.provider.conversation(workspace, conversationId);
  if (answer === null) return null;
  const data = asRecord(answer);
  const carrier = providerCallId(data);
  const fact = factOf(data, parts.runtime.now());
  const agentId = idText(data['agent_id']);
  // Only its agent says whose a conversation is: asking for it does not make it the asker's.
  const agent = agentId === null ? null : await parts.directory.agent(agentId);
  return routeFacts(
    parts,
    agent === null ? { workspace: reach.workspace, tenant: null } : reach,
    { conversation_id: conversationId, call_sid: null, own_call_sid: ownCallSid(data), provider_call_id: carrier, agent_id: agentId },
    [{ fact, source, conversation_id: conversationId, provider_call_id: carrier }],
    // The provider itself told of it: what it says of its dial is in these facts.
    false,
  );
};

const factOf = (data: Readonly<Record<string, unknown>>, now: number): Fact => {
  const status = statusOf(data['status']);
  if (status === 'completed' || status === 'failed') return { kind: 'finished', outcome: outcomeOf(data, status), at: now };
  return status === null ? { kind: 'announced' } : { kind: 'progress', status, reason: null };
};

/**
 * `GET /conversations/{id}/fetch`: a conversation whose agent is the caller's tenant's. Somebody else's is as absent as none.
 * @throws EarshotError `conversation_not_found`, `provider_unavailable`, `store_unavailable`
 */
export const fetchConversation = async (parts: Parts, asker: Principal, conversationId: string): Promise<CallState> => {
  const tenant = asker.tenant;
  if (tenant === null) throw new EarshotError('conversation_not_found');
  const known = await parts.callLog.find(conversationId);
  // Nothing tells any more whose an erased one was.
  if (known === 'erased' || (known !== null && known.tenant !== tenant)) throw new EarshotError('conversation_not_found');
  const id = known?.conversation_id ?? conversationId;
  for (const workspace of await workspacesOf(parts, tenant)) {
    const routed = await fetchIntoLog(parts, { workspace, tenant }, id, 'fetch');
    if (routed?.routed === 'call' && routed.call.tenant === tenant) return routed.call;
  }
  throw new EarshotError('conversation_not_found');
};

const workspacesOf = async (parts: Parts, tenant: string): Promise<string[]> => [...new Set((await parts.directory.agents(tenant)).map((agent) => agent.workspace))];
