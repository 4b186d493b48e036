/** Verbs that work on this machine's own data, beside a running server or without one. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import type { Directory } from '../ports/directory.ts';
import { CliError } from './exit-codes.ts';
import type { Cli } from './world.ts';

/** The folder of the data. */
export const dataDir = (cli: Cli): string => {
  const { dataDir: folder } = cli.settings();
  return isAbsolute(folder) ? folder : resolve(cli.root, folder);
};

/** The file of the embedded log. */
export const logPath = (cli: Cli): string => join(dataDir(cli), 'calls.db');

/** Runs `work` on the directory, which several processes may have open. Throws CliError `no_data`. */
export const withDirectory = async <T>(cli: Cli, work: (directory: Directory) => Promise<T>): Promise<T> => {
  const path = join(dataDir(cli), 'directory.db');
  if (!existsSync(path)) throw new CliError('no_data', 'There is nothing in DATA_DIR yet: start Earshot there once (`npm start`).', 'not_found');
  const directory = cli.ways.openDirectory(path);
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
};
