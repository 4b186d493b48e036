import pino from 'pino';
import { EarshotError } from '../core/protocol/codes.ts';
import type { Log, LogFields } from './log.ts';

/** Where entries below this level are dropped. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const SEVERITY: Record<string, string> = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' };

/**
 * One JSON line per entry, in the form that Cloud Logging reads (`severity`, `message`, `time`).
 * https://cloud.google.com/logging/docs/structured-logging
 * @param write takes each line, its newline included
 */
export const jsonLog = (level: LogLevel, write: (line: string) => void): Log => {
  const logger = pino(
    {
      level,
      messageKey: 'message',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ severity: SEVERITY[label] ?? 'DEFAULT' }) },
    },
    { write },
  );
  return wrap(logger);
};

const wrap = (logger: pino.Logger): Log => ({
  debug: (message, fields) => logger.debug(fields ?? {}, message),
  info: (message, fields) => logger.info(fields ?? {}, message),
  warn: (message, fields) => logger.warn(fields ?? {}, message),
  error: (message, fields, error) => logger.error({ ...fields, ...describedError(error) }, message),
  with: (fields) => wrap(logger.child(fields)),
});

/** An error without its message: a message may quote what somebody sent, and so may hold a token or somebody's words. */
export const describedError = (error: unknown): LogFields => {
  if (error === undefined) return {};
  if (!(error instanceof Error)) return { error: typeof error };
  const code = error instanceof EarshotError ? error.code : (error as { code?: unknown }).code;
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 8).join('\n');
  return { error: error.name, ...(typeof code === 'string' ? { code } : {}), ...(frames === undefined ? {} : { stack: frames }) };
};
