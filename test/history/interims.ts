/** I6, what is not logged yet: an interim turn is shown neither after its turn was, nor after the end of its call, nor by nobody's right. */
import type { EventFrame } from '../../core/protocol/frames.ts';
import { isTerminalStatus } from './reading-events.ts';
import type { Report } from './violation.ts';
import { viewKey } from './views.ts';
import type { World } from './world.ts';

interface Shown {
  readonly turns: Set<string>;
  ended: boolean;
}

export const checkInterims = (world: World, report: Report): void => {
  const screens = new Map<string, Shown>();
  for (const [index, record] of world.records.entries()) {
    if (record.op === 'follow' || record.op === 'reset') screens.delete(viewKey(record.actor, record.id));
    else if (record.op === 'event') {
      const key = viewKey(record.actor, record.id);
      const shown = screens.get(key) ?? { turns: new Set<string>(), ended: false };
      screens.set(key, shown);
      const event = eventOf(world, record.call_sid, record.seq, record.fingerprint);
      if (event?.type === 'transcription') shown.turns.add(event.turn_id);
      if (event?.type === 'call_status' && isTerminalStatus(event.status)) shown.ended = true;
    } else if (record.op === 'interim') {
      const shown = screens.get(viewKey(record.actor, record.id));
      const what = `${record.actor} was shown turn ${record.turn_id} of ${record.call_sid} as being said`;
      if (shown?.ended === true) report('I6', `${what} after the end of the call`, index);
      else if (shown?.turns.has(record.turn_id) === true) report('I6', `${what} after what was said had been shown`, index);
    }
  }
};

const eventOf = (world: World, callSid: string, seq: number, fingerprint: string): EventFrame | null => {
  for (const log of world.calls.get(callSid)?.epochs.values() ?? []) if (log.fingerprint(seq) === fingerprint) return log.events[seq - 1] ?? null;
  return null;
};
