/** The runbook against the code: whoever is woken at night types what stands there. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { program } from '../../cli/program.ts';
import type { World } from '../../cli/world.ts';
import { SETTINGS } from '../../core/settings-table.ts';
import { deployProgram } from '../../scripts/deploy-command.ts';
import { DEPLOY_SETTINGS } from '../../scripts/deploy-settings.ts';
import { projectFiles, textOf } from '../fixtures/tree.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const page = textOf('docs/operations.md');
const fenced = [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].flatMap(([, block = '']) => block.split('\n'));
const prose = page.replace(/^```[\s\S]*?^```$/gm, '');
const inline = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);

/** Words of the commands that begin so, up to where the shell takes over; a placeholder is one word. */
const commands = (lines: readonly string[], begins: RegExp): string[][] =>
  lines
    .map((line) => line.replace(/<[^<>]*>/g, 'X').replace(/"[^"]*"|'[^']*'/g, 'X'))
    .flatMap((line) => line.split(/\s#\s?|\s>\s|\s>>\s|\||&&|;|\$\(/).map((part) => part.trim()))
    .flatMap((part) => {
      const rest = begins.exec(part);
      return rest === null ? [] : [part.slice(rest.index + rest[0].length).trim().split(/\s+/).filter((word) => word !== '')];
    });

const earshot = program({ version: '0', output: { out: () => undefined, err: () => undefined }, root: tmpdir(), env: {} } as unknown as World);

/** What is wrong with a command line of ours; null: nothing. `whole`: its arguments have to be there too. */
const wrongWith = (words: readonly string[], whole: boolean): string | null => {
  let command: Command = earshot;
  const given = [...words];
  for (let next = command.commands.find((one) => one.name() === given[0]); next !== undefined; next = command.commands.find((one) => one.name() === given[0])) {
    command = next;
    given.shift();
  }
  if (command === earshot || command.commands.length > 0) return `no verb: ${words.join(' ')}`;
  const positional: string[] = [];
  while (given.length > 0) {
    const word = given.shift() ?? '';
    if (!word.startsWith('--')) positional.push(word);
    else {
      const option = command.options.find(({ long }) => long === word);
      if (option === undefined) return `no option ${word}: ${words.join(' ')}`;
      if (option.required) given.shift();
    }
  }
  const known = command.registeredArguments;
  const least = known.filter(({ required }) => required).length;
  const most = known.some(({ variadic }) => variadic) ? Number.POSITIVE_INFINITY : known.length;
  return positional.length > most || (whole && positional.length < least) ? `arguments: ${words.join(' ')}` : null;
};

const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title);
const alerts = [...textOf('infra/alerts.tf').matchAll(/^\s+title\s+= "(.+)"\n\s+level\s+= "(\w+)"/gm)].map(([, title = '', level = '']) => ({ title, level }));

describe('the runbook', () => {
  it('has only verbs of earshot that there are, with their options and arguments', () => {
    const typed = commands(fenced, /^(?:\w+=\S+ )*npx earshot /);
    const named = commands(inline, /^(?:npx )?earshot /);
    expect(typed.length).toBeGreaterThan(20);
    expect([...typed.map((words) => wrongWith(words, true)), ...named.map((words) => wrongWith(words, false))].filter((wrong) => wrong !== null)).toEqual([]);
  });

  it('is held in a way that finds what is wrong', () => {
    expect(wrongWith(['sing'], true)).not.toBeNull();
    expect(wrongWith(['users'], true)).not.toBeNull();
    expect(wrongWith(['show'], true)).not.toBeNull();
    expect(wrongWith(['show'], false)).toBeNull();
    expect(wrongWith(['show', 'a', 'b'], true)).not.toBeNull();
    expect(wrongWith(['calls', '--loud'], true)).not.toBeNull();
    expect(wrongWith(['calls', '--limit', '3'], true)).toBeNull();
  });

  it('has only scripts that there are, and deploys with options that there are', async () => {
    const { scripts } = JSON.parse(textOf('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
    const lines = [...fenced, ...inline];
    const named = commands(lines, /^(?:\w+=\S+ )*npm run (?:--silent )?/).map(([script = '']) => script);
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
    expect(scripts['start']).toBeDefined();
    const deployments = commands(lines, /^(?:\w+=\S+ )*npm run deploy --(?= )/);
    expect(deployments.length).toBeGreaterThan(10);
    for (const words of deployments) {
      let said = '';
      const say = (text: string): void => void (said += text);
      await deployProgram({ out: say, err: say }, async (environment) => expect(existsSync(`${ROOT}infra/${environment}.tfvars`)).toBe(true)).parseAsync(words, { from: 'user' });
      expect(said).toBe('');
    }
    const programs = commands(lines, /^(?:\w+=\S+ )*node (?=\w+[-\w]*\/)/).map(([path = '']) => path);
    expect(programs.length).toBeGreaterThan(1);
    expect(programs.filter((path) => !existsSync(`${ROOT}${path}`))).toEqual([]);
  });

  it('names only settings that there are', () => {
    const variables = [...textOf('infra/variables.tf').matchAll(/^variable "(\w+)"/gm)].map(([, name = '']) => `TF_VAR_${name}`);
    /** Of the command, as `cli/target.ts` reads them. */
    const ofTheCommand = ['API_BASE_URL', 'WS_BASE_URL', 'TEST_USERNAME', 'TEST_PASSWORD', 'EARSHOT_TOKEN'];
    for (const name of ofTheCommand) expect(textOf('cli/target.ts')).toContain(name);
    const known = new Set([...Object.values(SETTINGS).map(({ name }) => name), ...Object.keys(DEPLOY_SETTINGS), ...variables, ...ofTheCommand]);
    const named = new Set([...page.matchAll(/\b(?:TF_VAR_\w+|[A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)\b/g)].map(([name]) => name).filter((name) => name !== 'TF_VAR_'));
    expect(named.size).toBeGreaterThan(20);
    expect([...named].filter((name) => !known.has(name))).toEqual([]);
    const assigned = fenced.flatMap((line) => [...line.matchAll(/(?:^|\s)([A-Z]\w*)=/g)].map(([, name = '']) => name));
    const ofTheShell = ['TOKEN'];
    expect(assigned.filter((name) => !known.has(name) && !ofTheShell.includes(name))).toEqual([]);
  });

  it('A15: has what to do for every alert, at its level, and for no other', () => {
    expect(alerts).toHaveLength(16);
    const rows = [...page.matchAll(/^\| (.+) \| (high|medium) \|$/gm)].map(([, title = '', level = '']) => ({ title, level }));
    expect(rows).toEqual(alerts);
    const section = page.slice(page.indexOf('\n## Alerts\n'), page.indexOf('\n## Roll back\n'));
    expect([...section.matchAll(/^### (.+)\n(?=\S)/gm)].map(([, title]) => title)).toEqual(alerts.map(({ title }) => title));
    const mentioned = [...page.matchAll(/`Earshot: ([^`]+)`/g)].map(([, title]) => title);
    expect(mentioned.length).toBeGreaterThan(1);
    expect(mentioned.filter((title) => !alerts.some((alert) => alert.title === title))).toEqual([]);
  });

  it('has every section that it, the deploy command and the alerts send people to', () => {
    const sent = projectFiles('scripts/').flatMap((path) => [...textOf(path).matchAll(/docs\/operations\.md, "([^"]+)"/g)].map(([, title = '']) => title));
    expect(sent.length).toBeGreaterThan(1);
    const charts = [...textOf('infra/dashboard.tf').matchAll(/title = "([^"]+)"/g)].map(([, title = '']) => title);
    const quoted = [...prose.matchAll(/"([A-Z][^"\n]+)"/g)].map(([, title = '']) => title);
    expect(quoted.length).toBeGreaterThan(5);
    expect([...sent, ...quoted].filter((title) => !headings.includes(title) && !charts.includes(title))).toEqual([]);
    expect(textOf('infra/alerts.tf')).toContain('docs/operations.md');
  });

  it('A16: answers each scenario with symptom, impact, commands and what is lost', () => {
    const section = page.slice(page.indexOf('\n## Scenarios\n'), page.indexOf('\n## Alerts\n'));
    const scenarios = section.split(/^### /m).slice(1);
    expect(scenarios).toHaveLength(4);
    for (const scenario of scenarios) for (const part of ['Symptom', 'Impact', 'Commands', 'Data lost']) expect(scenario).toContain(`- **${part}**: `);
  });

  it('names jobs, services, databases and buckets as infra/ does', () => {
    const units = ['webhooks', 'api', 'jobs', 'relay'];
    const jobs = [...textOf('infra/scheduler.tf').matchAll(/^ {4}(\w+)\s+= "/gm)].map(([, name = '']) => name);
    const secrets = Object.values(SETTINGS).filter(({ secret }) => secret).map(({ name }) => name);
    const known = new Set([...units, ...jobs, ...secrets, 'sessions']);
    const named = [...page.matchAll(/\bearshot-([A-Za-z]\w*)/g)].map(([, name = '']) => name);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});
