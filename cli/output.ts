/** Where a verb writes: for people line by line, for programs as JSON. Only `cli/main.ts` knows what stands behind it. */

export interface Output {
  /** Takes whole lines, their line ends included. */
  out(text: string): void;
  err(text: string): void;
}

/** What a verb says. Exactly one of the two forms goes to stdout; progress goes to stderr in both. */
export interface Printer {
  readonly json: boolean;
  /** A line for people; nothing under --json. */
  line(text: string): void;
  /** The one document of a verb; nothing without --json. */
  document(value: unknown): void;
  /** One line of a stream; nothing without --json. */
  record(value: unknown): void;
  /** Progress, to stderr. */
  note(text: string): void;
}

/** Controls and marks that turn the direction of writing: somebody's words must not steer a terminal. */
const STEERING = /[\p{Cc}\p{Bidi_Control}]/gu;

/** The text on one line, with nothing that steers a terminal. */
export const printable = (text: string): string => text.replace(/\s*[\r\n\t]+\s*/g, ' ').replace(STEERING, '\uFFFD');

export const printerTo = (output: Output, json: boolean): Printer => ({
  json,
  line: (text) => {
    if (!json) output.out(`${indented(text)}\n`);
  },
  document: (value) => {
    if (json) output.out(`${JSON.stringify(value, null, 2)}\n`);
  },
  record: (value) => {
    if (json) output.out(`${JSON.stringify(value)}\n`);
  },
  note: (text) => output.err(`${indented(text)}\n`),
});

/** Spaces in front are the verb's own. */
const indented = (text: string): string => (/^ */.exec(text)?.[0] ?? '') + printable(text.trimStart());

/** Rows under their heads, in columns as wide as their widest cell. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
};
