import http, { type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { guardNextServer, type GuardedRequest, type NextServer } from '../../functions/guard.ts';

const secrets = (): Promise<readonly string[]> => Promise.resolve([]);

/** The server that is created next, with its address. */
const next = async (options: Partial<NextServer>, app: RequestListener): Promise<{ readonly server: Server; readonly url: string }> => {
  guardNextServer({ secrets, ...options });
  const server = http.createServer(app);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
};
const post = async (url: string, body: string, headers: Record<string, string> = {}): Promise<readonly [number, string]> => {
  const answer = await fetch(url, { method: 'POST', body, headers, signal: AbortSignal.timeout(30_000) });
  return [answer.status, await answer.text()];
};
const echo =
  (name: string): RequestListener =>
  (request, response) =>
    response.end(`${name}: ${String((request as GuardedRequest).rawBody)}`);

describe('the guard in front of the next server', () => {
  it('lets its own listener answer with what the guard has read, and the application that the server was made with never hears of it', async () => {
    const asked: string[] = [];
    const { url } = await next({ answer: echo('ours') }, (request, response) => {
      asked.push(request.url ?? '');
      response.end('the application');
    });
    expect(await post(`${url}/webhooks/elevenlabs/post-call`, 'a body')).toEqual([200, 'ours: a body']);
    expect(await post(`${url}/anything`, '')).toEqual([200, 'ours: ']);
    expect((await post(url, 'packed', { 'content-encoding': 'gzip' }))[0]).toBe(415);
    expect(asked).toEqual([]);
  });

  it('leaves the answer to the application where there is no listener of its own, and the server after the next alone', async () => {
    const told: Server[] = [];
    const { server, url } = await next({ created: (created) => told.push(created) }, echo('the application'));
    expect(await post(url, 'a body')).toEqual([200, 'the application: a body']);
    expect((await post(url, 'packed', { 'content-encoding': 'gzip' }))[0]).toBe(415);
    expect(told).toEqual([server]);
    const other = http.createServer(echo('another'));
    onTestFinished(() => void other.close());
    expect([told.length, other.listeners('request').length]).toEqual([1, 1]);
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve));
    expect(await post(`http://127.0.0.1:${(other.address() as AddressInfo).port}`, 'packed', { 'content-encoding': 'gzip' })).toEqual([200, 'another: undefined']);
  });
});
