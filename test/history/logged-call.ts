/** The log of one call as the auditor's readings show it, all readings of one epoch laid over each other. */
import { hash } from 'node:crypto';
import type { EventFrame } from '../../core/protocol/frames.ts';
import { fingerprintOf, type RecordOf } from './history.ts';

/** Lower-case hex of SHA-256 over the UTF-8 of the text. */
export const sha256 = (text: string): string => hash('sha256', text, 'hex');

/** One reading with its place in the history. */
export interface Reading {
  readonly record: RecordOf<'logged'>;
  readonly index: number;
}

/** What one epoch of a call ever held. */
export class EpochLog {
  readonly callSid: string;
  readonly epoch: string;
  readonly readings: Reading[] = [];
  /** By seq - 1, from the first reading that had it; null: no reading ever had it. */
  readonly texts: (string | null)[] = [];
  readonly removed = new Set<number>();
  #events: (EventFrame | null)[] | null = null;
  readonly #fingerprints: (string | undefined)[] = [];
  readonly #witnessed: (string | undefined)[] = [];

  constructor(callSid: string, epoch: string) {
    this.callSid = callSid;
    this.epoch = epoch;
  }

  add(reading: Reading): void {
    this.readings.push(reading);
    for (const seq of reading.record.removed) this.removed.add(seq);
    const { texts } = reading.record;
    for (let place = 0; place < texts.length; place++) {
      const text = texts[place] ?? null;
      if (place >= this.texts.length) this.texts.push(text);
      else if (this.texts[place] === null) this.texts[place] = text;
    }
  }

  /** Whether events stand in it that no reading ever showed. */
  get hasHoles(): boolean {
    return this.texts.includes(null);
  }

  /** The events by seq - 1; null where the text is not known or is none. To be asked for when all readings are in. */
  get events(): readonly (EventFrame | null)[] {
    this.#events ??= this.texts.map((text) => (text === null ? null : parsed(text)));
    return this.#events;
  }

  /** Of the text at this seq; undefined: no reading ever showed it. */
  fingerprint(seq: number): string | undefined {
    const text = this.texts[seq - 1];
    if (text === null || text === undefined) return undefined;
    return (this.#fingerprints[seq - 1] ??= fingerprintOf(text, sha256));
  }

  /** What somebody saw at a seq that no reading shows: everybody has to have seen the same. Answers whether that is so. */
  witness(seq: number, fingerprint: string): boolean {
    return (this.#witnessed[seq - 1] ??= fingerprint) === fingerprint;
  }
}

const parsed = (text: string): EventFrame | null => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as EventFrame) : null;
  } catch {
    return null;
  }
};

/** One call, over all its epochs. */
export class LoggedCall {
  readonly callSid: string;
  readonly epochs = new Map<string, EpochLog>();
  /** The newest reading of all. */
  latest: Reading;
  /** The reading at the end of the run. */
  final: Reading | null = null;

  constructor(first: Reading) {
    this.callSid = first.record.call_sid;
    this.latest = first;
  }

  add(reading: Reading): void {
    this.epoch(reading.record.epoch).add(reading);
    this.latest = reading;
    if (reading.record.final) this.final = reading;
  }

  epoch(epoch: string): EpochLog {
    let log = this.epochs.get(epoch);
    if (log === undefined) this.epochs.set(epoch, (log = new EpochLog(this.callSid, epoch)));
    return log;
  }

  /** The log as it is now. */
  get current(): EpochLog {
    return this.epoch(this.latest.record.epoch);
  }
}
