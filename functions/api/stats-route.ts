/** Figures of the last hours. */
import { createRoute } from '@hono/zod-openapi';
import { Stats, StatsQuery } from '../../core/protocol/rest.ts';
import { ownTenant } from './asker.ts';
import { answer, byToken, otherwise } from './describe.ts';
import type { Api } from './services.ts';

const HOUR_MS = 60 * 60_000;

/** Adds `GET /stats`. */
export const statsRoute = ({ app, parts, signedIn }: Api): void => {
  app.openapi(
    createRoute({ method: 'get', path: '/stats', tags: ['figures'], summary: 'Calls by status, completed calls with a summary, webhooks', middleware: signedIn, security: byToken, request: { query: StatsQuery }, responses: { 200: answer(Stats, 'figures of the last hours'), ...otherwise } }),
    async (c) => {
      const tenant = ownTenant(c.get('asker'), 'stats.read');
      const since = parts.runtime.now() - c.req.valid('query').hours * HOUR_MS;
      const [counts, webhooks] = await Promise.all([parts.callLog.counts(tenant, since), parts.webhookStats(tenant, since)]);
      const percentage = counts.completed === 0 ? 0 : Math.round((counts.completed_with_summary / counts.completed) * 1000) / 10;
      return c.json(
        {
          calls_by_status: counts.by_status,
          completed: { total_calls: counts.completed, with_summary: counts.completed_with_summary, percentage },
          webhooks: { ...webhooks, success_rate: webhooks.received === 0 ? null : webhooks.succeeded / webhooks.received },
        },
        200,
      );
    },
  );
};
