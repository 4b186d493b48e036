import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parse } from '@cdktn/hcl2json';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../core/settings-table.ts';
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import {
  APPEND_RETRY_MAX_MS,
  CONNECTIONS_PER_RELAY_MAX_COUNT,
  DIAL_ANSWER_MAX_MS,
  MOVE_WITHIN_MS,
  PUBLISH_WAIT_MAX_MS,
  RAW_KEPT_MS,
  RECONCILE_MS,
  SESSION_MOVE_AFTER_MS,
  WEBHOOK_BODY_KEPT_BYTES,
} from '../../core/protocol/limits.ts';
import { DELIVERIES, QUARANTINE, USED_BY_TENANT } from '../../ports/raw-store.gcs-layout.ts';
import { blocksOf, infraSources, isObject, readInfra, resourceOf, type JsonObject } from '../fixtures/infra-files.ts';
import { GRANTS } from '../fixtures/infra-grants.ts';
import { textOf } from '../fixtures/tree.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const infra = await readInfra(infraSources());
const bodyOf = (address: string): JsonObject => resourceOf(infra, address).body;
const blockOf = (body: JsonObject, ...names: readonly string[]): JsonObject => names.reduce((inner, name) => blocksOf(inner, name)[0] ?? {}, body);
const localOf = (name: string): JsonObject => {
  const value = infra.locals.get(name)?.value;
  return isObject(value) ? value : {};
};
const functionsOf = (): Record<string, JsonObject> => localOf('functions') as Record<string, JsonObject>;

describe('the relay', () => {
  const template = blockOf(bodyOf('google_cloud_run_v2_service.relay'), 'template');
  const [relay = {}, collector = {}] = blocksOf(template, 'containers');

  it('has at least one instance and a bound, and lets in its sockets and more', () => {
    expect(blockOf(template, 'scaling')).toEqual({ min_instance_count: 1, max_instance_count: '${var.relay_instances_max}' });
    expect(template['max_instance_request_concurrency']).toBe(1000);
    expect(template['max_instance_request_concurrency']).toBeGreaterThan(CONNECTIONS_PER_RELAY_MAX_COUNT);
  });

  it('holds a socket for an hour, and asks it to move before that', () => {
    expect(template['timeout']).toBe('3600s');
    expect(SESSION_MOVE_AFTER_MS + MOVE_WITHIN_MS).toBeLessThan(3_600_000);
  });

  it('is billed by instance, takes any client, and speaks HTTP/1.1', () => {
    expect(blockOf(relay, 'resources')).toMatchObject({ cpu_idle: false });
    expect(blockOf(collector, 'resources')).toMatchObject({ cpu_idle: false });
    expect(template['session_affinity']).toBe(false);
    expect(blockOf(relay, 'ports')).toEqual({ name: 'http1', container_port: 8080 });
  });

  it('is asked where it answers, never for longer than the time between two questions', () => {
    const answered = textOf('ws-relay/relay.ts') + textOf('ws-relay/http.ts') + textOf('ws-relay/instance.ts');
    for (const [probe, path] of [['startup_probe', '/ready'], ['liveness_probe', '/health']] as const) {
      const asked = blockOf(relay, probe);
      expect(blockOf(asked, 'http_get')['path']).toBe(path);
      expect(answered).toContain(`'${path}'`);
      expect(Number(asked['timeout_seconds'])).toBeLessThan(Number(asked['period_seconds']));
    }
  });

  it('has a collector beside it that reads the port that the relay is told', () => {
    expect(collector['depends_on']).toEqual(['relay']);
    expect(blocksOf(template, 'volumes')[0]?.['name']).toBe(blockOf(collector, 'volume_mounts')['name']);
    expect(textOf('infra/collector.yaml')).toMatch(/kind: RunMonitoring[\s\S]*- port: \$\{port\}\n\s+path: \/metrics/);
    expect(textOf('infra/secrets.tf')).toContain('port = local.metrics_port');
  });

  it('shows no token and no ticket in a line of the log', () => {
    const filter = textOf('infra/logging.tf').split('"google_logging_project_exclusion"')[1] ?? '';
    const pattern = /requestUrl=~\\"([^"\\]+)\\"/.exec(filter)?.[1] ?? 'none';
    const excluded = (url: string): boolean => new RegExp(pattern).test(url);
    expect(filter).toContain('cloud_run_revision');
    expect(['https://r.example.com/ws?token=x', 'https://r.example.com/ws?v=1&ticket=x', 'https://r.example.com/ws/calls/transcriptions?ticket=x&y=1'].filter((url) => !excluded(url))).toEqual([]);
    expect(['https://r.example.com/ws', 'https://r.example.com/poll?tokens=1', 'https://a.example.com/auth/ticket'].filter(excluded)).toEqual([]);
  });
});

describe('the functions', () => {
  it('are those that the code registers, each with its own account', () => {
    const registered = [...textOf('functions/index.ts').matchAll(/^http\('(\w+)'/gm)].map(([, name]) => name ?? '');
    expect(Object.keys(functionsOf()).sort()).toEqual(registered.sort());
    const body = bodyOf('google_cloudfunctions2_function.unit');
    expect(blockOf(body, 'build_config')).toMatchObject({ entry_point: '${each.key}', runtime: 'nodejs24' });
    expect(blockOf(body, 'service_config')['service_account_email']).toBe('${google_service_account.unit[each.key].email}');
  });

  it('have time for what they wait for, and memory for what they hold', () => {
    const { webhooks, api } = functionsOf();
    expect(Number(webhooks?.['timeout_seconds']) * 1_000).toBeGreaterThan(2 * (APPEND_RETRY_MAX_MS + PUBLISH_WAIT_MAX_MS));
    expect(Number(api?.['timeout_seconds']) * 1_000).toBeGreaterThan(DIAL_ANSWER_MAX_MS + APPEND_RETRY_MAX_MS);
    expect(webhooks?.['memory']).toBe('1Gi');
    expect(Number(webhooks?.['concurrency']) * WEBHOOK_BODY_KEPT_BYTES).toBeLessThan(2 ** 30 / 2);
  });

  it('run their jobs when the scheduler asks, which alone may', () => {
    const jobs = localOf('jobs');
    const known = [...(/const JOBS[^{]*\{([^}]*)\}/.exec(textOf('functions/jobs-route.ts').replace(/Readonly<Record<[^=]*=/, '='))?.[1] ?? '').matchAll(/(\w+):/g)].map(([, name]) => name ?? '');
    expect(known).toContain('reconcile');
    expect(Object.keys(jobs).filter((name) => !known.includes(name))).toEqual([]);
    // `reconcile` does what `follow` does.
    expect(known.filter((name) => name !== 'follow' && !(name in jobs))).toEqual([]);
    expect(jobs['reconcile']).toBe('* * * * *');
    expect(RECONCILE_MS).toBe(60_000);
    const target = blockOf(bodyOf('google_cloud_scheduler_job.job'), 'http_target');
    expect(target).toMatchObject({ http_method: 'POST', uri: '${local.jobs_url}/${each.key}' });
    const environment = localOf('environment')['jobs'];
    expect(environment).toContain('JOBS_AUDIENCE       = local.jobs_url');
    // A token without its signature is believed, so nobody else may come.
    expect(environment).toContain('JOBS_BEHIND_IAM     = true');
    expect(GRANTS.filter((grant) => grant.includes('unit[jobs]'))).toEqual(['scheduler: roles/run.invoker on google_cloudfunctions2_function.unit[jobs]']);
    expect(blockOf(target, 'oidc_token')['audience']).toBe('${local.jobs_url}');
  });
});

describe('the stores', () => {
  it('have the names that the code looks for', () => {
    expect(bodyOf('google_firestore_database.log')['name']).toBe(SETTINGS.firestoreDatabase.deployed);
    expect(bodyOf('google_firestore_database.sessions')['name']).toBe(SETTINGS.firestoreSessionsDatabase.deployed);
    expect(bodyOf('google_pubsub_topic.events')['name']).toBe(SETTINGS.eventsTopic.deployed);
  });

  it('are watched by the names that relays give their subscriptions', () => {
    const prefix = /const PREFIX = '([^']+)'/.exec(textOf('ports/event-bus.pubsub.ts'))?.[1] ?? 'none';
    for (const file of ['infra/alerts.tf', 'infra/dashboard.tf']) expect(textOf(file)).toContain(`subscription_id=~'${prefix}.*'`);
  });

  it('keep the log: backups every day, any minute of the last week, and no deleting in production', () => {
    expect(bodyOf('google_firestore_database.log')).toMatchObject({
      point_in_time_recovery_enablement: 'POINT_IN_TIME_RECOVERY_ENABLED',
      delete_protection_state: '${var.production ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"}',
    });
    expect(blocksOf(bodyOf('google_firestore_backup_schedule.daily'), 'daily_recurrence')).toHaveLength(1);
  });

  it('keep used deliveries for seven days, and those in quarantine until somebody decides', () => {
    const bucket = bodyOf('google_storage_bucket.raw');
    const deleting = blocksOf(bucket, 'lifecycle_rule').filter((rule) => blockOf(rule, 'action')['type'] === 'Delete').map((rule) => blockOf(rule, 'condition'));
    const days = RAW_KEPT_MS / 86_400_000;
    expect(deleting).toEqual([{ days_since_custom_time: days, matches_prefix: [DELIVERIES] }, { age: days + 2, matches_prefix: ['used/'] }]);
    expect(USED_BY_TENANT.startsWith('used/')).toBe(true);
    expect(['used/', DELIVERIES].some((prefix) => QUARANTINE.startsWith(prefix))).toBe(false);
    expect(blockOf(bucket, 'encryption')['default_kms_key_name']).toBe('${google_kms_crypto_key.raw.id}');
    expect(bucket).toMatchObject({ public_access_prevention: 'enforced', uniform_bucket_level_access: true });
  });

  it('let go of what is erased at once', () => {
    const bucket = bodyOf('google_storage_bucket.raw');
    expect(blockOf(bucket, 'versioning')).toEqual({ enabled: false });
    expect(blockOf(bucket, 'soft_delete_policy')).toEqual({ retention_duration_seconds: 0 });
  });

  it('refuse every browser and phone', () => {
    const rules = textOf('infra/firestore.rules');
    expect([...rules.matchAll(/allow [^;]*;/g)].map(([text]) => text)).toEqual(['allow read, write: if false;']);
    expect(rules).toContain('match /{document=**}');
  });
});

describe('firebase.json', () => {
  interface FirebaseJson {
    readonly firestore: readonly { readonly database: string; readonly rules: string; readonly indexes?: string }[];
    readonly hosting: {
      readonly headers: readonly { readonly source: string; readonly headers: readonly { readonly key: string; readonly value: string }[] }[];
      readonly rewrites: readonly { readonly source: string; readonly run: { readonly serviceId: string; readonly region: string } }[];
    };
  }
  const firebase = JSON.parse(textOf('firebase.json')) as FirebaseJson;

  it('names the same rules, indexes and databases as Terraform', () => {
    expect(firebase.firestore.map(({ database }) => database)).toEqual([bodyOf('google_firestore_database.log')['name'], bodyOf('google_firestore_database.sessions')['name']]);
    expect(new Set(firebase.firestore.map(({ rules }) => rules))).toEqual(new Set(['infra/firestore.rules']));
    expect(blockOf(bodyOf('google_firebaserules_ruleset.deny_all'), 'source', 'files')['content']).toBe('${file("${path.module}/firestore.rules")}');
    expect(firebase.firestore[0]?.indexes).toBe('infra/firestore.indexes.json');
    expect(infra.locals.get('firestore_indexes')?.value).toBe('${jsondecode(file("${path.module}/firestore.indexes.json"))}');
  });

  it('hands what is no file of the dashboard to the API', () => {
    expect(firebase.hosting.rewrites).toEqual([{ source: '**', run: { serviceId: 'earshot-api', region: 'us-central1' } }]);
    expect(bodyOf('google_cloudfunctions2_function.unit')['name']).toBe('earshot-${each.key}');
    expect(infra.variables.get('region')?.value).toMatchObject({ default: 'us-central1' });
  });

  it('lets the dashboard talk to itself and to the relay, whose name Terraform puts in', () => {
    const policy = firebase.hosting.headers.find(({ source }) => source === '**')?.headers.find(({ key }) => key === 'Content-Security-Policy')?.value ?? '';
    const directives = new Map(policy.split('; ').map((part) => [part.split(' ')[0], part.split(' ').slice(1)]));
    expect(directives.get('connect-src')).toEqual(["'self'", 'https://relay.invalid', 'wss://relay.invalid']);
    expect(directives.get('default-src')).toEqual(["'none'"]);
    expect(directives.get('script-src')).toEqual(["'self'"]);
    const made = infra.outputs.get('firebase_json')?.value;
    expect(isObject(made) ? made['value'] : '').toMatch(/"relay\.invalid", local\.relay_host/);
  });
});

describe('what Terraform prints', () => {
  it.each([
    ['post_call_webhook_url', WEBHOOK_PATHS['post-call']],
    ['transcription_webhook_url', WEBHOOK_PATHS.transcription],
    ['agent_events_webhook_url', WEBHOOK_PATHS['agent-events']],
  ])('%s is where the code listens', (name, path) => {
    const output = infra.outputs.get(name)?.value;
    expect(isObject(output) ? output['value'] : '').toBe(`\${local.webhooks_url}${path}`);
  });

  it('the socket is where the relay takes upgrades', () => {
    const output = infra.outputs.get('websocket_url')?.value;
    expect(isObject(output) ? output['value'] : '').toBe('wss://${local.relay_host}/ws/calls/transcriptions');
  });
});

describe('the environments', () => {
  it.each(['staging', 'production'])('%s sets only variables that there are', async (name) => {
    const values = (await parse(`${name}.tfvars`, textOf(`infra/${name}.tfvars`))) as JsonObject;
    expect(Object.keys(values).length).toBeGreaterThan(3);
    expect(Object.keys(values).filter((variable) => !infra.variables.has(variable))).toEqual([]);
  });

  it('production refuses what is for trials only', () => {
    const text = textOf('infra/production.tfvars');
    expect(text).toMatch(/^production +=\s*true$/m);
    expect(text).toMatch(/^node_env +=\s*"production"$/m);
    expect(text).not.toContain('E2E_AUTH_KEY');
  });
});

it('the files are formatted as `terraform fmt` does, where there is one', () => {
  const checked = spawnSync('terraform', ['fmt', '-check', '-recursive', '-no-color', 'infra'], { cwd: ROOT, encoding: 'utf8', timeout: 15_000 });
  const absent = (checked.error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  expect(absent ? '' : checked.stdout).toBe('');
  expect(absent ? 0 : checked.status).toBe(0);
  // Without it at least what it would never leave.
  for (const [file, text] of Object.entries(infraSources())) expect(text, file).not.toMatch(/\t| +\n|\n{3}/);
  expect(readFileSync(`${ROOT}infra/versions.tf`, 'utf8')).toContain('backend "gcs" {}');
});
