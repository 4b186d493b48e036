/** Events of a call by REST, whole: page after page from the first. */
import { z } from 'zod';
import { READ_PAGE_MAX_EVENTS } from '../core/protocol/limits.ts';
import type { Api } from './api.ts';
import { callPath } from './session.ts';

/** As on the wire: members stay as and where they are, so that an event's JSON is its text in the log. */
export type WireEvent = Readonly<Record<string, unknown>>;

const EventsPage = z.object({
  call_sid: z.string(),
  epoch: z.string(),
  last_seq: z.int(),
  recovered: z.boolean(),
  events: z.array(z.record(z.string(), z.unknown())),
});

export interface CallEvents {
  readonly call_sid: string;
  readonly epoch: string;
  readonly events: readonly WireEvent[];
}

/** All events up to the head at the time of the last page. A log that was restored in between is read anew. */
export const allEvents = async (api: Api, id: string): Promise<CallEvents> => {
  let epoch: string | null = null;
  let since = 0;
  let events: WireEvent[] = [];
  for (;;) {
    const position: string = epoch === null ? '' : `&epoch=${encodeURIComponent(epoch)}`;
    const page: z.infer<typeof EventsPage> = await api.json(EventsPage, 'GET', callPath(id, `/events?since=${since}&limit=${READ_PAGE_MAX_EVENTS}${position}`));
    if (!page.recovered) events = [];
    events.push(...page.events);
    epoch = page.epoch;
    since = reached(page.events, since);
    if (page.events.length === 0 || since >= page.last_seq) return { call_sid: page.call_sid, epoch, events };
  }
};

/** The seq that a page ends with: of its last event, or of the last that it says is lost. */
const reached = (events: readonly WireEvent[], since: number): number => {
  const last = events.at(-1);
  const seq = last?.['seq'] ?? last?.['to_seq'];
  return typeof seq === 'number' ? seq : since;
};
