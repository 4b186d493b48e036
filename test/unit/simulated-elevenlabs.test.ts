import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choose } from '../../local/simulated-elevenlabs/call-record.ts';
import { misbehaviour, MISBEHAVIOURS, misbehavioursIn, strike } from '../../local/simulated-elevenlabs/misbehaviour.ts';
import { pythonJson } from '../../local/simulated-elevenlabs/python-json.ts';
import { oneOf, seededRandom } from '../../local/simulated-elevenlabs/random.ts';
import { attemptDelayMs, isTriedAgain } from '../../local/simulated-elevenlabs/retry-schedule.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { silentMp3 } from '../../local/simulated-elevenlabs/silent-mp3.ts';

describe("Python's JSON", () => {
  test.each([
    [{ a: 1, b: [true, null, 'x'] }, '{"a": 1, "b": [true, null, "x"]}'],
    [{}, '{}'],
    [[], '[]'],
    ['caf\u00e9 \u{1f69a} \u007f', '"caf\\u00e9 \\ud83d\\ude9a \\u007f"'],
    [{ left: undefined, kept: 0.05 }, '{"kept": 0.05}'],
    ['a, b: "c"', '"a, b: \\"c\\""'],
  ])('writes %j as %s', (value, text) => {
    expect(pythonJson(value)).toBe(text);
  });

  test('means the same as the value, whatever the value', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const text = pythonJson(value);
      expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(value));
      expect(text).toMatch(/^[\x20-\x7e]*$/);
    }));
  });
});

test('a signature is the HMAC of the second and the body, with the whole secret as text', () => {
  // echo -n '1739537297.{"a": 1}' | openssl dgst -sha256 -hmac wsec_test
  expect(signatureHeader('wsec_test', 1_739_537_297, '{"a": 1}')).toBe('t=1739537297,v0=546fccbf5f183be7ecd66c2faaa42f6a7d04f57617b9f2f7fab2482876bd8ea0');
});

describe('the retry schedule', () => {
  test.each([[1, 0, 0], [2, 0, 30_000], [3, 0, 120_000], [4, 0, 480_000], [5, 0, 1_800_000], [2, 1, 33_000], [5, 0.5, 1_890_000], [6, 0, null], [0, 0, null]])(
    'attempt %i with chance %d comes after %j ms', (attempt, random, delay) => {
      expect(attemptDelayMs(attempt, random)).toBe(delay);
    });

  test.each([
    ['post_call_transcription', 500, true],
    ['post_call_transcription', 503, true],
    ['post_call_transcription', 429, true],
    ['post_call_transcription', 408, true],
    ['post_call_transcription', null, true],
    ['post_call_transcription', 200, false],
    ['post_call_transcription', 201, false],
    ['post_call_transcription', 302, false],
    ['post_call_transcription', 401, false],
    ['post_call_transcription', 404, false],
    ['call_initiation_failure', 503, false],
    ['post_call_audio', 503, false],
    ['post_call_transcription_otel', 503, false],
  ])('%s answered %j: tried again %j', (type, status, again) => {
    expect(isTriedAgain(type, status)).toBe(again);
  });
});

describe('misbehaviours', () => {
  test.each([
    ['hang', undefined, { kind: 'hang', value: null }],
    ['hang', 3, null],
    ['duplicate_webhook', '3', { kind: 'duplicate_webhook', value: 3 }],
    ['duplicate_webhook', -1, null],
    ['duplicate_webhook', 1.5, null],
    ['duplicate_webhook', 'x', null],
    ['delay_webhook', 3_600_001, null],
    ['initiation_failure', 'no-answer', { kind: 'initiation_failure', value: 'no-answer' }],
    ['initiation_failure', 'tired', null],
    ['toString', undefined, null],
    [7, undefined, null],
  ])('%j with %j is %j', (kind, value, expected) => {
    expect(misbehaviour(kind, value)).toStrictEqual(expected);
  });

  test('a dynamic variable asks for several; what is none is passed over', () => {
    expect(misbehavioursIn('duplicate_webhook:3, nonsense,hang')).toStrictEqual([{ kind: 'duplicate_webhook', value: 3 }, { kind: 'hang', value: null }]);
    expect(misbehavioursIn(7)).toStrictEqual([]);
    expect(misbehavioursIn('')).toStrictEqual([]);
  });

  test('a rule strikes as many calls as it was given', () => {
    const rules = [{ kind: 'hang', value: null, calls: 2 }, { kind: 'dial_500', value: null, calls: null }] as const;
    const first = strike(rules);
    expect(first).toStrictEqual({
      struck: [{ kind: 'hang', value: null }, { kind: 'dial_500', value: null }],
      left: [{ kind: 'hang', value: null, calls: 1 }, { kind: 'dial_500', value: null, calls: null }],
    });
    expect(strike(first.left).left).toStrictEqual([{ kind: 'dial_500', value: null, calls: null }]);
  });

  test('the page lists every one with what it does', () => {
    const page = readFileSync(new URL('../../docs/simulated-elevenlabs.md', import.meta.url), 'utf8');
    for (const [kind, row] of Object.entries(MISBEHAVIOURS)) {
      const value = row.value === null ? '' : `${row.value.means} (${row.value.standard})`;
      expect(page).toContain(`| \`${kind}\` | ${row.what} | ${value} |`);
    }
  });
});

describe('chance', () => {
  test('the same seed gives the same numbers, another seed others, all in range', () => {
    const numbers = (seed: string) => {
      const random = seededRandom(seed);
      return Array.from({ length: 1_000 }, random);
    };
    expect(numbers('1:1')).toStrictEqual(numbers('1:1'));
    expect(numbers('1:1')).not.toStrictEqual(numbers('1:2'));
    expect(numbers('1:1').every((number) => number >= 0 && number < 1)).toBe(true);
    expect(() => oneOf([], () => 0)).toThrow(RangeError);
  });

  test('the same call of a seed is always the same, an unruly share of them misbehaves', () => {
    const chosen = (unruly: number) => Array.from({ length: 1_000 }, (_, number) => choose(1, number, {}, [], unruly));
    expect(chosen(0.3)).toStrictEqual(chosen(0.3));
    const unruly = chosen(0.3).filter((choice) => choice.misbehaviours.length > 0).length;
    expect(unruly).toBeGreaterThan(200);
    expect(unruly).toBeLessThan(400);
    expect(chosen(0).every((choice) => choice.misbehaviours.length === 0)).toBe(true);
    expect(new Set(chosen(1).flatMap((choice) => choice.misbehaviours.map((entry) => entry.kind)))).toStrictEqual(new Set(Object.keys(MISBEHAVIOURS)));
  });

  test('a script that is asked for by name is taken', () => {
    expect(choose(1, 1, { simulate_script: 'missed_inspection', violation_types: 'speeding' }, [], 0).script).toBe('missed_inspection');
    expect(choose(1, 1, { simulate: 'voicemail' }, [], 0).script).toBe('voicemail');
  });
});

test('the silent recording is as long as the call, whole frames with the right header', () => {
  const audio = silentMp3(30);
  expect(audio.length % 36).toBe(0);
  expect((audio.length / 36) * 36).toBeGreaterThanOrEqual(30_000);
  for (let at = 0; at < audio.length; at += 36) expect(audio.readUInt32BE(at)).toBe(0xfff318c0);
  expect(silentMp3(0).length).toBe(36);
});
