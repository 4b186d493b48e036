/** What a deployment has to know before it begins: from the environment, `.env.<environment>` and `infra/<environment>.tfvars`. */
import { createPublicKey, type JsonWebKeyInput, type KeyObject } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { usage } from '../cli/exit-codes.ts';
import { SETTINGS, type SettingRow } from '../core/settings-table.ts';
import type { Environment } from './deploy-tools.ts';

/** What whoever deploys has to say; the rest has defaults in `infra/variables.tf`. */
export const DEPLOY_SETTINGS = {
  TF_STATE_BUCKET: 'the bucket that keeps the state of Terraform',
  TF_VAR_project: 'the Google Cloud project of this environment, and of no other',
  TF_VAR_elevenlabs_agent_id: 'the ElevenLabs agent of a call that names none, such as agent_0123',
  TF_VAR_auth_public_keys: 'the JWK set that belongs to AUTH_SIGNING_KEY; `node scripts/signing-key.ts` makes both',
} as const;
type DeploySetting = keyof typeof DEPLOY_SETTINGS;

export interface DeploySettings {
  readonly environment: string;
  /** The person's environment over the file's. */
  readonly env: Environment;
  readonly project: string;
  readonly region: string;
  readonly stateBucket: string;
  readonly production: boolean;
  /** Settings that have to be filled in Secret Manager. */
  readonly secrets: readonly SettingRow<unknown>[];
  /** What is missing or wrong, a line each. */
  readonly problems: readonly string[];
}

/** As infra/variables.tf has it. */
const DEFAULT_REGION = 'us-central1';

/** @throws CliError `invalid_usage` for an environment that infra/ does not have */
export const readDeploySettings = (root: string, environment: string, own: Environment): DeploySettings => {
  const known = readdirSync(join(root, 'infra')).flatMap((name) => (/^([a-z]+)\.tfvars$/.exec(name)?.[1] ?? []));
  if (!known.includes(environment)) throw usage(`There is no environment ${environment}: infra/ has ${known.join(' and ')}.`);
  const file = join(root, `.env.${environment}`);
  const env = { ...(existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}), ...own };
  const fixed = tfvars(readFileSync(join(root, 'infra', `${environment}.tfvars`), 'utf8'));
  // Terraform itself takes what stands in the file before what stands in the environment.
  const variable = (name: string): string => fixed.get(name) ?? textOf(env, `TF_VAR_${name}`);
  const optional = listOf(variable('optional_secrets'));
  const secrets = (Object.values(SETTINGS) as SettingRow<unknown>[]).filter((row) => row.secret && (row.neededBy.length > 0 || optional.includes(row.name)));
  return {
    environment,
    env,
    project: variable('project'),
    region: variable('region') === '' ? DEFAULT_REGION : variable('region'),
    stateBucket: textOf(env, 'TF_STATE_BUCKET'),
    production: variable('production') === 'true',
    secrets,
    problems: [...missing(env, fixed), ...wrong(env, secrets, variable), ...(variable('node_env') === 'production' && optional.includes('E2E_AUTH_KEY') ? ['E2E_AUTH_KEY is among optional_secrets: with NODE_ENV=production the API does not start with it.'] : [])],
  };
};

/** A value of the environment, '' where there is none. */
export const textOf = (env: Environment, name: string): string => env[name]?.trim() ?? '';

/** `name = value` on a line of its own, as our files have them; lists stay as they are written. */
const tfvars = (text: string): ReadonlyMap<string, string> => new Map([...text.matchAll(/^(\w+)\s*=\s*(.+?)\s*$/gm)].map(([, name = '', value = '']) => [name, value.replace(/^"(.*)"$/, '$1')]));
const listOf = (written: string): readonly string[] => [...written.matchAll(/"([^"]*)"/g)].map(([, entry = '']) => entry);

const missing = (env: Environment, fixed: ReadonlyMap<string, string>): string[] =>
  (Object.keys(DEPLOY_SETTINGS) as DeploySetting[])
    .filter((name) => textOf(env, name) === '' && !fixed.has(name.replace('TF_VAR_', '')))
    .map((name) => `${name} is missing: ${DEPLOY_SETTINGS[name]}.`);

/** What is given but could not be used; no value is repeated. */
const wrong = (env: Environment, secrets: readonly SettingRow<unknown>[], variable: (name: string) => string): string[] => {
  const given: readonly (readonly [name: string, value: string, row: SettingRow<unknown>])[] = [
    ...secrets.map((row) => [row.name, textOf(env, row.name), row] as const),
    ['TF_VAR_auth_public_keys', variable('auth_public_keys'), SETTINGS.authPublicKeys],
    ['TF_VAR_elevenlabs_agent_id', variable('elevenlabs_agent_id'), SETTINGS.elevenlabsAgentId],
  ];
  const malformed = given.filter(([, value, row]) => value !== '' && !row.form.schema.safeParse(value).success).map(([name, , row]) => `${name} has to be ${row.form.words}.`);
  return malformed.length > 0 ? malformed : unpaired(textOf(env, 'AUTH_SIGNING_KEY'), variable('auth_public_keys'));
};

/** A relay refuses every token of a key whose public half it does not know. */
const unpaired = (signingKey: string, publicKeys: string): string[] => {
  if (signingKey === '' || publicKeys === '') return [];
  const { keys } = JSON.parse(publicKeys) as { readonly keys: readonly { readonly x: string }[] };
  const { x } = publicKeyOf(signingKey).export({ format: 'jwk' });
  return keys.some((key) => key.x === x) ? [] : ['TF_VAR_auth_public_keys does not have the public key of AUTH_SIGNING_KEY: nobody could sign in.'];
};

/** @param signingKey PKCS#8 PEM, line ends written \n or not, or JWK */
export const publicKeyOf = (signingKey: string): KeyObject =>
  createPublicKey(signingKey.startsWith('{') ? ({ key: JSON.parse(signingKey) as object, format: 'jwk' } as JsonWebKeyInput) : signingKey.replaceAll('\\n', '\n'));
