/**
 * One followed call, for all who follow it in this page: what was told of it is kept while anybody does, so that whoever comes later
 * gets everything from the first event, and a slow reader costs one number.
 */
import type { CallUpdate } from '../core/domain/client/call-update.ts';
import { Listeners, type End } from './listeners.ts';

interface Reader {
  /** How many of the kept updates it has had. */
  at: number;
  /** The relay's last answer that it was told of. */
  answer: CallUpdate | undefined;
  /** What it was shown is void, and it has not been told yet. */
  reset: CallUpdate | undefined;
  /** What is being said: the newest for each speaker. */
  readonly interims: Map<string, CallUpdate>;
}

export class CallSource {
  readonly listeners: Listeners<Reader, CallUpdate>;
  /** Events, losses and proofs since the call's start. */
  #kept: CallUpdate[] = [];
  /** Whether the relay took the subscription: its last word. */
  #answer: CallUpdate | undefined;

  constructor(ended: () => End, nobody: () => void) {
    const begin = (): Reader => ({ at: 0, answer: undefined, reset: undefined, interims: new Map() });
    this.listeners = new Listeners({ begin, next: (reader) => this.#next(reader), ended, nobody });
  }

  take(update: CallUpdate): void {
    switch (update.kind) {
      case 'confirmed':
      case 'error':
        this.#answer = update;
        break;
      case 'interim':
        for (const { interims } of this.listeners.readers) interims.set(update.turn.speaker, update);
        break;
      case 'reset':
        this.#kept = [];
        for (const reader of this.listeners.readers) startOver(reader, update);
        break;
      default:
        this.#kept.push(update);
        if (update.kind === 'event' && update.event.type === 'transcription') {
          for (const { interims } of this.listeners.readers) interims.delete(update.event.speaker);
        }
    }
    this.listeners.wake();
  }

  #next(reader: Reader): CallUpdate | undefined {
    const { reset } = reader;
    reader.reset = undefined;
    if (reset !== undefined) return reset;
    if (reader.answer !== this.#answer) return (reader.answer = this.#answer);
    if (reader.at < this.#kept.length) return this.#kept[reader.at++];
    for (const [speaker, interim] of reader.interims) {
      reader.interims.delete(speaker);
      return interim;
    }
    return undefined;
  }
}

/** One that was told nothing yet has nothing to forget. */
const startOver = (reader: Reader, reset: CallUpdate): void => {
  reader.at = 0;
  reader.interims.clear();
  if (reader.answer !== undefined) reader.reset = reset;
};
