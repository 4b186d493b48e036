import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BusMessage, EventsHead } from '../../ports/event-bus.ts';
import { DATA_MAX_BYTES, decodeMessage, encodeMessage } from '../../ports/event-bus.pubsub-message.ts';

const word = fc.string({ unit: 'grapheme', maxLength: 400 });
const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = word.map((said) => JSON.stringify({ said }));
const maybe = <T>(name: string, value: fc.Arbitrary<T>): fc.Arbitrary<object> => fc.option(value, { nil: undefined }).map((got) => (got === undefined ? {} : { [name]: got }));
const message: fc.Arbitrary<BusMessage> = fc.oneof(
  fc
    .tuple(fc.record({ kind: fc.constant('events' as const), tenant: word, call_sid: word, epoch: word, first_seq: whole, texts: fc.array(text, { maxLength: 5 }), at: whole }), maybe('received_at', whole), maybe('trace', word))
    .map(([events, received, trace]) => ({ ...events, ...received, ...trace })),
  fc.record({ kind: fc.constant('interim' as const), tenant: word, call_sid: word, turn_id: word, text, at: whole }),
  fc.record({ kind: fc.constant('rights' as const), tenant: word, user: fc.option(word) }),
);
const events: BusMessage = { kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: 3, texts: ['{"seq":3}', '{"seq":4}'], at: 5 };

describe('a bus message in Pub/Sub', () => {
  it('comes out as it went in, within the limits of attributes', () => {
    fc.assert(
      fc.property(message, (given) => {
        const encoded = encodeMessage(given);
        for (const [key, value] of Object.entries(encoded.attributes)) {
          expect(key.startsWith('goog')).toBe(false);
          expect(value.length).toBeGreaterThan(0);
          expect(Buffer.byteLength(value)).toBeLessThanOrEqual(1024);
        }
        expect(decodeMessage(encoded)).toEqual(given);
      }),
    );
  });

  it('carries the texts as they are, and everything else beside them', () => {
    const trace = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';
    expect(encodeMessage({ ...events, received_at: 4, trace })).toEqual({
      data: Buffer.from('{"seq":3}\n{"seq":4}'),
      attributes: { kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: '3', texts: '2', at: '5', received_at: '4', traceparent: trace },
    });
  });

  it.each([
    ['are more than one publication carries', ['x'.repeat(DATA_MAX_BYTES / 2), 'ü'.repeat(DATA_MAX_BYTES / 4)]],
    ['hold what parts them', ['{"a":\n1}', '{}']],
  ])('goes without texts that %s: the receiver looks at the log', (_what, texts) => {
    const encoded = encodeMessage({ ...events, texts });
    expect(encoded.data.length).toBe(0);
    expect(decodeMessage(encoded)).toEqual({ ...events, texts: [] });
  });

  it('refuses an interim turn that is no turn', () => {
    expect(() => encodeMessage({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'x', text: 'x'.repeat(DATA_MAX_BYTES), at: 1 })).toThrow(expect.objectContaining({ code: 'payload_too_large' }));
  });

  it.each([
    ['by its attributes', events],
    ['by its first line, where its epoch is too long for an attribute', { ...events, epoch: 'e'.repeat(1_025) }],
  ] as const)('is passed over %s, and delivered where it is not to be', (_what, given) => {
    const asked: EventsHead[] = [];
    const pass = (answer: boolean) => (head: EventsHead): boolean => {
      asked.push(head);
      return answer;
    };
    expect(decodeMessage(encodeMessage(given), pass(true))).toBe('passed_over');
    expect(decodeMessage(encodeMessage(given), pass(false))).toEqual(given);
    const head = { tenant: 't1', call_sid: 'EL_1', epoch: given.epoch, first_seq: 3, count: 2 };
    expect(asked).toEqual([head, head]);
  });

  it('is not asked about where it is not of events, or how many there are is no number', () => {
    const never = (): boolean => {
      throw new Error('asked');
    };
    const { data, attributes } = encodeMessage(events);
    for (const texts of ['', '-1', '2.0', 'many', '99999999']) expect(decodeMessage({ data, attributes: { ...attributes, texts } }, never)).toBeNull();
    const rights: BusMessage = { kind: 'rights', tenant: 't1', user: null };
    const interim: BusMessage = { kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'x', text: '{}', at: 1 };
    expect([decodeMessage(encodeMessage(rights), never), decodeMessage(encodeMessage(interim), never)]).toEqual([rights, interim]);
  });

  const good = encodeMessage(events);
  it.each([
    ['nothing', { data: Buffer.alloc(0), attributes: {} }],
    ['somebody else\'s', { data: Buffer.from('{"kind":"events"}'), attributes: { eventType: 'OBJECT_FINALIZE' } }],
    ['a kind to come', { ...good, attributes: { ...good.attributes, kind: 'presence' } }],
    ['a name of every object', { ...good, attributes: { ...good.attributes, kind: 'constructor' } }],
    ['no tenant', { ...good, attributes: Object.fromEntries(Object.entries(good.attributes).filter(([key]) => key !== 'tenant')) }],
    ['a seq that is none', { ...good, attributes: { ...good.attributes, first_seq: '3.5' } }],
    ['a seq beyond all numbers', { ...good, attributes: { ...good.attributes, first_seq: '9'.repeat(30) } }],
    ['a text too few', { ...good, data: Buffer.from('{"seq":3}') }],
    ['a text too many', { ...good, attributes: { ...good.attributes, texts: '1' } }],
    ['long fields that are not there', { ...good, attributes: { kind: 'rights', more: '1' } }],
    ['long fields that are no text', { data: Buffer.from('{"tenant":7}'), attributes: { kind: 'rights', more: '1' } }],
  ])('is passed over when it is %s', (_what, broken) => {
    expect(decodeMessage(broken)).toBeNull();
  });

  it('is understood when it carries more than is known', () => {
    expect(decodeMessage({ ...good, attributes: { ...good.attributes, shard: '4' } })).toEqual(events);
  });
});
