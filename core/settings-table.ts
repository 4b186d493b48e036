/**
 * The table of settings: one row each, from which `readSettings` reads and `docs/generated/settings.md` is printed.
 * A row's `form` is the sentence that a person reads when the value is wrong; values themselves are never repeated.
 */
import { z } from 'zod';
import { CONNECTIONS_PER_USER_MAX_COUNT, LOCAL_CONNECTIONS_PER_USER_MAX_COUNT } from './protocol/limits.ts';
import type { IssuerSetting, Settings, Unit } from './settings.ts';

/** How a text becomes a value, and in words what text is taken. */
interface Form<T> {
  readonly words: string;
  readonly schema: z.ZodType<T, string>;
}

export interface SettingRow<T> {
  /** Name in the environment. */
  readonly name: string;
  /** A name that older set-ups use for the same. */
  readonly alsoNamed?: string;
  readonly form: Form<T>;
  /** Value on one machine where the environment has none. */
  readonly local: T;
  /** Value in a deployment where the environment has none. */
  readonly deployed: T;
  /** A deployed process of these units does not start without it. */
  readonly neededBy: readonly Unit[];
  /** The units that a deployment may give it to: a secret reaches no other process. */
  readonly usedBy: readonly Unit[];
  /** Needed only where log, bus and raw store are Google's. */
  readonly googleOnly?: true;
  readonly secret: boolean;
  readonly meaning: string;
}

const ORIGIN = /^https?:\/\/(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?$/;
const listOf = (text: string): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '');

const jsonIn = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

const WebUrl = z.url({ protocol: /^https?$/ });
/** Keys come over TLS, except from this machine itself. */
const JwksUrl = WebUrl.refine((url) => /^https:|^http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/]/.test(url));

const Issuers: z.ZodType<readonly IssuerSetting[]> = z.array(
  z.strictObject({
    issuer: z.string().min(1).refine((issuer) => issuer !== 'earshot'),
    jwks_url: JwksUrl,
    audience: z.string().min(1),
    tenant_claim: z.string().min(1).default('tenant'),
    roles_claim: z.string().min(1).default('roles'),
  }),
);
const PublicKeySet = z.object({ keys: z.array(z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.undefined().optional() })).min(1) });
const PrivateKey = z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: z.string(), d: z.string() });

const text: Form<string> = { words: 'text', schema: z.string() };
const name: Form<string> = { words: 'a name of letters, digits, `.`, `_`, `~`, `+`, `%` and `-`', schema: z.string().regex(/^[A-Za-z0-9._~+%-]{1,255}$/) };
const key: Form<string> = { words: 'at least 8 characters without spaces', schema: z.string().regex(/^\S{8,}$/) };
const webUrl: Form<string> = { words: 'a URL that begins with http:// or https://', schema: WebUrl.transform((url) => url.replace(/\/+$/, '')) };
const relayUrl: Form<string> = {
  words: 'a URL that begins with ws://, wss://, http:// or https://',
  schema: z.url({ protocol: /^(https?|wss?)$/ }).transform((url) => url.replace(/\/+$/, '')),
};
const wholeNumber = (least: number, most: number): Form<number> => ({
  words: `a whole number from ${least} to ${most}`,
  schema: z.string().regex(/^\d{1,9}$/).transform(Number).pipe(z.number().min(least).max(most)),
});
const oneOf = <const T extends string>(...words: T[]): Form<T> => ({ words: words.join(' or '), schema: z.enum(words) });
const yesOrNo: Form<boolean> = { words: 'on or off', schema: z.enum(['on', 'off', 'true', 'false', '1', '0']).transform((word) => ['on', 'true', '1'].includes(word)) };
const list = (words: string, entry: z.ZodType<string, string>): Form<readonly string[]> => ({
  words: `${words}, comma-separated`,
  schema: z.string().transform(listOf).pipe(z.array(entry).min(1)),
});
const signingKey: Form<string> = {
  words: 'an Ed25519 private key as PKCS#8 PEM (line ends may be written \\n) or as JWK',
  schema: z
    .string()
    .transform((value) => value.replaceAll('\\n', '\n').trim())
    .refine((value) => /^-----BEGIN PRIVATE KEY-----\n[\s\S]+\n-----END PRIVATE KEY-----$/.test(value) || PrivateKey.safeParse(jsonIn(value)).success),
};
const publicKeys: Form<string> = { words: 'a JWK set of Ed25519 public keys', schema: z.string().refine((value) => PublicKeySet.safeParse(jsonIn(value)).success) };
const issuers: Form<readonly IssuerSetting[]> = {
  words: 'a JSON list of {issuer, jwks_url, audience, tenant_claim?, roles_claim?}, each jwks_url https',
  schema: z.string().transform(jsonIn).pipe(Issuers),
};
/** null is a value of its own: the setting is not there. */
const orNull = <T>(form: Form<T>): Form<T | null> => form;

const email: Form<string> = { words: 'an e-mail address', schema: z.email() };

const FUNCTIONS = ['webhooks', 'api', 'jobs'] as const;
const EVERY_UNIT = [...FUNCTIONS, 'relay'] as const;

const plain = { neededBy: [], secret: false } as const;
/** Of one machine alone: a deployment gives it to nobody. */
const machine = { ...plain, usedBy: [] } as const;
const everywhere = { ...plain, usedBy: EVERY_UNIT } as const;

export const SETTINGS: { readonly [K in keyof Settings]: SettingRow<Settings[K]> } = {
  port: { ...machine, name: 'PORT', form: wholeNumber(0, 65_535), local: 8080, deployed: 8080, meaning: 'Port to listen on; 0 takes a free one.' },
  host: { ...machine, name: 'HOST', form: text, local: '127.0.0.1', deployed: '0.0.0.0', meaning: 'Address to listen on.' },
  dataDir: { ...machine, name: 'DATA_DIR', form: text, local: 'data', deployed: 'data', meaning: 'Folder of the embedded log and directory (one machine only).' },
  elevenlabsApiKey: { name: 'ELEVENLABS_API_KEY', form: orNull(key), local: null, deployed: null, neededBy: FUNCTIONS, usedBy: FUNCTIONS, secret: true, meaning: 'Key of the ElevenLabs workspace. Without it one machine runs the simulated ElevenLabs.' },
  elevenlabsBaseUrl: { ...plain, usedBy: FUNCTIONS, name: 'ELEVENLABS_BASE_URL', form: webUrl, local: 'https://api.elevenlabs.io/v1', deployed: 'https://api.elevenlabs.io/v1', meaning: 'Where the ElevenLabs API is.' },
  elevenlabsAgentId: { name: 'ELEVENLABS_AGENT_ID', form: name, local: 'agent_local', deployed: '', neededBy: ['api'], usedBy: ['api'], secret: false, meaning: 'Agent of a call that names none.' },
  elevenlabsPhoneNumberId: { ...plain, usedBy: ['api'], name: 'ELEVENLABS_PHONE_NUMBER_ID', form: orNull(name), local: 'phnum_local', deployed: null, meaning: "ElevenLabs' id of the number that is called from; nothing can be dialled without it." },
  elevenlabsTelephony: { ...plain, usedBy: ['api'], name: 'ELEVENLABS_TELEPHONY', form: oneOf('twilio', 'sip_trunk'), local: 'twilio', deployed: 'twilio', meaning: 'How that number is connected at ElevenLabs.' },
  elevenlabsWebhookSecrets: { name: 'ELEVENLABS_WEBHOOK_SECRETS', form: list('signing secrets as ElevenLabs shows them (`wsec_` included), newest first', key.schema), local: ['wsec_local'], deployed: [], neededBy: ['webhooks'], usedBy: ['webhooks'], secret: true, meaning: 'Secrets that sign the webhooks. List two while one replaces the other.' },
  ingestKeys: { name: 'INGEST_KEY', form: list('keys of at least 8 characters without spaces, newest first', key.schema), local: ['ingest_local'], deployed: [], neededBy: ['webhooks'], usedBy: ['webhooks'], secret: true, meaning: 'Bearer key for live turns and agent events. List two while one replaces the other.' },
  webhookAuth: { ...machine, name: 'WEBHOOK_AUTH', form: oneOf('signature', 'none'), local: 'signature', deployed: 'signature', meaning: '`none` takes unsigned webhooks, for local trials only; refused when NODE_ENV=production.' },
  authSigningKey: { name: 'AUTH_SIGNING_KEY', form: orNull(signingKey), local: null, deployed: null, neededBy: ['api'], usedBy: ['api'], secret: true, meaning: 'Key that signs access tokens. Without it one machine makes one and keeps it in DATA_DIR.' },
  authPublicKeys: { ...plain, name: 'AUTH_PUBLIC_KEYS', form: orNull(publicKeys), local: null, deployed: null, neededBy: ['relay'], usedBy: ['api', 'relay'], meaning: 'Keys that verify access tokens; derived from AUTH_SIGNING_KEY where that is set and this is not. List two while one replaces the other.' },
  authIssuers: { ...plain, usedBy: ['api', 'relay'], name: 'AUTH_ISSUERS', form: issuers, local: [], deployed: [], meaning: 'Outside identity providers whose tokens are taken too.' },
  allowQueryToken: { ...plain, usedBy: ['relay'], name: 'ALLOW_QUERY_TOKEN', form: yesOrNo, local: true, deployed: true, meaning: 'Whether a WebSocket may bring its token in the query (`?token=`), as older clients do.' },
  allowedOrigins: { ...plain, usedBy: ['api', 'relay'], name: 'ALLOWED_ORIGINS', form: list('origins such as https://desk.example.com', z.string().regex(ORIGIN)), local: [], deployed: [], meaning: 'Browser pages that may call the API and open sockets. One machine adds its own two, `http://localhost:<PORT>` and `http://127.0.0.1:<PORT>`.' },
  allowedPrefixes: { ...plain, usedBy: ['api'], name: 'ALLOWED_PREFIXES', form: list('beginnings of phone numbers such as +1 or +4930', z.string().regex(/^\+\d{1,15}$/)), local: ['+1'], deployed: ['+1'], meaning: 'Numbers that may be dialled begin with one of these.' },
  maxConnectionsPerUser: { ...plain, usedBy: ['relay'], name: 'MAX_CONNECTIONS_PER_USER', form: wholeNumber(1, 100_000), local: LOCAL_CONNECTIONS_PER_USER_MAX_COUNT, deployed: CONNECTIONS_PER_USER_MAX_COUNT, meaning: "One user's sockets in one relay." },
  retentionDays: { ...plain, usedBy: ['jobs'], name: 'RETENTION_DAYS', form: orNull(wholeNumber(1, 36_500)), local: null, deployed: null, meaning: 'Calls older than this are removed whole; without it nothing is.' },
  e2eAuthKey: { ...plain, usedBy: ['api'], name: 'E2E_AUTH_KEY', alsoNamed: 'E2E_OAUTH_SIMULATION_KEY', form: orNull(key), local: null, deployed: null, secret: true, meaning: 'Opens `POST /auth/simulate` for tests; refused when NODE_ENV=production.' },
  publicApiUrl: { ...plain, usedBy: ['api'], name: 'PUBLIC_API_URL', form: orNull(webUrl), local: null, deployed: null, meaning: 'Where clients find the API, as `GET /discovery` says; without it, where it was asked.' },
  publicRelayUrl: { ...plain, usedBy: ['api'], name: 'PUBLIC_RELAY_URL', form: orNull(relayUrl), local: null, deployed: null, meaning: 'Where clients find the relay; without it, where the API is.' },
  store: { ...everywhere, name: 'STORE', form: oneOf('embedded', 'google'), local: 'embedded', deployed: 'google', meaning: '`embedded` keeps everything in DATA_DIR; `google` in Firestore and Cloud Storage, with Pub/Sub as the bus.' },
  firestoreDatabase: { ...everywhere, name: 'FIRESTORE_DATABASE', form: name, local: 'earshot', deployed: 'earshot', meaning: 'Firestore database of log and directory.' },
  firestoreSessionsDatabase: { ...everywhere, name: 'FIRESTORE_SESSIONS_DATABASE', form: name, local: 'earshot-sessions', deployed: 'earshot-sessions', meaning: 'Firestore database of what a relay may write: tickets, ended sign-ins, leases, watermarks.' },
  rawBucket: { name: 'RAW_BUCKET', form: orNull(name), local: null, deployed: null, neededBy: FUNCTIONS, usedBy: FUNCTIONS, googleOnly: true, secret: false, meaning: 'Bucket of the raw deliveries.' },
  metricsPort: { ...plain, usedBy: ['relay'], name: 'METRICS_PORT', form: orNull(wholeNumber(1, 65_535)), local: null, deployed: null, meaning: 'Port on 127.0.0.1 at which a relay answers `GET /metrics` without a token, for a collector beside it; without it there is none.' },
  revision: { ...machine, name: 'K_REVISION', form: orNull(name), local: null, deployed: null, meaning: 'Revision that this process is of, as Cloud Run itself sets it: a relay asks its sessions to move when another one is named as serving.' },
  jobsInvoker: { name: 'JOBS_INVOKER', form: orNull(email), local: null, deployed: null, neededBy: ['jobs'], usedBy: ['jobs'], googleOnly: true, secret: false, meaning: "Service account whose identity token may run the jobs: the scheduler's." },
  jobsAudience: { name: 'JOBS_AUDIENCE', form: orNull(webUrl), local: null, deployed: null, neededBy: ['jobs'], usedBy: ['jobs'], googleOnly: true, secret: false, meaning: "Audience of that token: the URL of `jobs`." },
  jobsBehindIam: { ...plain, usedBy: ['jobs'], name: 'JOBS_BEHIND_IAM', form: yesOrNo, local: false, deployed: false, meaning: 'Whether IAM lets nobody else reach `jobs`. Cloud Run then hands the token on without its signature, and it is taken so.' },
  eventsTopic: { ...everywhere, name: 'EVENTS_TOPIC', form: name, local: 'earshot-events', deployed: 'earshot-events', meaning: 'Pub/Sub topic that tells the relays of new events.' },
  googleCloudProject: { ...everywhere, neededBy: EVERY_UNIT, googleOnly: true, name: 'GOOGLE_CLOUD_PROJECT', form: orNull(name), local: null, deployed: null, meaning: 'Project of Firestore, Pub/Sub and the raw bucket.' },
  sentryDsn: { ...everywhere, name: 'SENTRY_DSN', form: orNull(webUrl), local: null, deployed: null, secret: true, meaning: 'Where faults are reported; without it nowhere.' },
  simulatedPace: { ...machine, name: 'SIMULATED_PACE', form: { words: 'a number from 0.1 to 1000', schema: z.string().regex(/^\d+(\.\d+)?$/).transform(Number).pipe(z.number().min(0.1).max(1000)) }, local: 1, deployed: 1, meaning: 'Speed of the simulated ElevenLabs: 1 talks as people do, 10 ten times as fast.' },
  logLevel: { ...everywhere, name: 'LOG_LEVEL', form: oneOf('debug', 'info', 'warn', 'error', 'silent'), local: 'info', deployed: 'info', meaning: 'Log entries below this level are dropped.' },
};
