/** `earshot migrate`: the schema of the log, forward and back, on one machine and in the cloud. */
import { existsSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { MIGRATIONS } from '../core/domain/migrations.ts';
import { CliError, usage } from './exit-codes.ts';
import { logPath } from './local-data.ts';
import { migrateTo, schemaOf, withLogFile } from './log-file.ts';
import { countDocuments, migrateDocuments, progressOf, type StepReport } from './migrate-documents.ts';
import type { Cli } from './world.ts';

export interface MigrateOptions {
  /** The schema to end at; without it the newest. */
  readonly to?: string;
  /** One step back from where it is. */
  readonly down?: boolean;
  /** Only say what would be done, and where it is. */
  readonly dryRun?: boolean;
  /** It is meant: a step back in the cloud removes what the step had brought. */
  readonly yes?: boolean;
}

/** What was done, or would be. */
interface Migrated {
  readonly before: number;
  readonly after: number;
  readonly backup: string | null;
  readonly steps: readonly StepReport[];
}

const NEWEST = MIGRATIONS.length;

/** Throws CliError `invalid_usage`, `schema_unknown`, `server_running`, `no_data`. */
export const migrate = async (cli: Cli, options: MigrateOptions): Promise<void> => {
  if (options.to !== undefined && options.down === true) throw usage('Either --to or --down.');
  const to = options.to === undefined ? null : numberOf(options.to);
  const migrated = cli.settings().store === 'google' ? await inCloud(cli, to, options) : onMachine(cli, to, options);
  print(cli, migrated, options.dryRun === true);
};

const numberOf = (text: string): number => {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > NEWEST) throw usage(`--to has to be a number from 1 to ${NEWEST}.`);
  return number;
};

/** Throws CliError `schema_unknown`, `invalid_usage` where nothing lies before it. */
const goalOf = (at: number, to: number | null, { down }: MigrateOptions): number => {
  if (at > NEWEST) throw new CliError('schema_unknown', `The log is of schema ${at}, and this program knows ${NEWEST}: use the newer program.`, 'failed');
  if (down !== true) return to ?? NEWEST;
  if (at <= 1) throw usage('The log is of the first schema: nothing lies before it.');
  return at - 1;
};

/** Each step is whole or not at all, and the log as it was is kept beside itself. */
const onMachine = (cli: Cli, to: number | null, options: MigrateOptions): Migrated => {
  const path = logPath(cli);
  return withLogFile(path, (database) => {
    const before = schemaOf(database);
    const goal = goalOf(before, to, options);
    const calls = countOf(database);
    const steps = stepsBetween(before, goal).map((step) => ({ ...step, seen: calls, changed: calls }));
    if (options.dryRun === true || goal === before) return { before, after: before, backup: null, steps };
    const backup = freeName(`${path}.schema-${before}`);
    database.prepare('VACUUM INTO ?').run(backup);
    migrateTo(database, goal);
    return { before, after: goal, backup, steps };
  });
};

const countOf = (database: DatabaseSync): number => (database.prepare('SELECT count(*) AS calls FROM calls').get() as { calls: number }).calls;

const stepsBetween = (from: number, to: number): { number: number; direction: 'up' | 'down' }[] =>
  MIGRATIONS.map(({ number }) => number)
    .filter((number) => (to > from ? number > from && number <= to : number > to && number <= from))
    .sort((a, b) => (to > from ? a - b : b - a))
    .map((number) => ({ number, direction: to > from ? 'up' : 'down' }));

const inCloud = async (cli: Cli, to: number | null, options: MigrateOptions): Promise<Migrated> => {
  const documents = await cli.ways.openCallDocuments(cli.settings());
  try {
    const { schema: before } = await progressOf(documents);
    const goal = goalOf(before, to, options);
    const work = { migrations: MIGRATIONS, to: goal, onPage: (step: StepReport) => cli.print.note(`step ${step.number} ${step.direction}: ${step.seen} calls, ${step.changed} changed`) };
    if (options.dryRun === true) return { before, after: before, backup: null, steps: await countDocuments(documents, work) };
    if (goal < before && options.yes !== true) throw usage('A step back removes what the step had brought. Export the database first (`gcloud firestore export`), then say --yes.');
    const steps = await migrateDocuments(documents, work);
    return { before, after: goal, backup: null, steps };
  } finally {
    await documents.close();
  }
};

const print = (cli: Cli, { before, after, backup, steps: done }: Migrated, dry: boolean): void => {
  const steps = MIGRATIONS.map(({ number, name }) => ({ number, name, applied: number <= after }));
  cli.print.document({ schema: after, previous: before, newest: NEWEST, backup, steps, [dry ? 'would_do' : 'done']: done });
  cli.print.line(before === after ? `The log is of schema ${after} of ${NEWEST}.` : `Taken from schema ${before} to ${after}${backup === null ? '.' : `; the log as it was: ${backup}`}`);
  for (const step of steps) cli.print.line(`  ${step.applied ? 'x' : ' '} ${step.number} ${step.name}`);
  for (const { number, direction, seen, changed } of done) cli.print.line(`${dry ? 'Would take' : 'Took'} step ${number} ${direction}: ${changed} of ${seen} calls ${dry ? 'would change' : 'changed'}.`);
  if (after < NEWEST && !dry) cli.print.line('This program takes a log on one machine forward again when it starts.');
};

const freeName = (wanted: string): string => {
  for (let more = 1; ; more++) {
    const name = more === 1 ? wanted : `${wanted}.${more}`;
    if (!existsSync(name)) return name;
  }
};
