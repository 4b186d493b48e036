/**
 * The way of a deployment: what is changed in which order, and for each step what to do when it stops there. Every step may be done
 * again: one that was done finds nothing to do.
 */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../cli/exit-codes.ts';
import { archive } from './deploy-archive.ts';
import { hasValue } from './deploy-checks.ts';
import { buildImage, imageOf } from './deploy-image.ts';
import { textOf, type DeploySettings } from './deploy-settings.ts';
import { terraform, type Outputs } from './deploy-terraform.ts';
import { only, SIGN_IN, type Tools } from './deploy-tools.ts';

/** The version that the configuration of firebase.json was written for. */
const FIREBASE_TOOLS = 'firebase-tools@15.34.2';
export const ARCHIVE = 'functions/dist/functions.zip';
const DASHBOARD = 'client/dist';

export interface Step {
  readonly name: string;
  /** Where things stand, and what to do, when it fails. */
  readonly stopped: string;
  run(): Promise<void>;
}

export interface DeployParts {
  readonly root: string;
  readonly settings: DeploySettings;
  readonly tools: Tools;
  readonly plan: boolean;
  readonly agreed: boolean;
  /** Secrets that get a new version from the environment although they have one. */
  readonly renewed: readonly string[];
}

/** Everything, from the source to the open sockets. */
export const deploySteps = (parts: DeployParts): readonly Step[] => {
  const { root, settings, tools, plan, renewed } = parts;
  const terra = terraform(tools, { settings, archive: `../${ARCHIVE}`, plan, agreed: parts.agreed });
  let image = '';
  let outputs: Outputs | null = null;
  const nothing = 'Nothing of the deployment was changed.';
  return [
    {
      name: 'Build',
      stopped: nothing,
      run: async () => {
        await tools.show({ program: 'npm', args: ['run', '--silent', 'build'] });
        tools.say(`${ARCHIVE}: ${packFunctions(root)} files`);
        image = imageOf(root, settings);
      },
    },
    {
      name: "Terraform's state",
      stopped: nothing,
      run: async () => {
        await terra.init();
        outputs = await terra.outputs();
        const { repository } = outputs;
        if (repository !== null && repository.split('/')[1] !== settings.project) {
          throw new CliError('wrong_project', `The state of ${settings.environment} is of another project than ${settings.project}: ${repository}. Look at TF_VAR_project and TF_STATE_BUCKET.`, 'usage');
        }
      },
    },
    {
      name: "Foundation: Google's services, the repository of images, secrets without values",
      stopped: 'What serves now goes on. A service that was switched on a moment ago may need a minute.',
      run: async () => {
        await terra.applyFoundation();
        if (!plan) outputs = await terra.outputs();
      },
    },
    {
      name: 'Values of the secrets',
      stopped: 'What serves now goes on, with the versions that it has.',
      run: () => fillSecrets(parts, outputs?.secrets ?? []),
    },
    {
      name: "The relay's image",
      stopped: 'What serves now goes on. An account that was made a moment ago may need a minute for its rights. The log of the build: gcloud builds list',
      run: () => buildImage(tools, root, settings, image),
    },
    {
      name: 'Everything',
      stopped: 'Terraform has kept what it changed; units that it did not reach serve as before, and sockets have not moved.',
      run: async () => {
        await terra.applyAll(image);
        if (!plan) outputs = await terra.outputs();
      },
    },
    {
      name: 'Sockets move to the serving revision',
      stopped: 'Functions and relay are the new ones; sockets that were open stay where they are, which loses nothing, until this is done.',
      run: () => nameServing(parts, outputs?.relayRevision ?? null, outputs?.logDatabase ?? null),
    },
    { name: 'The dashboard', stopped: 'All else is the new one; people see the dashboard that was there.', run: () => releaseDashboard(parts, outputs) },
    { name: 'Doctor', stopped: renewed.length > 0 ? SECRETS_STAND : ALL_STANDS, run: () => askDoctor(parts, outputs?.apiUrl ?? null, outputs?.webhookUrl ?? null) },
  ];
};

const ALL_STANDS = 'Everything was deployed, and is not well. The way back: docs/operations.md, "Roll back". At the very first deployment nobody can sign in yet: docs/operations.md, "The first deployment".';
const SECRETS_STAND = 'Everything was deployed with the new secrets, and is not well. The way back: docs/operations.md, "Rotate a secret".';

/** Traffic, and with the relay the open sockets, to a revision that was made before. Nothing else is changed. */
export const revisionSteps = (parts: DeployParts, revision: string): readonly Step[] => {
  const { settings, tools } = parts;
  const { project, region } = settings;
  const service = serviceOf(revision);
  const place = [`--region=${region}`, `--project=${project}`];
  return [
    {
      name: `Traffic to ${revision}`,
      stopped: 'What served before goes on.',
      run: async () => {
        const found = await tools.ask({ program: 'gcloud', args: ['run', 'revisions', 'describe', revision, ...place, '--format=value(metadata.name)'] });
        if (found.code !== 0) throw new CliError('revision_not_found', `There is no revision ${revision}: gcloud run revisions list --service=${service} ${place.join(' ')}`, 'not_found');
        await tools.change({ program: 'gcloud', args: ['run', 'services', 'update-traffic', service, `--to-revisions=${revision}=100`, ...place, '--quiet'] });
      },
    },
    ...(service === RELAY ? [{ name: 'Sockets move to it', stopped: 'New sockets go to it; those that were open stay where they are, which loses nothing, until this is done.', run: () => nameServing(parts, revision, null) }] : []),
    {
      name: 'Doctor',
      stopped: 'The revision serves, and is not well.',
      run: async () => askDoctor(parts, await urlOf(parts, 'earshot-api'), await urlOf(parts, 'earshot-webhooks')),
    },
  ];
};

const RELAY = 'earshot-relay';
/** Cloud Run names revisions <service>-<five digits>-<three letters>. */
const REVISION = /^(earshot-(?:webhooks|api|jobs|relay))-\d{5}-[a-z0-9]{3}$/;

/** @throws CliError `invalid_usage` where it is no revision of ours */
export const serviceOf = (revision: string): string => {
  const [, service] = REVISION.exec(revision) ?? [];
  if (service === undefined) throw new CliError('invalid_usage', 'A revision is named like earshot-relay-00012-abc: of earshot-webhooks, earshot-api, earshot-jobs or earshot-relay.', 'usage');
  return service;
};

const urlOf = async ({ tools, settings: { project, region } }: DeployParts, service: string): Promise<string> => {
  const { code, out } = await tools.ask({ program: 'gcloud', args: ['run', 'services', 'describe', service, `--region=${region}`, `--project=${project}`, '--format=value(status.url)'] });
  if (code !== 0) throw new CliError('step_failed', `There is no service ${service} in ${project}.`, 'failed');
  return out.trim();
};

/** Answers how many files the archive holds. */
const packFunctions = (root: string): number => {
  const folder = join(root, 'functions', 'dist');
  if (!existsSync(join(folder, 'index.js')) || !existsSync(join(folder, 'package.json'))) throw new CliError('build_incomplete', 'The build has not made functions/dist/index.js and package.json.', 'failed');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => path !== join(root, ARCHIVE))
    .map((path) => ({ path: path.slice(folder.length + 1), content: readFileSync(path) }));
  writeFileSync(join(root, ARCHIVE), archive(files));
  return files.length;
};

/** Those that have none yet, and those that are to be renewed; the others are left alone. */
const fillSecrets = async ({ tools, settings: { project, env, secrets }, renewed }: DeployParts, made: readonly string[]): Promise<void> => {
  const names = made.length > 0 ? made : secrets.map((row) => row.name);
  for (const name of names) {
    const value = textOf(env, name);
    const there = await hasValue(tools, project, name);
    if (there && !renewed.includes(name)) continue;
    if (value === '') throw new CliError('secret_missing', `${name} has no value, here or in Secret Manager.`, 'usage');
    await tools.change({ program: 'gcloud', args: ['secrets', 'versions', 'add', `earshot-${name}`, '--data-file=-', `--project=${project}`], input: value });
  }
};

/** Relays of other revisions then ask their clients to move: `control/relay` in the log's database. */
const nameServing = async ({ tools, settings: { project } }: DeployParts, revision: string | null, database: string | null): Promise<void> =>
  tools.change({
    program: 'node',
    args: ['cli/main.ts', 'relay', 'serve', revision ?? '<revision>'],
    env: { STORE: 'google', GOOGLE_CLOUD_PROJECT: project, ...(database === null ? {} : { FIRESTORE_DATABASE: database }) },
  });

const releaseDashboard = async ({ root, tools, settings: { project } }: DeployParts, outputs: Outputs | null): Promise<void> => {
  if (!existsSync(join(root, DASHBOARD))) {
    tools.say(`There is no ${DASHBOARD}: nothing is released.`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'earshot-dashboard-'));
  try {
    cpSync(join(root, DASHBOARD), join(folder, DASHBOARD), { recursive: true });
    writeFileSync(join(folder, 'firebase.json'), hostingOf(outputs));
    await tools.change({ program: 'npx', args: ['--yes', FIREBASE_TOOLS, 'deploy', '--only=hosting', `--project=${project}`, '--non-interactive'], cwd: folder });
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Only what a release needs, for the site that Terraform made. */
const hostingOf = (outputs: Outputs | null): string => {
  const { hosting } = JSON.parse(outputs?.firebaseJson ?? '{}') as { readonly hosting?: object };
  const site = outputs?.dashboardUrl == null ? {} : { site: new URL(outputs.dashboardUrl).hostname.split('.')[0] };
  return JSON.stringify({ hosting: { ...hosting, ...site } });
};

const askDoctor = async ({ tools, settings: { env } }: DeployParts, apiUrl: string | null, webhookUrl: string | null): Promise<void> =>
  tools.change({
    program: 'node',
    args: ['cli/main.ts', 'doctor', `--url=${apiUrl ?? '<api_url>'}`, `--webhooks=${webhookUrl === null ? '<webhooks>' : new URL(webhookUrl).origin}`],
    secretEnv: only(env, SIGN_IN),
  });
