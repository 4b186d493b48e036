/** What every server is fed with: the same messages of the bus, prepared before they are measured, at the same pace. */
import type { BusMessage } from '../../../ports/event-bus.ts';

/** The same length for all, about that of a spoken sentence with what stands around it; so a viewer's frames can be counted by their length. */
export const EVENT_BYTES = 400;
export const TENANT = 't1';

/** What is published: `calls` calls named `<calls>-0`, ..., an equal number of events of each. */
export interface Course {
  /** Names the calls. A course of the same name goes on where the last one ended. */
  readonly name: string;
  readonly calls: number;
  /** Events in all. */
  readonly events: number;
  /** Messages published in one turn of the event loop, and milliseconds from one such turn to the next. */
  readonly atOnce: number;
  readonly everyMs: number;
  /** Whether those of one turn are of one call; else each is of the next call. */
  readonly burst: boolean;
}

export type EventsMessage = Extract<BusMessage, { kind: 'events' }>;

/** The name of a course's call. */
export const callOf = (course: string, call: number): string => `EL_bench_${course}_${call}`;
export const epochOf = (callSid: string): string => `1.${callSid}`;

const told = new Map<string, number>();

/** The messages of a course, as the functions publish them: one event each, its text as logged. They are old in memory: moving them is nobody's work later. */
export const prepared = (course: Course): readonly EventsMessage[] => {
  const messages = messagesOf(course);
  for (let times = 0; times < 2; times++) globalThis.gc?.({ type: 'minor' });
  return messages;
};

const messagesOf = ({ name, calls, events, atOnce, burst }: Course): readonly EventsMessage[] =>
  Array.from({ length: events }, (_, place) => {
    const callSid = callOf(name, burst ? Math.floor(place / atOnce) % calls : place % calls);
    const seq = (told.get(callSid) ?? 0) + 1;
    told.set(callSid, seq);
    const at = Date.now();
    return {
      kind: 'events',
      tenant: TENANT,
      call_sid: callSid,
      epoch: epochOf(callSid),
      first_seq: seq,
      texts: [textOf(callSid, seq, at)],
      at,
      received_at: at - 5,
      trace: `00-${place.toString(16).padStart(32, '1')}-${place.toString(16).padStart(16, '2')}-01`,
    };
  });

const textOf = (callSid: string, seq: number, at: number): string => {
  const event = {
    type: 'transcription',
    call_sid: callSid,
    conversation_id: `conv_${callSid}`,
    seq,
    timestamp: new Date(at).toISOString(),
    turn_id: `monitor:agent:${seq}`,
    rev: 1,
    index: seq - 1,
    state: 'final',
    speaker: seq % 2 === 0 ? 'driver' : 'agent',
    time_in_call_secs: seq,
    text: '',
  };
  const words = 'You have been driving for six hours, and there is a rest area twelve miles ahead of you. ';
  return JSON.stringify({ ...event, text: words.repeat(5).slice(0, EVENT_BYTES - JSON.stringify(event).length) });
};

/** Publishes messages at the pace of their course. A turn that comes late is not made up for: the next ones keep their distance. */
export const feed = async (messages: readonly EventsMessage[], { atOnce, everyMs }: Course, publish: (message: EventsMessage) => unknown): Promise<number> => {
  let due = performance.now();
  for (let from = 0; from < messages.length; from += atOnce) {
    for (const message of messages.slice(from, from + atOnce)) publish(message);
    due = Math.max(due + everyMs, performance.now());
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  return messages.length;
};

/** What a bench asks of a server that is fed in its own process: to make a course's messages ready, and then to publish them at its pace. */
export const fedBy = (publish: (message: EventsMessage) => unknown): { prepare(course: Course): void; feed(course: Course): Promise<number> } => {
  let messages: readonly EventsMessage[] = [];
  return {
    prepare: (course) => {
      messages = prepared(course);
    },
    feed: (course) => feed(messages, course, publish),
  };
};
