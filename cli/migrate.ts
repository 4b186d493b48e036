/** `earshot migrate`: the schema of the log, forward and back. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { LOG_MIGRATIONS } from '../ports/call-log.sqlite-schema.ts';
import { CliError, usage } from './exit-codes.ts';
import { dataDir } from './local-data.ts';
import { migrateTo, schemaOf, withLogFile } from './log-file.ts';
import type { Cli } from './world.ts';

/** Shows the number; with `to` goes there, after the whole log was copied beside itself. */
export const migrate = (cli: Cli, options: { readonly to?: string }): void => {
  const path = join(dataDir(cli), 'calls.db');
  const to = options.to === undefined ? null : numberOf(options.to);
  const { before, after, backup } = withLogFile(path, (database) => {
    const found = schemaOf(database);
    if (found > LOG_MIGRATIONS.length) throw new CliError('schema_unknown', `The log is of schema ${found}, and this program knows ${LOG_MIGRATIONS.length}: use the newer program.`, 'failed');
    if (to === null || to === found) return { before: found, after: found, backup: null };
    const copy = freeName(`${path}.schema-${found}`);
    database.prepare('VACUUM INTO ?').run(copy);
    migrateTo(database, to);
    return { before: found, after: schemaOf(database), backup: copy };
  });
  const steps = LOG_MIGRATIONS.map((step, index) => ({ number: index + 1, name: step.name, applied: index < after }));
  cli.print.document({ schema: after, previous: before, newest: LOG_MIGRATIONS.length, backup, steps });
  cli.print.line(before === after ? `The log is of schema ${after} of ${LOG_MIGRATIONS.length}.` : `Taken from schema ${before} to ${after}; the log as it was: ${backup ?? ''}`);
  for (const step of steps) cli.print.line(`  ${step.applied ? 'x' : ' '} ${step.number} ${step.name}`);
  if (after < LOG_MIGRATIONS.length) cli.print.line('This program takes it forward again when it starts.');
};

const numberOf = (text: string): number => {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > LOG_MIGRATIONS.length) throw usage(`--to has to be a number from 1 to ${LOG_MIGRATIONS.length}.`);
  return number;
};

const freeName = (wanted: string): string => {
  for (let more = 1; ; more++) {
    const name = more === 1 ? wanted : `${wanted}.${more}`;
    if (!existsSync(name)) return name;
  }
};
