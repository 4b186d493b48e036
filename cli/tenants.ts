/** `earshot tenants ...` and `earshot agents ...`: whose calls are whose. */
import { isTimeOfDay } from '../core/domain/calling-hours.ts';
import { OWN_WORKSPACE } from '../ports/directory-workspace.ts';
import type { Agent, Directory, Tenant } from '../ports/directory.ts';
import { CliError, usage } from './exit-codes.ts';
import { inCloud, tenantMeant, withDirectory, workspaceMeant } from './local-data.ts';
import { table } from './output.ts';
import type { Cli } from './world.ts';

const IDENTIFIER = /^[A-Za-z0-9._~-]{1,128}$/;
const checkId = (what: string, id: string): void => {
  if (!IDENTIFIER.test(id)) throw usage(`${what} has 1 to 128 letters, digits, dots, underscores, tildes and hyphens.`);
};

const existing = async (directory: Directory, id: string): Promise<Tenant> => {
  const tenant = await directory.tenant(id);
  if (tenant === null) throw new CliError('tenant_not_found', 'There is no such tenant.', 'not_found');
  return tenant;
};

const hoursOf = ({ calling_hours: hours }: Tenant): string => (hours === null ? 'any' : `${hours.start}-${hours.end}`);

/** `earshot tenants list`. */
export const listTenants = (cli: Cli): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const tenants = await directory.tenants();
    cli.print.document({ tenants });
    for (const line of table(['TENANT', 'NAME', 'HOURS', 'AGENT'], tenants.map((one) => [one.tenant, one.name, hoursOf(one), one.default_agent_id ?? '-']))) cli.print.line(line);
  });

/** `earshot tenants add <tenant>`. */
export const addTenant = (cli: Cli, id: string, options: { readonly name?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    checkId('A tenant', id);
    if ((await directory.tenant(id)) !== null) throw new CliError('tenant_exists', 'There is such a tenant already.', 'failed');
    const tenant: Tenant = { tenant: id, name: options.name ?? id, calling_hours: null, default_agent_id: null };
    await directory.putTenant(tenant);
    cli.print.document(tenant);
    cli.print.line(`Added ${id}. Its agents: earshot agents add <agent> --tenant ${id} --default`);
  });

/** `earshot tenants hours <tenant> [start] [end]`: when its drivers may be called, on their own clocks; --any lifts the limit. */
export const setHours = (cli: Cli, id: string, start: string | undefined, end: string | undefined, options: { readonly any?: boolean }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    if (options.any === true ? start !== undefined : start === undefined || end === undefined) throw usage('Name a start and an end such as 08:00 20:00, or --any.');
    const hours = start === undefined || end === undefined ? null : { start, end };
    if (hours !== null && !(isTimeOfDay(hours.start, 'start') && isTimeOfDay(hours.end, 'end'))) throw usage('A time of day is written HH:MM, from 00:00 to 23:59; an end may be 24:00.');
    if (hours !== null && hours.start === hours.end) throw usage('Start and end are the same: nobody could ever be called.');
    const tenant = { ...(await existing(directory, id)), calling_hours: hours };
    await directory.putTenant(tenant);
    cli.print.document(tenant);
    cli.print.line(`${id} may call: ${hoursOf(tenant)}.`);
  });

/** `earshot agents list`. */
export const listAgents = (cli: Cli, options: { readonly tenant?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const agents = await directory.agents(options.tenant ?? null);
    cli.print.document({ agents });
    for (const line of table(['AGENT', 'TENANT', 'WORKSPACE', 'NAME'], agents.map((one) => [one.agent_id, one.tenant, one.workspace, one.name]))) cli.print.line(line);
  });

export interface AgentOptions {
  readonly tenant?: string;
  readonly workspace?: string;
  readonly name?: string;
  readonly default?: boolean;
  readonly move?: boolean;
}

/** `earshot agents add <agent>`: conversations of the agent belong to the tenant from now on. */
export const addAgent = (cli: Cli, id: string, options: AgentOptions): Promise<void> =>
  withDirectory(cli, async (directory) => {
    checkId('An agent', id);
    const tenant = await existing(directory, await tenantMeant(cli, directory, options.tenant));
    const workspace = workspaceMeant(cli, options.workspace);
    // A deployment's own one is described by its settings: nothing of it need be stored.
    const described = inCloud(cli) && workspace === OWN_WORKSPACE;
    if (!described && (await directory.workspace(workspace)) === null) throw new CliError('workspace_not_found', 'There is no such workspace.', 'not_found');
    const known = await directory.agent(id);
    if (known !== null && known.tenant !== tenant.tenant && options.move !== true) throw new CliError('agent_exists', 'The agent belongs to another tenant: say --move if it is to change over.', 'failed');
    const agent: Agent = { agent_id: id, workspace, tenant: tenant.tenant, name: options.name ?? known?.name ?? id };
    await directory.putAgent(agent);
    if (options.default === true) await directory.putTenant({ ...tenant, default_agent_id: id });
    cli.print.document(agent);
    cli.print.line(`${id} belongs to ${tenant.tenant}${options.default === true ? ' and dials for it' : ''}.`);
  });

/** `earshot agents remove <agent>`: what its conversations bring waits in quarantine from then on. */
export const removeAgent = (cli: Cli, id: string): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const agent = await directory.agent(id);
    if (agent === null || !(await directory.removeAgent(id))) throw new CliError('agent_not_found', 'There is no such agent.', 'not_found');
    const tenant = await directory.tenant(agent.tenant);
    if (tenant?.default_agent_id === id) await directory.putTenant({ ...tenant, default_agent_id: null });
    cli.print.document({ removed: id });
    cli.print.line(`Removed ${id}.`);
  });
