/** Figures of the last hours: calls, outcomes, durations, costs, webhooks, and how late this screen is. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { HOURLY_STATS_KEPT_MS } from '../../core/protocol/limits.ts';
import type { HourlyFigures, Stats } from '../../core/protocol/rest.ts';
import { ask } from './api.ts';
import { BarChart } from './bar-chart.tsx';
import './figures.css';
import { barsOf, durationNames, outcomeShares, type FigureBars } from './figures-bars.ts';
import { sentenceOf } from './http.ts';
import { boardAt, delays } from './live.ts';
import { counted, delayText, dollars, whole } from './numbers.ts';
import { narrow, route } from './route.ts';
import { session } from './session.ts';
import { dayAndTimeText, hourText, zoneName } from './times-of-day.ts';
import { clockTime, duration } from './times.ts';

type Both = HourlyFigures & { readonly webhooks: Stats['webhooks'] };

const HOURS = { 24: '24 hours', 168: '7 days' } as const;
/** As often as the API counts: in the cloud each time reads every call. */
const AGAIN_MS = HOURLY_STATS_KEPT_MS;

export const Figures = () => {
  const hours = route.value.filter?.['hours'] === '168' ? 168 : 24;
  const figures = useSignal<Both | null>(null);
  const problem = useSignal<string | null>(null);
  const who = session.value;
  useEffect(() => {
    if (who === null) return;
    const control = new AbortController();
    const read = async (): Promise<void> => {
      try {
        const [hourly, { webhooks }] = await Promise.all([ask<HourlyFigures>('/stats/hours', { query: { hours }, signal: control.signal }), ask<Stats>('/stats', { query: { hours }, signal: control.signal })]);
        problem.value = null;
        figures.value = { ...hourly, webhooks };
      } catch (error) {
        if (control.signal.aborted) return;
        // Those of another time would look like these.
        if (figures.peek()?.hours.length !== hours) figures.value = null;
        problem.value = sentenceOf(error);
      }
    };
    void read();
    const timer = setInterval(() => void (document.hidden || read()), AGAIN_MS);
    return () => {
      control.abort();
      clearInterval(timer);
    };
  }, [hours, who]);
  const shown = figures.value;
  return (
    <>
      <div class="toolbar">
        <div class="choice" role="group" aria-label="How far back">
          {Object.entries(HOURS).map(([value, words]) => (
            <button key={value} type="button" aria-pressed={String(hours) === value} onClick={() => narrow({ hours: value === '24' ? '' : value })}>
              {words}
            </button>
          ))}
        </div>
        <p class="count">{shown === null ? '' : `Counted at ${clockTime(shown.counted_at)}`}</p>
      </div>
      {problem.value === null ? null : <p class="problem">{problem.value}</p>}
      <div class="scroll" tabIndex={0} role="region" aria-label="Figures">
        {shown === null ? (
          <div class="empty">
            <strong>{problem.value === null ? 'Counting ...' : 'There are no figures just now.'}</strong>
          </div>
        ) : (
          <Shown figures={shown} />
        )}
      </div>
    </>
  );
};

const Shown = ({ figures }: { readonly figures: Both }) => {
  const { totals, complete, counted_since, outcomes, webhooks } = figures;
  const bars = useMemo(() => barsOf(figures), [figures]);
  const ended = totals.completed + totals.failed;
  const lasted = figures.durations.reduce((sum, { calls }) => sum + calls, 0);
  return (
    <div class="figures">
      {complete ? null : <p class="notice wide">There were more calls than are counted here. The figures begin with the call of {dayAndTimeText(counted_since)}; earlier ones are left out.</p>}
      <dl class="tiles wide">
        <Tile name="Calls" value={whole(totals.calls)}>
          {whole(totals.active)} not ended yet
        </Tile>
        <Tile name="Completed" value={ended === 0 ? 'none' : `${Math.round((totals.completed / ended) * 100)} %`}>
          {ended === 0 ? 'no call has ended' : `${whole(totals.completed)} of ${whole(ended)} that ended; ${whole(totals.failed)} failed`}
        </Tile>
        <Tile name="Time on the phone" value={duration(totals.seconds)}>
          {lasted === 0 ? 'not known of any call yet' : `${duration(totals.seconds / lasted)} a call`}
        </Tile>
        <Cost totals={totals} />
        <Delay />
      </dl>
      <Charts bars={bars} />
      <Outcomes outcomes={outcomes} />
      <Webhooks webhooks={webhooks} />
      <Numbers figures={figures} />
    </div>
  );
};

const Tile = ({ name, value, children }: { readonly name: string; readonly value: string; readonly children: ComponentChildren }) => (
  <div class="tile">
    <dt>{name}</dt>
    <dd>
      <strong>{value}</strong>
      <span class="hint">{children}</span>
    </dd>
  </div>
);

const Cost = ({ totals }: { readonly totals: HourlyFigures['totals'] }) => {
  const credits = totals.priced_in_credits === 0 ? '' : counted(totals.cost_credits, 'credit');
  if (totals.priced === 0) return <Tile name="Cost" value={credits === '' ? 'not known' : credits}>{credits === '' ? 'no call has a price yet' : `of ${counted(totals.priced_in_credits, 'call')}`}</Tile>;
  return (
    <Tile name="Cost" value={dollars(Number(totals.cost.toFixed(totals.cost < 1 ? 4 : 2)))}>
      of {counted(totals.priced, 'call')}
      {credits === '' ? '' : `; ${credits}`}
    </Tile>
  );
};

/** Ticks by itself. */
const Delay = () => {
  const live = boardAt.value !== null;
  const { count, p50, p95, max } = delays.figures(performance.now());
  const text = (ms: number | null): string => (ms === null ? '' : delayText(ms));
  return (
    <div class="tile delay">
      <dt>Delay to this screen</dt>
      <dd>
        <strong>{count === 0 ? 'not measured yet' : text(p50)}</strong>
        <span class="hint">{count === 0 ? live ? 'Measured when a call changes while you watch.' : 'There is no live connection.' : `half of ${counted(count, 'change')} in 15 minutes; 95 of 100 within ${text(p95)}, the slowest ${text(max)}. From the change being stored to being drawn here; the clocks of two machines are compared.`}</span>
      </dd>
    </div>
  );
};

const Charts = ({ bars }: { readonly bars: FigureBars }) => (
  <>
    <BarChart title="Calls per hour" series={bars.calls} bars={bars.hours} marks={bars.marks} valueText={whole} leastStep={1} empty="No calls in this time." />
    <BarChart title="How long calls lasted" series={bars.durations} bars={bars.durationNames} marks={bars.durationNames} valueText={whole} leastStep={1} empty="No call has ended in this time." />
    <BarChart title={bars.inDollars ? 'Cost per hour, dollars' : 'Cost per hour, credits'} series={bars.cost} bars={bars.hours} marks={bars.marks} valueText={bars.inDollars ? dollars : whole} leastStep={bars.inDollars ? 0.01 : 1} empty="No call in this time has a price yet." />
  </>
);

const Outcomes = ({ outcomes }: { readonly outcomes: HourlyFigures['outcomes'] }) => (
  <section class="chart">
    <h3>Outcomes</h3>
    <table class="table outcomes">
      <caption class="visually-hidden">Calls that ended, by outcome</caption>
      <tbody>
        {outcomeShares(outcomes).map(({ name, calls, share, colour }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              <svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
                <rect width="100" height="8" fill="var(--sunk)" />
                <rect width={share * 100} height="8" fill={`var(${colour})`} />
              </svg>
            </td>
            <td class="number">{whole(calls)}</td>
            <td class="number hint">{Math.round(share * 100)} %</td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

const Webhooks = ({ webhooks: { received, succeeded, p50_ms, p99_ms } }: { readonly webhooks: Stats['webhooks'] }) => (
  <section class="chart wide">
    <h3>Deliveries from ElevenLabs and your tools</h3>
    <dl class="tiles">
      <Tile name="Received" value={whole(received)}>
        {received === 0 ? 'none since the server started' : 'since the server started'}
      </Tile>
      <Tile name="Refused" value={whole(received - succeeded)}>
        {received === succeeded ? 'every one was taken' : 'forged, broken, or while we were down'}
      </Tile>
      <Tile name="Answered within" value={p50_ms === null ? 'not known' : delayText(p50_ms)}>
        {p99_ms === null ? '' : `half of them; 99 of 100 within ${delayText(p99_ms)}`}
      </Tile>
    </dl>
  </section>
);

/** The same as the charts, for whoever hears this page, and whoever wants numbers. */
const Numbers = ({ figures: { hours, durations, since } }: { readonly figures: Both }) => (
  <details class="wide numbers">
    <summary>All figures as numbers</summary>
    <div class="number-tables">
      <table class="table">
        <caption>Calls by the hour ({zoneName(Date.parse(since))})</caption>
        <thead>
          <tr>
            <th scope="col">Hour</th>
            {['Calls', 'Completed', 'Failed', 'Not ended', 'Dollars', 'Credits', 'On the phone'].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...hours].reverse().map((hour) => (
            <tr key={hour.at}>
              <th scope="row">{hourText(hour.at)}</th>
              {[whole(hour.calls), whole(hour.completed), whole(hour.failed), whole(hour.active), hour.priced === 0 ? '' : dollars(hour.cost), hour.priced_in_credits === 0 ? '' : whole(hour.cost_credits), duration(hour.seconds)].map((text, index) => (
                <td key={index} class="number">
                  {text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <table class="table">
        <caption>How long calls lasted</caption>
        <tbody>
          {durationNames(durations).map((name, index) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="number">{whole(durations[index]?.calls ?? 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  </details>
);
