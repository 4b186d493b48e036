/** The verbs with their arguments, and the way from arguments to an exit code. */
import { Command, CommanderError } from 'commander';
import { readSettings, SettingsError, type Settings } from '../core/settings.ts';
import * as callVerbs from './calls.ts';
import { doctor } from './doctor.ts';
import { importDrivers, listDrivers } from './drivers.ts';
import { newGeneration } from './generation.ts';
import { e2e } from './e2e.ts';
import { asCliError, CliError, EXITS } from './exit-codes.ts';
import { exportCalls } from './export.ts';
import { importCalls } from './import.ts';
import { addIngestKey, listIngestKeys, removeIngestKey } from './ingest-keys.ts';
import { listen } from './listen.ts';
import { migrate } from './migrate.ts';
import { printable, printerTo } from './output.ts';
import { relayStatus, serveRevision } from './relay.ts';
import { tail } from './tail.ts';
import { trace } from './trace.ts';
import { addAgent, addTenant, listAgents, listTenants, removeAgent, setHours } from './tenants.ts';
import { addUser, changePassword, changeRoles, disableUser, listUsers } from './users.ts';
import { listQuarantine, redrive, sendWebhook } from './webhooks.ts';
import type { Cli, World } from './world.ts';

/** Help is the same at every terminal, and so in the documentation. */
const HELP_COLUMNS = 110;

/** Runs one command line (without the program's own name). Answers the exit code. */
export const run = async (args: readonly string[], world: World): Promise<number> => {
  try {
    await program(world).parseAsync([...args], { from: 'user' });
    return EXITS.ok.code;
  } catch (error) {
    // Commander has written its words already; asking for help or the version is no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXITS.ok.code : EXITS.usage.code;
    return report(asCliError(error), args.includes('--json'), world);
  }
};

const report = ({ code, message, exit, problems }: CliError, json: boolean, { output }: World): number => {
  if (json) output.err(`${JSON.stringify({ error: { code, message, problems } })}\n`);
  else output.err([`earshot: ${printable(message)} (${printable(code)})`, ...problems.map((problem) => `  ${printable(problem)}`), ''].join('\n'));
  return EXITS[exit].code;
};

/** What a verb is given, for one command line. */
const cliFor = (world: World, json: boolean): Cli => {
  let read: Settings | null = null;
  return {
    ...world,
    print: printerTo(world.output, json),
    settings: () => {
      try {
        read ??= readSettings(world.env, 'local');
        return read;
      } catch (error) {
        if (error instanceof SettingsError) throw new CliError('settings_invalid', 'The settings are not usable.', 'usage', error.problems);
        throw error;
      }
    },
  };
};

/** The whole command; nothing runs before it parses. */
export const program = (world: World): Command => {
  const root = new Command('earshot')
    .description("Earshot's command: calls, live and past, and the care of a deployment. STORE=google (with GOOGLE_CLOUD_PROJECT) makes the verbs that work on the data themselves work on the cloud's.")
    .version(world.version)
    .exitOverride()
    .showHelpAfterError('(earshot help <verb> tells more)')
    .configureOutput({
      writeOut: (text) => world.output.out(text),
      writeErr: (text) => world.output.err(text),
      getOutHelpWidth: () => HELP_COLUMNS,
      getErrHelpWidth: () => HELP_COLUMNS,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .helpCommand('help [verb]', 'tell more of a verb');
  const verb = verbsOf(root, world);
  machineVerbs(verb, world);
  callingVerbs(verb);
  directoryVerbs(root, world);
  deliveryVerbs(root, verb, world);
  dataVerbs(verb);
  wholeVerbs(root, world);
  return root;
};

/** Adds a verb; its work is given the arguments in order, then the options. */
type AddVerb = (name: string, says: string, options: readonly (readonly [flags: string, says: string, otherwise?: string])[], work: (cli: Cli, ...given: never[]) => unknown) => Command;

const verbsOf =
  (parent: Command, world: World): AddVerb =>
  (name, says, options, work) => {
    const command = parent.command(name).description(says);
    for (const [flags, description, otherwise] of options) command.option(flags, description, otherwise);
    command.option('--json', 'one JSON document (JSON lines for streams) instead of words');
    return command.action(async (...given: unknown[]) => {
      // Commander hands on the arguments, the options and the command itself.
      await Reflect.apply(work, undefined, [cliFor(world, command.opts()['json'] === true), ...given.slice(0, -1)]);
    });
  };

const group = (root: Command, world: World, name: string, says: string): AddVerb => verbsOf(root.command(name).description(says), world);

const TENANT = ['--tenant <tenant>', 'the tenant; without it the local one, in the cloud the only one'] as const;
const FILTERS = [
  ['--status <status>', 'only of this status'],
  ['--q <text>', 'found in driver name, call_sid, conversation_id or number'],
  ['--driver <id>', "only this driver's"],
  ['--agent <id>', "only this agent's"],
  ['--since <time>', 'created at or after it, such as 2026-01-31T00:00:00Z'],
] as const;

const machineVerbs = (verb: AddVerb, world: World): void => {
  verb('start', 'run the whole product on this machine, as `npm start` does', [], async () => {
    const code = await world.ways.runProgram('local/start.ts', []);
    if (code !== 0) throw new CliError('start_failed', `Earshot ended with ${code}.`, 'failed');
  });
  verb(
    'e2e',
    'make the whole journey against a deployment and say of every promise whether it holds',
    [
      ['--driver <id>', 'whom to call; without it test_driver_123'],
      ['--violations <types>', 'about what, comma-separated; without it speeding'],
      ['--connections [count]', 'instead: connect that many (7) at once and tell their times'],
      ['--timeout <seconds>', 'limit of every wait', '120'],
    ],
    e2e,
  );
  verb('doctor', "say what is wrong on this machine, in the cloud's stores (STORE=google), or with --url in a deployment, and how to mend it", [['--url <address>', 'a deployment\'s API, such as https://earshot.example.com'], ['--webhooks <address>', 'where its webhooks go, if not there too']], doctor);
};

const callingVerbs = (verb: AddVerb): void => {
  verb(
    'call [driver]',
    'call a driver about violations, or a number',
    [
      ['--to <number>', 'a number such as +15550100123'],
      ['--violations <types>', 'only these, comma-separated; without it all'],
      ['--agent <id>', "another agent than the tenant's own"],
      ['--idempotency-key <key>', 'the same key is the same call, however often it is asked for'],
      ['--watch', 'then tail it'],
    ],
    callVerbs.call,
  );
  verb('tail <call>', 'show a call as it happens, by call_sid or conversation_id; resumes by itself', [['--follow', 'stay after its end']], tail);
  verb(
    'calls',
    'list calls, newest first',
    [...FILTERS, ['--limit <count>', 'how many (20)'], ['--cursor <cursor>', 'go on where a list stopped'], ['--stats', 'figures instead'], ['--hours <count>', 'how far back the figures look (24)']],
    callVerbs.calls,
  );
  verb('show <call>', 'show everything known of a call, and its words', [['--events', 'its events too']], callVerbs.show);
  verb('trace <call>', 'show when each event of a call was received, committed, heard of by a relay and written to a screen', [['--relay <address>', 'ask this relay, where there are several']], trace);
  verb('end <call>', 'ask the provider to end a call', [], callVerbs.end);
  verb('fetch <conversation>', 'read a conversation from the provider into its call', [], callVerbs.fetchConversation);
  verb('erase <call>', 'erase a call whole, for ever', [['--yes', 'it is meant']], callVerbs.erase);
};

const directoryVerbs = (root: Command, world: World): void => {
  const users = group(root, world, 'users', 'who may sign in');
  const password = ['--password-file <file>', 'its first line is the password; without it stdin, or a question at the terminal'] as const;
  users('list', 'list users', [TENANT], listUsers);
  users('add <username>', 'add a user', [['--role <roles>', 'dispatcher, admin, service or operator', 'dispatcher'], TENANT, password], addUser);
  users('passwd <username>', 'change a password; ends the sign-ins that the old one began', [password], changePassword);
  users('role <username> <roles...>', 'give these roles in place of those before', [], changeRoles);
  users('disable <username>', 'lock a user out', [['--enable', 'let in again']], disableUser);
  const tenants = group(root, world, 'tenants', 'the organisations that own calls');
  tenants('list', 'list tenants', [], listTenants);
  tenants('add <tenant>', 'add a tenant', [['--name <name>', 'as people read it']], addTenant);
  tenants('hours <tenant> [start] [end]', "when people may be called, by their own clocks, such as 08:00 20:00", [['--any', 'at any hour']], setHours);
  const agents = group(root, world, 'agents', 'whose conversations belong to which tenant');
  agents('list', 'list agents', [TENANT], listAgents);
  agents(
    'add <agent>',
    'give an agent of ElevenLabs to a tenant',
    [TENANT, ['--workspace <workspace>', 'the ElevenLabs account; without it the local one, in the cloud its own'], ['--name <name>', 'as people read it'], ['--default', "the tenant's calls are made by it"], ['--move', 'even if another tenant has it']],
    addAgent,
  );
  agents('remove <agent>', 'take an agent away', [], removeAgent);
  const keys = group(root, world, 'ingest-keys', 'bearer keys for live turns and agent events, each for one tenant');
  keys('list', 'list the keys, by the beginning of their hash', [], listIngestKeys);
  keys('add', 'make a key, and show it this once', [TENANT], addIngestKey);
  keys('remove <key>', 'take a key away, named as the list names it', [], removeIngestKey);
  const drivers = group(root, world, 'drivers', 'who can be called');
  drivers('list', 'list drivers', [TENANT], listDrivers);
  drivers('import <csv>', 'keep the drivers of a file: driverId, driverName, phoneNumber, triggers (a;b), do_not_call, time_zone', [TENANT, ['--partial', 'leave bad lines out instead of refusing the file']], importDrivers);
};

/** Of a deployment as a whole. */
const wholeVerbs = (root: Command, world: World): void => {
  const relay = group(root, world, 'relay', 'which revision of the relay serves');
  relay('serve [revision]', 'name the revision that serves: sockets of every other one are asked to move', [['--none', 'no revision: sockets stay where they are']], serveRevision);
  relay('status', 'say which revision is named', [], relayStatus);
  const log = group(root, world, 'log', 'the log as a whole');
  log(
    'new-generation',
    'after a restore from a backup: nobody goes on from a position of the log that was lost',
    [['--yes', 'it is meant; nobody is asked'], ['--resume', 'go on with the generation that was named last, where that was cut off']],
    newGeneration,
  );
};

const deliveryVerbs = (root: Command, verb: AddVerb, world: World): void => {
  const webhook = group(root, world, 'webhook', 'deliveries by hand');
  webhook(
    'send <file>',
    'sign the file with the webhook secret and post it',
    [
      ['--route <route>', 'post-call, transcription or agent-events; without it by what the file says'],
      ['--to <address>', 'in place of API_BASE_URL'],
      ['--secret-file <file>', 'in place of the first of ELEVENLABS_WEBHOOK_SECRETS'],
      ['--unsigned', 'for WEBHOOK_AUTH=none'],
    ],
    sendWebhook,
  );
  const quarantine = group(root, world, 'quarantine', 'deliveries that were verified but cannot be used yet');
  quarantine('list', 'list them, oldest first', [], listQuarantine);
  quarantine('redrive [id]', 'drive one again', [['--all', 'all that are there now']], redrive);
  verb(
    'listen',
    "bring a deployment's webhooks to an Earshot on this machine, as they come",
    [
      ['--from <address>', "the deployment's API (needed)"],
      ['--forward <address>', 'where to; without it this machine'],
      ['--position <file>', 'where it keeps how far it is; without it in DATA_DIR'],
      ['--once', 'end when nothing is left to bring'],
    ],
    listen,
  );
};

const dataVerbs = (verb: AddVerb): void => {
  verb('export <folder>', 'write calls.csv', [...FILTERS, ['--events', 'and events.jsonl, every event of every call']], exportCalls);
  verb(
    'import <file>',
    "take calls over from an export of the older system's table, into the log that the settings name",
    [
      TENANT,
      ['--workspace <workspace>', 'the ElevenLabs account; without it the local one, in the cloud its own'],
      ['--format <format>', 'csv or ndjson; without it by how the file begins'],
      ['--partial', 'leave bad lines out instead of refusing the file'],
      ['--dry-run', 'only say what would be done'],
    ],
    importCalls,
  );
  verb(
    'migrate',
    'take the schema of the log that the settings name forward, or back; goes on where it was stopped',
    [
      ['--to <number>', 'go there; without it to the newest'],
      ['--down', 'one step back'],
      ['--dry-run', 'only say where it is, and what would be done'],
      ['--yes', 'it is meant: a step back in the cloud'],
    ],
    migrate,
  );
};
