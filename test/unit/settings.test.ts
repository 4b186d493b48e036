import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SETTINGS, type SettingRow } from '../../core/settings-table.ts';
import { readSettings, SettingsError, UNITS, type Settings } from '../../core/settings.ts';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';

const pair = generateKeyPairSync('ed25519');
const privateJwk = JSON.stringify(pair.privateKey.export({ format: 'jwk' }));
const publicSet = JSON.stringify({ keys: [pair.publicKey.export({ format: 'jwk' })] });
const pem = pair.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

const deployed = {
  ELEVENLABS_API_KEY: 'key_of_workspace',
  ELEVENLABS_AGENT_ID: 'agent_9',
  ELEVENLABS_WEBHOOK_SECRETS: 'wsec_new1,wsec_old1',
  INGEST_KEY: 'ingest_deployed',
  AUTH_SIGNING_KEY: pem,
  RAW_BUCKET: 'earshot-raw',
  JOBS_INVOKER: 'scheduler@earshot.iam.gserviceaccount.com',
  JOBS_AUDIENCE: 'https://jobs.example.com',
  GOOGLE_CLOUD_PROJECT: 'earshot-project',
};

const problemsOf = (read: () => Settings): readonly string[] => {
  try {
    read();
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
  return [];
};

describe('settings', () => {
  it('has a working default for everything on one machine', () => {
    expect(readSettings({}, 'local')).toStrictEqual({
      port: 8080,
      host: '127.0.0.1',
      dataDir: 'data',
      elevenlabsApiKey: null,
      elevenlabsBaseUrl: 'https://api.elevenlabs.io/v1',
      elevenlabsAgentId: 'agent_local',
      elevenlabsPhoneNumberId: 'phnum_local',
      elevenlabsTelephony: 'twilio',
      elevenlabsWebhookSecrets: ['wsec_local'],
      ingestKeys: ['ingest_local'],
      webhookAuth: 'signature',
      authSigningKey: null,
      authPublicKeys: null,
      authIssuers: [],
      allowQueryToken: true,
      allowedOrigins: ['http://localhost:8080', 'http://127.0.0.1:8080'],
      allowedPrefixes: ['+1'],
      maxConnectionsPerUser: 1000,
      retentionDays: null,
      e2eAuthKey: null,
      publicApiUrl: null,
      publicRelayUrl: null,
      store: 'embedded',
      firestoreDatabase: 'earshot',
      firestoreSessionsDatabase: 'earshot-sessions',
      rawBucket: null,
      revision: null,
      metricsPort: null,
      jobsInvoker: null,
      jobsAudience: null,
      jobsBehindIam: false,
      eventsTopic: 'earshot-events',
      googleCloudProject: null,
      sentryDsn: null,
      simulatedPace: 1,
      logLevel: 'info',
    } satisfies Settings);
  });

  it('names everything that a deployed function lacks, at once', () => {
    const problems = problemsOf(() => readSettings({}, 'deployed'));
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'ELEVENLABS_API_KEY',
      'ELEVENLABS_AGENT_ID',
      'ELEVENLABS_WEBHOOK_SECRETS',
      'INGEST_KEY',
      'AUTH_SIGNING_KEY',
      'RAW_BUCKET',
      'JOBS_INVOKER',
      'JOBS_AUDIENCE',
      'GOOGLE_CLOUD_PROJECT',
    ]);
  });

  it.each([
    ['webhooks', ['ELEVENLABS_API_KEY', 'ELEVENLABS_WEBHOOK_SECRETS', 'INGEST_KEY', 'RAW_BUCKET', 'GOOGLE_CLOUD_PROJECT']],
    ['api', ['ELEVENLABS_API_KEY', 'ELEVENLABS_AGENT_ID', 'AUTH_SIGNING_KEY', 'RAW_BUCKET', 'GOOGLE_CLOUD_PROJECT']],
    ['jobs', ['ELEVENLABS_API_KEY', 'RAW_BUCKET', 'JOBS_INVOKER', 'JOBS_AUDIENCE', 'GOOGLE_CLOUD_PROJECT']],
    ['relay', ['AUTH_PUBLIC_KEYS', 'GOOGLE_CLOUD_PROJECT']],
  ] as const)('asks a deployed %s only for its own', (unit, expected) => {
    expect(problemsOf(() => readSettings({}, 'deployed', unit)).map((problem) => problem.split(' ')[0])).toEqual(expected);
  });

  it('asks for nothing of the cloud where everything lies in a folder', () => {
    expect(problemsOf(() => readSettings({ STORE: 'embedded' }, 'deployed', 'jobs')).map((problem) => problem.split(' ')[0])).toEqual(['ELEVENLABS_API_KEY']);
  });

  it.each(Object.values(SETTINGS) as SettingRow<unknown>[])('$name is used by those that need it', ({ neededBy, usedBy }) => {
    expect(usedBy).toEqual(expect.arrayContaining([...neededBy]));
  });

  it('asks a deployed relay only for the keys that verify tokens', () => {
    expect(problemsOf(() => readSettings({ STORE: 'embedded' }, 'deployed', 'relay')).map((problem) => problem.split(' ')[0])).toEqual(['AUTH_PUBLIC_KEYS']);
    expect(readSettings({ AUTH_PUBLIC_KEYS: publicSet, GOOGLE_CLOUD_PROJECT: 'p' }, 'deployed', 'relay')).toMatchObject({ authPublicKeys: publicSet, authSigningKey: null, host: '0.0.0.0', maxConnectionsPerUser: 20 });
  });

  it('takes either the signing key or the public keys', () => {
    expect(readSettings(deployed, 'deployed').authSigningKey).toBe(pem.trim());
    expect(readSettings({ ...deployed, AUTH_SIGNING_KEY: '', AUTH_PUBLIC_KEYS: publicSet }, 'deployed').authSigningKey).toBeNull();
  });

  it('asks a relay for no public keys where it has the signing key', () => {
    expect(readSettings({ AUTH_SIGNING_KEY: pem, GOOGLE_CLOUD_PROJECT: 'p' }, 'deployed', 'relay').authSigningKey).toBe(pem.trim());
  });

  it('says in one message what is wrong, one line each', () => {
    expect(() => readSettings({ PORT: 'x', LOG_LEVEL: 'y' }, 'local')).toThrow(
      expect.objectContaining({ name: 'SettingsError', message: 'The settings are not usable:\n- PORT has to be a whole number from 0 to 65535.\n- LOG_LEVEL has to be debug or info or warn or error or silent.' }) as Error,
    );
  });

  it('opens a deployment to no pages of its own', () => {
    expect(readSettings(deployed, 'deployed').allowedOrigins).toEqual([]);
  });

  it('names all else that is missing where webhooks are unsigned or tokens are signed elsewhere', () => {
    const names = (env: Record<string, string>): string[] => problemsOf(() => readSettings({ STORE: 'embedded', ...env }, 'deployed')).map((problem) => problem.split(' ')[0] ?? '');
    expect(names({ WEBHOOK_AUTH: 'none' })).toEqual(['ELEVENLABS_API_KEY', 'ELEVENLABS_AGENT_ID', 'INGEST_KEY', 'AUTH_SIGNING_KEY']);
    expect(names({ AUTH_PUBLIC_KEYS: publicSet })).toEqual(['ELEVENLABS_API_KEY', 'ELEVENLABS_AGENT_ID', 'ELEVENLABS_WEBHOOK_SECRETS', 'INGEST_KEY']);
  });

  it('asks for no webhook secret where nobody signs', () => {
    expect(readSettings({ ...deployed, ELEVENLABS_WEBHOOK_SECRETS: ' ', WEBHOOK_AUTH: 'none' }, 'deployed')).toMatchObject({ webhookAuth: 'none', elevenlabsWebhookSecrets: [] });
  });

  const good: readonly (readonly [string, string, Partial<Settings>])[] = [
    ['PORT', '0', { port: 0, allowedOrigins: ['http://localhost:0', 'http://127.0.0.1:0'] }],
    ['PORT', ' 9000 ', { port: 9000 }],
    ['PORT', '  ', { port: 8080 }],
    ['ELEVENLABS_BASE_URL', 'http://127.0.0.1:9999/v1/', { elevenlabsBaseUrl: 'http://127.0.0.1:9999/v1' }],
    ['ELEVENLABS_TELEPHONY', 'sip_trunk', { elevenlabsTelephony: 'sip_trunk' }],
    ['ELEVENLABS_WEBHOOK_SECRETS', 'wsec_newer, wsec_older,', { elevenlabsWebhookSecrets: ['wsec_newer', 'wsec_older'] }],
    ['AUTH_SIGNING_KEY', privateJwk, { authSigningKey: privateJwk }],
    ['AUTH_SIGNING_KEY', pem.replaceAll('\n', '\\n'), { authSigningKey: pem.trim() }],
    ['ALLOW_QUERY_TOKEN', 'off', { allowQueryToken: false }],
    ['ALLOW_QUERY_TOKEN', '1', { allowQueryToken: true }],
    ['ALLOWED_ORIGINS', 'https://desk.example.com', { allowedOrigins: ['http://localhost:8080', 'http://127.0.0.1:8080', 'https://desk.example.com'] }],
    ...['on', 'true', '1'].map((word) => ['ALLOW_QUERY_TOKEN', word, { allowQueryToken: true }] as const),
    ...['off', 'false', '0'].map((word) => ['ALLOW_QUERY_TOKEN', word, { allowQueryToken: false }] as const),
    ['ALLOWED_ORIGINS', 'http://desk.example.com:65535,http://[fe80::1]:80', { allowedOrigins: ['http://localhost:8080', 'http://127.0.0.1:8080', 'http://desk.example.com:65535', 'http://[fe80::1]:80'] }],
    ...['ws', 'wss', 'http', 'https'].map((scheme) => ['PUBLIC_RELAY_URL', `${scheme}://relay.example.com/a//`, { publicRelayUrl: `${scheme}://relay.example.com/a` }] as const),
    ['PUBLIC_API_URL', 'https://api.example.com//', { publicApiUrl: 'https://api.example.com' }],
    ['STORE', 'google', { store: 'google' }],
    ['METRICS_PORT', '9091', { metricsPort: 9091 }],
    ['JOBS_AUDIENCE', 'https://jobs.example.com/', { jobsAudience: 'https://jobs.example.com' }],
    ['JOBS_INVOKER', 'scheduler@earshot.iam.gserviceaccount.com', { jobsInvoker: 'scheduler@earshot.iam.gserviceaccount.com' }],
    ['SIMULATED_PACE', '3', { simulatedPace: 3 }],
    ['SIMULATED_PACE', '0.25', { simulatedPace: 0.25 }],
    ['AUTH_SIGNING_KEY', ` \\n${pem}\\n `, { authSigningKey: pem.trim() }],
    [
      'AUTH_ISSUERS',
      '[{"issuer":"https://id.example.com","jwks_url":"http://127.0.0.1:9/keys","audience":"earshot","tenant_claim":"org","roles_claim":"groups"}]',
      { authIssuers: [{ issuer: 'https://id.example.com', jwks_url: 'http://127.0.0.1:9/keys', audience: 'earshot', tenant_claim: 'org', roles_claim: 'groups' }] },
    ],
    ['ALLOWED_PREFIXES', '+1,+4930', { allowedPrefixes: ['+1', '+4930'] }],
    ['RETENTION_DAYS', '30', { retentionDays: 30 }],
    ['E2E_OAUTH_SIMULATION_KEY', 'simulate-me', { e2eAuthKey: 'simulate-me' }],
    ['PUBLIC_RELAY_URL', 'wss://relay.example.com/', { publicRelayUrl: 'wss://relay.example.com' }],
    ['SIMULATED_PACE', '12.5', { simulatedPace: 12.5 }],
    [
      'AUTH_ISSUERS',
      '[{"issuer":"https://id.example.com","jwks_url":"https://id.example.com/keys","audience":"earshot"}]',
      { authIssuers: [{ issuer: 'https://id.example.com', jwks_url: 'https://id.example.com/keys', audience: 'earshot', tenant_claim: 'tenant', roles_claim: 'roles' }] },
    ],
  ];
  it.each(good)('reads %s=%s', (name, value, expected) => {
    expect(readSettings({ [name]: value }, 'local')).toMatchObject(expected);
  });

  const bad: readonly (readonly [string, string])[] = [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '80a'],
    ['ELEVENLABS_API_KEY', 'has space in it'],
    ['ELEVENLABS_BASE_URL', 'ftp://example.com'],
    ['ELEVENLABS_TELEPHONY', 'carrier pigeon'],
    ['ELEVENLABS_WEBHOOK_SECRETS', ',,'],
    ['ELEVENLABS_WEBHOOK_SECRETS', 'wsec_good1,short'],
    ['INGEST_KEY', 'short'],
    ['WEBHOOK_AUTH', 'maybe'],
    ['AUTH_SIGNING_KEY', 'canary-private-key'],
    ['AUTH_SIGNING_KEY', publicSet],
    ['AUTH_PUBLIC_KEYS', '{"keys":[]}'],
    ['AUTH_PUBLIC_KEYS', `{"keys":[${privateJwk}]}`],
    ['AUTH_ISSUERS', '{"not":"a list"}'],
    ['AUTH_ISSUERS', '[{"issuer":"https://id.example.com","jwks_url":"http://id.example.com/keys","audience":"earshot"}]'],
    ['AUTH_ISSUERS', '[{"issuer":"earshot","jwks_url":"https://id.example.com/keys","audience":"earshot"}]'],
    ...['http://id.example.com/https://keys', 'http://127.0.0.1.example.com/keys', 'http://id.example.com?http://localhost/', 'ftp://id.example.com/https:'].map(
      (url) => ['AUTH_ISSUERS', `[{"issuer":"https://id.example.com","jwks_url":"${url}","audience":"earshot"}]`] as const,
    ),
    ['AUTH_ISSUERS', '[{"issuer":"","jwks_url":"https://id.example.com/keys","audience":"earshot"}]'],
    ['AUTH_ISSUERS', '[{"issuer":"https://id.example.com","jwks_url":"https://id.example.com/keys","audience":""}]'],
    ['AUTH_ISSUERS', 'no JSON'],
    ['AUTH_SIGNING_KEY', `canary ${pem}`],
    ['AUTH_SIGNING_KEY', `${pem} canary`],
    ['ALLOW_QUERY_TOKEN', 'perhaps'],
    ...['xhttps://desk.example.com', 'https://desk.example.com:x', 'https://desk.example.com:123456', 'https://[::x]', 'https://desk.example.com/', 'wss://desk.example.com'].map((origin) => ['ALLOWED_ORIGINS', origin] as const),
    ...['xws://relay.example.com', 'wsx://relay.example.com', 'ftp://relay.example.com'].map((url) => ['PUBLIC_RELAY_URL', url] as const),
    ...['xhttp://api.example.com', 'httpx://api.example.com', 'wss://api.example.com'].map((url) => ['PUBLIC_API_URL', url] as const),
    ...['two words', 'two words_of_eight'].map((key) => ['INGEST_KEY', key] as const),
    ['PORT', 'p80'],
    ['ALLOWED_PREFIXES', 'tel:+1'],
    ['ALLOWED_PREFIXES', '+1-'],
    ...['x1', '1x', '1.', '.5'].map((pace) => ['SIMULATED_PACE', pace] as const),
    ['ALLOWED_ORIGINS', 'https://desk.example.com/path'],
    ['ALLOWED_ORIGINS', '*'],
    ['ALLOWED_PREFIXES', '1'],
    ['MAX_CONNECTIONS_PER_USER', '0'],
    ['RETENTION_DAYS', '0'],
    ['E2E_AUTH_KEY', 'short'],
    ['PUBLIC_API_URL', 'example.com'],
    ['EVENTS_TOPIC', 'two words'],
    ['STORE', 'paper'],
    ['RAW_BUCKET', 'two words'],
    ['METRICS_PORT', '0'],
    ['JOBS_INVOKER', 'nobody'],
    ['JOBS_AUDIENCE', 'jobs'],
    ['SENTRY_DSN', 'nowhere'],
    ['SIMULATED_PACE', 'fast'],
    ['LOG_LEVEL', 'loud'],
  ];
  it.each(bad)('refuses %s=%s by its name, without repeating the value', (name, value) => {
    const problems = problemsOf(() => readSettings({ [name]: value }, 'local'));
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} has to be `));
    if (value.length > 3) expect(problems[0]).not.toContain(value);
  });

  it.each([
    [{ WEBHOOK_AUTH: 'none' }, 'WEBHOOK_AUTH=none'],
    [{ E2E_AUTH_KEY: 'canary-e2e-key' }, 'E2E_AUTH_KEY'],
    [{ E2E_OAUTH_SIMULATION_KEY: 'canary-e2e-key' }, 'E2E_AUTH_KEY'],
  ])('refuses %o in production', (env, begins) => {
    const problems = problemsOf(() => readSettings({ ...deployed, ...env, NODE_ENV: 'production' }, 'deployed'));
    expect(problems).toHaveLength(1);
    expect(problems[0]?.startsWith(begins)).toBe(true);
    expect(problems[0]).not.toContain('canary');
    expect(problemsOf(() => readSettings({ ...deployed, ...env, NODE_ENV: 'staging' }, 'deployed'))).toEqual([]);
  });

  it('tells of every problem in one error', () => {
    expect(problemsOf(() => readSettings({ PORT: 'x', LOG_LEVEL: 'y', INGEST_KEY: 'z', STORE: 'embedded' }, 'deployed')).map((problem) => problem.split(' ')[0])).toEqual([
      'PORT',
      'INGEST_KEY',
      'LOG_LEVEL',
      'ELEVENLABS_API_KEY',
      'ELEVENLABS_AGENT_ID',
      'ELEVENLABS_WEBHOOK_SECRETS',
      'AUTH_SIGNING_KEY',
    ]);
  });

  it('prints its page', () => {
    const shown = (value: unknown): string => {
      if (typeof value === 'boolean') return value ? '`on`' : '`off`';
      const text = Array.isArray(value) ? value.join(',') : typeof value === 'number' || typeof value === 'string' ? String(value) : '';
      return text === '' ? '-' : `\`${text}\``;
    };
    const rows = (Object.values(SETTINGS) as SettingRow<unknown>[]).map((row) => [
      `\`${row.name}\`${row.alsoNamed === undefined ? '' : ` (also \`${row.alsoNamed}\`)`}`,
      row.form.words,
      shown(row.local),
      row.neededBy.length > 0 ? `needed by ${row.neededBy.join(', ')}` : shown(row.deployed),
      row.usedBy.length === UNITS.length ? 'all' : row.usedBy.join(', '),
      row.secret ? 'yes' : '',
      row.meaning,
    ]);
    const table = markdownTable(['name', 'takes', 'on one machine', 'deployed', 'given to', 'secret', 'meaning'], rows);
    expectPage(
      'settings.md',
      `# Settings\n\nRead once from the environment at start; a blank value is the same as none. Everything that is wrong is named at once. Printed from \`core/settings-table.ts\`.\n\nA deployed function may have \`AUTH_PUBLIC_KEYS\` instead of \`AUTH_SIGNING_KEY\` if it signs no tokens, a relay either of them; with \`WEBHOOK_AUTH=none\` no webhook secret is needed.\n\n${table}`,
    );
  });
});
