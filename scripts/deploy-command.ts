/** The deploy command: from its arguments to an exit code. */
import { Command, CommanderError } from 'commander';
import { asCliError, EXITS } from '../cli/exit-codes.ts';
import { printable } from '../cli/output.ts';
import { check } from './deploy-checks.ts';
import { readDeploySettings } from './deploy-settings.ts';
import { deploySteps, revisionSteps, serviceOf, type Step } from './deploy-steps.ts';
import { tools, type Environment, type ToolsOptions } from './deploy-tools.ts';

export interface DeployWorld {
  /** Folder of the project. */
  readonly root: string;
  readonly env: Environment;
  /** Both take whole lines. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly streams: ToolsOptions['streams'];
  /** Whether a person sits there, whom Terraform can ask. */
  readonly terminal: boolean;
}

interface Options {
  readonly plan?: true;
  readonly yes?: true;
  readonly revision?: string;
  readonly secret: readonly string[];
}

/** The command line itself, for help and for tests; `work` is given the environment and the options. */
export const deployProgram = (world: Pick<DeployWorld, 'out' | 'err'>, work: (environment: string, options: Options) => Promise<void>): Command =>
  new Command('npm run deploy --')
    .description('Deploys to an environment of infra/.')
    .argument('<environment>', 'staging or production')
    .option('--plan', 'change nothing: build here, look, and say what would be done')
    .option('--yes', 'agree to all changes; without it Terraform asks')
    .option('--revision <name>', 'only this: traffic, and open sockets, to a revision that was made before, such as earshot-relay-00012-abc')
    .option('--secret <setting>', 'give a secret that has a value a new version, from the environment; may be repeated', (name: string, before: readonly string[]) => [...before, name], [])
    .exitOverride()
    .configureOutput({ writeOut: (text) => world.out(text), writeErr: (text) => world.err(text) })
    .action(work);

/** Runs one command line. Answers the exit code. */
export const deploy = async (args: readonly string[], world: DeployWorld): Promise<number> => {
  try {
    await deployProgram(world, (environment, options) => run(environment, options, world)).parseAsync([...args], { from: 'user' });
    return EXITS.ok.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXITS.ok.code : EXITS.usage.code;
    const { code, message, exit, problems } = asCliError(error);
    world.err([`deploy: ${printable(message)} (${code})`, ...problems.map((problem) => `  ${printable(problem)}`), ''].join('\n'));
    return EXITS[exit].code;
  }
};

const run = async (environment: string, options: Options, world: DeployWorld): Promise<void> => {
  const { root, env, out, streams } = world;
  const plan = options.plan === true;
  const agreed = options.yes === true;
  // A wrong name is told before anything is looked at.
  if (options.revision !== undefined) serviceOf(options.revision);
  const settings = readDeploySettings(root, environment, env);
  const kit = tools({ root, env, out, streams, plan });
  const forRevision = options.revision !== undefined;
  await check(kit, forRevision ? { ...settings, problems: settings.problems.filter((problem) => problem.startsWith('TF_VAR_project ')) } : settings, {
    programs: forRevision ? ['gcloud'] : ['git', 'npm', 'npx', 'gcloud', 'terraform'],
    plan,
    // Whoever names a revision has agreed.
    agreed: agreed || world.terminal || forRevision,
    renewed: options.secret,
  });
  const parts = { root, settings, tools: kit, plan, agreed, renewed: options.secret };
  const steps = options.revision === undefined ? deploySteps(parts) : revisionSteps(parts, options.revision);
  await walk(steps, world);
  out(plan ? `Nothing was changed.\n` : `${environment} is deployed.\n`);
};

const walk = async (steps: readonly Step[], { out, err }: DeployWorld): Promise<void> => {
  for (const [index, step] of steps.entries()) {
    out(`\n== ${step.name} (${index + 1} of ${steps.length})\n`);
    try {
      await step.run();
    } catch (error) {
      err(`Stopped at "${step.name}", step ${index + 1} of ${steps.length}. ${step.stopped} To go on: mend it and run the same command again; what was done is not done twice.\n`);
      throw error;
    }
  }
};
