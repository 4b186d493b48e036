import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { median, percentile, ratioOf, verdictOf, verdictText, type Measured } from '../bench/harness/figures.ts';
import { allKept } from '../bench/harness/kept.ts';
import { expectFile } from '../fixtures/generated-page.ts';
import { withBlocks, type Blocks } from '../fixtures/marked-blocks.ts';
import { benchTable, boundsText, growthTable, targetTable, viewersTable } from '../fixtures/performance-tables.ts';
import { figureOf, planFor, returnSeconds, shardingFrom, viewersOf, type Constants, type Heard } from '../fixtures/scale.ts';

const PAGE = 'docs/performance.md';
const kept = allKept();

const heard = (pace: string): Heard => ({
  watchedUs: figureOf(kept, 'ingest', `whole relay to 2 viewers, ${pace}`, 'us CPU per message'),
  unwatchedUs: figureOf(kept, 'ingest', `of a call that nobody watches, ${pace}`, 'us CPU per message'),
});

const measuredConstants = (): Constants => ({
  deliveryUs: figureOf(kept, 'deliver', '1,000 calls x 2 viewers', 'us CPU per delivery'),
  alone: heard('1 message a response'),
  inTens: heard('10 a response'),
  handshakeUs: figureOf(kept, 'handshake', 'a token seen first', 'ms CPU per connection') * 1000,
  connectionKb: figureOf(kept, 'idle', 'resident, over the same server without connections', 'kB per connection'),
  receiveUs: figureOf(kept, 'webhook', '0.5 KB, receiving: CPU', 'us per request'),
  appendUs: figureOf(kept, 'append', 'Firestore, a call this process left: CPU', 'us per append'),
  publishUs: figureOf(kept, 'publish', 'gRPC server, CPU', 'us per publication'),
});

const figure = (more: Partial<Measured>): Measured => ({ what: 'a thing', unit: 'ms', ours: [1, 2, 3], baseline: { name: 'other', values: [2, 2, 4] }, ...more });

describe('figures of rounds', () => {
  it('have the middle one as their median, and the nearest rank as a percentile', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect([0.5, 0.99, 0.999].map((share) => percentile(Array.from({ length: 100 }, (_, place) => place + 1), share))).toEqual([50, 99, 100]);
  });

  it('are compared round by round, not median by median', () => {
    expect(ratioOf(figure({}))).toEqual({ median: 0.75, min: 0.5, max: 1 });
    expect(ratioOf(figure({ baseline: null }))).toBeNull();
  });

  it('say whether a target was reached, and by how much it was missed', () => {
    expect(verdictOf(figure({ target: { of: 'ratio', bound: 'most', value: 0.75 } }))).toEqual({ value: 0.75, reached: true, missedBy: 0 });
    expect(verdictText(figure({ target: { of: 'ratio', bound: 'most', value: 0.6 } }))).toBe('<= 0.6: missed by 25 %');
    expect(verdictText(figure({ target: { of: 'this', bound: 'most', value: 2 } }))).toBe('<= 2 ms: reached');
    expect(verdictText(figure({ target: { of: 'ratio', bound: 'least', value: 1.5 } }))).toBe('>= 1.5: missed by 50 %');
    expect(verdictText(figure({}))).toBe('');
  });
});

describe('the plan for growth', () => {
  const constants: Constants = { deliveryUs: 10, alone: { watchedUs: 300, unwatchedUs: 200 }, inTens: { watchedUs: 100, unwatchedUs: 50 }, handshakeUs: 200, connectionKb: 10, receiveUs: 200, appendUs: 600, publishUs: 200 };

  it('ends a relay by what is used up first', () => {
    expect(viewersOf(constants, 1)).toEqual({ viewers: 900, by: 'connections' });
    expect(viewersOf(constants, 500)).toEqual({ viewers: 100, by: 'processor' });
    expect(viewersOf({ ...constants, connectionKb: 1_000 }, 1)).toEqual({ viewers: 536, by: 'memory' });
  });

  it('needs two relays at least, more with more events, and shards where hearing all of them is too much', () => {
    expect(shardingFrom(constants)).toBe(10_000);
    expect(planFor(constants, 10)).toMatchObject({ relays: 2, functions: 1 });
    // Each alone they leave three tenths of a processor for what is watched, in tens more than four.
    expect(planFor({ ...constants, alone: { watchedUs: 1_100, unwatchedUs: 200 } }, 1_000)).toMatchObject({ relays: 3 });
    expect(planFor({ ...constants, alone: { watchedUs: 1_100, unwatchedUs: 200 } }, 1_001)).toMatchObject({ relays: 2 });
    expect(planFor(constants, 8_000)).toMatchObject({ relays: 4, functions: 16 });
    expect(planFor(constants, 10_000)).toMatchObject({ relays: null, monthUsd: null });
    expect(returnSeconds(constants)).toBeCloseTo(0.18);
  });
});

it('the page of figures is printed from the kept results', () => {
  const tables = Object.fromEntries(kept.map((one): [string, () => string] => [one.bench, () => benchTable(one)]));
  const constants = measuredConstants();
  const blocks: Blocks = {
    ...tables,
    targets: () => targetTable(kept),
    viewers: () => viewersTable(constants),
    plan: () => growthTable(constants),
    bounds: () => boundsText(constants),
  };
  expectFile(PAGE, withBlocks(readFileSync(PAGE, 'utf8'), blocks));
});
