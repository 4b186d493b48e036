import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command, startRig, temporaryFolder, type Ran, type Rig } from '../fixtures/command.ts';
import { EXITS } from '../../cli/exit-codes.ts';
import { printable } from '../../cli/output.ts';
import { program } from '../../cli/program.ts';
import type { World } from '../../cli/world.ts';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';

const BIN = new URL('../../cli/earshot.cjs', import.meta.url).pathname;

/** The real command as a process of its own; stdout and stderr end by themselves. */
const earshot = (args: readonly string[], options: { readonly env?: Record<string, string>; readonly stdin?: string; readonly bin?: string; readonly onOut?: (text: string, kill: (signal: NodeJS.Signals) => void) => void } = {}): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [options.bin ?? BIN, ...args], { env: { ...options.env } });
    const ran = { out: '', err: '' };
    child.stdout.on('data', (chunk: Buffer) => {
      ran.out += chunk.toString();
      options.onOut?.(chunk.toString(), (signal) => child.kill(signal));
    });
    child.stderr.on('data', (chunk: Buffer) => (ran.err += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, ...ran }));
    child.stdin.end(options.stdin ?? '');
  });

describe('the command line itself', () => {
  it.each([[['--help']], [['help', 'call']], [['calls', '--help']], [['--version']]])('answers %j on stdout with 0', async (args) => {
    const { code, out, err } = await command(args);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).not.toBe('');
  });

  it.each([[['sing']], [['show']], [['show', 'a', 'b']], [['calls', '--loud']], [[]], [['users']], [['users', 'sing']]])('answers %j with 2 and says on stderr what is right', async (args) => {
    const { code, out, err } = await command(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).not.toBe('');
  });

  it('starts what `npm start` starts, and fails when that does', async () => {
    const begun: string[] = [];
    const runProgram = (code: number) => async (path: string): Promise<number> => {
      begun.push(path);
      return code;
    };
    expect((await command(['start'], { runProgram: runProgram(0) })).code).toBe(0);
    expect((await command(['start'], { runProgram: runProgram(1) })).code).toBe(1);
    expect(begun).toEqual(['local/start.ts', 'local/start.ts']);
  });

  it("lets nobody's words steer the terminal", () => {
    expect(printable('a\u001b[2Jb\nc\u202ed\u0007')).toBe('a\uFFFD[2Jb c\uFFFDd\uFFFD');
  });
});

describe('the command as it is installed', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ SIMULATED_PACE: '1' });
  });
  afterAll(async () => {
    await rig.close();
  });

  it('hands on arguments, output and exit code', async () => {
    expect(await earshot(['calls', '--json'], { env: rig.env })).toEqual({ code: 0, out: '{\n  "calls": [],\n  "next_cursor": null\n}\n', err: '' });
    expect(await earshot(['show', 'EL_nobody'], { env: rig.env })).toEqual({ code: 5, out: '', err: 'earshot: There is no such call. (call_not_found)\n' });
    expect((await earshot(['sing'])).code).toBe(2);
  });

  it('takes a password from stdin', async () => {
    expect(await earshot(['users', 'add', 'ann@example.com'], { env: rig.env, stdin: 'a long enough one\n' })).toEqual({ code: 0, out: 'Added ann@example.com (dispatcher).\n', err: '' });
    expect((await earshot(['calls'], { env: { ...rig.env, TEST_USERNAME: 'ann@example.com', TEST_PASSWORD: 'a long enough one' } })).code).toBe(0);
  });

  it('ends a live tail when it is interrupted, with the code for it', async () => {
    const { call_sid: callSid } = await rig.json(['call', 'test_driver_123']);
    const { code, out } = await earshot(['tail', String(callSid)], { env: rig.env, onOut: (text, kill) => text.includes('[status]') && kill('SIGINT') });
    expect(code).toBe(130);
    expect(out).not.toContain('[sealed]');
  });

  it('says plainly that nothing is installed yet', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder.path, 'cli'));
    const bin = join(folder.path, 'cli', 'earshot.cjs');
    copyFileSync(BIN, bin);
    expect(await earshot(['calls'], { bin })).toEqual({ code: 1, out: '', err: `earshot: nothing is installed yet: run \`npm start\` once in ${folder.path}\n` });
    folder.remove();
  });

  it('says that an answer is not one of Earshot', async () => {
    const server = createServer((_request, response) => response.writeHead(502).end('<html>'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { code, err } = await earshot(['calls'], { env: { PORT: String((server.address() as AddressInfo).port) } });
    expect({ code, err }).toEqual({ code: 1, err: "earshot: The answer was HTTP 502 and not one of Earshot's. Is that the address of an Earshot? (unexpected_answer)\n" });
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
});

describe('docs/cli.md', () => {
  it('is what the command says of itself', () => {
    // Printing help asks nothing of the world but the version.
    const root = program({ version: '0' } as World);
    const verbs = (parent: Command): Command[] => parent.commands.flatMap((one) => (one.commands.length > 0 ? verbs(one) : [one]));
    const nameOf = (one: Command): string => (one.parent === null ? one.name() : `${nameOf(one.parent)} ${one.name()}`);
    const page = [
      '# The earshot command',
      '',
      'Printed from the command itself: `UPDATE_DOCS=1` with its test writes this page anew.',
      '',
      '`npx earshot <verb>` or `npm run --silent earshot -- <verb>`. Verbs about calls and deliveries speak REST with the deployment that `API_BASE_URL` (and `WS_BASE_URL`, else as `GET /discovery` says) names; without it with the Earshot of this machine, at `PORT`. They sign in with `EARSHOT_TOKEN`, else with `TEST_USERNAME` and `TEST_PASSWORD`, else - on this machine only - with the login that `npm start` prints. `users`, `tenants`, `agents`, `drivers`, `ingest-keys` and `relay` work on the directory, `import`, `migrate` and `log` on the log that the settings name. With `STORE=google` and `GOOGLE_CLOUD_PROJECT` (`FIRESTORE_DATABASE` and `FIRESTORE_SESSIONS_DATABASE` where they are called otherwise) these stand in the cloud, and are changed with the rights of whoever runs the command (`gcloud auth application-default login`), beside whatever runs there; else those in `DATA_DIR`: the directory beside a running server, the log only without one. Settings may stand in `.env`, as for `npm start`.',
      '',
      'With `--json` a verb writes one JSON document to stdout, a stream (`tail`, `call --watch`, `listen`) one JSON document a line; a failure is `{"error": {"code", "message", "problems"}}` on stderr. Progress goes to stderr. A password never stands in the arguments: it comes from `--password-file`, from stdin, or from a question at the terminal.',
      '',
      '## Exit codes',
      '',
      markdownTable(['code', 'meaning'], Object.values(EXITS).map(({ code, meaning }) => [String(code), meaning])),
      '## The first set-up of a deployment',
      '',
      'An empty deployment is made ready with the command alone, with `STORE=google` and `GOOGLE_CLOUD_PROJECT` set:',
      '',
      '```',
      'earshot tenants add north --name "North yard"',
      'earshot agents add <agent of ElevenLabs> --tenant north --default',
      'earshot users add ann@example.com --tenant north --role admin',
      'earshot drivers import drivers.csv --tenant north',
      'earshot ingest-keys add --tenant north',
      '```',
      '',
      '## Taking over from the older system',
      '',
      "`earshot import` reads an export of its table `calls`, as CSV (`COPY calls TO ... CSV HEADER`) or as newline-delimited JSON, one object a line. Every call comes in as a finished one: `call_completed` says `imported: true`, and a seal with its digest follows; it is found by both of its ids, `created_at` is kept. Columns that are missing, empty or `\\N` are null. A call without any sign of an end failed with the reason `never seen to end by the older system`. The end of a call is its start and its duration, so an end without a duration is not kept. The same file twice is the same once. `--dry-run` says what would come in.",
      '',
      '## Changes of the schema',
      '',
      '`earshot migrate` takes the log forward to the newest schema; `--to` and `--down` take it back, `--dry-run` says where it is and what would change. In `DATA_DIR` each step is one transaction, and the log as it was is kept beside itself. In Firestore a step goes from call to call while everything runs: a call that is written meanwhile is done as it is then, and a run that was stopped goes on where it was (document `log/migration`). A step back there removes what the step had brought, so it wants `--yes`: export the database first, and take the traffic back to the older revision before.',
      '',
      '## After a restore from a backup',
      '',
      '`earshot log new-generation` makes a log that was restored another one than the log that was lost: calls that have not ended get another epoch, so that a viewer which goes on from a position of before is told so (`epoch_changed`) and starts over. Calls that have ended keep their epoch, which their seals prove: where such a call is amended again after the restore, a screen that shows what was lost is told by the seal that it is incomplete. It says what it will do and asks; `--yes` is for scripts. Where it is cut off it can be done again; `--resume` leaves those alone that are done.',
      '',
      '## Verbs',
      '',
      ...verbs(root).flatMap((one) => [`### ${nameOf(one)}`, '', '```', one.helpInformation().trimEnd(), '```', '']),
    ].join('\n');
    expectPage('../cli.md', page);
  });
});
