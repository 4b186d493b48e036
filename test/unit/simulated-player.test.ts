import { describe, expect, test } from 'vitest';
import { cutAt, play, playFailure } from '../../local/simulated-elevenlabs/player.ts';
import type { Step, Timeline } from '../../local/simulated-elevenlabs/player.ts';
import { scriptNamed, SCRIPTS, scriptsFor } from '../../local/simulated-elevenlabs/scripts.ts';

const played = SCRIPTS.map((script) => ({ name: script.name, script, timeline: play(script, 'John', 'abc') }));

type TurnStep = Extract<Step, { kind: 'turn' }>;
const turnsIn = (timeline: Timeline): readonly TurnStep[] => timeline.steps.filter((step) => step.kind === 'turn');

/** What stands of the live turns once all were posted. */
const standing = (timeline: Timeline): readonly string[] => {
  const turns = new Map<string, string>();
  for (const { turn } of turnsIn(timeline)) if (turn.state !== 'interim') turns.set(turn.turn_id, `${turn.speaker}: ${turn.text}`);
  return [...turns.values()];
};
const spoken = (timeline: Timeline): readonly string[] =>
  timeline.rows.flatMap((row) => (row.message === null ? [] : [`${row.role === 'user' ? 'driver' : 'agent'}: ${row.message}`]));

describe('every script', () => {
  test.each(played)('$name takes 15 to 40 seconds from the dial to the webhook', ({ timeline }) => {
    const last = timeline.steps.at(-1);
    expect(last?.kind).toBe('analysed');
    expect(last?.at_ms).toBeGreaterThanOrEqual(15_000);
    expect(last?.at_ms).toBeLessThanOrEqual(40_000);
  });

  test.each(played)('$name goes forward in time, step by step and row by row', ({ timeline }) => {
    const times = timeline.steps.map((step) => step.at_ms);
    expect(times).toStrictEqual([...times].sort((one, other) => one - other));
    const rows = timeline.rows.map((row) => row.time_in_call_secs);
    expect(rows).toStrictEqual([...rows].sort((one, other) => one - other));
    expect(timeline.steps[0]).toStrictEqual({ at_ms: 2_500, kind: 'answered' });
    expect(timeline.rows.every((row) => row.until_ms <= timeline.ended_ms)).toBe(true);
  });

  test.each(played)('$name: interim turns grow word by word into the final one', ({ timeline }) => {
    const growing = new Map<string, string>();
    for (const { turn } of turnsIn(timeline)) {
      const before = growing.get(turn.turn_id) ?? '';
      if (turn.state !== 'corrected') expect(turn.text.startsWith(before)).toBe(true);
      if (turn.state === 'interim') expect(turn.text.split(' ')).toHaveLength(before === '' ? 1 : before.split(' ').length + 1);
      growing.set(turn.turn_id, turn.text);
    }
  });

  test.each(played)('$name: the final transcript has what the live turns left standing, but for the differences its lines ask for', ({ script, timeline }) => {
    const late = script.lines.flatMap((line) => ('who' in line && line.late === true ? [`${line.who}: ${line.text}`] : []));
    const mended = new Map<string, string>(script.lines.flatMap((line) => ('who' in line && line.corrected === 'final' ? [[`${line.who}: ${line.heard ?? ''}`, `${line.who}: ${line.text}`] as const] : [])));
    expect(spoken(timeline).filter((text) => !late.includes(text))).toStrictEqual(standing(timeline).map((text) => mended.get(text) ?? text));
  });

  test.each(played)('$name names the driver and leaves no place open', ({ timeline }) => {
    expect(spoken(timeline).join(' ')).toContain('John');
    expect(spoken(timeline).join(' ')).not.toMatch(/[{}]/);
  });

  test.each(played)('$name: within one speaker an exchange number belongs to one utterance', ({ timeline }) => {
    const seen = timeline.rows.filter((row) => row.message !== null).map((row) => `${row.role}:${row.event_id}`);
    expect(new Set(seen).size).toBe(seen.length);
  });
});

describe('an interruption', () => {
  const timeline = play(scriptNamed('speeding_admitted'), 'John', 'abc');

  test('cuts the words that the row tells, and keeps what would have been said', () => {
    expect(timeline.rows.find((row) => row.original_message !== null)).toMatchObject({
      role: 'agent',
      message: 'I understand. Please keep to the limit, because...',
      original_message: 'I understand. Please keep to the limit, because the next alert goes to the safety manager.',
    });
  });

  test('is a correction of the turn that the agent had begun', () => {
    expect(turnsIn(timeline).find((step) => step.turn.state === 'corrected' && step.turn.speaker === 'agent')).toMatchObject({
      turn: { rev: 2, text: 'I understand. Please keep to the limit, because...' },
      replaces: 'I understand. Please keep to the limit, because the next alert goes to the safety manager.',
    });
  });
});

describe('tools', () => {
  test("the agent's own have a live counterpart, ElevenLabs' system tools only rows", () => {
    const timeline = play(scriptNamed('speeding_admitted'), 'John', 'abc');
    const live = timeline.steps.flatMap((step) => (step.kind === 'tool' ? [`${step.phase} ${step.use.line.tool}`] : []));
    expect(live).toStrictEqual(['executing get_violation_details', 'completed get_violation_details']);
    expect(timeline.rows.flatMap((row) => (row.tool === null ? [] : [`${row.tool.part} ${row.tool.use.line.tool}`]))).toStrictEqual([
      'call get_violation_details', 'result get_violation_details', 'call end_call', 'result end_call',
    ]);
  });
});

describe('a call that is cut', () => {
  test('has what was said by then, and ends there', () => {
    const whole = play(scriptNamed('missed_inspection'), 'John', 'abc');
    for (const cut of [2_500, 9_000, 20_000]) {
      const timeline = cutAt(whole, cut);
      expect(timeline.rows).toStrictEqual(whole.rows.filter((row) => row.until_ms <= cut));
      expect(timeline.steps.slice(-2)).toStrictEqual([{ at_ms: cut, kind: 'hung_up' }, { at_ms: cut + 2_000, kind: 'analysed' }]);
      expect(timeline.steps.slice(0, -2)).toStrictEqual(whole.steps.filter((step) => step.at_ms <= cut));
    }
  });

  test('after its end is the whole call', () => {
    const whole = play(scriptNamed('missed_inspection'), 'John', 'abc');
    expect(cutAt(whole, 999_999)).toStrictEqual(whole);
  });
});

test('a call that nobody took has no words and no pick-up', () => {
  expect(playFailure('busy')).toStrictEqual({ steps: [{ at_ms: 2_500, kind: 'not_connected', reason: 'busy' }], rows: [], answered_ms: null, ended_ms: 2_500 });
});

test.each([
  ['speeding', ['speeding_admitted', 'speeding_disputed']],
  ['Hours of Service', ['hours_of_service_stop', 'hours_of_service_short']],
  ['missed-inspection, speeding', ['speeding_admitted', 'speeding_disputed', 'missed_inspection']],
  ['something else', SCRIPTS.filter((script) => script.violation !== null).map((script) => script.name)],
])('for violations "%s" the scripts are %j', (types, names) => {
  expect(scriptsFor(types).map((script) => script.name)).toStrictEqual(names);
});
