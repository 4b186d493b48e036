/** Metrics for a collector that stands beside the relay in its own instance and has no token: on this machine's own address only. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../ports/metrics.ts';
import { answerProblem } from './http.ts';
import { targetOf } from './upgrade.ts';

export interface MetricsPort {
  readonly port: number;
  close(): Promise<void>;
}

/** The form that Prometheus reads. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Serves `GET /metrics` on 127.0.0.1, and nothing else. @param port 0 takes a free one. Rejects where it is taken. */
export const serveMetrics = async (metrics: Pick<Metrics, 'text'>, port: number): Promise<MetricsPort> => {
  const server = createServer((request, response) => {
    if (targetOf(request)?.pathname !== '/metrics') answerProblem(response, 'not_found');
    else if (request.method !== 'GET') answerProblem(response, 'method_not_allowed', { allow: 'GET' });
    else {
      metrics.text().then(
        (text) => response.writeHead(200, { 'content-type': METRICS_TYPE }).end(text),
        () => answerProblem(response, 'server_fault'),
      );
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
