import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { METRICS, type MetricName, type Metrics } from './metrics.ts';

/** From a fifth of a millisecond (an embedded append) to a minute (a dial). */
const BUCKETS_SECONDS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60];

/** Metrics kept in this process, printed in Prometheus' text form. */
export const prometheusMetrics = (): Metrics => {
  const registry = new Registry();
  const made = new Map<MetricName, Counter | Gauge | Histogram>();
  for (const [name, row] of Object.entries(METRICS) as [MetricName, (typeof METRICS)[MetricName]][]) {
    const options = { name, help: row.help, labelNames: [...row.labels] as string[], registers: [registry] };
    if (row.kind === 'counter') made.set(name, new Counter(options));
    else if (row.kind === 'gauge') made.set(name, new Gauge(options));
    else made.set(name, new Histogram({ ...options, buckets: BUCKETS_SECONDS }));
  }
  return {
    count: (name, labels, by = 1) => (made.get(name) as Counter).inc(labels as Record<string, string>, by),
    set: (name, labels, value) => (made.get(name) as Gauge).set(labels as Record<string, string>, value),
    observe: (name, labels, seconds) => (made.get(name) as Histogram).observe(labels as Record<string, string>, seconds),
    text: () => registry.metrics(),
  };
};
