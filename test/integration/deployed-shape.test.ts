import { rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder, peakMemoryBytes, startChild, type Child } from '../fixtures/processes.ts';
import { SECRET, signIn, storeTenants, withDeliveries, withLog } from '../fixtures/stored-data.ts';

interface Deployed {
  readonly child: Child;
  readonly url: string;
  readonly dataDir: string;
}

/** The real command of functions-framework on our entry, as it is deployed. */
const deployed = async (target: 'webhooks' | 'api' | 'jobs', environment: Record<string, string> = {}): Promise<Deployed> => {
  const dataDir = await dataFolder();
  await storeTenants(dataDir);
  const port = await freePort();
  const child = await startChild(['node_modules/.bin/functions-framework', '--source', 'functions/index.ts', '--target', target, '--port', String(port)], { DATA_DIR: dataDir, ...environment }, /Serving function/);
  return { child, url: `http://127.0.0.1:${port}`, dataDir };
};

interface Answered {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** Sends the bytes as they are; a server may answer before it has read them all. */
const post = (url: string, headers: Record<string, string>, chunks: readonly (Buffer | string)[]): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, timeout: 15_000 }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown> }));
    });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });

const POST_CALL = '/webhooks/elevenlabs/post-call';
const now = (): number => Math.floor(Date.now() / 1000);
const finished = (conversation: string): string =>
  // Spaced as no serialiser of ours would: only the raw bytes verify.
  `{ "type" :"post_call_transcription",\n\t"event_timestamp": 1760000000.0 , "data":{"conversation_id": "${conversation}","agent_id":"agent1",  "status":"done",` +
  `"transcript":[{"role":"agent","message":"Gr\\u00fc\\u00df dich","time_in_call_secs":0}],"metadata":{"call_duration_secs":5},"analysis":{"transcript_summary":"Short."}} }\n`;
const signed = (url: string, body: string, secret = SECRET): Promise<Answered> => post(`${url}${POST_CALL}`, { 'elevenlabs-signature': signatureHeader(secret, now(), body) }, [body]);

describe('the webhooks as they are deployed: the real functions-framework on our entry', () => {
  it('are stored before they are answered 200, verified over their raw bytes; a forged one changes nothing', async () => {
    const { url, dataDir, child } = await deployed('webhooks');
    const body = finished('conv_1');
    expect(await signed(url, body, 'wsec_forged')).toMatchObject({ status: 401, body: { code: 'signature_invalid' } });
    expect(await post(`${url}${POST_CALL}`, { 'elevenlabs-signature': signatureHeader(SECRET, now(), JSON.stringify(JSON.parse(body))) }, [body])).toMatchObject({ status: 401 });
    expect(await withLog(dataDir, (log) => log.find('conv_1'))).toBe(null);
    expect(await withDeliveries(dataDir, (store) => store.quarantineSize())).toBe(0);

    expect(await signed(url, body)).toMatchObject({ status: 200, body: { result: 'stored', call_sid: 'EL_conv_1' } });
    const page = await withLog(dataDir, (log) => log.read('EL_conv_1', 0, 100));
    expect(page?.events.map(({ text }) => (JSON.parse(text) as { type: string }).type)).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
    expect(JSON.parse(page?.events[0]?.text ?? '')).toMatchObject({ text: 'Grüß dich' });
    expect(await signed(url, body)).toMatchObject({ status: 200, body: { result: 'duplicate' } });
    // What operators count.
    expect(child.output()).toContain('"message":"Application startup complete"');
    expect(child.output()).toContain('"message":"POST /webhooks/elevenlabs/post-call"');
    expect(child.output()).not.toContain('Grüß');
  });

  it('refuse a gigabyte that was packed into a megabyte, and a body over the limit, without holding either in memory', async () => {
    const { url, dataDir, child } = await deployed('webhooks');
    expect(await signed(url, finished('conv_1'))).toMatchObject({ status: 200 });
    // Members of a gzip file may stand one behind the other: sixteen times 64 MiB of zeros.
    const member = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    const bomb = Array.from({ length: 16 }, () => member);
    const before = peakMemoryBytes(child.pid);
    for (const path of [POST_CALL, '/webhooks/elevenlabs/transcription', '/anything']) {
      expect(await post(`${url}${path}`, { 'content-encoding': 'gzip', 'elevenlabs-signature': signatureHeader(SECRET, now(), '') }, bomb)).toMatchObject({ status: 415, body: { code: 'encoding_not_supported' } });
    }
    const mebibyte = Buffer.alloc(1024 * 1024, 0x20);
    expect(await post(`${url}${POST_CALL}`, {}, Array.from({ length: 40 }, () => mebibyte))).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    expect(peakMemoryBytes(child.pid) - before).toBeLessThan(100 * 1024 * 1024);
    expect(await signed(url, finished('conv_2'))).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await withLog(dataDir, (log) => log.list({ tenant: 't1', limit: 10 })).then(({ calls }) => calls.map((call) => call.conversation_id))).toEqual(['conv_2', 'conv_1']);
  });

  it('are finished when the process is asked to stop in the middle of one, and then it ends by itself', async () => {
    const { url, dataDir, child } = await deployed('webhooks');
    expect(await signed(url, finished('conv_1'))).toMatchObject({ status: 200 });
    const body = finished('conv_2');
    const half = body.slice(0, 40);
    const answer = new Promise<number>((resolve, reject) => {
      const sent = request(`${url}${POST_CALL}`, { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close', 'content-length': String(Buffer.byteLength(body)), 'elevenlabs-signature': signatureHeader(SECRET, now(), body) } }, (got) => {
        got.resume();
        got.on('end', () => resolve(got.statusCode ?? 0));
      });
      sent.on('error', reject);
      sent.write(half, () => {
        // The process has the first half: another request on its own connection was answered after it.
        void signed(url, finished('conv_1')).then(() => {
          child.signal('SIGTERM');
          sent.end(body.slice(40));
        }, reject);
      });
    });
    expect(await answer).toBe(200);
    expect(await child.ended).toEqual({ code: 0, signal: null });
    expect(await withLog(dataDir, (log) => log.find('conv_2'))).toMatchObject({ status: 'completed' });
  });

  it('answer 503 while the stores cannot be opened, so that the delivery comes again, and 200 once they can', async () => {
    const dataDir = await dataFolder();
    const blocked = join(dataDir, 'data');
    await writeFile(blocked, 'a file where the folder should be');
    const port = await freePort();
    const child = await startChild(['node_modules/.bin/functions-framework', '--source', 'functions/index.ts', '--target', 'webhooks', '--port', String(port)], { DATA_DIR: blocked }, /Serving function/);
    const url = `http://127.0.0.1:${port}`;
    expect(await signed(url, finished('conv_1'))).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
    await rm(blocked);
    await storeTenants(blocked);
    expect(await signed(url, finished('conv_1'))).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('do not start with settings that cannot work, and name each of them', async () => {
    const started = deployed('webhooks', { NODE_ENV: 'production', WEBHOOK_AUTH: 'none' });
    await expect(started).rejects.toThrow(/ended before it was ready \(1\)[\s\S]*ELEVENLABS_API_KEY is missing[\s\S]*AUTH_SIGNING_KEY is missing[\s\S]*WEBHOOK_AUTH=none is refused/);
  });
});

/** Everything that is asked over one connection, as it is answered; the last request has to close it. */
const overOne = (url: string, requests: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ port: Number(new URL(url).port), host: '127.0.0.1' });
    const parts: Buffer[] = [];
    socket.setTimeout(15_000, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', reject);
    socket.on('data', (part: Buffer) => parts.push(part));
    socket.on('close', () => resolve(Buffer.concat(parts).toString()));
    for (const request of requests) socket.write(request);
  });

describe('what no webhook is, at the function that takes them', () => {
  it('is answered as what it is, by our routes and not by the framework, and the function goes on', async () => {
    const { url, child } = await deployed('webhooks');
    const asked = async (method: string, path: string, headers: Record<string, string> = {}, body: string | null = null): Promise<readonly [number, unknown]> => {
      const answer = await fetch(url + path, { method, headers, body });
      const text = await answer.text();
      return [answer.status, text === '' ? null : (JSON.parse(text) as { code?: unknown }).code];
    };
    for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) expect(await asked(method, POST_CALL)).toEqual([405, 'method_not_allowed']);
    expect(await asked('HEAD', POST_CALL)).toEqual([405, null]);
    for (const path of ['/', '/favicon.ico', '/robots.txt', '/webhooks/elevenlabs', '/%E0%A4%A', '/health']) expect(await asked('GET', path)).toEqual([404, 'not_found']);
    // What it says of itself is no matter: the bytes are.
    const body = finished('conv_1');
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=latin1', 'nonsense']) {
      expect((await asked('POST', POST_CALL, { 'content-type': type, 'elevenlabs-signature': signatureHeader(SECRET, now(), body) }, body))[0]).toBe(200);
    }
    expect((await asked('POST', POST_CALL, { 'content-type': 'application/json', 'elevenlabs-signature': signatureHeader(SECRET, now(), '') }, ''))[0]).toBe(200);
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('takes two deliveries that come one behind the other over one connection for two, each with its own body', async () => {
    const { url, dataDir } = await deployed('webhooks');
    const [one, two] = [finished('conv_1'), finished('conv_2')];
    const sent = (body: string, signedAs: string, last: boolean): string =>
      `POST ${POST_CALL} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nelevenlabs-signature: ${signatureHeader(SECRET, now(), signedAs)}\r\n${last ? 'connection: close\r\n' : ''}\r\n${body}`;
    const answers = await overOne(url, [sent(one, one, false) + sent(two, one, false) + sent(two, two, true)]);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200']);
    expect(answers.match(/"call_sid":"[^"]*"/g)).toEqual(['"call_sid":"EL_conv_1"', '"call_sid":"EL_conv_2"']);
    expect(await withLog(dataDir, (log) => log.list({ tenant: 't1', limit: 10 })).then(({ calls }) => calls.map((call) => call.conversation_id))).toEqual(['conv_2', 'conv_1']);
  });
});

describe('the API as it is deployed', () => {
  it('says how it is, signs in, and shows a call only to its tenant', async () => {
    const { url } = await deployed('api');
    const health = await fetch(`${url}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: 'ok' });
    const get = async (path: string, token: string): Promise<{ status: number; body: unknown }> => {
      const answer = await fetch(url + path, { headers: { authorization: `Bearer ${token}` } });
      return { status: answer.status, body: await answer.json() };
    };
    const token = await signIn(url, 'anna');
    expect(await get('/calls', token)).toEqual({ status: 200, body: { calls: [], next_cursor: null } });
    expect(await get('/calls/EL_conv_1', token)).toMatchObject({ status: 404, body: { code: 'call_not_found' } });
    expect(await post(`${url}/auth/login`, {}, [JSON.stringify({ username: 'anna', password: 'wrong' })])).toMatchObject({ status: 401, body: { code: 'credentials_invalid' } });
    expect(await post(`${url}/auth/login`, { 'content-encoding': 'gzip' }, [gzipSync('{}')])).toMatchObject({ status: 415 });
    expect(await fetch(`${url}/health`, { method: 'HEAD' }).then(async (answer) => [answer.status, await answer.text()])).toEqual([200, '']);
    expect((await fetch(`${url}/favicon.ico`)).status).toBe(404);
  });

  it('tells a browser of another origin what it may, and no other', async () => {
    const { url } = await deployed('api', { ALLOWED_ORIGINS: 'https://screen.example.com' });
    const asked = async (origin: string): Promise<readonly unknown[]> => {
      const headers = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
      const answer = await fetch(`${url}/calls`, { method: 'OPTIONS', headers });
      return [answer.status, answer.headers.get('access-control-allow-origin'), answer.headers.get('access-control-allow-methods')];
    };
    expect(await asked('https://screen.example.com')).toEqual([204, 'https://screen.example.com', 'GET,POST,PUT,DELETE']);
    expect((await asked('https://elsewhere.example.com'))[1]).toBeNull();
  });
});

describe('the jobs as they are deployed', () => {
  it('run when a service asks, and for nobody else', async () => {
    const { url, dataDir } = await deployed('jobs');
    // Of another function, which shares the signing key.
    const api = await startChild(['node_modules/.bin/functions-framework', '--source', 'functions/index.ts', '--target', 'api', '--port', String(await freePort())], { DATA_DIR: dataDir }, /URL: http:\/\/localhost:(\d+)/);
    const apiUrl = `http://127.0.0.1:${api.ready}`;
    const as = async (username: string): Promise<Record<string, string>> => ({ authorization: `Bearer ${await signIn(apiUrl, username)}` });
    expect(await post(`${url}/`, await as('sam'), ['{}'])).toEqual({ status: 200, body: { freed: 0, reconciled: { polled: 0, found: 0, finished: 0, settled: 0 }, settled: 0, swept: 0, erased: 0 } });
    expect(await post(`${url}/`, await as('anna'), ['{}'])).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await post(`${url}/`, await as('theo'), ['{}'])).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await post(`${url}/`, {}, ['{}'])).toMatchObject({ status: 401, body: { code: 'token_missing' } });
    const got = await fetch(`${url}/`, { headers: await as('sam') });
    expect(got.status).toBe(405);
  });
});
