/** Calls that a crash left between their request and the dial's answer. For a timer; a second run over the same calls changes nothing. */
import { DIAL_DRIVERS_MAX_COUNT, DIAL_POST_MAX_MS, DIAL_UNKNOWN_MAX_MS, DIALS_AT_ONCE_COUNT } from '../../core/protocol/limits.ts';
import type { Fact } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import type { Parts } from '../parts.ts';
import { isOverdue } from '../reconciler/what-is-due.ts';
import { appended } from './publish.ts';

/** A dial begun longer ago than this has had its answer, or nobody was left to hear it. */
const ANSWER_LOST_MS = DIAL_POST_MAX_MS + 30_000;
/** Before its dial begins a call waits for those of the same request that go before it. */
const NEVER_BEGUN_MS = (Math.ceil(DIAL_DRIVERS_MAX_COUNT / DIALS_AT_ONCE_COUNT) - 1) * DIAL_POST_MAX_MS + 30_000;

/** @returns how many calls were settled */
export const settleDials = async (parts: Parts): Promise<number> => {
  const now = parts.runtime.now();
  let settled = 0;
  const calls = await parts.callLog.active(null, Number.MAX_SAFE_INTEGER);
  countStuck(parts, calls, now);
  for (const call of calls) {
    const fact = overdue(call, now);
    if (fact === null) continue;
    const result = await appended(parts, () => parts.callLog.append(call.call_sid, [{ fact, source: 'reconciler', conversation_id: null, provider_call_id: null }]));
    if (result?.results[0]?.result === 'appended') settled += 1;
  }
  return settled;
};

/** As this run found them: what it settles is no longer counted by the next. */
const countStuck = ({ metrics }: Parts, calls: readonly CallState[], now: number): void => {
  const stuck = { unknown: 0, needs_person: 0, overdue: 0 };
  for (const call of calls) {
    if (call.reason === 'needs_person') stuck.needs_person += 1;
    else if (call.status === 'unknown') stuck.unknown += 1;
    else if (isOverdue(call, now)) stuck.overdue += 1;
  }
  for (const [what, count] of Object.entries(stuck)) metrics.set('earshot_calls_stuck', { what }, count);
};

const overdue = (call: CallState, now: number): Fact | null => {
  // `dialing` is committed before the POST: without it nobody was called.
  if (call.status === 'requested' && call.requested_by !== null && now - call.created_at > NEVER_BEGUN_MS) return { kind: 'dial_failed', attempt: 1, reason: 'never_dialed' };
  if (call.conversation_id !== null || call.dialed_at === null) return null;
  const age = now - call.dialed_at;
  if (call.status === 'dialing' && !call.dial_settled && age > ANSWER_LOST_MS && age <= DIAL_UNKNOWN_MAX_MS) return { kind: 'dial_unknown', attempt: call.dial_attempt, reason: 'no_answer_recorded' };
  // The answer never came, or it named no conversation and none was found.
  if ((call.status === 'unknown' || call.status === 'dialing') && call.reason !== 'needs_person' && age > DIAL_UNKNOWN_MAX_MS) return { kind: 'needs_person' };
  return null;
};
