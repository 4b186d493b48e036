/** What is looked at before anything is built or changed; everything that is missing is named at once. */
import { usage } from '../cli/exit-codes.ts';
import { textOf, type DeploySettings } from './deploy-settings.ts';
import type { Answer, Tools } from './deploy-tools.ts';

/** Programs, and where they come from. */
const PROGRAMS = {
  git: ['--version', 'https://git-scm.com'],
  npm: ['--version', 'it comes with Node'],
  npx: ['--version', 'it comes with Node'],
  gcloud: ['--version', 'https://cloud.google.com/sdk/docs/install'],
  terraform: ['version', 'https://developer.hashicorp.com/terraform/install, 1.5 or newer'],
} as const;
type Program = keyof typeof PROGRAMS;

const TERRAFORM_LEAST = [1, 5] as const;

export interface Asked {
  /** For a revision alone nothing is built, and Terraform is not needed. */
  readonly programs: readonly Program[];
  readonly plan: boolean;
  /** Whether whoever runs this agreed already, or can be asked. */
  readonly agreed: boolean;
  /** Secrets that get a new version from the environment. */
  readonly renewed: readonly string[];
}

/** @throws CliError `invalid_usage` with all problems */
export const check = async (tools: Tools, settings: DeploySettings, asked: Asked): Promise<void> => {
  const problems = [...settings.problems];
  const there = new Set<Program>();
  for (const program of asked.programs) {
    const answer = await tools.ask({ program, args: [PROGRAMS[program][0]] });
    if (answer.code === 0) there.add(program);
    else problems.push(`${program} is not installed: ${PROGRAMS[program][1]}.`);
    if (program === 'terraform' && answer.code === 0) problems.push(...terraformTooOld(answer.out));
  }
  if (there.has('gcloud')) problems.push(...(await signIn(tools, settings, asked)));
  if (there.has('git') && settings.production) problems.push(...(await treeClean(tools)));
  problems.push(...notRenewable(settings, asked.renewed));
  if (!asked.plan && !asked.agreed) problems.push('Nobody is at a terminal to agree to the changes: --yes agrees to all of them, --plan only shows them.');
  if (problems.length > 0) throw usage(`${settings.environment} cannot be deployed yet. Nothing was changed.`, problems);
};

const terraformTooOld = (text: string): string[] => {
  const [, major = '0', minor = '0'] = /v(\d+)\.(\d+)/.exec(text) ?? [];
  const old = Number(major) < TERRAFORM_LEAST[0] || (Number(major) === TERRAFORM_LEAST[0] && Number(minor) < TERRAFORM_LEAST[1]);
  return old ? [`terraform ${major}.${minor} is too old: ${PROGRAMS.terraform[1]}.`] : [];
};

/** Who is signed in, and whether what was named is there: each only where the one before it holds. */
const signIn = async (tools: Tools, { project, stateBucket, region, secrets, env }: DeploySettings, asked: Asked): Promise<string[]> => {
  const gcloud = (...args: readonly string[]): Promise<Answer> => tools.ask({ program: 'gcloud', args });
  if ((await gcloud('auth', 'list', '--filter=status:ACTIVE', '--format=value(account)')).out.trim() === '') return ['gcloud is not signed in: gcloud auth login'];
  const problems: string[] = [];
  if ((await gcloud('auth', 'application-default', 'print-access-token')).code !== 0) problems.push('Terraform and Firebase have no credentials: gcloud auth application-default login');
  if (project === '') return problems;
  if ((await gcloud('projects', 'describe', project, '--format=value(projectId)')).code !== 0) return [...problems, `There is no project ${project} that this account may see.`];
  if (!asked.programs.includes('terraform')) return problems;
  if (stateBucket !== '' && (await gcloud('storage', 'buckets', 'describe', `gs://${stateBucket}`, '--format=value(name)')).code !== 0) {
    problems.push(`There is no bucket ${stateBucket} that this account may see: gcloud storage buckets create gs://${stateBucket} --project=${project} --location=${region} --uniform-bucket-level-access --public-access-prevention, then gcloud storage buckets update gs://${stateBucket} --versioning`);
  }
  for (const { name, meaning } of secrets) {
    if (textOf(env, name) === '' && !(await hasValue(tools, project, name))) problems.push(`${name} is missing, here and in Secret Manager: ${meaning}`);
  }
  return problems;
};

/** Whether Secret Manager has a value of it. What cannot be looked up has none: its service may not be on yet. */
export const hasValue = async (tools: Tools, project: string, name: string): Promise<boolean> => {
  const { code, out } = await tools.ask({ program: 'gcloud', args: ['secrets', 'versions', 'list', `earshot-${name}`, `--project=${project}`, '--filter=state:ENABLED', '--limit=1', '--format=value(name)'] });
  return code === 0 && out.trim() !== '';
};

/** Terraform's own note of its providers is not part of the product until somebody adds it. */
const treeClean = async (tools: Tools): Promise<string[]> => {
  const { code, out } = await tools.ask({ program: 'git', args: ['status', '--porcelain', '--', '.', ':!infra/.terraform.lock.hcl'] });
  return code === 0 && out.trim() === '' ? [] : ['The working tree differs from its commit: production is only what can be found again. Commit, or deploy to staging.'];
};

const notRenewable = ({ secrets, env }: DeploySettings, renewed: readonly string[]): string[] =>
  renewed.flatMap((name) => {
    if (!secrets.some((row) => row.name === name)) return [`${name} is no secret of this environment: it has ${secrets.map((row) => row.name).join(', ')}.`];
    return textOf(env, name) === '' ? [`${name} is to be renewed, and the environment has no value of it.`] : [];
  });
