/** The history of a run as it is written: every record gets the time at which it was noted, by the run's own clock. */
import type { HistoryRecord } from '../history/history.ts';

type Unstamped<R> = R extends HistoryRecord ? Omit<R, 'at'> : never;
/** A record without its time. */
export type Note = Unstamped<HistoryRecord>;

export class Notes {
  readonly records: HistoryRecord[] = [];
  readonly #started = performance.now();
  readonly #startedAt = Date.now();

  /** Milliseconds since the start. */
  get now(): number {
    return Math.round(performance.now() - this.#started);
  }

  /** A time of the world, milliseconds since 1970, by this clock. */
  of(time: number): number {
    return time - this.#startedAt;
  }

  take(note: Note): void {
    this.records.push({ at: this.now, ...note });
  }
}
