import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AREAS, FAULTS, type FaultCase, type ShownBy } from '../fixtures/faults-catalogue.ts';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';

const TESTS = new URL('../', import.meta.url).pathname;
const sources = new Map<string, string>();
const sourceOf = (file: string): string => {
  const known = sources.get(file) ?? (existsSync(join(TESTS, file)) ? readFileSync(join(TESTS, file), 'utf8') : '');
  sources.set(file, known);
  return known;
};
const NAME = /\((?:'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\\n]|\\.)+)`), (?:async )?[({]/g;
/** Names of tests as they stand in the code: the text that a call begins with. */
const namesIn = (file: string): string[] => [...sourceOf(file).matchAll(NAME)].map(([, single, double, back]) => single ?? double ?? back ?? '');
const nameOf = ({ file, test }: ShownBy): string | undefined => namesIn(file).find((name) => name.startsWith(test));
/** A row of a table stands in the code as text of its own. */
const hasRow = ({ file, row }: ShownBy): boolean => row === undefined || ["'", '"', '`'].some((quote) => sourceOf(file).includes(`${quote}${row}${quote}`));

/** The whole name of a test, as a reader can search for it, in the place of `%s` its row. */
const whole = (shown: ShownBy): string => {
  const name = (nameOf(shown) ?? shown.test).replaceAll(/\\(['"`])/g, '$1');
  return `\`${shown.file}\`: ${shown.row === undefined ? name : name.replace(/%(\.\d+)?[sj]/, shown.row)}`;
};

describe('the catalogue of faults', () => {
  it('names each of its cases once, and every area has some', () => {
    expect(new Set(FAULTS.map(({ id }) => id)).size).toBe(FAULTS.length);
    expect([...new Set(FAULTS.map(({ area }) => area))]).toEqual(AREAS);
  });

  it.each(FAULTS)('$id is shown by tests that there are, or said to be a gap', ({ shownBy, gap }) => {
    expect(shownBy.length > 0 || gap !== undefined).toBe(true);
    expect(shownBy.filter((shown) => nameOf(shown) === undefined || !hasRow(shown))).toEqual([]);
  });

  it('leaves no case of webhooks, REST, identity and relay without a test', () => {
    expect(FAULTS.filter(({ area, shownBy }) => ['Webhooks', 'REST and dialling', 'Identity', 'Relay'].includes(area) && shownBy.length === 0)).toEqual([]);
  });

  it('prints its page', () => {
    const row = ({ id, fault, shownBy, gap }: FaultCase): string[] => [id, fault, shownBy.map(whole).join('<br>'), gap === undefined ? '' : `**${gap.by}**: ${gap.reason}`];
    const tables = AREAS.map((area) => `## ${area}\n\n${markdownTable(['case', 'fault', 'shown by', 'not shown yet, and what will show it'], FAULTS.filter((one) => one.area === area).map(row))}`);
    const shown = FAULTS.filter(({ gap }) => gap === undefined).length;
    const partly = FAULTS.filter(({ gap, shownBy }) => gap !== undefined && shownBy.length > 0).length;
    expectPage(
      'faults.md',
      `# Faults\n\nWhat may go wrong, case by case, and the tests that show that it does no harm. Of ${FAULTS.length} cases ${shown} are shown whole, ${partly} in part, ${FAULTS.length - shown - partly} not yet. Abuse is repeated against the real server in a process of its own, whose memory is measured, beside a viewer and a sender who must notice nothing. Printed from \`test/fixtures/faults-catalogue.ts\`.\n\n${tables.join('\n')}`,
    );
  });
});
