/**
 * The few messages of Pub/Sub's gRPC that are sent and received for every event, written and read by hand: Google's library goes by a
 * description of each type and makes objects of everything that stands in it, the publish time, the ids and the attributes' entries too.
 * Pure. Numbers of the fields: https://github.com/googleapis/googleapis/blob/master/google/pubsub/v1/pubsub.proto
 * What the encoding is: https://protobuf.dev/programming-guides/encoding/. `npm run bench -- ingest publish` measures it.
 */
import type { PubsubMessage } from './event-bus.pubsub-message.ts';

/** A message as a stream brings it. Both are views of the response's bytes: whoever keeps one keeps the response. */
export interface PulledMessage extends PubsubMessage {
  readonly ackId: Buffer;
}

/** With what a stream begins. */
export interface PullBeginning {
  /** Full name. */
  readonly subscription: string;
  readonly ackDeadlineSeconds: number;
  /** The same for streams that follow each other. */
  readonly clientId: string;
  readonly maxCount: number;
  readonly maxBytes: number;
}

/** Answers keep-alives. https://cloud.google.com/pubsub/docs/reference/rpc/google.pubsub.v1#streamingpullrequest */
const PROTOCOL_VERSION = 1;

/** Of the tenth byte, the last that a number may have. */
const VARINT_FACTOR_MAX = 2 ** 63;

/** The kinds of a field that occur: in the low three bits of its key. */
const VARINT = 0;
const BYTES = 2;
const FIXED = { 1: 8, 5: 4 } as const;

const varintOf = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
};

const numberField = (field: number, value: number): Buffer => Buffer.from([(field << 3) | VARINT, ...varintOf(value)]);

const bytesField = (field: number, value: Buffer | string): Buffer[] => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return [Buffer.from([(field << 3) | BYTES, ...varintOf(bytes.length)]), bytes];
};

/** A StreamingPullRequest: the first of its stream. */
export const pullBeginning = ({ subscription, ackDeadlineSeconds, clientId, maxCount, maxBytes }: PullBeginning): Buffer =>
  Buffer.concat([
    ...bytesField(1, subscription),
    numberField(5, ackDeadlineSeconds),
    ...bytesField(6, clientId),
    numberField(7, maxCount),
    numberField(8, maxBytes),
    numberField(10, PROTOCOL_VERSION),
  ]);

/** A StreamingPullRequest that acknowledges. Of no ids it is a keep-alive. */
export const pullAcks = (ackIds: readonly Buffer[]): Buffer => Buffer.concat(ackIds.flatMap((ackId) => bytesField(2, ackId)));

/** A PublishRequest of one message. @param topic full name */
export const publishRequest = (topic: string, { data, attributes }: PubsubMessage): Buffer => {
  const entries = Object.entries(attributes).flatMap(([key, value]) => bytesField(2, Buffer.concat([...bytesField(1, key), ...bytesField(2, value)])));
  return Buffer.concat([...bytesField(1, topic), ...bytesField(2, Buffer.concat([...bytesField(1, data), ...entries]))]);
};

/** The messages of a StreamingPullResponse; of one that only answers a keep-alive none. @throws Error where the bytes are no such thing */
export const pulledMessages = (response: Buffer): PulledMessage[] => {
  const messages: PulledMessage[] = [];
  const reader = new Reader(response);
  while (reader.at < response.length) {
    const key = reader.varint();
    if (key === ((1 << 3) | BYTES)) messages.push(pulled(reader, reader.end(response.length)));
    else reader.skip(key, response.length);
  }
  return messages;
};

const NOTHING: Buffer = Buffer.alloc(0);

/** ReceivedMessage: 1 ack_id, 2 message. */
const pulled = (reader: Reader, end: number): PulledMessage => {
  let ackId: Buffer = NOTHING;
  let message: PubsubMessage = { data: NOTHING, attributes: {} };
  while (reader.at < end) {
    const key = reader.varint();
    if (key === ((1 << 3) | BYTES)) ackId = reader.bytes(end);
    else if (key === ((2 << 3) | BYTES)) message = messageOf(reader, reader.end(end));
    else reader.skip(key, end);
  }
  return { ackId, data: message.data, attributes: message.attributes };
};

/** PubsubMessage: 1 data, 2 attributes, each an entry of 1 key and 2 value. */
const messageOf = (reader: Reader, end: number): PubsubMessage => {
  let data: Buffer = NOTHING;
  const attributes: Record<string, string> = {};
  while (reader.at < end) {
    const key = reader.varint();
    if (key === ((1 << 3) | BYTES)) data = reader.bytes(end);
    else if (key === ((2 << 3) | BYTES)) readEntry(reader, reader.end(end), attributes);
    else reader.skip(key, end);
  }
  return { data, attributes };
};

const readEntry = (reader: Reader, end: number, attributes: Record<string, string>): void => {
  let name = '';
  let value = '';
  while (reader.at < end) {
    const key = reader.varint();
    if (key === ((1 << 3) | BYTES)) name = reader.text(end);
    else if (key === ((2 << 3) | BYTES)) value = reader.text(end);
    else reader.skip(key, end);
  }
  attributes[name] = value;
};

/** Reads one after another; every length is held against where what encloses it ends. */
class Reader {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.at++];
      if (byte === undefined || factor > VARINT_FACTOR_MAX) throw new Error('a number does not end where it should');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  /** Where a field that begins with its length ends. */
  end(limit: number): number {
    const length = this.varint();
    const end = this.at + length;
    if (end > limit) throw new Error('a field is longer than what it stands in');
    return end;
  }

  bytes(limit: number): Buffer {
    const end = this.end(limit);
    const from = this.at;
    this.at = end;
    return this.#bytes.subarray(from, end);
  }

  text(limit: number): string {
    const end = this.end(limit);
    const from = this.at;
    this.at = end;
    return this.#bytes.toString('utf8', from, end);
  }

  /** Passes over a field that means nothing to us. */
  skip(key: number, limit: number): void {
    const kind = key & 7;
    if (kind === VARINT) this.varint();
    else if (kind === BYTES) this.at = this.end(limit);
    else if (kind === 1 || kind === 5) this.at += FIXED[kind];
    else throw new Error('a field of a kind that does not occur');
    if (this.at > limit) throw new Error('a field is longer than what it stands in');
  }
}
