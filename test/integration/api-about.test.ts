import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { ID_FORM } from '../../core/protocol/id-form.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi({ settings: { allowedOrigins: ['https://desk.example.com'] } });
});
afterAll(() => api.close());

describe('a failure', () => {
  it('is a problem document whatever it was', async () => {
    const response = await api.ask('anna', 'GET', '/calls/EL_nobody');
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([404, 'application/problem+json', 'no-store']);
    expect(await response.json()).toEqual({ type: '/docs#call_not_found', title: 'Call not found', status: 404, detail: 'There is no such call.', code: 'call_not_found', retryable: false });
  });

  it.each([
    ['GET', '/nowhere', 404, 'not_found', null],
    ['POST', '/', 404, 'not_found', null],
    ['GET', '/auth/login', 405, 'method_not_allowed', 'POST'],
    ['DELETE', '/calls', 405, 'method_not_allowed', 'GET, POST'],
    ['PUT', '/calls/EL_1', 405, 'method_not_allowed', 'GET, DELETE'],
    ['PATCH', '/drivers/d1', 405, 'method_not_allowed', 'GET, PUT'],
    ['POST', '/health', 405, 'method_not_allowed', 'GET'],
  ])('%s %s is %i', async (method, path, status, code, allow) => {
    const response = await api.ask('adam', method, path);
    expect([response.status, ((await response.json()) as { code: string }).code, response.headers.get('allow')]).toEqual([status, code, allow]);
  });

  it.each([
    ['{"to":', 'application/json', 400, 'invalid_json'],
    ['', 'application/json', 400, 'invalid_json'],
    ['[1', 'application/json; charset=utf-8', 400, 'invalid_json'],
    ['{"to":"+15550123"}', 'text/plain', 415, 'media_type_not_supported'],
    ['to=%2B15550123', 'application/x-www-form-urlencoded', 415, 'media_type_not_supported'],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, 'application/json', 400, 'invalid_request'],
    ['{"to":"+15550123","to":1e400}', 'application/json', 400, 'invalid_request'],
    ['"\ud800"', 'application/json', 400, 'invalid_request'],
  ])('%.20j as %s is %i %s', async (body, type, status, code) => {
    const response = await api.ask('anna', 'POST', '/calls', body, { 'content-type': type });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });

  it('names the fields that are wrong, and repeats neither values nor names that are none', async () => {
    const body = { to: 5, variables: { 'canary name +15550123': 1, fine: { canary: 1 } }, canary_field: 1, 'canary field': 2 };
    const { body: problem } = await api.json('anna', 'POST', '/calls', body);
    expect(problem['problems']).toEqual(['to: has to be string', 'variables.*: has not the form that is taken here', 'variables.fine: has not the form that is taken here', 'request: has an unknown field: canary_field, *']);
  });

  it('of ours says only that, and is logged without what it says', async () => {
    const broken = await startApi({ parts: { callLog: { ...api.parts.callLog, list: () => Promise.reject(new Error('canary in a message')) } } });
    try {
      expect(await broken.json('anna', 'GET', '/calls')).toMatchObject({ status: 500, body: { code: 'server_fault', retryable: true } });
      expect(broken.logged()).toMatchObject([{ severity: 'ERROR', message: 'request failed', method: 'GET', route: '/calls' }]);
      expect(JSON.stringify(broken.logged())).not.toContain('canary');
    } finally {
      await broken.close();
    }
  });

  it('of a malformed request leaves the server standing', async () => {
    const port = Number(new URL(api.url).port);
    for (const raw of ['GET /calls/%E0%A4%A HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n', 'GET //evil HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 'NONSENSE\r\n\r\n']) {
      const answered = await new Promise<string>((resolve) => {
        let text = '';
        const socket = connect(port, '127.0.0.1', () => socket.end(raw));
        socket.on('data', (chunk) => (text += chunk.toString())).on('close', () => resolve(text)).on('error', () => resolve(text));
      });
      expect(answered).toMatch(/^HTTP\/1\.1 4\d\d/);
    }
    expect((await api.ask(null, 'GET', '/health')).status).toBe(200);
  });
});

describe('CORS', () => {
  it('opens the API to pages of the list, exactly', async () => {
    const preflight = async (origin: string): Promise<(string | null)[]> => {
      const response = await api.ask(null, 'OPTIONS', '/calls', undefined, { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,idempotency-key' });
      return ['access-control-allow-origin', 'access-control-allow-methods', 'access-control-allow-headers', 'access-control-allow-credentials'].map((name) => response.headers.get(name));
    };
    expect(await preflight('https://desk.example.com')).toEqual(['https://desk.example.com', 'GET,POST,PUT,DELETE', 'authorization,content-type,idempotency-key', null]);
    for (const origin of ['https://desk.example.com.evil.example', 'http://desk.example.com', 'https://desk.example.com:8443', 'null', '*']) expect((await preflight(origin))[0]).toBeNull();
  });

  it('lets such a page read answers and failures alike, and no other', async () => {
    for (const path of ['/health', '/nowhere', '/calls']) {
      const good = await api.ask(null, 'GET', path, undefined, { origin: 'https://desk.example.com' });
      const other = await api.ask(null, 'GET', path, undefined, { origin: 'https://other.example.com' });
      expect([good.headers.get('access-control-allow-origin'), other.headers.get('access-control-allow-origin')]).toEqual(['https://desk.example.com', null]);
      expect(good.headers.get('vary')).toContain('Origin');
    }
  });
});

describe('health', () => {
  it.each(['/health', '/ready'])('%s says that all answers', async (path) => {
    expect(await api.json(null, 'GET', path)).toEqual({ status: 200, body: { status: 'ok', version: '0.0.0-test', checks: { call_log: 'ok', directory: 'ok', raw_store: 'ok' } } });
  });

  it('says what does not answer, also where it hangs', async () => {
    const ill = await startApi({ parts: { callLog: { ...api.parts.callLog, check: () => new Promise(() => undefined) }, rawStore: { ...api.parts.rawStore, check: () => Promise.reject(new EarshotError('store_unavailable')), close: async () => undefined } } });
    try {
      expect(await ill.json(null, 'GET', '/health')).toMatchObject({ status: 503, body: { status: 'unavailable', checks: { call_log: 'failed', directory: 'ok', raw_store: 'failed' } } });
    } finally {
      await ill.close();
    }
  });
});

describe('what is where', () => {
  it('is told by the settings, else by where it was asked', async () => {
    const here = await api.json(null, 'GET', '/discovery');
    expect(here.body).toMatchObject({
      name: 'earshot',
      version: '0.0.0-test',
      protocols: ['earshot.v1'],
      services: {
        api: { url: api.url, openapi: `${api.url}/openapi.json` },
        relay: { url: api.url.replace('http', 'ws'), websocket: [`${api.url.replace('http', 'ws')}/ws/calls/transcriptions`, `${api.url.replace('http', 'ws')}/ws`, `${api.url.replace('http', 'ws')}/websocket`], poll: `${api.url}/poll` },
        auth: { login: `${api.url}/auth/login` },
        mcp: { config: `${api.url}/mcp/config`, servers: `${api.url}/mcp/servers` },
      },
    });
    const deployed = await startApi({ settings: { publicApiUrl: 'https://api.example.com', publicRelayUrl: 'https://relay.example.com' } });
    try {
      const { body } = await deployed.json(null, 'GET', '/discovery');
      expect(body['services']).toMatchObject({ api: { url: 'https://api.example.com' }, relay: { url: 'wss://relay.example.com', poll: 'https://relay.example.com/poll' } });
    } finally {
      await deployed.close();
    }
  });

  it('holds no MCP server yet', async () => {
    expect(await api.json(null, 'GET', '/mcp/config')).toEqual({ status: 200, body: { mcpServers: {} } });
    expect(await api.json(null, 'GET', '/mcp/servers')).toEqual({ status: 200, body: { servers: [] } });
  });
});

describe('the documents', () => {
  it('describe every route that there is', async () => {
    const { body } = await api.json(null, 'GET', '/openapi.json');
    const paths = body['paths'] as Record<string, Record<string, { security?: unknown[]; responses: Record<string, unknown> }>>;
    expect(body['openapi']).toBe('3.1.0');
    expect(Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)).sort()).toEqual([
      'DELETE /calls/{id}', 'GET /.well-known/jwks.json', 'GET /calls', 'GET /calls.csv', 'GET /calls/{id}', 'GET /calls/{id}/audio', 'GET /calls/{id}/events', 'GET /calls/{id}/events/{seq}/text',
      'GET /conversations/{id}/fetch', 'GET /deliveries', 'GET /discovery', 'GET /drivers', 'GET /drivers/{id}', 'GET /health', 'GET /hops/{id}', 'GET /mcp/config', 'GET /mcp/servers', 'GET /quarantine', 'GET /ready', 'GET /stats', 'GET /stats/hours',
      'POST /auth/login', 'POST /auth/logout', 'POST /auth/refresh', 'POST /auth/ticket', 'POST /calls', 'POST /calls/{id}/end', 'POST /driver_data/call-elevenlabs', 'POST /poll', 'POST /quarantine/{id}/redrive',
      'POST /webhooks/agent-events', 'POST /webhooks/elevenlabs/post-call', 'POST /webhooks/elevenlabs/transcription',
      'PUT /drivers', 'PUT /drivers/{id}',
    ]);
    const open = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).filter(([, operation]) => operation.security === undefined).map(([method]) => `${method} ${path}`));
    expect(open.sort()).toEqual(['get /.well-known/jwks.json', 'get /discovery', 'get /health', 'get /mcp/config', 'get /mcp/servers', 'get /ready', 'post /auth/login']);
    expect(Object.values(paths).flatMap((methods) => Object.values(methods)).every((operation) => 'default' in operation.responses)).toBe(true);
    expect(Object.keys((body['components'] as { schemas: object }).schemas).sort()).toEqual(['Call', 'CallRow', 'Driver', 'Problem', 'Token']);
    expect((body['x-error-codes'] as Record<string, unknown>)['call_not_found']).toMatchObject({ status: 404 });
  });

  it('describe parameters as what they mean', async () => {
    const { body } = await api.json(null, 'GET', '/openapi.json');
    const { parameters } = (body['paths'] as Record<string, Record<string, { parameters: { name: string; required: boolean; schema: object }[] }>>)['/calls/{id}/events']?.['get'] ?? { parameters: [] };
    expect(parameters.map(({ name, required, schema }) => [name, required, schema])).toEqual([
      ['id', true, { type: 'string', minLength: 1, maxLength: 320, pattern: ID_FORM.source, description: 'call_sid or conversation_id' }],
      ['epoch', false, { type: 'string', maxLength: 256, description: 'of the position; needed after seq 0' }],
      ['since', false, { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0, description: 'seq of the last event known' }],
      ['limit', false, { type: 'integer', minimum: 1, maximum: 1000, default: 1000 }],
    ]);
  });

  it('refuse every route that takes a token without one', async () => {
    const { body } = await api.json(null, 'GET', '/openapi.json');
    for (const [path, methods] of Object.entries(body['paths'] as Record<string, Record<string, { security?: unknown[] }>>)) {
      for (const [method, operation] of Object.entries(methods)) {
        // What the relay and the webhooks answer is not the API's to refuse.
        if (operation.security === undefined || path === '/poll' || path.startsWith('/hops/') || path.startsWith('/webhooks/')) continue;
        const response = await api.ask(null, method.toUpperCase(), path.replaceAll(/\{\w+\}/g, '1'));
        expect([method, path, response.status]).toEqual([method, path, 401]);
      }
    }
  });

  it('are shown by a page that needs no other origin', async () => {
    const page = await api.ask(null, 'GET', '/docs');
    const html = await page.text();
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toBe("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    expect(html).not.toMatch(/https?:\/\//);
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=/);
    for (const [, path] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect([path, (await api.ask(null, 'GET', path ?? '')).status]).toEqual([path, 200]);
    const script = await (await api.ask(null, 'GET', '/docs/page.js')).text();
    expect(script).not.toMatch(/innerHTML|https?:\/\/|eval\(/);
  });

  it('of the WebSocket stand beside them', async () => {
    expect(await api.json(null, 'GET', '/asyncapi.json')).toEqual({ status: 200, body: { asyncapi: '3.0.0' } });
  });
});
