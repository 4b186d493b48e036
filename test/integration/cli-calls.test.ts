import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRig, temporaryFolder, type Rig } from '../fixtures/command.ts';

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const jsonLines = (text: string): Record<string, unknown>[] => lines(text).map((line) => JSON.parse(line) as Record<string, unknown>);

describe('the verbs about calls', () => {
  let rig: Rig;
  /** A call that was watched to its end. */
  let callSid: string;
  let watched: Record<string, unknown>[];
  beforeAll(async () => {
    rig = await startRig();
    const { code, out } = await rig.earshot(['call', 'test_driver_123', '--violations', 'speeding', '--watch', '--json']);
    expect(code).toBe(0);
    watched = jsonLines(out);
    callSid = String(watched[0]?.['call_sid']);
  });
  afterAll(async () => {
    await rig.close();
  });

  it('calls a driver and tells every event of the call once and in order, until it is sealed', () => {
    expect(callSid).toMatch(/^EL_test_driver_123_\d{4}-/);
    expect(watched.map((event) => event['seq'])).toEqual(watched.map((_, index) => index + 1));
    expect(watched.slice(-3).map((event) => event['type'])).toEqual(['call_status', 'call_completed', 'call_sealed']);
    expect(watched.some((event) => event['type'] === 'transcription')).toBe(true);
  });

  it('tells a call in words: turns, tools, status, summary and whether it is proved complete', async () => {
    const { code, out, err } = await rig.earshot(['tail', callSid]);
    expect(code).toBe(0);
    expect(lines(out)[0]).toBe('[status] requested');
    expect(out).toMatch(/^\[0\] AGENT: .+$/m);
    expect(out).toMatch(/^\[1\] DRIVER: .+$/m);
    expect(out).toMatch(/^\[summary\] .+$/m);
    expect(out).toMatch(/^\[sealed\] revision 1: \d+ events, \d+ turns$/m);
    expect(lines(out).at(-1)).toBe('[sealed] complete: the digest proves that every event is shown');
    expect(err).toContain('connection: ');
    expect(out).not.toContain('connection: ');
  });

  it('tails by conversation_id too', async () => {
    const { out } = await rig.earshot(['tail', String(watched.at(-1)?.['conversation_id']), '--json']);
    expect(jsonLines(out)).toEqual(watched);
  });

  it('stays after the end under --follow until the person ends it, and that is no failure', async () => {
    const stop = new AbortController();
    const { code, out } = await rig.earshot(['tail', callSid, '--follow'], { stop: stop.signal, onOut: (text) => text.includes('[sealed] complete') && stop.abort() });
    expect(code).toBe(0);
    expect(out).toContain('[sealed] complete');
  });

  it('ends with 130 when the person ends it before the call has ended', async () => {
    const { code, err } = await rig.earshot(['tail', callSid], { stop: AbortSignal.abort() });
    expect(code).toBe(130);
    expect(err).toContain('(interrupted)');
  });

  it('lists calls by filter, in words and as one document', async () => {
    const words = await rig.earshot(['calls', '--driver', 'test_driver_123', '--status', 'completed']);
    expect(words.code).toBe(0);
    expect(lines(words.out)[0]).toMatch(/^CREATED +STATUS +SECONDS +COST +DRIVER +SUMMARY +CALL$/);
    expect(words.out).toContain(callSid);
    const { calls, next_cursor: next } = await rig.json(['calls', '--q', callSid]);
    expect((calls as { call_sid: string }[]).map((row) => row.call_sid)).toEqual([callSid]);
    expect(next).toBeNull();
    expect((await rig.json(['calls', '--driver', 'nobody']))['calls']).toEqual([]);
  });

  it('tells figures of the last hours', async () => {
    const figures = await rig.json(['calls', '--stats', '--hours', '1']);
    expect(figures['calls_by_status']).toMatchObject({ completed: expect.any(Number) as number });
    const { out } = await rig.earshot(['calls', '--stats']);
    expect(out).toMatch(/^Last 24 hours\n/);
    expect(out).toMatch(/completed with a summary: \d+ of \d+ \([\d.]+ %\)/);
  });

  it('shows everything known of a call, its standing turns and its events', async () => {
    const shown = await rig.json(['show', callSid, '--events']);
    expect(shown).toMatchObject({ call_sid: callSid, status: 'completed', sealed: true });
    expect(shown['events']).toEqual(watched);
    expect((shown['turns'] as { index: number }[]).map((turn) => turn.index)).toEqual((shown['turns'] as unknown[]).map((_, index) => index));
    expect((await rig.earshot(['show', callSid])).out).toMatch(/^\[0\] AGENT: /m);
  });

  it('repeats a call under the same idempotency key without a second dial', async () => {
    const first = await rig.json(['call', '--to', '+15550100199', '--idempotency-key', 'only-once']);
    const second = await rig.json(['call', '--to', '+15550100199', '--idempotency-key', 'only-once']);
    expect(second['call_sid']).toBe(first['call_sid']);
  });

  it('reads a conversation from the provider again', async () => {
    const fetched = await rig.json(['fetch', String(watched.at(-1)?.['conversation_id'])]);
    expect(fetched).toMatchObject({ call_sid: callSid, status: 'completed' });
  });

  it('exports calls, and every event exactly as in the log', async () => {
    const folder = temporaryFolder();
    const result = await rig.json(['export', folder.path, '--q', callSid, '--events']);
    expect(result).toEqual({ files: [join(folder.path, 'calls.csv'), join(folder.path, 'events.jsonl')], calls: 1, events: watched.length });
    const [head, row] = lines(readFileSync(join(folder.path, 'events.jsonl'), 'utf8')).slice(0, 2);
    const { events } = (await rig.product.parts.callLog.read(callSid, 0, 2)) ?? { events: [] };
    expect([head, row]).toEqual(events.map((event) => event.text));
    expect(readFileSync(join(folder.path, 'calls.csv'), 'utf8').split('\r\n')[0]).toContain('call_sid,conversation_id,status');
    folder.remove();
  });

  it('erases only what is meant, and then it is gone for good', async () => {
    const { call_sid: doomed } = await rig.json(['call', '--to', '+15550100198']);
    const unsure = await rig.earshot(['erase', String(doomed)]);
    expect(unsure.code).toBe(2);
    expect((await rig.earshot(['show', String(doomed)])).code).toBe(0);
    expect((await rig.earshot(['erase', String(doomed), '--yes'])).code).toBe(0);
    expect((await rig.earshot(['show', String(doomed)])).code).toBe(5);
  });

  it.each([
    ['an unknown call', ['show', 'EL_nobody'], 5, 'call_not_found'],
    ['an unknown call to watch', ['tail', 'EL_nobody'], 5, 'call_not_found'],
    ['a driver that nobody knows', ['call', 'nobody'], 5, 'driver_not_found'],
    ['a driver who must not be called', ['call', 'test_driver_127'], 1, 'do_not_call'],
    ['a number in no form', ['call', '--to', '5550100'], 2, 'invalid_phone_number'],
    ['a driver and a number at once', ['call', 'test_driver_123', '--to', '+15550100123'], 2, 'invalid_usage'],
    ['nobody to call', ['call'], 2, 'invalid_usage'],
    ['an ended call', ['end', 'CALL'], 1, 'call_already_ended'],
    ['a limit that is no number', ['calls', '--limit', 'many'], 2, 'invalid_usage'],
    ['a status that there is not', ['calls', '--status', 'singing'], 2, 'invalid_request'],
  ])('ends with a code that scripts can trust: %s', async (_what, args, exit, code) => {
    const { code: ended, out, err } = await rig.earshot(args.map((arg) => (arg === 'CALL' ? callSid : arg)));
    expect({ ended, out }).toEqual({ ended: exit, out: '' });
    expect(err).toContain(`(${code})`);
  });

  it('says under --json what went wrong, on stderr and as JSON', async () => {
    const { code, out, err } = await rig.earshot(['show', 'EL_nobody', '--json']);
    expect({ code, out }).toEqual({ code: 5, out: '' });
    expect(JSON.parse(err)).toEqual({ error: { code: 'call_not_found', message: 'There is no such call.', problems: [] } });
  });

  it('ends with 3 where nobody answers and with 4 where the sign-in is refused', async () => {
    expect(await rig.earshot(['calls'], { env: { PORT: '1' } })).toMatchObject({ code: 3, err: expect.stringContaining('(unreachable)') as string });
    expect(await rig.earshot(['calls'], { env: { TEST_USERNAME: 'nobody', TEST_PASSWORD: 'wrong' } })).toMatchObject({ code: 4, err: expect.stringContaining('(credentials_invalid)') as string });
    expect(await rig.earshot(['calls'], { env: { EARSHOT_TOKEN: 'no.good.token' } })).toMatchObject({ code: 4, err: expect.stringContaining('(token_invalid)') as string });
    expect(await rig.earshot(['tail', callSid], { env: { EARSHOT_TOKEN: 'no.good.token' } })).toMatchObject({ code: 4 });
  });

  it('never offers the local login to another machine', async () => {
    const { code, err } = await rig.earshot(['calls'], { env: { API_BASE_URL: 'https://earshot.example.com' } });
    expect(code).toBe(2);
    expect(err).toContain('TEST_USERNAME and TEST_PASSWORD are not set');
  });
});
