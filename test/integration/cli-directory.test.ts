import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, startHere, startRig, temporaryFolder, type Rig } from '../fixtures/command.ts';

describe('the verbs that care for the directory, beside a running server', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig.close();
  });
  const file = (name: string, text: string): string => {
    const path = join(rig.dataDir, name);
    writeFileSync(path, text);
    return path;
  };
  const as = (username: string, password: string) => ({ env: { TEST_USERNAME: username, TEST_PASSWORD: password } });

  it('adds a user who can sign in at once, with a password from stdin', async () => {
    const { code, out, err } = await rig.earshot(['users', 'add', 'ann@example.com', '--role', 'dispatcher'], { stdin: 'a long enough one\n' });
    expect({ code, out, err }).toEqual({ code: 0, out: 'Added ann@example.com (dispatcher).\n', err: '' });
    expect((await rig.earshot(['calls'], as('ann@example.com', 'a long enough one'))).code).toBe(0);
    expect((await rig.earshot(['calls'], as('ann@example.com', 'another one'))).code).toBe(4);
  });

  it('changes a password from a file, gives roles and locks out; each takes effect at once', async () => {
    await rig.earshot(['users', 'add', 'bob@example.com'], { stdin: 'first password' });
    expect((await rig.earshot(['users', 'passwd', 'bob@example.com', '--password-file', file('password', 'second password\n')])).code).toBe(0);
    expect((await rig.earshot(['calls'], as('bob@example.com', 'first password'))).code).toBe(4);
    const bob = as('bob@example.com', 'second password');
    expect((await rig.earshot(['quarantine', 'list'], bob)).code).toBe(4);
    expect((await rig.earshot(['users', 'role', 'bob@example.com', 'admin', 'dispatcher'])).code).toBe(0);
    expect((await rig.earshot(['quarantine', 'list'], bob)).code).toBe(0);
    expect((await rig.earshot(['users', 'disable', 'bob@example.com'])).code).toBe(0);
    expect((await rig.earshot(['calls'], bob)).code).toBe(4);
    expect((await rig.earshot(['users', 'disable', 'bob@example.com', '--enable'])).code).toBe(0);
    expect((await rig.earshot(['calls'], bob)).code).toBe(0);
  });

  it('asks twice at a terminal and takes only two that are the same', async () => {
    expect((await rig.earshot(['users', 'add', 'cleo@example.com'], { typed: ['long enough', 'not the same'] })).code).toBe(2);
    expect((await rig.earshot(['users', 'add', 'cleo@example.com'], { typed: ['long enough', 'long enough'] })).code).toBe(0);
  });

  it('lists users without what is kept of their passwords', async () => {
    const { users } = await rig.json(['users', 'list']);
    expect(users).toContainEqual({ user: 'user_local', username: 'dispatcher@example.com', tenant: 'local', roles: ['admin'], disabled: false });
    expect(JSON.stringify(users)).not.toContain('scrypt');
  });

  it('adds an operator outside all tenants', async () => {
    expect(await rig.json(['users', 'add', 'olga@example.com', '--role', 'operator'], { stdin: 'long enough' })).toMatchObject({ tenant: null, roles: ['operator'] });
  });

  it('adds a tenant with its hours and its agent', async () => {
    expect((await rig.earshot(['tenants', 'add', 'north', '--name', 'North yard'])).code).toBe(0);
    expect(await rig.json(['tenants', 'hours', 'north', '08:00', '24:00'])).toMatchObject({ calling_hours: { start: '08:00', end: '24:00' } });
    expect(await rig.json(['tenants', 'hours', 'north', '--any'])).toMatchObject({ calling_hours: null });
    expect((await rig.earshot(['agents', 'add', 'agent_north', '--tenant', 'north', '--default'])).code).toBe(0);
    expect((await rig.json(['tenants', 'list']))['tenants']).toContainEqual({ tenant: 'north', name: 'North yard', calling_hours: null, default_agent_id: 'agent_north' });
    expect((await rig.json(['agents', 'list', '--tenant', 'north']))['agents']).toEqual([{ agent_id: 'agent_north', workspace: 'local', tenant: 'north', name: 'agent_north' }]);
    expect((await rig.earshot(['agents', 'add', 'agent_north'])).code).toBe(1);
    expect((await rig.earshot(['agents', 'remove', 'agent_north'])).code).toBe(0);
    expect((await rig.earshot(['agents', 'remove', 'agent_north'])).code).toBe(5);
  });

  it('makes an ingest key that opens the door for its tenant until it is removed, and shows it once', async () => {
    await rig.earshot(['tenants', 'add', 'south']);
    const turn = async (url: string, secret: string): Promise<unknown> => {
      const answer = await fetch(`${url}/webhooks/elevenlabs/transcription`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify({ conversation_id: 'conv_south', speaker: 'agent', text: 'Hello' }),
      });
      return [answer.status, ((await answer.json()) as { code?: string }).code];
    };
    const added = await rig.earshot(['ingest-keys', 'add', '--tenant', 'south']);
    const secret = added.out.trim();
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/^ingest_[0-9a-f]{48}\n$/) as string, err: expect.stringContaining('It writes for south') as string });
    expect(await turn(rig.product.url, secret)).toEqual([200, undefined]);
    const { keys } = await rig.json(['ingest-keys', 'list']);
    expect(keys).toEqual([{ key: expect.stringMatching(/^[0-9a-f]{12}$/) as string, tenant: 'south', added_at: expect.any(String) as string }, { key: expect.any(String) as string, tenant: 'local', added_at: null }].reverse());
    expect(JSON.stringify(keys)).not.toContain(secret);

    const [south, local] = ['south', 'local'].map((tenant) => (keys as { key: string; tenant: string }[]).find((one) => one.tenant === tenant)?.key ?? '');
    expect((await rig.earshot(['ingest-keys', 'remove', local ?? ''])).code).toBe(2);
    expect((await rig.earshot(['ingest-keys', 'remove', 'not a hash'])).code).toBe(2);
    expect((await rig.earshot(['ingest-keys', 'add', '--tenant', 'nowhere'])).code).toBe(5);
    expect((await rig.earshot(['ingest-keys', 'remove', south ?? ''])).code).toBe(0);
    expect(await turn(rig.product.url, secret)).toEqual([401, 'ingest_key_invalid']);
    expect((await rig.earshot(['ingest-keys', 'remove', south ?? ''])).code).toBe(5);
  });

  it('keeps an ingest key over a start, which puts those of INGEST_KEY anew', async () => {
    const folder = temporaryFolder();
    const env = { DATA_DIR: folder.path };
    const started = async (ingestKey: string): Promise<void> => (await startHere(folder.path, { INGEST_KEY: ingestKey })).close();
    await started('first_key');
    const { key } = JSON.parse((await command(['ingest-keys', 'add', '--json'], { env })).out) as { key: string };
    await started('second_key');
    const { keys } = JSON.parse((await command(['ingest-keys', 'list', '--json'], { env })).out) as { keys: { key: string }[] };
    const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 12);
    expect(keys.map((one) => one.key).sort()).toEqual([key, hashOf('second_key')].sort());
    folder.remove();
  });

  it.each([
    [['users', 'add', 'dora@example.com'], 'short', 2, 'invalid_usage'],
    [['users', 'add', 'dora@example.com', '--role', 'king'], 'long enough', 2, 'invalid_usage'],
    [['users', 'add', 'dora@example.com', '--role', 'operator,admin'], 'long enough', 2, 'invalid_usage'],
    [['users', 'add', 'dora@example.com', '--tenant', 'nowhere'], 'long enough', 5, 'tenant_not_found'],
    [['users', 'add', 'dispatcher@example.com'], 'long enough', 1, 'user_exists'],
    [['users', 'add', 'dora@example.com', '--password-file', '/no/such/file'], '', 2, 'file_not_readable'],
    [['users', 'role', 'dispatcher@example.com', 'operator'], '', 2, 'invalid_usage'],
    [['users', 'passwd', 'nobody'], 'long enough', 5, 'user_not_found'],
    [['tenants', 'add', 'local'], '', 1, 'tenant_exists'],
    [['tenants', 'add', 'with space'], '', 2, 'invalid_usage'],
    [['tenants', 'hours', 'local', '8am', '20:00'], '', 2, 'invalid_usage'],
    [['tenants', 'hours', 'local'], '', 2, 'invalid_usage'],
    [['agents', 'add', 'agent_x', '--workspace', 'nowhere'], '', 5, 'workspace_not_found'],
  ])('refuses %j', async (args, stdin, exit, code) => {
    const before = await rig.json(['users', 'list']);
    const { code: ended, err } = await rig.earshot(args, { stdin });
    expect(ended).toBe(exit);
    expect(err).toContain(`(${code})`);
    expect(await rig.json(['users', 'list'])).toEqual(before);
  });

  it('imports drivers with quotes, line ends and several triggers, who can then be called', async () => {
    const csv = [
      'driverId,driverName,phoneNumber,triggers,do_not_call,time_zone',
      'd1,"Doe, ""Jo""",+15550100201,speeding;harsh_braking,false,America/Chicago',
      '"d2","Two',
      'lines",,,yes,',
      '',
    ].join('\r\n');
    expect((await rig.earshot(['drivers', 'import', file('bad-name.csv', csv)])).err).toContain('line 3, driverName');
    expect(await rig.json(['drivers', 'import', file('drivers.csv', csv.replace('Two\r\nlines', 'Two lines'))])).toEqual({ imported: 2, problems: [] });
    const { drivers } = await rig.json(['drivers', 'list']);
    expect(drivers).toContainEqual({ tenant: 'local', driverId: 'd1', driverName: 'Doe, "Jo"', phoneNumber: '+15550100201', triggers: [{ type: 'speeding' }, { type: 'harsh_braking' }], do_not_call: false, time_zone: 'America/Chicago' });
    expect(drivers).toContainEqual({ tenant: 'local', driverId: 'd2', driverName: 'Two lines', phoneNumber: null, triggers: [], do_not_call: true, time_zone: null });
    expect(await rig.json(['call', 'd1', '--violations', 'harsh_braking'])).toMatchObject({ triggers_count: 1, driver: { driverId: 'd1' } });
  });

  it('names every bad line by number and column, repeats no value, and imports nothing of the file', async () => {
    const path = file('bad.csv', 'driverId,driverName,phoneNumber,do_not_call,time_zone\ngood,Good,+15550100202,,\n,No id,+15550100203,,\nx,X,555-0100,maybe,Mars/Base\ngood,Again,,,\n');
    const { code, out, err } = await rig.earshot(['drivers', 'import', path]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.split('\n').slice(1, -1).map((line) => line.trim())).toEqual([
      'line 3, driverId: is needed, as up to 256 characters',
      'line 4, phoneNumber: has to be E.164 such as +15550100123',
      'line 4, time_zone: has to be an IANA name such as America/New_York',
      'line 4, do_not_call: has to be true or false',
      'line 5, driverId: stands in an earlier line already',
    ]);
    expect(err).not.toMatch(/555-0100|Mars|maybe/);
    expect(JSON.stringify(await rig.json(['drivers', 'list']))).not.toContain('"good"');
    const partial = await rig.earshot(['drivers', 'import', path, '--partial']);
    expect({ code: partial.code, out: partial.out }).toEqual({ code: 1, out: 'Imported 1 drivers.\n' });
    expect(JSON.stringify(await rig.json(['drivers', 'list']))).toContain('"good"');
  });

  it.each([
    ['', 'The file is empty'],
    ['driverName\nX\n', 'lacks the column driverId'],
    ['driverId,driverName,phone\nx,X,1\n', 'names an unknown column'],
    ['driverId,driverName\nx\n', 'Line 2 has 1 fields'],
    ['driverId,driverName\nx,"open\n', 'Line 2: a quote'],
    ['driverId,driverName\nx,a"b\n', 'Line 2: a quote'],
    ['driverId,driverId\nx,x\n', 'names the column driverId twice'],
  ])('refuses a file that is no such table: %j', async (text, words) => {
    const { code, err } = await rig.earshot(['drivers', 'import', file('no-table.csv', text)]);
    expect(code).toBe(1);
    expect(err).toContain(words);
  });

  it('says where there is no data yet, and makes none', async () => {
    const folder = temporaryFolder();
    const { code, err } = await command(['users', 'list'], { env: { DATA_DIR: folder.path } });
    expect(code).toBe(5);
    expect(err).toContain('(no_data)');
    folder.remove();
  });

  it('names every setting that cannot be read', async () => {
    const { code, err } = await command(['users', 'list'], { env: { PORT: 'eighty', LOG_LEVEL: 'loud' } });
    expect(code).toBe(2);
    expect(err).toMatch(/\(settings_invalid\)\n {2}PORT has to be .*\n {2}LOG_LEVEL has to be /);
  });
});
