/** A request to our own origin, and what can become of it. */
import type { Problem } from '../../core/protocol/rest.ts';

/** Longer than the API takes for anything; a dial is answered within 15 s. */
const ANSWER_MAX_MS = 30_000;

/** What the API refused, or that it did not answer. `code`: as in `Problem`; `no_answer` where nothing came. */
export class ApiProblem extends Error {
  readonly code: string;
  readonly status: number | null;
  readonly retryable: boolean;

  constructor(problem: Pick<Problem, 'code' | 'title' | 'detail' | 'retryable'>, status: number | null) {
    super(problem.detail === '' ? problem.title : problem.detail);
    this.code = problem.code;
    this.status = status;
    this.retryable = problem.retryable;
  }
}

/** Sends as it is, without a token. Rejects with ApiProblem. */
export const send = async (path: string, init: RequestInit): Promise<Response> => {
  const late = AbortSignal.timeout(ANSWER_MAX_MS);
  try {
    return await fetch(path, { ...init, cache: 'no-store', signal: init.signal === undefined || init.signal === null ? late : AbortSignal.any([init.signal, late]) });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiProblem({ code: 'no_answer', title: 'No answer', detail: 'The server did not answer. Check your connection and try again.', retryable: true }, null);
  }
};

/** The problem of an answer that is not ok. */
export const problemOf = async (answer: Response): Promise<ApiProblem> => {
  const said = (await answer.json().catch(() => null)) as Partial<Problem> | null;
  const title = said?.title ?? `The server answered ${answer.status}`;
  return new ApiProblem({ code: said?.code ?? `http_${answer.status}`, title, detail: said?.detail ?? title, retryable: said?.retryable ?? answer.status >= 500 }, answer.status);
};
