/** `earshot ingest-keys ...`: who may bring live turns and agent events, and for which tenant. What is kept of a key is its hash. */
import { OWN_WORKSPACE_AS_STORED } from '../ports/directory-workspace.ts';
import type { Directory, IngestKey } from '../ports/directory.ts';
import { CliError, usage } from './exit-codes.ts';
import { inCloud, tenantMeant, withDirectory, workspaceMeant } from './local-data.ts';
import { table } from './output.ts';
import type { Cli } from './world.ts';

/** So much of a hash names a key. */
const NAME_CHARACTERS = 12;
const NAME_MIN_CHARACTERS = 6;
/** 192 bits: nobody guesses it. */
const KEY_BYTES = 24;

const shown = ({ hash, tenant, added_at }: IngestKey) => ({ key: hash.slice(0, NAME_CHARACTERS), tenant, added_at: added_at === undefined ? null : new Date(added_at).toISOString() });

const keysOf = async (cli: Cli, directory: Directory): Promise<readonly IngestKey[]> => (await directory.workspace(workspaceMeant(cli, undefined)))?.ingest_keys ?? [];

/** `earshot ingest-keys list`. */
export const listIngestKeys = (cli: Cli): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const keys = (await keysOf(cli, directory)).map(shown);
    cli.print.document({ keys });
    for (const line of table(['KEY', 'TENANT', 'ADDED'], keys.map(({ key, tenant, added_at }) => [key, tenant, added_at ?? 'INGEST_KEY']))) cli.print.line(line);
  });

/** `earshot ingest-keys add`: the key itself is written nowhere but to stdout. Throws CliError `tenant_not_found`. */
export const addIngestKey = (cli: Cli, options: { readonly tenant?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const tenant = await tenantMeant(cli, directory, options.tenant);
    if ((await directory.tenant(tenant)) === null) throw new CliError('tenant_not_found', 'There is no such tenant.', 'not_found');
    const secret = `ingest_${cli.runtime.randomHex(KEY_BYTES)}`;
    const key: IngestKey = { hash: cli.runtime.sha256(secret), tenant, added_at: cli.runtime.now() };
    await change(cli, directory, (keys) => [...keys.filter(({ hash }) => hash !== key.hash), key]);
    cli.print.document({ ...shown(key), secret });
    cli.print.line(secret);
    cli.print.note(`This is the only time that it is shown. It writes for ${tenant}, as \`Authorization: Bearer <key>\`.`);
  });

/** `earshot ingest-keys remove <key>`. Throws CliError `invalid_usage`, `key_not_found`. */
export const removeIngestKey = (cli: Cli, name: string): Promise<void> =>
  withDirectory(cli, async (directory) => {
    if (!new RegExp(`^[0-9a-f]{${NAME_MIN_CHARACTERS},64}$`).test(name)) throw usage('Name the key by the beginning of its hash, as `earshot ingest-keys list` shows it.');
    const [found, another] = (await keysOf(cli, directory)).filter(({ hash }) => hash.startsWith(name));
    if (found === undefined) throw new CliError('key_not_found', 'There is no such key.', 'not_found');
    if (another !== undefined) throw usage('Several keys begin so: name more of it.');
    if (found.added_at === undefined) throw usage('This key is one of INGEST_KEY: take it out of that setting.');
    await change(cli, directory, (keys) => keys.filter(({ hash }) => hash !== found.hash));
    cli.print.document({ removed: shown(found) });
    cli.print.line(`Removed ${shown(found).key}: what comes with it is refused from now on.`);
  });

const change = async (cli: Cli, directory: Directory, how: (keys: readonly IngestKey[]) => readonly IngestKey[]): Promise<void> => {
  await directory.changeWorkspace(workspaceMeant(cli, undefined), (found) => {
    // A deployment's own workspace is described by its settings: nothing of it need be stored yet.
    const before = found ?? (inCloud(cli) ? OWN_WORKSPACE_AS_STORED : null);
    if (before === null) throw new CliError('workspace_not_found', 'There is no such workspace.', 'not_found');
    return { ...before, ingest_keys: how(before.ingest_keys) };
  });
};
