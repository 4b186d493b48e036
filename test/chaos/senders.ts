/** Deliveries over HTTP, each sent again until it is answered 200, as a careful sender does; an answer that never came is unknown. */
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { Content } from '../history/history.ts';
import type { Notes } from './notes.ts';
import { WORKSPACE } from './cast.ts';

type Route = keyof typeof WEBHOOK_PATHS;

export interface Outgoing {
  readonly delivery: string;
  readonly route: Route;
  readonly conversationId: string;
  readonly body: string;
  /** Made anew for each attempt. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly content: Content;
  /** In the body of a forged one. */
  readonly marker?: string;
}

const ANSWER_MAX_MS = 8_000;
/** Attempts under way at once: whoever sends without a bound to one that is slow gets no answer to any of them. */
const AT_ONCE_COUNT = 64;
const AGAIN_MIN_MS = 100;
const AGAIN_MAX_MS = 2_000;

export class Senders {
  attempts = 0;
  /** Deliveries that were answered 200. */
  answered = 0;
  forged = 0;
  /** Attempts that ended without an answer. */
  unanswered = 0;
  readonly statuses = new Map<number, number>();
  /** Deliveries that are not answered yet. */
  readonly pending = new Set<string>();
  /** Nothing is tried again from now on. */
  over = false;
  readonly #url: string;
  readonly #notes: Notes;
  readonly #random: () => number;
  #free = AT_ONCE_COUNT;
  readonly #queue: (() => void)[] = [];

  constructor(url: string, notes: Notes, random: () => number) {
    this.#url = url;
    this.#notes = notes;
    this.#random = random;
  }

  /** Sends until it is answered 200 (answers true), refused for good, or all is over. A forged one is sent once. */
  async deliver(outgoing: Outgoing): Promise<boolean> {
    if (outgoing.marker !== undefined) {
      this.forged += 1;
      await this.#attempt(outgoing);
      return false;
    }
    const { delivery } = outgoing;
    this.pending.add(delivery);
    try {
      for (let failures = 0; !this.over; failures++) {
        const status = await this.#inTurn(() => this.#attempt(outgoing));
        if (status === 200) {
          this.answered += 1;
          return true;
        }
        if (status !== null && status < 500) return false;
        await later(Math.min(AGAIN_MAX_MS, AGAIN_MIN_MS * 2 ** failures) * (0.5 + this.#random()));
      }
      return false;
    } finally {
      if (!this.over) this.pending.delete(delivery);
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => void this.#queue.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  /** Answers the status; null: no answer came. */
  async #attempt({ delivery, route, conversationId, body, headers, content, marker }: Outgoing): Promise<number | null> {
    const id = `a${++this.attempts}`;
    const noted = { actor: 'sender', op: 'deliver', id, delivery } as const;
    this.#notes.take({ ...noted, phase: 'invoke', route, conversation_id: conversationId, workspace: WORKSPACE, genuine: marker === undefined, marker: marker ?? null, content });
    const status = await this.#post(WEBHOOK_PATHS[route], body, headers());
    if (status === null) this.unanswered += 1;
    else this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    // A fault of theirs may come after the commit.
    const phase = status === 200 ? 'ok' : status !== null && status < 500 ? 'fail' : 'unknown';
    this.#notes.take({ ...noted, phase, status });
    return status;
  }

  async #post(path: string, body: string, headers: Readonly<Record<string, string>>): Promise<number | null> {
    try {
      const answer = await fetch(this.#url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, signal: AbortSignal.timeout(ANSWER_MAX_MS) });
      const text = await answer.text();
      if (answer.status !== 200) this.#notes.take({ actor: 'functions', op: 'wrote', what: 'error', text });
      return answer.status;
    } catch {
      return null;
    }
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
