import { EarshotError, ERRORS, type ErrorCode } from './codes.ts';

/** An error as every HTTP route of ours answers it (RFC 9457, `application/problem+json`). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly problems?: readonly string[];
}

/** The problem document of a code; `problems` names what is wrong, never what was sent. */
export const problemOf = (code: ErrorCode, problems: readonly string[] = []): Problem => ({
  type: `/docs#${code}`,
  title: `${code.charAt(0).toUpperCase()}${code.slice(1).replaceAll('_', ' ')}`,
  detail: ERRORS[code].message,
  status: ERRORS[code].status,
  code,
  retryable: ERRORS[code].retryable,
  ...(problems.length === 0 ? {} : { problems }),
});

/** The code of anything thrown: what is not one of ours is a fault of ours. */
export const codeOf = (error: unknown): ErrorCode => (error instanceof EarshotError ? error.code : 'server_fault');
