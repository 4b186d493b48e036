/** What the charts show, out of what the API counted. */
import type { HourlyFigures } from '../../core/protocol/rest.ts';
import { hourText } from './times-of-day.ts';

interface Series {
  readonly name: string;
  readonly colour: string;
  readonly values: readonly number[];
}

export interface FigureBars {
  /** Names of the hours, and those that are written under the axis: the others are empty. */
  readonly hours: readonly string[];
  readonly marks: readonly string[];
  readonly calls: readonly Series[];
  readonly cost: readonly Series[];
  readonly inDollars: boolean;
  readonly durations: readonly Series[];
  readonly durationNames: readonly string[];
}

const DAY = new Intl.DateTimeFormat('en-US', { month: 'short', day: 'numeric' });
const HOUR = new Intl.DateTimeFormat('en-US', { hour: 'numeric' });

export const barsOf = ({ hours, totals, durations }: Pick<HourlyFigures, 'hours' | 'totals' | 'durations'>): FigureBars => {
  // What nobody pays in dollars is shown in what it is counted in.
  const inDollars = totals.priced > 0 || totals.priced_in_credits === 0;
  const of = (field: 'completed' | 'failed' | 'active' | 'cost' | 'cost_credits'): readonly number[] => hours.map((hour) => hour[field]);
  return {
    hours: hours.map(({ at }) => hourText(at)),
    marks: marksOf(hours.map(({ at }) => new Date(at))),
    calls: [
      { name: 'Completed', colour: '--good', values: of('completed') },
      { name: 'Failed', colour: '--bad', values: of('failed') },
      { name: 'Not ended', colour: '--info', values: of('active') },
    ],
    cost: [{ name: inDollars ? 'Dollars' : 'Credits', colour: '--accent', values: of(inDollars ? 'cost' : 'cost_credits') }],
    inDollars,
    durations: [{ name: 'Calls', colour: '--accent', values: durations.map(({ calls }) => calls) }],
    durationNames: durationNames(durations),
  };
};

/** Every sixth hour of one day, else the days: by the clock of whoever looks. */
const marksOf = (hours: readonly Date[]): string[] =>
  hours.map((hour) => {
    const midnight = hour.getHours() === 0;
    if (hours.length > 48) return midnight ? DAY.format(hour) : '';
    if (hour.getHours() % 6 !== 0) return '';
    return midnight ? DAY.format(hour) : HOUR.format(hour);
  });

/** `to 15 s`, `to 2 min`, `longer`. */
export const durationNames = (durations: HourlyFigures['durations']): string[] =>
  durations.map(({ up_to_seconds }) => (up_to_seconds === null ? 'longer' : up_to_seconds < 60 ? `to ${up_to_seconds} s` : `to ${up_to_seconds / 60} min`));

/** Of the calls that ended; each its share of them, 0 to 1. */
export const outcomeShares = ({ successful, unsuccessful, not_judged, failed }: HourlyFigures['outcomes']): readonly { readonly name: string; readonly calls: number; readonly share: number; readonly colour: string }[] => {
  const all = successful + unsuccessful + not_judged + failed;
  const rows = [
    ['Succeeded', successful, '--good'],
    ['Did not succeed', unsuccessful, '--warn'],
    ['Not judged', not_judged, '--edge'],
    ['Failed', failed, '--bad'],
  ] as const;
  return rows.map(([name, calls, colour]) => ({ name, calls, share: all === 0 ? 0 : calls / all, colour }));
};
