/** `earshot export <folder>`: calls as CSV, and with --events every event of every call as JSON Lines. */
import { createWriteStream, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { z } from 'zod';
import { PAGE_MAX_ROWS } from '../core/protocol/limits.ts';
import { CallList } from '../core/protocol/rest.ts';
import type { Api } from './api.ts';
import { filterQuery, type CallsOptions } from './calls.ts';
import { CliError } from './exit-codes.ts';
import { allEvents } from './events.ts';
import { session } from './session.ts';
import type { Cli } from './world.ts';

export type ExportOptions = Pick<CallsOptions, 'status' | 'q' | 'driver' | 'agent' | 'since'> & { readonly events?: boolean };

const PROGRESS_CALLS = 100;

/** A file appears under its name only when it is whole. */
export const exportCalls = async (cli: Cli, folder: string, options: ExportOptions): Promise<void> => {
  const api = session(cli);
  const query = filterQuery(options);
  const csv = await api.good('GET', `/calls.csv${query === '' ? '' : `?${query}`}`);
  const files = [join(folder, 'calls.csv'), ...(options.events === true ? [join(folder, 'events.jsonl')] : [])] as const;
  mkdirSync(folder, { recursive: true });
  await write(files[0], csv.body ?? []);
  const counted = { calls: 0, events: 0 };
  if (files[1] !== undefined) await write(files[1], eventLines(cli, api, options, counted));
  cli.print.document({ files, ...(options.events === true ? counted : {}) });
  for (const file of files) cli.print.line(file);
  if (options.events === true) cli.print.line(`${counted.events} events of ${counted.calls} calls`);
};

const write = async (path: string, source: AsyncIterable<Uint8Array | string> | Iterable<string>): Promise<void> => {
  try {
    await pipeline(Readable.from(source, { objectMode: false }), createWriteStream(`${path}.new`));
    renameSync(`${path}.new`, path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('export_failed', `${path} could not be written whole (${(error as { code?: string }).code ?? 'the answer broke off'}).`, 'failed');
  }
};

/** One event a line, exactly as in the log; calls newest first, each call's events in order. */
const eventLines = async function* (cli: Cli, api: Api, options: ExportOptions, counted: { calls: number; events: number }): AsyncGenerator<string> {
  let cursor: string | undefined;
  do {
    const page: z.infer<typeof CallList> = await api.json(CallList, 'GET', `/calls?${filterQuery(options, { cursor, limit: String(PAGE_MAX_ROWS) })}`);
    for (const { call_sid } of page.calls) {
      const { events } = await allEvents(api, call_sid);
      for (const event of events) yield `${JSON.stringify(event)}\n`;
      counted.calls += 1;
      counted.events += events.length;
      if (counted.calls % PROGRESS_CALLS === 0) cli.print.note(`${counted.calls} calls`);
    }
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
};
