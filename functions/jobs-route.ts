/** The jobs over HTTP, for a scheduler: one path, one method. */
import { Hono } from 'hono';
import { mayDo } from '../core/domain/rights.ts';
import { EarshotError } from '../core/protocol/codes.ts';
import { answerError } from './api/answer-error.ts';
import { whoAsks } from './api/asker.ts';
import { runJobs } from './jobs.ts';
import type { Parts } from './parts.ts';

/** `POST` runs the jobs once and answers their report; the token has to be one that may `jobs.run`. */
export const jobsRoute = (parts: Parts): Hono => {
  const app = new Hono();
  app.onError((error, c) => answerError(error, c, parts.log));
  app.post('*', async (c) => {
    const asker = await whoAsks(parts, c.req.header('authorization'));
    if (!mayDo(asker, 'jobs.run', asker.tenant)) throw new EarshotError('forbidden');
    return c.json(await runJobs(parts));
  });
  app.all('*', () => {
    throw new EarshotError('method_not_allowed');
  });
  return app;
};
