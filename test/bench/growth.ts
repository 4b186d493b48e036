/**
 * What an event costs as there are more calls, and what a delivery costs as a call has more viewers: flat lines are what a relay should
 * show. The load stays the same from step to step; only what it is spread over grows.
 */
import { NAIVE, OURS, type Audience, type Contender } from './deliver.ts';
import type { Bench, Measured } from './harness/figures.ts';
import type { Course } from './servers/feeding.ts';

interface Step {
  readonly what: string;
  readonly audience: Audience;
  readonly course: Omit<Course, 'name' | 'calls'>;
}

/** So many events a second, one after another of the calls. */
const CALLS: readonly Step[] = [10, 100, 1_000, 10_000].map((calls) => ({
  what: `${calls.toLocaleString('en-US')} calls, a viewer each`,
  audience: { calls, each: 1 },
  course: { events: 2_400, atOnce: 8, everyMs: 4, burst: false },
}));
/** So many deliveries a second, of one call. */
const VIEWERS: readonly Step[] = [10, 100, 1_000, 5_000].map((viewers) => ({
  what: `1 call, ${viewers.toLocaleString('en-US')} viewers`,
  audience: { calls: 1, each: viewers },
  course: { events: Math.ceil(40_000 / viewers), atOnce: 1, everyMs: Math.max(1, viewers / 50), burst: false },
}));
const STEPS = [...CALLS, ...VIEWERS];

/** Microseconds of CPU for each delivery. */
const measure = async (contender: Contender, { audience, course }: Step, name: string): Promise<number> => {
  const viewers = await contender.open(name, audience);
  try {
    const whole = { ...course, name, calls: audience.calls };
    // As deliver: a server is measured that has been delivering for a while.
    const frames = course.events * audience.each;
    await contender.run(whole, viewers, frames);
    return (await contender.run(whole, viewers, frames)) / frames;
  } finally {
    viewers.close();
  }
};

export const growthBench: Bench = {
  name: 'growth',
  what: 'what an event costs from 10 to 10,000 calls, and a delivery from 10 to 5,000 viewers',
  run: async (rounds, say) => {
    const contenders = [OURS, NAIVE];
    const costs = new Map(contenders.map((contender) => [contender, new Map(STEPS.map((step) => [step, [] as number[]]))]));
    try {
      for (const contender of contenders) await contender.begin();
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const [place, step] of STEPS.entries()) {
          for (const contender of contenders) {
            const cost = await measure(contender, step, `growth_${round}_${place}`);
            if (round > 0) costs.get(contender)?.get(step)?.push(cost);
          }
        }
      }
    } finally {
      for (const contender of contenders) await contender.end();
    }
    const valuesOf = (contender: Contender, step: Step): number[] => costs.get(contender)?.get(step) ?? [];
    const naive = STEPS.map((step): Measured => ({ what: step.what, unit: 'us CPU per delivery', ours: valuesOf(OURS, step), baseline: { name: 'naive ws', values: valuesOf(NAIVE, step) } }));
    /** Its own smallest step as the baseline: how far from flat the line is. */
    const flat = (what: string, steps: readonly Step[]): Measured[] => {
      const [first, ...others] = steps;
      const last = others.at(-1);
      return first === undefined || last === undefined ? [] : [{ what, unit: 'us CPU per delivery', ours: valuesOf(OURS, last), baseline: { name: first.what, values: valuesOf(OURS, first) } }];
    };
    return {
      bench: 'growth',
      measured: [...naive, ...flat('10,000 calls beside 10', CALLS), ...flat('5,000 viewers beside 10', VIEWERS)],
      notes: ['2,000 events a second over the calls, about 50,000 deliveries a second to the viewers of one; every frame is counted. A delivery to few viewers carries more of what the event itself costs.'],
    };
  },
};
