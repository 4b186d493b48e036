import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { command, startHere, temporaryFolder, type Ran } from '../fixtures/command.ts';

/** Rows as PostgreSQL's `COPY ... CSV HEADER` writes them. */
const OLDER = [
  'call_sid,conversation_id,status,created_at,call_end_time,transcript_summary,call_duration_seconds,cost,call_successful,analysis_data,metadata_json',
  'EL_d1_2025-11-21T10:00:00,conv_a,completed,2025-11-21 10:00:00.5+00,2025-11-21 10:02:05+00,"Spoke of ""speed"", then agreed.",120,0.05,t,"{""call_successful"":""success""}","{""cost"":5}"',
  'EL_d2_2025-11-20T09:00:00,,failed,2025-11-20T09:00:00Z,,,,,f,,',
  'EL_d3_2025-11-19T09:00:00,conv_c,initiated,2025-11-19 04:00:00-05,,,,,,,',
  '',
].join('\n');

describe('the verbs that care for the log', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(() => {
    folder.remove();
  });
  const earshot = (...args: string[]): Promise<Ran> => command(args, { env: { DATA_DIR: folder.path } });
  const file = (text: string): string => {
    const path = join(folder.path, 'older.csv');
    writeFileSync(path, text);
    return path;
  };
  const document = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, out, err } = await earshot(...args, '--json');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return JSON.parse(out) as Record<string, unknown>;
  };
  /** Runs the product on the folder for as long as `work` takes. */
  const serving = async <T>(work: (earshotThere: (...args: string[]) => Promise<Ran>) => Promise<T>): Promise<T> => {
    const product = await startHere(folder.path);
    try {
      return await work((...args) => command(args, { env: { DATA_DIR: folder.path, PORT: String(product.port) } }));
    } finally {
      await product.close();
    }
  };

  it("takes the older system's calls over with their times and six fields, once however often", async () => {
    const path = file(OLDER);
    expect(await document('import', path)).toEqual({ imported: 3, repeated: 0, elsewhere: 0, problems: [] });
    expect(await document('import', path)).toEqual({ imported: 0, repeated: 3, elsewhere: 0, problems: [] });
    await serving(async (there) => {
      const { calls } = JSON.parse((await there('calls', '--json')).out) as { calls: Record<string, unknown>[] };
      expect(calls.map((call) => [call['call_sid'], call['status'], call['created_at']])).toEqual([
        ['EL_d1_2025-11-21T10:00:00', 'completed', '2025-11-21T10:00:00.500Z'],
        ['EL_d2_2025-11-20T09:00:00', 'failed', '2025-11-20T09:00:00.000Z'],
        ['EL_d3_2025-11-19T09:00:00', 'failed', '2025-11-19T09:00:00.000Z'],
      ]);
      expect(JSON.parse((await there('show', 'conv_a', '--json')).out)).toMatchObject({
        call_sid: 'EL_d1_2025-11-21T10:00:00',
        started_at: '2025-11-21T10:00:05.000Z',
        call_end_time: '2025-11-21T10:02:05.000Z',
        transcript_summary: 'Spoke of "speed", then agreed.',
        call_duration_seconds: 120,
        cost: 0.05,
        call_successful: true,
        analysis_data: '{"call_successful":"success"}',
        metadata_json: '{"cost":5}',
        sealed: true,
      });
      const bare = { transcript_summary: null, call_duration_seconds: null, cost: null, analysis_data: null, metadata_json: null };
      expect(JSON.parse((await there('show', 'EL_d2_2025-11-20T09:00:00', '--json')).out)).toMatchObject({ ...bare, call_successful: false });
      expect(JSON.parse((await there('show', 'conv_c', '--json')).out)).toMatchObject({ ...bare, reason: 'never seen to end by the older system (initiated)' });
      expect((await there('tail', 'conv_a')).out).toContain('[sealed] complete');
    });
  });

  it('marks what it took over: a finished call and its seal, and nothing that anybody heard here', async () => {
    await document('import', file(OLDER));
    await serving(async (there) => {
      const { events } = JSON.parse((await there('show', 'conv_a', '--events', '--json')).out) as { events: Record<string, unknown>[] };
      expect(events.map((event) => [event['type'], event['imported']])).toEqual([['call_status', undefined], ['call_completed', true], ['call_sealed', undefined]]);
    });
  });

  it('reads an export as newline-delimited JSON just as one as CSV: the same calls by either', async () => {
    const rows = [
      { call_sid: 'EL_d1_2025-11-21T10:00:00', conversation_id: 'conv_a', status: 'completed', created_at: '2025-11-21T10:00:00.5Z', call_end_time: '2025-11-21T10:02:05Z', transcript_summary: 'Spoke of "speed", then agreed.', call_duration_seconds: 120, cost: 0.05, call_successful: true, analysis_data: { call_successful: 'success' }, metadata_json: '{"cost":5}' },
      { call_sid: 'EL_d2_2025-11-20T09:00:00', conversation_id: null, status: 'failed', created_at: '2025-11-20T09:00:00Z', call_successful: false },
      { call_sid: 'EL_d3_2025-11-19T09:00:00', conversation_id: 'conv_c', status: 'initiated', created_at: '2025-11-19T04:00:00-05:00', transcript_summary: '', unknown_column: [1] },
    ];
    const path = file(`\uFEFF${rows.map((row) => JSON.stringify(row)).join('\r\n\n')}\n`);
    expect(await document('import', path)).toEqual({ imported: 3, repeated: 0, elsewhere: 0, problems: [] });
    expect(await document('import', file(OLDER))).toEqual({ imported: 0, repeated: 3, elsewhere: 0, problems: [] });
  });

  it('names every bad line of newline-delimited JSON, and reads by --format what looks like the other', async () => {
    const path = file('{"call_sid":"EL_good","status":"completed","created_at":"2025-01-01T00:00:00Z"}\n{"call_sid":7,"status":"completed","created_at":1732200000,"cost":{}}\n[1]\n{"open\n');
    const { code, err } = await earshot('import', path);
    expect(code).toBe(1);
    expect(err.split('\n').slice(1, -1).map((line) => line.trim())).toEqual([
      'line 2, created_at: is needed, as a time such as 2025-11-21T10:00:00Z',
      'line 2, cost: has to be a number',
      'line 3: is no JSON object',
      'line 4: is no JSON object',
    ]);
    expect((await earshot('import', path, '--partial')).out).toBe('Imported 1 calls; 0 were there already.\n');
    expect(await earshot('import', path, '--format', 'csv')).toMatchObject({ code: 1, err: expect.stringContaining('(csv_invalid)') as string });
    expect(await earshot('import', path, '--format', 'xml')).toMatchObject({ code: 2 });
  });

  it('says by --dry-run what an import would do, and does nothing', async () => {
    const path = file(OLDER);
    expect(await document('import', path, '--dry-run')).toEqual({ imported: 3, repeated: 0, elsewhere: 0, problems: [], dry_run: true });
    expect(existsSync(join(folder.path, 'calls.db'))).toBe(false);
    await document('import', file(OLDER.split('\n').slice(0, 3).join('\n')));
    const other = await earshot('import', file(OLDER), '--dry-run', '--tenant', 'other');
    expect(other).toMatchObject({ code: 1, out: 'Would import 2 calls; 0 were there already.\n', err: expect.stringContaining('1 conversations belong to another tenant') as string });
    await serving(async (there) => {
      // It reads beside a server, which an import would not.
      expect((await there('import', path, '--dry-run')).out).toBe('Would import 1 calls; 2 were there already.\n');
      expect((JSON.parse((await there('calls', '--json')).out) as { calls: unknown[] }).calls).toHaveLength(2);
    });
  });

  it('takes rows from before the six fields existed: they are null', async () => {
    expect(await document('import', file('call_sid,status,created_at\nEL_old,completed,2025-01-01T00:00:00Z\n'))).toMatchObject({ imported: 1 });
    await serving(async (there) => {
      expect(JSON.parse((await there('show', 'EL_old', '--json')).out)).toMatchObject({ status: 'completed', transcript_summary: null, metadata_json: null });
    });
  });

  it('names every bad line of an import by number and column, and takes nothing of it but for --partial', async () => {
    const path = file('call_sid,status,created_at,cost,call_successful,metadata_json\nEL_good,completed,2025-01-01T00:00:00Z,,,\n,completed,yesterday,much,perhaps,{open\n');
    const { code, out, err } = await earshot('import', path);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err.split('\n').slice(1, -1).map((line) => line.trim())).toEqual([
      'line 3, call_sid: is needed, as up to 256 characters',
      'line 3, created_at: is needed, as a time such as 2025-11-21T10:00:00Z',
      'line 3, cost: has to be a number',
      'line 3, call_successful: has to be true or false',
      'line 3, metadata_json: has to be JSON',
    ]);
    expect(existsSync(join(folder.path, 'calls.db'))).toBe(false);
    expect((await earshot('import', path, '--partial')).out).toBe('Imported 1 calls; 0 were there already.\n');
  });

  it('gives the log a new generation once somebody at the terminal says yes, and never while a server holds it', async () => {
    const again = (...typed: string[]): Promise<Ran> => command(['log', 'new-generation'], { env: { DATA_DIR: folder.path }, typed });
    expect(await again('yes')).toMatchObject({ code: 5, err: expect.stringContaining('(no_data)') as string });
    await document('import', file(OLDER));
    expect(await again('no')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('Nothing was done. (not_meant)') as string });
    const { code, out } = await again('yes');
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/^The log is of generation [0-9a-f]{8}; 0 calls got another epoch\.\n$/) as string });
    await serving(async (there) => {
      expect(await there('log', 'new-generation', '--yes')).toMatchObject({ code: 6, out: '', err: expect.stringContaining('(server_running)') as string });
    });
  });

  it('neither imports nor migrates while a server holds the data', async () => {
    const path = file(OLDER);
    await serving(async (there) => {
      for (const args of [['import', path], ['migrate'], ['migrate', '--to', '1']]) {
        expect(await there(...args)).toEqual({ code: 6, out: '', err: 'earshot: A server holds this data: stop it first. (server_running)\n' });
      }
      expect(JSON.parse((await there('calls', '--json')).out)).toEqual({ calls: [], next_cursor: null });
    });
  });

  it('takes the schema back and forward; old records are unharmed and the log as it was is kept', async () => {
    await document('import', file(OLDER));
    expect(await document('migrate')).toMatchObject({ schema: 2, previous: 2, newest: 2, backup: null, done: [] });
    expect(await document('migrate', '--down', '--dry-run')).toMatchObject({ schema: 2, backup: null, would_do: [{ number: 2, direction: 'down', seen: 3, changed: 3 }] });
    const back = await document('migrate', '--to', '1');
    expect(back).toMatchObject({ schema: 1, previous: 2, backup: join(folder.path, 'calls.db.schema-2') });
    expect(existsSync(String(back['backup']))).toBe(true);
    expect((await earshot('migrate', '--dry-run')).out).toBe(
      ['The log is of schema 1 of 2.', '  x 1 calls, their events and their keys', '    2 the six post-call fields, all nullable: calls written before read as null', 'Would take step 2 up: 3 of 3 calls would change.', ''].join('\n'),
    );
    expect(await earshot('migrate', '--down')).toMatchObject({ code: 2, err: expect.stringContaining('nothing lies before it') as string });
    expect(await document('migrate')).toMatchObject({ schema: 2, previous: 1, backup: join(folder.path, 'calls.db.schema-1') });
    await serving(async (there) => {
      expect(JSON.parse((await there('show', 'conv_a', '--json')).out)).toMatchObject({ call_sid: 'EL_d1_2025-11-21T10:00:00', status: 'completed', analysis_data: null, metadata_json: null });
      expect((await there('tail', 'conv_a')).out).toContain('[sealed] complete');
    });
  });

  it('goes a step back by --down as by its number', async () => {
    await document('import', file(OLDER));
    expect(await document('migrate', '--down')).toMatchObject({ schema: 1, previous: 2, done: [{ number: 2, direction: 'down', seen: 3, changed: 3 }] });
    expect(await earshot('migrate', '--down', '--to', '1')).toMatchObject({ code: 2, out: '' });
  });

  it.each(['0', '3', 'two'])('goes to no schema that there is not: %s', async (to) => {
    await document('import', file(OLDER));
    expect(await earshot('migrate', '--to', to)).toMatchObject({ code: 2, err: expect.stringContaining('--to has to be a number from 1 to 2') as string });
  });

  it('names what the settings lack for the log of the cloud', async () => {
    for (const args of [['migrate', '--dry-run'], ['import', file(OLDER), '--dry-run']]) {
      expect(await command(args, { env: { DATA_DIR: folder.path, STORE: 'google' } })).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/\(settings_invalid\)\n {2}GOOGLE_CLOUD_PROJECT is missing/) as string });
    }
  });

  it('has nothing to migrate where there is no log', async () => {
    expect(await earshot('migrate')).toMatchObject({ code: 5, err: expect.stringContaining('(no_data)') as string });
    expect(existsSync(join(folder.path, 'calls.db'))).toBe(false);
  });
});
