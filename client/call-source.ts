/**
 * One followed call, for all who follow it in this page: what was told of it is kept while anybody does, so that whoever comes later
 * gets everything from the first event, and a slow reader costs one number.
 */
import type { CallUpdate } from '../core/domain/client/call-update.ts';
import { newListeners, type End, type Listeners, type Reader } from './listeners.ts';

export interface CallSource {
  readonly listeners: Listeners<CallUpdate>;
  readonly take: (update: CallUpdate) => void;
}

export const newCallSource = (ended: () => End, nobody: () => void): CallSource => {
  /** Events, losses and proofs since the call's start; another list after each start anew. */
  let kept: CallUpdate[] = [];
  /** Why what was shown last is void. */
  let reset: CallUpdate | undefined;
  /** Whether the relay took the subscription: its last word. */
  let answer: CallUpdate | undefined;
  /** What is being said: the newest for each speaker. */
  const interims = new Map<string, CallUpdate>();

  const begin = (): Reader<CallUpdate> => {
    let reading = kept;
    let at = 0;
    let answered: CallUpdate | undefined;
    const heard = new Map(interims);
    return () => {
      if (reading !== kept) {
        reading = kept;
        at = 0;
        // One that was told nothing yet has nothing to forget.
        if (answered) return reset;
      }
      if (answered !== answer) return (answered = answer);
      if (at < kept.length) return kept[at++];
      for (const [speaker, interim] of interims) {
        if (heard.get(speaker) === interim) continue;
        heard.set(speaker, interim);
        return interim;
      }
      return undefined;
    };
  };
  const listeners = newListeners(begin, ended, nobody);

  return {
    listeners,
    take: (update) => {
      const { kind } = update;
      if (kind === 'confirmed' || kind === 'error') answer = update;
      else if (kind === 'interim') interims.set(update.turn.speaker, update);
      else if (kind === 'reset') {
        kept = [];
        reset = update;
        interims.clear();
      } else {
        kept.push(update);
        if (kind === 'event' && update.event.type === 'transcription') interims.delete(update.event.speaker);
      }
      listeners.wakeAll();
    },
  };
};
