/**
 * Figures as lines of the log, for processes that come and go and that nobody could scrape. Each count, reading and observation is one
 * JSON line `{severity, message: "metric", time, metric, <its labels>, value}`, from which log-based metrics are made
 * (`infra/`): `metric`, `value` and the names of the labels are what those read, and stay as they are.
 * https://cloud.google.com/logging/docs/logs-based-metrics
 */
import type { Metrics } from './metrics.ts';
import type { Runtime } from './runtime.ts';

/** The `message` of every such line. */
export const METRIC_MESSAGE = 'metric';

/** @param write takes each line, its newline included; no level drops one */
export const logMetrics = (write: (line: string) => void, runtime: Pick<Runtime, 'now'>): Metrics => {
  const line = (metric: string, labels: Readonly<Record<string, string>>, value: number): void =>
    write(`${JSON.stringify({ severity: 'INFO', message: METRIC_MESSAGE, time: new Date(runtime.now()).toISOString(), metric, ...labels, value })}\n`);
  return {
    count: (name, labels, by = 1) => line(name, labels, by),
    set: line,
    observe: line,
    // Nothing is kept here that could be printed.
    text: () => Promise.resolve(''),
  };
};
