/** Doctor against a deployment: what a caller sees of it. */
import { z } from 'zod';
import { asRecord } from '../core/domain/elevenlabs/json.ts';
import { WEBHOOK_PATHS } from '../core/protocol/ingest.ts';
import { SERVING_CHECK_MS, STORE_ANSWER_MAX_MS } from '../core/protocol/limits.ts';
import { Discovery } from '../core/protocol/rest.ts';
import { apiOf, ask, jsonIn } from './api.ts';
import { Failed, type Checks } from './checks.ts';
import { CliError } from './exit-codes.ts';
import { isGreeting, openSocket, protocolsFor, socketUrl } from './socket.ts';
import { isLoopback, type Target } from './target.ts';
import { pause } from './wait.ts';
import type { Cli } from './world.ts';

/** Past this, signatures and tokens of one side begin to be refused by the other. */
const CLOCK_MAX_SECONDS = 30;
const WAIT_MS = 10_000;
const ASK_AGAIN_MS = 1_000;

/** @param webhooks where deliveries go; without it to the API */
export const checkDeployment = async (cli: Cli, target: Target, checks: Checks, webhooks = target.api): Promise<void> => {
  const api = apiOf(target, cli);
  const safe = await checks.run('address', () => {
    if (new URL(target.api).protocol === 'http:' && !isLoopback(target.api)) throw new Failed('http:// sends passwords in the clear. Use https://');
    return target.api;
  });
  const reached = await checks.run('health', () => health(target.api));
  if (!reached) checks.note('clock', false, 'not known, since /health did not answer well');
  else await checks.run('clock', () => clock(cli, target.api));
  await checks.run('ready', () => ready(target.api));
  await checks.run('forged webhook', () => forged(cli, webhooks));
  await checks.run('discovery', async () => {
    const { services } = await discovery(target.api);
    return `relay at ${services.relay.url}`;
  });
  await checks.run('relay', async () => relayHealth(cli, target.api, target.relay ?? (await discovery(target.api)).services.relay.url));
  const signedIn = await checks.run('sign-in', async () => {
    if (!safe) throw new Failed('not tried, since it would send the password in the clear');
    await api.token();
    return target.signIn.by === 'token' ? 'EARSHOT_TOKEN, taken as it is' : 'a token was given';
  });
  if (!signedIn) {
    checks.note('WebSocket', false, 'not tried, since the sign-in failed');
    return;
  }
  await checks.run('WebSocket', async () => upgrade(target.relay ?? (await discovery(target.api)).services.relay.url, await api.token()));
};

/** Of the API or of a relay: on one machine both stand behind one address. */
const AnyHealth = z.object({ status: z.string(), version: z.string(), checks: z.record(z.string(), z.unknown()), revision: z.string().optional(), serving: z.boolean().optional() });
type AnyHealth = z.infer<typeof AnyHealth>;

const health = async (url: string): Promise<string> => `version ${(await healthOf(url)).version}`;

const healthOf = async (url: string): Promise<AnyHealth> => {
  const response = await ask(`${url}/health`);
  const parsed = AnyHealth.safeParse(jsonIn(await response.text()));
  if (!parsed.success) throw new Failed(`HTTP ${response.status}, and not as Earshot answers. Is that its address?`);
  const ill = Object.entries(parsed.data.checks).filter(([, word]) => word === 'failed' || word === 'failing').map(([name]) => name);
  if (parsed.data.status !== 'ok') throw new Failed(`it says ${parsed.data.status}${ill.length === 0 ? '' : `, since ${ill.join(', ')} does not answer`}. Look at the store and at the service's rights to it.`);
  return parsed.data;
};

const ready = async (url: string): Promise<string> => {
  const response = await ask(`${url}/ready`);
  await response.body?.cancel();
  if (!response.ok) throw new Failed(`HTTP ${response.status}: it takes nobody in. Look at /health there, and at its log.`);
  return 'takes requests';
};

/** Its version beside the API's, and which revision answers. One that was named a moment ago may not have heard of it yet. */
const relayHealth = async (cli: Cli, api: string, relay: string): Promise<string> => {
  const url = new URL(relay.replace(/^ws/, 'http')).origin;
  await ready(url);
  const [own, { version }] = [await untilServing(cli, url), await versionOf(api)];
  const versions = version === null || version === own.version ? `version ${own.version}` : `version ${own.version}, the API is of ${version}`;
  if (own.revision === undefined) return versions;
  if (own.serving === false) throw new Failed(`${own.revision} answers, and another revision is named as serving, so its sockets are asked to move for ever. Bring the traffic to the other, or name this one: earshot relay serve ${own.revision}`);
  return `${versions}, ${own.revision} serves`;
};

const untilServing = async (cli: Cli, url: string): Promise<AnyHealth> => {
  const began = cli.runtime.monotonic();
  for (;;) {
    const found = await healthOf(url);
    if (found.serving !== false || cli.stop.aborted || cli.runtime.monotonic() - began > SERVING_CHECK_MS + STORE_ANSWER_MAX_MS) return found;
    await pause(ASK_AGAIN_MS, cli.stop);
  }
};

/** null: the API's own check has said what is wrong with it. */
const versionOf = (api: string): Promise<{ readonly version: string | null }> => healthOf(api).catch(() => ({ version: null }));

/** By the Date of an answer: exact to a second and half the way there and back. */
const clock = async (cli: Cli, url: string): Promise<string> => {
  const before = cli.runtime.now();
  const response = await ask(`${url}/health`);
  await response.body?.cancel();
  const there = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(there)) return 'the answer has no Date';
  const seconds = Math.round((there - (before + cli.runtime.now()) / 2) / 1000);
  if (Math.abs(seconds) > CLOCK_MAX_SECONDS) throw new Failed(`${Math.abs(seconds)} s ${seconds > 0 ? 'behind' : 'ahead of'} the deployment's. Set this machine's clock by NTP.`);
  return `${Math.abs(seconds)} s apart`;
};

const forged = async (cli: Cli, url: string): Promise<string> => {
  const signature = `t=${Math.floor(cli.runtime.now() / 1000)},v0=${'0'.repeat(64)}`;
  const response = await ask(url + WEBHOOK_PATHS['post-call'], { method: 'POST', headers: { 'content-type': 'application/json', 'elevenlabs-signature': signature }, body: '{"type":"earshot_doctor"}' });
  await response.body?.cancel();
  if (response.status === 401) return 'refused with 401';
  if (response.ok) throw new Failed('taken: anybody can write. Take WEBHOOK_AUTH=none away, and look which secrets are set.');
  throw new Failed(`answered with HTTP ${response.status} instead of 401. ${response.status === 404 ? 'Do webhooks go to this address? Where they go to another: --webhooks <address>' : 'Look at the log of the function.'}`);
};

const discovery = async (url: string): Promise<Discovery> => {
  const response = await ask(`${url}/discovery`);
  const parsed = Discovery.safeParse(jsonIn(await response.text()));
  if (!parsed.success) throw new Failed(`HTTP ${response.status}, and not as Earshot answers. Is that the address of the API?`);
  if (!parsed.data.protocols.includes('earshot.v1')) throw new Failed('it does not speak earshot.v1. Use a command of its own version.');
  return parsed.data;
};

/** A real one, with a browser's subprotocols: servers that answer every upgrade with 404 have been deployed. */
const upgrade = async (relay: string, token: string): Promise<string> => {
  const url = socketUrl(relay);
  const socket = await openSocket(url, protocolsFor(token), WAIT_MS).catch((error: unknown) => {
    if (error instanceof CliError && error.code === 'upgrade_refused') throw new Failed(`${error.message} What stands in front of the relay at ${new URL(url).origin} has to pass upgrades on, and the path has to be its own.`);
    throw error;
  });
  try {
    const first = await socket.next('the first frame', () => true, WAIT_MS);
    if (!isGreeting(first.body)) throw new Failed(`the relay said ${String(first.body['code'] ?? first.body['type'])}. Do the API and the relay have the same keys (AUTH_PUBLIC_KEYS)?`);
    if (socket.protocol !== 'earshot.v1') throw new Failed('the subprotocol earshot.v1 was not selected, so a browser would drop the connection. Does something in front take the header away?');
    return `${String(asRecord(first.body['data'])['protocol'])} at ${new URL(url).origin}`;
  } finally {
    socket.close();
  }
};
