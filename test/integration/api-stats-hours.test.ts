import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOURLY_STATS_KEPT_MS, HOURLY_STATS_CALLS_MAX_COUNT } from '../../core/protocol/limits.ts';
import type { ListQuery } from '../../ports/call-log.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';
import { outcome } from '../fixtures/facts.ts';

interface Hourly {
  readonly since: string;
  readonly counted_since: string;
  readonly complete: boolean;
  readonly totals: { readonly calls: number };
  readonly hours: readonly { readonly at: string; readonly calls: number }[];
}

let api: ApiUnderTest;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const hourly = async (as: 'anna' | 'theo' = 'anna', query = ''): Promise<Hourly> => (await api.json(as, 'GET', `/stats/hours${query}`)).body as unknown as Hourly;

describe('figures by the hour', () => {
  it('are those of the own tenant: calls, costs, outcomes, durations', async () => {
    await api.newCall({ call_sid: 'EL_1' });
    await api.newCall({ call_sid: 'EL_2' });
    await api.newCall({ call_sid: 'EL_old', created_at: Date.now() - 90 * 60_000 });
    await api.newCall({ call_sid: 'EL_older', created_at: Date.now() - 48 * 3_600_000 });
    await api.newCall({ call_sid: 'EL_theirs', tenant: 't2' });
    await api.append('EL_1', { kind: 'finished', outcome: outcome({ call_duration_seconds: 42, cost: 0.12, cost_credits: null, call_successful: true }), at: Date.now() });
    const { status, body } = await api.json('anna', 'GET', '/stats/hours');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      complete: true,
      totals: { calls: 3, completed: 1, failed: 0, active: 2, cost: 0.12, cost_credits: 0, priced: 1, priced_in_credits: 0, seconds: 42 },
      outcomes: { successful: 1, unsuccessful: 0, not_judged: 0, failed: 0 },
    });
    const { hours, since, counted_since } = body as unknown as Hourly;
    expect([hours.length, hours[0]?.at, counted_since]).toEqual([24, since, since]);
    expect(hours.reduce((sum, { calls }) => sum + calls, 0)).toBe(3);
    expect((await hourly('theo')).totals.calls).toBe(1);
  });

  it('say where they begin when there were more calls than are counted', async () => {
    const { callLog } = api.parts;
    const asked: ListQuery[] = [];
    const one = await api.newCall({ call_sid: 'EL_1' });
    const endless = await startApi({
      parts: {
        callLog: {
          ...callLog,
          list: async (query) => {
            asked.push(query);
            return { calls: Array.from({ length: query.limit }, (_, index) => ({ ...one, created_at: one.created_at - (asked.length * query.limit + index) * 10 })), next_cursor: `${one.created_at}.${one.call_sid}` };
          },
        },
      },
    });
    try {
      const { body } = await endless.json('anna', 'GET', '/stats/hours?hours=168');
      expect(body).toMatchObject({ complete: false, counted_since: new Date(one.created_at - (HOURLY_STATS_CALLS_MAX_COUNT + 499) * 10).toISOString(), totals: { calls: HOURLY_STATS_CALLS_MAX_COUNT } });
      expect(asked.length).toBe(10);
      expect(new Set(asked.map(({ tenant }) => tenant))).toEqual(new Set(['t1']));
    } finally {
      await endless.close();
    }
  });

  it('are counted anew only after a while, each tenant and length for itself, and a failure is forgotten at once', async () => {
    expect((await hourly()).totals.calls).toBe(0);
    await api.newCall({ call_sid: 'EL_1' });
    expect([(await hourly()).totals.calls, (await hourly('anna', '?hours=2')).totals.calls, (await hourly('theo')).totals.calls]).toEqual([0, 1, 0]);
    api.move(HOURLY_STATS_KEPT_MS);
    expect((await hourly()).totals.calls).toBe(1);

    const { callLog } = api.parts;
    let broken = true;
    const ill = await startApi({ parts: { callLog: { ...callLog, list: (query) => (broken ? Promise.reject(new Error('down')) : callLog.list(query)) } } });
    try {
      expect((await ill.json('anna', 'GET', '/stats/hours')).status).toBe(500);
      broken = false;
      expect((await ill.json('anna', 'GET', '/stats/hours')).status).toBe(200);
    } finally {
      await ill.close();
    }
  });

  it.each(['hours=0', 'hours=169', 'hours=x', 'days=1'])('are refused for ?%s', async (query) => {
    expect(await api.json('anna', 'GET', `/stats/hours?${query}`)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });
});
