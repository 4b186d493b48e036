/** Reads comma-separated values (RFC 4180): quotes, line ends within them, and for each record the line that it begins on. */
import { CliError } from './exit-codes.ts';

export interface CsvRecord {
  /** From 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

export interface CsvTable {
  readonly columns: readonly string[];
  readonly records: readonly CsvRecord[];
}

/** One field, quoted or not, and what ends it. Sticky: it is asked for from a place in the text. */
const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/y;

/** Throws CliError `csv_invalid` that names the line. */
export const readCsv = (text: string): CsvTable => {
  const records = recordsOf(text.replace(/^\uFEFF/, ''));
  const [head, ...rest] = records;
  if (head === undefined) throw new CliError('csv_invalid', 'The file is empty: its first line names the columns.', 'failed');
  const columns = head.cells.map((cell) => cell.trim());
  const twice = columns.find((column, index) => columns.indexOf(column) !== index);
  if (twice !== undefined) throw new CliError('csv_invalid', `Line 1 names the column ${twice} twice.`, 'failed');
  for (const { line, cells } of rest) {
    if (cells.length !== columns.length) throw new CliError('csv_invalid', `Line ${line} has ${cells.length} fields, but there are ${columns.length} columns.`, 'failed');
  }
  return { columns, records: rest };
};

const recordsOf = (text: string): CsvRecord[] => {
  const records: CsvRecord[] = [];
  let cells: string[] = [];
  let line = 1;
  let began = 1;
  let place = 0;
  while (place < text.length || cells.length > 0) {
    FIELD.lastIndex = place;
    const match = FIELD.exec(text);
    if (match === null) throw new CliError('csv_invalid', `Line ${line}: a quote stands where none can stand, or is never closed.`, 'failed');
    const [whole, quoted, plain, ending] = match;
    cells.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    line += lineEnds(whole);
    place += whole.length;
    if (ending === ',') continue;
    // A blank line is no record.
    if (cells.length > 1 || cells[0] !== '' || quoted !== undefined) records.push({ line: began, cells });
    cells = [];
    began = line;
  }
  return records;
};

const lineEnds = (text: string): number => text.match(/\r\n|\n|\r/g)?.length ?? 0;

/** A record's field by its column's name; null: there is no such column, or it is empty. */
export const cellsOf = ({ columns }: CsvTable, { cells }: CsvRecord): ((column: string) => string | null) => {
  return (column) => {
    const cell = cells[columns.indexOf(column)]?.trim() ?? '';
    return cell === '' ? null : cell;
  };
};
