/** Calls that have not ended, read from the provider: how far they are, and their end where no webhook told it. */
import { mayFollow } from '../../core/domain/call/draft.ts';
import type { Fact } from '../../core/domain/call/facts.ts';
import { failedOutcome } from '../../core/domain/call/outcome.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { routeConversation, type Told } from '../calls/fetch-conversation.ts';
import { routeFacts, type Routed } from '../calls/route-facts.ts';
import type { Pass } from './pass.ts';
import { factNow, isOverdue } from './what-is-due.ts';

/**
 * Overdue calls first, but never with more than half of the budget, so that they cannot starve the others; the last quarter is
 * kept for lists. Where the budget is too small the order is drawn anew in each pass, so that no call waits for ever.
 */
export const pollCalls = async (pass: Pass, calls: readonly CallState[]): Promise<void> => {
  const { runtime } = pass.parts;
  const bound = calls.filter((call) => call.conversation_id !== null);
  const now = runtime.now();
  const overdue = shuffled(bound.filter((call) => isOverdue(call, now)), runtime);
  const rest = shuffled(bound.filter((call) => !isOverdue(call, now)), runtime);
  for (const call of overdue) {
    if (!pass.may(1 / 2)) break;
    await pass.attempt(call.call_sid, () => pollCall(pass, call, true));
  }
  for (const call of rest) {
    if (!pass.may(1 / 4)) break;
    await pass.attempt(call.call_sid, () => pollCall(pass, call, false));
  }
};

const shuffled = <T>(rows: readonly T[], { random }: Runtime): T[] =>
  rows
    .map((row) => ({ row, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ row }) => row);

const pollCall = async (pass: Pass, call: CallState, overdue: boolean): Promise<void> => {
  const told = await pass.read(call.conversation_id ?? '');
  if (told === 'failed') return;
  if (told === null) {
    if (overdue && (await hasAnyList(pass))) await endGone(pass, call);
    return;
  }
  const fact = factNow(told, pass.parts.runtime.now(), overdue);
  if (isNews(call, told, fact)) countEnd(pass, fact, await routeConversation(pass.parts, { workspace: call.workspace, tenant: null }, told, fact, 'reconciler', false));
};

/** A read that tells what is known costs no transaction. */
const isNews = (call: CallState, told: Told, fact: Fact): boolean => {
  if (call.provider_call_id === null && told.provider_call_id !== null) return true;
  return fact.kind === 'progress' ? mayFollow(call.status, fact.status) : fact.kind !== 'announced';
};

/** A wrong address answers 404 to everything: only a provider that has a list is believed that it has no such conversation. */
const hasAnyList = async (pass: Pass): Promise<boolean> => (await pass.list({ cursor: null, page_size: 1 })) !== 'failed';

/** Nothing will ever be told of this call: it ends here, its words stay. Older than whatever the provider may still say after all. */
export const endGone = async (pass: Pass, call: CallState): Promise<void> => {
  const fact: Fact = { kind: 'finished', outcome: failedOutcome('conversation_not_found'), at: 0 };
  const address = { conversation_id: call.conversation_id, call_sid: call.call_sid, own_call_sid: null, provider_call_id: null, agent_id: null };
  const entry = { fact, source: 'reconciler', conversation_id: call.conversation_id, provider_call_id: null } as const;
  countEnd(pass, fact, await routeFacts(pass.parts, { workspace: call.workspace, tenant: call.tenant }, address, [entry], false));
};

/** Counts an end that no webhook told before: with it the call's first seal was set. */
export const countEnd = (pass: Pass, fact: Fact, routed: Routed): void => {
  if (fact.kind !== 'finished' || routed.routed !== 'call') return;
  if (routed.call.seal_revision === 1 && routed.results.some(({ result }) => result === 'appended')) pass.tally.finished += 1;
};
