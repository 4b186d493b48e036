import { request } from 'node:http';
import { expect, it, onTestFinished } from 'vitest';
import { serveMetrics, type MetricsPort } from '../../ws-relay/metrics-port.ts';

const serving = async (text: () => Promise<string>): Promise<MetricsPort> => {
  const port = await serveMetrics({ text }, 0);
  onTestFinished(() => port.close());
  return port;
};

const ask = (port: number, method: string, path: string): Promise<{ readonly status: number; readonly body: string }> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, timeout: 5_000 }, (answer) => {
      let body = '';
      answer.on('data', (part: Buffer) => (body += part.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
    });
    sent.on('error', reject);
    sent.end();
  });

it('answers a collector beside it without a token, and nothing else than /metrics', async () => {
  const { port } = await serving(() => Promise.resolve('earshot_connections 3\n'));
  expect(await ask(port, 'GET', '/metrics')).toEqual({ status: 200, body: 'earshot_connections 3\n' });
  expect(await ask(port, 'GET', '/metrics?x=1')).toMatchObject({ status: 200 });
  for (const path of ['/', '/health', '/poll', '/ws', '/metrics/', '/hops/EL_1']) expect(await ask(port, 'GET', path)).toMatchObject({ status: 404 });
  expect(await ask(port, 'POST', '/metrics')).toMatchObject({ status: 405 });
  expect(await ask(port, 'GET', 'http://')).toMatchObject({ status: 404 });
});

it('answers 500 where the figures cannot be had, without saying why', async () => {
  const { port } = await serving(() => Promise.reject(new Error('canary-words')));
  const answer = await ask(port, 'GET', '/metrics');
  expect(answer.status).toBe(500);
  expect(answer.body).not.toContain('canary-words');
});

it('does not start where its port is taken', async () => {
  const { port } = await serving(() => Promise.resolve(''));
  await expect(serveMetrics({ text: () => Promise.resolve('') }, port)).rejects.toMatchObject({ code: 'EADDRINUSE' });
});
