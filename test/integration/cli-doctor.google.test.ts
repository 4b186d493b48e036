import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeTopic } from '../../local/google/places.ts';
import { storageServer, type StorageServer } from '../../local/google/storage-server.ts';
import { command, type Ran } from '../fixtures/command.ts';
import { startFirestoreProxy, type FirestoreProxy } from '../fixtures/firestore-proxy.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';

const linesOf = (out: string): string[] => out.split('\n').filter((line) => /^(PASS|FAIL) /.test(line) && !/^PASS {2}(Node|settings)/.test(line));
const failures = (out: string): string[] => linesOf(out).filter((line) => line.startsWith('FAIL'));

describe.skipIf(google === null)("doctor on the cloud's stores", () => {
  let project: string;
  let storage: StorageServer;
  let proxy: FirestoreProxy;
  beforeEach(async () => {
    project = freshProject();
    storage = await storageServer({ buckets: ['raw'] });
    proxy = await startFirestoreProxy(hosts().firestoreHost);
  });
  afterEach(async () => {
    await storage.close();
    await proxy.close();
  });
  const earshot = (args: readonly string[], env: Record<string, string> = {}, stdin = ''): Promise<Ran> =>
    command(args, {
      stdin,
      env: { STORE: 'google', GOOGLE_CLOUD_PROJECT: project, RAW_BUCKET: 'raw', PORT: '18438', FIRESTORE_EMULATOR_HOST: proxy.host, PUBSUB_EMULATOR_HOST: hosts().pubsubHost, STORAGE_EMULATOR_HOST: storage.url, ...env },
    });

  it('finds nothing wrong where all is there and set up, and says which revision is named', async () => {
    await makeTopic(project, hosts().pubsubHost, 'earshot-events');
    for (const args of [['tenants', 'add', 'north'], ['agents', 'add', 'agent_1'], ['users', 'add', 'ann@example.com', '--role', 'admin'], ['relay', 'serve', 'earshot-relay-00002-abc']]) expect((await earshot(args, {}, 'long enough')).code).toBe(0);
    const { code, out, err } = await earshot(['doctor']);
    expect({ code, err, lines: linesOf(out) }).toEqual({
      code: 0,
      err: '',
      lines: [
        `PASS  project: ${project}`,
        'PASS  Firestore database earshot: can be read and written',
        'PASS  Firestore database earshot-sessions: can be read and written',
        'PASS  topic earshot-events: is there',
        'PASS  raw bucket raw: can be read',
        'PASS  set-up: tenants: 1, agents: 1, users: 1',
        'PASS  serving revision: earshot-relay-00002-abc',
      ],
    });
  });

  it('says what is not there, and what is still to be set up', async () => {
    const { code, out } = await earshot(['doctor'], { RAW_BUCKET: 'elsewhere' });
    expect(code).toBe(1);
    expect(failures(out)).toEqual([
      `FAIL  topic earshot-events: there is none of this name in ${project}. Is EVENTS_TOPIC right, and GOOGLE_CLOUD_PROJECT? What is missing \`npm run deploy\` makes.`,
      `FAIL  raw bucket elsewhere: there is none of this name in ${project}. Is RAW_BUCKET right, and GOOGLE_CLOUD_PROJECT? What is missing \`npm run deploy\` makes.`,
      'FAIL  set-up: there is no tenant, so nothing can belong to anybody: earshot tenants add <tenant>',
    ]);
  });

  it.each([
    [status.PERMISSION_DENIED, 'this account has no right to it: it needs roles/datastore.user in'],
    [status.NOT_FOUND, 'there is none of this name in'],
    [status.UNAUTHENTICATED, 'there are no credentials here'],
  ])('says why Firestore refuses, gRPC status %i', async (code, why) => {
    await makeTopic(project, hosts().pubsubHost, 'earshot-events');
    proxy.treat = (method) => (method === 'BatchGetDocuments' ? { refused: code } : 'pass');
    const found = failures((await earshot(['doctor'])).out);
    expect(found.map((line) => line.split(':')[0])).toEqual(['FAIL  Firestore database earshot', 'FAIL  Firestore database earshot-sessions']);
    for (const line of found) expect(line).toContain(why);
  });

  it('sees an account that may read and not write, and a bucket that is refused', async () => {
    await makeTopic(project, hosts().pubsubHost, 'earshot-events');
    proxy.treat = (method) => (method === 'Commit' ? { refused: status.PERMISSION_DENIED } : 'pass');
    storage.fault = () => ({ answer: 403, applied: false });
    const { out } = await earshot(['doctor']);
    expect(failures(out).map((line) => line.replace(/: it needs .*$/, ''))).toEqual([
      'FAIL  Firestore database earshot: this account has no right to it',
      'FAIL  Firestore database earshot-sessions: this account has no right to it',
      'FAIL  raw bucket raw: this account has no right to it',
    ]);
  });

  it('says which settings it lacks', async () => {
    const { code, out } = await earshot(['doctor'], { GOOGLE_CLOUD_PROJECT: '' });
    expect({ code, failed: failures(out) }).toEqual({ code: 1, failed: ['FAIL  project: GOOGLE_CLOUD_PROJECT is not set. Set it to the id of the project that Earshot is deployed to.'] });
    expect(failures((await earshot(['doctor'], { RAW_BUCKET: '' })).out)).toContain('FAIL  raw bucket: not looked at. Set RAW_BUCKET to its name: gcloud storage buckets list.');
  });
});
