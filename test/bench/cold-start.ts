/**
 * From the start of a function's process to the first request that it answered 200, having written to Firestore and published: the built
 * bundle as it is deployed, beside a function of the stock clients that does as little as one can do.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { readSettings } from '../../core/settings.ts';
import { googlePlaces, type GooglePlaces } from '../../local/google/places.ts';
import { OWN_WORKSPACE } from '../../ports/directory-workspace.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { googleFunctionStores } from '../../ports/stores.google.ts';
import { buildDeployables } from '../../scripts/build.ts';
import type { Bench, Measured } from './harness/figures.ts';
import { pinned } from './harness/process.ts';
import { freePort } from '../../local/free-port.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const FRAMEWORK = join(ROOT, 'node_modules/.bin/functions-framework');
const INGEST_KEY = 'ingest_of_the_bench';
const SECRET = 'secret_of_the_bench';
const AGENT = 'agent_bench';
const TOPIC = 'earshot-events';
const STARTED_MAX_MS = 30_000;
const ASK_AGAIN_MS = 3;
/** Linux counts CPU time of processes in hundredths of a second: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
const TICK_MS = 10;

/** A function that is started anew for each figure. */
interface Deployable {
  readonly name: string;
  readonly source: string;
  readonly env: Readonly<Record<string, string>>;
  /** Path and request of a live turn. */
  ask(port: number, conversation: string): Promise<Response>;
}

interface Start {
  readonly ms: number;
  /** Of the process itself; null where the system does not tell. */
  readonly cpuMs: number | null;
}

const turnOf = (conversation: string): string => JSON.stringify({ conversation_id: conversation, agent_id: AGENT, speaker: 'agent', text: 'You have been driving for six hours.', turn_id: 'first' });

const post = (url: string, headers: Readonly<Record<string, string>>, body: string): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, signal: AbortSignal.timeout(STARTED_MAX_MS) });

const cpuMsOf = (pid: number | undefined): number | null => {
  if (process.platform !== 'linux' || pid === undefined) return null;
  // After the command's name in brackets, which may hold anything: state is the first field, utime and stime the 12th and 13th.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
};

const start = async ({ name, source, env, ask }: Deployable, conversation: string): Promise<Start> => {
  const port = await freePort();
  const { PATH = '', HOME = '' } = process.env;
  const [command = '', ...args] = pinned('served', [process.execPath, FRAMEWORK, '--source', source, '--target', 'webhooks', '--port', String(port)]);
  const began = performance.now();
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH, HOME, ...env } });
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  try {
    for (;;) {
      const answer = await ask(port, conversation).catch(() => null);
      if (answer?.status === 200) {
        await answer.arrayBuffer();
        return { ms: performance.now() - began, cpuMs: cpuMsOf(child.pid) };
      }
      if (answer !== null) throw new Error(`${name} answered ${answer.status}: ${await answer.text()}`);
      if (child.exitCode !== null || performance.now() - began > STARTED_MAX_MS) throw new Error(`${name} did not start`);
      await wait(ASK_AGAIN_MS);
    }
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
};

const functionsOf = async (places: GooglePlaces, built: string): Promise<readonly [ours: Deployable, uncached: Deployable, stock: Deployable]> => {
  const { firestore, pubsub, storage } = places.hosts;
  const emulators = { FIRESTORE_EMULATOR_HOST: firestore ?? '', PUBSUB_EMULATOR_HOST: pubsub ?? '', STORAGE_EMULATOR_HOST: storage ?? '' };
  const env = { ...places.environment, ...emulators, EVENTS_TOPIC: TOPIC, LOG_LEVEL: 'info', FUNCTION_TARGET: 'webhooks', K_SERVICE: 'earshot-webhooks', ELEVENLABS_WEBHOOK_SECRETS: SECRET, ELEVENLABS_API_KEY: 'key_of_the_bench', INGEST_KEY };
  const settings = readSettings(env, 'deployed', 'webhooks');
  const stores = await googleFunctionStores(settings, { runtime: systemRuntime(), log: jsonLog('silent', () => undefined), hosts: places.hosts });
  await stores.directory.putTenant({ tenant: 't1', name: 't1', calling_hours: null, default_agent_id: AGENT });
  await stores.directory.putAgent({ agent_id: AGENT, workspace: OWN_WORKSPACE, tenant: 't1', name: AGENT });
  await stores.close();

  const ours: Deployable = {
    name: 'this',
    source: join(built, 'functions/dist/index.js'),
    env,
    ask: (port, conversation) => post(`http://127.0.0.1:${port}/webhooks/elevenlabs/transcription`, { authorization: `Bearer ${INGEST_KEY}` }, turnOf(conversation)),
  };
  const stock: Deployable = {
    name: 'stock clients',
    source: join(ROOT, 'test/bench/servers/stock-function.mjs'),
    env: { ...env, STOCK_SECRET: SECRET },
    ask: (port, conversation) => post(`http://127.0.0.1:${port}/`, { 'x-signature': createHmac('sha256', SECRET).update(turnOf(conversation)).digest('hex') }, turnOf(conversation)),
  };
  return [ours, { ...ours, name: 'without its compile cache', env: { ...env, NODE_DISABLE_COMPILE_CACHE: '1' } }, stock];
};

export const coldStartBench: Bench = {
  name: 'cold-start',
  what: 'from the start of the webhooks function to its first 200 that wrote and published, beside the stock clients; on the emulators',
  run: async (rounds, say) => {
    await mkdir(join(ROOT, 'dist'), { recursive: true });
    const built = await mkdtemp(join(ROOT, 'dist', 'bench-'));
    const ends: (() => Promise<unknown>)[] = [() => rm(built, { recursive: true, force: true, maxRetries: 5 })];
    try {
      await buildDeployables(built);
      // What the buildpack runs after it has installed.
      const compiled = spawnSync(process.execPath, ['compile.js'], { cwd: join(built, 'functions/dist'), stdio: 'inherit' });
      if (compiled.status !== 0) throw new Error('the compile cache could not be made');
      // Whatever the shell is set to: never the cloud.
      process.env['METADATA_SERVER_DETECTION'] = 'none';
      const places = await googlePlaces({ ...process.env, GOOGLE_CLOUD_PROJECT: undefined }, TOPIC);
      ends.push(() => places.close());
      const functions = await functionsOf(places, built);
      const [ours, uncached, stock] = functions;
      const starts = new Map(functions.map((one) => [one, [] as Start[]]));
      // One more that is not kept: the emulators are as cold as the functions then, and files are not in the system's cache.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const [place, one] of functions.entries()) {
          const measured = await start(one, `conv_cold_${round}_${place}`);
          if (round > 0) starts.get(one)?.push(measured);
        }
      }
      const msOf = (one: Deployable): number[] => (starts.get(one) ?? []).map(({ ms }) => ms);
      const cpuOf = (one: Deployable): number[] => (starts.get(one) ?? []).flatMap(({ cpuMs }) => (cpuMs === null ? [] : [cpuMs]));
      const beside = (what: string, other: Deployable, of: (one: Deployable) => number[]): Measured => ({ what, unit: 'ms', ours: of(ours), baseline: { name: other.name, values: of(other) } });
      return {
        bench: 'cold-start',
        measured: [
          { ...beside('spawn to the first 200', stock, msOf), target: { of: 'ratio', bound: 'most', value: 0.6 } },
          beside('CPU of that', stock, cpuOf),
          beside('spawn to the first 200', uncached, msOf),
        ],
        notes: [
          "Ours is the built bundle with the compile cache that the build step of a deployment makes; it verifies, keeps the raw delivery in the bucket's stand-in, appends and publishes. The stock function imports the three libraries whole, checks a signature, runs one transaction, publishes.",
        ],
      };
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
};
