/** Long polling beside attempts at a socket: one poll after another, each from where the client then is. */
import { POLL_WAIT_MAX_SECONDS } from '../../protocol/limits.ts';
import { backoffMs } from './backoff.ts';
import type { Outbox } from './outbox.ts';

export class Polling {
  readonly #out: Outbox;
  readonly #random: () => number;
  /** Whether polls are made. */
  on = false;
  /** Whether the last one was answered. */
  works = false;
  /** What the poll under way waits for; null: none is. */
  #awaits: 'token' | 'answer' | null = null;
  #failures = 0;

  constructor(out: Outbox, random: () => number) {
    this.#out = out;
    this.#random = random;
  }

  start(): void {
    if (this.on) return;
    this.on = true;
    this.next();
  }

  stop(): void {
    this.on = false;
    this.works = false;
    this.#out.cancel('poll');
    this.#abort();
  }

  /** Begins a poll unless one is under way. */
  next(): void {
    if (!this.on || this.#awaits !== null) return;
    this.#awaits = 'token';
    this.#out.push({ do: 'ask_token', for: 'poll' });
  }

  /** What is asked for has changed: a poll that waits for the old question is given up. One that has no token yet asks the new one. */
  anew(): void {
    if (!this.on || this.#awaits === 'token') return;
    this.#abort();
    this.next();
  }

  /** The token that a poll needs. */
  token(token: string | null, question: object): void {
    if (!this.on || this.#awaits !== 'token') return;
    if (token === null) {
      this.failed();
      return;
    }
    this.#awaits = 'answer';
    this.#out.push({ do: 'poll', token, body: { ...question, wait: POLL_WAIT_MAX_SECONDS } });
  }

  /** Whether an answer that just came is awaited; if so it is none any more. */
  answered(): boolean {
    if (!this.on || this.#awaits !== 'answer') return false;
    this.#awaits = null;
    return true;
  }

  /** `whole`: everything asked for was answered; else the relay has to be given time, or polls would follow each other at once. */
  worked(whole: boolean): void {
    this.works = true;
    this.#failures = whole ? 0 : this.#failures + 1;
    if (whole) this.next();
    else this.#out.timer('poll', backoffMs(this.#failures, this.#random()));
  }

  failed(): void {
    this.#awaits = null;
    this.works = false;
    this.#failures++;
    this.#out.timer('poll', backoffMs(this.#failures, this.#random()));
  }

  #abort(): void {
    if (this.#awaits === 'answer') this.#out.push({ do: 'abort_poll' });
    this.#awaits = null;
  }
}
