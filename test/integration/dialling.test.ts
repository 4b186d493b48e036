import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { Subscribe } from '../../core/protocol/messages.ts';
import { dialOnce } from '../../functions/calls/dial-once.ts';
import { runJobs } from '../../functions/jobs.ts';
import { functionsUnderTest, type Answer, type FunctionsUnderTest } from '../fixtures/functions-under-test.ts';

type Call = Record<string, unknown> & { call_sid: string; status: string; conversation_id: string | null };
const callsOf = (answer: Answer): Call[] => answer.body['calls'] as Call[];

/** A provider that accepts every dial as `conv-<n>`, and remembers what it was asked. */
const accepting = (): { dials: Record<string, unknown>[]; provider: (method: string, path: string, body: string) => { status: number; body: unknown } } => {
  const dials: Record<string, unknown>[] = [];
  return {
    dials,
    provider: (method, _path, body) => {
      if (method !== 'POST') return { status: 404, body: {} };
      dials.push(JSON.parse(body) as Record<string, unknown>);
      return { status: 200, body: { success: true, message: 'ok', conversation_id: `conv-${dials.length}`, callSid: `CA${dials.length}` } };
    },
  };
};

const dial = async (earshot: FunctionsUnderTest, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  earshot.rest('/driver_data/call-elevenlabs', { body, headers, token: await earshot.token(['dispatcher']) });

const done = (conversation: string, more: Record<string, unknown> = {}): unknown => ({
  type: 'post_call_transcription',
  event_timestamp: 1_760_000_000,
  data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript: [], metadata: {}, analysis: {}, ...more },
});

describe('calling drivers', () => {
  it('A2: answers with the names that older clients read, once at the top level for exactly one call', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const answer = await dial(earshot, { driver_ids: ['d1'], violation_types: ['speeding'] });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        call_sid: expect.stringMatching(/^EL_d1_\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
        conversation_id: 'conv-1',
        status: 'dialing',
        driver: { driverId: 'd1', driverName: 'Driver d1', phoneNumber: '+15550000001' },
        triggers_count: 1,
        failed: [],
      },
    });
    expect(callsOf(answer)).toHaveLength(1);
    expect(dials).toMatchObject([
      {
        agent_id: 'agent1',
        to_number: '+15550000001',
        conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: answer.body['call_sid'], driver_id: 'd1', driver_name: 'Driver d1', violation_types: 'speeding', triggers_count: 1 } },
      },
    ]);
  });

  it('dials everybody who may be dialled and says of the others why not', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const answer = await dial(earshot, { driver_ids: ['d1', 'd2', 'd2', 'd3', 'd4', 'd5', 'nobody'], violation_types: ['speeding'] });
    expect(callsOf(answer).map((call) => (call['driver'] as { driverId: string }).driverId)).toEqual(['d1', 'd2']);
    expect((answer.body['failed'] as { driver_id: string; code: string }[]).map(({ driver_id, code }) => [driver_id, code])).toEqual([
      ['d3', 'no_matching_triggers'],
      ['d4', 'do_not_call'],
      ['d5', 'prefix_not_allowed'],
      ['nobody', 'driver_not_found'],
    ]);
    expect(dials).toHaveLength(2);
  });

  it('keeps to the calling hours of where the driver is', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const hour = new Date(earshot.parts.runtime.now() + 2 * 3_600_000).toISOString().slice(11, 13);
    await earshot.parts.directory.putTenant({ tenant: 't1', name: 'One', calling_hours: { start: `${hour}:00`, end: `${hour}:01` }, default_agent_id: 'agent1' });
    expect((await dial(earshot, { driver_ids: ['d1'] })).body).toMatchObject({ calls: [], failed: [{ driver_id: 'd1', code: 'outside_calling_hours' }] });
    expect(dials).toEqual([]);
  });

  it('the same Idempotency-Key is the same call, for ever, also twenty times at once; another body under it is refused', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const answers = await Promise.all(Array.from({ length: 20 }, () => dial(earshot, { driver_ids: ['d1'] }, { 'idempotency-key': 'k1' })));
    expect(new Set(answers.map((answer) => answer.body['call_sid'])).size).toBe(1);
    expect(dials).toHaveLength(1);
    expect(await dial(earshot, { driver_ids: ['d2'] }, { 'idempotency-key': 'k1' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    await dial(earshot, { driver_ids: ['d1'] });
    expect(dials).toHaveLength(2);
    const number = { to: '+15550009999' };
    const token = await earshot.token(['dispatcher']);
    const first = await earshot.rest('/calls', { body: number, token, headers: { 'idempotency-key': 'k1' } });
    expect(first).toMatchObject({ status: 201 });
    expect(await earshot.rest('/calls', { body: number, token, headers: { 'idempotency-key': 'k1' } })).toMatchObject({ status: 200, body: { call_sid: first.body['call_sid'] } });
    expect(await earshot.rest('/calls', { body: number, token: await earshot.token(['admin']), headers: { 'idempotency-key': 'k1' } })).toMatchObject({ status: 201 });
    expect(dials).toHaveLength(4);
  });

  it('the same Idempotency-Key is the same call whatever has changed since: who may be called, the agent, the room', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const { directory } = earshot.parts;
    const workspace = await directory.workspace('w1');
    if (workspace !== null) await directory.putWorkspace({ ...workspace, concurrency: 1 });
    const ask = (): Promise<Answer> => dial(earshot, { driver_ids: ['d1', 'd2', 'd3'] }, { 'idempotency-key': 'k1' });
    const answers = await Promise.all(Array.from({ length: 10 }, ask));
    const driver = await directory.driver('t1', 'd1');
    if (driver !== null) await directory.putDriver({ ...driver, do_not_call: true });
    await directory.removeAgent('agent1');
    for (const answer of [...answers, await ask()]) {
      expect(answer).toMatchObject({ status: 200, body: { call_sid: answers[0]?.body['call_sid'] } });
      expect((answer.body['failed'] as { driver_id: string; code: string }[]).map((one) => `${one.driver_id} ${one.code}`).sort()).toEqual(['d2 provider_busy', 'd3 no_matching_triggers']);
    }
    expect(dials).toHaveLength(1);
  });

  it.each([
    ['+44700900000', 'prefix_not_allowed'],
    ['15550001', 'invalid_phone_number'],
    ['+1555000111\r\nX: 1', 'invalid_phone_number'],
    ['sip:a@b', 'invalid_phone_number'],
    ['+1', 'invalid_phone_number'],
  ])('a number that may not be dialled is refused before anything is kept: %j', async (to, code) => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const answer = await earshot.rest('/calls', { body: { to }, token: await earshot.token() });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect([code, 'invalid_request']).toContain(answer.body['code']);
    expect(JSON.stringify(answer.body)).not.toContain('555000');
    expect(dials).toEqual([]);
    expect((await earshot.parts.callLog.list({ tenant: 't1', limit: 10 })).calls).toEqual([]);
  });

  it.each([
    ['429 concurrent_limit_exceeded', { status: 429, body: { detail: { status: 'concurrent_limit_exceeded', message: 'x' } } }, 'failed'],
    ['200 with success false', { status: 200, body: { success: false, message: 'no' } }, 'failed'],
    ['422', { status: 422, body: { detail: [{ loc: ['body'], msg: 'CANARY', type: 't' }] } }, 'failed'],
    ['500', { status: 500, body: { detail: 'CANARY' } }, 'unknown'],
    ['HTML', { status: 200, body: '<html>CANARY</html>' }, 'unknown'],
  ])('one POST only, whatever the provider answers: %s', async (_name, reply, status) => {
    let posts = 0;
    const earshot = await functionsUnderTest({
      provider: () => {
        posts += 1;
        return reply;
      },
    });
    const answer = await dial(earshot, { driver_ids: ['d1'] });
    expect(callsOf(answer)).toMatchObject([{ status }]);
    expect(posts).toBe(1);
    expect(JSON.stringify([answer.body, earshot.lines])).not.toContain('CANARY');
    expect(await earshot.types(callsOf(answer)[0]?.call_sid ?? '')).toEqual(status === 'failed' ? ['call_status', 'call_status', 'call_status', 'call_completed', 'call_sealed'] : ['call_status', 'call_status', 'call_status']);
  });

  it('a call can be asked for by its call_sid, however long the id is that it was made of', async () => {
    const { provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const driverId = 'd'.repeat(256);
    await earshot.parts.directory.putDriver({ tenant: 't1', driverId, driverName: 'Long', phoneNumber: '+15550000009', triggers: [{ type: 'speeding' }], do_not_call: false, time_zone: null });
    const [call] = callsOf(await dial(earshot, { driver_ids: [driverId] }));
    const sid = call?.call_sid ?? '';
    const token = await earshot.token();
    expect(await earshot.rest(`/calls/${sid}`, { token })).toMatchObject({ status: 200, body: { call_sid: sid } });
    expect(await earshot.rest(`/calls/${sid}/events`, { token })).toMatchObject({ status: 200, body: { call_sid: sid } });
    expect(await earshot.ingest('transcription', { call_sid: sid, speaker: 'agent', text: 'Hello' })).toMatchObject({ status: 200, body: { result: 'stored', call_sid: sid } });
    expect(Subscribe.safeParse({ subscribe: sid }).success).toBe(true);
  });

  it('no phone rings before `dialing` is in the log, nor twice for one call, nor for a call that was given up', async () => {
    const { dials, provider } = accepting();
    const seen: (string | undefined)[] = [];
    let down = true;
    const earshot: FunctionsUnderTest = await functionsUnderTest({
      provider: async (method, path, body) => {
        if (method !== 'POST') return { status: 404, body: {} };
        const sid = (JSON.parse(body) as { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: string } } }).conversation_initiation_client_data.dynamic_variables.earshot_call_sid;
        seen.push((await earshot.parts.callLog.get(sid))?.status);
        return provider(method, path, body);
      },
      parts: ({ callLog }) => ({
        callLog: { ...callLog, append: (sid, entries) => (down && entries.some(({ fact }) => fact.kind === 'dialing') ? Promise.reject(new EarshotError('store_unavailable')) : callLog.append(sid, entries)) },
      }),
    });
    const [lost] = callsOf(await dial(earshot, { driver_ids: ['d1'] }));
    expect(lost).toMatchObject({ status: 'requested' });
    expect(dials).toEqual([]);
    down = false;
    const [call] = callsOf(await dial(earshot, { driver_ids: ['d2'] }));
    expect(seen).toEqual(['dialing']);
    earshot.move(10 * 60_000);
    await runJobs(earshot.parts);
    const workspace = await earshot.parts.directory.workspace('w1');
    for (const sid of [call?.call_sid, lost?.call_sid]) {
      const state = await earshot.parts.callLog.get(sid ?? '');
      if (workspace === null || state === null) throw new Error('it is gone');
      await dialOnce(earshot.parts, workspace, state, { earshot_call_sid: state.call_sid });
    }
    expect(await earshot.parts.callLog.get(lost?.call_sid ?? '')).toMatchObject({ status: 'failed', reason: 'never_dialed' });
    expect(dials).toHaveLength(1);
  });

  it('does not pass the number of calls that the workspace may have at once', async () => {
    const { dials, provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const workspace = await earshot.parts.directory.workspace('w1');
    if (workspace !== null) await earshot.parts.directory.putWorkspace({ ...workspace, concurrency: 1 });
    expect((await dial(earshot, { driver_ids: ['d1', 'd2'] })).body).toMatchObject({ calls: [{ status: 'dialing' }], failed: [{ driver_id: 'd2', code: 'provider_busy' }] });
    expect(dials).toHaveLength(1);
    earshot.move(31 * 60_000);
    expect((await dial(earshot, { driver_ids: ['d2'] })).body).toMatchObject({ calls: [{ status: 'dialing' }], failed: [] });
  });
});

describe('one conversation, one call', () => {
  it('a webhook that comes before the dial was answered finds its call by our id in the dynamic variables', async () => {
    let earshot: FunctionsUnderTest | null = null;
    const before: Answer[] = [];
    earshot = await functionsUnderTest({
      provider: async (_method, _path, body) => {
        const sid = (JSON.parse(body) as { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: string } } }).conversation_initiation_client_data.dynamic_variables.earshot_call_sid;
        if (earshot !== null) before.push(await earshot.webhook(done('conv-1', { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: sid } } })));
        return { status: 200, body: { success: true, message: 'ok', conversation_id: 'conv-1', callSid: 'CA1' } };
      },
    });
    const answer = await dial(earshot, { driver_ids: ['d1'] });
    expect(before).toMatchObject([{ status: 200, body: { result: 'stored', call_sid: callsOf(answer)[0]?.call_sid } }]);
    expect(callsOf(answer)).toMatchObject([{ status: 'completed', conversation_id: 'conv-1' }]);
    expect((await earshot.types('conv-1')).filter((type) => type === 'call_completed')).toHaveLength(1);
  });

  it('live turns that come before the dial was answered wait, and are in the call once it is', async () => {
    let earshot: FunctionsUnderTest | null = null;
    const before: Answer[] = [];
    earshot = await functionsUnderTest({
      provider: async () => {
        for (const text of ['Hello', 'This is dispatch']) if (earshot !== null) before.push(await earshot.ingest('transcription', { conversation_id: 'conv-1', agent_id: 'agent1', speaker: 'agent', text }));
        return { status: 200, body: { success: true, message: 'ok', conversation_id: 'conv-1', callSid: 'CA1' } };
      },
    });
    const answer = await dial(earshot, { driver_ids: ['d1'] });
    expect(before.map((early) => early.body['result'])).toEqual(['quarantined', 'quarantined']);
    expect(await earshot.parts.rawStore.quarantineSize()).toBe(0);
    expect(await earshot.parts.callLog.find('conv-1')).toMatchObject({ call_sid: callsOf(answer)[0]?.call_sid, status: 'in_progress', turn_count: 2 });
    expect((await earshot.parts.callLog.list({ tenant: 't1', limit: 10 })).calls).toHaveLength(1);
  });

  it('what waited two minutes for a dial that never named it is adopted; a late answer then merges the dialled call', async () => {
    let release: (body: unknown) => void = () => undefined;
    const held = new Promise<unknown>((resolve) => {
      release = resolve;
    });
    const earshot = await functionsUnderTest({ provider: async (method) => (method === 'POST' ? { status: 200, body: await held } : { status: 404, body: {} }) });
    const answering = dial(earshot, { driver_ids: ['d1'] });
    await expect.poll(async () => (await earshot.parts.callLog.unboundDials('w1', 'agent1', 0)).length).toBe(1);
    expect((await earshot.ingest('transcription', { conversation_id: 'conv-1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' })).body).toMatchObject({ result: 'quarantined' });
    await runJobs(earshot.parts);
    expect(await earshot.parts.callLog.find('conv-1')).toBeNull();
    earshot.move(2 * 60_000 + 1);
    await runJobs(earshot.parts);
    expect(await earshot.parts.callLog.find('conv-1')).toMatchObject({ call_sid: 'EL_conv-1', status: 'in_progress' });
    release({ success: true, message: 'ok', conversation_id: 'conv-1', callSid: 'CA1' });
    const [call] = callsOf(await answering);
    expect(call).toMatchObject({ status: 'failed' });
    expect(await earshot.parts.callLog.find(call?.call_sid ?? '')).toMatchObject({ call_sid: 'EL_conv-1' });
    const token = await earshot.token();
    expect((await earshot.rest(`/calls/${encodeURIComponent(call?.call_sid ?? '')}`, { token })).body).toMatchObject({ call_sid: 'EL_conv-1' });
  });

  it("a dial that was never answered is settled by the provider's webhook with our id in it, though its conversation was adopted meanwhile", async () => {
    const earshot = await functionsUnderTest({ provider: (method) => (method === 'POST' ? { status: 504, body: {} } : { status: 404, body: {} }) });
    const [call] = callsOf(await dial(earshot, { driver_ids: ['d1'] }));
    const sid = call?.call_sid ?? '';
    expect(call).toMatchObject({ status: 'unknown' });
    await earshot.ingest('transcription', { conversation_id: 'conv-1', agent_id: 'agent1', speaker: 'driver', text: 'Hello?' });
    earshot.move(2 * 60_000 + 1);
    await runJobs(earshot.parts);
    const named = { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: sid } } };
    for (const result of ['stored', 'duplicate']) expect((await earshot.webhook(done('conv-1', named))).body).toMatchObject({ result, call_sid: 'EL_conv-1' });
    expect(await earshot.parts.callLog.get(sid)).toMatchObject({ status: 'failed', merged_into: 'EL_conv-1' });
    const page = await earshot.parts.callLog.read(sid, 0, 100);
    expect(page?.events.map((event) => (JSON.parse(event.text) as { type: string }).type)).toEqual(['call_status', 'call_status', 'call_status', 'call_status', 'call_completed', 'call_sealed']);
    earshot.move(10 * 60_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 0 });
  });

  it("waits for no dial of another tenant's agent", async () => {
    const earshot = await functionsUnderTest({ provider: async (method) => (method === 'POST' ? { status: 200, body: { success: true, message: 'ok' } } : { status: 404, body: {} }) });
    await dial(earshot, { driver_ids: ['d1'] });
    expect((await earshot.webhook(done('conv-other', { agent_id: 'agent2' }))).body).toMatchObject({ result: 'stored', call_sid: 'EL_conv-other' });
    expect((await earshot.webhook(done('conv-same'))).body).toMatchObject({ result: 'quarantined' });
  });

  it("finds its call by the carrier's call id when the dial's answer named no conversation", async () => {
    const earshot = await functionsUnderTest({ provider: (method) => (method === 'POST' ? { status: 200, body: { success: true, message: 'ok', callSid: 'CA77' } } : { status: 404, body: {} }) });
    const [call] = callsOf(await dial(earshot, { driver_ids: ['d1'] }));
    expect((await earshot.webhook(done('conv-1', { metadata: { phone_call: { type: 'twilio', call_sid: 'CA77', direction: 'outbound' } } }))).body).toMatchObject({ result: 'stored', call_sid: call?.call_sid });
  });

  it('either id names the call in either field, and a call_sid is never taken for a conversation', async () => {
    const earshot = await functionsUnderTest({ provider: (method) => (method === 'POST' ? { status: 200, body: { success: true, message: 'ok', callSid: 'CA1' } } : { status: 404, body: {} }) });
    const [call] = callsOf(await dial(earshot, { driver_ids: ['d1'] }));
    const sid = call?.call_sid ?? '';
    expect((await earshot.ingest('transcription', { conversation_id: sid, speaker: 'agent', text: 'one' })).body).toMatchObject({ result: 'stored', call_sid: sid, conversation_id: null });
    expect((await earshot.ingest('transcription', { call_sid: sid, conversation_id: sid, speaker: 'agent', text: 'two' })).body).toMatchObject({ result: 'stored', conversation_id: null });
    expect((await earshot.ingest('transcription', { call_sid: sid, conversation_id: 'conv-1', speaker: 'agent', text: 'three' })).body).toMatchObject({ result: 'stored', conversation_id: 'conv-1' });
    expect((await earshot.ingest('transcription', { call_sid: 'conv-1', speaker: 'agent', text: 'four' })).body).toMatchObject({ result: 'stored', call_sid: sid });
    expect(await earshot.parts.callLog.find('conv-1')).toMatchObject({ call_sid: sid, turn_count: 4 });
  });

  it('a second conversation of one phone call is a call of its own', async () => {
    const { provider } = accepting();
    const earshot = await functionsUnderTest({ provider });
    const [call] = callsOf(await dial(earshot, { driver_ids: ['d1'] }));
    const variables = { conversation_initiation_client_data: { dynamic_variables: { earshot_call_sid: call?.call_sid } } };
    expect((await earshot.webhook(done('conv-1', variables))).body).toMatchObject({ call_sid: call?.call_sid });
    expect((await earshot.webhook(done('conv-2', variables))).body).toMatchObject({ result: 'stored', call_sid: 'EL_conv-2' });
  });
});

describe('calls that a crash left between request and answer', () => {
  it('are settled once: never dialled fails, never answered is unknown and at last needs a person', async () => {
    const earshot = await functionsUnderTest();
    const { callLog } = earshot.parts;
    const base = { workspace: 'w1', tenant: 't1', driver: null, to_number: '+15550000001', agent_id: 'agent1', direction: 'outbound', triggers_count: 0, requested_by: 'u' } as const;
    await callLog.create([{ ...base, call_sid: 'EL_a' }, { ...base, call_sid: 'EL_b' }], null);
    await callLog.append('EL_b', [{ fact: { kind: 'dialing', attempt: 1 }, source: 'dial', conversation_id: null, provider_call_id: null }]);
    await runJobs(earshot.parts);
    expect([(await callLog.get('EL_a'))?.status, (await callLog.get('EL_b'))?.status]).toEqual(['requested', 'dialing']);
    earshot.move(91_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 1 });
    // The last of 25 drivers, 4 at once, may have to wait six times a minute before its dial begins.
    earshot.move(4 * 60_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 0 });
    expect([(await callLog.get('EL_a'))?.status, (await callLog.get('EL_b'))?.status]).toEqual(['requested', 'unknown']);
    earshot.move(60_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 1 });
    expect([(await callLog.get('EL_a'))?.reason, (await callLog.get('EL_b'))?.status]).toEqual(['never_dialed', 'unknown']);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 0 });
    earshot.move(4 * 60_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 1 });
    expect(await callLog.get('EL_b')).toMatchObject({ status: 'unknown', reason: 'needs_person' });
    expect(await runJobs(earshot.parts)).toMatchObject({ settled: 0 });
  });

  it('retention removes calls whole once their days are over', async () => {
    const earshot = await functionsUnderTest({ environment: { RETENTION_DAYS: '30' } });
    await earshot.webhook(done('conv-1'));
    expect(await runJobs(earshot.parts)).toMatchObject({ erased: 0 });
    earshot.move(31 * 24 * 3_600_000);
    expect(await runJobs(earshot.parts)).toMatchObject({ erased: 1 });
    expect(await earshot.parts.callLog.find('conv-1')).toBe('erased');
  });
});
