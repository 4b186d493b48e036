import pino from 'pino';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Log, LogFields, LoggedRequest } from './log.ts';

/** Where entries below this level are dropped. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const SEVERITY: Record<string, string> = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' };

/** The deployed process that writes, as Cloud Logging and Error Reporting are to know it. */
export interface CloudService {
  /** Project that traces belong to; null: not known, and lines keep the bare `trace_id`. */
  readonly project: string | null;
  readonly name: string;
  readonly version: string;
}

/**
 * One JSON line per entry, in the form that Cloud Logging reads (`severity`, `message`, `time`). With `service` also the fields that
 * it gives a meaning to: trace, labels, HTTP request, and errors as Error Reporting takes them.
 * https://cloud.google.com/logging/docs/structured-logging, https://cloud.google.com/error-reporting/docs/formatting-error-messages
 * @param write takes each line, its newline included
 */
export const jsonLog = (level: LogLevel, write: (line: string) => void, service: CloudService | null = null): Log => {
  const logger = pino(
    {
      level,
      messageKey: 'message',
      base: service === null ? null : { 'logging.googleapis.com/labels': { service: service.name, version: service.version } },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ severity: SEVERITY[label] ?? 'DEFAULT' }) },
    },
    { write },
  );
  return wrap(logger, service);
};

const wrap = (logger: pino.Logger, service: CloudService | null): Log => {
  const form = (fields: LogFields = {}): object => (service === null ? fields : inTrace(fields, service.project));
  return {
    debug: (message, fields) => logger.debug(form(fields), message),
    info: (message, fields, request) => logger.info({ ...form(fields), ...(service === null || request === undefined ? {} : httpRequest(request)) }, message),
    warn: (message, fields) => logger.warn(form(fields), message),
    error: (message, fields, error) => {
      const described = describedError(error);
      logger.error({ ...form(fields), ...(service === null ? described : reported(described, message, service)) }, message);
    },
    with: (fields) => wrap(logger.child(form(fields)), service),
  };
};

const inTrace = ({ trace_id, span_id, trace_sampled, ...others }: LogFields, project: string | null): object => {
  if (trace_id === undefined) return others;
  return {
    ...others,
    ...(project === null ? { trace_id } : { 'logging.googleapis.com/trace': `projects/${project}/traces/${trace_id}` }),
    ...(span_id === undefined ? {} : { 'logging.googleapis.com/spanId': span_id }),
    ...(trace_sampled === undefined ? {} : { 'logging.googleapis.com/trace_sampled': trace_sampled }),
  };
};

/** https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest */
const httpRequest = ({ method, path, status, duration_ms }: LoggedRequest): object => ({
  httpRequest: { requestMethod: method, requestUrl: path, status, latency: `${(duration_ms / 1000).toFixed(6)}s` },
});

/** The head of the stack is our own sentence: the error's might quote somebody. */
const reported = ({ stack, ...described }: LogFields, message: string, { name, version }: CloudService): object => ({
  ...described,
  '@type': 'type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent',
  serviceContext: { service: name, version },
  ...(typeof stack === 'string' ? { stack_trace: `${String(described['error'])}: ${message}\n${stack}` } : {}),
});

/** An error without its message: a message may quote what somebody sent, and so may hold a token or somebody's words. */
export const describedError = (error: unknown): LogFields => {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: typeof error };
  const code = error instanceof EarshotError ? error.code : (error as { code?: unknown }).code;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 8).join('\n');
  return { error: error.name, ...(typeof code === 'string' ? { code } : {}), ...(frames === undefined ? {} : { stack: frames }) };
};
