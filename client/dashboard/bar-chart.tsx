/** A chart with its name, what its colours mean, and the numbers of the bar that the pointer is at. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { theme } from './theme.ts';

export interface BarChartProps {
  readonly title: string;
  /** From the bottom of the stack up. */
  readonly series: readonly { readonly name: string; readonly colour: string; readonly values: readonly number[] }[];
  /** Names of the bars; under the axis stand those of `marks`. */
  readonly bars: readonly string[];
  readonly marks: readonly string[];
  readonly valueText: (value: number) => string;
  readonly leastStep: number;
  /** What to say where all is nought. */
  readonly empty: string;
}

export const BarChart = ({ title, series, bars, marks, valueText, leastStep, empty }: BarChartProps) => {
  const place = useRef<HTMLDivElement>(null);
  const at = useSignal<number | null>(null);
  const broken = useSignal(false);
  const colours = `${theme.value} ${String(useSystemIsDark())}`;
  const isEmpty = series.every(({ values }) => values.every((value) => value === 0));
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const control = new AbortController();
    const draw = async (): Promise<void> => {
      const { drawBars } = await import('./figures-chart.ts');
      await drawBars(element, { series, labels: marks, valueText, leastStep, onPoint: (index) => (at.value = index) }, control.signal);
    };
    draw().catch(() => (broken.value = true));
    return () => control.abort();
  }, [series, marks, colours, isEmpty]);
  const index = at.value;
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <p class="legend">
          {index !== null && bars[index] !== undefined ? <b>{bars[index]}</b> : null}
          {series.length < 2 && index === null
            ? null
            : series.map(({ name, colour, values }) => (
                <span key={name} class="key">
                  <svg width="10" height="10" aria-hidden="true">
                    <rect width="10" height="10" rx="2" fill={`var(${colour})`} />
                  </svg>
                  {name} {index === null ? '' : valueText(values[index] ?? 0)}
                </span>
              ))}
        </p>
      </figcaption>
      {isEmpty ? <p class="nothing hint">{empty}</p> : broken.value ? <p class="nothing hint">The chart cannot be drawn in this browser. Its numbers stand below.</p> : <div ref={place} class="plot" aria-hidden="true" />}
    </figure>
  );
};

/** Charts have their colours painted in, so they are drawn anew in another theme. */
const useSystemIsDark = (): boolean => {
  const query = useMemo(() => matchMedia('(prefers-color-scheme: dark)'), []);
  const dark = useSignal(query.matches);
  useEffect(() => {
    const changed = (): void => void (dark.value = query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return dark.value;
};
