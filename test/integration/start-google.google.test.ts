import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import { startEmulators } from '../../local/google/emulators.ts';
import { findEmulators } from '../../local/google/find-emulators.ts';
import { google, freshProject, hosts } from '../fixtures/google.ts';
import { dataFolder, earshot, startChild } from '../fixtures/processes.ts';

const LOOK_HERE = /Look here {6}(http:\/\/\S+?)\/\n/;

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'earshot-sdk-'));
  onTestFinished(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

describe.skipIf(google === null)('npm start -- --google', () => {
  it('runs the whole product on Firestore, Pub/Sub and Cloud Storage, and the journey passes', async () => {
    const { firestoreHost, pubsubHost } = hosts();
    const emulators = { FIRESTORE_EMULATOR_HOST: firestoreHost, PUBSUB_EMULATOR_HOST: pubsubHost, GOOGLE_CLOUD_PROJECT: freshProject(), METADATA_SERVER_DETECTION: 'none' };
    const product = await startChild(['local/start.ts', '--google'], { ...emulators, DATA_DIR: await dataFolder(), PORT: '0', SIMULATED_PACE: '5', LOG_LEVEL: 'warn' }, LOOK_HERE);
    expect(product.output()).toContain("Data           in Google's emulators: gone when this ends");
    const url = product.ready;
    const { code, out } = await earshot(['e2e', '--timeout', '45'], { API_BASE_URL: url, WS_BASE_URL: url.replace('http', 'ws'), TEST_USERNAME: FIRST_LOGIN.username, TEST_PASSWORD: FIRST_LOGIN.password });
    expect({ code, out: code === 0 ? '' : out }).toEqual({ code: 0, out: '' });
    expect(await product.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('says how to get the emulators where there are none', async () => {
    const nowhere = folder();
    const started = startChild(['local/start.ts', '--google'], { PATH: nowhere, HOME: nowhere, CLOUDSDK_ROOT_DIR: nowhere, PUBSUB_EMULATOR_HOST: '127.0.0.1:1', FIRESTORE_EMULATOR_HOST: '', DATA_DIR: nowhere, PORT: '0' }, LOOK_HERE);
    await expect(started).rejects.toThrow(/emulator (was not found|cannot run).*gcloud components install/s);
  });

  it('asks for what a project of the cloud needs, before it opens anything', async () => {
    const started = startChild(['local/start.ts', '--google'], { GOOGLE_CLOUD_PROJECT: 'earshot-nowhere', DATA_DIR: folder(), PORT: '0', METADATA_SERVER_DETECTION: 'none' }, LOOK_HERE);
    await expect(started).rejects.toThrow(/RAW_BUCKET is missing/);
  });
});

describe("Google's emulators", () => {
  it('are started again on another port where the first was taken meanwhile, and not for ever', async () => {
    const home = folder();
    const jar = join(home, 'platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar');
    mkdirSync(join(jar, '..'), { recursive: true });
    writeFileSync(jar, '');
    // What runs a jar here ends as often as the file says, then listens where it was told to.
    const failures = join(home, 'failures');
    const asked = join(home, 'asked');
    writeFileSync(
      join(home, 'java'),
      `#!${process.execPath}
const fs = require('node:fs');
const port = Number(process.argv.find((word) => word.startsWith('--port=')).slice(7));
fs.appendFileSync(${JSON.stringify(asked)}, port + ' ');
const left = Number(fs.readFileSync(${JSON.stringify(failures)}, 'utf8'));
fs.writeFileSync(${JSON.stringify(failures)}, String(left - 1));
if (left > 0) process.exit(1);
require('node:http').createServer((_, answer) => answer.end()).listen(port, '127.0.0.1');
`,
      { mode: 0o755 },
    );
    vi.stubEnv('PATH', home);
    onTestFinished(() => void vi.unstubAllEnvs());
    const env = { PATH: '', HOME: home, CLOUDSDK_ROOT_DIR: home, PUBSUB_EMULATOR_HOST: '127.0.0.1:1' };
    writeFileSync(failures, '2');
    const emulators = await startEmulators(env);
    const ports = readFileSync(asked, 'utf8').trim().split(' ');
    expect([ports.length, new Set(ports).size, emulators.firestoreHost]).toEqual([3, 3, `127.0.0.1:${ports.at(-1)}`]);
    await emulators.close();
    await expect(fetch(`http://${emulators.firestoreHost}/`)).rejects.toThrow();
    writeFileSync(failures, '99');
    await expect(startEmulators(env)).rejects.toThrow(/firestore emulator did not start: it ended with 1/);
    expect(readFileSync(failures, 'utf8')).toBe('96');
  });

  it('are found in a named SDK and beside gcloud, the newest of several', () => {
    const home = folder();
    const put = (...path: string[]): string => {
      const file = join(home, ...path);
      mkdirSync(join(file, '..'), { recursive: true });
      writeFileSync(file, '');
      return file;
    };
    const bare = { PATH: '', HOME: join(home, 'user'), CLOUDSDK_ROOT_DIR: join(home, 'sdk') };
    const firestore = put('sdk', 'platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar');
    put('sdk', 'platform', 'pubsub-emulator', 'lib', 'cloud-pubsub-emulator-0.8.19-all.jar');
    const pubsub = put('sdk', 'platform', 'pubsub-emulator', 'lib', 'cloud-pubsub-emulator-0.8.20-all.jar');
    expect(findEmulators(bare)).toEqual({ firestore, pubsub });

    const gcloud = put('other', 'bin', 'gcloud.real');
    mkdirSync(join(home, 'path'));
    symlinkSync(gcloud, join(home, 'path', 'gcloud'));
    const beside = put('other', 'platform', 'cloud-firestore-emulator', 'cloud-firestore-emulator.jar');
    expect(findEmulators({ PATH: join(home, 'path'), HOME: join(home, 'user') }).firestore).toBe(beside);

  });
});
