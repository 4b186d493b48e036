/**
 * When the final transcript arrives it speaks: what was heard live is joined to it, corrected, added to or taken back, so that
 * afterwards the standing turns in `index` order equal it exactly.
 *
 * Turns that both carry the provider's event id are joined by it (speakers share event ids). The others - real phone payloads
 * have no ids - are aligned per speaker, keeping order, so that the sum of likeness is greatest.
 */
import { words } from '../text.ts';
import type { FinalTurn } from './facts.ts';
import type { StandingTurn } from './turns.ts';

export type TranscriptChange =
  | { readonly change: 'retracted'; readonly turn: StandingTurn }
  | { readonly change: 'corrected'; readonly turn: StandingTurn; readonly index: number; readonly final: FinalTurn }
  | { readonly change: 'added'; readonly index: number; readonly final: FinalTurn };

/** Below it two texts are two utterances. */
const LIKENESS_MIN = 0.5;
/** Said within this many seconds of each other, less likeness is enough. */
const NEAR_SECONDS = 2;
const LIKENESS_MIN_NEAR = 0.25;
/** Cells of the alignment's table; past it (some 4,000 turns a speaker) only equal texts are joined. */
const TABLE_MAX_CELLS = 16_000_000;
/** Without times, turns further than this from where they should stand are not compared word by word. */
const NEIGHBOURS = 48;

/**
 * @param live the standing turns in `index` order
 * @param final the provider's rows that hold words, in their order
 * @returns what has to change: retractions first, then by index
 */
export const reconcileTranscript = (live: readonly StandingTurn[], final: readonly FinalTurn[]): TranscriptChange[] => {
  const joined = new Map<number, StandingTurn>();
  joinByEventId(live, final, joined);
  const taken = new Set(joined.values());
  for (const speaker of ['agent', 'driver'] as const) {
    const left = live.filter((turn) => turn.speaker === speaker && !taken.has(turn));
    const right = [...final.keys()].filter((index) => final[index]?.speaker === speaker && !joined.has(index));
    for (const [leftAt, rightAt] of align(left, right.map((index) => final[index] as FinalTurn))) {
      joined.set(right[rightAt] as number, left[leftAt] as StandingTurn);
    }
  }
  const kept = new Set(joined.values());
  const changes: TranscriptChange[] = live.filter((turn) => !kept.has(turn)).map((turn) => ({ change: 'retracted', turn }));
  for (const [index, row] of final.entries()) {
    const turn = joined.get(index);
    if (turn === undefined) changes.push({ change: 'added', index, final: row });
    else if (turn.text !== row.text || turn.index !== index) changes.push({ change: 'corrected', turn, index, final: row });
  }
  return changes;
};

const joinByEventId = (live: readonly StandingTurn[], final: readonly FinalTurn[], joined: Map<number, StandingTurn>): void => {
  const byEvent = new Map<string, StandingTurn>();
  for (const turn of live) {
    if (turn.source_event_id !== null) byEvent.set(`${turn.speaker}:${turn.source_event_id}`, turn);
  }
  for (const [index, row] of final.entries()) {
    if (row.source_event_id === null) continue;
    const key = `${row.speaker}:${row.source_event_id}`;
    const turn = byEvent.get(key);
    if (turn === undefined) continue;
    joined.set(index, turn);
    byEvent.delete(key);
  }
};

interface Utterance {
  readonly text: string;
  readonly time_in_call_secs: number | null;
}

/** Pairs of positions, both increasing. Equal texts at both ends are joined at once: most calls need no table. */
const align = (left: readonly Utterance[], right: readonly Utterance[]): [number, number][] => {
  const pairs: [number, number][] = [];
  const leftWords = left.map((turn) => words(turn.text));
  const rightWords = right.map((turn) => words(turn.text));
  const leftKeys = leftWords.map((list) => list.join(' '));
  const rightKeys = rightWords.map((list) => list.join(' '));
  let start = 0;
  const sameAt = (l: number, r: number): boolean => leftKeys[l] === rightKeys[r] && !isFar(left[l] as Utterance, right[r] as Utterance);
  while (start < left.length && start < right.length && sameAt(start, start)) {
    pairs.push([start, start]);
    start += 1;
  }
  let leftEnd = left.length;
  let rightEnd = right.length;
  while (leftEnd > start && rightEnd > start && sameAt(leftEnd - 1, rightEnd - 1)) {
    leftEnd -= 1;
    rightEnd -= 1;
    pairs.push([leftEnd, rightEnd]);
  }
  const rows = leftEnd - start;
  const columns = rightEnd - start;
  if (rows === 0 || columns === 0) return pairs;
  if (rows * columns > TABLE_MAX_CELLS) return [...pairs, ...joinEqual(leftKeys, rightKeys, start, leftEnd, rightEnd)];
  const score = (row: number, column: number): number => {
    const l = start + row;
    const r = start + column;
    const near = nearness(left[l] as Utterance, right[r] as Utterance);
    if (leftKeys[l] === rightKeys[r]) return 1 + near / 10;
    // Comparing words is what costs: only where the two could be the same moment.
    if (near === 0 && Math.abs(column - (row * columns) / rows) > NEIGHBOURS) return 0;
    return likeness(leftWords[l] as string[], rightWords[r] as string[], near);
  };
  for (const [row, column] of bestChain(rows, columns, score)) pairs.push([start + row, start + column]);
  return pairs;
};

/** Greedy, in order, equal texts only: linear, for transcripts beyond any phone call. */
const joinEqual = (leftKeys: readonly string[], rightKeys: readonly string[], start: number, leftEnd: number, rightEnd: number): [number, number][] => {
  const places = new Map<string, number[]>();
  for (let r = start; r < rightEnd; r++) {
    const key = rightKeys[r] as string;
    places.set(key, [...(places.get(key) ?? []), r]);
  }
  const pairs: [number, number][] = [];
  let next = start;
  for (let l = start; l < leftEnd; l++) {
    const place = places.get(leftKeys[l] as string)?.find((r) => r >= next);
    if (place === undefined) continue;
    pairs.push([l, place]);
    next = place + 1;
  }
  return pairs;
};

/** 1 at the same second, 0 from ten seconds on or where a time is unknown. */
const nearness = (a: Utterance, b: Utterance): number =>
  a.time_in_call_secs === null || b.time_in_call_secs === null ? 0 : Math.max(0, 1 - Math.abs(a.time_in_call_secs - b.time_in_call_secs) / 10);

/** Both times are known, and ten seconds or more lie between: equal words said twice. */
const isFar = (a: Utterance, b: Utterance): boolean => a.time_in_call_secs !== null && b.time_in_call_secs !== null && nearness(a, b) === 0;

/** 0 where the two are different utterances. An interrupted agent's final words are a start of what it meant to say. */
const likeness = (a: readonly string[], b: readonly string[], near: number): number => {
  const counts = new Map<string, number>();
  for (const word of a) counts.set(word, (counts.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of b) {
    const left = counts.get(word) ?? 0;
    if (left === 0) continue;
    shared += 1;
    counts.set(word, left - 1);
  }
  const total = a.length + b.length;
  const dice = total === 0 ? 0 : (2 * shared) / total;
  const shorter = Math.min(a.length, b.length);
  const startsAlike = shorter >= 2 && a.slice(0, shorter).every((word, i) => word === b[i]);
  const value = startsAlike ? Math.max(dice, 0.8) : dice;
  const least = near >= 1 - NEAR_SECONDS / 10 ? LIKENESS_MIN_NEAR : LIKENESS_MIN;
  return value >= least ? value * 0.95 + near / 20 : 0;
};

/** The order-keeping pairs with the greatest sum of scores; of two ways that are alike, that with the earlier columns. */
const bestChain = (rows: number, columns: number, score: (row: number, column: number) => number): [number, number][] => {
  const width = columns + 1;
  const best = new Float32Array((rows + 1) * width);
  const paired = new Uint8Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const at = row * width + column;
      const skip = Math.max(best[at + width] as number, best[at + 1] as number);
      const value = score(row, column);
      const take = value > 0 ? Math.fround(value + (best[at + width + 1] as number)) : 0;
      paired[at] = value > 0 && take >= skip ? 1 : 0;
      best[at] = Math.max(take, skip);
    }
  }
  const pairs: [number, number][] = [];
  let row = 0;
  let column = 0;
  while (row < rows && column < columns) {
    const at = row * width + column;
    if (paired[at] === 1) pairs.push([row++, column++]);
    else if ((best[at + width] as number) >= (best[at + 1] as number)) row += 1;
    else column += 1;
  }
  return pairs;
};
