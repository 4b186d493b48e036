/** Reads what a client sent. */
import type { ErrorCode } from '../../protocol/codes.ts';
import { ERRORS } from '../../protocol/codes.ts';
import type { ControlFrame } from '../../protocol/frames.ts';
import { JSON_DEPTH_MAX_LEVELS } from '../../protocol/limits.ts';
import { ClientMessage } from '../../protocol/messages.ts';
import { jsonDepth } from '../elevenlabs/json.ts';

/** A message's own id, echoed in its answer or error. */
export type MessageId = string | number | undefined;

/** What is nested deeper than any message of ours would overflow our stack when it is written again. */
const json = (text: string): unknown => {
  if (jsonDepth(text) > JSON_DEPTH_MAX_LEVELS) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

/** The message in a text frame; where it is none, the id that it seems to carry. */
export const readMessage = (text: string): { readonly message: ClientMessage } | { readonly message: null; readonly id: MessageId } => {
  const value = json(text);
  const read = ClientMessage.safeParse(value);
  if (read.success) return { message: read.data };
  const id = typeof value === 'object' && value !== null && 'id' in value ? value.id : undefined;
  return { message: null, id: typeof id === 'string' || typeof id === 'number' ? id : undefined };
};

/** What a message takes from the bucket: each subscription counts, however they are packed. */
export const messageCost = (message: ClientMessage): number =>
  'subscribe' in message && Array.isArray(message.subscribe) ? message.subscribe.length : 1;

/** `id` as a frame carries it: only where the message had one. */
export const echo = (id: MessageId): { id?: string | number } => (id === undefined ? {} : { id });

/** The `error` frame of a code. `ref`: the call id asked for, else the message's id. */
export const errorFrame = (code: ErrorCode, ref: unknown = null, id?: MessageId): ControlFrame => ({
  type: 'error',
  code,
  message: ERRORS[code].message,
  retryable: ERRORS[code].retryable,
  ref: ref ?? id ?? null,
  ...echo(id),
});
