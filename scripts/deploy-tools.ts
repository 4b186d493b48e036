/** The programs that a deployment is made with: each is said before it runs, nothing secret is said, and none is given secrets that it does not need. */
import { spawn } from 'node:child_process';
import { CliError } from '../cli/exit-codes.ts';
import { SETTINGS } from '../core/settings-table.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** Folder that it runs in; without it the project's. */
  readonly cwd?: string;
  /** Besides what every program is given. Shown. */
  readonly env?: Readonly<Record<string, string>>;
  /** Besides what every program is given. Their names are not even shown. */
  readonly secretEnv?: Environment;
  /** Written to its stdin, and never shown. */
  readonly input?: string;
}

export interface Answer {
  /** null: there is no such program. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Tools {
  /** Only looks: runs in silence, and may fail. */
  ask(command: Command): Promise<Answer>;
  /** Says the command and lets a person see what it writes. @throws CliError `step_failed` */
  show(command: Command): Promise<void>;
  /** As `show`, but only says it where nothing may be changed. */
  change(command: Command): Promise<void>;
  say(line: string): void;
}

export interface ToolsOptions {
  readonly root: string;
  readonly env: Environment;
  /** Takes whole lines. */
  readonly out: (text: string) => void;
  /** The commands' own output: to this process's streams, or to `out`. */
  readonly streams: 'inherit' | 'out';
  /** Nothing is changed: what would be is only said. */
  readonly plan: boolean;
}

const SECRETS: readonly string[] = Object.values(SETTINGS).flatMap((row) => (row.secret ? [row.name, ...(row.alsoNamed === undefined ? [] : [row.alsoNamed])] : []));
/** Of the person, for the doctor alone. */
export const SIGN_IN: readonly string[] = ['EARSHOT_TOKEN', 'TEST_USERNAME', 'TEST_PASSWORD'];
/** Of Terraform alone, as `sensitive` in infra/variables.tf. */
export const TERRAFORM_SECRETS: readonly string[] = ['TF_VAR_slack_token', 'TF_VAR_pagerduty_key'];

/** Some of an environment. */
export const only = (env: Environment, names: readonly string[]): Environment => Object.fromEntries(Object.entries(env).filter(([name]) => names.includes(name)));
const without = (env: Environment, names: readonly string[]): Environment => Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));

/** As a person would type it. */
export const typed = ({ program, args, env = {}, cwd, input }: Command): string => {
  const words = [...Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`), program, ...args.map(quoted)].join(' ');
  return `${cwd === undefined ? '' : `cd ${quoted(cwd)} && `}${words}${input === undefined ? '' : ' < (its value)'}`;
};
const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`);

export const tools = ({ root, env, out, streams, plan }: ToolsOptions): Tools => {
  const given = without(env, [...SECRETS, ...SIGN_IN, ...TERRAFORM_SECRETS]);

  const run = (command: Command, silent: boolean): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const captured = silent || streams === 'out';
      const child = spawn(command.program, [...command.args], {
        cwd: command.cwd ?? root,
        // Whatever is not there would be asked for, and nobody answers a question that is not shown.
        env: { ...given, ...(silent ? { CLOUDSDK_CORE_DISABLE_PROMPTS: '1' } : {}), ...command.env, ...command.secretEnv },
        stdio: [command.input !== undefined ? 'pipe' : captured ? 'ignore' : 'inherit', captured ? 'pipe' : 'inherit', captured ? 'pipe' : 'inherit'],
      });
      const texts = { out: '', err: '' };
      child.stdout?.on('data', (chunk: Buffer) => (texts.out += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => (texts.err += chunk.toString()));
      child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve({ code: null, ...texts }) : reject(error)));
      child.on('close', (code) => {
        if (!silent && captured) out(texts.out + texts.err);
        resolve({ code: code ?? 1, ...texts });
      });
      // A program that ends without reading has said why.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(command.input);
    });

  const show = async (command: Command): Promise<void> => {
    out(`$ ${typed(command)}\n`);
    const { code } = await run(command, false);
    if (code === null) throw new CliError('tool_missing', `${command.program} is not installed.`, 'usage');
    if (code !== 0) throw new CliError('step_failed', `\`${typed(command)}\` ended with ${code}.`, 'failed');
  };

  return {
    ask: (command) => run(command, true),
    show,
    change: async (command) => {
      if (plan) out(`would run: ${typed(command)}\n`);
      else await show(command);
    },
    say: (line) => out(`${line}\n`),
  };
};
