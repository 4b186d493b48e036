import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { METRICS } from '../../ports/metrics.ts';
import { prometheusMetrics } from '../../ports/metrics.prometheus.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const code = ['functions', 'ws-relay', 'local', 'ports']
  .flatMap((folder) => readdirSync(`${ROOT}${folder}`, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && entry.name !== 'metrics.ts')
  .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
  .join('\n');

it.each(Object.keys(METRICS))('%s is written by the code', (name) => {
  expect(code).toContain(`'${name}'`);
});

it('all of them are printed in the form that Prometheus reads, the delay of the event loop measured', async () => {
  const metrics = prometheusMetrics();
  metrics.count('earshot_webhook_requests_total', { route: 'post-call', type: 'x', code: '200' });
  metrics.observe('earshot_log_append_seconds', {}, 0.003);
  metrics.set('earshot_quarantine_size', {}, 7);
  const text = await metrics.text();
  expect(text).toContain('earshot_webhook_requests_total{route="post-call",type="x",code="200"} 1');
  expect(text).toContain('earshot_log_append_seconds_bucket{le="0.005"} 1');
  expect(text).toContain('earshot_quarantine_size 7');
  expect(text).toMatch(/earshot_event_loop_delay_seconds\{quantile="0\.99"\} [\d.e-]+/);
  for (const name of Object.keys(METRICS)) expect(text).toContain(`# TYPE ${name} `);
});
