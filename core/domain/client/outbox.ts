/** Effects of the input under way, in order. */
import type { ClientEffect, Emitted, TimerName } from './effects.ts';

export class Outbox {
  #effects: ClientEffect[] = [];

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
    this.push({ do: 'timer', name, ms });
  }

  cancel(...names: readonly TimerName[]): void {
    for (const name of names) this.push({ do: 'cancel', name });
  }

  /** Takes out what has gathered. */
  flush(): readonly ClientEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
