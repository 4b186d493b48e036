/**
 * `earshot import <file>`: calls of the older system, from an export of its table `calls`. They come in by the log's own door,
 * whichever log that is, so that they are sealed, proved and kept like any other, and the same file twice is the same once.
 */
import { existsSync } from 'node:fs';
import type { FactEntry } from '../core/domain/call/facts.ts';
import type { NewCall } from '../core/domain/call/state.ts';
import type { CallLog, IdempotencyKey } from '../ports/call-log.ts';
import { CliError, usage } from './exit-codes.ts';
import { inCloud, logPath, tenantMeant, withDirectory, workspaceMeant } from './local-data.ts';
import { withLogFile } from './log-file.ts';
import { readOlderCalls, type ExportFormat, type OlderCall } from './older-calls.ts';
import { textOfFile } from './password.ts';
import { together } from './together.ts';
import type { Cli } from './world.ts';

export interface ImportOptions {
  readonly tenant?: string;
  readonly workspace?: string;
  readonly partial?: boolean;
  /** Only say what would be done. */
  readonly dryRun?: boolean;
  readonly format?: string;
}

/** Appends under way at once: they share commits. */
const TOGETHER_COUNT = 50;
const PROGRESS_ROWS = 500;

interface Counts {
  imported: number;
  repeated: number;
  elsewhere: number;
}

/** Throws CliError `csv_invalid` (nothing was done), `import_incomplete` (the rest was), `server_running`. */
export const importCalls = async (cli: Cli, file: string, options: ImportOptions): Promise<void> => {
  const { calls, problems } = readOlderCalls(textOfFile(file), formatIn(options));
  if (problems.length > 0 && options.partial !== true) throw new CliError('csv_invalid', 'Nothing was imported; --partial takes the good lines.', 'failed', problems);
  const dry = options.dryRun === true;
  const owner = await ownerOf(cli, options);
  const counts: Counts = { imported: 0, repeated: 0, elsewhere: 0 };
  const log = await openLog(cli, dry);
  try {
    for (let from = 0; from < calls.length; from += TOGETHER_COUNT) {
      const results = await together(calls.slice(from, from + TOGETHER_COUNT), (call) => (dry ? lookAt(cli, log, call, owner) : bringIn(cli, log, call, owner)));
      for (const result of results) counts[result] += 1;
      if (from > 0 && from % PROGRESS_ROWS === 0) cli.print.note(`${from} of ${calls.length}`);
    }
  } finally {
    await log?.close();
  }
  cli.print.document({ ...counts, problems, ...(dry ? { dry_run: true } : {}) });
  cli.print.line(`${dry ? 'Would import' : 'Imported'} ${counts.imported} calls; ${counts.repeated} were there already.`);
  if (counts.elsewhere > 0) problems.push(`${counts.elsewhere} conversations belong to another tenant or were erased here: left out`);
  if (problems.length > 0) throw new CliError('import_incomplete', dry ? 'Not every line would be imported.' : 'Not every line was imported.', 'failed', problems);
};

const formatIn = ({ format }: ImportOptions): ExportFormat | undefined => {
  if (format === undefined || format === 'csv' || format === 'ndjson') return format;
  throw usage('--format has to be csv or ndjson.');
};

/** null: there is none yet, and a dry run begins none. */
const openLog = async (cli: Cli, dry: boolean): Promise<CallLog | null> => {
  const settings = cli.settings();
  if (settings.store === 'google') return cli.ways.openCallLog(settings, null, dry);
  const path = logPath(cli);
  if (dry && !existsSync(path)) return null;
  // One process writes the log: a server that runs would not tell its viewers of these calls at once.
  if (!dry && existsSync(path)) withLogFile(path, () => undefined);
  return cli.ways.openCallLog(settings, path, dry);
};

/** Whose calls come in. */
interface Owner {
  readonly workspace: string;
  readonly tenant: string;
}

const ownerOf = async (cli: Cli, { tenant, workspace }: ImportOptions): Promise<Owner> => ({
  workspace: workspaceMeant(cli, workspace),
  // On one machine a log may be filled before there is a directory.
  tenant: inCloud(cli) ? await withDirectory(cli, (directory) => tenantMeant(cli, directory, tenant)) : (tenant ?? cli.local.tenant),
});

const newCall = (older: OlderCall, owner: Owner): NewCall => ({
  ...owner,
  call_sid: older.call_sid,
  driver: null,
  to_number: null,
  agent_id: null,
  direction: null,
  triggers_count: 0,
  requested_by: null,
  created_at: older.created_at,
});

/** What `bringIn` would do, as far as that can be told without doing it: what another row of the same file brings is not seen. */
const lookAt = async (cli: Cli, log: CallLog | null, older: OlderCall, owner: Owner): Promise<keyof Counts> => {
  if (log === null) return 'imported';
  const call = newCall(older, owner);
  if (older.conversation_id === null) {
    const known = await log.repeated(ownKey(cli, call));
    if (known === null) return 'imported';
    return known.result === 'repeated' ? 'repeated' : 'elsewhere';
  }
  const found = await log.find(older.conversation_id);
  if (found === null) return 'imported';
  return found !== 'erased' && found.tenant === call.tenant && found.workspace === call.workspace ? 'repeated' : 'elsewhere';
};

const bringIn = async (cli: Cli, log: CallLog | null, older: OlderCall, owner: Owner): Promise<keyof Counts> => {
  if (log === null) throw new Error('there is no log to import into');
  const call = newCall(older, owner);
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
const ownKey = (cli: Cli, call: NewCall): IdempotencyKey => {
  const key = cli.runtime.sha256(JSON.stringify(['import', call.tenant, call.workspace, call.call_sid]));
  return { key, request_hash: key };
};

const appendUnbound = async (cli: Cli, log: CallLog, call: NewCall, entry: FactEntry): Promise<readonly { readonly result: string }[]> => {
  const created = await log.create([call], ownKey(cli, call));
  if (created.result === 'erased' || created.result === 'key_reused') return [{ result: 'erased' }];
  const [begun] = created.calls;
  return (begun === undefined ? null : await log.append(begun.call_sid, [entry]))?.results ?? [];
};
