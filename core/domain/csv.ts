/**
 * Comma-separated values (RFC 4180), safe to open in a spreadsheet: text that it would take for a formula begins with an
 * apostrophe. https://owasp.org/www-community/attacks/CSV_Injection
 */
export type CsvCell = string | number | boolean | null;

const FORMULA = /^[=+\-@\t\r]/;
const NEEDS_QUOTES = /[",\r\n]/;

const cell = (value: CsvCell): string => {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return NEEDS_QUOTES.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/** One record with its line end. Null is an empty cell. */
export const csvRow = (cells: readonly CsvCell[]): string => `${cells.map(cell).join(',')}\r\n`;
