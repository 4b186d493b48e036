/**
 * `earshot import <file.csv>`: calls of the older system, from an export of its table `calls`. They come in by the log's own door,
 * so that they are sealed, proved and kept like any other, and the same file twice is the same once.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { FactEntry } from '../core/domain/call/facts.ts';
import type { NewCall } from '../core/domain/call/state.ts';
import type { CallLog } from '../ports/call-log.ts';
import { CliError } from './exit-codes.ts';
import { dataDir } from './local-data.ts';
import { withLogFile } from './log-file.ts';
import { readOlderCalls, type OlderCall } from './older-calls.ts';
import { textOfFile } from './password.ts';
import type { Cli } from './world.ts';

export interface ImportOptions {
  readonly tenant?: string;
  readonly workspace?: string;
  readonly partial?: boolean;
}

/** Appends under way at once: they share commits. */
const TOGETHER_COUNT = 50;
const PROGRESS_ROWS = 500;

interface Counts {
  imported: number;
  repeated: number;
  elsewhere: number;
}

export const importCalls = async (cli: Cli, file: string, options: ImportOptions): Promise<void> => {
  const { calls, problems } = readOlderCalls(textOfFile(file));
  if (problems.length > 0 && options.partial !== true) throw new CliError('csv_invalid', 'Nothing was imported; --partial takes the good lines.', 'failed', problems);
  const path = join(dataDir(cli), 'calls.db');
  // One process writes the log: a server that runs would not tell its viewers of these calls at once.
  if (existsSync(path)) withLogFile(path, () => undefined);
  const log = cli.ways.openCallLog(path);
  const counts: Counts = { imported: 0, repeated: 0, elsewhere: 0 };
  try {
    for (let from = 0; from < calls.length; from += TOGETHER_COUNT) {
      const results = await Promise.all(calls.slice(from, from + TOGETHER_COUNT).map((call) => bringIn(cli, log, call, options)));
      for (const result of results) counts[result] += 1;
      if (from > 0 && from % PROGRESS_ROWS === 0) cli.print.note(`${from} of ${calls.length}`);
    }
  } finally {
    await log.close();
  }
  cli.print.document({ ...counts, problems });
  cli.print.line(`Imported ${counts.imported} calls; ${counts.repeated} were there already.`);
  if (counts.elsewhere > 0) problems.push(`${counts.elsewhere} conversations belong to another tenant or were erased here: left out`);
  if (problems.length > 0) throw new CliError('import_incomplete', 'Not every line was imported.', 'failed', problems);
};

const bringIn = async (cli: Cli, log: CallLog, older: OlderCall, options: ImportOptions): Promise<keyof Counts> => {
  const tenant = options.tenant ?? cli.local.tenant;
  const call: NewCall = {
    call_sid: older.call_sid,
    workspace: options.workspace ?? cli.local.workspace,
    tenant,
    driver: null,
    to_number: null,
    agent_id: null,
    direction: null,
    triggers_count: 0,
    requested_by: null,
    created_at: older.created_at,
  };
  const entry: FactEntry = { fact: { kind: 'finished', outcome: older.outcome, at: older.ended_at ?? older.created_at }, source: 'import', conversation_id: older.conversation_id, provider_call_id: null };
  try {
    const results = older.conversation_id === null ? await appendUnbound(cli, log, call, entry) : (await log.adopt(older.conversation_id, call, [entry])).results;
    const [result] = results;
    if (result?.result === 'appended' || result?.result === 'noted') return 'imported';
    return result?.result === 'duplicate' ? 'repeated' : 'elsewhere';
  } catch (error) {
    if ((error as { code?: unknown }).code === 'call_erased') return 'elsewhere';
    throw error;
  }
};

/** A call without conversation is known again by a key of its own. */
const appendUnbound = async (cli: Cli, log: CallLog, call: NewCall, entry: FactEntry): Promise<readonly { readonly result: string }[]> => {
  const key = cli.runtime.sha256(JSON.stringify(['import', call.tenant, call.workspace, call.call_sid]));
  const created = await log.create([call], { key, request_hash: key });
  if (created.result === 'erased' || created.result === 'key_reused') return [{ result: 'erased' }];
  const [begun] = created.calls;
  return (begun === undefined ? null : await log.append(begun.call_sid, [entry]))?.results ?? [];
};
