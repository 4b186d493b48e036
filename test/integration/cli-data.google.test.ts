import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../core/domain/migrations.ts';
import { migrateDocuments } from '../../cli/migrate-documents.ts';
import { firestoreCallDocuments } from '../../ports/call-documents.firestore.ts';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog } from '../../ports/call-log.ts';
import type { FirestoreDatabase } from '../../ports/firestore-database.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { command, temporaryFolder, type Ran } from '../fixtures/command.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';

const IN_DOCUMENT = ['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful'] as const;
const NULLS = { transcript_summary: null, call_duration_seconds: null, cost: null, call_successful: null };

describe.skipIf(google === null)('the verbs that care for the log, on Firestore', () => {
  let project: string;
  let store: FirestoreDatabase;
  let log: CallLog;
  let folder: ReturnType<typeof temporaryFolder>;
  beforeEach(() => {
    project = freshProject();
    store = openTestFirestore(project);
    log = firestoreCallLog(store, systemRuntime());
    folder = temporaryFolder();
  });
  afterEach(async () => {
    await log.close();
    folder.remove();
  });
  const earshot = (...args: string[]): Promise<Ran> =>
    command(args, { env: { STORE: 'google', GOOGLE_CLOUD_PROJECT: project, DATA_DIR: folder.path, FIRESTORE_EMULATOR_HOST: hosts().firestoreHost } });
  const document = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, out, err } = await earshot(...args, '--json');
    if (code !== 0) throw new Error(err);
    return JSON.parse(out) as Record<string, unknown>;
  };
  const id = (place: number): string => `EL_${String(place).padStart(3, '0')}`;
  const call = async (callSid: string): Promise<void> => {
    await log.create([newCall({ call_sid: callSid })], null);
    await log.append(callSid, [entry(turn('agent', 'Hello'), `conv_${callSid}`), entry(finished({ transcript: null }), `conv_${callSid}`)]);
  };
  /** Makes of a call what a program wrote that knew nothing of the six fields. */
  const age = async (callSid: string): Promise<void> => {
    const ref = store.db.doc(`calls/${callSid}`);
    const { state, ...fields } = (await ref.get()).data() ?? {};
    const old = JSON.parse(String(state)) as Record<string, unknown>;
    Reflect.deleteProperty(fields, 'has_summary');
    for (const name of IN_DOCUMENT) {
      Reflect.deleteProperty(old, name);
      Reflect.deleteProperty(fields, name);
    }
    await ref.set({ ...fields, state: JSON.stringify(old) });
    for (const text of (await ref.collection('texts').get()).docs) await text.ref.delete();
  };
  const fieldsOf = async (callSid: string): Promise<string[]> => {
    const data = (await store.db.doc(`calls/${callSid}`).get()).data() ?? {};
    return [...Object.keys(data), ...Object.keys(JSON.parse(String(data['state'])) as object).map((name) => `state.${name}`)].sort();
  };

  it('gives calls from before the six fields those fields, null before, during and after, and goes on where it was killed', async () => {
    const sids = Array.from({ length: 7 }, (_, place) => id(place));
    for (const sid of sids) await call(sid);
    const whole = await fieldsOf(id(0));
    for (const sid of sids.slice(0, 6)) await age(sid);
    const allNull = async (): Promise<void> => {
      for (const sid of sids.slice(0, 6)) {
        expect(await log.find(sid)).toMatchObject({ status: 'completed', turn_count: 1, ...NULLS });
        expect(await log.details(sid)).toEqual({ analysis_data: null, metadata_json: null });
      }
    };
    await allNull();
    expect(await document('migrate', '--dry-run')).toMatchObject({ schema: 1, previous: 1, newest: 2, would_do: [{ number: 2, direction: 'up', seen: 7, changed: 6 }] });
    expect((await store.db.doc('log/migration').get()).exists).toBe(false);

    const documents = firestoreCallDocuments(openTestFirestore(project));
    let left = 3;
    const dying = { ...documents, put: (...args: Parameters<typeof documents.put>) => (left-- > 0 ? documents.put(...args) : Promise.reject(new Error('killed'))) };
    await expect(migrateDocuments(dying, { migrations: MIGRATIONS, to: 2, onPage: () => undefined })).rejects.toThrow('killed');
    await documents.close();
    await allNull();
    // What goes on meanwhile goes on.
    await call(id(7));

    const ran = await earshot('migrate');
    expect(ran).toMatchObject({ code: 0, err: 'step 2 up: 8 calls, 3 changed\n' });
    expect(ran.out).toContain('Taken from schema 1 to 2.');
    await allNull();
    for (const sid of sids) expect(await fieldsOf(sid)).toEqual(whole);
    expect(await log.find(id(6))).toMatchObject({ transcript_summary: 'They talked.' });
    expect(await document('migrate')).toMatchObject({ schema: 2, previous: 2, done: [] });
    // And the log takes what comes next.
    expect((await log.append(id(0), [entry(finished({ transcript: null, transcript_summary: 'Later.' }, 20_000), `conv_${id(0)}`)]))?.results).toMatchObject([{ result: 'appended' }]);
    expect(await log.find(id(0))).toMatchObject({ transcript_summary: 'Later.' });
  });

  it('takes exactly the six away on the way back, and only when it is meant; events are unharmed', async () => {
    await call(id(0));
    await document('migrate');
    const before = await log.read(id(0), 0, 100);
    expect(await earshot('migrate', '--down')).toMatchObject({ code: 2, err: expect.stringContaining('--yes') as string });
    const whole = await fieldsOf(id(0));
    expect(await document('migrate', '--down', '--yes')).toMatchObject({ schema: 1, done: [{ number: 2, direction: 'down', seen: 1, changed: 1 }] });
    expect(whole.filter((name) => !IN_DOCUMENT.some((field) => name.endsWith(field)) && name !== 'has_summary')).toEqual(await fieldsOf(id(0)));
    expect(await log.find(id(0))).toMatchObject({ status: 'completed', seal_revision: 1, ...NULLS });
    expect(await log.details(id(0))).toEqual({ analysis_data: null, metadata_json: null });
    const after = await log.read(id(0), 0, 100);
    expect(after?.events).toEqual(before?.events);
    expect(after?.call).toEqual({ ...before?.call, ...NULLS });
    expect(await document('migrate', '--to', '2')).toMatchObject({ schema: 2, previous: 1 });
    expect(await fieldsOf(id(0))).toEqual(whole);
  });

  it("takes the older system's calls over by the one door, once however often", async () => {
    const path = join(folder.path, 'older.csv');
    writeFileSync(path, 'call_sid,conversation_id,status,created_at,transcript_summary,call_duration_seconds\nEL_a,conv_a,completed,2025-11-21T10:00:00Z,Short.,12\nEL_b,,failed,2025-11-20T09:00:00Z,,\n');
    expect(await earshot('import', path)).toMatchObject({ code: 2, err: expect.stringContaining('There is no tenant yet') as string });
    await document('tenants', 'add', 't1');
    expect(await document('import', path, '--dry-run')).toMatchObject({ imported: 2, repeated: 0 });
    expect(await log.find('conv_a')).toBe(null);
    expect(await document('import', path)).toMatchObject({ imported: 2, repeated: 0 });
    expect(await document('import', path, '--dry-run')).toMatchObject({ imported: 0, repeated: 2 });
    expect(await document('import', path)).toMatchObject({ imported: 0, repeated: 2 });
    const page = await log.read('EL_a', 0, 100);
    expect(page?.events.map(({ text }) => JSON.parse(text) as object)).toMatchObject([{ type: 'call_status' }, { type: 'call_completed', imported: true }, { type: 'call_sealed', revision: 1 }]);
    expect(page?.call).toMatchObject({ tenant: 't1', workspace: 'main', created_at: Date.UTC(2025, 10, 21, 10), transcript_summary: 'Short.', call_duration_seconds: 12 });
  });

  it('gives the log a new generation when it is meant, says what it will do, and how many calls got another epoch', async () => {
    await log.create([newCall({ call_sid: 'EL_open' })], null);
    await call('EL_ended');
    const epochs = async (): Promise<unknown[]> => Promise.all(['EL_open', 'EL_ended'].map(async (sid) => (await log.get(sid))?.epoch));
    const before = await epochs();
    expect(await earshot('log', 'new-generation')).toMatchObject({ code: 2, out: '', err: expect.stringContaining('1 calls that have not ended get another epoch') as string });
    expect(await epochs()).toEqual(before);
    const { code, out, err } = await earshot('log', 'new-generation', '--yes');
    expect({ code, err: err.split('\n').at(-2) }).toEqual({ code: 0, err: '1 calls' });
    const [open, ended] = await epochs();
    expect(out).toBe(`The log is of generation ${String(open).split('.')[0]}; 1 calls got another epoch.\n`);
    expect([open === before[0], ended === before[1]]).toEqual([false, true]);
  });
});
