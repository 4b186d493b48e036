import { describe, expect, it } from 'vitest';
import { Delays } from '../../client/dashboard/delays.ts';
import { dialKeys, isRefusal, isWholeNumber, localTime, notCallable, plainNumber, refusalWords } from '../../client/dashboard/dial.ts';
import { foundDrivers, kindsOf } from '../../client/dashboard/drivers.ts';
import { ApiProblem } from '../../client/dashboard/http.ts';
import { barsOf, outcomeShares } from '../../client/dashboard/figures-bars.ts';
import { stack } from '../../client/dashboard/figures-chart.ts';
import { historyQuery, sinceTime } from '../../client/dashboard/history-filter.ts';
import { costText } from '../../client/dashboard/numbers.ts';
import { reasonWords, resultWords } from '../../client/dashboard/quarantine-words.ts';
import { linkTo, routeOf, type Route } from '../../client/dashboard/route.ts';
import { firstHour, hourlyFigures, type CountedCall } from '../../core/domain/hourly-figures.ts';
import { ERRORS } from '../../core/protocol/codes.ts';
import type { DriverView } from '../../core/protocol/rest.ts';

describe('an address', () => {
  it.each<[string, Route]>([
    ['', { view: 'board', call: null, filter: {} }],
    ['#/history', { view: 'history', call: null, filter: {} }],
    ['#/board/calls/EL_d%201', { view: 'board', call: 'EL_d 1', filter: {} }],
    ['#/board?status=attention&q=john%20s', { view: 'board', call: null, filter: { status: 'attention', q: 'john s' } }],
    ['#/history/calls/EL_1?q=a%26b&since=7d', { view: 'history', call: 'EL_1', filter: { q: 'a&b', since: '7d' } }],
    ['#/nowhere/calls/%E0?q=', { view: 'board', call: null, filter: {} }],
  ])('%s names a view', (hash, route) => {
    expect(routeOf(hash)).toEqual(route);
    expect(routeOf(linkTo(route))).toEqual(route);
  });

  it('without a filter is the whole of a view', () => {
    expect([linkTo({ view: 'board', call: null }), linkTo({ view: 'board', call: null, filter: { q: '' } })]).toEqual(['#/board', '#/board']);
  });
});

describe('measured delays', () => {
  it('are those of the last fifteen minutes; less than nothing is none', () => {
    const delays = new Delays();
    expect(delays.figures(0)).toEqual({ count: 0, p50: null, p95: null, max: null });
    delays.note(5_000, 0);
    for (let ms = 1; ms <= 100; ms++) delays.note(ms, 1_000);
    delays.note(-30, 1_000);
    expect(delays.last).toEqual({ at: 1_000, ms: 0 });
    expect(delays.figures(1_000)).toEqual({ count: 102, p50: 50, p95: 96, max: 5_000 });
    expect(delays.figures(900_001)).toEqual({ count: 101, p50: 50, p95: 95, max: 100 });
  });

  it('are bounded in number, and the newest stay', () => {
    const delays = new Delays();
    for (let index = 0; index <= 25_000; index++) delays.note(index, 0);
    const { count, max } = delays.figures(0);
    expect(count).toBeLessThanOrEqual(20_000);
    expect(max).toBe(25_000);
    const rush = new Delays();
    for (let index = 0; index <= 20_000; index++) rush.note(index, 0);
    expect([rush.last?.ms, rush.figures(0).max, rush.figures(0).count]).toEqual([20_000, 20_000, 10_001]);
  });
});

describe('starting calls', () => {
  it('has one key for a wish however often it is sent, and another for another wish', () => {
    let made = 0;
    const keys = dialKeys(() => `key-${++made}`, () => 0);
    const first = keys.of({ drivers: ['d1', 'd2'], kinds: [] });
    keys.answered({ drivers: ['d1', 'd2'], kinds: [] });
    expect(keys.of({ drivers: ['d2', 'd1'], kinds: [] })).toBe(first);
    const others = [keys.of({ drivers: ['d1'], kinds: [] }), keys.of({ drivers: ['d1', 'd2'], kinds: ['speeding'] }), keys.of({ number: '+15550100123' })];
    expect(new Set([first, ...others]).size).toBe(4);
  });

  it('keeps the key of what was not answered when the dialog is opened again, for ten minutes; what was answered is another call then', () => {
    let made = 0;
    let now = 0;
    const keys = dialKeys(() => `key-${++made}`, () => now);
    const [lost, called] = [{ drivers: ['d1'], kinds: [] }, { number: '+15550100123' }];
    const before = [keys.of(lost), keys.of(called)];
    keys.answered(called);
    now = 600_000;
    keys.begin();
    expect([keys.of(lost), keys.of(called)]).toEqual([before[0], 'key-3']);
    now = 600_001;
    keys.begin();
    expect(keys.of(lost)).toBe('key-4');
  });

  it('knows a refusal from an answer that tells nothing: only after that one a call may have begun', () => {
    const problem = (status: number | null): ApiProblem => new ApiProblem({ code: 'x', title: '', detail: '', retryable: true }, status);
    expect([problem(422), problem(429), problem(500), problem(503), problem(null), new TypeError('x')].map(isRefusal)).toEqual([true, true, false, false, false, false]);
  });

  it.each([
    ['+1 (555) 010-0123', '+15550100123', true],
    ['+1.555.010.0123', '+15550100123', true],
    ['5550100123', '5550100123', false],
    ['+1555', '+1555', false],
    ['+05550100123', '+05550100123', false],
  ])('takes %s as %s', (typed, plain, whole) => {
    expect([plainNumber(typed), isWholeNumber(plainNumber(typed))]).toEqual([plain, whole]);
  });

  it('says of every reason not to dial what it means, without a code', () => {
    for (const code of ['no_matching_triggers', 'do_not_call', 'outside_calling_hours', 'prefix_not_allowed', 'no_phone_number', 'agent_not_found', 'dial_refused', 'provider_busy', 'provider_unavailable'] as const) {
      expect(ERRORS[code]).toBeDefined();
      expect(refusalWords(code, '')).toMatch(/^[A-Z][^_]+\.$/);
    }
    expect(refusalWords('something_new', 'As the server says.')).toBe('As the server says.');
  });

  it('tells the time where a driver is, and nothing where nobody knows it', () => {
    const now = Date.UTC(2026, 10, 22, 12, 5);
    expect([localTime('America/New_York', now)?.replace('\u202f', ' '), localTime('No/Where', now), localTime(null, now)]).toEqual(['Sun 7:05 AM', null, null]);
  });

  const driver = (driverId: string, more: Partial<DriverView> = {}): DriverView => ({ driverId, driverName: driverId, phoneNumber: '+15550100123', triggers: [], do_not_call: false, time_zone: null, ...more });
  it('finds drivers by all the words, and says who cannot be called', () => {
    const drivers = [driver('d2', { driverName: 'Zoe Miller' }), driver('d1', { driverName: 'Adam Miller', triggers: [{ type: 'hours_of_service' }, { type: 'Speeding' }] }), driver('d3', { triggers: [{ type: 'speeding' }] })];
    const found = (words: string): string[] => foundDrivers(drivers, words).map(({ driverId }) => driverId);
    expect([found(''), found('miller'), found('adam miller'), found('hours of service'), found('D3'), found('nobody')]).toEqual([['d1', 'd3', 'd2'], ['d1', 'd2'], ['d1'], ['d1'], ['d3'], []]);
    expect(kindsOf(drivers)).toEqual(['hours_of_service', 'Speeding']);
    expect([notCallable(driver('d')), notCallable(driver('d', { do_not_call: true })), notCallable(driver('d', { phoneNumber: null }))]).toEqual([null, 'Do not call', 'No phone number']);
  });
});

describe('the history', () => {
  it('asks the API for what its address says, and leaves out what nobody knows', () => {
    const now = new Date(2026, 10, 22, 15, 0).getTime();
    expect(historyQuery({}, now)).toEqual({ status: null, q: null, agent_id: null, driver_id: null, since: null });
    expect(historyQuery({ status: 'failed', q: 'x', agent: 'a', driver: 'd', since: '2026-11-20' }, now)).toEqual({ status: 'failed', q: 'x', agent_id: 'a', driver_id: 'd', since: new Date(2026, 10, 20).toISOString() });
    expect(historyQuery({ status: 'x', since: 'x' }, now)).toMatchObject({ status: null, since: null });
  });

  it('begins at midnight where the page is', () => {
    const now = new Date(2026, 10, 22, 15, 0).getTime();
    expect(['today', '7d', '30d', '2026-02-28', '2026-02-31', ''].map((since) => sinceTime(since, now)?.getTime() ?? null)).toEqual([
      new Date(2026, 10, 22).getTime(), new Date(2026, 10, 16).getTime(), new Date(2026, 9, 24).getTime(), new Date(2026, 1, 28).getTime(), null, null,
    ]);
  });

  it('never makes dollars of credits', () => {
    expect([costText(0.0342, 300), costText(null, 1_300), costText(null, 1), costText(null, null), costText(0, null)]).toEqual(['$0.0342', '1,300 credits', '1 credit', '', '$0.00']);
  });
});

describe('the quarantine', () => {
  it('says of every reason what it means, and of one that it does not know that it is one', () => {
    for (const reason of ['waiting', 'unassigned', 'foreign', 'unknown_type', 'unusable', 'to_fetch', 'too_large']) expect(reasonWords(reason)).not.toContain('_');
    expect([reasonWords('new_reason'), resultWords('used'), resultWords('unassigned').startsWith('Still here. Its agent')]).toEqual(['It cannot be used (new_reason).', 'Used: its call has it now.', true]);
  });
});

describe('the charts', () => {
  const now = new Date(2026, 10, 22, 15, 20).getTime();
  const call = (more: Partial<CountedCall>): CountedCall => ({ created_at: now, status: 'completed', merged_into: null, cost: null, cost_credits: null, call_duration_seconds: null, call_successful: null, ...more });
  const bars = (hours: number, calls: readonly CountedCall[]) => barsOf(hourlyFigures(calls, firstHour(now, hours), hours));

  it('stack what was counted, and show credits only where nothing costs dollars', () => {
    expect(stack([[1, 2], [10, 20], [100, 200]])).toEqual([[1, 2], [11, 22], [111, 222]]);
    expect(bars(24, [call({}), call({ status: 'failed' })]).calls.map(({ name, values }) => [name, values.at(-1)])).toEqual([['Completed', 1], ['Failed', 1], ['Not ended', 0]]);
    expect([bars(24, [call({ cost_credits: 5 })]).inDollars, bars(24, [call({ cost_credits: 5 }), call({ cost: 1 })]).inDollars, bars(24, []).inDollars]).toEqual([false, true, true]);
  });

  it('name some hours of a day and every day of a week by the clock of whoever looks', () => {
    const named = (hours: number): string[] => bars(hours, []).marks.filter((mark) => mark !== '').map((mark) => mark.replace('\u202f', ' '));
    expect(named(24)).toEqual(['6 PM', 'Nov 22', '6 AM', '12 PM']);
    expect(named(168)).toEqual(['Nov 16', 'Nov 17', 'Nov 18', 'Nov 19', 'Nov 20', 'Nov 21', 'Nov 22']);
  });

  it('share outcomes among the calls that ended', () => {
    expect(outcomeShares({ successful: 3, unsuccessful: 0, not_judged: 0, failed: 1 }).map(({ calls, share }) => [calls, share])).toEqual([[3, 0.75], [0, 0], [0, 0], [1, 0.25]]);
    expect(outcomeShares({ successful: 0, unsuccessful: 0, not_judged: 0, failed: 0 }).every(({ share }) => share === 0)).toBe(true);
  });
});
