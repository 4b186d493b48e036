import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { newTrace, nextHop, readTraceparent, traceparentOf } from '../../core/domain/trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('a traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-02`, false],
    [`00-${TRACE}-${SPAN}-ff`, true],
    [`01-${TRACE}-${SPAN}-01`, true],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-adds`, true],
  ])('is read: %s', (header, sampled) => {
    expect(readTraceparent(header)).toEqual({ trace_id: TRACE, span_id: SPAN, sampled });
  });

  it.each([
    '',
    'garbage',
    `ff-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE.slice(1)}-${SPAN}-01`,
    `00-${TRACE}0-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `cc-${TRACE}-${SPAN}-01more`,
    ` 00-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01\n`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
  ])('is none, so that a new trace begins: %j', (header) => {
    expect(readTraceparent(header)).toBe(null);
  });

  it('is written as it is read', () => {
    for (const flags of ['00', '01']) {
      const read = readTraceparent(`00-${TRACE}-${SPAN}-${flags}`);
      expect(read && traceparentOf(read)).toBe(`00-${TRACE}-${SPAN}-${flags}`);
    }
  });

  it('keeps its trace from hop to hop, with a span of each hop', () => {
    const from = { trace_id: TRACE, span_id: SPAN, sampled: true };
    const hop = nextHop(from, 'webhook', sha256);
    expect(hop).toMatchObject({ trace_id: TRACE, sampled: true });
    expect(new Set([SPAN, hop.span_id, nextHop(from, 'publish', sha256).span_id, nextHop(hop, 'webhook', sha256).span_id]).size).toBe(4);
    expect(nextHop(from, 'webhook', sha256)).toEqual(hop);
    expect(readTraceparent(traceparentOf(hop))).toEqual(hop);
  });

  it('begins with ids that chance gives, not sampled', () => {
    const made = newTrace((bytes) => 'ab'.repeat(bytes));
    expect(made).toEqual({ trace_id: 'ab'.repeat(16), span_id: 'ab'.repeat(8), sampled: false });
    expect(readTraceparent(traceparentOf(made))).toEqual(made);
  });
});
