import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRig, type Rig } from '../fixtures/command.ts';

interface Traced {
  readonly call_sid: string;
  readonly unknown: readonly number[];
  readonly events: readonly { readonly seq: number; readonly type: string; readonly by: string | null; readonly trace_id: string | null; readonly received_at: string | null; readonly committed_at: string | null; readonly heard_at: string | null; readonly written_at: string | null }[];
}

describe('earshot trace', () => {
  let rig: Rig;
  let callSid: string;
  beforeAll(async () => {
    // Slow enough to be watched while it talks.
    rig = await startRig({ SIMULATED_PACE: '15' });
    const { out } = await rig.earshot(['call', 'test_driver_123', '--violations', 'speeding', '--watch', '--json']);
    callSid = String((JSON.parse(out.split('\n')[0] ?? '') as Record<string, unknown>)['call_sid']);
  });
  afterAll(async () => {
    await rig.close();
  });
  const traced = async (): Promise<Traced> => (await rig.json(['trace', callSid])) as unknown as Traced;

  it('shows of every event that was watched when it passed each place, in that order, with the trace of its request', async () => {
    const { events, call_sid } = await traced();
    expect(call_sid).toBe(callSid);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, place) => place + 1));
    const delivered = events.filter(({ received_at }) => received_at !== null);
    expect(delivered.map(({ type }) => type)).toEqual(expect.arrayContaining(['transcription', 'call_completed', 'call_sealed']));
    for (const { by, trace_id, received_at, committed_at, heard_at, written_at } of delivered) {
      expect({ by, trace_id }).toEqual({ by: 'bus', trace_id: expect.stringMatching(/^[\da-f]{32}$/) as string });
      const times = [received_at, committed_at, heard_at, written_at].map((time) => Date.parse(time ?? ''));
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
    // What one delivery brought shares its trace, what others brought does not.
    const ofType = (type: string): string | null | undefined => events.find((event) => event.type === type)?.trace_id;
    expect(ofType('call_completed')).toBe(ofType('call_sealed'));
    expect(ofType('call_completed')).not.toBe(ofType('transcription'));
  });

  it('prints a line for each event, differences in milliseconds, and says plainly of which it knows nothing', async () => {
    const { events, unknown } = await traced();
    const { code, out, err } = await rig.earshot(['trace', callSid]);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^EL_test_driver_123_\S+, as relay_[\da-f]{8} saw it\./);
    expect(lines[1]).toMatch(/^seq +event +received +logged +committed +heard +written +trace$/);
    expect(lines.slice(2, 2 + events.length).map((line) => Number(line.split(' ')[0]))).toEqual(events.map(({ seq }) => seq));
    expect(out).toMatch(/^\d+ +call_sealed +\d\d:\d\d:\d\d\.\d{3} +\+\d+ ms +[+-]\d+ ms +\+\d+ ms +\+\d+ ms +[\da-f]{32}$/m);
    expect(out).toMatch(/^From received to written: \d+ ms in the middle, \d+ ms at most \(\d+ events\)\.$/m);
    expect(out.includes('Nothing is known (any more) of how')).toBe(unknown.length > 0);
  });

  it.each([
    [['trace', 'EL_none'], 5, '(call_not_found)'],
    [['trace', 'EL_none', '--relay', 'nowhere'], 2, '(invalid_usage)'],
    [['trace', 'EL_none', '--relay', 'ws://127.0.0.1:1'], 3, '(unreachable)'],
  ])('%j ends with %i', async (args, code, words) => {
    expect(await rig.earshot(args)).toMatchObject({ code, out: '', err: expect.stringContaining(words) as string });
  });
});
