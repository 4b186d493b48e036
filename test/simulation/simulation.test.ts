import { describe, expect, it } from 'vitest';
import type { FaultKind } from './faults.ts';
import { KEPT_SEEDS } from './kept-seeds.ts';
import { runSeed } from './run.ts';
import { failureLines, summaryLines } from './summary.ts';
import { ordersOf, swarm, type Summary } from './swarm.ts';

const PROCESSES = 2;
const MINUTES = 60_000;
const FIXED = 1_000;
const FRESH = 300;
/** Other seeds at every run. */
const from = Math.floor(Math.random() * 1e8);

const seedsFrom = (first: number, count: number): number[] => Array.from({ length: count }, (_, place) => first + place);

/** What a person needs who reads of a failure, first what is needed most: output may be cut. */
const told = (summary: Summary): string => [...failureLines(summary), ...summaryLines(summary)].join('\n');

describe('the whole product in a simulated world', () => {
  it.each(KEPT_SEEDS)('keeps its promise on seed $seed, which once found: $found', async ({ seed, faults }) => {
    const run = await runSeed({ seed, only: faults });
    expect(run.violations).toEqual([]);
  });

  it(`keeps its promise on ${FIXED} seeds that are the same every time, and reaches everything that may happen`, { timeout: 10 * MINUTES }, async () => {
    const summary = await swarm({ orders: ordersOf(seedsFrom(1, FIXED), null), processes: PROCESSES });
    expect(summary.failures, told(summary)).toEqual([]);
    expect(summary.seeds).toBe(FIXED);
    expect(summary.neverReached).toEqual([]);
    expect(summary.events).toBeGreaterThan(20 * FIXED);
    expect(summary.deliveries).toBeGreaterThan(summary.events);
  });

  it(`keeps its promise on ${FRESH} seeds that nobody has seen before`, { timeout: 10 * MINUTES }, async ({ task }) => {
    task.meta.told = `fresh seeds of the simulation: ${from} to ${from + FRESH - 1}`;
    const summary = await swarm({ orders: ordersOf(seedsFrom(from, FRESH), null), processes: PROCESSES });
    expect(summary.failures, told(summary)).toEqual([]);
    expect(summary.seeds).toBe(FRESH);
  });

  it('without any fault shows every event to every viewer, and breaks nothing', async () => {
    const run = await runSeed({ seed: 3, plan: new Map() });
    expect(run.violations).toEqual([]);
    expect([...run.faults]).toEqual([]);
    expect(run.deliveries).toBeGreaterThan(50);
  });

  it('gives the same history for the same seed, and another for another', async () => {
    const [once, again, other] = [await runSeed({ seed: 11 }), await runSeed({ seed: 11 }), await runSeed({ seed: 12 })];
    expect(again.hash).toBe(once.hash);
    expect(other.hash).not.toBe(once.hash);
    expect(once.records.length).toBeGreaterThan(100);
  });
});

/** Each at its strongest and by itself: none of them is lost among the others. */
describe('the whole product, under one kind of fault,', () => {
  const KINDS: readonly (readonly [string, readonly FaultKind[]])[] = [
    ['commits that are answered with an error', ['log_unknown_commit']],
    ['a log that is down for a second or thirty', ['log_outage']],
    ['a log that is down for ten minutes', ['log_down_long']],
    ['reads that take seconds while viewers come back', ['log_slow', 'link_cut']],
    ['messages that come seconds late', ['bus_delays']],
    ['streams that are dead and do not say so', ['bus_goes_silent']],
    ['subscriptions that are deleted under their relays', ['bus_unsubscribes']],
    ['viewers that are offline or asleep', ['viewer_offline', 'viewer_sleeps']],
    ['relays that are asked to drain', ['relay_drain']],
    ['sessions that are moved before the platform cuts them', ['sessions_move', 'link_cut']],
    ['clocks that differ by minutes', ['clock_skew']],
    ['clocks that jump', ['clock_jump']],
  ];

  it.each(KINDS)('keeps its promise: %s', { timeout: MINUTES }, async (_what, kinds) => {
    let struck = 0;
    for (const seed of [1, 2, 3, 4, 5]) {
      const run = await runSeed({ seed, plan: new Map(kinds.map((kind) => [kind, 1])) });
      expect(run.violations).toEqual([]);
      struck += run.faults.get(kinds[0] ?? 'link_cut') ?? 0;
    }
    expect(struck).toBeGreaterThan(0);
  });
});

/** Wherever a process waits for something - a store, the bus, the provider - it may die: before that has its effect, or after. */
describe('a crash', () => {
  const scene = { seed: 4, plan: new Map(), calls: 2 } as const;

  it.each(['functions', 'relay'] as const)('at any point where %s wait keeps the promise', { timeout: 10 * MINUTES }, async (of) => {
    const { points } = await runSeed(scene);
    const count = Math.min(points.get(of) ?? 0, 400);
    expect(count).toBeGreaterThan(100);
    const orders = seedsFrom(1, count).map((at) => ({ ...scene, crash: { of, at } }));
    const summary = await swarm({ orders, processes: PROCESSES });
    expect(summary.failures, told(summary)).toEqual([]);
    expect(summary.seeds).toBe(count);
  });
});
