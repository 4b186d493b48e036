/** Reads an export of the older system's table `calls`: from its columns to the facts of a finished call. */
import { z } from 'zod';
import type { Outcome } from '../core/domain/call/facts.ts';
import { cutToJsonBytes } from '../core/domain/text.ts';
import { ID_MAX_CHARACTERS } from '../core/protocol/limits.ts';
import { CliError } from './exit-codes.ts';
import { cellsOf, readCsv } from './read-csv.ts';
import { readNdjson } from './read-ndjson.ts';

export interface OlderCall {
  readonly call_sid: string;
  readonly conversation_id: string | null;
  /** Milliseconds. */
  readonly created_at: number;
  readonly ended_at: number | null;
  readonly outcome: Outcome;
}

const NEEDED = ['call_sid', 'status', 'created_at'];
/** Columns that a database older than the migration of the six fields does not have; then they are null. */
const MAY_BE_MISSING = ['conversation_id', 'call_end_time', 'transcript_summary', 'call_duration_seconds', 'cost', 'call_successful', 'analysis_data', 'metadata_json'];

/** Room that the projection of a call has for its summary. */
const SUMMARY_MAX_BYTES = 12 * 1024;

const Id = z.string().max(ID_MAX_CHARACTERS).regex(/^\P{Cc}+$/u);
/** `2025-11-21T10:00:00Z`, or as PostgreSQL writes it: `2025-11-21 10:00:00.123456+00`. A time without zone was UTC. */
const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?\s*(Z|[+-]\d\d(?::?\d\d)?)?$/;
const Time = z.string().transform((text, context) => {
  const [, day, time, fraction, zone] = TIME.exec(text) ?? [];
  const offset = zone === undefined || zone === 'Z' ? 'Z' : `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`;
  const ms = Date.parse(`${day ?? ''}T${time ?? ''}${(fraction ?? '').slice(0, 4)}${offset}`);
  if (Number.isNaN(ms)) context.addIssue('no time');
  return ms;
});
const Numeric = z.string().regex(/^-?\d{1,15}(\.\d{1,15})?(e-?\d{1,2})?$/i).transform(Number);
const YES_OR_NO: Readonly<Record<string, boolean>> = { t: true, true: true, '1': true, f: false, false: false, '0': false };
const Bool = z.string().toLowerCase().refine((word) => word in YES_OR_NO).transform((word) => YES_OR_NO[word] ?? false);
const JsonText = z.string().refine((text) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
});

const Row = z.object({
  call_sid: Id,
  conversation_id: Id.nullable(),
  status: z.string().max(64),
  created_at: Time,
  call_end_time: Time.nullable(),
  transcript_summary: z.string().nullable(),
  call_duration_seconds: Numeric.nullable(),
  cost: Numeric.nullable(),
  call_successful: Bool.nullable(),
  analysis_data: JsonText.nullable(),
  metadata_json: JsonText.nullable(),
});
type Row = z.infer<typeof Row>;

const FORMS: Readonly<Record<keyof Row, string>> = {
  call_sid: 'is needed, as up to 256 characters',
  conversation_id: 'has to have up to 256 characters',
  status: 'is needed',
  created_at: 'is needed, as a time such as 2025-11-21T10:00:00Z',
  call_end_time: 'has to be a time such as 2025-11-21T10:00:00Z',
  transcript_summary: 'has to be text',
  call_duration_seconds: 'has to be a number',
  cost: 'has to be a number',
  call_successful: 'has to be true or false',
  analysis_data: 'has to be JSON',
  metadata_json: 'has to be JSON',
};

/** How the export was written. */
export type ExportFormat = 'csv' | 'ndjson';

/** A file whose first line is an object was written as newline-delimited JSON. */
export const formatOf = (text: string): ExportFormat => (/^\uFEFF?\s*\{/.test(text) ? 'ndjson' : 'csv');

/** The calls of a file, and each line that is none by number and column. Throws CliError `csv_invalid` where the file is no such export. */
export const readOlderCalls = (text: string, format: ExportFormat = formatOf(text)): { calls: OlderCall[]; problems: string[] } => {
  const { rows, broken } = format === 'ndjson' ? jsonRows(text) : { rows: csvRows(text), broken: [] };
  const calls: OlderCall[] = [];
  const problems = broken.map((line) => ({ line, text: `line ${line}: is no JSON object` }));
  for (const { line, cell } of rows) {
    const row = Row.safeParse(Object.fromEntries([...NEEDED, ...MAY_BE_MISSING].map((column) => [column, cell(column)])));
    if (row.success) calls.push(callOf(row.data));
    else problems.push(...[...new Set(row.error.issues.map((issue) => String(issue.path[0]) as keyof Row))].map((column) => ({ line, text: `line ${line}, ${column}: ${FORMS[column]}` })));
  }
  return { calls, problems: problems.sort((a, b) => a.line - b.line).map((problem) => problem.text) };
};

/** As in a CSV: blank is null. */
const textIn = (cell: string | null | undefined): string | null => {
  const text = cell?.trim() ?? '';
  return text === '' ? null : text;
};

interface SourceRow {
  readonly line: number;
  readonly cell: (column: string) => string | null;
}

const csvRows = (text: string): SourceRow[] => {
  const csv = readCsv(text);
  const missing = NEEDED.filter((column) => !csv.columns.includes(column));
  if (missing.length > 0) throw new CliError('csv_invalid', `Line 1 lacks the column ${missing.join(' and ')}.`, 'failed');
  return csv.records.map((record) => {
    const cell = cellsOf(csv, record);
    return { line: record.line, cell: (column) => (cell(column) === '\\N' ? null : cell(column)) };
  });
};

const jsonRows = (text: string): { rows: SourceRow[]; broken: readonly number[] } => {
  const { records, broken } = readNdjson(text);
  return { rows: records.map(({ line, cells }) => ({ line, cell: (column) => textIn(cells[column]) })), broken };
};

/** What the older system called an end. */
const COMPLETED = new Set(['completed', 'done', 'ended', 'success']);
const FAILED = new Set(['failed', 'error', 'busy', 'no-answer', 'no_answer', 'canceled', 'cancelled']);

/**
 * A call that the older system never saw the end of is over by now: it has completed if anything of its end is known, else it
 * failed for that reason.
 */
const callOf = (row: Row): OlderCall => {
  const word = row.status.toLowerCase();
  const known = row.call_end_time !== null || row.call_duration_seconds !== null || row.transcript_summary !== null || row.analysis_data !== null;
  const completed = COMPLETED.has(word) || (known && !FAILED.has(word));
  const reason = FAILED.has(word) ? word : `never seen to end by the older system (${word})`;
  const { call_end_time: ended, call_duration_seconds: seconds } = row;
  return {
    call_sid: row.call_sid,
    conversation_id: row.conversation_id,
    created_at: row.created_at,
    ended_at: ended,
    outcome: {
      status: completed ? 'completed' : 'failed',
      reason: completed ? null : reason,
      // The end of a call is its start and its duration: so the start is what gives the end that was kept.
      started_at: seconds === null ? null : ended === null ? row.created_at : ended - Math.round(seconds * 1000),
      transcript_summary: row.transcript_summary === null ? null : cutToJsonBytes(row.transcript_summary, SUMMARY_MAX_BYTES),
      call_duration_seconds: seconds,
      cost: row.cost,
      cost_credits: null,
      call_successful: row.call_successful,
      outcome: row.call_successful === null ? null : row.call_successful ? 'success' : 'failure',
      call_summary_title: null,
      termination_reason: null,
      analysis_data: row.analysis_data,
      metadata_json: row.metadata_json,
      evaluation_results: null,
      collection_results: null,
      direction: null,
      agent_id: null,
      transcript: null,
      tools: [],
    },
  };
};
