/**
 * Call requests. One transaction creates the calls and keeps the Idempotency-Key; `dialing` is committed before the one POST; a
 * dial is never repeated. The answer is given when each dial was answered, at the latest after DIAL_ANSWER_MAX_MS.
 */
import { EarshotError, ERRORS } from '../../core/protocol/codes.ts';
import { DIAL_ANSWER_MAX_MS, DIALS_AT_ONCE_COUNT, SILENT_CALL_MAX_MS } from '../../core/protocol/limits.ts';
import type { CallState, NewCall } from '../../core/domain/call/state.ts';
import type { CreateResult, IdempotencyKey } from '../../ports/call-log.ts';
import type { Tenant, Workspace } from '../../ports/directory.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Parts } from '../parts.ts';
import { dialOnce } from './dial-once.ts';
import { publishEvents } from './publish.ts';
import { driverTargets, numberTarget, type DriversRequest, type NumberRequest, type Refusal, type Target } from './targets.ts';

export type StartRequest = { readonly drivers: DriversRequest } | NumberRequest;

export interface Started {
  /** The key was seen: these are its calls as they are now. */
  readonly repeated: boolean;
  readonly calls: readonly CallState[];
  readonly failed: readonly Refusal[];
}

/** @throws EarshotError `agent_not_found`, `idempotency_key_reused`, `call_erased`, `store_unavailable`, and for a single number or driver what keeps it from being dialled */
export const startCalls = async (parts: Parts, asker: Principal, request: StartRequest, key: IdempotencyKey | null): Promise<Started> => {
  const tenant = asker.tenant === null ? null : await parts.directory.tenant(asker.tenant);
  if (tenant === null) throw new EarshotError('forbidden');
  // First of all: what was begun under this key stays begun, whatever would be said of the request today.
  const earlier = await repeated(parts, tenant, request, key);
  if (earlier !== null) return earlier;
  const agentId = ('drivers' in request ? undefined : request.agent_id) ?? tenant.default_agent_id;
  const agent = agentId === null ? null : await parts.directory.agent(agentId);
  const workspace = agent === null || agent.tenant !== tenant.tenant ? null : await parts.directory.workspace(agent.workspace);
  if (agent === null || workspace === null) throw new EarshotError('agent_not_found');
  const { targets, failed } = await pick(parts, tenant, request);
  const room = await roomIn(parts, workspace);
  const dialled = targets.slice(0, room);
  const refused = [...failed, ...targets.slice(room).map(busy)];
  if (dialled.length === 0) {
    // The room may have been taken by this very request, sent twice at once.
    const meanwhile = await repeated(parts, tenant, request, key);
    if (meanwhile !== null) return meanwhile;
    if (!('drivers' in request)) throw new EarshotError(refused[0]?.code ?? 'server_fault');
    return { repeated: false, calls: [], failed: refused };
  }
  const created = await parts.callLog.create(dialled.map((target) => newCall(parts, asker, workspace, tenant.tenant, agent.agent_id, target)), key);
  if (created.result !== 'created') return repeatedOf(parts, tenant, request, created);
  for (const [index, call] of created.calls.entries()) await publishEvents(parts, call, created.events[index] ?? []);
  await untilAnswered(parts, workspace, created.calls, dialled);
  const calls = await Promise.all(created.calls.map(async (call) => (await parts.callLog.get(call.call_sid)) ?? call));
  return { repeated: false, calls, failed: refused };
};

const repeated = async (parts: Parts, tenant: Tenant, request: StartRequest, key: IdempotencyKey | null): Promise<Started | null> => {
  const known = key === null ? null : await parts.callLog.repeated(key);
  return known === null ? null : repeatedOf(parts, tenant, request, known);
};

/** The same key is the same calls, for ever; whoever has none of them was not called then. */
const repeatedOf = async (parts: Parts, tenant: Tenant, request: StartRequest, known: Exclude<CreateResult, { readonly result: 'created' }>): Promise<Started> => {
  if (known.result === 'key_reused') throw new EarshotError('idempotency_key_reused');
  if (known.result === 'erased') throw new EarshotError('call_erased');
  const { calls } = known;
  if (!('drivers' in request)) return { repeated: true, calls, failed: [] };
  const called = new Set(calls.map((call) => call.driver?.driverId));
  const { targets, failed } = await pick(parts, tenant, request);
  const left = targets.filter((target) => !called.has(target.driver?.driverId));
  return { repeated: true, calls, failed: [...failed.filter((refusal) => !called.has(refusal.driver_id)), ...left.map(busy)] };
};

const busy = (target: Target): Refusal => ({ driver_id: target.driver?.driverId ?? '', code: 'provider_busy', message: ERRORS.provider_busy.message });

const pick = async (parts: Parts, tenant: Tenant, request: StartRequest): Promise<{ targets: Target[]; failed: Refusal[] }> => {
  if ('drivers' in request) return driverTargets(parts, tenant, request.drivers);
  const picked = await numberTarget(parts, tenant, request);
  return 'target' in picked ? { targets: [picked.target], failed: [] } : { targets: [], failed: [picked.failed] };
};

/** How many more calls the workspace may have at once: the provider's waiting queue does not cover outbound calls. */
const roomIn = async (parts: Parts, workspace: Workspace): Promise<number> => {
  const since = parts.runtime.now() - SILENT_CALL_MAX_MS;
  const active = await parts.callLog.active(null, Number.MAX_SAFE_INTEGER);
  // A call that was silent for so long has ended without telling us: it must not keep others from being called.
  const running = active.filter((call) => call.workspace === workspace.workspace && call.status !== 'processing' && call.changed_at >= since);
  return Math.max(0, workspace.concurrency - running.length);
};

const newCall = (parts: Parts, asker: Principal, workspace: Workspace, tenant: string, agentId: string, target: Target): NewCall => {
  const time = new Date(parts.runtime.now()).toISOString();
  return {
    call_sid: target.driver === null ? `EL_call_${time}` : `EL_${target.driver.driverId}_${time}`,
    workspace: workspace.workspace,
    tenant,
    driver: target.driver,
    to_number: target.to_number,
    agent_id: agentId,
    direction: 'outbound',
    triggers_count: target.triggers.length,
    requested_by: asker.user,
  };
};

/** Dials DIALS_AT_ONCE_COUNT at a time. What is not answered in time goes on; its call tells the rest. */
const untilAnswered = async (parts: Parts, workspace: Workspace, calls: readonly CallState[], targets: readonly Target[]): Promise<void> => {
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < calls.length; index = next++) {
      const call = calls[index];
      const target = targets[index];
      if (call !== undefined && target !== undefined) await dialOnce(parts, workspace, call, variablesOf(call, target));
    }
  };
  const all = Promise.all(Array.from({ length: DIALS_AT_ONCE_COUNT }, work));
  await new Promise<void>((resolve) => {
    const timer = parts.runtime.after(DIAL_ANSWER_MAX_MS, resolve);
    void all.finally(() => {
      timer.cancel();
      resolve();
    });
  });
};

/** What comes back unchanged in the provider's webhooks, and what the agent's prompt may use. */
const variablesOf = (call: CallState, target: Target): Record<string, string | number | boolean> => ({
  ...target.variables,
  earshot_call_sid: call.call_sid,
  driver_id: target.driver?.driverId ?? '',
  driver_name: target.driver?.driverName ?? '',
  violation_types: [...new Set(target.triggers.map((trigger) => trigger.type))].join(', '),
  triggers_count: target.triggers.length,
});
