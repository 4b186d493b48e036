/** A request to our own origin, and what can become of it. */
import type { Problem } from '../../core/protocol/rest.ts';

/** Longer than the API takes for anything; a dial is answered within 15 s. */
const ANSWER_MAX_MS = 30_000;
/** A year of calls as a file, a recording that is passed through. */
export const FILE_ANSWER_MAX_MS = 10 * 60_000;

/** What the API refused, or that it did not answer. `code`: as in `Problem`; `no_answer` where nothing came. The message is for the person at the screen. */
export class ApiProblem extends Error {
  readonly code: string;
  /** null: there was no answer. */
  readonly status: number | null;
  readonly retryable: boolean;
  /** Seconds after which to try again, where the API said so. */
  readonly retryAfterSeconds: number | null;

  constructor(problem: Pick<Problem, 'code' | 'title' | 'detail' | 'retryable'>, status: number | null, retryAfterSeconds: number | null = null) {
    super(problem.detail === '' ? problem.title : problem.detail);
    this.code = problem.code;
    this.status = status;
    this.retryable = problem.retryable;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Nothing came, or not the whole of it: what was asked for may have been done. */
export const noAnswer = (): ApiProblem => new ApiProblem({ code: 'no_answer', title: 'No answer', detail: 'The server cannot be reached. Check your connection and try again.', retryable: true }, null);

/** Sends as it is, without a token; resolves once an answer begins, which may take `maxMs`. Rejects with ApiProblem, and with an AbortError where `init.signal` was aborted. */
export const send = async (path: string, init: RequestInit, maxMs = ANSWER_MAX_MS): Promise<Response> => {
  const control = new AbortController();
  const late = setTimeout(() => control.abort(), maxMs);
  init.signal?.addEventListener('abort', () => control.abort());
  if (init.signal?.aborted === true) control.abort();
  try {
    return await fetch(path, { ...init, cache: 'no-store', signal: control.signal });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw noAnswer();
  } finally {
    clearTimeout(late);
  }
};

/** The problem of an answer that is not ok. */
export const problemOf = async (answer: Response): Promise<ApiProblem> => {
  const said = (await answer.json().catch(() => null)) as Partial<Problem> | null;
  const after = Number(answer.headers.get('retry-after') ?? Number.NaN);
  // Whatever stands between may answer for the server, and not in its words.
  const title = said?.title ?? `The server has a problem just now (${answer.status}). Try again in a moment.`;
  return new ApiProblem({ code: said?.code ?? `http_${answer.status}`, title, detail: said?.detail ?? title, retryable: said?.retryable ?? answer.status >= 500 }, answer.status, Number.isFinite(after) && after > 0 ? after : null);
};

/** What to tell the person at the screen of whatever was thrown. */
export const sentenceOf = (error: unknown): string => (error instanceof ApiProblem ? error.message : 'Something went wrong on this page. Reload it and try again.');
