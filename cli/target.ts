/** Which deployment a verb talks to, and as whom. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { CliError, usage } from './exit-codes.ts';
import type { World } from './world.ts';

export type SignIn =
  | { readonly by: 'password'; readonly username: string; readonly password: string }
  | { readonly by: 'token'; readonly token: string }
  /** `POST /auth/simulate`. */
  | { readonly by: 'key'; readonly username: string; readonly key: string };

export interface Target {
  /** Of the API, without a slash at its end. */
  readonly api: string;
  /** `ws://` or `wss://`, without a slash at its end; null: as `GET /discovery` says. */
  readonly relay: string | null;
  readonly signIn: SignIn;
}

type Env = World['env'];

const textOf = (env: Env, name: string): string | null => {
  const text = env[name]?.trim();
  return text === undefined || text === '' ? null : text;
};

/** The port that Earshot listens on here. */
export const localPort = (env: Env): string => textOf(env, 'PORT') ?? '8080';

/** Whether the address is this machine's own. */
export const isLoopback = (url: string): boolean => {
  const { hostname } = new URL(url);
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
};

/** An address of one of these protocols, without a slash at its end. Throws CliError `invalid_usage`. */
export const urlOf = (name: string, text: string, protocols: readonly ('http' | 'https' | 'ws' | 'wss')[]): string => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !(protocols as readonly string[]).includes(url.protocol.slice(0, -1)) || url.username !== '' || url.search !== '') {
    throw usage(`${name} has to be a URL that begins with ${protocols.map((protocol) => `${protocol}://`).join(' or ')}.`);
  }
  return url.href.replace(/\/+$/, '');
};

const relayUrl = (text: string): string => urlOf('WS_BASE_URL', text, ['ws', 'wss', 'http', 'https']).replace(/^http/, 'ws');

/**
 * The deployment of `API_BASE_URL`, this machine without it. `EARSHOT_TOKEN`, else `TEST_USERNAME` with `TEST_PASSWORD`, else - on
 * this machine only - the login that it began with.
 * @param from in place of API_BASE_URL
 */
export const targetOf = (world: Pick<World, 'env' | 'local'>, from?: string): Target => {
  const { env } = world;
  const api = urlOf(from === undefined ? 'API_BASE_URL' : 'The address', from ?? textOf(env, 'API_BASE_URL') ?? `http://127.0.0.1:${localPort(env)}`, ['http', 'https']);
  const relay = textOf(env, 'WS_BASE_URL');
  return { api, relay: relay === null || from !== undefined ? null : relayUrl(relay), signIn: signInFor(world, api) };
};

const signInFor = ({ env, local }: Pick<World, 'env' | 'local'>, api: string): SignIn => {
  const token = textOf(env, 'EARSHOT_TOKEN');
  if (token !== null) return { by: 'token', token };
  const username = textOf(env, 'TEST_USERNAME');
  const password = textOf(env, 'TEST_PASSWORD');
  if (username !== null && password !== null) return { by: 'password', username, password };
  if (username === null && password === null && isLoopback(api)) return { by: 'password', username: local.username, password: local.password };
  const missing = [...(username === null ? ['TEST_USERNAME'] : []), ...(password === null ? ['TEST_PASSWORD'] : [])];
  throw usage(`${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} not set: who is to sign in? (EARSHOT_TOKEN would do as well.)`);
};

const JOURNEY = ['API_BASE_URL', 'WS_BASE_URL', 'TEST_USERNAME', 'TEST_PASSWORD'] as const;

/**
 * What the end-to-end test is run against: the environment, else `test/.env`. None of the four set: this machine. Any set: all are
 * needed, but that E2E_AUTH_KEY stands in for the password.
 */
export const journeyTarget = (world: Pick<World, 'env' | 'local' | 'root'>): Target => {
  const file = join(world.root, 'test/.env');
  const kept = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  const env: Env = { ...kept, ...Object.fromEntries(Object.entries(world.env).filter(([, text]) => text !== undefined && text.trim() !== '')) };
  const values = JOURNEY.map((name) => textOf(env, name));
  if (values.every((value) => value === null)) {
    const port = localPort(env);
    return { api: `http://127.0.0.1:${port}`, relay: `ws://127.0.0.1:${port}`, signIn: { by: 'password', username: world.local.username, password: world.local.password } };
  }
  const key = textOf(env, 'E2E_AUTH_KEY') ?? textOf(env, 'E2E_OAUTH_SIMULATION_KEY');
  const [api, relay, username, password] = values;
  const missing = JOURNEY.filter((name, index) => values[index] === null && !(name === 'TEST_PASSWORD' && key !== null));
  if (missing.length > 0 || typeof api !== 'string' || typeof relay !== 'string' || typeof username !== 'string') {
    throw new CliError('setting_missing', `Some of ${JOURNEY.join(', ')} are set, so all are needed.`, 'usage', missing.map((name) => `${name} is missing: set it in the environment or in test/.env`));
  }
  const signIn: SignIn = typeof password === 'string' ? { by: 'password', username, password } : { by: 'key', username, key: key ?? '' };
  return { api: urlOf('API_BASE_URL', api, ['http', 'https']), relay: relayUrl(relay), signIn };
};
