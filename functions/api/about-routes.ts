/** What the service says of itself: health, where everything is, its documents. All without a token. */
import { createRoute } from '@hono/zod-openapi';
import { ERRORS } from '../../core/protocol/codes.ts';
import { Discovery, Health, McpConfig, McpServers } from '../../core/protocol/rest.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { answer, otherwise } from './describe.ts';
import { DOCS_PAGE, DOCS_SCRIPT, DOCS_STYLE } from './docs-page.ts';
import type { Api, ApiParts } from './services.ts';

/** A store that has not answered by then counts as down. */
const CHECK_MAX_MS = 2_000;

/** Adds `/health`, `/ready`, `/discovery`, `/mcp/...`, `/openapi.json`, `/asyncapi.json`, `/docs`. */
export const aboutRoutes = (api: Api): void => {
  healthRoutes(api);
  discoveryRoutes(api);
  documentRoutes(api);
};

const healthRoutes = ({ app, parts }: Api): void => {
  const health = createRoute({ method: 'get', path: '/health', tags: ['about'], summary: 'Whether everything answers that is needed', responses: { 200: answer(Health, 'all is well'), 503: answer(Health, 'something does not answer'), ...otherwise } });
  for (const route of [health, { ...health, path: '/ready' as const, summary: 'Whether requests can be served' }]) {
    app.openapi(route, async (c) => {
      const checks = await check(parts);
      const well = Object.values(checks).every((result) => result === 'ok');
      return c.json({ status: well ? ('ok' as const) : ('unavailable' as const), version: parts.version, checks }, well ? 200 : 503);
    });
  }
};

const check = async (parts: ApiParts): Promise<Record<string, 'ok' | 'failed'>> => {
  const stores = { call_log: parts.callLog, directory: parts.directory, raw_store: parts.rawStore };
  const results = await Promise.all(Object.entries(stores).map(async ([name, store]) => [name, await within(parts.runtime, store.check())] as const));
  return Object.fromEntries(results);
};

const within = (runtime: Runtime, answered: Promise<void>): Promise<'ok' | 'failed'> =>
  new Promise((resolve) => {
    const timer = runtime.after(CHECK_MAX_MS, () => resolve('failed'));
    answered.then(() => resolve('ok'), () => resolve('failed')).finally(() => timer.cancel());
  });

const discoveryRoutes = ({ app, parts }: Api): void => {
  const { settings } = parts;
  app.openapi(createRoute({ method: 'get', path: '/discovery', tags: ['about'], summary: 'Services, where they are, protocol versions', responses: { 200: answer(Discovery, 'where everything is'), ...otherwise } }), (c) => {
    const api = settings.publicApiUrl ?? new URL(c.req.url).origin;
    const relay = (settings.publicRelayUrl ?? api).replace(/^http/, 'ws');
    return c.json(
      {
        name: 'earshot' as const,
        version: parts.version,
        services: {
          api: { url: api, openapi: `${api}/openapi.json`, docs: `${api}/docs` },
          relay: {
            url: relay,
            websocket: ['/ws/calls/transcriptions', '/ws', '/websocket'].map((path) => relay + path),
            poll: `${relay.replace(/^ws/, 'http')}/poll`,
            asyncapi: `${api}/asyncapi.json`,
          },
          auth: { login: `${api}/auth/login`, refresh: `${api}/auth/refresh`, logout: `${api}/auth/logout`, ticket: `${api}/auth/ticket`, keys: `${api}/.well-known/jwks.json` },
          mcp: { config: `${api}/mcp/config`, servers: `${api}/mcp/servers` },
        },
        protocols: ['earshot.v1'],
      },
      200,
    );
  });
  app.openapi(createRoute({ method: 'get', path: '/mcp/config', tags: ['about'], summary: 'Configuration for MCP clients: there is no server yet', responses: { 200: answer(McpConfig, 'empty'), ...otherwise } }), (c) => c.json({ mcpServers: {} }, 200));
  app.openapi(createRoute({ method: 'get', path: '/mcp/servers', tags: ['about'], summary: 'MCP servers: there is none yet', responses: { 200: answer(McpServers, 'empty'), ...otherwise } }), (c) => c.json({ servers: [] }, 200));
};

const documentRoutes = ({ app, parts }: Api): void => {
  app.openAPIRegistry.registerComponent('securitySchemes', 'bearer', { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'an access token from POST /auth/login' });
  app.doc31('/openapi.json', {
    openapi: '3.1.0',
    info: { title: 'Earshot', version: parts.version, description: 'Voice-agent calls within earshot of the people who answer for them.' },
    tags: ['auth', 'calls', 'drivers', 'figures', 'deliveries', 'webhooks', 'relay', 'about'].map((name) => ({ name })),
    'x-error-codes': ERRORS,
  });
  app.get('/asyncapi.json', async (c) => c.json(await parts.asyncApi()));
  const files = { '/docs': ['text/html', DOCS_PAGE], '/docs/page.css': ['text/css', DOCS_STYLE], '/docs/page.js': ['text/javascript', DOCS_SCRIPT] } as const;
  for (const [path, [type, text]] of Object.entries(files)) {
    app.get(path, (c) =>
      c.body(text, 200, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        'cache-control': 'public, max-age=300',
      }),
    );
  }
};
