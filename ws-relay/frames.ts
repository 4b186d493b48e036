/** Ready WebSocket frames: one serialisation per event, whatever the number of viewers. */
import type { FeedEvent } from '../core/domain/relay/feed.ts';
import { CallStatus, type ControlFrame } from '../core/protocol/frames.ts';

/** The bytes of one unmasked, final text frame (RFC 6455, 5.2). Never changed after it was made, and its memory is never used for another. */
export type Frame = Buffer;

/** A ping without payload. The one frame that is no text. */
export const PING_FRAME: Frame = Buffer.from([0x89, 0]);

const FIN_TEXT = 0x81;

/**
 * Small frames are cut from slabs of this size, one after another: memory of its own costs a frame more than all else that is done
 * with it (at two viewers of each call 4 of 30 us for a delivery; `npm run bench -- deliver`). A slab is written once from its
 * beginning to its end and then left to the collector, so no frame is ever overwritten. It lives as long as the last frame in it:
 * a quiet call's frame may hold so much, which is why a slab is small.
 */
const SLAB_BYTES = 8 * 1024;
const SLABBED_MAX_BYTES = SLAB_BYTES / 4;

let slab = Buffer.alloc(0);
let slabUsed = SLAB_BYTES;

const unwritten = (bytes: number): Frame => {
  if (bytes > SLABBED_MAX_BYTES) return Buffer.allocUnsafeSlow(bytes);
  if (slabUsed + bytes > SLAB_BYTES) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    slabUsed = 0;
  }
  slabUsed += bytes;
  return slab.subarray(slabUsed - bytes, slabUsed);
};

/** The frame of a text. */
export const textFrame = (text: string): Frame => {
  const size = Buffer.byteLength(text);
  const head = size < 126 ? 2 : size < 65_536 ? 4 : 10;
  const frame = unwritten(head + size);
  frame[0] = FIN_TEXT;
  if (head === 2) frame[1] = size;
  else if (head === 4) {
    frame[1] = 126;
    frame[2] = size >>> 8;
    frame[3] = size & 0xff;
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(size), 2);
  }
  frame.write(text, head);
  return frame;
};

/** The text that a frame carries. */
export const frameText = (frame: Frame): string => {
  const short = frame[1] ?? 0;
  return frame.toString('utf8', short < 126 ? 2 : short === 126 ? 4 : 10);
};

/** The frame of something that the relay says itself. */
export const controlFrame = (frame: ControlFrame): Frame => textFrame(JSON.stringify(frame));

/**
 * One event of the log with its ready frame: the text itself goes out unchanged, the relay goes by very little of it.
 * `seq` as the log says.
 */
export const loggedEvent = (text: string, seq: number): FeedEvent<Frame> => eventOf(text, seq, parsed(text) ?? {});

/** One event that a message brought; null where its text is not the event of this call that it is said to be. */
export const heardEvent = (text: string, callSid: string, seq: number): FeedEvent<Frame> | null => {
  const event = parsed(text);
  return event === null || event['call_sid'] !== callSid || event['seq'] !== seq ? null : eventOf(text, seq, event);
};

/** One interim turn that a message brought; null where its text is not that: it goes to screens and stands in no log that could tell otherwise. */
export const heardInterim = (text: string, callSid: string, turnId: string): Frame | null => {
  const turn = parsed(text);
  const sound = turn?.['type'] === 'transcription' && turn['state'] === 'interim' && turn['call_sid'] === callSid && turn['turn_id'] === turnId;
  return sound && turn['seq'] === undefined ? textFrame(text) : null;
};

const eventOf = (text: string, seq: number, event: Record<string, unknown>): FeedEvent<Frame> => {
  const conversation = event['conversation_id'];
  const turn = event['type'] === 'transcription' ? event['turn_id'] : null;
  const status = event['type'] === 'call_status' ? CallStatus.safeParse(event['status']) : null;
  return {
    seq,
    frame: textFrame(text),
    conversationId: typeof conversation === 'string' ? conversation : null,
    turnId: typeof turn === 'string' ? turn : null,
    status: status?.success === true ? status.data : null,
  };
};

const parsed = (text: string): Record<string, unknown> | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
};
