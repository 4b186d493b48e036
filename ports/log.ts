/** The need: one line per entry for operators. No secret, token, phone number or text of a call may be handed in. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  /** `error`: only its name, code and stack are written, never a cause's message. */
  error(message: string, fields?: LogFields, error?: unknown): void;
  /** The same log with these fields in every line. */
  with(fields: LogFields): Log;
}
