/** Who and what there is in every simulated world: two tenants, three workspaces, their agents, users and keys. */
import type { World } from './world.ts';
import type { Stores } from './stores.ts';
import type { Person } from './identities.ts';
import type { AgentOfWorld } from './provider.ts';

export const AGENTS: readonly AgentOfWorld[] = [
  // One workspace that two tenants share, and one that only the second has.
  { agent_id: 'agent-a', workspace: 'shared', tenant: 'north' },
  { agent_id: 'agent-b', workspace: 'shared', tenant: 'south' },
  { agent_id: 'agent-c', workspace: 'own', tenant: 'south' },
];

export const SECRETS: ReadonlyMap<string, string> = new Map([
  ['shared', 'wsec_shared_secret'],
  ['own', 'wsec_own_secret'],
  ['strange', 'wsec_strange_secret'],
]);

export const TENANTS = ['north', 'south'] as const;

export const DISPATCHERS: readonly Person[] = [
  { user: 'north-1', tenant: 'north', roles: ['dispatcher'] },
  { user: 'north-2', tenant: 'north', roles: ['dispatcher'] },
  { user: 'south-1', tenant: 'south', roles: ['dispatcher'] },
  { user: 'south-2', tenant: 'south', roles: ['dispatcher'] },
];

/** Who asks for calls and erases them, by tenant. */
export const ADMINS: ReadonlyMap<string, Person> = new Map([
  ['north', { user: 'north-admin', tenant: 'north', roles: ['admin'] }],
  ['south', { user: 'south-admin', tenant: 'south', roles: ['admin'] }],
]);

/** Writes all of it into the stores and the history, before anything can go wrong. */
export const enter = async (world: World, { directory }: Stores): Promise<void> => {
  const workspace = { api_key: 'key', base_url: 'http://provider', telephony: 'twilio', phone_number_id: 'phone', concurrency: 30 } as const;
  for (const [name, secret] of SECRETS) {
    const tenants = new Set(AGENTS.filter((agent) => agent.workspace === name).map((agent) => agent.tenant));
    const keys = [...tenants].map((tenant) => ({ hash: world.clock.sha256(ingestKey(name, tenant)), tenant }));
    await directory.putWorkspace({ ...workspace, workspace: name, webhook_secrets: [secret], ingest_keys: keys });
    world.note('world', { op: 'canary', what: 'secret', text: secret });
  }
  for (const tenant of TENANTS) {
    await directory.putTenant({ tenant, name: tenant, calling_hours: null, default_agent_id: AGENTS.find((agent) => agent.tenant === tenant)?.agent_id ?? null });
  }
  for (const agent of AGENTS) {
    await directory.putAgent({ ...agent, name: agent.agent_id });
    world.note('world', { op: 'agent', ...agent });
  }
  for (const { user, tenant, roles } of [...DISPATCHERS, ...ADMINS.values()]) {
    await directory.putUser({ user, tenant, username: user, password: null, roles, disabled: false, tokens_valid_from: 0, failed_sign_ins: 0, sign_in_blocked_until: 0 });
    world.note('world', { op: 'right', user, tenant, held: true });
  }
};

/** What a tenant's tools post with: good for one workspace. */
export const ingestKey = (workspace: string, tenant: string): string => `ingest_${workspace}_${tenant}`;
