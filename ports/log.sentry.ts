import type { ErrorEvent } from '@sentry/core';
import { describedError } from './log.json.ts';
import type { Log, LogFields } from './log.ts';
import type { Runtime } from './runtime.ts';

/** A report that does not get through in this time is given up. */
const REPORT_MAX_MS = 5_000;
/** Reports under way at once: a storm of faults must not become one of requests. */
const REPORTS_AT_ONCE_COUNT = 4;

export interface SentryOptions {
  /** null: nothing is reported, and nothing of Sentry's is loaded. */
  readonly dsn: string | null;
  readonly release: string;
  readonly runtime: Runtime;
  readonly fetch: typeof globalThis.fetch;
}

/**
 * Hands every entry on to `inner`, and errors to Sentry as well: message, fields, the error's name, code and stack - no more than the
 * log line has, so nothing of a call gets there. Reporting never fails and never waits. GlitchTip takes the same.
 */
export const sentryLog = async (inner: Log, options: SentryOptions): Promise<Log> => {
  if (options.dsn === null) return inner;
  const { createEventEnvelope, getEnvelopeEndpointWithUrlEncodedAuth, makeDsn, serializeEnvelope } = await import('@sentry/core');
  const dsn = makeDsn(options.dsn);
  if (dsn === undefined) return inner;
  const endpoint = getEnvelopeEndpointWithUrlEncodedAuth(dsn);
  let underWay = 0;

  const report = (message: string, fields: LogFields, error: unknown): void => {
    if (underWay >= REPORTS_AT_ONCE_COUNT) return;
    underWay += 1;
    const described = describedError(error);
    const event: ErrorEvent = {
      type: undefined,
      event_id: options.runtime.randomHex(16),
      timestamp: options.runtime.now() / 1000,
      level: 'error',
      platform: 'node',
      release: options.release,
      exception: { values: [{ type: typeof described['error'] === 'string' ? described['error'] : 'Error', value: message }] },
      extra: { ...fields, ...described },
    };
    const body = serializeEnvelope(createEventEnvelope(event, dsn));
    options
      .fetch(endpoint, { method: 'POST', body: body as string, signal: AbortSignal.timeout(REPORT_MAX_MS), redirect: 'error' })
      .then((answer) => answer.body?.cancel())
      .catch(() => inner.warn('a fault could not be reported'))
      .finally(() => {
        underWay -= 1;
      });
  };

  const wrap = (log: Log, all: LogFields): Log => ({
    debug: log.debug,
    info: log.info,
    warn: log.warn,
    error: (message, fields, error) => {
      log.error(message, fields, error);
      report(message, { ...all, ...fields }, error);
    },
    with: (fields) => wrap(log.with(fields), { ...all, ...fields }),
  });
  return wrap(inner, {});
};
