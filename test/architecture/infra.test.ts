import { describe, expect, it } from 'vitest';
import { METRICS } from '../../ports/metrics.ts';
import { infraSources, readInfra, type Infra, type Sources } from '../fixtures/infra-files.ts';
import { GRANTS, grantProblems } from '../fixtures/infra-grants.ts';
import { alertsOf, chartsOf, logMetricsOf, metricProblems, ourNamesIn, queriesOf } from '../fixtures/infra-metrics.ts';
import { referenceProblems } from '../fixtures/infra-references.ts';
import { providerSchema, schemaProblems } from '../fixtures/infra-schema.ts';
import { settingsProblems } from '../fixtures/infra-settings.ts';
import { expectFile } from '../fixtures/generated-page.ts';

const sources = infraSources();
const schema = providerSchema();

const allProblems = async (infra: Infra): Promise<string[]> => [
  ...infra.problems,
  ...schemaProblems(infra, schema),
  ...(await referenceProblems(infra, schema)),
  ...(await grantProblems(infra)),
  ...(await settingsProblems(infra)),
  ...metricProblems(infra),
];

/** The files with one place of one of them changed: the text has to stand there exactly once. */
const edited = (file: string, before: string, after: string): Sources => {
  const text = sources[file] ?? '';
  expect(text.split(before), `${file} holds ${JSON.stringify(before)} once`).toHaveLength(2);
  return { ...sources, [file]: text.replace(before, () => after) };
};

describe('the Terraform files', () => {
  it('are what the providers take, hang together, and give each unit its settings and its rights and no more', async () => {
    const infra = await readInfra(sources);
    expect(infra.resources.length).toBeGreaterThan(60);
    expect(await allProblems(infra)).toEqual([]);
  });

  it('pin the providers that their schema was taken from', () => {
    const pinned = [...(sources['versions.tf'] ?? '').matchAll(/source {2}= "([^"]+)"\n +version = "([^"]+)"/g)].map(([, source, version]) => `${source ?? ''} ${version ?? ''}`);
    expect(pinned.sort()).toEqual(schema.providers);
    expect(schema.notice).toContain('Mozilla Public License 2.0');
  });

  it('are not read where they are no HCL, and the error says where', async () => {
    await expect(readInfra({ ...sources, 'events.tf': 'resource "google_pubsub_topic" "events" {\n  name = \n}\n' })).rejects.toThrow(/events\.tf:2/);
  });

  it('make a metric of everything that the functions write', () => {
    expectFile('infra/metrics.json', `${JSON.stringify(logMetricsOf(), null, 2)}\n`);
  });

  it('show every figure of the product on the dashboard', async () => {
    const shown = new Set(chartsOf(await readInfra(sources)).flatMap(({ query }) => ourNamesIn(query)));
    expect(Object.keys(METRICS).filter((name) => !shown.has(name))).toEqual([]);
  });

  it.each([
    ['errors', 'high', /log_entry_count\{[^}]*severity=~'ERROR\|[^}]*\}\[5m\]\)\) > 10$/],
    ['post_call_5xx', 'medium', /webhook_requests_total\{[^}]*route='post-call',code=~'5\.\.'\}\[5m\]\)\) > 0$/],
    ['socket_errors', 'medium', /connections_closed_total\{code=~'[^']*4002[^']*'\}\[1m\]\)\).* > 5$/],
    ['write_failures', 'high', /log_append_failures_total\{[^}]*\}\[5m\]\)\) > 0$/],
    ['webhook_error_share', 'high', /code!='200'.* > 0\.01$/],
    ['webhook_silent', 'high', /what='finished'.* unless .*code='200'/],
    ['webhook_off', 'high', /provider_webhook_ok/],
    ['webhook_missed', 'medium', /what='finished'.* and .*code='200'/],
    ['signature_failures', 'high', /webhook_requests_total\{[^}]*code='401'\}/],
    ['unacked_messages', 'medium', /oldest_unacked_message_age/],
    ['event_loop', 'medium', /event_loop_delay_seconds\{quantile='0\.99'\}/],
    ['calls_unknown', 'high', /calls_stuck_sum\{[^}]*what='unknown'\}/],
    ['quarantine', 'medium', /quarantine_size_sum.* offset 1h/],
    ['canary_late', 'high', /verified_age_seconds/],
  ] as const)('wake somebody for %s, level %s', async (name, level, query) => {
    const alert = alertsOf(await readInfra(sources)).find((candidate) => candidate.name === name);
    expect(alert).toMatchObject({ level, query: expect.stringMatching(query) as string });
  });

  it('ask of every alert and chart something that can be asked', async () => {
    expect(queriesOf(await readInfra(sources)).length).toBeGreaterThan(35);
  });
});

describe('a mistake in the Terraform files is named by file, resource and attribute:', () => {
  it.each([
    // Names, nesting, types, what is required.
    ['a misspelt attribute', 'events.tf', 'name = "earshot-events"', 'nane = "earshot-events"', ['events.tf: google_pubsub_topic.events: nane is not known', 'events.tf: google_pubsub_topic.events: name is missing']],
    ['a misspelt block', 'relay.tf', '      startup_probe {', '      start_up_probe {', ['relay.tf: google_cloud_run_v2_service.relay: template.containers.start_up_probe is not known']],
    ['a misspelt attribute deep within', 'relay.tf', '        startup_cpu_boost = true', '        startup_cpu_bost = true', ['relay.tf: google_cloud_run_v2_service.relay: template.containers.resources.startup_cpu_bost is not known']],
    ['a misspelt dynamic block', 'functions.tf', 'dynamic "secret_environment_variables"', 'dynamic "secret_environment"', [
      'functions.tf: google_cloudfunctions2_function.unit: service_config.secret_environment is not a block that is known',
      ...Array<string>(3).fill('functions.tf: google_cloudfunctions2_function.unit: secret_environment_variables.value is not there'),
      ...['ELEVENLABS_API_KEY', 'ELEVENLABS_WEBHOOK_SECRETS', 'INGEST_KEY', 'SENTRY_DSN'].map((name) => `webhooks: ${name} is read, but not given`),
      ...['ELEVENLABS_API_KEY', 'AUTH_SIGNING_KEY', 'E2E_AUTH_KEY', 'SENTRY_DSN'].map((name) => `api: ${name} is read, but not given`),
      ...['ELEVENLABS_API_KEY', 'SENTRY_DSN'].map((name) => `jobs: ${name} is read, but not given`),
    ]],
    ['a block as an argument', 'relay.tf', '    scaling {', '    scaling = {', ['relay.tf: google_cloud_run_v2_service.relay: template.scaling is a block, but stands as an argument']],
    ['an argument as a block', 'channels.tf', 'labels = {\n    email_address', 'labels {\n    email_address', ['channels.tf: google_monitoring_notification_channel.email: labels is an argument, but stands as a block']],
    ['a block that may stand once, twice', 'relay.tf', '    scaling {', '    scaling {\n      min_instance_count = 1\n    }\n\n    scaling {', ['relay.tf: google_cloud_run_v2_service.relay: template.scaling stands 2 times, and may once']],
    ['a word where a number belongs', 'relay.tf', 'max_instance_request_concurrency = 1000', 'max_instance_request_concurrency = "many"', ['relay.tf: google_cloud_run_v2_service.relay: template.max_instance_request_concurrency has to be number']],
    ['a word where yes or no belongs', 'relay.tf', 'session_affinity      = false', 'session_affinity      = "no"', ['relay.tf: google_cloud_run_v2_service.relay: template.session_affinity has to be bool']],
    ['a list where a word belongs', 'events.tf', 'name = "earshot-events"', 'name = ["earshot-events"]', ['events.tf: google_pubsub_topic.events: name has to be string']],
    ['a word where a list belongs', 'events.tf', 'allowed_persistence_regions = [var.region]', 'allowed_persistence_regions = "us-central1"', ['events.tf: google_pubsub_topic.events: message_storage_policy.allowed_persistence_regions has to be set(string)']],
    ['a required attribute left out', 'scheduler.tf', '      service_account_email = google_service_account.unit["scheduler"].email\n', '', ['scheduler.tf: google_cloud_scheduler_job.job: http_target.oidc_token.service_account_email is missing']],
    ['a required attribute of a block left out', 'accounts.tf', 'title      = "Earshot\'s log and directory"\n', '\n', ['accounts.tf: google_project_iam_member.relay_log: condition.title is missing']],
    ['what can only be read', 'events.tf', 'name = "earshot-events"', 'name = "earshot-events"\n  effective_labels = {}', ['events.tf: google_pubsub_topic.events: effective_labels can only be read']],
    ['a type that nobody has', 'events.tf', 'resource "google_pubsub_topic"', 'resource "google_pubsub_topik"', [
      'events.tf: google_pubsub_topik.events: the type is not in provider-schema.json; where the provider has it, run scripts/provider-schema.ts',
      'accounts.tf: google_pubsub_topic_iam_member.functions_publish: google_pubsub_topic.events.id is not there',
      'accounts.tf: google_pubsub_topic_iam_member.relay_attach: google_pubsub_topic.events.id is not there',
      'environment.tf: local.everywhere: google_pubsub_topic.events.name is not there',
    ]],
    ['a misspelt lifecycle', 'firestore.tf', 'create_before_destroy = true', 'create_before_destroying = true', ['firestore.tf: google_firebaserules_ruleset.deny_all: lifecycle.create_before_destroying is not known']],
    ['the same resource twice', 'events.tf', '# The bus.', 'resource "google_pubsub_topic" "events" {\n  name = "other"\n}\n# The bus.', ['events.tf: google_pubsub_topic.events stands twice']],

    // References.
    ['a variable that is not declared', 'relay.tf', 'image = var.relay_image', 'image = var.relay_imagge', ['relay.tf: google_cloud_run_v2_service.relay: var.relay_imagge is not declared', 'variables.tf: var.relay_image is used nowhere']],
    ['a local that is not declared', 'scheduler.tf', 'audience              = local.jobs_url', 'audience              = local.job_url', ['scheduler.tf: google_cloud_scheduler_job.job: local.job_url is not declared']],
    ['a resource that is not there', 'environment.tf', 'EVENTS_TOPIC                = google_pubsub_topic.events.name', 'EVENTS_TOPIC                = google_pubsub_topic.event.name', ['environment.tf: local.everywhere: google_pubsub_topic.event.name is not there']],
    ['an attribute that a resource does not have', 'environment.tf', 'EVENTS_TOPIC                = google_pubsub_topic.events.name', 'EVENTS_TOPIC                = google_pubsub_topic.events.title', ['environment.tf: local.everywhere: google_pubsub_topic.events.title has no title']],
    ['one of several without saying which', 'outputs.tf', '    google_artifact_registry_repository.earshot.id,', '    google_service_account.unit.email,', ['outputs.tf: terraform_data.foundation: google_service_account.unit.email is one of several, and none is chosen']],
    ['each where there is no for_each', 'events.tf', 'name = "earshot-events"', 'name = "earshot-${each.key}"', ['events.tf: google_pubsub_topic.events: each.key is not there']],

    // Settings.
    ['a missing setting', 'environment.tf', '      JOBS_AUDIENCE       = local.jobs_url\n', '', ['jobs: JOBS_AUDIENCE is read, but not given']],
    ['a missing secret', 'secrets.tf', '"ELEVENLABS_WEBHOOK_SECRETS", "INGEST_KEY"]', '"ELEVENLABS_WEBHOOK_SECRETS"]', ['nothing grants what is on the list: webhooks: roles/secretmanager.secretAccessor on google_secret_manager_secret.setting[INGEST_KEY]', 'webhooks: INGEST_KEY is read, but not given']],
    ['a misspelt setting', 'environment.tf', '      METRICS_PORT             = local.metrics_port', '      METRIC_PORT              = local.metrics_port', ['relay: METRIC_PORT is no setting of the code', 'relay: METRICS_PORT is read, but not given']],
    ["another unit's setting", 'environment.tf', '      RETENTION_DAYS      = var.retention_days', '      RETENTION_DAYS      = var.retention_days\n      ALLOWED_PREFIXES    = "+1"', ['jobs: ALLOWED_PREFIXES is given, but core/settings-table.ts does not give it to this unit']],
    ['a secret as plain text', 'environment.tf', '      METRICS_PORT             = local.metrics_port', '      METRICS_PORT             = local.metrics_port\n      SENTRY_DSN = "https://key@sentry.example.com/1"', ['relay: SENTRY_DSN is a secret, but given as plain text', 'relay: SENTRY_DSN is given twice']],
    ["another unit's secret", 'secrets.tf', 'jobs     = concat(["ELEVENLABS_API_KEY"]', 'jobs     = concat(["ELEVENLABS_API_KEY", "AUTH_SIGNING_KEY"]', ['secrets.tf: google_secret_manager_secret_iam_member.jobs: grants what is not on the list: jobs: roles/secretmanager.secretAccessor on google_secret_manager_secret.setting[AUTH_SIGNING_KEY]', 'jobs: AUTH_SIGNING_KEY is given, but core/settings-table.ts does not give it to this unit']],
    ['what is needed as something that may be left out', 'variables.tf', 'description = "AUTH_PUBLIC_KEYS: the JWK set that belongs to the secret AUTH_SIGNING_KEY."\n  type        = string', 'description = "AUTH_PUBLIC_KEYS"\n  type        = string\n  default = null', ['relay: AUTH_PUBLIC_KEYS is needed, but may be left out']],

    // Roles.
    ['a broader role', 'accounts.tf', 'role    = "roles/datastore.viewer"', 'role    = "roles/datastore.owner"', ['accounts.tf: google_project_iam_member.relay_log: grants what is not on the list: relay: roles/datastore.owner on the project if google_firestore_database.log', 'nothing grants what is on the list: relay: roles/datastore.viewer on the project if google_firestore_database.log']],
    ['a role for more of the databases', 'accounts.tf', 'expression = "resource.name == \\"${google_firestore_database.log.id}\\""', 'expression = "true"', [expect.stringContaining('grants what is not on the list: relay: roles/datastore.viewer on the project if true'), expect.stringContaining('nothing grants')]],
    ['a further permission', 'accounts.tf', 'permissions = ["pubsub.topics.attachSubscription"]', 'permissions = ["pubsub.topics.attachSubscription", "pubsub.topics.publish"]', [expect.stringContaining('grants what is not on the list: relay: pubsub.topics.attachSubscription + pubsub.topics.publish on google_pubsub_topic.events'), expect.stringContaining('nothing grants')]],
    ['a door for everybody', 'accounts.tf', 'for_each = toset(["webhooks", "api"])\n', 'for_each = toset(["webhooks", "api", "jobs"])\n', ['accounts.tf: google_cloud_run_v2_service_iam_member.everybody: grants what is not on the list: everybody: roles/run.invoker on google_cloudfunctions2_function.unit[jobs]']],
    ['one more who may', 'accounts.tf', '# Raw deliveries: read', 'resource "google_project_iam_member" "more" {\n  project = var.project\n  role = "roles/editor"\n  member = "user:someone@example.com"\n}\n# Raw deliveries: read', ['accounts.tf: google_project_iam_member.more: grants what is not on the list: user:someone@example.com: roles/editor on the project']],
    ['what replaces the rights of others', 'accounts.tf', '# Raw deliveries: read', 'resource "google_project_iam_binding" "more" {\n  project = var.project\n  role = "roles/viewer"\n  members = []\n}\n# Raw deliveries: read', [expect.stringContaining('google_project_iam_binding.more: the type is not in'), 'accounts.tf: google_project_iam_binding.more: replaces what others were granted; only *_iam_member adds to it']],

    // Figures.
    ['an alert on what nobody writes', 'alerts.tf', 'max(earshot_verified_age_seconds) > 15', 'max(earshot_verified_age_second) > 15', ['alerts.tf: alert canary_late: earshot_verified_age_second is written by no relay']],
    ['an alert on what only a relay writes, asked of the functions', 'alerts.tf', 'max(earshot_verified_age_seconds) > 15', 'max(logging_googleapis_com:user_earshot_verified_age_seconds) > 15', ['alerts.tf: alert canary_late: logging_googleapis_com:user_earshot_verified_age_seconds is written by no function']],
    ["an alert on Google's figures that is not on the list", 'alerts.tf', 'pubsub_googleapis_com:subscription_oldest_unacked_message_age{', 'pubsub_googleapis_com:subscription_oldest_unacked_age{', ["alerts.tf: alert unacked_messages: pubsub_googleapis_com:subscription_oldest_unacked_age is not on the list of Google's own figures", 'alerts.tf: alert unacked_messages: pubsub_googleapis_com:subscription_oldest_unacked_age has no label subscription_id']],
    ['a label that a figure does not have', 'dashboard.tf', 'sum by (result) (', 'sum by (outcome) (', ['dashboard.tf: chart "Dials by result": has no label outcome']],
    ['a label that is asked for and not there', 'alerts.tf', "{quantile='0.99'}", "{quantil='0.99'}", ['alerts.tf: alert event_loop: earshot_event_loop_delay_seconds has no label quantil']],
    ['a histogram asked for as a whole', 'dashboard.tf', 'earshot_log_read_seconds_count[5m]', 'earshot_log_read_seconds[5m]', ['dashboard.tf: chart "Reads of the log": earshot_log_read_seconds is a histogram: _sum, _count or _bucket has to be asked for']],
    ['a bracket too few', 'dashboard.tf', 'query = "sum(earshot_connections)"', 'query = "sum(earshot_connections"', ['dashboard.tf: chart "Sessions": has a bracket too many or too few']],
  ] as const)('%s', async (_, file, before, after, expected) => {
    expect(await allProblems(await readInfra(edited(file, before, after)))).toEqual(expected);
  });

  it('the list of grants holds each once', () => {
    expect(new Set(GRANTS).size).toBe(GRANTS.length);
  });
});
