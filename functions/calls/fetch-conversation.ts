/** One conversation read from the provider and put into the log, as its webhook would have been. */
import { outcomeOf, ownCallSid, idText, providerCallId, statusOf } from '../../core/domain/elevenlabs/conversation.ts';
import { asRecord } from '../../core/domain/elevenlabs/json.ts';
import type { Fact, FactSource, Outcome } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Workspace } from '../../ports/directory.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Parts } from '../parts.ts';
import { routeFacts, type Reach, type Routed } from './route-facts.ts';

/** What the provider tells of one conversation. */
export interface Told {
  readonly conversation_id: string;
  readonly agent_id: string | null;
  /** Ours, as it came back in the dynamic variables. */
  readonly own_call_sid: string | null;
  readonly provider_call_id: string | null;
  /** How far it is, or how it ended. */
  readonly fact: Fact;
  /** When it was over, milliseconds; null: it is not, or that is not told. */
  readonly ended_at: number | null;
}

/**
 * Reads the conversation with the workspace's key.
 * @returns null where the provider has none of this id
 * @throws EarshotError `provider_unavailable`
 */
export const readConversation = async (parts: Parts, workspace: Workspace, conversationId: string): Promise<Told | null> => {
  // Taken before: the answer is at least as new.
  const at = parts.runtime.now();
  const answer = await parts.provider.conversation(workspace, conversationId);
  if (answer === null) return null;
  const data = asRecord(answer);
  const fact = factOf(data, at);
  return {
    conversation_id: conversationId,
    agent_id: idText(data['agent_id']),
    own_call_sid: ownCallSid(data),
    provider_call_id: providerCallId(data),
    fact,
    ended_at: fact.kind === 'finished' ? endOf(fact.outcome) : null,
  };
};

const factOf = (data: Readonly<Record<string, unknown>>, at: number): Fact => {
  const status = statusOf(data['status']);
  if (status === 'completed' || status === 'failed') return { kind: 'finished', outcome: outcomeOf(data, status), at };
  return status === null ? { kind: 'announced' } : { kind: 'progress', status, reason: null };
};

const endOf = ({ started_at, call_duration_seconds: seconds }: Outcome): number | null => (started_at === null || seconds === null || seconds < 0 ? null : started_at + seconds * 1000);

/**
 * Brings what was told to its call.
 * @param reach `tenant` null: whoever its agent belongs to
 * @param mayWait whether a dial without a conversation, of the same agent, may still claim it
 * @throws EarshotError `store_unavailable`
 */
export const routeConversation = async (parts: Parts, reach: Reach, told: Told, fact: Fact, source: FactSource, mayWait: boolean): Promise<Routed> => {
  // Only its agent says whose a conversation is: asking for it does not make it the asker's.
  const agent = told.agent_id === null ? null : await parts.directory.agent(told.agent_id);
  const { conversation_id, own_call_sid, provider_call_id, agent_id } = told;
  return routeFacts(
    parts,
    agent === null ? { workspace: reach.workspace, tenant: null } : reach,
    { conversation_id, call_sid: null, own_call_sid, provider_call_id, agent_id },
    [{ fact, source, conversation_id, provider_call_id }],
    mayWait,
  );
};

/**
 * Reads the conversation and routes what it says, its end included.
 * @returns null where the provider has none of this id
 * @throws EarshotError `provider_unavailable`, `store_unavailable`
 */
export const fetchIntoLog = async (parts: Parts, reach: Reach, conversationId: string, source: FactSource): Promise<Routed | null> => {
  const workspace = await parts.directory.workspace(reach.workspace);
  const told = workspace === null ? null : await readConversation(parts, workspace, conversationId);
  // It waits for no dial: what the provider says of that is in these facts.
  return told === null ? null : routeConversation(parts, reach, told, told.fact, source, false);
};

/**
 * `GET /conversations/{id}/fetch`: a conversation whose agent is the caller's tenant's. Somebody else's is as absent as none.
 * @throws EarshotError `conversation_not_found`, `payload_too_large` (more than one commit holds), `provider_unavailable`, `store_unavailable`
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
    if (routed?.routed === 'too_large') throw new EarshotError('payload_too_large');
  }
  throw new EarshotError('conversation_not_found');
};

const workspacesOf = async (parts: Parts, tenant: string): Promise<string[]> => [...new Set((await parts.directory.agents(tenant)).map((agent) => agent.workspace))];
