/** What follows from a dial: begun, answered, refused, or never answered at all. */
import { finish } from './decide-finished.ts';
import type { Draft } from './draft.ts';
import type { Fact, FactResult } from './facts.ts';
import { dialKey } from './keys.ts';
import { failedOutcome } from './outcome.ts';
import { isTerminal } from './state.ts';

type DialFact = Extract<Fact, { kind: 'dialing' | 'dial_accepted' | 'dial_failed' | 'dial_unknown' | 'needs_person' }>;

/** @returns null where the draft shows what became of it */
export const decideDial = (draft: Draft, fact: DialFact): FactResult | null => {
  if (fact.kind === 'needs_person') return decideNeedsPerson(draft);
  const key = dialKey(fact.attempt, fact.kind === 'dialing' ? 'begun' : 'answered');
  // An answer that comes after all replaces the word that none came; nothing replaces an answer.
  const known = draft.key(key);
  if (known !== undefined && (known !== 'dial_unknown' || fact.kind === 'dial_unknown')) return { result: 'duplicate' };
  draft.keys.set(key, fact.kind);
  switch (fact.kind) {
    case 'dialing':
      draft.change({ dial_attempt: fact.attempt, dialed_at: draft.now, dial_settled: draft.call.conversation_id !== null });
      draft.move('dialing', null);
      return null;
    case 'dial_accepted':
      draft.change({ dial_settled: draft.call.conversation_id !== null });
      if (draft.call.status === 'unknown') draft.move('dialing', null);
      return null;
    case 'dial_unknown':
      // A webhook may have told already that the call is on.
      if (draft.call.conversation_id === null && draft.call.status === 'dialing') draft.move('unknown', fact.reason);
      return null;
    case 'dial_failed':
      draft.change({ dial_settled: true });
      if (draft.call.conversation_id !== null || isTerminal(draft.call.status)) return { result: 'noted' };
      finish(draft, failedOutcome(fact.reason), null);
      return null;
  }
};

/** Nobody found the conversation of a dial, whether its answer never came or named none. */
const decideNeedsPerson = (draft: Draft): FactResult | null => {
  const { status, reason, conversation_id, dial_attempt } = draft.call;
  const open = conversation_id === null && dial_attempt > 0 && (status === 'unknown' || status === 'dialing');
  if (!open || reason === 'needs_person') return { result: 'ignored', why: 'settled' };
  draft.change({ status: 'unknown', reason: 'needs_person' });
  draft.emit({ type: 'call_status', status: 'unknown', previous: status, reason: 'needs_person' });
  return null;
};

/** The dial's late answer names a conversation that another call owns: this call ends and points there. */
export const merge = (draft: Draft, owner: string): void => {
  const before = draft.call.merged_into;
  draft.change({ merged_into: owner, dial_settled: true });
  if (isTerminal(draft.call.status)) draft.emit({ type: 'call_amended', changed: { merged_into: { from: before, to: owner } }, source: 'dial' });
  else finish(draft, failedOutcome('merged'), owner);
};
