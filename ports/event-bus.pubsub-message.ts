/**
 * A bus message as Pub/Sub carries it. Pure. The texts are the data, joined by newlines (a text is JSON and holds none), so nothing is
 * written anew; everything else is attributes, so a receiver can judge from them alone. What does not fit an attribute - longer than
 * 1,024 bytes, or empty - stands as JSON in a first line of the data.
 * https://cloud.google.com/pubsub/quotas#resource_limits
 */
import { EarshotError } from '../core/protocol/codes.ts';
import { isPassedOver, type BusMessage, type PassesOver } from './event-bus.ts';

/** What a publication holds. */
export interface PubsubMessage {
  readonly data: Buffer;
  readonly attributes: Readonly<Record<string, string>>;
}

type FieldValue = string | number | null;

/** How a field stands in an attribute. */
interface FieldForm {
  readonly attribute: string;
  readonly number: boolean;
  /** `optional`: may be absent. `nullable`: absent means null. */
  readonly absent: 'broken' | 'optional' | 'nullable';
}

const text = (attribute: string): FieldForm => ({ attribute, number: false, absent: 'broken' });
const number = (attribute: string): FieldForm => ({ attribute, number: true, absent: 'broken' });
const optional = (form: FieldForm): FieldForm => ({ ...form, absent: 'optional' });

/** Every field but the texts, by kind. A field that is added here travels; receivers that do not know it pass over it. */
const FIELDS = {
  events: { tenant: text('tenant'), call_sid: text('call_sid'), epoch: text('epoch'), first_seq: number('first_seq'), at: number('at'), received_at: optional(number('received_at')), trace: optional(text('traceparent')) },
  interim: { tenant: text('tenant'), call_sid: text('call_sid'), turn_id: text('turn_id'), at: number('at') },
  rights: { tenant: text('tenant'), user: { attribute: 'user', number: false, absent: 'nullable' } },
} as const satisfies Record<BusMessage['kind'], Record<string, FieldForm>>;

/** The same, as they are gone through for every message. */
const FORMS: Readonly<Record<BusMessage['kind'], readonly (readonly [string, FieldForm])[]>> = {
  events: Object.entries<FieldForm>(FIELDS.events),
  interim: Object.entries<FieldForm>(FIELDS.interim),
  rights: Object.entries<FieldForm>(FIELDS.rights),
};

/** A publication may hold 10 MB; half of it leaves a receiver room for more than one. */
export const DATA_MAX_BYTES = 5 * 1024 * 1024;
const VALUE_MAX_BYTES = 1024;

/**
 * Events that are too many for one publication, or whose text could not be told apart again, go without their texts: the receivers
 * look at the log.
 * @throws EarshotError `payload_too_large` for an interim turn past DATA_MAX_BYTES
 */
export const encodeMessage = (message: BusMessage): PubsubMessage => {
  const texts = textsOf(message);
  const attributes: Record<string, string> = { kind: message.kind };
  const more: Record<string, string> = {};
  for (const [name, form] of FORMS[message.kind]) {
    const value = (message as unknown as Readonly<Record<string, FieldValue | undefined>>)[name];
    if (value === undefined || value === null) continue;
    const written = String(value);
    (written !== '' && Buffer.byteLength(written) <= VALUE_MAX_BYTES ? attributes : more)[form.attribute] = written;
  }
  if (message.kind === 'events') attributes['texts'] = String(texts.length);
  const isLong = Object.keys(more).length > 0;
  if (isLong) attributes['more'] = '1';
  return { data: Buffer.from([...(isLong ? [JSON.stringify(more)] : []), ...texts].join('\n'), 'utf8'), attributes };
};

const textsOf = (message: BusMessage): readonly string[] => {
  if (message.kind === 'rights') return [];
  const texts = message.kind === 'events' ? message.texts : [message.text];
  const bytes = texts.reduce((sum, each) => sum + Buffer.byteLength(each) + 1, 0);
  if (message.kind === 'interim' && bytes > DATA_MAX_BYTES) throw new EarshotError('payload_too_large');
  return message.kind === 'events' && (bytes > DATA_MAX_BYTES || texts.some((each) => each.includes('\n'))) ? [] : texts;
};

/**
 * null: not one of ours, of a kind that is not known (yet), or broken. `passed_over`: `passesOver` said so of its attributes, and its data
 * was not looked at; where some of them stand in the data, after that was read.
 */
export const decodeMessage = ({ data, attributes }: PubsubMessage, passesOver?: PassesOver): BusMessage | 'passed_over' | null => {
  const { kind } = attributes;
  if (kind !== 'events' && kind !== 'interim' && kind !== 'rights') return null;
  if (attributes['more'] !== undefined) return decodeLong(kind, data, attributes, passesOver);
  const fields = fieldsOf(kind, attributes);
  if (fields === null) return null;
  if (kind === 'events' && passesOver !== undefined && isCount(attributes['texts'])) {
    const { tenant, call_sid, epoch, first_seq } = fields as unknown as Extract<BusMessage, { kind: 'events' }>;
    if (passesOver({ tenant, call_sid, epoch, first_seq, count: Number(attributes['texts']) })) return 'passed_over';
  }
  return messageOf(kind, fields, data.toString('utf8'), attributes['texts']);
};

/** One whose first line holds what did not fit an attribute. */
const decodeLong = (kind: BusMessage['kind'], data: Buffer, attributes: PubsubMessage['attributes'], passesOver: PassesOver | undefined): BusMessage | 'passed_over' | null => {
  const whole = data.toString('utf8');
  const end = whole.includes('\n') ? whole.indexOf('\n') : whole.length;
  const fields = fieldsOf(kind, { ...attributes, ...parsed(whole.slice(0, end)) });
  const message = fields === null ? null : messageOf(kind, fields, whole.slice(end + 1), attributes['texts']);
  return message !== null && isPassedOver(message, passesOver) ? 'passed_over' : message;
};

const isCount = (texts: string | undefined): texts is string => texts !== undefined && /^\d{1,7}$/.test(texts);

/** @param rest the texts @param count how many there are, where they are events */
const messageOf = (kind: BusMessage['kind'], fields: Record<string, FieldValue>, rest: string, count: string | undefined): BusMessage | null => {
  if (kind === 'rights') return { kind, ...fields } as BusMessage;
  if (kind === 'interim') return { kind, ...fields, text: rest } as BusMessage;
  const texts = count === '0' ? [] : rest.split('\n');
  return String(texts.length) === count ? ({ kind, ...fields, texts } as unknown as BusMessage) : null;
};

const fieldsOf = (kind: BusMessage['kind'], values: Readonly<Record<string, unknown>>): Record<string, FieldValue> | null => {
  const fields: Record<string, FieldValue> = {};
  for (const [name, form] of FORMS[kind]) {
    const value = values[form.attribute];
    if (value === undefined && form.absent === 'optional') continue;
    if (value === undefined && form.absent === 'nullable') fields[name] = null;
    else if (typeof value !== 'string' || (form.number && !/^-?\d{1,16}$/.test(value))) return null;
    else fields[name] = form.number ? Number(value) : value;
  }
  return fields;
};

const parsed = (line: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};
