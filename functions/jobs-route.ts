/** The jobs over HTTP, for a scheduler: `POST` to the function runs all of them, to a path of it one part. */
import { Hono } from 'hono';
import { mayDo } from '../core/domain/rights.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { answerError } from './api/answer-error.ts';
import { whoAsks } from './api/asker.ts';
import { runFollower, runJanitor, runJobs, runReconciler, runRetention } from './jobs.ts';
import type { Parts } from './parts.ts';
import { during, hopOf } from './request.ts';

/** By the last part of the path. */
const JOBS: Readonly<Record<string, (parts: Parts) => Promise<object>>> = { follow: runFollower, reconcile: runReconciler, janitor: runJanitor, retention: runRetention };

/** `POST` runs jobs once and answers their report; the token has to be one that may `jobs.run`. */
export const jobsRoute = (parts: Parts): Hono => {
  const app = new Hono();
  app.onError((error, c) => answerError(error, c, parts.log));
  app.post('*', async (c) => {
    const asker = await whoAsks(parts, c.req.header('authorization'));
    if (!mayDo(asker, 'jobs.run', asker.tenant)) throw new EarshotError('forbidden');
    const part = c.req.path.split('/').at(-1) ?? '';
    const job = Object.hasOwn(JOBS, part) ? JOBS[part] : undefined;
    // What it finds happened at other times than now.
    const hop = hopOf(parts.runtime, c.req.header('traceparent'), null);
    return c.json(await (job ?? runJobs)(during(parts, hop)));
  });
  app.all('*', () => {
    throw new EarshotError('method_not_allowed');
  });
  return app;
};
