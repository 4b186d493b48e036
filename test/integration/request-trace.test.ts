import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readTraceparent, type TraceContext } from '../../core/domain/trace-context.ts';
import type { BusMessage } from '../../ports/event-bus.ts';
import { functionsUnderTest } from '../fixtures/functions-under-test.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const traceparent = (trace = TRACE): string => `00-${trace}-${SPAN}-01`;
const done = (conversation: string): unknown => ({
  type: 'post_call_transcription',
  event_timestamp: 1_760_000_000,
  data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }], metadata: { call_duration_secs: 5 } },
});

type Events = Extract<BusMessage, { kind: 'events' }>;
const eventsIn = (published: readonly BusMessage[]): Events[] => published.filter((message) => message.kind === 'events');
const tracesIn = (published: readonly BusMessage[]): (TraceContext | null)[] => eventsIn(published).map(({ trace }) => (trace === undefined ? null : readTraceparent(trace)));
const linesOf = (lines: readonly string[], message: string): Record<string, unknown>[] => lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['message'] === message);

describe('the trace of a request', () => {
  it('goes from a delivery to what is published of it, with a span of its own and when it was received, and into its line', async () => {
    const { webhook, published, lines } = await functionsUnderTest();
    const before = Date.now();
    await webhook(done('c1'), { headers: { traceparent: traceparent() } });
    const [message, ...others] = eventsIn(published);
    expect(others).toEqual([]);
    expect(tracesIn(published)).toEqual([{ trace_id: TRACE, span_id: expect.stringMatching(/^[\da-f]{16}$/) as string, sampled: true }]);
    expect(tracesIn(published)[0]?.span_id).not.toBe(SPAN);
    const received = message?.received_at ?? 0;
    expect(received).toBeGreaterThanOrEqual(before);
    expect(message?.at).toBeGreaterThanOrEqual(received);
    expect(message?.texts.join('')).not.toContain(TRACE);
    expect(linesOf(lines, 'POST /webhooks/elevenlabs/post-call')).toMatchObject([{ status: 200, trace_id: TRACE, span_id: SPAN, trace_sampled: true }]);
  });

  it.each([['none', {}], ['a broken one', { traceparent: `00-${TRACE}-${SPAN}` }], ['one of zeros', { traceparent: traceparent('0'.repeat(32)) }]])('begins anew for a delivery that brings %s', async (_, headers) => {
    const { webhook, published, lines } = await functionsUnderTest();
    expect(await webhook(done('c1'), { headers })).toMatchObject({ status: 200 });
    await webhook(done('c2'), { headers });
    const traces = tracesIn(published).map((trace) => trace?.trace_id);
    expect(traces).toHaveLength(2);
    expect(new Set([...traces, TRACE, undefined]).size).toBe(4);
    expect(linesOf(lines, 'POST /webhooks/elevenlabs/post-call').map((line) => line['trace_id'])).toEqual(traces);
  });

  it('is never that of another request, though fifty are under way at once', async () => {
    const { webhook, published } = await functionsUnderTest();
    const traces = Array.from({ length: 50 }, (_, place) => place.toString(16).padStart(32, 'a'));
    await Promise.all(traces.map((trace, place) => webhook(done(`c${place}`), { headers: { traceparent: traceparent(trace) } })));
    const byCall = new Map(eventsIn(published).map((message, place) => [message.call_sid, tracesIn(published)[place]?.trace_id]));
    expect(traces.map((_, place) => byCall.get(`EL_c${place}`))).toEqual(traces);
  });

  it('goes from a call request to every event that follows from it, and into the access log', async () => {
    const { rest, token, published, lines } = await functionsUnderTest({ provider: () => ({ status: 200, body: { success: true, message: 'ok', conversation_id: 'conv_1' } }) });
    expect(await rest('/calls', { body: { to: '+15550000009' }, token: await token(), headers: { traceparent: traceparent() } })).toMatchObject({ status: 201 });
    const events = eventsIn(published);
    expect(events.map(({ first_seq }) => first_seq)).toEqual([1, 2, 3]);
    expect(tracesIn(published).map((trace) => trace?.trace_id)).toEqual([TRACE, TRACE, TRACE]);
    expect(new Set(tracesIn(published).map((trace) => trace?.span_id)).size).toBe(3);
    expect(new Set(events.map(({ received_at }) => received_at)).size).toBe(1);
    expect(linesOf(lines, 'access')).toMatchObject([{ action: 'calls.dial', trace_id: TRACE }]);
  });

  it('of a run of the jobs is told, but not as when its findings were received', async () => {
    const { app, token, published, parts } = await functionsUnderTest();
    const call = { call_sid: 'EL_1', workspace: 'w1', tenant: 't1', driver: null, to_number: '+15550000001', agent_id: 'agent1', direction: 'outbound', triggers_count: 0, requested_by: 'anna', created_at: Date.now() - 86_400_000 } as const;
    await parts.callLog.create([call], null);
    const server = createServer(app.jobs);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/follow`, { method: 'POST', headers: { authorization: `Bearer ${await token(['service'])}`, traceparent: traceparent() } });
    expect(await answer.json()).toMatchObject({ settled: 1 });
    expect(tracesIn(published)).toMatchObject([{ trace_id: TRACE }]);
    expect(eventsIn(published)[0]).not.toHaveProperty('received_at');
  });
});
