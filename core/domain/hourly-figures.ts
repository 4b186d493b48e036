/** Calls counted by the hour in which they were created, for `GET /stats/hours`. A call that was merged into another is no call of its own. */
import type { HourlyFigures } from '../protocol/rest.ts';
import { isTerminal, type CallState } from './call/state.ts';

type HourFigures = HourlyFigures['totals'];
type Bar = HourlyFigures['durations'][number];

export const HOUR_MS = 60 * 60_000;
/** Bounds between the bars of the durations: fine where most calls are, nothing behind ten minutes but "longer". */
const DURATION_BOUNDS_SECONDS = [15, 30, 60, 120, 180, 300, 600] as const;

/** What is counted of a call. */
export type CountedCall = Pick<CallState, 'created_at' | 'status' | 'merged_into' | 'cost' | 'cost_credits' | 'call_duration_seconds' | 'call_successful'>;

/** Start of the first of so many hours, of which the last is the one that `now` is in. Milliseconds. */
export const firstHour = (now: number, hours: number): number => (Math.floor(now / HOUR_MS) - hours + 1) * HOUR_MS;

/**
 * Counts calls into hours; those created outside them are left out.
 * @param since start of the first hour, milliseconds
 */
export const hourlyFigures = (calls: Iterable<CountedCall>, since: number, hours: number): Pick<HourlyFigures, 'totals' | 'hours' | 'outcomes' | 'durations'> => {
  const byHour = Array.from({ length: hours }, none);
  const totals = none();
  const outcomes = { successful: 0, unsuccessful: 0, not_judged: 0, failed: 0 };
  const bars = [...DURATION_BOUNDS_SECONDS, null].map((up_to_seconds): { -readonly [K in keyof Bar]: Bar[K] } => ({ up_to_seconds, calls: 0 }));
  for (const call of calls) {
    const hour = byHour[Math.floor((call.created_at - since) / HOUR_MS)];
    if (hour === undefined || call.merged_into !== null) continue;
    count(call, hour);
    count(call, totals);
    if (isTerminal(call.status)) outcomes[outcomeOf(call)]++;
    const seconds = counted(call.call_duration_seconds);
    const bar = seconds === null ? undefined : bars.find(({ up_to_seconds }) => up_to_seconds === null || seconds <= up_to_seconds);
    if (bar !== undefined) bar.calls++;
  }
  return { totals, hours: byHour.map((figures, index) => ({ at: new Date(since + index * HOUR_MS).toISOString(), ...figures })), outcomes, durations: bars };
};

const none = (): HourFigures => ({ calls: 0, completed: 0, failed: 0, active: 0, cost: 0, cost_credits: 0, priced: 0, priced_in_credits: 0, seconds: 0 });

const count = (call: CountedCall, into: HourFigures): void => {
  into.calls++;
  into[call.status === 'completed' || call.status === 'failed' ? call.status : 'active']++;
  const [cost, credits] = [counted(call.cost), counted(call.cost_credits)];
  if (cost !== null) {
    into.priced++;
    into.cost = exact(into.cost + cost);
  }
  if (credits !== null) {
    into.priced_in_credits++;
    into.cost_credits = exact(into.cost_credits + credits);
  }
  into.seconds = exact(into.seconds + (counted(call.call_duration_seconds) ?? 0));
};

/** What no call can have lasted or cost is as if it were not known: one delivery or import must not spoil the sums of a week. */
const POSSIBLE_MAX = 1e9;
const counted = (value: number | null): number | null => (value !== null && value >= 0 && value <= POSSIBLE_MAX ? value : null);

/** Sums of decimal fractions without the noise of binary ones: to a millionth. */
const exact = (sum: number): number => Math.round(sum * 1_000_000) / 1_000_000;

const outcomeOf = ({ status, call_successful }: CountedCall): keyof HourlyFigures['outcomes'] => {
  if (status === 'failed') return 'failed';
  if (call_successful === null) return 'not_judged';
  return call_successful ? 'successful' : 'unsuccessful';
};
