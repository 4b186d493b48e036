/**
 * The reconciler: compares our calls with the provider's conversations and fills in what no webhook brought. What it learns goes
 * through the same door, under the same keys, so that a webhook that comes after all is a duplicate - and so is a second pass.
 */
import type { CallState } from '../../core/domain/call/state.ts';
import { RECONCILER_LEASE_MS } from '../../core/protocol/limits.ts';
import type { Workspace } from '../../ports/directory.ts';
import type { Parts } from '../parts.ts';
import { findDials, isLost } from './find-dials.ts';
import { listConversations } from './list-conversations.ts';
import { openPass, type Pass, type Tally } from './pass.ts';
import { pollCalls } from './poll-calls.ts';

/** What the passes over all workspaces did. */
export type Reconciled = Readonly<Tally>;

/** Looks for lost dials and reads calls that have not ended. Cheap where there is none: for often. */
export const followCalls = (parts: Parts): Promise<Reconciled> => passes(parts, false);

/** As `followCalls`, and lists what began since the last time. */
export const reconcile = (parts: Parts): Promise<Reconciled> => passes(parts, true);

/** Workspaces side by side: none waits for another's provider. */
const passes = async (parts: Parts, lists: boolean): Promise<Reconciled> => {
  const workspaces = (await parts.directory.workspaces()).filter((workspace) => workspace.api_key !== null);
  const calls = await parts.callLog.active(null, Number.MAX_SAFE_INTEGER);
  const tallies = await Promise.all(workspaces.map((workspace) => guarded(parts, workspace, calls.filter((call) => call.workspace === workspace.workspace), lists)));
  return tallies.reduce(sum, NOTHING);
};

const NOTHING: Reconciled = { polled: 0, found: 0, finished: 0, settled: 0 };
const sum = (a: Reconciled, b: Reconciled): Reconciled => ({ polled: a.polled + b.polled, found: a.found + b.found, finished: a.finished + b.finished, settled: a.settled + b.settled });

/** A fault in one workspace stays there. */
const guarded = async (parts: Parts, workspace: Workspace, calls: readonly CallState[], lists: boolean): Promise<Reconciled> => {
  try {
    return await leased(parts, workspace, calls, lists);
  } catch (error) {
    parts.log.error('a workspace could not be reconciled; the next pass tries again', { workspace: workspace.workspace }, error);
    return NOTHING;
  }
};

/** One pass at a time: two would only ask twice. */
const leased = async (parts: Parts, workspace: Workspace, calls: readonly CallState[], lists: boolean): Promise<Reconciled> => {
  const now = parts.runtime.now();
  if (!lists && !calls.some((call) => call.conversation_id !== null || isLost(call, now))) return NOTHING;
  const lease = `reconcile:${workspace.workspace}`;
  const holder = parts.runtime.randomHex(8);
  if (!(await parts.directory.takeLease(lease, holder, now, now + RECONCILER_LEASE_MS))) return NOTHING;
  const pass = openPass(parts, workspace, lease, holder);
  try {
    await findDials(pass, calls);
    await pollCalls(pass, calls);
    if (lists) await listConversations(pass);
  } finally {
    // What is not released ends by itself.
    await parts.directory.releaseLease(lease, holder).catch(() => undefined);
    tell(pass);
  }
  return pass.tally;
};

/** An end that is told here first means that webhooks do not arrive; a call that is found while it runs only that nobody announces calls. */
const tell = ({ parts, workspace: { workspace }, tally, failures }: Pass): void => {
  const { found, finished, settled } = tally;
  for (const [what, count] of Object.entries({ found, finished, settled })) if (count > 0) parts.metrics.count('earshot_reconciler_additions_total', { what }, count);
  if (finished > 0) parts.log.warn('calls were finished by the reconciler: their webhooks are silent', { workspace, found, finished, settled });
  else if (found + settled > 0) parts.log.info('calls were found by the reconciler', { workspace, found, settled });
  if (failures() > 0) parts.log.warn('the provider did not answer as it should; the next pass asks again', { workspace, reads: failures() });
};
