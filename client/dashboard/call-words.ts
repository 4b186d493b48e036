/** What happens in a call, in a dispatcher's words. */
import type { CallView, Outcome, ShownStatus, ShownTool, Trust } from '../view.ts';
import { delayText, dollars } from './numbers.ts';

/** A call that nobody asked Earshot for: somebody phoned the agent, or it was dialed elsewhere. */
export const UNNAMED_CALL = 'Call not started here';

/** How much of the call is on the screen. */
export const TRUST_WORDS: Readonly<Record<Trust, string>> = {
  arriving: 'Still arriving',
  complete: 'Complete, proved',
  cannot_prove: 'Complete, not proved',
  missing: 'Something is missing',
};

export const TRUST_SENTENCES: Readonly<Record<Trust, string>> = {
  arriving: 'The call is not over, or its record is not finished yet.',
  complete: 'This page has checked every event of the call against its seal: nothing is missing, and nothing was changed on the way.',
  cannot_prove: 'Everything that was announced has come. This browser cannot compute the check that would prove it.',
  missing: 'What is shown does not match the seal of the call, or events are gone from the record.',
};

/** Why a call ended or failed, from the words of the phone service and ours; others are shown as they came. */
const REASONS: Readonly<Record<string, string>> = {
  busy: 'the line was busy',
  'no-answer': 'nobody picked up',
  no_answer: 'nobody picked up',
  voicemail: 'voicemail picked up',
  unknown: 'no reason was given',
  failed: 'no reason was given',
  never_dialed: 'it was never dialed',
  no_answer_recorded: 'the phone service did not say whether it dialed',
  no_answer_in_time: 'the phone service did not answer in time, so it may have dialed',
  connection_lost: 'the connection to the phone service broke, so it may have dialed',
  rate_limited: 'the phone service had too many requests',
  workspace_misconfigured: 'the phone service is not set up completely: tell an administrator',
  conversation_not_found: 'the phone service does not know the call',
  answer_not_understood: 'the answer of the phone service was not understood, so it may have dialed',
  not_successful: 'the phone service refused it',
  provider_unreachable: 'the phone service could not be reached',
  no_api_key: 'the phone service is not set up: tell an administrator',
  no_phone_number_id: 'there is no number to call from: tell an administrator',
  merged: 'it turned out to be another call',
  needs_person: 'nobody could find out whether it was dialed: somebody should look',
};

export const reasonText = (reason: string): string => REASONS[reason] ?? httpReason(reason) ?? reason;

/** Of an answer that says no more than its number, such as `http_502`. */
const httpReason = (reason: string): string | null => {
  const kind = /^http_([45])\d\d$/.exec(reason)?.[1];
  if (kind === undefined) return null;
  return kind === '5' ? 'the phone service had a fault, so it may have dialed' : 'the phone service refused it';
};

/** The same at the beginning of a line. */
export const reasonSentence = (reason: string): string => {
  const text = reasonText(reason);
  return text.slice(0, 1).toUpperCase() + text.slice(1);
};

/** How a call came to its end, from ElevenLabs' words; others are shown as they came. */
const ENDINGS: Readonly<Record<string, string>> = {
  'call ended by remote party': 'The other side hung up',
  'end_call tool was called': 'The agent hung up',
  'call ended by monitoring command': 'It was ended from outside',
  'voicemail detected': 'Voicemail picked up',
};

export const endingText = (ending: string): string => ENDINGS[ending.toLowerCase().replace(/\.$/, '')] ?? ending;

const STATUS_LINES: Readonly<Record<ShownStatus['status'], string>> = {
  requested: 'Call asked for',
  dialing: 'Dialing',
  unknown: 'Not clear whether it was dialed',
  in_progress: 'Picked up',
  processing: 'Hung up, the summary is being made',
  completed: 'Call ended',
  failed: 'Call failed',
};

/** One line of the transcript for a change of status. */
export const statusLine = ({ status, reason }: ShownStatus): string => `${STATUS_LINES[status]}${reason === null ? '' : `: ${reasonText(reason)}`}`;

/** `look_up_violation` as a person would write it. */
export const toolName = (name: string | null): string => (name ?? 'a tool').replaceAll('_', ' ');

/** How it went, after its name. */
export const toolResult = (tool: ShownTool): string => {
  const took = tool.durationMs === null ? '' : `, ${delayText(tool.durationMs)}`;
  if (tool.endedAt === null) return 'running ...';
  return `${tool.failed ? 'failed' : 'done'}${took}`;
};

/** What the agent does now; null: nothing that is worth a line. */
export const activityText = ({ activity, status }: CallView): string | null => {
  if (activity === null || status !== 'in_progress') return null;
  if (activity.type === 'agent_thinking') return 'Agent is thinking ...';
  if (activity.type === 'tool_executing') return `Agent is using ${toolName(activity.tool)} ...`;
  return null;
};

/** How the call went, in a word. */
export const outcomeText = ({ call_successful, outcome }: Outcome): string => {
  if (call_successful === true) return 'Succeeded';
  if (call_successful === false) return 'Did not succeed';
  return outcome === null || outcome === 'unknown' ? 'Not judged' : outcome;
};

const FIELD_WORDS: Readonly<Record<string, string>> = {
  transcript_summary: 'summary',
  call_duration_seconds: 'duration',
  cost: 'cost',
  cost_credits: 'cost in credits',
  call_successful: 'success',
  outcome: 'outcome',
  call_summary_title: 'title',
  termination_reason: 'how it ended',
  started_at: 'start',
  analysis_data: 'analysis',
  metadata_json: 'details from the phone service',
};

export const fieldText = (field: string): string => FIELD_WORDS[field] ?? field.replaceAll('_', ' ');

/** A value of an amended field. Those that are whole documents have no short form: null. */
export const valueText = (field: string, value: unknown): string | null => {
  if (field === 'analysis_data' || field === 'metadata_json') return null;
  if (value === null || value === undefined) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return field === 'cost' ? dollars(value) : field === 'call_duration_seconds' ? `${value} s` : String(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** One result of what the agent was to judge or to find out. */
export interface Finding {
  readonly name: string;
  readonly value: string;
  readonly rationale: string | null;
}

/** The provider's evaluation or collection results, whatever shape they have; nothing where there are none. */
export const findingsOf = (results: unknown): readonly Finding[] => {
  if (typeof results !== 'object' || results === null) return [];
  return Object.entries(results).map(([name, found]: readonly [string, unknown]) => {
    const fields = typeof found === 'object' && found !== null ? (found as Readonly<Record<string, unknown>>) : { value: found };
    const value = fields['result'] ?? fields['value'] ?? null;
    const rationale = fields['rationale'];
    return { name: name.replaceAll('_', ' '), value: foundText(value), rationale: typeof rationale === 'string' && rationale !== '' ? rationale : null };
  });
};

const foundText = (value: unknown): string => {
  if (value === null) return 'none';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'string' ? value : JSON.stringify(value);
};

/** Why the relay does not show the call. */
export const refusalText = (code: string): string => {
  if (code === 'call_erased') return 'This call was erased. Nothing of it is kept.';
  if (code === 'call_not_found') return 'There is no such call, or it is not one that you may see.';
  if (code === 'forbidden' || code === 'access_revoked') return 'Your role does not allow you to see calls.';
  if (code === 'too_many_subscriptions') return 'Too many calls are open at once on this page. Reload it.';
  return 'The call cannot be shown just now.';
};
