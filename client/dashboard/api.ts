/** REST as the page uses it: who is signed in asks, and what went wrong comes back as a problem with its code. */
import { FILE_ANSWER_MAX_MS, noAnswer, problemOf, send } from './http.ts';
import { accessToken, signInEnded } from './session.ts';

export interface Asking {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly query?: Readonly<Record<string, string | number | null | undefined>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * Asks the API as the signed-in user. Resolves with the JSON of the answer, null where it has none.
 * Rejects with ApiProblem, also `no_answer` where the answer broke off or is somebody else's; with the signal's reason where it was aborted.
 */
export const ask = async <T>(path: string, asking: Asking = {}): Promise<T> => {
  const answer = await answerOf(path, asking);
  if (answer.status === 204) return null as T;
  try {
    return (await answer.json()) as T;
  } catch (error) {
    if (asking.signal?.aborted === true) throw error;
    throw noAnswer();
  }
};

/** As `ask`, for what is no JSON: a recording, a file. */
export const askFile = async (path: string, asking: Asking = {}): Promise<Blob> => (await answerOf(path, asking, FILE_ANSWER_MAX_MS)).blob();

const answerOf = async (path: string, { method = 'GET', query = {}, body, headers = {}, signal }: Asking, maxMs?: number): Promise<Response> => {
  const token = await accessToken();
  const answer = await send(withQuery(path, query), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  }, maxMs);
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (answer.status === 401 || problem.code === 'access_revoked') signInEnded(problem.code, token);
  throw problem;
};

const withQuery = (path: string, query: NonNullable<Asking['query']>): string => {
  const given = Object.entries(query).flatMap(([name, value]) => (value === null || value === undefined || value === '' ? [] : [[name, String(value)]]));
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
};
