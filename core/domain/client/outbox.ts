/** Effects of the input under way, in order, and when its timers are due. */
import type { ClientEffect, Emitted, TimerName } from './effects.ts';

export class Outbox {
  /** Monotonic milliseconds of the input under way. */
  now = 0;
  #effects: ClientEffect[] = [];
  readonly #due = new Map<TimerName, number>();

  push(effect: ClientEffect): void {
    this.#effects.push(effect);
  }

  send(link: number, message: object): void {
    this.push({ do: 'send', link, text: JSON.stringify(message) });
  }

  emit(what: Emitted): void {
    this.push({ do: 'emit', what });
  }

  timer(name: TimerName, ms: number): void {
    this.#due.set(name, this.now + ms);
    this.push({ do: 'timer', name, ms });
  }

  cancel(...names: readonly TimerName[]): void {
    for (const name of names) {
      this.#due.delete(name);
      this.push({ do: 'cancel', name });
    }
  }

  /** A timer came. */
  came(name: TimerName): void {
    this.#due.delete(name);
  }

  /** The earliest time at which one of these is due; null: none is waited for. */
  dueAt(...names: readonly TimerName[]): number | null {
    const due = names.flatMap((name) => this.#due.get(name) ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Takes out what has gathered. */
  flush(): readonly ClientEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
