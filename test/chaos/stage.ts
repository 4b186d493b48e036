/** Everything that stands in one run: the folders, the processes, a hop before each of them, the provider. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { busFile } from '../../ports/event-bus.socket.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder } from '../fixtures/processes.ts';
import { enterCast, linkFolder, tokenMaker, type Tokens } from './cast.ts';
import { Process } from './fleet.ts';
import { Hop, type Place } from './hop.ts';
import type { Notes } from './notes.ts';
import { Senders } from './senders.ts';
import { Telephony } from './telephony.ts';

export interface Stage {
  readonly dataDir: string;
  readonly processes: readonly Process[];
  readonly hops: readonly Hop[];
  readonly senders: Senders;
  readonly telephony: Telephony;
  readonly urls: { readonly api: string; readonly jobs: string; readonly relays: readonly [string, string] };
  readonly tokens: Tokens;
  close(): Promise<void>;
}

const FRAMEWORK = 'node_modules/.bin/functions-framework';
const RELAY_READY = /"port":(\d+)[^\n]*"message":"Application startup complete"/;

/** Builds it and starts every process; whatever was begun is ended by `close`, also where this rejects. */
export const buildStage = async (notes: Notes, random: () => number): Promise<Stage> => {
  const ends: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    return { ...(await build(notes, random, ends)), close };
  } catch (error) {
    await close();
    throw error;
  }
};

const build = async (notes: Notes, random: () => number, ends: (() => Promise<unknown>)[]): Promise<Omit<Stage, 'close'>> => {
  const root = await dataFolder((end) => void ends.push(end));
  const dataDir = join(root, 'data');
  const hops: Hop[] = [];
  const hop = async (name: string, listen: Place, ...targets: readonly Place[]): Promise<Place> => {
    const made = new Hop({ name, listen, targets: () => targets, random });
    const place = await made.listen();
    hops.push(made);
    ends.push(() => made.close());
    return place;
  };
  const portHop = async (name: string, ...targets: readonly Place[]): Promise<string> => {
    const place = await hop(name, { port: 0 }, ...targets);
    return `http://127.0.0.1:${'port' in place ? place.port : 0}`;
  };

  const ports = { webhooks: await freePort(), api: await freePort(), jobs: await freePort(), relays: [await freePort(), await freePort()] as const };
  const senders = new Senders(await portHop('senders - webhooks', { port: ports.webhooks }), notes, random);
  const telephony = new Telephony(senders, notes, random);
  const provider = await telephony.serve();
  ends.push(() => provider.close());
  const providerUrl = await portHop('functions - provider', { port: provider.port });
  await mkdir(dataDir, { mode: 0o700 });
  await enterCast(dataDir, providerUrl, notes);
  const tokens = await tokenMaker(dataDir);

  const processes: Process[] = [];
  const run = (name: string, args: readonly string[], environment: Readonly<Record<string, string>>, ready: RegExp, mayEnd = true): Process => {
    const made = new Process({ name, args, environment: { LOG_LEVEL: 'info', ...environment }, ready, mayEnd }, notes);
    processes.push(made);
    const abandon = (): void => made.abandon();
    process.once('exit', abandon);
    ends.push(async () => {
      await made.end();
      process.off('exit', abandon);
    });
    return made;
  };
  // In a deployment the bus is no process of ours and ends with none: here it is one that may be stopped, not killed.
  await run('bus', ['test/chaos/bus.ts'], { BUS_FILE: busFile(dataDir) }, /The bus is carried/, false).start();
  for (const target of ['webhooks', 'api', 'jobs'] as const) {
    await run(target, [FRAMEWORK, '--source', 'functions/index.ts', '--target', target, '--port', String(ports[target])], { DATA_DIR: dataDir }, /Serving function/).start();
    // Its stores are opened by its first request, and the log is there only then.
    await fetch(`http://127.0.0.1:${ports[target]}/health`, { signal: AbortSignal.timeout(15_000) }).then((answer) => answer.arrayBuffer());
  }
  for (const [index, port] of ports.relays.entries()) {
    const folder = join(root, `relay-${index + 1}`);
    await mkdir(folder, { mode: 0o700 });
    await linkFolder(dataDir, folder);
    await hop(`relay-${index + 1} - bus`, { path: busFile(folder) }, { path: busFile(dataDir) });
    await run(`relay-${index + 1}`, ['ws-relay/main.ts'], { DATA_DIR: folder, PORT: String(port) }, RELAY_READY).start();
  }
  const [one, two] = [{ port: ports.relays[0] }, { port: ports.relays[1] }];
  // As behind a load balancer: whoever finds one relay gone is taken to the other.
  const relays = [await portHop('viewers - relay-1', one, two), await portHop('viewers - relay-2', two, one)] as const;
  return {
    dataDir,
    processes,
    hops,
    senders,
    telephony,
    tokens,
    urls: { api: await portHop('desk - api', { port: ports.api }), jobs: `http://127.0.0.1:${ports.jobs}/`, relays },
  };
};
