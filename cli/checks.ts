/** Checks of `doctor` and `e2e`: each is said as it is known, PASS or FAIL, and one FAIL fails the whole. */
import { asCliError, CliError } from './exit-codes.ts';
import type { Printer } from './output.ts';

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly detail: string;
}

/** A check that did not pass: what was found, and how to mend it. */
export class Failed extends Error {
  override readonly name = 'Failed';
}

export interface Checks {
  readonly all: readonly Check[];
  note(name: string, passed: boolean, detail?: string): void;
  /** Passes with what `work` answers as detail, fails with what it throws. Answers whether it passed. */
  run(name: string, work: () => string | undefined | Promise<string | undefined>): Promise<boolean>;
  /** Says how many passed. Throws CliError `checks_failed`. */
  conclude(more?: Readonly<Record<string, unknown>>): void;
}

/** @param say takes each line */
export const checksTo = (print: Printer, say: (line: string) => void): Checks => {
  const all: Check[] = [];
  const note: Checks['note'] = (name, passed, detail = '') => {
    all.push({ name, passed, detail });
    say(`${passed ? 'PASS' : 'FAIL'}  ${name}${detail === '' ? '' : `: ${detail}`}`);
  };
  return {
    all,
    note,
    run: async (name, work) => {
      try {
        note(name, true, (await work()) ?? '');
        return true;
      } catch (error) {
        note(name, false, reasonOf(error));
        return false;
      }
    },
    conclude: (more = {}) => {
      const failed = all.filter((check) => !check.passed).length;
      print.document({ checks: all, passed: all.length - failed, failed, ...more });
      say(`${all.length - failed} passed, ${failed} failed`);
      if (failed > 0) throw new CliError('checks_failed', `${failed} of ${all.length} checks did not pass.`, 'failed');
    },
  };
};

const reasonOf = (error: unknown): string => {
  if (error instanceof Failed) return error.message;
  const { message, code, problems } = asCliError(error);
  return [`${message} (${code})`, ...problems].join(' ');
};
