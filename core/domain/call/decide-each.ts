/** Several appends to one call in one commit: each decided on what those before it leave behind, as if they had been committed one by one. */
import type { EventFrame } from '../../protocol/frames.ts';
import { decide } from './decide.ts';
import type { Decision, DecisionInput, DraftEvent } from './draft.ts';
import type { FactEntry, FactResult } from './facts.ts';
import type { CallState } from './state.ts';
import type { HistoryEvent } from './turns.ts';

export interface EachInput extends Omit<DecisionInput, 'entries'> {
  /** The entries of each append, in the order of their arrival. */
  readonly units: readonly (readonly FactEntry[])[];
}

/** What one of them did. */
export interface UnitOutcome {
  /** The call after it. */
  readonly call: CallState;
  readonly results: readonly FactResult[];
  readonly events: readonly DraftEvent[];
}

export interface EachDecision extends Omit<Decision, 'results'> {
  /** One for each unit, in order. */
  readonly outcomes: readonly UnitOutcome[];
}

/** Pure: the same input gives the same commit. */
export const decideEach = (input: EachInput): EachDecision => {
  let { call, details, history } = input;
  const seen = new Map(input.seen);
  const keys = new Map<string, string>();
  const events: DraftEvent[] = [];
  const outcomes = input.units.map((entries): UnitOutcome => {
    const decision = decide({ ...input, entries, call, details, history, seen });
    call = decision.call;
    details = decision.details;
    history = history === null ? null : [...history, ...decision.events.map(asHistory)];
    events.push(...decision.events);
    for (const [key, value] of decision.keys) {
      keys.set(key, value);
      seen.set(key, value);
    }
    return { call, results: decision.results, events: decision.events };
  });
  return { call, details, events, keys, outcomes };
};

const asHistory = ({ text, whole_text }: DraftEvent): HistoryEvent => ({ event: JSON.parse(text) as EventFrame, whole_text });
