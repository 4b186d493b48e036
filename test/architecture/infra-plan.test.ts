import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readSettings, UNITS, type Unit } from '../../core/settings.ts';
import { infraSources, readInfra } from '../fixtures/infra-files.ts';
import { providerSchema } from '../fixtures/infra-schema.ts';
import { standInConfiguration, standInName } from '../fixtures/infra-stand-ins.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** A plan takes a second or two on a machine that has nothing else to do. */
const PLAN_MAX_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'earshot-infra-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sources = infraSources();
const infra = await readInfra(sources);
const schema = providerSchema();
const configuration = standInConfiguration(infra, schema);

mkdirSync(join(folder, 'infra'));
for (const name of readdirSync(join(ROOT, 'infra'))) if (!name.endsWith('.tf')) cpSync(join(ROOT, 'infra', name), join(folder, 'infra', name));
cpSync(join(ROOT, 'firebase.json'), join(folder, 'firebase.json'));
writeFileSync(join(folder, 'functions.zip'), 'an archive');

const pair = generateKeyPairSync('ed25519');
const publicKeys = JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] });

const terraform = (...args: readonly string[]): { readonly absent: boolean; readonly out: string; readonly failed: string } => {
  const ran = spawnSync('terraform', [...args], { cwd: join(folder, 'infra'), encoding: 'utf8', timeout: PLAN_MAX_MS, env: { ...process.env, CHECKPOINT_DISABLE: '1', TF_IN_AUTOMATION: '1' } });
  const absent = (ran.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  return { absent, out: absent ? '' : ran.stdout, failed: absent || ran.status === 0 ? '' : `${ran.stdout}${ran.stderr}` };
};

type Values = Readonly<Record<string, unknown>>;
interface Plan {
  readonly planned_values: { readonly outputs: Readonly<Record<string, { readonly value: unknown }>>; readonly root_module: { readonly resources: readonly { readonly name: string; readonly index?: string | number; readonly values: { readonly input: Values } }[] } };
}

/** What a plan of this configuration fails with; empty: it does not. */
const planFailure = (main: string, environment: string, variables: Readonly<Record<string, unknown>> = {}): string => {
  const given = { project: 'earshot-test', functions_archive: '../functions.zip', relay_image: 'relay:1', auth_public_keys: publicKeys, elevenlabs_agent_id: 'agent_1', ...variables };
  writeFileSync(join(folder, 'infra', 'main.tf.json'), main);
  writeFileSync(join(folder, 'infra', 'given.tfvars.json'), JSON.stringify(given));
  const init = existsSync(join(folder, 'infra', '.terraform')) ? '' : terraform('init', '-no-color', '-input=false').failed;
  return init + terraform('plan', '-no-color', '-input=false', `-var-file=${environment}.tfvars`, '-var-file=given.tfvars.json', '-out=plan').failed;
};

/** null: there is no Terraform here. */
const planned = (environment: string, variables: Readonly<Record<string, unknown>> = {}): Plan | null => {
  expect(planFailure(configuration, environment, variables)).toBe('');
  const shown = terraform('show', '-json', 'plan');
  return shown.absent ? null : (JSON.parse(shown.out) as Plan);
};

const inputOf = (plan: Plan, address: string, index?: string | number): Values => {
  const found = plan.planned_values.root_module.resources.find((resource) => resource.name === standInName(address) && resource.index === index);
  if (found === undefined) throw new Error(`the plan has no ${address}${index === undefined ? '' : `[${index}]`}`);
  return found.values.input;
};
const made = (plan: Plan, address: string): readonly (string | number | undefined)[] => plan.planned_values.root_module.resources.filter(({ name }) => name === standInName(address)).map(({ index }) => index);
const first = (values: Values, name: string): Values => (values[name] as readonly Values[])[0] ?? {};

/** What a unit's process would find as its environment; a secret as what stands for it. */
const environmentOf = (plan: Plan, unit: Unit): Record<string, string> => {
  if (unit === 'relay') {
    const containers = first(inputOf(plan, 'google_cloud_run_v2_service.relay'), 'template')['containers'] as readonly Values[];
    const env = (containers[0]?.['env'] ?? []) as readonly { name: string; value?: string }[];
    return Object.fromEntries(env.map(({ name, value }) => [name, value ?? secretFor(name)]));
  }
  const config = first(inputOf(plan, 'google_cloudfunctions2_function.unit', unit), 'service_config');
  const secrets = config['secret_environment_variables'] as readonly { key: string }[];
  return { ...(config['environment_variables'] as Record<string, string>), ...Object.fromEntries(secrets.map(({ key }) => [key, secretFor(key)])) };
};

const secretFor = (name: string): string => {
  if (name === 'AUTH_SIGNING_KEY') return JSON.stringify(pair.privateKey.export({ format: 'jwk' }));
  return name === 'SENTRY_DSN' ? 'https://key@sentry.example.com/1' : `secret-of-${name.toLowerCase()}`;
};

describe("what Terraform's own engine makes of the files, where there is one,", { timeout: 2 * PLAN_MAX_MS }, () => {
  it('is taken by the processes as it comes, in production and in staging', () => {
    for (const environment of ['production', 'staging']) {
      const plan = planned(environment);
      if (plan === null) break;
      for (const unit of UNITS) {
        const found = environmentOf(plan, unit);
        expect(found['NODE_ENV']).toBe(environment);
        // A service account's address is known only once it is made.
        const known = unit === 'jobs' ? { ...found, JOBS_INVOKER: 'earshot-scheduler@earshot-test.iam.gserviceaccount.com' } : found;
        expect(readSettings(known, 'deployed', unit)).toMatchObject({ store: 'google', googleCloudProject: 'earshot-test', firestoreDatabase: 'earshot', firestoreSessionsDatabase: 'earshot-sessions', eventsTopic: 'earshot-events' });
      }
      expect(environmentOf(plan, 'api')['E2E_AUTH_KEY'] !== undefined).toBe(environment === 'staging');
      expect(made(plan, 'google_compute_backend_service.unit')).toEqual([]);
      expect(made(plan, 'google_monitoring_notification_channel.pagerduty')).toEqual([]);
    }
    expect(configuration).toContain('terraform_data.google_firestore_database__log.input.id');
  });

  it('with every setting and a domain of its own has them all, a load balancer, and somebody to wake', () => {
    const plan = planned('production', {
      domain: 'calls.example.com',
      allowed_origins: ['https://desk.example.com'],
      auth_issuers: [{ issuer: 'https://id.example.com', jwks_url: 'https://id.example.com/keys', audience: 'earshot' }],
      retention_days: 30,
      max_connections_per_user: 50,
      allow_query_token: false,
      log_level: 'warn',
      elevenlabs_telephony: 'sip_trunk',
      optional_secrets: ['SENTRY_DSN'],
      alert_emails: ['desk@example.com'],
      slack_channel: '#calls',
      slack_token: 'token',
      pagerduty_key: 'key',
    });
    if (plan !== null) {
      const settings = readSettings(environmentOf(plan, 'api'), 'deployed', 'api');
      expect(settings).toMatchObject({
        publicApiUrl: 'https://api.calls.example.com',
        publicRelayUrl: 'wss://relay.calls.example.com',
        allowedOrigins: ['https://earshot-test.web.app', 'https://earshot-test.firebaseapp.com', 'https://desk.example.com'],
        authIssuers: [{ issuer: 'https://id.example.com', jwks_url: 'https://id.example.com/keys', audience: 'earshot', tenant_claim: 'tenant', roles_claim: 'roles' }],
        elevenlabsTelephony: 'sip_trunk',
        logLevel: 'warn',
        sentryDsn: 'https://key@sentry.example.com/1',
      });
      expect(readSettings(environmentOf(plan, 'relay'), 'deployed', 'relay')).toMatchObject({ allowQueryToken: false, maxConnectionsPerUser: 50, metricsPort: 9091 });
      expect(readSettings({ ...environmentOf(plan, 'jobs'), JOBS_INVOKER: 'a@example.com' }, 'deployed', 'jobs')).toMatchObject({ retentionDays: 30 });
      expect(made(plan, 'google_compute_backend_service.unit')).toEqual(['api', 'relay', 'webhooks']);
      expect(inputOf(plan, 'google_compute_backend_service.unit', 'webhooks')['security_policy'] ?? null).toBeNull();
      expect(inputOf(plan, 'google_monitoring_alert_policy.earshot', 'write_failures')['notification_channels']).toHaveLength(3);
      expect(inputOf(plan, 'google_monitoring_alert_policy.earshot', 'event_loop')['notification_channels']).toHaveLength(2);
      const { outputs } = plan.planned_values;
      expect(outputs['post_call_webhook_url']?.value).toBe('https://webhooks.calls.example.com/webhooks/elevenlabs/post-call');
      expect(outputs['websocket_url']?.value).toBe('wss://relay.calls.example.com/ws/calls/transcriptions');
      expect(String(outputs['firebase_json']?.value)).toContain("connect-src 'self' https://relay.calls.example.com wss://relay.calls.example.com;");
      expect(JSON.parse(String(inputOf(plan, 'google_monitoring_dashboard.earshot')['dashboard_json']))).toMatchObject({ displayName: 'Earshot', mosaicLayout: { columns: 48 } });
    }
    expect(infra.variables.has('domain')).toBe(true);
  });

  it('goes back to an earlier revision of the relay when it is told its name', () => {
    const plan = planned('production', { relay_revision: 'earshot-relay-00007-abc' });
    if (plan !== null) {
      expect(first(inputOf(plan, 'google_cloud_run_v2_service.relay'), 'traffic')).toEqual({ type: 'TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION', revision: 'earshot-relay-00007-abc', percent: 100 });
      expect(plan.planned_values.outputs['relay_revision']?.value).toBe('earshot-relay-00007-abc');
    }
    expect(infra.outputs.has('relay_revision')).toBe(true);
  });

  it.each([
    ['goes round in a circle', 'environment.tf', 'metrics_port = 9091', 'metrics_port = length(local.settings.relay)', /Cycle/],
    ['asks a function for what it cannot do', 'environment.tf', 'join(",", var.allowed_prefixes)', 'join(var.allowed_prefixes, ",")', /Invalid function argument/],
    ['chooses one of several that is not there', 'outputs.tf', 'local.dashboard_urls[0]', 'local.dashboard_urls[2]', /Invalid index/],
  ])('says so where an expression %s', async (_, file, before, after, expected) => {
    expect(sources[file]?.split(before)).toHaveLength(2);
    const wrong = await readInfra({ ...sources, [file]: (sources[file] ?? '').replace(before, after) });
    const failed = planFailure(standInConfiguration(wrong, schema), 'production');
    if (!terraform('version').absent) expect(failed).toMatch(expected);
  });
});
