/** What the history is narrowed to, as its address has it and as the API is asked. */
import { CALL_STATUSES } from './status-words.ts';
import type { Filter } from './route.ts';

export const SINCE = { today: 'Today', '7d': 'Last 7 days', '30d': 'Last 30 days' } as const;
const DAYS: Readonly<Record<string, number>> = { today: 0, '7d': 6, '30d': 29 };

/** Midnight at the beginning of a word of SINCE or of a day as `2026-11-21`, where this page is; null: neither. @param now milliseconds */
export const sinceTime = (since: string, now: number): Date | null => {
  const days = DAYS[since];
  const today = new Date(now);
  if (days !== undefined) return new Date(today.getFullYear(), today.getMonth(), today.getDate() - days);
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(since) ?? [];
  if (year === undefined) return null;
  const begin = new Date(Number(year), Number(month) - 1, Number(day));
  return begin.getMonth() === Number(month) - 1 ? begin : null;
};

/** The question to `GET /calls` and `GET /calls.csv`. What the address has and nobody knows is left out. */
export const historyQuery = ({ status, q, since, agent, driver }: Filter, now: number): Readonly<Record<string, string | null>> => ({
  status: CALL_STATUSES.find((known) => known === status) ?? null,
  q: q ?? null,
  agent_id: agent ?? null,
  driver_id: driver ?? null,
  since: since === undefined ? null : (sinceTime(since, now)?.toISOString() ?? null),
});
