/**
 * A bus message as Pub/Sub carries it. Pure. The texts are the data, joined by newlines (a text is JSON and holds none), so nothing is
 * written anew; everything else is attributes, so a receiver can judge from them alone. What does not fit an attribute - longer than
 * 1,024 bytes, or empty - stands as JSON in a first line of the data.
 * https://cloud.google.com/pubsub/quotas#resource_limits
 */
import { EarshotError } from '../core/protocol/codes.ts';
import type { BusMessage } from './event-bus.ts';

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
  for (const [name, form] of Object.entries<FieldForm>(FIELDS[message.kind])) {
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

/** null: not one of ours, of a kind that is not known (yet), or broken. */
export const decodeMessage = ({ data, attributes }: PubsubMessage): BusMessage | null => {
  const { kind } = attributes;
  if (kind !== 'events' && kind !== 'interim' && kind !== 'rights') return null;
  const whole = data.toString('utf8');
  const end = attributes['more'] === undefined ? -1 : whole.includes('\n') ? whole.indexOf('\n') : whole.length;
  const fields = fieldsOf(FIELDS[kind], end === -1 ? attributes : { ...attributes, ...parsed(whole.slice(0, end)) });
  if (fields === null) return null;
  const rest = whole.slice(end + 1);
  if (kind === 'rights') return { kind, ...fields } as BusMessage;
  if (kind === 'interim') return { kind, ...fields, text: rest } as BusMessage;
  const texts = attributes['texts'] === '0' ? [] : rest.split('\n');
  return String(texts.length) === attributes['texts'] ? ({ kind, ...fields, texts } as unknown as BusMessage) : null;
};

const fieldsOf = (forms: Readonly<Record<string, FieldForm>>, values: Readonly<Record<string, unknown>>): Record<string, FieldValue> | null => {
  const fields: Record<string, FieldValue> = {};
  for (const [name, form] of Object.entries(forms)) {
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
