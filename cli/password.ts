/** A password never stands in the arguments, which every process of the machine can read. */
import { readFileSync } from 'node:fs';
import { PASSWORD_MAX_BYTES } from '../core/protocol/limits.ts';
import { CliError, usage } from './exit-codes.ts';
import type { Cli } from './world.ts';

/** Shorter ones are guessed. */
const PASSWORD_MIN_CHARACTERS = 8;

/** From the file, else from stdin, else asked twice at the terminal without echo. Throws CliError `invalid_usage`. */
export const newPassword = async (cli: Cli, file: string | undefined): Promise<string> => {
  const password = await read(cli, file);
  if (password.length < PASSWORD_MIN_CHARACTERS || Buffer.byteLength(password) > PASSWORD_MAX_BYTES) {
    throw usage(`The password has to have at least ${PASSWORD_MIN_CHARACTERS} characters and at most ${PASSWORD_MAX_BYTES} bytes.`);
  }
  return password;
};

const read = async (cli: Cli, file: string | undefined): Promise<string> => {
  if (file !== undefined) return firstLineOf(textOfFile(file));
  if (!cli.input.terminal) return cli.input.firstLine();
  const password = await cli.input.hidden('New password: ');
  if ((await cli.input.hidden('Again: ')) !== password) throw usage('The two are not the same.');
  return password;
};

const firstLineOf = (text: string): string => text.split(/\r?\n/, 1)[0] ?? '';

/** The text of a file that the person named. Throws CliError `file_not_readable`. */
export const textOfFile = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CliError('file_not_readable', `${path} cannot be read (${(error as { code?: string }).code ?? 'unknown'}).`, 'usage');
  }
};
