/** What this process answered to deliveries, by the minute, for `GET /stats`; figures across processes come from the metrics. */

import type { WebhookStats } from '../../core/protocol/rest.ts';

/** One minute of one tenant (null: nobody's - forged, or not to be read). */
interface Minute {
  readonly at: number;
  readonly tenant: string | null;
  readonly by_code: Map<number, number>;
  /** Milliseconds, at most SAMPLES_PER_MINUTE of them. */
  readonly durations: number[];
}

/** Kept in memory, for a week. */
export interface WebhookRecorder {
  note(tenant: string | null, code: number, durationMs: number, now: number): void;
  /** Of the tenant, and of deliveries that were nobody's, since a time in milliseconds. */
  figures(tenant: string, since: number): WebhookStats;
}

const MINUTE_MS = 60_000;
/** A week; older minutes are forgotten. */
const MINUTES_MAX_COUNT = 7 * 24 * 60;
const SAMPLES_PER_MINUTE = 200;

/** A new, empty recorder. */
export const webhookRecorder = (): WebhookRecorder => {
  const minutes = new Map<string, Minute>();
  return {
    note: (tenant, code, durationMs, now) => {
      const at = Math.floor(now / MINUTE_MS) * MINUTE_MS;
      const key = `${at} ${tenant ?? ''}`;
      let minute = minutes.get(key);
      if (minute === undefined) {
        minutes.set(key, (minute = { at, tenant, by_code: new Map(), durations: [] }));
        for (const old of minutes.keys()) {
          if (minutes.size <= MINUTES_MAX_COUNT) break;
          minutes.delete(old);
        }
      }
      minute.by_code.set(code, (minute.by_code.get(code) ?? 0) + 1);
      if (minute.durations.length < SAMPLES_PER_MINUTE) minute.durations.push(durationMs);
    },
    figures: (tenant, since) => {
      const byCode: Record<string, number> = {};
      const durations: number[] = [];
      for (const minute of minutes.values()) {
        if (minute.at + MINUTE_MS <= since || (minute.tenant !== null && minute.tenant !== tenant)) continue;
        for (const [code, count] of minute.by_code) byCode[code] = (byCode[code] ?? 0) + count;
        durations.push(...minute.durations);
      }
      durations.sort((a, b) => a - b);
      const quantile = (q: number): number | null => {
        const value = durations[Math.min(durations.length - 1, Math.floor(q * durations.length))];
        return value === undefined ? null : Math.round(value * 100) / 100;
      };
      const received = Object.values(byCode).reduce((sum, count) => sum + count, 0);
      return { received, succeeded: byCode['200'] ?? 0, by_code: byCode, p50_ms: quantile(0.5), p99_ms: quantile(0.99) };
    },
  };
};
