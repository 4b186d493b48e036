/** Who is in the run: two tenants with their agents, ingest keys and users, as they stand in a DATA_DIR. */
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { joseIssuer, loadOrCreateSigningKey } from '../../ports/identity.jose.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { addUser, withDirectory } from '../fixtures/stored-data.ts';
import type { Notes } from './notes.ts';

export const WORKSPACE = 'w1';
export const SECRET = 'wsec_chaos_1f2e3d4c';
/** Stands in every text that is spoken: it may be written nowhere. */
export const SPOKEN_WORD = 'quokka';

export interface Agent {
  readonly agent_id: string;
  readonly tenant: string;
  readonly ingestKey: string;
}

/** Agents whose conversations begin without us. */
export const AGENTS: readonly Agent[] = [
  { agent_id: 'agent1', tenant: 't1', ingestKey: 'ingest_chaos_t1_9a8b' },
  { agent_id: 'agent2', tenant: 't2', ingestKey: 'ingest_chaos_t2_7c6d' },
];
/** The agent of our dials: deliveries of its conversations may wait for a dial's answer, those of the others never do. */
export const DIALLING: Agent = { agent_id: 'agent3', tenant: 't1', ingestKey: 'ingest_chaos_t1_9a8b' };

export interface Person {
  readonly username: string;
  readonly tenant: string;
  /** How many of 200 viewers are theirs. */
  readonly viewers: number;
}

export const PEOPLE: readonly Person[] = [
  { username: 'anna', tenant: 't1', viewers: 60 },
  { username: 'bert', tenant: 't1', viewers: 40 },
  { username: 'eve', tenant: 't1', viewers: 10 },
  { username: 'theo', tenant: 't2', viewers: 60 },
  { username: 'tina', tenant: 't2', viewers: 30 },
];
/** Loses the right to watch in the middle of the run. */
export const LEAVER = 'eve';
/** Asks for calls, lists them and runs the jobs. */
export const SERVICE = 'sam';

const runtime = systemRuntime();

/** Writes all of them, and says so in the history. */
export const enterCast = async (dataDir: string, providerUrl: string, notes: Notes): Promise<void> => {
  await withDirectory(dataDir, async (directory) => {
    await directory.putWorkspace({
      workspace: WORKSPACE,
      webhook_secrets: [SECRET],
      ingest_keys: AGENTS.map(({ ingestKey, tenant }) => ({ hash: runtime.sha256(ingestKey), tenant })),
      api_key: 'xi_chaos_key',
      base_url: providerUrl,
      telephony: 'twilio',
      phone_number_id: 'phone_1',
      concurrency: 1_000,
    });
    for (const tenant of ['t1', 't2']) await directory.putTenant({ tenant, name: tenant, calling_hours: null, default_agent_id: tenant === 't1' ? DIALLING.agent_id : 'agent2' });
    for (const { agent_id, tenant } of [...AGENTS, DIALLING]) {
      await directory.putAgent({ agent_id, workspace: WORKSPACE, tenant, name: agent_id });
      notes.take({ actor: 'run', op: 'agent', agent_id, workspace: WORKSPACE, tenant });
    }
    for (const { username, tenant } of PEOPLE) {
      await addUser(directory, username, tenant, ['dispatcher']);
      notes.take({ actor: 'run', op: 'right', user: `user-${username}`, tenant, held: true });
    }
    for (const tenant of ['t1', 't2']) await addUser(directory, `${SERVICE}-${tenant}`, tenant, ['service', 'dispatcher']);
  });
  const canaries: readonly (readonly [string, string])[] = [['signature', SECRET], ['words', SPOKEN_WORD], ['token', 'xi_chaos_key'], ...AGENTS.map(({ ingestKey }) => ['token', ingestKey] as const)];
  for (const [what, text] of canaries) notes.take({ actor: 'run', op: 'canary', what, text });
};

/** Takes the right away, as an administrator does. */
export const dismiss = async (dataDir: string, username: string, notes: Notes): Promise<void> => {
  const { tenant } = PEOPLE.find((person) => person.username === username) ?? { tenant: 't1' };
  await withDirectory(dataDir, async (directory) => {
    const user = await directory.userByName(username);
    if (user !== null) await directory.putUser({ ...user, disabled: true });
  });
  notes.take({ actor: 'run', op: 'right', user: `user-${username}`, tenant, held: false });
};

export interface Tokens {
  /** One that lasts through the run; the same at every asking. */
  long(username: string, tenant: string): Promise<string>;
  /** One that ends in so many seconds. */
  short(username: string, tenant: string, lifeSeconds: number): Promise<string>;
}

const TOKEN_LIFE_SECONDS = 3_600;

/** Gives tokens as the API of this folder does. */
export const tokenMaker = async (dataDir: string): Promise<Tokens> => {
  const signingKey = await loadOrCreateSigningKey(dataDir);
  const kept = new Map<string, Promise<string>>();
  const short: Tokens['short'] = async (username, tenant, lifeSeconds) => {
    const issuer = joseIssuer({ signingKey, publicKeys: null, runtime: { ...runtime, now: () => Date.now() - (TOKEN_LIFE_SECONDS - lifeSeconds) * 1000 } });
    const roles = username.startsWith(SERVICE) ? (['service', 'dispatcher'] as const) : (['dispatcher'] as const);
    return (await issuer.issue({ user: `user-${username}`, username, tenant, roles, sid: `sid-${username}`, signed_in_at: Math.floor(Date.now() / 1000) - TOKEN_LIFE_SECONDS })).token;
  };
  return {
    short,
    long: (username, tenant) => {
      let token = kept.get(username);
      if (token === undefined) kept.set(username, (token = short(username, tenant, TOKEN_LIFE_SECONDS)));
      return token;
    },
  };
};

/**
 * A folder in which a relay finds everything of a DATA_DIR but the bus: that it reaches through a hop, which listens where it
 * looks for the bus.
 */
export const linkFolder = async (dataDir: string, folder: string): Promise<void> => {
  for (const file of ['calls.db', 'directory.db', 'auth-signing-key.json']) await symlink(join(dataDir, file), join(folder, file));
};
