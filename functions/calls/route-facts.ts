/**
 * Which call do these facts belong to? One conversation is one call: its owner; else the call we asked for (our id came back in
 * the dynamic variables, or the carrier's call id); else a dial may still claim it, so they wait; else it is adopted.
 */
import type { FactEntry, FactResult } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { UNBOUND_DIAL_WAIT_MS } from '../../core/protocol/limits.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { AppendResult } from '../../ports/call-log.ts';
import type { Parts } from '../parts.ts';
import { eraseCall } from './end-and-erase.ts';
import { forgetErased } from './forget-erased.ts';
import { appended } from './publish.ts';

/** What a delivery says of where it belongs. */
export interface Address {
  readonly conversation_id: string | null;
  /** Named by the sender itself (ingest). */
  readonly call_sid: string | null;
  /** Ours, as it came back in the dynamic variables. */
  readonly own_call_sid: string | null;
  readonly provider_call_id: string | null;
  readonly agent_id: string | null;
}

/** Who verified it: it may touch only this workspace and, where set, this tenant. */
export interface Reach {
  readonly workspace: string;
  readonly tenant: string | null;
}

export type Routed =
  | { readonly routed: 'call'; readonly call: CallState; readonly results: readonly FactResult[] }
  /** A dial without a conversation may own it. `tenant`: its agent's, where it names one. */
  | { readonly routed: 'waiting'; readonly tenant: string | null }
  /** Nobody's: its agent is not known. */
  | { readonly routed: 'unassigned' }
  /** It belongs to another workspace or tenant than what verified it. */
  | { readonly routed: 'foreign' }
  /** It names a call or conversation that was erased: nothing brings it back. */
  | { readonly routed: 'erased' }
  /** More than one commit to the log holds; nothing of it was appended. `tenant`: its agent's, where it names one. */
  | { readonly routed: 'too_large'; readonly tenant: string | null }
  /** It names a call of ours that does not exist. */
  | { readonly routed: 'unknown_call' };

/**
 * Appends the facts to their call. Where that was erased, what was kept of it before the log knew that goes as well.
 * @param mayWait whether a dial without a conversation may still claim theirs
 * @throws EarshotError `store_unavailable`
 */
export const routeFacts = async (parts: Parts, reach: Reach, address: Address, entries: readonly FactEntry[], mayWait = true): Promise<Routed> => {
  const routed = await routeOrStop(parts, reach, address, entries, mayWait);
  if (routed.routed === 'erased') await forgetErased(parts, [address.call_sid, address.conversation_id]);
  return routed;
};

const routeOrStop = async (parts: Parts, reach: Reach, address: Address, entries: readonly FactEntry[], mayWait: boolean): Promise<Routed> => {
  try {
    return await route(parts, reach, address, entries, mayWait);
  } catch (error) {
    if (error instanceof EarshotError && error.code === 'call_erased') return { routed: 'erased' };
    if (!(error instanceof EarshotError) || error.code !== 'payload_too_large') throw error;
    parts.log.warn('facts are more than one commit to the log holds, and were left out', { conversation_id: address.conversation_id });
    return { routed: 'too_large', tenant: await tenantOf(parts, reach, address) };
  }
};

const tenantOf = async (parts: Parts, reach: Reach, { agent_id }: Address): Promise<string | null> => {
  const agent = agent_id === null ? null : await parts.directory.agent(agent_id);
  return reach.tenant ?? (agent?.workspace === reach.workspace ? agent.tenant : null);
};

const route = async (parts: Parts, reach: Reach, address: Address, entries: readonly FactEntry[], mayWait: boolean): Promise<Routed> => {
  const conversationId = address.conversation_id;
  const known = address.call_sid ?? conversationId;
  const found = known === null ? null : await parts.callLog.find(known);
  if (found === 'erased') return { routed: 'erased' };
  if (found !== null) {
    const routed = await appendTo(parts, reach, found, address, named(found, address, entries));
    return routed.routed === 'call' && (await settleAsked(parts, routed.call, address)) === 'erased' ? { routed: 'erased' } : routed;
  }
  // A sender that names a call by our id means exactly that one.
  if (conversationId === null) return { routed: 'unknown_call' };
  const asked = await askedFor(parts, reach, address);
  if (asked === 'erased') return stopped(parts, reach, conversationId, address);
  if (asked !== null) {
    const routed = await appendTo(parts, reach, asked, address, entries);
    if (routed.routed !== 'call' || !routed.results.some((result) => result.result === 'ignored' && result.why === 'another conversation')) return routed;
  }
  return adoptOrWait(parts, reach, conversationId, address, entries, mayWait);
};

/**
 * The call was erased before anybody knew its conversation: as a late answer of its dial would, this stops the conversation too.
 * Only for whoever could have had the conversation adopted: its agent is of the workspace that verified this.
 */
const stopped = async (parts: Parts, reach: Reach, conversation_id: string, { own_call_sid, agent_id }: Address): Promise<Routed> => {
  const agent = agent_id === null ? null : await parts.directory.agent(agent_id);
  if (own_call_sid !== null && agent?.workspace === reach.workspace) {
    await parts.callLog.append(own_call_sid, [{ fact: { kind: 'dial_accepted', attempt: 1 }, source: 'dial', conversation_id, provider_call_id: null }]);
  }
  return { routed: 'erased' };
};

/**
 * The dial's answer never came, its conversation was adopted, and now the provider says whose dial it was: as a late answer would have.
 * Was that call erased meanwhile, then this is what is left of it, and goes as well.
 */
const settleAsked = async (parts: Parts, owner: CallState, { own_call_sid, conversation_id }: Address): Promise<'erased' | null> => {
  if (own_call_sid === null || own_call_sid === owner.call_sid || conversation_id !== owner.conversation_id) return null;
  const asked = await parts.callLog.get(own_call_sid);
  // Only what was adopted can be left of another call: what we dialled ourselves is its own.
  if (asked === null && owner.requested_by === null && (await parts.callLog.find(own_call_sid)) === 'erased') {
    await eraseCall(parts, owner);
    return 'erased';
  }
  if (asked === null || asked.workspace !== owner.workspace || asked.tenant !== owner.tenant) return null;
  if (asked.dial_attempt === 0 || asked.conversation_id !== null || asked.merged_into !== null) return null;
  const fact = { kind: 'dial_accepted', attempt: asked.dial_attempt } as const;
  await appended(parts, () => parts.callLog.append(asked.call_sid, [{ fact, source: 'webhook', conversation_id, provider_call_id: null }]));
  return null;
};

/** Older callers put a call_sid where a conversation_id belongs: it names the call, but is no conversation to bind. */
const named = (found: CallState, { call_sid, conversation_id }: Address, entries: readonly FactEntry[]): readonly FactEntry[] => {
  const isConversation = call_sid !== null ? conversation_id !== call_sid : conversation_id === found.conversation_id;
  return isConversation ? entries : entries.map((entry) => ({ ...entry, conversation_id: null }));
};

/** The call that we asked the provider for and that has no conversation yet. */
const askedFor = async (parts: Parts, reach: Reach, address: Address): Promise<CallState | 'erased' | null> => {
  const own = address.own_call_sid === null ? null : await parts.callLog.find(address.own_call_sid);
  if (own === 'erased') return 'erased';
  const carried = own ?? (address.provider_call_id === null ? null : await parts.callLog.findByProviderCall(reach.workspace, address.provider_call_id));
  return carried === null || carried.workspace !== reach.workspace || carried.conversation_id !== null ? null : carried;
};

/** Owners of conversations point at no third call, mergers at an owner; the bound is for a log that was tampered with. */
const HOPS_MAX_COUNT = 4;

const appendTo = async (parts: Parts, reach: Reach, call: CallState, address: Address, entries: readonly FactEntry[]): Promise<Routed> => {
  let to: CallState | null = call;
  for (let hop = 0; to !== null && hop < HOPS_MAX_COUNT; hop++) {
    // Wherever the log points on to, the sender has to be allowed there as well.
    if (!(await mayTouch(parts, reach, to, address))) return { routed: 'foreign' };
    const { call_sid } = to;
    const result: AppendResult | null = await appended(parts, () => parts.callLog.append(call_sid, entries));
    if (result === null) break;
    const elsewhere = result.results.find((entry) => entry.result === 'elsewhere');
    if (elsewhere === undefined) return { routed: 'call', call: result.call, results: result.results };
    to = await parts.callLog.get(elsewhere.call_sid);
  }
  return { routed: 'erased' };
};

/** A secret verifies a whole workspace: which of its tenants is meant only the agent says, or the call that has this very agent. */
const mayTouch = async (parts: Parts, reach: Reach, call: CallState, { agent_id }: Address): Promise<boolean> => {
  if (call.workspace !== reach.workspace) return false;
  if (reach.tenant !== null) return call.tenant === reach.tenant;
  if (agent_id === null || agent_id === call.agent_id) return true;
  const agent = await parts.directory.agent(agent_id);
  return agent === null || agent.tenant === call.tenant;
};

const adoptOrWait = async (parts: Parts, reach: Reach, conversationId: string, address: Address, entries: readonly FactEntry[], mayWait: boolean): Promise<Routed> => {
  const agent = address.agent_id === null ? null : await parts.directory.agent(address.agent_id);
  if (agent !== null && (agent.workspace !== reach.workspace || (reach.tenant !== null && agent.tenant !== reach.tenant))) return { routed: 'foreign' };
  const tenant = agent?.tenant ?? reach.tenant;
  if (mayWait) {
    const dials = await parts.callLog.unboundDials(reach.workspace, address.agent_id, parts.runtime.now() - UNBOUND_DIAL_WAIT_MS);
    if (dials.some((call) => tenant === null || call.tenant === tenant)) return { routed: 'waiting', tenant };
  }
  if (tenant === null) return { routed: 'unassigned' };
  const result = await appended(parts, () =>
    parts.callLog.adopt(
      conversationId,
      {
        call_sid: `EL_${conversationId}`,
        workspace: reach.workspace,
        tenant,
        driver: null,
        to_number: null,
        agent_id: address.agent_id,
        direction: null,
        triggers_count: 0,
        requested_by: null,
      },
      entries,
    ),
  );
  if (result.call.workspace !== reach.workspace || result.call.tenant !== tenant) return { routed: 'foreign' };
  return { routed: 'call', call: result.call, results: result.results };
};
