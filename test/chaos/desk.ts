/** Who asks the API: requests for calls, repeated under their Idempotency-Key until they are answered; lists of calls; the scheduler of the jobs. */
import type { RecordOf } from '../history/history.ts';
import { SERVICE, type Tokens } from './cast.ts';
import type { Notes } from './notes.ts';

const ANSWER_MAX_MS = 20_000;
const TRIES_MAX_COUNT = 12;

export interface DeskOptions {
  readonly apiUrl: string;
  readonly jobsUrl: string;
  readonly tokens: Tokens;
  readonly notes: Notes;
  readonly random: () => number;
}

export class Desk {
  requests = 0;
  /** Runs of the jobs that were answered. */
  jobs = 0;
  over = false;
  readonly #options: DeskOptions;
  readonly #pending = new Set<Promise<void>>();

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** Asks for one call. */
  dial(): void {
    const work = this.#dial(++this.requests);
    this.#pending.add(work);
    void work.finally(() => this.#pending.delete(work));
  }

  /** Resolves when every request has had its answer, or nothing is tried any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async #dial(number: number): Promise<void> {
    const { notes, random } = this.#options;
    const to = `+1555${String(1_000_000 + number)}`;
    const key = `key-${number}`;
    notes.take({ actor: 'run', op: 'canary', what: 'phone number', text: to });
    for (let attempt = 1; attempt <= TRIES_MAX_COUNT && !this.over; attempt++) {
      const answers = await Promise.all(Array.from({ length: random() < 0.2 ? 2 : 1 }, (_, copy) => this.#request(`r${number}.${attempt}.${copy}`, to, key)));
      if (answers.includes('settled')) return;
      await later(300 * attempt);
    }
  }

  async #request(id: string, to: string, key: string): Promise<'settled' | 'again'> {
    const { apiUrl, notes, tokens } = this.#options;
    const about = { actor: 'desk', op: 'request', id } as const;
    notes.take({ ...about, phase: 'invoke', user: `user-${SERVICE}-t1`, tenant: 't1', idempotency_key: key, number: to });
    const end = (phase: 'ok' | 'fail' | 'unknown', status: number | null, callSids: readonly string[] = []): void => notes.take({ ...about, phase, status, call_sids: callSids } satisfies Omit<RecordOf<'request'> & { phase: typeof phase }, 'at'>);
    try {
      const authorization = `Bearer ${await tokens.long(`${SERVICE}-t1`, 't1')}`;
      const answer = await fetch(`${apiUrl}/calls`, { method: 'POST', headers: { authorization, 'content-type': 'application/json', 'idempotency-key': key }, body: JSON.stringify({ to }), signal: AbortSignal.timeout(ANSWER_MAX_MS) });
      const text = await answer.text();
      if (answer.ok) {
        end('ok', answer.status, [(JSON.parse(text) as { call_sid: string }).call_sid]);
        return 'settled';
      }
      notes.take({ actor: 'functions', op: 'wrote', what: 'error', text });
      // 502: the provider refused the dial of a call that was begun.
      end(answer.status < 500 ? 'fail' : 'unknown', answer.status);
      return answer.status < 500 && answer.status !== 429 ? 'settled' : 'again';
    } catch {
      end('unknown', null);
      return 'again';
    }
  }

  /** The newest calls of a tenant, by the API; null: it did not answer. */
  async list(tenant: string): Promise<readonly string[] | null> {
    const { apiUrl, tokens } = this.#options;
    try {
      const authorization = `Bearer ${await tokens.long(`${SERVICE}-${tenant}`, tenant)}`;
      const answer = await fetch(`${apiUrl}/calls?limit=100`, { headers: { authorization }, signal: AbortSignal.timeout(3_000) });
      if (!answer.ok) return null;
      return ((await answer.json()) as { calls: { call_sid: string }[] }).calls.map(({ call_sid }) => call_sid);
    } catch {
      return null;
    }
  }

  /** Runs the jobs once. Answers how many waiting deliveries they freed; null: no answer came. */
  async runJobs(): Promise<number | null> {
    const { jobsUrl, tokens } = this.#options;
    try {
      const authorization = `Bearer ${await tokens.long(`${SERVICE}-t1`, 't1')}`;
      const answer = await fetch(jobsUrl, { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: '{}', signal: AbortSignal.timeout(30_000) });
      const report = (await answer.json()) as { readonly freed?: number };
      if (!answer.ok) return null;
      this.jobs += 1;
      return report.freed ?? 0;
    } catch {
      // The scheduler comes again.
      return null;
    }
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
