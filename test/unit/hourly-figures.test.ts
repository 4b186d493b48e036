import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstHour, HOUR_MS, hourlyFigures, type CountedCall } from '../../core/domain/hourly-figures.ts';

const NOW = Date.UTC(2026, 10, 22, 10, 20);
const SINCE = firstHour(NOW, 3);
const call = (minutes: number, more: Partial<CountedCall> = {}): CountedCall => ({ created_at: SINCE + minutes * 60_000, status: 'completed', merged_into: null, cost: null, cost_credits: null, call_duration_seconds: null, call_successful: null, ...more });

const anyCall = fc.record({
  created_at: fc.integer({ min: SINCE - HOUR_MS, max: NOW }),
  status: fc.constantFrom('requested', 'dialing', 'unknown', 'in_progress', 'processing', 'completed', 'failed'),
  merged_into: fc.option(fc.constant('EL_owner'), { freq: 9 }),
  cost: fc.option(fc.integer({ min: 0, max: 500_000 }).map((tenthOfMill) => tenthOfMill / 10_000)),
  cost_credits: fc.option(fc.nat(10_000)),
  call_duration_seconds: fc.option(fc.nat(2_000)),
  call_successful: fc.option(fc.boolean()),
}) satisfies fc.Arbitrary<CountedCall>;

describe('figures by the hour', () => {
  it('end with the hour that is now, and begin with a whole one', () => {
    expect([1, 3, 24].map((hours) => new Date(firstHour(NOW, hours)).toISOString())).toEqual(['2026-11-22T10:00:00.000Z', '2026-11-22T08:00:00.000Z', '2026-11-21T11:00:00.000Z']);
    expect(firstHour(SINCE, 1)).toBe(SINCE);
  });

  it('count each call in the hour in which it was created, and keep dollars and credits apart', () => {
    const calls = [call(0, { cost: 0.1, call_successful: true, call_duration_seconds: 15 }), call(59, { cost: 0.2, call_successful: false, call_duration_seconds: 16 }), call(60, { status: 'failed' }), call(120, { status: 'in_progress' }), call(121, { cost_credits: 300, call_duration_seconds: 601 })];
    const { hours, totals, outcomes, durations } = hourlyFigures(calls, SINCE, 3);
    expect(hours.map(({ at, calls: all, completed, failed, active, cost, cost_credits }) => [at.slice(11, 16), all, completed, failed, active, cost, cost_credits])).toEqual([
      ['08:00', 2, 2, 0, 0, 0.3, 0],
      ['09:00', 1, 0, 1, 0, 0, 0],
      ['10:00', 2, 1, 0, 1, 0, 300],
    ]);
    expect(totals).toEqual({ calls: 5, completed: 3, failed: 1, active: 1, cost: 0.3, cost_credits: 300, priced: 2, priced_in_credits: 1, seconds: 632 });
    expect(outcomes).toEqual({ successful: 1, unsuccessful: 1, not_judged: 1, failed: 1 });
    expect(durations.filter((bar) => bar.calls > 0)).toEqual([{ up_to_seconds: 15, calls: 1 }, { up_to_seconds: 30, calls: 1 }, { up_to_seconds: null, calls: 1 }]);
  });

  it('leave out what was merged into another call, and what was created before the first hour or after the last', () => {
    expect(hourlyFigures([call(10, { merged_into: 'EL_owner' }), call(-1), call(180)], SINCE, 3).totals.calls).toBe(0);
  });

  it.each([-1, -0.01, 1e300, Number.POSITIVE_INFINITY, Number.NaN])('do not count %d, which no call can have lasted or cost', (value) => {
    const { totals, durations } = hourlyFigures([call(0, { cost: 0.5, call_duration_seconds: 10 }), call(1, { cost: value, cost_credits: value, call_duration_seconds: value })], SINCE, 3);
    expect(totals).toEqual({ calls: 2, completed: 2, failed: 0, active: 0, cost: 0.5, cost_credits: 0, priced: 1, priced_in_credits: 0, seconds: 10 });
    expect(durations.reduce((sum, { calls }) => sum + calls, 0)).toBe(1);
  });

  it('count what cost nothing as priced, and what lasted no second as the shortest', () => {
    const { totals, durations } = hourlyFigures([call(0, { cost: 0, cost_credits: 0, call_duration_seconds: 0 })], SINCE, 3);
    expect([totals.priced, totals.priced_in_credits, durations[0]?.calls]).toEqual([1, 1, 1]);
  });

  it('add up to the totals, whatever the calls', () => {
    fc.assert(
      fc.property(fc.array(anyCall, { maxLength: 60 }), (calls) => {
        const { hours, totals, outcomes, durations } = hourlyFigures(calls, SINCE, 3);
        const counted = calls.filter(({ created_at, merged_into }) => created_at >= SINCE && merged_into === null);
        for (const field of ['calls', 'completed', 'failed', 'active', 'cost', 'cost_credits', 'priced', 'priced_in_credits', 'seconds'] as const) {
          expect(hours.reduce((sum, hour) => sum + hour[field], 0)).toBeCloseTo(totals[field], 5);
        }
        expect(totals.calls).toBe(counted.length);
        expect(totals.completed + totals.failed + totals.active).toBe(totals.calls);
        expect(outcomes.successful + outcomes.unsuccessful + outcomes.not_judged).toBe(totals.completed);
        expect(outcomes.failed).toBe(totals.failed);
        expect(durations.reduce((sum, bar) => sum + bar.calls, 0)).toBe(counted.filter(({ call_duration_seconds }) => call_duration_seconds !== null).length);
      }),
    );
  });
});
