/** Doctor on this machine: versions, settings, data, port, secrets; in place of the data the cloud's stores, where the settings name them. */
import { existsSync, mkdtempSync, rmdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { LOG_MIGRATIONS } from '../ports/call-log.sqlite-schema.ts';
import { readSettings, SettingsError, type Settings } from '../core/settings.ts';
import { SETTINGS } from '../core/settings-table.ts';
import { Failed, type Checks } from './checks.ts';
import { checkCloud } from './doctor-cloud.ts';
import { CliError } from './exit-codes.ts';
import { dataDir, withDirectory } from './local-data.ts';
import { schemaOf, withLogFile } from './log-file.ts';
import type { Cli } from './world.ts';

const NODE_LEAST = 24;

export const checkMachine = async (cli: Cli, checks: Checks, listens: 'earshot' | 'nobody' | 'something'): Promise<void> => {
  await checks.run('Node', () => {
    if (Number(process.versions.node.split('.')[0]) < NODE_LEAST) throw new Failed(`${process.version} is too old. Run \`npm start\` once: it brings Node ${NODE_LEAST}, and \`npx earshot\` uses it.`);
    return process.version;
  });
  const settings = checkSettings(cli, checks);
  if (settings === null) return;
  if (settings.store === 'google') {
    await checkCloud(cli, checks, settings);
    return;
  }
  await checks.run('DATA_DIR', () => writable(dataDir(cli)));
  await checks.run('port', () => portOf(settings, listens));
  await checks.run('webhook secret', () => secretOf(settings));
  await checks.run('login', () => loginOf(cli, settings));
  await checks.run('signing key', () => keyModeOf(join(dataDir(cli), 'auth-signing-key.json')));
  await checks.run('call log', () => logOf(join(dataDir(cli), 'calls.db'), listens));
};

const checkSettings = (cli: Cli, checks: Checks): Settings | null => {
  try {
    const settings = readSettings(cli.env, 'local');
    checks.note('settings', true, 'every one can be read');
    return settings;
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    for (const problem of error.problems) checks.note('settings', false, `${problem} Mend it in the environment or in .env.`);
    return null;
  }
};

/** The nearest folder that exists has to let a new one be made. */
const writable = (folder: string): string => {
  let nearest = folder;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  try {
    rmdirSync(mkdtempSync(join(nearest, '.earshot-doctor-')));
  } catch (error) {
    throw new Failed(`${nearest} cannot be written to (${(error as { code?: string }).code ?? 'unknown'}). Set DATA_DIR to a folder of yours.`);
  }
  return nearest === folder ? folder : `${folder}, to be made`;
};

const portOf = async ({ port, host }: Settings, listens: 'earshot' | 'nobody' | 'something'): Promise<string> => {
  if (listens === 'earshot') return `${port}, Earshot runs there`;
  if (listens === 'something' || !(await isFree(port, host))) throw new Failed(`${port} is taken by another program. Free it, or choose another: PORT=8081 npm start`);
  return `${port}, free`;
};

const isFree = (port: number, host: string): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });

const isOpen = ({ host }: Settings): boolean => !['127.0.0.1', 'localhost', '::1'].includes(host);

const secretOf = (settings: Settings): string => {
  if (settings.webhookAuth === 'none') throw new Failed('WEBHOOK_AUTH=none lets anybody write. Take it away when the trial is over.');
  const byDefault = settings.elevenlabsWebhookSecrets.some((secret) => SETTINGS.elevenlabsWebhookSecrets.local.includes(secret));
  if (byDefault && (settings.elevenlabsApiKey !== null || isOpen(settings))) {
    throw new Failed('still the one that everybody knows. Set ELEVENLABS_WEBHOOK_SECRETS to the secret that ElevenLabs shows for the webhook.');
  }
  return byDefault ? 'the local one: good for the simulated ElevenLabs on this machine' : 'set';
};

const loginOf = async (cli: Cli, settings: Settings): Promise<string> => {
  if (!isOpen(settings)) return `only this machine can reach it (HOST ${settings.host})`;
  if (!existsSync(join(dataDir(cli), 'directory.db'))) throw new Failed(`HOST ${settings.host} opens the printed login to the network. Change it before: earshot users passwd ${cli.local.username}`);
  const known = await withDirectory(cli, async (directory) => cli.ways.passwords.verify(cli.local.password, async () => {
    const user = await directory.userByName(cli.local.username);
    return user === null || user.disabled ? null : user.password;
  }));
  if (known) throw new Failed(`HOST ${settings.host} opens the printed login to the network. Change it: earshot users passwd ${cli.local.username}`);
  return 'the printed one does not open it';
};

const keyModeOf = (path: string): string => {
  if (!existsSync(path)) return 'made at the first start';
  const mode = statSync(path).mode & 0o777;
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw new Failed(`others may read it (mode ${mode.toString(8)}). Mend it: chmod 600 ${path}`);
  return 'readable by its owner only';
};

const logOf = (path: string, listens: string): string => {
  if (!existsSync(path)) return 'made at the first start';
  try {
    const schema = withLogFile(path, schemaOf);
    if (schema > LOG_MIGRATIONS.length) throw new Failed(`it is of schema ${schema}, and this program knows ${LOG_MIGRATIONS.length}. Use the newer program, or go back with it: earshot migrate --to ${LOG_MIGRATIONS.length}`);
    return `schema ${schema} of ${LOG_MIGRATIONS.length}`;
  } catch (error) {
    if (!(error instanceof CliError) || error.code !== 'server_running') throw error;
    return listens === 'earshot' ? 'held by the Earshot that runs' : 'held by another program: an Earshot on another port?';
  }
};
