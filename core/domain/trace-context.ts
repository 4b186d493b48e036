/**
 * W3C trace context (https://www.w3.org/TR/trace-context/, level 1): which request an event comes from, carried from the delivery
 * over the bus to the relay. Only the `traceparent`; nothing of ours needs a `tracestate`.
 */

/** One place in a trace. */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly trace_id: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly span_id: string;
  /** Whether whoever began the trace records it. */
  readonly sampled: boolean;
}

/** A version we do not know may carry more behind a further `-`; version 00 may not, and ff is none. */
const TRACEPARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);
const SAMPLED = 1;

/** What a `traceparent` header says; null where it is not one, so that a new trace begins. */
export const readTraceparent = (header: string): TraceContext | null => {
  const [, version, trace_id = NO_TRACE, span_id = NO_SPAN, flags = '', more] = TRACEPARENT.exec(header) ?? [];
  if (trace_id === NO_TRACE || span_id === NO_SPAN || (version === '00' && more !== undefined)) return null;
  return { trace_id, span_id, sampled: (Number.parseInt(flags, 16) & SAMPLED) === SAMPLED };
};

/** The header that hands this place on. */
export const traceparentOf = ({ trace_id, span_id, sampled }: TraceContext): string => `00-${trace_id}-${span_id}-${sampled ? '01' : '00'}`;

/**
 * The next hop of a trace. Its span's id is made of where it comes from and of its name, so that it costs no chance: two hops of
 * one name from one place are one.
 * @param sha256 lower-case hex over UTF-8
 */
export const nextHop = (from: TraceContext, name: string, sha256: (text: string) => string): TraceContext => ({
  ...from,
  span_id: sha256(`${from.trace_id} ${from.span_id} ${name}`).slice(0, NO_SPAN.length),
});

/**
 * A trace that begins here; not sampled, since nobody asked for it to be recorded.
 * @param randomHex that many random bytes as lower-case hex
 */
export const newTrace = (randomHex: (bytes: number) => string): TraceContext => ({ trace_id: randomHex(16), span_id: randomHex(8), sampled: false });
