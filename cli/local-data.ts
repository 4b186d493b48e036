/** Verbs that work on the data themselves - this machine's, or the cloud's where STORE=google - beside whatever runs, or without it. */
import { existsSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { OWN_WORKSPACE } from '../ports/directory-workspace.ts';
import type { Directory } from '../ports/directory.ts';
import { CliError, usage } from './exit-codes.ts';
import type { Cli } from './world.ts';

/** The folder of the data. */
export const dataDir = (cli: Cli): string => {
  const { dataDir: folder } = cli.settings();
  return isAbsolute(folder) ? folder : resolve(cli.root, folder);
};

/** The file of the embedded log. */
export const logPath = (cli: Cli): string => join(dataDir(cli), 'calls.db');

/** Whether the settings name the cloud's stores in place of a folder. */
export const inCloud = (cli: Cli): boolean => cli.settings().store === 'google';

/** Runs `work` on the directory that the settings name, which several processes may have open. Throws CliError `no_data`, `settings_invalid`. */
export const withDirectory = async <T>(cli: Cli, work: (directory: Directory) => Promise<T>): Promise<T> => {
  const path = inCloud(cli) ? null : join(dataDir(cli), 'directory.db');
  if (path !== null && !existsSync(path)) throw new CliError('no_data', 'There is nothing in DATA_DIR yet: start Earshot there once (`npm start`).', 'not_found');
  const directory = await cli.ways.openDirectory(cli.settings(), path);
  try {
    return await work(directory);
  } finally {
    await directory.close();
  }
};

/** The tenant that is meant: without one named the local one, in the cloud the only one there is. Throws CliError `invalid_usage`. */
export const tenantMeant = async (cli: Cli, directory: Directory, given: string | undefined): Promise<string> => {
  if (given !== undefined) return given;
  if (!inCloud(cli)) return cli.local.tenant;
  const [only, another] = await directory.tenants();
  if (only === undefined) throw usage('There is no tenant yet: add one (`earshot tenants add`), and name it with --tenant.');
  if (another !== undefined) throw usage('There are several tenants: say which with --tenant.');
  return only.tenant;
};

/** The workspace that is meant: without one named the local one, in the cloud the one that its settings describe. */
export const workspaceMeant = (cli: Cli, given: string | undefined): string => given ?? (inCloud(cli) ? OWN_WORKSPACE : cli.local.workspace);
