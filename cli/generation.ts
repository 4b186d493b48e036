/** `earshot log new-generation`: for a log that was restored from a backup, so that positions from before cannot be taken for those of now. */
import { existsSync } from 'node:fs';
import type { CallLog } from '../ports/call-log.ts';
import { CliError, usage } from './exit-codes.ts';
import { inCloud, logPath } from './local-data.ts';
import { withLogFile } from './log-file.ts';
import type { Cli } from './world.ts';

export interface GenerationOptions {
  /** It is meant. */
  readonly yes?: boolean;
  /** Goes on with the generation that was named last, where that was cut off. */
  readonly resume?: boolean;
}

/** Throws CliError `invalid_usage`, `server_running`, `no_data`, `not_meant`; EarshotError `store_unavailable`. */
export const newGeneration = async (cli: Cli, { yes = false, resume = false }: GenerationOptions): Promise<void> => {
  const log = await openLog(cli);
  try {
    const open = (await log.active(null, Number.MAX_SAFE_INTEGER)).length;
    cli.print.note(`The log gets ${resume ? 'the rest of the generation that was named last' : 'a new generation'}: ${open} calls that have not ended get another epoch, and whoever watches one starts over.`);
    cli.print.note('Calls that have ended keep theirs, and every event stays. To be done once, right after a restore from a backup.');
    if (!yes) await ask(cli);
    const { generation, calls } = await log.newGeneration({ resume, onMoved: (moved) => cli.print.note(`${moved} calls`) });
    cli.print.document({ generation, calls });
    cli.print.line(`The log is of generation ${generation}; ${calls} calls got another epoch.`);
  } finally {
    await log.close();
  }
};

const openLog = async (cli: Cli): Promise<CallLog> => {
  const settings = cli.settings();
  if (inCloud(cli)) return cli.ways.openCallLog(settings, null, false);
  const path = logPath(cli);
  if (!existsSync(path)) throw new CliError('no_data', 'There is no call log in DATA_DIR yet: start Earshot there once (`npm start`).', 'not_found');
  // One process writes the log: a server has to be stopped for a restore anyway.
  withLogFile(path, () => undefined);
  return cli.ways.openCallLog(settings, path, false);
};

const ask = async (cli: Cli): Promise<void> => {
  if (!cli.input.terminal) throw usage('Nobody is at the terminal to be asked: say --yes if it is meant.');
  if ((await cli.input.question('Type yes if it is meant: ')).trim() !== 'yes') throw new CliError('not_meant', 'Nothing was done.', 'failed');
};
