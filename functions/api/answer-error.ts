/** Every failure as a problem document (RFC 9457): the code first, never anything of what was sent. */
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { routePath } from 'hono/route';
import type { z } from 'zod';
import { EarshotError, ERRORS, type ErrorCode } from '../../core/protocol/codes.ts';
import type { Log } from '../../ports/log.ts';
import { problemOf } from '../../core/protocol/problem.ts';

/** Answers any failure; one that is our fault is logged, without what it says. */
export const answerError = (error: unknown, c: Context, log: Log): Response => {
  const known = asEarshotError(error);
  if (known.code === 'server_fault') log.error('request failed', { method: c.req.method, route: routePath(c) }, error);
  else if (ERRORS[known.code].status >= 500) log.warn('request failed', { method: c.req.method, route: routePath(c), code: known.code });
  return answerProblem(known);
};

/** The answer that carries the problem document. */
export const answerProblem = (error: EarshotError, more: Readonly<Record<string, string>> = {}): Response => {
  const problem = problemOf(error.code, error.problems);
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...more });
  if (problem.status === 401) headers.set('www-authenticate', 'Bearer');
  if (error.retryAfterSeconds !== null) headers.set('retry-after', String(error.retryAfterSeconds));
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
};

/** The routing library's own refusals. */
const BY_STATUS: Readonly<Record<number, ErrorCode>> = { 400: 'invalid_json', 413: 'payload_too_large', 415: 'media_type_not_supported' };

const asEarshotError = (error: unknown): EarshotError => {
  if (error instanceof EarshotError) return error;
  const code = error instanceof HTTPException ? BY_STATUS[error.status] : undefined;
  return new EarshotError(code ?? 'server_fault');
};

/** What is wrong with a request, field by field, in words of ours. */
export const problemsOf = (error: z.core.$ZodError): string[] => error.issues.map((issue) => `${pathOf(issue.path)}: ${wordsFor(issue)}`);

/** A field's name may come from the caller: shown only where it looks like one. */
const shown = (name: PropertyKey): string => (/^[A-Za-z_][\w-]{0,39}$/.test(String(name)) ? String(name) : '*');

const pathOf = (path: readonly PropertyKey[]): string =>
  path.length === 0 ? 'request' : path.map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${shown(part)}`)).join('');

const wordsFor = (issue: z.core.$ZodIssue): string => {
  switch (issue.code) {
    case 'invalid_type':
      return `has to be ${issue.expected}`;
    case 'too_small':
      return `is too short or too small: at least ${String(issue.minimum)}`;
    case 'too_big':
      return `is too long or too large: at most ${String(issue.maximum)}`;
    case 'invalid_value':
      return `has to be one of ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `has an unknown field: ${issue.keys.map(shown).join(', ')}`;
    case 'custom':
      return issue.message;
    case 'invalid_format':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    case 'not_multiple_of':
      return 'has not the form that is taken here';
  }
};
