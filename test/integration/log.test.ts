import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { sentryLog } from '../../ports/log.sentry.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';

it('writes one JSON line per entry in the form that Cloud Logging reads', () => {
  const lines: string[] = [];
  const log = jsonLog('info', (line) => lines.push(line)).with({ revision: 'r1' });
  log.debug('dropped');
  log.info('WebSocket connection attempt', { connection_id: 'ws_1' });
  log.warn('careful');
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { severity: 'INFO', time: expect.stringMatching(/^\d{4}-.*Z$/) as string, revision: 'r1', connection_id: 'ws_1', message: 'WebSocket connection attempt' },
    { severity: 'WARNING', time: expect.any(String) as string, revision: 'r1', message: 'careful' },
  ]);
  expect(lines.every((line) => line.endsWith('\n'))).toBe(true);
});

it('writes of an error its name, code and stack, never its message', () => {
  const lines: string[] = [];
  const log = jsonLog('info', (line) => lines.push(line));
  log.error('it broke', {}, new Error('canary-words'));
  log.error('it broke', {}, new EarshotError('store_unavailable'));
  expect(lines.join('')).not.toContain('canary-words');
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ severity: 'ERROR', error: 'EarshotError', code: 'store_unavailable', stack: expect.stringContaining('at ') as string });
});

it('reports errors to Sentry, and nothing else, and nothing of what the error says', async () => {
  const got: string[] = [];
  let arrived: () => void = () => undefined;
  const arrival = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      got.push(`${request.url ?? ''}\n${body}`);
      response.end('{}');
      arrived();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const log = sentryLog(
    jsonLog('silent', () => undefined),
    { dsn: `http://public@127.0.0.1:${port}/42`, release: '1.2.3', runtime: systemRuntime(), fetch: globalThis.fetch },
  );
  log.info('not this');
  log.error('a job failed', { job: 'sweep' }, new Error('canary-words'));
  await arrival;
  server.close();
  expect(got).toHaveLength(1);
  expect(got[0]).toContain('/api/42/envelope/');
  expect(got[0]).toContain('a job failed');
  expect(got[0]).toContain('"job":"sweep"');
  expect(got[0]).not.toContain('canary-words');
});
