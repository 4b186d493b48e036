import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readPostCall } from '../../functions/webhooks/read-post-call.ts';
import { EventFrame } from '../../core/protocol/frames.ts';
import { FRAME_MAX_BYTES, PROJECTION_MAX_BYTES } from '../../core/protocol/limits.ts';
import { CallView } from '../../core/protocol/rest.ts';
import { presentCall } from '../../core/domain/call/present.ts';
import { CallMachine } from '../fixtures/call-machine.ts';

const SAMPLES = ['05-post_call_transcription.real-twilio-inbound-2025-11.json', '01-post_call_transcription.docs-example.json', '03-call_initiation_failure.twilio.docs-example.json'].map((name) =>
  readFileSync(new URL(`../payloads/${name}`, import.meta.url), 'utf8'),
);

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, -0, -1, 1.5, 1e308, -1e308, 2 ** 53, 1e12, '', '12', 'NaN', true, [], {}, [null], [[]], { __proto__x: 1 }, '\u0000', '\ud800', '\u202e', 'x'.repeat(70_000), '"\u2028\\'.repeat(9_000), JSON.parse('{"__proto__":{"a":1},"constructor":2,"toString":3}')),
  fc.jsonValue(),
);

type Path = readonly string[];

/** Every place in a JSON value, the value itself left out; of long lists the first rows. */
const placesIn = (value: unknown, at: Path = []): Path[] => {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value)
    .slice(0, Array.isArray(value) ? 3 : undefined)
    .flatMap(([name, part]) => [[...at, name], ...placesIn(part, [...at, name])]);
};

const putAt = (value: unknown, [name, ...rest]: Path, put: unknown): unknown => {
  if (name === undefined) return put;
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((part: unknown, index) => (String(index) === name ? putAt(part, rest, put) : part));
  return { ...value, [name]: putAt((value as Record<string, unknown>)[name], rest, put) };
};

const changed = fc.constantFrom(...SAMPLES).chain((sample) => {
  const places = placesIn(JSON.parse(sample));
  return fc.array(fc.tuple(fc.constantFrom(...places), odd), { minLength: 1, maxLength: 4 }).map((changes) => changes.reduce<unknown>((value, [place, put]) => putAt(value, place, put), JSON.parse(sample)));
});

it('whatever form a payload has, its call ends with frames and a projection that fit, or it is kept as unusable', () => {
  fc.assert(
    fc.property(changed, (payload) => {
      const reading = readPostCall(payload, 1_800_000_000_000);
      if (reading.read !== 'facts') return;
      const machine = new CallMachine();
      machine.take(...reading.entries);
      for (const event of machine.events) {
        expect(JSON.stringify(JSON.parse(event.text))).toBe(event.text);
        expect(Buffer.byteLength(event.text)).toBeLessThanOrEqual(FRAME_MAX_BYTES);
        EventFrame.parse(JSON.parse(event.text));
      }
      expect(Buffer.byteLength(JSON.stringify(machine.call))).toBeLessThanOrEqual(PROJECTION_MAX_BYTES);
      CallView.parse(presentCall(machine.call, machine.details));
      const before = machine.events.length;
      machine.take(...reading.entries);
      expect(machine.events.length).toBe(before);
      const last = machine.frames().at(-1);
      if (machine.call.status === 'completed' || machine.call.status === 'failed') expect(last?.type).toBe('call_sealed');
    }),
    { numRuns: 800 },
  );
});
