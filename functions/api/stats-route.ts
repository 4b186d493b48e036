/** Figures of the last hours. */
import { createRoute } from '@hono/zod-openapi';
import type { CallState } from '../../core/domain/call/state.ts';
import { firstHour, HOUR_MS, hourlyFigures } from '../../core/domain/hourly-figures.ts';
import { HOURLY_STATS_KEPT_MS, HOURLY_STATS_CALLS_MAX_COUNT } from '../../core/protocol/limits.ts';
import { HourlyFigures, HourlyStatsQuery, Stats, StatsQuery } from '../../core/protocol/rest.ts';
import { ownTenant } from './asker.ts';
import { answer, byToken, otherwise } from './describe.ts';
import type { Api, ApiParts } from './services.ts';

/** Calls read at once for the hourly figures. */
const READ_CALLS = 500;
/** Answers that are kept: a few for each tenant that somebody looks at. */
const KEPT_MAX_COUNT = 200;

/** Adds `GET /stats` and `GET /stats/hours`. */
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

  const hourly = keptFor(parts, countedHours);
  app.openapi(
    createRoute({
      method: 'get', path: '/stats/hours', tags: ['figures'], summary: 'Calls, costs, outcomes and durations by the hour', middleware: signedIn, security: byToken,
      request: { query: HourlyStatsQuery },
      responses: { 200: answer(HourlyFigures, `figures of at most ${HOURLY_STATS_CALLS_MAX_COUNT} calls, counted anew every ${HOURLY_STATS_KEPT_MS / 1000} seconds`), ...otherwise },
    }),
    async (c) => c.json(await hourly(ownTenant(c.get('asker'), 'stats.read'), c.req.valid('query').hours), 200),
  );
};

const countedHours = async (parts: ApiParts, tenant: string, hours: number): Promise<HourlyFigures> => {
  const now = parts.runtime.now();
  const since = firstHour(now, hours);
  const { calls, complete } = await callsSince(parts, tenant, since);
  const time = (ms: number): string => new Date(ms).toISOString();
  return { since: time(since), counted_at: time(now), complete, counted_since: time(complete ? since : (calls.at(-1)?.created_at ?? since)), ...hourlyFigures(calls, since, hours) };
};

/** Newest first. */
const callsSince = async ({ callLog }: ApiParts, tenant: string, since: number): Promise<{ readonly calls: readonly CallState[]; readonly complete: boolean }> => {
  const calls: CallState[] = [];
  let cursor: string | undefined;
  do {
    const page = await callLog.list({ tenant, since, limit: Math.min(READ_CALLS, HOURLY_STATS_CALLS_MAX_COUNT - calls.length), cursor });
    calls.push(...page.calls);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && calls.length < HOURLY_STATS_CALLS_MAX_COUNT);
  return { calls, complete: cursor === undefined };
};

/** Counts at most once within HOURLY_STATS_KEPT_MS for a tenant and a number of hours; who asks meanwhile is given the same. A failure is not kept. */
const keptFor = <T>(parts: ApiParts, counted: (parts: ApiParts, tenant: string, hours: number) => Promise<T>): ((tenant: string, hours: number) => Promise<T>) => {
  const kept = new Map<string, { readonly at: number; readonly figures: Promise<T> }>();
  return (tenant, hours) => {
    const key = `${hours} ${tenant}`;
    const now = parts.runtime.monotonic();
    const before = kept.get(key);
    if (before !== undefined && now - before.at < HOURLY_STATS_KEPT_MS) return before.figures;
    const figures = counted(parts, tenant, hours);
    kept.delete(key);
    kept.set(key, { at: now, figures });
    for (const oldest of kept.keys()) {
      if (kept.size <= KEPT_MAX_COUNT) break;
      kept.delete(oldest);
    }
    figures.catch(() => {
      if (kept.get(key)?.figures === figures) kept.delete(key);
    });
    return figures;
  };
};
