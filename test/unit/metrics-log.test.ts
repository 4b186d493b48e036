import { describe, expect, it } from 'vitest';
import { METRICS } from '../../ports/metrics.ts';
import { logMetrics } from '../../ports/metrics.log.ts';

const written = (): { readonly metrics: ReturnType<typeof logMetrics>; readonly lines: string[] } => {
  const lines: string[] = [];
  return { metrics: logMetrics((line) => lines.push(line), { now: () => Date.UTC(2026, 0, 1) }), lines };
};

describe('figures as lines of the log', () => {
  it('are one line each, with the name, the labels and the value that log-based metrics read', async () => {
    const { metrics, lines } = written();
    metrics.count('earshot_webhook_requests_total', { route: 'post-call', type: 'other', code: '200' });
    metrics.count('earshot_deliveries_total', {}, 12);
    metrics.observe('earshot_webhook_duration_seconds', { route: 'post-call' }, 0.0123);
    metrics.set('earshot_quarantine_size', {}, 7);
    expect(lines.every((line) => line.endsWith('}\n') && line.indexOf('\n') === line.length - 1)).toBe(true);
    const form = { severity: 'INFO', message: 'metric', time: '2026-01-01T00:00:00.000Z' };
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { ...form, metric: 'earshot_webhook_requests_total', route: 'post-call', type: 'other', code: '200', value: 1 },
      { ...form, metric: 'earshot_deliveries_total', value: 12 },
      { ...form, metric: 'earshot_webhook_duration_seconds', route: 'post-call', value: 0.0123 },
      { ...form, metric: 'earshot_quarantine_size', value: 7 },
    ]);
    expect(await metrics.text()).toBe('');
  });

  it.each(Object.entries(METRICS))('leave room for every label of %s', (_, { labels }) => {
    expect(labels.filter((label) => ['severity', 'message', 'time', 'metric', 'value'].includes(label))).toEqual([]);
  });
});
