/** The REST API: its routes, and what is the same for all of them. */
import { OpenAPIHono } from '@hono/zod-openapi';
import { cors } from 'hono/cors';
import { EarshotError } from '../../core/protocol/codes.ts';
import { aboutRoutes } from './about-routes.ts';
import { answerError, answerProblem, problemsOf } from './answer-error.ts';
import { bearer } from './asker.ts';
import { authRoutes } from './auth-routes.ts';
import { callRoutes } from './call-routes.ts';
import { deliveryRoutes } from './delivery-routes.ts';
import { dialRoutes } from './dial-routes.ts';
import { driverRoutes } from './driver-routes.ts';
import { exportRoute } from './export-route.ts';
import { neighbourRoutes } from './neighbour-routes.ts';
import { during, hopOf } from '../request.ts';
import type { Api, ApiEnv, ApiParts } from './services.ts';
import { statsRoute } from './stats-route.ts';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];
/** No method of ours: what it matches is there for every method. */
const NO_METHOD = 'NONE';

/** Makes the API over its parts. The body guard stands in front of it. */
export const createApi = (parts: ApiParts): OpenAPIHono<ApiEnv> => {
  const app = new OpenAPIHono<ApiEnv>({
    defaultHook: (result) => {
      if (!result.success) throw new EarshotError('invalid_request', { problems: problemsOf(result.error) });
    },
  });
  app.onError((error, c) => answerError(error, c, during(parts, c.get('hop')).log));
  app.notFound((c) => notFound(app, c.req.path));

  app.use('*', async (c, next) => {
    c.set('hop', hopOf(parts.runtime, c.req.header('traceparent'), parts.runtime.now()));
    await next();
    c.header('x-content-type-options', 'nosniff');
    if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store');
  });
  app.use(
    '*',
    cors({
      origin: (origin) => (parts.settings.allowedOrigins.includes(origin) ? origin : null),
      allowMethods: METHODS,
      allowHeaders: ['authorization', 'content-type', 'idempotency-key'],
      exposeHeaders: ['retry-after', 'location'],
      maxAge: 600,
    }),
  );

  const api: Api = { app, parts, signedIn: bearer(parts) };
  authRoutes(api);
  callRoutes(api);
  exportRoute(api);
  dialRoutes(api);
  driverRoutes(api);
  statsRoute(api);
  deliveryRoutes(api);
  neighbourRoutes(api);
  aboutRoutes(api);
  return app;
};

/** A path that is there for another method is 405 and names the methods; else there is nothing. */
const notFound = (app: OpenAPIHono<ApiEnv>, path: string): Response => {
  const matches = (method: string): number => app.router.match(method, path)[0].length;
  const always = matches(NO_METHOD);
  const allowed = METHODS.filter((method) => matches(method) > always);
  return allowed.length === 0 ? answerProblem(new EarshotError('not_found')) : answerProblem(new EarshotError('method_not_allowed'), { allow: allowed.join(', ') });
};
