/**
 * The request that work is done for. It is handed on within the parts, never found by looking around: what an append or a line says
 * of its request is what its caller gave it, whatever else runs beside it.
 */
import { newTrace, nextHop, readTraceparent, traceparentOf, type TraceContext } from '../core/domain/trace-context.ts';
import type { BusMessage } from '../ports/event-bus.ts';
import type { LogFields } from '../ports/log.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { Parts } from './parts.ts';

/** What is known of a request from its beginning. */
export interface RequestHop {
  /** The span is that of whoever sent it on to us: the platform's front end records it. */
  readonly trace: TraceContext;
  /** When it had been received, milliseconds; null: what is found in it happened at other times. */
  readonly received_at: number | null;
}

/** @param traceparent the header; not there or broken: a new trace begins */
export const hopOf = (runtime: Pick<Runtime, 'randomHex'>, traceparent: unknown, receivedAt: number | null): RequestHop => ({
  trace: (typeof traceparent === 'string' ? readTraceparent(traceparent) : null) ?? newTrace(runtime.randomHex),
  received_at: receivedAt,
});

/** The parts as the work for this request uses them: every line of its log names its trace, and so does what it publishes. */
export const during = <P extends Parts>(parts: P, hop: RequestHop): P => ({ ...parts, log: parts.log.with(traceFields(hop.trace)), hop });

const traceFields = ({ trace_id, span_id, sampled }: TraceContext): LogFields => ({ trace_id, span_id, trace_sampled: sampled });

/** What a message tells of the request that it comes of; nothing where it comes of none. */
export const hopFields = ({ hop, runtime }: Pick<Parts, 'hop' | 'runtime'>, name: string): Pick<Extract<BusMessage, { kind: 'events' }>, 'received_at' | 'trace'> => {
  if (hop === undefined) return {};
  const trace = traceparentOf(nextHop(hop.trace, name, runtime.sha256));
  return hop.received_at === null ? { trace } : { trace, received_at: hop.received_at };
};
