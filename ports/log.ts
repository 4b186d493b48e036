/** The need: one line per entry for operators. No secret, token, phone number or text of a call may be handed in. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>> & {
  /** Of the request that the entry is about, in a trace: names that a way may know by others. */
  readonly trace_id?: string;
  readonly span_id?: string;
  readonly trace_sampled?: boolean;
};

/** The HTTP request that an entry tells the end of. `path` without a query: tokens stand there. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly duration_ms: number;
}

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields, request?: LoggedRequest): void;
  warn(message: string, fields?: LogFields): void;
  /** `error`: only its name, code and stack are written, never a cause's message. */
  error(message: string, fields?: LogFields, error?: unknown): void;
  /** The same log with these fields in every line. */
  with(fields: LogFields): Log;
}
