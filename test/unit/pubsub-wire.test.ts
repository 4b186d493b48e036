import { protos } from '@google-cloud/pubsub';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BusMessage } from '../../ports/event-bus.ts';
import { decodeMessage, encodeMessage } from '../../ports/event-bus.pubsub-message.ts';
import { publishRequest, pullAcks, pullBeginning, pulledMessages } from '../../ports/event-bus.pubsub-wire.ts';

const { PublishRequest, StreamingPullRequest, StreamingPullResponse } = protos.google.pubsub.v1;

const word = fc.string({ unit: 'grapheme', maxLength: 300 });
const attributes = fc.dictionary(word.filter((name) => name !== '__proto__'), word, { maxKeys: 12 }).map((given) => ({ ...given }));
const message = fc.record({ data: fc.uint8Array({ maxLength: 40_000 }), attributes });
const pulled = fc.record({
  ackId: fc.string({ maxLength: 300 }),
  message: fc.option(fc.record({ data: fc.uint8Array({ maxLength: 500 }), attributes, messageId: word, orderingKey: word, publishTime: fc.record({ seconds: fc.nat(), nanos: fc.nat(999_999_999) }) })),
  deliveryAttempt: fc.nat(),
});

/** With what Google's own description of the types makes of it. */
const bytesOf = (received: readonly { readonly ackId: string; readonly message: object | null }[]): Buffer =>
  Buffer.from(
    StreamingPullResponse.encode({
      receivedMessages: received as never,
      subscriptionProperties: { exactlyOnceDeliveryEnabled: true, messageOrderingEnabled: true },
      acknowledgeConfirmation: { ackIds: ['a'], invalidAckIds: ['b'] },
    }).finish(),
  );

describe('what is said to Pub/Sub and heard from it', () => {
  it('is read as Google writes it, whatever else stands there', () => {
    fc.assert(
      fc.property(fc.array(pulled, { maxLength: 5 }), (received) => {
        expect(pulledMessages(bytesOf(received)).map(({ ackId, data, attributes: named }) => ({ ackId: ackId.toString(), data: new Uint8Array(data), named }))).toEqual(
          received.map((one) => ({ ackId: one.ackId, data: one.message?.data ?? new Uint8Array(), named: one.message?.attributes ?? {} })),
        );
      }),
    );
  });

  it('is a publication as Google reads it', () => {
    fc.assert(
      fc.property(word, message, (topic, given) => {
        const read = PublishRequest.decode(publishRequest(topic, { data: Buffer.from(given.data), attributes: given.attributes }));
        expect({ topic: read.topic, messages: read.messages.map(({ data, attributes: named }) => ({ data: new Uint8Array(data as Uint8Array), attributes: named })) }).toEqual({ topic, messages: [given] });
      }),
    );
  });

  it('is the beginning of a stream as Google reads it', () => {
    const read = StreamingPullRequest.decode(pullBeginning({ subscription: 'projects/p/subscriptions/grün', ackDeadlineSeconds: 10, clientId: 'relay-1', maxCount: 1_000, maxBytes: 32 * 1024 * 1024 }));
    expect(StreamingPullRequest.toObject(read, { longs: Number })).toEqual({
      subscription: 'projects/p/subscriptions/grün',
      streamAckDeadlineSeconds: 10,
      clientId: 'relay-1',
      maxOutstandingMessages: 1_000,
      maxOutstandingBytes: 32 * 1024 * 1024,
      protocolVersion: 1,
    });
  });

  it('is acknowledgements as Google reads them; none is a keep-alive, which is empty', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 400 }), { maxLength: 20 }), (ids) => {
        expect(StreamingPullRequest.decode(pullAcks(ids.map((id) => Buffer.from(id)))).ackIds).toEqual(ids);
      }),
    );
    expect(pullAcks([])).toHaveLength(0);
  });

  it('is refused where it is cut off or longer than what it stands in, and never read past its end', () => {
    const whole = bytesOf([{ ackId: 'id', message: { data: Buffer.from('text'), attributes: { kind: 'events' } } }]);
    // What stands behind the message is passed over; a cut in it is seen all the same.
    for (let end = 1; end < whole.length; end++) {
      const cut = Buffer.from(whole.subarray(0, end));
      let got: unknown;
      try {
        got = pulledMessages(cut);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        continue;
      }
      // At the end of a field nothing is missing from what came before.
      expect(got).toEqual(StreamingPullResponse.decode(cut).receivedMessages.length === 0 ? [] : pulledMessages(whole));
    }
    for (const bytes of [[0x0a, 0x7f], [0x0a, 0x03, 0x0a, 0x05, 0x00], [0x0a, 0x02, 0x1d, 0x00, 0x0a, 0x00, 0x0a, 0x00], [0x0a, 0x02, 0x18, 0xff, 0x01], [0x0b], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], [0x0a, ...Array<number>(200).fill(0x80), 0]]) {
      expect(() => pulledMessages(Buffer.from(bytes))).toThrow(Error);
    }
  });

  it('is told from what it is not, however bytes of it were changed, lost or added: refused with an error, or messages that are ours or are passed over', () => {
    const known = fc.constantFrom<BusMessage>(
      { kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: 3, texts: ['{"seq":3}', '{"seq":4}'], at: 5, received_at: 4 },
      { kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'x'.repeat(2_000), text: '{"a":1}', at: 1 },
      { kind: 'rights', tenant: 't1', user: '' },
    );
    const edit = fc.record({ place: fc.nat(), lost: fc.nat(4), added: fc.uint8Array({ maxLength: 4 }) });
    const kinds: unknown[] = ['events', 'interim', 'rights', 'passed_over', null];
    fc.assert(
      fc.property(fc.array(known, { minLength: 1, maxLength: 3 }), fc.array(edit, { maxLength: 4 }), (said, edits) => {
        let bytes = bytesOf(said.map((each) => ({ ackId: 'id', message: encodeMessage(each) })));
        for (const { place, lost, added } of edits) {
          const at = place % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + lost)]);
        }
        let pulledOnes: ReturnType<typeof pulledMessages> = [];
        try {
          pulledOnes = pulledMessages(bytes);
        } catch (error) {
          expect((error as Error).message).toMatch(/^a (field|number) /);
        }
        for (const each of pulledOnes) {
          const got = decodeMessage(each, ({ count }) => count === 2);
          expect(kinds).toContain(got === null || got === 'passed_over' ? got : got.kind);
        }
        if (edits.length === 0) expect(pulledOnes).toHaveLength(said.length);
      }),
      { numRuns: 500 },
    );
  });

  it('does not let an attribute become what an object inherits', () => {
    const [got] = pulledMessages(bytesOf([{ ackId: 'id', message: { attributes: JSON.parse('{"__proto__":"x","constructor":"y"}') as object } }]));
    expect(Object.getPrototypeOf(got?.attributes)).toBe(Object.prototype);
    expect(Object.entries(got?.attributes ?? {})).toEqual([['constructor', 'y']]);
  });
});
