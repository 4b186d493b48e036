/**
 * I14: the same seed gives the same history.
 * I15: no log line or error body holds a token, a signature, a phone number or words of a call.
 */
import type { RecordOf } from './history.ts';
import type { Report } from './violation.ts';
import type { Entry, World } from './world.ts';

export const checkHygiene = (world: World, report: Report): void => {
  for (const { record, index } of world.of('replayed')) {
    if (record.hash !== record.expected) report('I14', `the same seed gave ${record.hash} and before ${record.expected}`, index);
  }
  checkWritten(world, report);
};

/** What looks like a secret, whosever it is. */
const PATTERNS: readonly (readonly [string, RegExp])[] = [
  ['a token', /eyJ[\w-]+\.[\w-]+\./g],
  ['a signature', /v0=[0-9a-f]{64}/g],
  ['a webhook secret', /wsec_\w/g],
  ['a phone number', /\+[1-9]\d{7,14}(?!\d)/g],
];

const checkWritten = (world: World, report: Report): void => {
  const written = world.of('wrote');
  if (written.length === 0) return;
  // One text to search instead of many: nothing that is looked for holds a line's end.
  const starts: number[] = [];
  let length = 0;
  for (const { record } of written) {
    starts.push(length);
    length += record.text.length + 1;
  }
  const all = written.map(({ record }) => record.text).join('\n');
  const told = new Set<string>();
  const say = (what: string, offset: number): void => {
    const entry = entryAt(written, starts, offset);
    if (entry === undefined || told.has(`${entry.index} ${what}`)) return;
    told.add(`${entry.index} ${what}`);
    report('I15', `${entry.record.actor} wrote ${what} in ${entry.record.what === 'line' ? 'a log line' : 'an error body'}`, entry.index);
  };
  findPlanted(world, all, say);
  for (const [what, pattern] of PATTERNS) for (const found of all.matchAll(pattern)) say(what, found.index);
};

/** Looks for all of them in one pass over the text: there are hundreds, and they are told apart by their first two characters. */
const findPlanted = (world: World, all: string, say: (what: string, offset: number) => void): void => {
  const starting = new Map<number, Map<string, string>>();
  const isStart = new Uint8Array(START_CODES_COUNT);
  for (const { record } of world.of('canary')) {
    const code = startCode(record.text.charCodeAt(0), record.text.charCodeAt(1));
    if (record.text.length < 2) continue;
    isStart[code] = 1;
    let same = starting.get(code);
    if (same === undefined) starting.set(code, (same = new Map<string, string>()));
    same.set(record.text, record.what);
  }
  let before = 0;
  for (let at = 0; at < all.length; at++) {
    const unit = all.charCodeAt(at);
    const code = startCode(before, unit);
    before = unit;
    if (isStart[code] === 0) continue;
    for (const [text, what] of starting.get(code) ?? []) if (all.startsWith(text, at - 1)) say(`a planted ${what}`, at - 1);
  }
};

const START_CODES_COUNT = 1 << 16;
const startCode = (first: number, second: number): number => ((first << 8) ^ second) & (START_CODES_COUNT - 1);

/** The record whose text stands at this place of them all. */
const entryAt = (written: readonly Entry<'wrote'>[], starts: readonly number[], offset: number): { readonly record: RecordOf<'wrote'>; readonly index: number } | undefined => {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return written[low];
};
