/**
 * The script player: which script, hence what happens at which millisecond of a call. Pure: the same script and words
 * give the same timeline, so a call that a restart interrupted goes on from the number of its next step.
 */
import type { Script, SpokenLine, ToolLine } from './scripts.ts';

const RINGING_MS = 2_500;
const WORD_MS = 310;
const PAUSE_MS = 600;
const CORRECTION_MS = 400;
const ANALYSIS_MS = 2_000;

export interface Turn {
  readonly turn_id: string;
  readonly rev: number;
  readonly state: 'interim' | 'final' | 'corrected';
  readonly speaker: 'agent' | 'driver';
  readonly text: string;
  readonly time_in_call_secs: number;
  /** Number of the exchange in the monitoring; the speakers share them. */
  readonly event_id: number;
}

export interface ToolUse {
  readonly tool_call_id: string;
  readonly event_id: number;
  readonly line: ToolLine;
}

/** `at_ms` counts from the dial. */
export type Step =
  | { readonly at_ms: number; readonly kind: 'answered' }
  /** The agent's words are known before they are spoken. */
  | { readonly at_ms: number; readonly kind: 'agent_response'; readonly text: string; readonly event_id: number }
  | { readonly at_ms: number; readonly kind: 'turn'; readonly turn: Turn; readonly replaces: string | null }
  | { readonly at_ms: number; readonly kind: 'tool'; readonly phase: 'executing' | 'completed'; readonly use: ToolUse }
  | { readonly at_ms: number; readonly kind: 'hung_up' }
  | { readonly at_ms: number; readonly kind: 'not_connected'; readonly reason: FailureReason }
  | { readonly at_ms: number; readonly kind: 'analysed' };

export type FailureReason = 'busy' | 'no-answer' | 'unknown';

/** A row of the final transcript, known once `until_ms` has passed. */
export interface FinalRow {
  readonly until_ms: number;
  readonly role: 'agent' | 'user';
  readonly time_in_call_secs: number;
  readonly event_id: number;
  readonly message: string | null;
  /** What the agent would have said, had nobody cut in. */
  readonly original_message: string | null;
  readonly tool: { readonly part: 'call' | 'result'; readonly use: ToolUse } | null;
}

export interface Timeline {
  readonly steps: readonly Step[];
  readonly rows: readonly FinalRow[];
  readonly answered_ms: number | null;
  readonly ended_ms: number;
}

/**
 * Plays a script.
 * @param driverName fills in `{driver_name}`
 * @param toolCallPrefix makes tool call ids unique among calls
 */
export const play = (script: Script, driverName: string, toolCallPrefix: string): Timeline => {
  const steps: Step[] = [{ at_ms: RINGING_MS, kind: 'answered' }];
  const rows: FinalRow[] = [];
  const used = { agent: 0, driver: 0 };
  let at = RINGING_MS;
  let exchange = 1;
  let number = 0;
  for (const line of script.lines) {
    at += PAUSE_MS;
    number += 1;
    const speaker = 'tool' in line ? 'agent' : line.who;
    if (used[speaker] >= exchange || (speaker === 'driver' && used.agent > 0)) exchange = Math.max(used[speaker], used.agent) + 1;
    used[speaker] = exchange;
    const place = { at, number, event_id: exchange, seconds: Math.floor((at - RINGING_MS) / 1_000) };
    const played = 'tool' in line
      ? useTool(line, place, toolCallPrefix)
      : say({ ...line, text: named(line.text, driverName), ...(line.heard === undefined ? {} : { heard: named(line.heard, driverName) }) }, place);
    steps.push(...played.steps);
    rows.push(...played.rows);
    at = played.until_ms;
  }
  at += PAUSE_MS;
  steps.push({ at_ms: at, kind: 'hung_up' }, { at_ms: at + ANALYSIS_MS, kind: 'analysed' });
  return { steps, rows, answered_ms: RINGING_MS, ended_ms: at };
};

/** A call that nobody took. */
export const playFailure = (reason: FailureReason): Timeline => ({
  steps: [{ at_ms: RINGING_MS, kind: 'not_connected', reason }],
  rows: [],
  answered_ms: null,
  ended_ms: RINGING_MS,
});

/** The same call ended from outside at that time: what had not been said by then is not in the transcript. */
export const cutAt = (timeline: Timeline, cutMs: number): Timeline => {
  const ended = Math.min(cutMs, timeline.ended_ms);
  return {
    ...timeline,
    steps: [
      ...timeline.steps.filter((step) => step.at_ms <= ended && step.kind !== 'hung_up' && step.kind !== 'analysed'),
      { at_ms: ended, kind: 'hung_up' },
      { at_ms: ended + ANALYSIS_MS, kind: 'analysed' },
    ],
    rows: timeline.rows.filter((row) => row.until_ms <= ended),
    ended_ms: ended,
  };
};

interface Place {
  readonly at: number;
  readonly number: number;
  readonly event_id: number;
  readonly seconds: number;
}

interface Played {
  readonly steps: readonly Step[];
  readonly rows: readonly FinalRow[];
  readonly until_ms: number;
}

const named = (text: string, driverName: string): string => text.replaceAll('{driver_name}', driverName);

const say = (line: SpokenLine, place: Place): Played => {
  const live = line.heard ?? line.text;
  const words = live.split(' ');
  const spoken = line.interrupted_after_words === undefined ? words : words.slice(0, line.interrupted_after_words);
  const until = place.at + spoken.length * WORD_MS;
  const turn = (state: Turn['state'], rev: number, text: string): Turn => ({
    turn_id: `turn_${place.number}`,
    rev,
    state,
    speaker: line.who,
    text,
    time_in_call_secs: place.seconds,
    event_id: place.event_id,
  });
  const cut = spoken.length < words.length ? `${spoken.join(' ')}...` : null;
  const standing = cut ?? line.text;
  const steps: Step[] = [];
  if (line.late !== true) {
    if (line.who === 'agent') steps.push({ at_ms: place.at, kind: 'agent_response', text: live, event_id: place.event_id });
    spoken.slice(0, -1).forEach((_, index) => {
      const text = spoken.slice(0, index + 1).join(' ');
      steps.push({ at_ms: place.at + (index + 1) * WORD_MS, kind: 'turn', turn: turn('interim', 1, text), replaces: null });
    });
    steps.push({ at_ms: until, kind: 'turn', turn: turn('final', 1, live), replaces: null });
    const correctedLive = cut !== null || (standing !== live && line.corrected !== 'final');
    if (correctedLive) steps.push({ at_ms: until + CORRECTION_MS, kind: 'turn', turn: turn('corrected', 2, standing), replaces: live });
  }
  const last = steps.at(-1)?.at_ms ?? until;
  return {
    steps,
    rows: [{
      until_ms: last,
      role: line.who === 'agent' ? 'agent' : 'user',
      time_in_call_secs: place.seconds,
      event_id: place.event_id,
      message: standing,
      original_message: cut === null ? null : live,
      tool: null,
    }],
    until_ms: last,
  };
};

const useTool = (line: ToolLine, place: Place, toolCallPrefix: string): Played => {
  const use: ToolUse = { tool_call_id: `${line.tool}_${toolCallPrefix}_${place.number}`, event_id: place.event_id, line };
  const until = place.at + line.takes_ms;
  const row = (part: 'call' | 'result', at: number): FinalRow => ({
    until_ms: at,
    role: 'agent',
    time_in_call_secs: place.seconds,
    event_id: place.event_id,
    message: null,
    original_message: null,
    tool: { part, use },
  });
  return {
    steps: line.type === 'system'
      ? []
      : [
          { at_ms: place.at, kind: 'tool', phase: 'executing', use },
          { at_ms: until, kind: 'tool', phase: 'completed', use },
        ],
    rows: [row('call', place.at), row('result', until)],
    until_ms: until,
  };
};
