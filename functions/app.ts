/** Everything that the functions answer over HTTP, as one listener that stands behind the guard. */
import { getRequestListener } from '@hono/node-server';
import type { RequestListener } from 'node:http';
import { createApi } from './api/api.ts';
import { guard, isWebhook, type GuardedRequest } from './guard.ts';
import { jobsRoute } from './jobs-route.ts';
import type { Parts } from './parts.ts';
import { apiServices } from './services.ts';
import { allSecrets } from './webhooks/origin.ts';
import { webhookRoutes } from './webhooks/routes.ts';
import { webhookRecorder } from './webhooks/stats.ts';
import type { Passwords } from '../ports/password.ts';

export interface FunctionsOptions {
  readonly passwords: Passwords;
  readonly version: string;
  readonly asyncApi: () => object;
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

/** Nothing runs before a listener is called. */
export const functionsApp = (parts: Parts, options: FunctionsOptions): FunctionsApp => {
  const stats = webhookRecorder();
  const hooks = webhookRoutes(parts, stats);
  const rest = createApi({ ...parts, ...apiServices(parts, stats), ...options });
  const webhooks = listener((request, environment) => hooks.fetch(request, environment));
  const api = listener((request) => rest.fetch(request));
  const work = jobsRoute(parts);
  const jobs = listener((request) => work.fetch(request));
  const secrets = (): Promise<readonly string[]> => allSecrets(parts);
  const both: RequestListener = (request, response) => (isWebhook(request) ? webhooks : api)(request, response);
  return { webhooks, api, jobs, guarded: guard(both, { secrets }), secrets };
};

const listener = (answer: (request: Request, environment: { incoming: GuardedRequest }) => Response | Promise<Response>): RequestListener => {
  const listen = getRequestListener((request, environment) => answer(request, { incoming: (environment as { incoming: GuardedRequest }).incoming }));
  return (request, response) => void listen(request, response);
};
