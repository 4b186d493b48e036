import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readSettings } from '../../core/settings.ts';
import { withOwnWorkspace } from '../../ports/directory-workspace.ts';
import { firestoreDirectory } from '../../ports/directory.firestore.ts';
import type { Directory } from '../../ports/directory.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { command, temporaryFolder, type CommandOptions, type Ran } from '../fixtures/command.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';

describe.skipIf(google === null)('the verbs that care for the directory, on Firestore', () => {
  let project: string;
  let directory: Directory;
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    project = freshProject();
    directory = firestoreDirectory({ entries: openTestFirestore(project), sessions: openTestFirestore(project, undefined, 'earshot-sessions'), runtime: systemRuntime() });
    folder = temporaryFolder();
  });
  afterEach(async () => {
    await directory.close();
    folder.remove();
  });
  const earshot = (args: readonly string[], options: CommandOptions = {}): Promise<Ran> =>
    command(args, { ...options, env: { STORE: 'google', GOOGLE_CLOUD_PROJECT: project, DATA_DIR: folder.path, FIRESTORE_EMULATOR_HOST: hosts().firestoreHost, ...options.env } });
  const json = async (args: readonly string[], options: CommandOptions = {}): Promise<Record<string, unknown>> => {
    const { code, out, err } = await earshot([...args, '--json'], options);
    if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${err}`);
    return JSON.parse(out) as Record<string, unknown>;
  };

  it('sets an empty deployment up: tenant, agent, administrator, driver', async () => {
    expect(await earshot(['users', 'add', 'ann@example.com'], { stdin: 'long enough' })).toMatchObject({ code: 2, err: expect.stringContaining('There is no tenant yet') as string });
    await json(['tenants', 'add', 'north', '--name', 'North yard']);
    expect(await json(['agents', 'add', 'agent_1', '--default'])).toEqual({ agent_id: 'agent_1', workspace: 'main', tenant: 'north', name: 'agent_1' });
    expect(await json(['users', 'add', 'ann@example.com', '--role', 'admin'], { stdin: 'long enough' })).toMatchObject({ username: 'ann@example.com', tenant: 'north', roles: ['admin'] });
    const csv = join(folder.path, 'drivers.csv');
    writeFileSync(csv, 'driverId,driverName,phoneNumber,triggers\nd1,Dora,+15550100123,speeding\n');
    expect(await json(['drivers', 'import', csv])).toEqual({ imported: 1, problems: [] });

    expect(await directory.tenant('north')).toEqual({ tenant: 'north', name: 'North yard', calling_hours: null, default_agent_id: 'agent_1' });
    expect(await directory.agent('agent_1')).toMatchObject({ workspace: 'main', tenant: 'north' });
    expect(await directory.userByName('ann@example.com')).toMatchObject({ tenant: 'north', roles: ['admin'], disabled: false });
    expect(await directory.driver('north', 'd1')).toMatchObject({ driverName: 'Dora', triggers: [{ type: 'speeding' }] });
    // Nothing of it lies in a folder.
    expect(await earshot(['users', 'list'], { env: { STORE: 'embedded' } })).toMatchObject({ code: 5, err: expect.stringContaining('no_data') as string });
  });

  it('asks which tenant is meant once there are several, and changes what it is told to', async () => {
    for (const tenant of ['north', 'south']) await json(['tenants', 'add', tenant]);
    expect(await earshot(['agents', 'add', 'agent_1'])).toMatchObject({ code: 2, err: expect.stringContaining('several tenants') as string });
    await json(['agents', 'add', 'agent_1', '--tenant', 'south']);
    expect(await earshot(['agents', 'add', 'agent_1', '--tenant', 'north'])).toMatchObject({ code: 1, err: expect.stringContaining('agent_exists') as string });
    await json(['users', 'add', 'bob', '--tenant', 'south'], { stdin: 'long enough' });
    expect(await json(['users', 'role', 'bob', 'admin'])).toMatchObject({ roles: ['admin'] });
    expect(await json(['users', 'disable', 'bob'])).toMatchObject({ disabled: true });
    expect(await json(['tenants', 'hours', 'south', '08:00', '20:00'])).toMatchObject({ calling_hours: { start: '08:00', end: '20:00' } });
    expect((await json(['agents', 'remove', 'agent_1']))['removed']).toBe('agent_1');
    expect(await directory.agent('agent_1')).toBeNull();
  });

  it('keeps the hash of an ingest key in the workspace of the deployment, and nothing else that is secret', async () => {
    for (const tenant of ['north', 'south']) await json(['tenants', 'add', tenant]);
    const { secret } = await json(['ingest-keys', 'add', '--tenant', 'south'], { env: { ELEVENLABS_API_KEY: 'key_of_the_operator' } });
    await json(['ingest-keys', 'add', '--tenant', 'north']);
    const stored = await directory.workspace('main');
    expect(stored).toMatchObject({ webhook_secrets: [], api_key: null, ingest_keys: [{ tenant: 'south' }, { tenant: 'north' }] });
    expect(stored?.ingest_keys[0]?.hash).toBe(systemRuntime().sha256(String(secret)));
    // As the functions read it.
    const own = withOwnWorkspace(directory, readSettings({ ELEVENLABS_API_KEY: 'key_of_the_function' }, 'local'), systemRuntime());
    expect(await own.workspace('main')).toMatchObject({ api_key: 'key_of_the_function', concurrency: 30, ingest_keys: [{ tenant: 'south' }, { tenant: 'north' }] });
    const [south] = (await json(['ingest-keys', 'list']))['keys'] as { key: string }[];
    await json(['ingest-keys', 'remove', south?.key ?? '']);
    expect((await directory.workspace('main'))?.ingest_keys).toMatchObject([{ tenant: 'north' }]);
  });

  it('names the serving revision, says when sockets have moved, and takes it back', async () => {
    expect(await json(['relay', 'status'])).toEqual({ serving: null });
    expect(await json(['relay', 'serve', 'earshot-relay-00012-abc'])).toEqual({ serving: 'earshot-relay-00012-abc', previous: null, asked_within_seconds: 25, gone_within_seconds: 85 });
    expect(await directory.servingRevision()).toBe('earshot-relay-00012-abc');
    expect(await earshot(['relay', 'serve', 'earshot-relay-00011-xyz'])).toEqual({ code: 0, out: 'earshot-relay-00011-xyz serves. Sockets of other revisions are asked to move within 25 s, and are gone from there within 85 s.\n', err: '' });
    expect((await earshot(['relay', 'status'])).out).toBe('earshot-relay-00011-xyz serves: sockets of every other revision are asked to move.\n');
    expect((await earshot(['relay', 'serve', '--none'])).out).toBe('No revision is named any more: sockets stay where they are.\n');
    expect(await directory.servingRevision()).toBeNull();
  });

  it.each([
    [['relay', 'serve']],
    [['relay', 'serve', 'earshot-relay-00012-abc', '--none']],
    [['relay', 'serve', 'Not/a revision']],
  ])('takes %j for wrong usage, and names nothing', async (args) => {
    expect((await earshot(args)).code).toBe(2);
    expect(await directory.servingRevision()).toBeNull();
  });

  it('says which setting is missing without a project', async () => {
    expect(await earshot(['tenants', 'list'], { env: { GOOGLE_CLOUD_PROJECT: '' } })).toMatchObject({ code: 2, err: expect.stringContaining('GOOGLE_CLOUD_PROJECT is missing') as string });
  });
});
