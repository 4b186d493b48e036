/** The REST API of one deployment, as somebody signed in. */
import type { z } from 'zod';
import { Discovery, TokenAnswer } from '../core/protocol/rest.ts';
import type { Runtime } from '../ports/runtime.ts';
import { CliError, exitOfStatus } from './exit-codes.ts';
import type { Target } from './target.ts';
import type { World } from './world.ts';

/** A request that takes longer is given up. A dial answers within 15 s, a long poll within 25. */
const REQUEST_MAX_MS = 40_000;
/** A token that ends sooner than this is replaced before it is used. */
const TOKEN_RESERVE_MS = 120_000;

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Api {
  readonly url: string;
  /** A token that is good for a while; signs in where there is none. */
  token(): Promise<string>;
  /** Any answer, failures included; throws CliError `unreachable`, `timed_out` only. Signs in again once where the token has ended. */
  send(method: string, path: string, options?: RequestOptions): Promise<Response>;
  /** The JSON of a good answer. Throws CliError with the code of the problem, `unexpected_answer` where it has another form. */
  json<T>(schema: z.ZodType<T>, method: string, path: string, options?: RequestOptions): Promise<T>;
  /** A good answer. Throws as `json`. */
  good(method: string, path: string, options?: RequestOptions): Promise<Response>;
  /** Where WebSockets are, without a slash at the end. */
  relayUrl(): Promise<string>;
}

/** @param stop ends every request */
export const apiOf = (target: Target, { runtime, stop }: Pick<World, 'runtime' | 'stop'>): Api => {
  let held: { readonly token: string; readonly until: number } | null = null;

  const token = async (): Promise<string> => {
    if (target.signIn.by === 'token') return target.signIn.token;
    if (held === null || runtime.monotonic() > held.until) held = await signIn(target, runtime, stop);
    return held.token;
  };
  const once = async (method: string, path: string, options: RequestOptions): Promise<Response> =>
    ask(target.api + path, {
      method,
      headers: {
        authorization: `Bearer ${await token()}`,
        ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...options.headers,
      },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: stop,
    });
  const send: Api['send'] = async (method, path, options = {}) => {
    const response = await once(method, path, options);
    if (response.status !== 401 || held === null) return response;
    held = null;
    await response.body?.cancel();
    return once(method, path, options);
  };
  const good: Api['good'] = async (method, path, options) => {
    const response = await send(method, path, options);
    if (!response.ok) throw await problemOf(response);
    return response;
  };
  const json: Api['json'] = async (schema, method, path, options) => readAs(schema, await good(method, path, options));
  return {
    url: target.api,
    token,
    send,
    good,
    json,
    relayUrl: async () => target.relay ?? (await json(Discovery, 'GET', '/discovery')).services.relay.url,
  };
};

/** Signs in; the token and until when (monotonic milliseconds) it is used. */
const signIn = async (target: Target, runtime: Runtime, stop: AbortSignal): Promise<{ token: string; until: number }> => {
  const { signIn: as } = target;
  if (as.by === 'token') return { token: as.token, until: Infinity };
  const [path, body] = as.by === 'key' ? ['/auth/simulate', { username: as.username, key: as.key }] : ['/auth/login', { username: as.username, password: as.password }];
  const response = await ask(target.api + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal: stop });
  if (!response.ok) throw await problemOf(response);
  const { access_token, expires_in } = await readAs(TokenAnswer, response);
  return { token: access_token, until: runtime.monotonic() + expires_in * 1000 - TOKEN_RESERVE_MS };
};

/** One request, with a limit. Throws CliError `unreachable`, `timed_out`, `interrupted`. */
export const ask = async (url: string, init: RequestInit = {}): Promise<Response> => {
  const limit = AbortSignal.timeout(REQUEST_MAX_MS);
  const signal = init.signal === undefined || init.signal === null ? limit : AbortSignal.any([limit, init.signal]);
  try {
    return await fetch(url, { ...init, signal, redirect: 'manual' });
  } catch {
    if (init.signal?.aborted === true) throw new CliError('interrupted', 'Interrupted.', 'interrupted');
    if (limit.aborted) throw new CliError('timed_out', `${new URL(url).origin} did not answer within ${REQUEST_MAX_MS / 1000} s.`, 'unreachable');
    throw new CliError('unreachable', `Nobody answers at ${new URL(url).origin}. Is Earshot running there? (\`npm start\` starts it here.)`, 'unreachable');
  }
};

/** The failure that an answer tells of. */
export const problemOf = async (response: Response): Promise<CliError> => {
  const text = await response.text().catch(() => '');
  const exit = exitOfStatus(response.status);
  const problem = jsonIn(text);
  if (typeof problem !== 'object' || problem === null || !('code' in problem) || typeof problem.code !== 'string') {
    return new CliError('unexpected_answer', `The answer was HTTP ${response.status} and not one of Earshot's. Is that the address of an Earshot?`, exit);
  }
  const { code, detail, title, problems } = problem as { code: string; detail?: unknown; title?: unknown; problems?: unknown };
  const words = [detail, title].find((text): text is string => typeof text === 'string') ?? code;
  return new CliError(code, words, exit, Array.isArray(problems) ? problems.map(String) : []);
};

const readAs = async <T>(schema: z.ZodType<T>, response: Response): Promise<T> => {
  const parsed = schema.safeParse(jsonIn(await response.text()));
  if (!parsed.success) throw new CliError('unexpected_answer', `The answer does not have the form that Earshot answers in. Is ${new URL(response.url).origin} an Earshot of this version?`, 'failed');
  return parsed.data;
};

/** undefined: not JSON. */
export const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};
