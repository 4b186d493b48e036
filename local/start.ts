/** `npm start`: everything on this machine, and where to look. */
import { existsSync, readFileSync } from 'node:fs';
import { readSettings, SettingsError, type Settings } from '../core/settings.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { jsonLog, type LogLevel } from '../ports/log.json.ts';
import { sentryLog } from '../ports/log.sentry.ts';
import { systemRuntime } from '../ports/runtime.system.ts';
import { FIRST_LOGIN, firstCallLine } from '../client/first-call.ts';
import type { GooglePlaces } from './google/places.ts';
import { startProduct, type Product } from './product.ts';

const print = (text: string): void => void process.stdout.write(text);

const banner = (product: Product, settings: Settings): string => `
  Earshot is running.

  Look here      ${product.url}/
  Log in         ${product.google?.emulated === false ? 'as a user of this deployment' : `${FIRST_LOGIN.username}  /  ${FIRST_LOGIN.password}`}
  API docs       ${product.url}/docs
  ElevenLabs     ${product.simulated === null ? `the real one, ${settings.elevenlabsBaseUrl}` : `simulated, ${product.simulated.url}/simulator`}
  Data           ${whereDataIs(product, settings)}
${
  product.google?.emulated === false
    ? ''
    : `
  Start a call with this line (it signs in first):

  ${firstCallLine(product.url)}
`
}
`;

const whereDataIs = ({ google }: Product, settings: Settings): string => {
  if (google === null) return settings.dataDir;
  return google.emulated ? "in Google's emulators: gone when this ends" : `in Firestore and Cloud Storage, project ${settings.googleCloudProject ?? ''}`;
};

/** A person at a terminal sees what went wrong; a machine that reads the output gets every entry. */
const levelFor = (settings: Settings): LogLevel => (process.stderr.isTTY && (process.env['LOG_LEVEL'] ?? '') === '' ? 'warn' : settings.logLevel);

const fail = (message: string): never => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const reasonOf = (error: unknown, settings: Settings): string => {
  if (error instanceof Error && (error as { code?: unknown }).code === 'EADDRINUSE') return `Port ${settings.port} is taken. Free it, or choose another: PORT=8081 npm start`;
  if (error instanceof EarshotError) return `${error.code}: ${error.message} Is another Earshot using ${settings.dataDir}?`;
  return error instanceof Error ? error.message : String(error);
};

/** Emulators are found or started; Google's libraries are loaded only now. */
const inGoogle = async (): Promise<GooglePlaces> => {
  const { googlePlaces } = await import('./google/places.ts');
  const topic = process.env['EVENTS_TOPIC'] ?? '';
  return googlePlaces(process.env, topic === '' ? 'earshot-events' : topic).catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
};

const main = async (): Promise<void> => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const wantsGoogle = process.argv.slice(2).includes('--google');
  const google = wantsGoogle ? await inGoogle() : null;
  let settings: Settings;
  try {
    // What is in the cloud is nobody's trial: there is no default for its secrets.
    settings = readSettings({ ...process.env, ...google?.environment }, google?.emulated === false ? 'deployed' : 'local');
  } catch (error) {
    await google?.close();
    if (error instanceof SettingsError) return fail(error.message);
    throw error;
  }
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const runtime = systemRuntime();
  const lines = jsonLog(levelFor(settings), (line) => void process.stderr.write(line));
  const log = await sentryLog(lines, { dsn: settings.sentryDsn, release: version, runtime, fetch: globalThis.fetch });
  const product = await startProduct({ settings, runtime, log, version, google }).catch(async (error: unknown) => {
    await google?.close();
    return fail(reasonOf(error, settings));
  });
  print(banner(product, settings));
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Asked twice: somebody does not want to wait.
      if (stopping) process.exit(1);
      stopping = true;
      print('\n  Stopping ...\n');
      void product.close().then(() => process.exit(0));
    });
  }
};

await main();
