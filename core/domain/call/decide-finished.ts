/**
 * What follows from the outcome of a call. The first one finishes it: the transcript is reconciled, then call_status,
 * call_completed and call_sealed end the batch. A later, different one amends: null never replaces a value, older never replaces
 * newer, the status word stays.
 */
import type { Outcome, Fact, FactResult, FactSource, FinalTool } from './facts.ts';
import type { Draft } from './draft.ts';
import { emitAgent, lineOf } from './decide-live.ts';
import { derivedTurnId, outcomeKey, revisionKey, toolKey, turnKey, turnSameness, type TurnKey } from './keys.ts';
import { reconcileTranscript } from './reconcile-transcript.ts';
import { monitorTurnId, type StandingTurn } from './turns.ts';
import { isTerminal } from './state.ts';

type FinishedFact = Extract<Fact, { kind: 'finished' }>;

/** @returns null where the draft shows what became of it */
export const decideFinished = (draft: Draft, fact: FinishedFact, source: FactSource): FactResult | null => {
  const key = outcomeKey(fact.outcome, draft.sha256);
  if (draft.key(key) !== undefined) return { result: 'duplicate' };
  draft.keys.set(key, source);
  if (!isTerminal(draft.call.status)) {
    takeTranscript(draft, fact.outcome);
    draft.change({ outcome_at: fact.at });
    finish(draft, fact.outcome, null, source === 'import');
    return null;
  }
  const seqBefore = draft.call.last_seq;
  const older = draft.call.outcome_at !== null && secondOf(fact.at) < secondOf(draft.call.outcome_at);
  // An empty transcript that comes later is what is left after the provider removed it, not what was said.
  const empty = fact.outcome.transcript === null || fact.outcome.transcript.length === 0;
  if (!empty && !(older && draft.call.transcript_final)) takeTranscript(draft, fact.outcome);
  amend(draft, fact.outcome, older, source);
  if (!older) draft.change({ outcome_at: fact.at });
  return draft.call.last_seq === seqBefore ? { result: 'noted' } : null;
};

/** A webhook tells when it was made in whole seconds, a read knows better: within one second whatever comes later is taken for newer. */
const secondOf = (ms: number): number => Math.floor(ms / 1000);

/** Ends the call, in this order: call_status, call_completed, call_sealed. @param imported taken over from an older system: nobody heard it here */
export const finish = (draft: Draft, outcome: Outcome, mergedInto: string | null, imported = false): void => {
  const previous = draft.call.last_seq === 0 ? null : draft.call.status;
  const started = outcome.started_at ?? draft.call.started_at;
  draft.details = { analysis_data: outcome.analysis_data, metadata_json: outcome.metadata_json };
  draft.change({
    status: outcome.status,
    reason: outcome.reason,
    started_at: started,
    call_end_time: endOf(started, outcome.call_duration_seconds),
    dial_settled: true,
    direction: draft.call.direction ?? outcome.direction,
    agent_id: draft.call.agent_id ?? outcome.agent_id,
    ...pick(outcome),
  });
  draft.emit({
    type: 'call_status',
    status: outcome.status,
    previous,
    ...(outcome.reason === null ? {} : { reason: outcome.reason }),
    ...(mergedInto === null ? {} : { merged_into: mergedInto }),
  });
  draft.emit({
    type: 'call_completed',
    ...(imported ? { imported } : {}),
    data: {
      transcript_summary: outcome.transcript_summary,
      call_duration_seconds: outcome.call_duration_seconds,
      cost: outcome.cost,
      call_successful: outcome.call_successful,
      analysis_data: outcome.analysis_data,
      metadata_json: outcome.metadata_json,
      outcome: outcome.outcome,
      cost_credits: outcome.cost_credits,
      call_summary_title: outcome.call_summary_title,
      evaluation_results: outcome.evaluation_results ?? null,
      collection_results: outcome.collection_results ?? null,
      turn_count: draft.call.turn_count,
    },
  });
  draft.seal();
};

/** The outcome's fields that stand in the projection and may be amended one by one. */
const FIELDS = [
  'transcript_summary',
  'call_duration_seconds',
  'cost',
  'cost_credits',
  'call_successful',
  'outcome',
  'call_summary_title',
  'termination_reason',
] as const;

const pick = (outcome: Outcome): Pick<Outcome, (typeof FIELDS)[number]> => ({
  transcript_summary: outcome.transcript_summary,
  call_duration_seconds: outcome.call_duration_seconds,
  cost: outcome.cost,
  cost_credits: outcome.cost_credits,
  call_successful: outcome.call_successful,
  outcome: outcome.outcome,
  call_summary_title: outcome.call_summary_title,
  termination_reason: outcome.termination_reason,
});

/** A duration that no call can have gives no end: times must stay printable. */
const endOf = (startedAt: number | null, seconds: number | null): number | null =>
  startedAt === null || seconds === null || seconds < 0 || seconds > 1e9 ? null : startedAt + Math.round(seconds * 1000);

const amend = (draft: Draft, outcome: Outcome, older: boolean, source: FactSource): void => {
  const changed: Record<string, { from: unknown; to: unknown }> = {};
  const takes = <T>(from: T, to: T): boolean => to !== null && from !== to && (from === null || !older);
  for (const field of FIELDS) {
    const from = draft.call[field];
    const to = outcome[field];
    if (!takes(from, to)) continue;
    changed[field] = { from, to };
    draft.change({ [field]: to });
  }
  for (const field of ['analysis_data', 'metadata_json'] as const) {
    const from = draft.details[field];
    const to = outcome[field];
    if (!takes(from, to)) continue;
    changed[field] = { from, to };
    draft.details = { ...draft.details, [field]: to };
  }
  if (takes(draft.call.started_at, outcome.started_at)) {
    changed['started_at'] = { from: iso(draft.call.started_at), to: iso(outcome.started_at) };
    draft.change({ started_at: outcome.started_at });
  }
  if (Object.keys(changed).length === 0) return;
  draft.change({ call_end_time: endOf(draft.call.started_at, draft.call.call_duration_seconds) });
  draft.emit({ type: 'call_amended', changed, source });
};

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

/** Makes the standing turns equal the final transcript and adds the tools that nobody told of live. */
const takeTranscript = (draft: Draft, outcome: Outcome): void => {
  if (outcome.transcript === null) return;
  const { standing, revisions } = draft.turns();
  const same = new Map<string, number>();
  for (const change of reconcileTranscript(standing, outcome.transcript)) {
    if (change.change === 'retracted') {
      emitRevision(draft, change.turn, change.turn.index, change.turn.text, change.turn.time_in_call_secs, 'retracted');
      continue;
    }
    if (change.change === 'corrected') {
      emitRevision(draft, change.turn, change.index, change.final.text, change.final.time_in_call_secs ?? change.turn.time_in_call_secs, 'corrected');
      continue;
    }
    const row = change.final;
    const twin = JSON.stringify([row.speaker, row.time_in_call_secs, row.text]);
    const count = (same.get(twin) ?? 0) + 1;
    same.set(twin, count);
    const named = row.source_event_id === null ? null : monitorTurnId(row.speaker, row.source_event_id);
    const free = (id: string): boolean => !revisions.has(id) && draft.keys.get(turnKey(id)) === undefined;
    let id = named !== null && free(named) ? named : derivedTurnId(draft.call.call_sid, row.speaker, row.time_in_call_secs, row.text, count, draft.sha256);
    // An earlier final transcript may have had the very same row and a later one have taken it back.
    for (let more = 1; !free(id); more++) id = derivedTurnId(draft.call.call_sid, row.speaker, row.time_in_call_secs, row.text, `${count}.${more}`, draft.sha256);
    const turn: StandingTurn = { turn_id: id, rev: 0, index: change.index, speaker: row.speaker, text: row.text, time_in_call_secs: row.time_in_call_secs, source_event_id: null };
    emitRevision(draft, turn, change.index, row.text, row.time_in_call_secs, 'final');
  }
  const last = outcome.transcript.at(-1);
  draft.change({
    transcript_final: true,
    turn_count: outcome.transcript.length,
    next_index: outcome.transcript.length,
    last_line: last === undefined ? null : lineOf(last.speaker, last.text),
  });
  for (const tool of outcome.tools) addTool(draft, tool);
};

const emitRevision = (draft: Draft, turn: StandingTurn, index: number, text: string, time: number | null, state: 'final' | 'corrected' | 'retracted'): void => {
  const rev = turn.rev + 1;
  draft.emit({
    type: 'transcription',
    turn_id: turn.turn_id,
    rev,
    index,
    state,
    speaker: turn.speaker,
    text,
    time_in_call_secs: time,
    ...(state === 'final' ? { late: true } : {}),
  });
  const value: TurnKey = { rev, index, stands: state !== 'retracted', same: turnSameness(state, text, draft.sha256) };
  draft.keys.set(turnKey(turn.turn_id), JSON.stringify(value));
  draft.keys.set(revisionKey(turn.turn_id, rev), '1');
};

const addTool = (draft: Draft, tool: FinalTool): void => {
  for (const phase of ['tool_executing', 'tool_completed'] as const) {
    const key = toolKey(tool.tool_call_id, phase);
    if (draft.key(key) !== undefined || (phase === 'tool_completed' && !tool.completed)) continue;
    draft.keys.set(key, '1');
    emitAgent(draft, phase, {
      tool_name: tool.tool_name,
      tool_call_id: tool.tool_call_id,
      ...(phase === 'tool_completed' && tool.is_error !== null ? { is_error: tool.is_error } : {}),
      ...(phase === 'tool_completed' && tool.duration_ms !== null ? { duration_ms: tool.duration_ms } : {}),
      late: true,
    });
  }
};
