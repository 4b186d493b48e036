import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
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

const SERVICE = { project: 'p1', name: 'webhooks', version: '1.2.3' };
const LABELS = { 'logging.googleapis.com/labels': { service: 'webhooks', version: '1.2.3' } };
const TRACE = { trace_id: '0af7651916cd43dd8448eb211c80319c', span_id: 'b7ad6b7169203331', trace_sampled: true };

it('writes, where it is deployed, trace, labels and HTTP request as Cloud Logging knows them', () => {
  const lines: string[] = [];
  const log = jsonLog('info', (line) => lines.push(line), SERVICE);
  log.with(TRACE).info('POST /x', { status: 200 }, { method: 'POST', path: '/x', status: 200, duration_ms: 12.3 });
  log.warn('careful', { ...TRACE, trace_sampled: false });
  log.info('by itself');
  const time = expect.any(String) as string;
  const traced = { 'logging.googleapis.com/trace': `projects/p1/traces/${TRACE.trace_id}`, 'logging.googleapis.com/spanId': TRACE.span_id };
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    {
      severity: 'INFO', time, ...LABELS, ...traced, 'logging.googleapis.com/trace_sampled': true, status: 200, message: 'POST /x',
      httpRequest: { requestMethod: 'POST', requestUrl: '/x', status: 200, latency: '0.012300s' },
    },
    { severity: 'WARNING', time, ...LABELS, ...traced, 'logging.googleapis.com/trace_sampled': false, message: 'careful' },
    { severity: 'INFO', time, ...LABELS, message: 'by itself' },
  ]);
});

it('keeps the bare id of a trace where the project is not known, and on one machine, where nothing is said twice', () => {
  const lines: string[] = [];
  const add = (line: string): void => void lines.push(line);
  jsonLog('info', add, { ...SERVICE, project: null }).info('a', { trace_id: 'x' });
  jsonLog('info', add).with({ trace_id: 'x' }).info('a', {}, { method: 'POST', path: '/x', status: 200, duration_ms: 1 });
  const time = expect.any(String) as string;
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { severity: 'INFO', time, ...LABELS, trace_id: 'x', message: 'a' },
    { severity: 'INFO', time, trace_id: 'x', message: 'a' },
  ]);
});

it('writes errors, where it is deployed, as Error Reporting takes them: with the stack, under our own sentence, never with what the error says', () => {
  const lines: string[] = [];
  const log = jsonLog('info', (line) => lines.push(line), SERVICE);
  log.error('it broke', { route: 'post-call' }, new TypeError('canary-words'));
  log.error('History lost', { call_sid: 'EL_1' });
  expect(lines.join('')).not.toContain('canary-words');
  const form = { severity: 'ERROR', ...LABELS, '@type': 'type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent', serviceContext: { service: 'webhooks', version: '1.2.3' } };
  const time = expect.any(String) as string;
  expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
    { ...form, time, route: 'post-call', error: 'TypeError', stack_trace: expect.stringMatching(/^TypeError: it broke\n {4}at /) as string, message: 'it broke' },
    { ...form, time, call_sid: 'EL_1', message: 'History lost' },
  ]);
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
  const log = await sentryLog(
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

it.each([
  [null, false],
  ['http://public@127.0.0.1:9/42', true],
])('loads what reports errors only where there is somewhere to report to (%s)', async (dsn, loaded) => {
  const program = `
    import { registerHooks } from 'node:module';
    let seen = false;
    registerHooks({ load: (url, context, next) => { seen ||= url.includes('/@sentry/'); return next(url, context); } });
    const { sentryLog } = await import('./ports/log.sentry.ts');
    await sentryLog({}, { dsn: ${JSON.stringify(dsn)}, release: '1', runtime: null, fetch: null });
    process.stdout.write(String(seen));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], { timeout: 30_000 });
  expect(stdout).toBe(String(loaded));
});
