/** Everything that the functions answer over HTTP, as one listener that stands behind the guard. */
import { getRequestListener } from '@hono/node-server';
import type { RequestListener, ServerResponse } from 'node:http';
import { ERRORS } from '../core/protocol/codes.ts';
import { problemOf } from '../core/protocol/problem.ts';
import { guard, isWebhook, type GuardedRequest } from './guard.ts';
import type { Parts } from './parts.ts';
import { allSecrets } from './webhooks/origin.ts';
import { webhookRecorder } from './webhooks/stats.ts';
import type { Log } from '../ports/log.ts';
import type { Passwords } from '../ports/password.ts';

export interface FunctionsOptions {
  readonly passwords: Passwords;
  readonly version: string;
  readonly asyncApi: () => Promise<object>;
}

/** Which part of the product a process serves: in the cloud each is a function of its own. */
export interface FunctionsApp {
  /** Webhooks and ingest; to stand behind the guard. */
  readonly webhooks: RequestListener;
  /** The REST API; to stand behind the guard. */
  readonly api: RequestListener;
  /** Runs the jobs when it is asked to by a scheduler; to stand behind the guard. */
  readonly jobs: RequestListener;
  /** Webhooks and API, with the guard in front: ready for a server of one's own. */
  readonly guarded: RequestListener;
  /** Secrets for a guard in front of somebody else's server. */
  readonly secrets: () => Promise<readonly string[]>;
}

/** Nothing runs before a listener is called, and only then its code is loaded: a function of the cloud starts with what it serves (`npm run bench -- cold-start`). */
export const functionsApp = (parts: Parts, options: FunctionsOptions): FunctionsApp => {
  const stats = webhookRecorder();
  const webhooks = loaded(parts.log, async () => {
    const { webhookRoutes } = await import('./webhooks/routes.ts');
    const routes = webhookRoutes(parts, stats);
    return listener((request, environment) => routes.fetch(request, environment));
  });
  const api = loaded(parts.log, async () => {
    const [{ createApi }, { apiServices }] = await Promise.all([import('./api/api.ts'), import('./services.ts')]);
    const rest = createApi({ ...parts, ...apiServices(parts, stats), ...options });
    return listener((request) => rest.fetch(request));
  });
  const jobs = loaded(parts.log, async () => {
    const { jobsRoute } = await import('./jobs-route.ts');
    const work = jobsRoute(parts);
    return listener((request) => work.fetch(request));
  });
  const secrets = (): Promise<readonly string[]> => allSecrets(parts);
  const both: RequestListener = (request, response) => (isWebhook(request) ? webhooks : api)(request, response);
  return { webhooks, api, jobs, guarded: guard(both, { secrets }), secrets };
};

const listener = (answer: (request: Request, environment: { incoming: GuardedRequest }) => Response | Promise<Response>): RequestListener => {
  const listen = getRequestListener((request, environment) => answer(request, { incoming: (environment as { incoming: GuardedRequest }).incoming }));
  return (request, response) => void listen(request, response);
};

/** A listener whose code comes with the first request for it. */
const loaded = (log: Log, load: () => Promise<RequestListener>): RequestListener => {
  let ready: RequestListener | null = null;
  let loading: Promise<RequestListener> | null = null;
  return (request, response) => {
    if (ready !== null) {
      ready(request, response);
      return;
    }
    loading ??= load().catch((error: unknown) => {
      // The next request tries again: where a process had no descriptors left, it may have some then.
      loading = null;
      log.error('the code of a function could not be loaded', {}, error);
      throw error;
    });
    loading.then(
      (listen) => {
        ready = listen;
        listen(request, response);
      },
      () => answerUnavailable(response),
    );
  };
};

/** 503, for where nothing can be asked that would know more. */
export const answerUnavailable = (response: ServerResponse): void => {
  response.writeHead(ERRORS.store_unavailable.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problemOf('store_unavailable')));
};
