/** What the command's exit codes mean: one table, from which errors are mapped and the documentation is printed. */
import { EarshotError, ERRORS, type ErrorCode } from '../core/protocol/codes.ts';

export const EXITS = {
  ok: { code: 0, meaning: 'Done; every check passed.' },
  failed: { code: 1, meaning: 'Refused or failed: the error code on stderr says why. Also when one check of several did not pass.' },
  usage: { code: 2, meaning: 'Wrong usage: an argument, a setting or a file does not have the form it has to have.' },
  unreachable: { code: 3, meaning: 'Nobody answered at the address, or not in time.' },
  not_allowed: { code: 4, meaning: 'The sign-in was refused, or the role does not allow it.' },
  not_found: { code: 5, meaning: 'What was asked for is not there, or was erased.' },
  not_now: { code: 6, meaning: 'Not now: a server holds the data, or the other side asks to try again later.' },
  interrupted: { code: 130, meaning: 'Interrupted from the keyboard.' },
} as const satisfies Record<string, { readonly code: number; readonly meaning: string }>;

export type ExitName = keyof typeof EXITS;

/** A failure that ends a verb: a stable code first, a sentence second. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exit: ExitName;
  /** One line each, below the sentence. */
  readonly problems: readonly string[];
  constructor(code: string, message: string, exit: ExitName, problems: readonly string[] = []) {
    super(message);
    this.code = code;
    this.exit = exit;
    this.problems = problems;
  }
}

/** How a verb ends that a server answered with this status. */
export const exitOfStatus = (status: number): ExitName => {
  if (status === 401 || status === 403) return 'not_allowed';
  if (status === 404 || status === 410) return 'not_found';
  if (status === 400) return 'usage';
  return status === 408 || status === 429 || status === 503 ? 'not_now' : 'failed';
};

/** The error as the command tells it. A fault of ours shows its message: whoever runs the command may read it. */
export const asCliError = (error: unknown): CliError => {
  if (error instanceof CliError) return error;
  if (error instanceof EarshotError) return ofCode(error.code, error.problems);
  return new CliError('server_fault', error instanceof Error ? error.message : String(error), 'failed');
};

/** The failure that a code of the protocol stands for. */
export const ofCode = (code: ErrorCode, problems: readonly string[] = []): CliError => new CliError(code, ERRORS[code].message, exitOfStatus(ERRORS[code].status), problems);

/** Wrong usage, in words. */
export const usage = (message: string, problems: readonly string[] = []): CliError => new CliError('invalid_usage', message, 'usage', problems);
