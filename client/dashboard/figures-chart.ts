/** Bars over equal steps, drawn with uPlot in the page's own colours. A module of its own: it is loaded by whoever looks at figures. */
import type UPlot from 'uplot';

export interface Bars {
  /** From the bottom of the stack up; all of one length. `colour`: the name of a token. */
  readonly series: readonly { readonly values: readonly number[]; readonly colour: string }[];
  /** Under the steps; an empty one is not written. */
  readonly labels: readonly string[];
  /** How a value is written beside the axis. */
  readonly valueText: (value: number) => string;
  /** No step of the axis is smaller: 1 for what is counted. */
  readonly leastStep: number;
  /** The step that the pointer is at; null: none. */
  readonly onPoint: (index: number | null) => void;
}

/** Room beside and under the bars, px at the page's usual size. */
const VALUES_PX = 56;
const LABELS_PX = 28;

/** Draws into the element and follows its width, until the signal ends it. Rejects where the library cannot be loaded. */
export const drawBars = async (element: HTMLElement, bars: Bars, until: AbortSignal): Promise<void> => {
  const Plot = await loadPlot();
  if (until.aborted) return;
  const styles = getComputedStyle(document.documentElement);
  const colour = (name: string): string => styles.getPropertyValue(name).trim();
  const scale = Number.parseFloat(styles.fontSize) / 14;
  const axis = { stroke: colour('--quiet'), font: `${Math.round(12 * scale)}px ${styles.fontFamily}`, grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } } as const;
  const stacked = stack(bars.series.map(({ values }) => values));
  const plot = new Plot(
    {
      ...sizeOf(element),
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { setScale: false, x: false, y: false } },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      scales: { x: { time: false, range: [-0.5, bars.labels.length - 0.5] }, y: { range: (_plot, _least, most) => [0, Math.max(most * 1.08, bars.leastStep)] } },
      axes: [
        { ...axis, size: LABELS_PX * scale, grid: { show: false }, splits: bars.labels.flatMap((label, index) => (label === '' ? [] : [index])), values: (_plot, splits) => splits.map((index) => bars.labels[index] ?? '') },
        { ...axis, size: VALUES_PX * scale, incrs: steps(bars.leastStep), values: (_plot, splits) => splits.map(bars.valueText) },
      ],
      // The whole stack first; what stands below is drawn over it.
      series: [{}, ...[...bars.series].reverse().map(({ colour: name }) => ({ fill: colour(name), width: 0, points: { show: false }, paths: pathsOf(Plot) }))],
      hooks: { setCursor: [({ cursor }) => bars.onPoint(cursor.idx ?? null)] },
    },
    [bars.labels.map((_, index) => index), ...[...stacked].reverse()],
    element,
  );
  const watch = new ResizeObserver(() => plot.setSize(sizeOf(element)));
  watch.observe(element);
  until.addEventListener('abort', () => {
    watch.disconnect();
    plot.destroy();
  });
};

const pathsOf = (Plot: typeof UPlot): UPlot.Series.PathBuilder => {
  const bars = Plot.paths.bars;
  if (bars === undefined) throw new Error('the chart library draws no bars');
  return bars({ size: [0.72, 64] });
};

const sizeOf = ({ clientWidth, clientHeight }: HTMLElement): { readonly width: number; readonly height: number } => ({ width: Math.max(120, clientWidth), height: Math.max(80, clientHeight) });

/** Each series on top of those before it. */
export const stack = (series: readonly (readonly number[])[]): number[][] => {
  const tops: number[][] = [];
  for (const values of series) tops.push(values.map((value, index) => value + (tops.at(-1)?.[index] ?? 0)));
  return tops;
};

/** 1, 2, 5 and their tenfolds, none below the least. */
const steps = (least: number): number[] => {
  const all: number[] = [];
  for (let power = -4; power < 8; power++) for (const digit of [1, 2, 5]) all.push(Number((digit * 10 ** power).toPrecision(1)));
  return all.filter((step) => step >= least);
};

/**
 * The library asks at its loading how numbers are written in the browser's language, and dies where the browser's name for it is none:
 * `en-US@posix` on a machine without a locale. English is said then, while it loads.
 */
const loadPlot = async (): Promise<typeof UPlot> => {
  const isKnown = isLanguage(navigator.language);
  if (!isKnown) Object.defineProperty(navigator, 'language', { configurable: true, value: 'en-US' });
  try {
    return (await import('uplot')).default;
  } finally {
    if (!isKnown) Reflect.deleteProperty(navigator, 'language');
  }
};

const isLanguage = (name: string): boolean => {
  try {
    return Intl.getCanonicalLocales(name).length > 0;
  } catch {
    return false;
  }
};
