/** A page of a call's events as one text: the events stand in it exactly as they were logged. */
import { EVENTS_ANSWER_MAX_BYTES } from '../../core/protocol/limits.ts';
import type { Page } from '../../ports/call-log.ts';

/** Whether the caller's position was good, and why not. */
export type Recovery = { readonly recovered: true } | { readonly recovered: false; readonly reason: 'epoch_changed' | 'ahead_of_log' };

/**
 * JSON of an events answer.
 * @param since seq after which the page begins
 * @param limit events that were asked for
 */
export const eventsAnswer = (page: Page, since: number, limit: number, recovery: Recovery): string => {
  const { call_sid, conversation_id, epoch, last_seq } = page.call;
  const head = JSON.stringify({ call_sid, conversation_id, epoch, last_seq, ...recovery });
  return `${head.slice(0, -1)},"events":[${texts(page, since, limit).join(',')}]}`;
};

/** What the log has lost is said where it would stand: never a silent hole. */
const texts = (page: Page, since: number, limit: number): string[] => {
  const all: string[] = [];
  let bytes = 0;
  let seq = since;
  const lost = (to: number): void => {
    if (to > seq) all.push(JSON.stringify({ type: 'history_lost', call_sid: page.call.call_sid, conversation_id: page.call.conversation_id, epoch: page.call.epoch, from_seq: seq + 1, to_seq: to }));
  };
  for (const event of page.events) {
    bytes += Buffer.byteLength(event.text);
    // The first goes out whatever its size, so that whoever asks gets on.
    if (bytes > EVENTS_ANSWER_MAX_BYTES && all.length > 0) return all;
    lost(event.seq - 1);
    all.push(event.text);
    seq = event.seq;
  }
  if (page.events.length < limit) lost(page.call.last_seq);
  return all;
};
