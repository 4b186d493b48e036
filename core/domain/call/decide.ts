/**
 * The call machine: from the call as it is and facts about it to the events that follow. Facts come in any order and any number
 * of times; every one takes effect once. Status moves forward only, terminal is sticky, and what comes after a seal is one batch
 * that ends in a new seal.
 *
 *   requested -> dialing | unknown -> in_progress -> processing -> completed | failed
 */
import { Draft, type Decision, type DecisionInput } from './draft.ts';
import { decideDial, merge } from './decide-dial.ts';
import { decideAgentEvent, decideTurn } from './decide-live.ts';
import { decideFinished } from './decide-finished.ts';
import type { FactEntry, FactResult } from './facts.ts';
import { isTerminal } from './state.ts';

/** Pure: the same input gives the same commit. */
export const decide = (input: DecisionInput): Decision => {
  const draft = new Draft(input);
  const results = input.entries.map((entry) => decideEntry(draft, entry, input.owners));
  return { call: draft.call, details: draft.details, events: draft.events, keys: draft.keys, results };
};

const decideEntry = (draft: Draft, entry: FactEntry, owners: ReadonlyMap<string, string>): FactResult => {
  const first = draft.call.last_seq + 1;
  const before = draft.call;
  const sealed = draft.call.seal_revision;
  const elsewhere = bind(draft, entry, owners);
  const verdict = elsewhere ?? decideFact(draft, entry);
  // A call that was finished must not end in anything but a seal.
  if (sealed > 0 && draft.call.last_seq >= first && draft.call.seal_revision === sealed) draft.seal();
  if (draft.call.last_seq >= first) return verdict?.result === 'elsewhere' ? verdict : { result: 'appended', first_seq: first, last_seq: draft.call.last_seq };
  return verdict ?? (draft.call === before ? { result: 'ignored', why: 'nothing new' } : { result: 'noted' });
};

/** null: go on with the fact. */
const bind = (draft: Draft, entry: FactEntry, owners: ReadonlyMap<string, string>): FactResult | null => {
  const { call } = draft;
  if (entry.provider_call_id !== null && call.provider_call_id === null) draft.change({ provider_call_id: entry.provider_call_id });
  const conversation = entry.conversation_id;
  if (conversation === null || conversation === call.conversation_id) return null;
  if (call.merged_into !== null) return { result: 'elsewhere', call_sid: call.merged_into };
  if (call.conversation_id !== null) return { result: 'ignored', why: 'another conversation' };
  const owner = owners.get(conversation);
  if (owner !== undefined && owner !== call.call_sid) {
    if (entry.fact.kind === 'dial_accepted') merge(draft, owner);
    return { result: 'elsewhere', call_sid: owner };
  }
  draft.change({ conversation_id: conversation, dial_settled: true });
  if (call.last_seq === 0) return null;
  if (isTerminal(call.status)) draft.emit({ type: 'call_amended', changed: { conversation_id: { from: null, to: conversation } }, source: entry.source });
  else if (call.status === 'unknown') draft.move('dialing', null);
  else draft.emit({ type: 'call_status', status: call.status, previous: call.status });
  return null;
};

/** null: the draft shows what became of it. */
const decideFact = (draft: Draft, entry: FactEntry): FactResult | null => {
  const { fact } = entry;
  switch (fact.kind) {
    case 'requested':
      if (draft.call.last_seq > 0) return { result: 'duplicate' };
      draft.emit({ type: 'call_status', status: 'requested', previous: null });
      return null;
    case 'announced':
      return null;
    case 'dialing':
    case 'dial_accepted':
    case 'dial_failed':
    case 'dial_unknown':
    case 'needs_person':
      return decideDial(draft, fact);
    case 'progress':
      // The end of a call is told with its outcome, never by a bare word.
      if (!isTerminal(fact.status)) draft.move(fact.status, fact.reason);
      return null;
    case 'turn':
      return decideTurn(draft, fact);
    case 'agent_event':
      return decideAgentEvent(draft, fact);
    case 'finished':
      return decideFinished(draft, fact, entry.source);
    case 'audio_noted':
      if (draft.call.audio_noted) return { result: 'duplicate' };
      draft.change({ audio_noted: true });
      draft.move('processing', null);
      return null;
  }
};
