import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseEnv } from 'node:util';
import { crc32 } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../../scripts/deploy-archive.ts';
import { copiedBy, DOCKERFILE } from '../../scripts/deploy-image.ts';
import { DEPLOY_SETTINGS, readDeploySettings } from '../../scripts/deploy-settings.ts';
import { TERRAFORM_SECRETS } from '../../scripts/deploy-tools.ts';
import { project, type Behaviour, type Project, type Ran } from '../fixtures/deploying.ts';
import { textOf } from '../fixtures/tree.ts';

const pair = generateKeyPairSync('ed25519');
const PUBLIC_KEYS = JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] });
const SECRETS = {
  ELEVENLABS_API_KEY: 'canary-of-the-api-key',
  ELEVENLABS_WEBHOOK_SECRETS: 'wsec_canary_one,wsec_canary_two',
  INGEST_KEY: 'canary-of-the-ingest-key',
  AUTH_SIGNING_KEY: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  E2E_AUTH_KEY: 'canary-of-the-e2e-key',
};
const NAMED = { TF_STATE_BUCKET: 'states', TF_VAR_project: 'earshot-test', TF_VAR_elevenlabs_agent_id: 'agent_1', TF_VAR_auth_public_keys: PUBLIC_KEYS };
const OUTPUTS = {
  repository: 'us-central1-docker.pkg.dev/earshot-test/earshot',
  relay_revision: 'earshot-relay-00002-abc',
  log_database: 'earshot',
  api_url: 'https://api.example.com',
  post_call_webhook_url: 'https://webhooks.example.com/webhooks/elevenlabs/post-call',
  dashboard_url: 'https://calls-desk.web.app',
  firebase_json: JSON.stringify({ firestore: [], hosting: { public: 'client/dist' } }),
  secrets: { AUTH_SIGNING_KEY: 's', E2E_AUTH_KEY: 's', ELEVENLABS_API_KEY: 's', ELEVENLABS_WEBHOOK_SECRETS: 's', INGEST_KEY: 's' },
};
const outputs = (values: Readonly<Record<string, unknown>> = OUTPUTS): Behaviour => ({ when: '*\\ output\\ *', out: JSON.stringify(Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value }]))) });
const FILES = {
  'infra/staging.tfvars': textOf('infra/staging.tfvars'),
  'infra/production.tfvars': textOf('infra/production.tfvars'),
  'ws-relay/Dockerfile': 'FROM node:24 AS build\nCOPY package.json package.json\nCOPY ws-relay ws-relay\nFROM node:24\nCOPY --from=build /x .\n',
  'package.json': '{}',
  'ws-relay/main.ts': 'relay',
};
const NO_IMAGE: Behaviour = { when: 'gcloud\\ artifacts*', code: 1 };
const NO_VALUES: Behaviour = { when: 'gcloud\\ secrets\\ versions\\ list*', code: 1 };

let staged: Project;
beforeEach(() => (staged = project(FILES)));
afterEach(() => staged.remove());

/** Lines without what a folder of the moment is called. */
const linesOf = ({ calls }: Ran): string[] => calls.map(({ line }) => line);
const changing = (ran: Ran): string[] => linesOf(ran).filter((line) => /\b(apply|add|submit|deploy|serve|update-traffic)\b/.test(line));
const imageIn = (ran: Ran): string => /-var=relay_image=(\S+:[0-9a-f]{16})/.exec(linesOf(ran).join('\n'))?.[1] ?? 'none';

describe('npm run deploy', () => {
  it('goes the whole way in the one order that loses nothing, and ends with the doctor', async () => {
    staged.write('client/dist/index.html', '<!doctype html>');
    const ran = await staged.deploy(['staging', '--yes'], { env: { ...NAMED, ...SECRETS, TEST_USERNAME: 'desk', TEST_PASSWORD: 'canary-of-the-password' }, behaviours: [outputs(), NO_IMAGE, NO_VALUES] });
    const image = imageIn(ran);
    const variables = `-auto-approve -input=false -var-file=staging.tfvars -var=functions_archive=../functions/dist/functions.zip -var=relay_image=`;
    expect(ran.code).toBe(0);
    expect(image).toMatch(/^us-central1-docker\.pkg\.dev\/earshot-test\/earshot\/relay:[0-9a-f]{16}$/);
    expect(linesOf(ran).slice(linesOf(ran).indexOf('npm run --silent build'))).toEqual([
      'npm run --silent build',
      'terraform -chdir=infra init -input=false -reconfigure -backend-config=bucket=states -backend-config=prefix=earshot/staging',
      'terraform -chdir=infra output -json',
      `terraform -chdir=infra apply ${variables}none -target=terraform_data.foundation`,
      'terraform -chdir=infra output -json',
      ...Object.keys(OUTPUTS.secrets).flatMap((name) => [
        `gcloud secrets versions list earshot-${name} --project=earshot-test --filter=state:ENABLED --limit=1 --format=value(name)`,
        `gcloud secrets versions add earshot-${name} --data-file=- --project=earshot-test`,
      ]),
      `gcloud artifacts docker images describe ${image} --project=earshot-test --format=value(image_summary.digest)`,
      'gcloud builds submit . --config=cloudbuild.json --project=earshot-test --region=us-central1 --service-account=projects/earshot-test/serviceAccounts/earshot-build@earshot-test.iam.gserviceaccount.com --gcs-source-staging-dir=gs://earshot-test-earshot-source/images',
      `terraform -chdir=infra apply ${variables}${image}`,
      'terraform -chdir=infra output -json',
      'node cli/main.ts relay serve earshot-relay-00002-abc',
      'npx --yes firebase-tools@15.34.2 deploy --only=hosting --project=earshot-test --non-interactive',
      'node cli/main.ts doctor --url=https://api.example.com --webhooks=https://webhooks.example.com',
    ]);
    expect(ran.said).toContain('staging is deployed.');
  });

  it('gives each program what it needs and no secret besides, and says none', async () => {
    const terraformSecrets = { TF_VAR_slack_token: 'canary-of-slack', TF_VAR_pagerduty_key: 'canary-of-pagerduty' };
    const ran = await staged.deploy(['staging', '--yes'], { env: { ...NAMED, ...SECRETS, ...terraformSecrets, TEST_USERNAME: 'desk', TEST_PASSWORD: 'canary-of-the-password' }, behaviours: [outputs(), NO_IMAGE, NO_VALUES] });
    const everything = [...Object.values(SECRETS), ...Object.values(terraformSecrets), 'canary-of-the-password'];
    for (const secret of everything) expect(ran.said).not.toContain(secret);
    for (const { line, env, input } of ran.calls) {
      const held = everything.filter((secret) => Object.values(env).includes(secret) || line.includes(secret));
      const asked = line.startsWith('terraform -chdir') ? Object.values(terraformSecrets) : line.includes('doctor') ? ['canary-of-the-password'] : [];
      expect(held, line).toEqual(asked);
      const name = /versions add earshot-(\w+)/.exec(line)?.[1] as keyof typeof SECRETS | undefined;
      expect(input).toBe(name === undefined ? '' : SECRETS[name].trim());
    }
    const terraforms = ran.calls.filter(({ line }) => line.startsWith('terraform -chdir'));
    expect(new Set(terraforms.map(({ env }) => env['TF_DATA_DIR']))).toEqual(new Set(['.terraform/staging']));
    expect(terraforms.every(({ env }) => env['TF_VAR_project'] === 'earshot-test' && env['TF_VAR_auth_public_keys'] === PUBLIC_KEYS)).toBe(true);
    expect(ran.calls.find(({ line }) => line.includes('relay serve'))?.env).toMatchObject({ STORE: 'google', GOOGLE_CLOUD_PROJECT: 'earshot-test', FIRESTORE_DATABASE: 'earshot' });
  });

  it('leaves alone what is there: values of secrets, an image of the same content', async () => {
    const first = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [outputs()] });
    const second = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [outputs()] });
    expect([first.code, second.code]).toEqual([0, 0]);
    expect(changing(second).map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual(['terraform -chdir=infra apply', 'terraform -chdir=infra apply', 'node cli/main.ts relay']);
    expect(imageIn(second)).toBe(imageIn(first));
    expect(second.said).toContain('There is no client/dist: nothing is released.');
  });

  it('names an image by what runs in it: one that has not changed is not deployed again', async () => {
    const build = (relay: string): Behaviour => ({ when: 'npm\\ run*', does: `mkdir -p functions/dist ws-relay/dist; touch functions/dist/index.js functions/dist/package.json; printf "${relay}" > ws-relay/dist/main.js` });
    const images = [];
    for (const relay of ['one', 'two', 'one']) images.push(imageIn(await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [build(relay), outputs()] })));
    staged.write('ws-relay/Dockerfile', `${FILES['ws-relay/Dockerfile']}USER node\n`);
    images.push(imageIn(await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [build('one'), outputs()] })));
    expect(new Set(images).size).toBe(3);
    expect(images[2]).toBe(images[0]);
  });

  it('sends Cloud Build nothing but what the Dockerfile copies', async () => {
    staged.write('.env.staging', 'SECRET=canary');
    const sees: Behaviour = { when: 'gcloud\\ builds*', does: 'find . -type f | sort; cat cloudbuild.json' };
    const { said } = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [sees, outputs(), NO_IMAGE] });
    expect(said).toContain('./cloudbuild.json\n./package.json\n./ws-relay/Dockerfile\n./ws-relay/main.ts\n{"steps":[{"name":"gcr.io/cloud-builders/docker","args":["build","--file=ws-relay/Dockerfile","--tag=us-central1');
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('earshot-relay-image-'))).toEqual([]);
  });

  it('releases the dashboard to the site that Terraform made', async () => {
    staged.write('client/dist/index.html', '<!doctype html>');
    const sees: Behaviour = { when: 'npx\\ --yes*', does: 'find . -type f | sort; cat firebase.json' };
    const { said } = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [sees, outputs()] });
    expect(said).toContain('./client/dist/index.html\n./firebase.json\n{"hosting":{"public":"client/dist","site":"calls-desk"}}');
  });

  it('with --plan builds, looks, and changes nothing', async () => {
    const ran = await staged.deploy(['staging', '--plan'], { env: { ...NAMED, ...SECRETS }, behaviours: [outputs(), NO_IMAGE, NO_VALUES] });
    expect(ran.code).toBe(0);
    expect(changing(ran)).toEqual([]);
    expect(linesOf(ran).filter((line) => line.includes(' plan '))).toHaveLength(2);
    expect(linesOf(ran).filter((line) => line.includes(' plan ')).every((line) => line.includes('-lock=false'))).toBe(true);
    for (const would of ['gcloud secrets versions add earshot-INGEST_KEY', 'gcloud builds submit', 'relay serve earshot-relay-00002-abc', 'doctor --url=']) expect(ran.said).toMatch(new RegExp(`would run: .*${would}`));
    expect(ran.said).toContain('Nothing was changed.');
  });

  it('with --plan before the first deployment says what is not known yet by name', async () => {
    const ran = await staged.deploy(['staging', '--plan'], { env: { ...NAMED, ...SECRETS }, behaviours: [outputs({}), NO_IMAGE, NO_VALUES] });
    expect(ran.code).toBe(0);
    expect(ran.said).toContain("relay serve '<revision>'");
    expect(ran.said).toContain('earshot-AUTH_SIGNING_KEY');
  });

  it('takes what is missing in the environment from .env.<environment>, and the environment before it', async () => {
    staged.write('.env.staging', `TF_STATE_BUCKET=of-the-file\nTF_VAR_project=of-the-file\nTF_VAR_elevenlabs_agent_id=agent_1\nTF_VAR_auth_public_keys='${PUBLIC_KEYS}'\n`);
    const ran = await staged.deploy(['staging', '--yes'], { env: { TF_VAR_project: 'earshot-test' }, behaviours: [outputs()] });
    expect(ran.code).toBe(0);
    expect(linesOf(ran).join('\n')).toContain('-backend-config=bucket=of-the-file');
    expect(linesOf(ran).join('\n')).not.toContain('--project=of-the-file');
  });

  it('lets Terraform ask the person who sits there', async () => {
    const ran = await staged.deploy(['staging'], { env: NAMED, behaviours: [outputs()], terminal: true });
    expect(ran.code).toBe(0);
    expect(linesOf(ran).filter((line) => line.includes(' apply ')).some((line) => line.includes('-auto-approve'))).toBe(false);
  });
});

describe('before anything is changed, npm run deploy', () => {
  it('names everything that is missing at once', async () => {
    const ran = await staged.deploy(['staging'], { behaviours: [NO_VALUES], without: ['terraform', 'npx'] });
    expect(ran.code).toBe(2);
    for (const name of [...Object.keys(DEPLOY_SETTINGS), 'terraform is not installed', 'npx is not installed', '--yes']) expect(ran.said).toContain(name);
    expect(ran.said).toContain('Nothing was changed.');
    expect(linesOf(ran)).not.toContain('npm run --silent build');
  });

  const refusals: readonly (readonly [what: string, env: Readonly<Record<string, string | undefined>>, behaviours: readonly Behaviour[], said: string])[] = [
    ['a secret that has no value anywhere', {}, [NO_VALUES], 'ELEVENLABS_WEBHOOK_SECRETS is missing, here and in Secret Manager'],
    ['the secret that only staging has', {}, [NO_VALUES], 'E2E_AUTH_KEY is missing'],
    ['nobody signed in', {}, [{ when: 'gcloud\\ auth\\ list*', out: '' }], 'gcloud auth login'],
    ['no credentials for Terraform', {}, [{ when: 'gcloud\\ auth\\ application-default*', code: 1 }], 'gcloud auth application-default login'],
    ['a project that cannot be seen', {}, [{ when: 'gcloud\\ projects*', code: 1 }], 'There is no project earshot-test'],
    ['no bucket for the state', {}, [{ when: 'gcloud\\ storage*', code: 1 }], 'gcloud storage buckets create gs://states --project=earshot-test'],
    ['an old Terraform', {}, [{ when: 'terraform\\ version*', out: 'Terraform v1.4.7' }], 'terraform 1.4 is too old'],
    ['a key of the wrong form', { INGEST_KEY: 'canary with spaces' }, [], 'INGEST_KEY has to be keys of at least 8 characters without spaces'],
    ['public keys of another signing key', { AUTH_SIGNING_KEY: JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })) }, [], 'does not have the public key of AUTH_SIGNING_KEY'],
  ];
  it.each(refusals)('refuses %s, and says how to mend it', async (_what, env, behaviours, said) => {
    const ran = await staged.deploy(['staging', '--yes'], { env: { ...NAMED, ...env }, behaviours: [...behaviours, outputs()] });
    expect(ran.code).toBe(2);
    expect(ran.said).toContain(said);
    expect(ran.said).not.toContain('canary');
    expect(changing(ran)).toEqual([]);
  });

  it('refuses production from a tree that differs from its commit, and staging not', async () => {
    const dirty: Behaviour = { when: 'git\\ status*', out: ' M core/settings.ts' };
    const production = await staged.deploy(['production', '--yes'], { env: NAMED, behaviours: [dirty, outputs()] });
    expect(production.code).toBe(2);
    expect(production.said).toContain('The working tree differs from its commit');
    expect(linesOf(production)).toContain('git status --porcelain -- . :!infra/.terraform.lock.hcl');
    expect((await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [dirty, outputs()] })).code).toBe(0);
    expect((await staged.deploy(['production', '--yes'], { env: NAMED, behaviours: [outputs()] })).code).toBe(0);
  });

  it('refuses a sign-in without password in production', () => {
    staged.write('infra/production.tfvars', `${FILES['infra/production.tfvars']}optional_secrets = ["E2E_AUTH_KEY"]\n`);
    expect(readDeploySettings(staged.root, 'production', NAMED).problems).toEqual([expect.stringContaining('the API does not start with it')]);
  });

  it('refuses a state that is of another project', async () => {
    const other = outputs({ ...OUTPUTS, repository: 'us-central1-docker.pkg.dev/earshot-production/earshot' });
    const ran = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [other] });
    expect(ran.code).toBe(2);
    expect(ran.said).toContain('is of another project than earshot-test');
    expect(changing(ran)).toEqual([]);
  });

  it.each([[[]], [['nowhere']], [['staging', '--loud']], [['staging', '--revision', 'earshot-relay']]])('answers %j with 2', async (args) => {
    const ran = await staged.deploy(args, { env: NAMED });
    expect(ran).toMatchObject({ code: 2, calls: [] });
    expect(ran.said).not.toBe('');
  });
});

describe('when a step of npm run deploy fails', () => {
  const failures: readonly (readonly [step: string, when: string, stands: string, next: string])[] = [
    ['Build', 'npm\\ run*', 'Nothing of the deployment was changed.', 'terraform -chdir=infra init'],
    ["Terraform's state", '*\\ init\\ *', 'Nothing of the deployment was changed.', 'terraform -chdir=infra apply'],
    ['Foundation', '*-target=*', 'What serves now goes on.', 'gcloud builds'],
    ['Values of the secrets', 'gcloud\\ secrets\\ versions\\ add*', 'What serves now goes on', 'gcloud builds'],
    ["The relay's image", 'gcloud\\ builds*', 'gcloud builds list', 'relay serve'],
    ['Everything', '*\\ apply\\ *relay:*', 'sockets have not moved', 'relay serve'],
    ['Sockets move', '*relay\\ serve*', 'sockets that were open stay where they are', 'npx --yes'],
    ['The dashboard', 'npx\\ --yes*', 'people see the dashboard that was there', 'doctor'],
    ['Doctor', '*doctor*', 'docs/operations.md', 'nothing else'],
  ];
  it.each(failures)('at "%s", it stops there, says how things stand, and how to go on', async (step, when, stands, next) => {
    staged.write('client/dist/index.html', '<!doctype html>');
    const values = step === 'Values of the secrets' ? [NO_VALUES] : [];
    const ran = await staged.deploy(['staging', '--yes'], { env: { ...NAMED, ...SECRETS }, behaviours: [{ when, code: 3 }, outputs(), NO_IMAGE, ...values] });
    expect(ran.code).toBe(1);
    expect(ran.said).toMatch(new RegExp(`Stopped at "${step}[^"]*", step \\d of 9\\. .*To go on: mend it and run the same command again`));
    expect(ran.said).toContain(stands);
    expect(ran.said).toContain('ended with 3. (step_failed)');
    expect(linesOf(ran).some((line) => line.includes(next))).toBe(false);
  });

  it('stops where the build made less than it should', async () => {
    const ran = await staged.deploy(['staging', '--yes'], { env: NAMED, behaviours: [{ when: 'npm\\ run*' }, outputs()] });
    expect(ran.code).toBe(1);
    expect(ran.said).toContain('(build_incomplete)');
    expect(changing(ran)).toEqual([]);
  });
});

describe('npm run deploy -- <environment> --revision', () => {
  const place = '--region=us-central1 --project=earshot-test';

  it('gives the traffic to an earlier relay and moves the open sockets to it, and does nothing else', async () => {
    const ran = await staged.deploy(['staging', '--revision', 'earshot-relay-00001-xyz'], { env: { TF_VAR_project: 'earshot-test' } });
    expect(ran.code).toBe(0);
    expect(linesOf(ran).slice(linesOf(ran).findIndex((line) => line.startsWith('gcloud run')))).toEqual([
      `gcloud run revisions describe earshot-relay-00001-xyz ${place} --format=value(metadata.name)`,
      `gcloud run services update-traffic earshot-relay --to-revisions=earshot-relay-00001-xyz=100 ${place} --quiet`,
      'node cli/main.ts relay serve earshot-relay-00001-xyz',
      `gcloud run services describe earshot-api ${place} --format=value(status.url)`,
      `gcloud run services describe earshot-webhooks ${place} --format=value(status.url)`,
      'node cli/main.ts doctor --url=https://service.example.com --webhooks=https://service.example.com',
    ]);
    expect(linesOf(ran).some((line) => line.startsWith('npm') || line.startsWith('terraform'))).toBe(false);
  });

  it('gives the traffic to an earlier function', async () => {
    const ran = await staged.deploy(['production', '--revision', 'earshot-webhooks-00007-abc'], { env: { TF_VAR_project: 'earshot-test' } });
    expect(ran.code).toBe(0);
    expect(changing(ran)).toEqual([`gcloud run services update-traffic earshot-webhooks --to-revisions=earshot-webhooks-00007-abc=100 ${place} --quiet`]);
  });

  it('changes nothing for a revision that is not there', async () => {
    const ran = await staged.deploy(['staging', '--revision', 'earshot-relay-00009-xyz'], { env: { TF_VAR_project: 'earshot-test' }, behaviours: [{ when: 'gcloud\\ run\\ revisions*', code: 1 }] });
    expect(ran.code).toBe(5);
    expect(ran.said).toContain('gcloud run revisions list --service=earshot-relay');
    expect(changing(ran)).toEqual([]);
  });
});

describe('npm run deploy -- <environment> --secret', () => {
  it('gives that secret a new version, and no other', async () => {
    const ran = await staged.deploy(['staging', '--yes', '--secret', 'ELEVENLABS_WEBHOOK_SECRETS'], { env: { ...NAMED, ...SECRETS }, behaviours: [outputs()] });
    expect(ran.code).toBe(0);
    expect(linesOf(ran).filter((line) => line.includes('versions add'))).toEqual(['gcloud secrets versions add earshot-ELEVENLABS_WEBHOOK_SECRETS --data-file=- --project=earshot-test']);
    expect(ran.calls.find(({ line }) => line.includes('versions add'))?.input).toBe('wsec_canary_one,wsec_canary_two');
  });

  it.each([
    ['INGEST_KEY', 'the environment has no value of it'],
    ['LOG_LEVEL', 'LOG_LEVEL is no secret of this environment'],
  ])('refuses %s where it cannot be renewed', async (name, said) => {
    const ran = await staged.deploy(['staging', '--yes', '--secret', name], { env: NAMED, behaviours: [outputs()] });
    expect(ran.code).toBe(2);
    expect(ran.said).toContain(said);
    expect(changing(ran)).toEqual([]);
  });
});

describe('node scripts/signing-key.ts', () => {
  const made = (...args: readonly string[]): Readonly<Record<string, string | undefined>> => parseEnv(execFileSync(process.execPath, [new URL('../../scripts/signing-key.ts', import.meta.url).pathname, ...args], { encoding: 'utf8' }));
  const keysIn = (env: Readonly<Record<string, string | undefined>>): readonly unknown[] => (JSON.parse(env['TF_VAR_auth_public_keys'] ?? '') as { readonly keys: readonly unknown[] }).keys;

  it('makes a key and the set that verifies it, as the deploy command takes them', () => {
    const keys = made();
    expect(readDeploySettings(staged.root, 'staging', { ...NAMED, ...keys }).problems).toEqual([]);
    expect(keys['TF_VAR_auth_public_keys']).not.toContain('"d"');
  });

  it('puts the new public key beside those that verify now, for a rotation', () => {
    const before = made();
    const after = made('--beside', before['TF_VAR_auth_public_keys'] ?? '');
    expect(keysIn(after)).toHaveLength(2);
    expect(keysIn(after)).toEqual(expect.arrayContaining([...keysIn(before)]));
    // Either key may sign while both stand.
    for (const { AUTH_SIGNING_KEY } of [before, after]) expect(readDeploySettings(staged.root, 'staging', { ...NAMED, ...after, AUTH_SIGNING_KEY }).problems).toEqual([]);
  });
});

describe('the archive of the functions', () => {
  const files = [
    { path: 'parts/b.js', content: Buffer.from('b'.repeat(70_000)) },
    { path: 'index.js', content: Buffer.from('export const é = 1;\n') },
    { path: 'empty', content: Buffer.alloc(0) },
  ];

  it('has the same bytes for the same files, in whatever order they come', () => {
    expect(archive([...files].reverse()).equals(archive(files))).toBe(true);
    expect(archive(files.slice(1)).equals(archive(files))).toBe(false);
  });

  it('is read as the format says: every file whole, at one time, with permissions that let a process read it', () => {
    const bytes = archive(files);
    const u16 = (at: number): number => bytes.readUInt16LE(at);
    const u32 = (at: number): number => bytes.readUInt32LE(at);
    const end = bytes.length - 22;
    expect([u32(end), u16(end + 8), u16(end + 10), u16(end + 20)]).toEqual([0x06054b50, 3, 3, 0]);
    const read = [];
    let at = u32(end + 16);
    for (let entry = 0; entry < u16(end + 10); entry++) {
      const [name, local] = [bytes.toString('utf8', at + 46, at + 46 + u16(at + 28)), u32(at + 42)];
      // What stands before the file itself says the same as the directory at the end.
      expect([u32(at), u32(local), bytes.subarray(local + 4, local + 30).equals(bytes.subarray(at + 6, at + 32))]).toEqual([0x02014b50, 0x04034b50, true]);
      const content = bytes.subarray(local + 30 + name.length, local + 30 + name.length + u32(at + 20));
      expect([u16(at + 10), u32(at + 16), u32(at + 24), u32(at + 38)]).toEqual([0, crc32(content), content.length, (0o100644 << 16) >>> 0]);
      expect([u16(at + 12), u16(at + 14)]).toEqual([0, 33]);
      read.push({ path: name, content });
      at += 46 + name.length;
    }
    expect(at).toBe(end);
    expect(u32(end + 12)).toBe(end - u32(end + 16));
    expect(read).toEqual([...files].sort((a, b) => (a.path < b.path ? -1 : 1)));
  });
});

describe('what the deploy command takes for granted', () => {
  it('is as infra/ has it: variables, accounts, names', () => {
    const variables = new Set([...textOf('infra/variables.tf').matchAll(/^variable "(\w+)"/gm)].map(([, name]) => name));
    const named = [...Object.keys(DEPLOY_SETTINGS), ...TERRAFORM_SECRETS].filter((name) => name.startsWith('TF_VAR_')).map((name) => name.slice('TF_VAR_'.length));
    expect([...named, 'functions_archive', 'relay_image'].filter((name) => !variables.has(name))).toEqual([]);
    expect(textOf('infra/variables.tf')).toMatch(/variable "region" \{[^}]*default\s+= "us-central1"/);
    for (const name of ['repository', 'relay_revision', 'log_database', 'api_url', 'post_call_webhook_url', 'dashboard_url', 'firebase_json', 'secrets']) expect(textOf('infra/outputs.tf')).toContain(`output "${name}"`);
    expect(textOf('infra/outputs.tf')).toContain('resource "terraform_data" "foundation"');
    expect(textOf('infra/relay.tf')).toContain('repository_id = "earshot"');
    expect(textOf('infra/functions.tf')).toContain('"${var.project}-earshot-source"');
  });

  it('is in the foundation: whoever builds the image, and its rights', () => {
    const foundation = /resource "terraform_data" "foundation" \{[\s\S]*?\n\}/.exec(textOf('infra/outputs.tf'))?.[0] ?? '';
    for (const address of ['google_artifact_registry_repository.earshot', 'google_artifact_registry_repository_iam_member.build_image', 'google_project_iam_member.build_source', 'google_project_iam_member.build_log', 'google_secret_manager_secret.setting']) expect(foundation).toContain(address);
  });

  it("is what the relay's Dockerfile copies", () => {
    expect(copiedBy('FROM a\nCOPY --chown=node b/ c/d ./\nRUN x\n  COPY e f\nCOPY --from=a /g /g\n')).toEqual(['b/', 'c/d', 'e']);
    expect(copiedBy(textOf(DOCKERFILE))).toEqual(expect.arrayContaining(['package-lock.json', 'core', 'ws-relay']));
    expect(() => copiedBy('COPY ["a", "b"]')).toThrow('cannot follow');
    expect(() => copiedBy('ADD a b')).toThrow('cannot follow');
  });
});
