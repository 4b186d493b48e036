/** Reads newline-delimited JSON: one object a line, and for each the line that it stands on. Its values become the texts that a CSV would hold. */

export interface NdjsonRecord {
  /** From 1. */
  readonly line: number;
  /** Each member as text; null: null or not there. Objects and lists are JSON text. */
  readonly cells: Readonly<Record<string, string | null>>;
}

/** The records, and the numbers of lines that hold no JSON object. Blank lines are passed over. */
export const readNdjson = (text: string): { readonly records: readonly NdjsonRecord[]; readonly broken: readonly number[] } => {
  const records: NdjsonRecord[] = [];
  const broken: number[] = [];
  text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .forEach((row, index) => {
      if (row.trim() === '') return;
      const value = parsed(row);
      if (value === null) broken.push(index + 1);
      else records.push({ line: index + 1, cells: Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asCell(member)])) });
    });
  return { records, broken };
};

const parsed = (row: string): object | null => {
  try {
    const value: unknown = JSON.parse(row);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
};

const asCell = (member: unknown): string | null => {
  if (member === null) return null;
  return typeof member === 'string' ? member : JSON.stringify(member);
};
