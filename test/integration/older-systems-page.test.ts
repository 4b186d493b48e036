import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectPage, markdownTable } from '../fixtures/generated-page.ts';
import { OLDER_ROWS, OLDER_TESTS, type ShownBy } from '../fixtures/older-systems.ts';

const TESTS = new URL('../', import.meta.url).pathname;
const ROW_IDS = [...Array.from({ length: 19 }, (_, index) => `A${index + 1}`), ...Array.from({ length: 8 }, (_, index) => `B${index + 1}`)];

const files = readdirSync(TESTS, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts')).sort();
/** Names of tests as they stand in the code: the text that a call begins with. */
const namesIn = (file: string): string[] => [...readFileSync(join(TESTS, file), 'utf8').matchAll(/\((?:'((?:[^'\\\n]|\\.)+)'|"((?:[^"\\\n]|\\.)+)"|`((?:[^`\\\n]|\\.)+)`), (?:async )?[({]/g)].map(([, single, double, back]) => (single ?? double ?? back ?? '').replaceAll(/\\(['"`])/g, '$1'));
const names = new Map(files.map((file) => [file, namesIn(file)]));
const namedAfter = (id: string): ShownBy[] => files.flatMap((file) => (names.get(file) ?? []).filter((name) => name.startsWith(`${id}: `)).map((test) => ({ file, test })));
const exists = ({ file, test }: ShownBy): boolean => (names.get(file) ?? []).some((name) => name.startsWith(test));

/** The whole name of a test, as a reader can search for it. */
const whole = ({ file, test }: ShownBy): string => `\`${file}\`: ${(names.get(file) ?? []).find((name) => name.startsWith(test)) ?? test}`;

describe('what the older systems did', () => {
  it('is kept row by row: none is left out, and none stands twice', () => {
    expect(OLDER_ROWS.map(({ id }) => id)).toEqual(ROW_IDS);
  });

  it.each(OLDER_ROWS)('$id is shown by a test of its name, or said to be later work with what there is now', ({ id, later, also = [] }) => {
    const own = namedAfter(id);
    expect(own.length > 0 || (later !== undefined && ['A15', 'A16'].includes(id))).toBe(true);
    expect(also.filter((shown) => !exists(shown))).toEqual([]);
  });

  it('A19: has a counterpart for each of the older tests', () => {
    expect(OLDER_TESTS.filter(([, , counterpart]) => !exists(counterpart))).toEqual([]);
    expect([...new Set(OLDER_TESTS.map(([group]) => group))]).toEqual(['post-call data', 'webhook', 'manager', 'messages', 'endpoint', 'broadcasts']);
  });

  it('prints its page', () => {
    const rows = OLDER_ROWS.map((row) => [row.id, row.was, [...namedAfter(row.id), ...(row.also ?? [])].map(whole).join('<br>'), row.later ?? '']);
    const tests = OLDER_TESTS.map(([group, what, counterpart]) => [group, what, whole(counterpart)]);
    expectPage(
      '../older-systems.md',
      `# What the older systems did\n\nTwo systems came before Earshot: a backend that had a voice agent phone drivers (A), and one for agent chats (B). What their users had is here, each with the tests that show it; a test that is named after its row begins with the row's id. Printed by \`test/integration/older-systems-page.test.ts\`.\n\n` +
        `${markdownTable(['row', 'what it did, or failed to do', 'shown by', 'later work, and what there is now'], rows)}\n## A19: its tests and their counterparts\n\n${markdownTable(['group', 'older test', 'shown by'], tests)}`,
    );
  });
});
