/**
 * The settings: read once, by one function that takes the environment as an argument; all errors listed together in plain words.
 */
import { SETTINGS, type SettingRow } from './settings-table.ts';

export interface Settings {
  readonly port: number;
  readonly host: string;
  readonly dataDir: string;
  readonly elevenlabsApiKey: string | null;
  readonly elevenlabsBaseUrl: string;
  /** Empty only in a deployed relay, which does not dial. */
  readonly elevenlabsAgentId: string;
  readonly elevenlabsPhoneNumberId: string | null;
  readonly elevenlabsTelephony: 'twilio' | 'sip_trunk';
  readonly elevenlabsWebhookSecrets: readonly string[];
  readonly ingestKeys: readonly string[];
  readonly webhookAuth: 'signature' | 'none';
  /** PEM (PKCS#8) or JWK text of the Ed25519 private key; null: none in this process. */
  readonly authSigningKey: string | null;
  /** JWK set text; null: derived from the signing key. */
  readonly authPublicKeys: string | null;
  readonly authIssuers: readonly IssuerSetting[];
  readonly allowQueryToken: boolean;
  readonly allowedOrigins: readonly string[];
  readonly allowedPrefixes: readonly string[];
  readonly maxConnectionsPerUser: number;
  readonly retentionDays: number | null;
  readonly e2eAuthKey: string | null;
  readonly publicApiUrl: string | null;
  readonly publicRelayUrl: string | null;
  readonly store: 'embedded' | 'google';
  /** Of log and directory. */
  readonly firestoreDatabase: string;
  /** Of tickets, ended sign-ins, leases and watermarks: what a relay may write. */
  readonly firestoreSessionsDatabase: string;
  readonly rawBucket: string | null;
  /** The revision that this process is of; null: there are none, as on one machine. */
  readonly revision: string | null;
  /** null: metrics are at `/metrics` of the relay alone. */
  readonly metricsPort: number | null;
  /** E-mail of the service account that may run the jobs; null: nobody may by an identity token. */
  readonly jobsInvoker: string | null;
  readonly jobsAudience: string | null;
  /** Whether IAM lets nobody but that service account through, so that a token whose signature it took away is still believed. */
  readonly jobsBehindIam: boolean;
  readonly eventsTopic: string;
  readonly googleCloudProject: string | null;
  readonly sentryDsn: string | null;
  readonly simulatedPace: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** An outside identity provider. */
export interface IssuerSetting {
  readonly issuer: string;
  readonly jwks_url: string;
  readonly audience: string;
  /** Names of the claims that hold tenant and roles. */
  readonly tenant_claim: string;
  readonly roles_claim: string;
}

/** What a deployment is made of: three functions, and the relay. */
export const UNITS = ['webhooks', 'api', 'jobs', 'relay'] as const;
export type Unit = (typeof UNITS)[number];

/** What kind of process reads, settings that it does not need may be missing: one unit, or all three functions. */
export type ProcessPart = Unit | 'functions';

/** All that is wrong with the settings, in one error; no value is repeated in it. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`The settings are not usable:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The settings of one process. Blank is unset. `local` has a working default for each; `deployed` names what is missing.
 * @throws SettingsError that lists every problem
 */
export const readSettings = (env: Environment, mode: 'local' | 'deployed', part: ProcessPart = 'functions'): Settings => {
  const problems: string[] = [];
  const read: Record<string, unknown> = {};
  for (const [key, row] of Object.entries(SETTINGS) as [keyof Settings, SettingRow<unknown>][]) {
    read[key] = readOne(env, mode, row, problems);
  }
  // Each row's value has the type that the table's own type demands.
  const settings = read as unknown as Settings;
  if (mode === 'deployed') problems.push(...missing(env, settings, part));
  if (textOf(env, 'NODE_ENV') === 'production') problems.push(...unfitForProduction(settings));
  if (problems.length > 0) throw new SettingsError(problems);
  return mode === 'local' ? { ...settings, allowedOrigins: withOwnOrigins(settings.allowedOrigins, settings.port) } : settings;
};

const textOf = (env: Environment, name: string): string | null => {
  const text = env[name]?.trim();
  return text === undefined || text === '' ? null : text;
};

const valueOf = (env: Environment, row: SettingRow<unknown>): string | null =>
  textOf(env, row.name) ?? (row.alsoNamed === undefined ? null : textOf(env, row.alsoNamed));

const readOne = (env: Environment, mode: 'local' | 'deployed', row: SettingRow<unknown>, problems: string[]): unknown => {
  const text = valueOf(env, row);
  if (text === null) return row[mode];
  const parsed = row.form.schema.safeParse(text);
  if (parsed.success) return parsed.data;
  problems.push(`${row.name} has to be ${row.form.words}.`);
  return row[mode];
};

/** Public keys may be derived from the signing key, and no secret is needed for webhooks that nobody signs. */
const missing = (env: Environment, settings: Settings, part: ProcessPart): string[] => {
  const problems: string[] = [];
  const units = UNITS.filter((unit) => unit === part || (part === 'functions' && unit !== 'relay'));
  for (const row of Object.values(SETTINGS) as SettingRow<unknown>[]) {
    if (!units.some((unit) => row.neededBy.includes(unit)) || valueOf(env, row) !== null) continue;
    if (row.googleOnly === true && settings.store !== 'google') continue;
    if (row === SETTINGS.elevenlabsWebhookSecrets && settings.webhookAuth === 'none') continue;
    if (row === SETTINGS.authPublicKeys && valueOf(env, SETTINGS.authSigningKey) !== null) continue;
    if (row === SETTINGS.authSigningKey && valueOf(env, SETTINGS.authPublicKeys) !== null) continue;
    problems.push(`${row.name} is missing: ${row.form.words}. ${row.meaning}`);
  }
  return problems;
};

const unfitForProduction = (settings: Settings): string[] => [
  ...(settings.webhookAuth === 'none' ? ['WEBHOOK_AUTH=none is refused when NODE_ENV=production: anybody could write.'] : []),
  ...(settings.e2eAuthKey === null ? [] : ['E2E_AUTH_KEY (or E2E_OAUTH_SIMULATION_KEY) is refused when NODE_ENV=production: it opens a sign-in without password.']),
];

/** The pages of one machine itself, before the others. */
export const withOwnOrigins = (origins: readonly string[], port: number): readonly string[] => [...new Set([`http://localhost:${port}`, `http://127.0.0.1:${port}`, ...origins])];
