/** `earshot users ...`: who may sign in. What changes takes effect at once. */
import { ROLES, type Role } from '../core/domain/rights.ts';
import type { Directory, User } from '../ports/directory.ts';
import { CliError, usage } from './exit-codes.ts';
import { tenantMeant, withDirectory } from './local-data.ts';
import { table } from './output.ts';
import { newPassword } from './password.ts';
import { pause } from './wait.ts';
import type { Cli } from './world.ts';

const shown = ({ user, username, tenant, roles, disabled }: User) => ({ user, username, tenant, roles, disabled });

/** An operator stands outside all tenants, everybody else within one. */
const rolesOf = (words: readonly string[]): Role[] => {
  const roles = words.flatMap((word) => word.split(',')).map((word) => word.trim());
  const unknown = roles.find((role) => !(ROLES as readonly string[]).includes(role));
  if (unknown !== undefined || roles.length === 0) throw usage(`A role is one of ${ROLES.join(', ')}.`);
  if (roles.includes('operator') && roles.length > 1) throw usage('An operator stands outside all tenants and has no other role.');
  return [...new Set(roles)] as Role[];
};

const named = async (directory: Directory, username: string): Promise<User> => {
  const user = await directory.userByName(username);
  if (user === null) throw new CliError('user_not_found', 'Nobody has that user name.', 'not_found');
  return user;
};

/** `earshot users list`. */
export const listUsers = (cli: Cli, options: { readonly tenant?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const users = (await directory.users(options.tenant ?? null)).map(shown);
    cli.print.document({ users });
    const rows = users.map((user) => [user.username, user.tenant ?? '-', user.roles.join(','), user.disabled ? 'disabled' : 'enabled', user.user]);
    for (const line of table(['USERNAME', 'TENANT', 'ROLES', 'STATE', 'ID'], rows)) cli.print.line(line);
  });

/** `earshot users add <username>`. */
export const addUser = (cli: Cli, username: string, options: { readonly role: string; readonly tenant?: string; readonly passwordFile?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const roles = rolesOf([options.role]);
    const tenant = roles.includes('operator') ? null : await tenantMeant(cli, directory, options.tenant);
    if (username.trim() !== username || username === '' || username.length > 256) throw usage('A user name has 1 to 256 characters and no space around it.');
    if (tenant !== null && (await directory.tenant(tenant)) === null) throw new CliError('tenant_not_found', 'There is no such tenant: add it first (`earshot tenants add`).', 'not_found');
    if ((await directory.userByName(username)) !== null) throw new CliError('user_exists', 'Somebody has that user name already.', 'failed');
    const user: User = {
      user: `user_${cli.runtime.randomHex(8)}`,
      tenant,
      username,
      password: await cli.ways.passwords.hash(await newPassword(cli, options.passwordFile)),
      roles,
      disabled: false,
      tokens_valid_from: 0,
      failed_sign_ins: 0,
      sign_in_blocked_until: 0,
    };
    await directory.putUser(user);
    cli.print.document(shown(user));
    cli.print.line(`Added ${username} (${roles.join(', ')}).`);
  });

/** `earshot users passwd <username>`: ends every sign-in that the old password began. */
export const changePassword = (cli: Cli, username: string, options: { readonly passwordFile?: string }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const { user } = await named(directory, username);
    const password = await cli.ways.passwords.hash(await newPassword(cli, options.passwordFile));
    await change(cli, directory, user, (found) => ({ ...found, password, tokens_valid_from: nextSecond(cli), failed_sign_ins: 0, sign_in_blocked_until: 0 }));
    await untilNextSecond(cli);
    cli.print.line(`Changed; ${username} has to sign in again.`);
  });

/** `earshot users role <username> <roles...>`. */
export const changeRoles = (cli: Cli, username: string, words: readonly string[]): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const roles = rolesOf(words);
    const found = await named(directory, username);
    if ((found.tenant === null) !== roles.includes('operator')) throw usage('An operator stands outside all tenants: add a user of its own for that.');
    await change(cli, directory, found.user, (user) => ({ ...user, roles }));
    cli.print.line(`${username}: ${roles.join(', ')}.`);
  });

/** `earshot users disable <username>`, and back with --enable. */
export const disableUser = (cli: Cli, username: string, options: { readonly enable?: boolean }): Promise<void> =>
  withDirectory(cli, async (directory) => {
    const { user } = await named(directory, username);
    const disabled = options.enable !== true;
    await change(cli, directory, user, (found) => ({ ...found, disabled, ...(disabled ? { tokens_valid_from: nextSecond(cli) } : {}) }));
    if (disabled) await untilNextSecond(cli);
    cli.print.line(`${username} is ${disabled ? 'disabled: live sessions end within a minute' : 'enabled'}.`);
  });

/** Tokens tell their second only: those of this one end too, and a sign-in after the verb is of a later one. */
const nextSecond = (cli: Cli): number => (Math.floor(cli.runtime.now() / 1000) + 1) * 1000;
const untilNextSecond = (cli: Cli): Promise<void> => pause(nextSecond(cli) - cli.runtime.now(), cli.stop);

const change = async (cli: Cli, directory: Directory, user: string, how: (user: User) => User): Promise<void> => {
  const after = await directory.changeUser(user, how);
  if (after === null) throw new CliError('user_not_found', 'Nobody has that user name.', 'not_found');
  cli.print.document(shown(after));
};
