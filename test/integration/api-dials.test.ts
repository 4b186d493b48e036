import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewCall } from '../../core/domain/call/state.ts';
import { EarshotError, ERRORS } from '../../core/protocol/codes.ts';
import type { StartCallsRequest } from '../../functions/api/services.ts';
import type { IdempotencyKey } from '../../ports/call-log.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

/** Dials that create their calls and answer: what happens behind them is tested with the services. */
let asked: { user: string; request: StartCallsRequest; key: IdempotencyKey | null }[];
let api: ApiUnderTest;

const newCall = (sid: string, driverId: string | null, to: string | null): NewCall => ({
  call_sid: sid, workspace: 'w1', tenant: 't1', driver: driverId === null ? null : { driverId, driverName: `Name of ${driverId}`, phoneNumber: '+15550100' }, to_number: to, agent_id: 'a1', direction: 'outbound', triggers_count: 2, requested_by: null,
});
const notFound = { code: 'driver_not_found', message: ERRORS.driver_not_found.message } as const;

beforeEach(async () => {
  asked = [];
  api = await startApi({
    parts: {
      startCalls: async (asker, request, key) => {
        asked.push({ user: asker.user, request, key });
        if ('to' in request && request.to === '+15550199') throw new EarshotError('prefix_not_allowed');
        const drivers = 'drivers' in request ? request.drivers.driver_ids : [];
        const wanted = 'drivers' in request ? drivers.filter((id) => !id.startsWith('gone')).map((id) => newCall(`EL_${id}_x`, id, null)) : request.driver_id === 'gone' ? [] : [newCall('EL_call_x', null, request.to ?? null)];
        const failed = (drivers.length > 0 ? drivers : ['gone']).filter((id) => id.startsWith('gone')).map((driver_id) => ({ driver_id, ...notFound }));
        if (wanted.length === 0) return { repeated: false, calls: [], failed };
        const created = await api.parts.callLog.create(wanted, key);
        if (created.result === 'key_reused') throw new EarshotError('idempotency_key_reused');
        if (created.result === 'erased') throw new EarshotError('call_erased');
        return { repeated: created.result === 'repeated', calls: created.calls, failed: drivers.length > 0 ? failed : [] };
      },
    },
  });
});
afterEach(() => api.close());

describe('calling a number', () => {
  it('answers 201 with the call and where it is, and notes who did it', async () => {
    const response = await api.ask('anna', 'POST', '/calls', { to: '+15550123', variables: { reason: 'test', count: 2, urgent: true } });
    const call = (await response.json()) as Record<string, unknown>;
    expect([response.status, response.headers.get('location')]).toEqual([201, '/calls/EL_call_x']);
    expect(call).toMatchObject({ call_sid: 'EL_call_x', conversation_id: null, status: 'requested', driver: null, to_number: '+15550123', analysis_data: null, last_seq: 1 });
    expect(asked).toEqual([{ user: 'user-anna', request: { to: '+15550123', variables: { reason: 'test', count: 2, urgent: true } }, key: null }]);
    expect(api.logged().filter((line) => line['message'] === 'access')).toMatchObject([{ action: 'calls.dial', user: 'user-anna', tenant: 't1', call_sid: 'EL_call_x' }]);
    expect(JSON.stringify(api.logged())).not.toContain('15550123');
  });

  it('says why it was not called', async () => {
    expect(await api.json('anna', 'POST', '/calls', { to: '+15550199' })).toMatchObject({ status: 422, body: { code: 'prefix_not_allowed' } });
    expect(await api.json('anna', 'POST', '/calls', { driver_id: 'gone' })).toMatchObject({ status: 404, body: { code: 'driver_not_found' } });
    expect(api.logged().filter((line) => line['message'] === 'access')).toEqual([]);
  });

  it.each(['15550123', '+1 555 0123', '+15550123\r\nX: y', 'sip:+15550123@example.com', '+0155501234', '+1555', ''])('refuses the number %j before anything is asked', async (to) => {
    expect(await api.json('anna', 'POST', '/calls', { to })).toMatchObject({ status: 400, body: { code: 'invalid_phone_number' } });
    expect(asked).toEqual([]);
  });

  it.each([
    [{}],
    [{ to: '+15550123', driver_id: 'd1' }],
    [{ to: '+15550123', violation_types: [] }],
    [{ to: ['+15550123'] }],
    [{ to: '+15550123', variables: { earshot_call_sid: 'mine' } }],
    [{ to: '+15550123', variables: { system__call_sid: 'mine' } }],
    [{ to: '+15550123', variables: { secret__key: 'mine' } }],
    [{ to: '+15550123', variables: { 'two words': 'x' } }],
    [{ to: '+15550123', variables: { nested: { deep: 1 } } }],
    [{ to: '+15550123', variables: { empty: null } }],
    [{ to: '+15550123', variables: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`v${index}`, index])) }],
    [{ driver_id: 'd'.repeat(257) }],
    [{ driver_id: 'd\n1' }],
    ['{"to":"+15550123","__proto__":{"driver_id":"d1"}}'],
  ])('refuses %j', async (body) => {
    const { status, body: problem } = await api.json('anna', 'POST', '/calls', body);
    expect([status, problem['code']]).toEqual([400, 'invalid_request']);
    expect(JSON.stringify(problem)).not.toContain('15550123');
    expect(asked).toEqual([]);
  });

  it('takes nothing from a variable that would be no variable', async () => {
    expect((await api.json('anna', 'POST', '/calls', '{"to":"+15550123","variables":{"__proto__":{"x":1},"fine":1}}')).status).toBe(201);
    expect(asked.map((one) => JSON.stringify(one.request))).toEqual(['{"to":"+15550123","variables":{"fine":1}}']);
  });

  it('is for those who may dial', async () => {
    expect((await api.json('olga', 'POST', '/calls', { to: '+15550123' })).status).toBe(403);
    expect((await api.json(null, 'POST', '/calls', { to: '+15550123' })).status).toBe(401);
    expect((await api.json('sam', 'POST', '/calls', { to: '+15550123' })).status).toBe(201);
    expect(asked.map((one) => one.user)).toEqual(['user-sam']);
  });
});

describe('calling drivers', () => {
  const route = '/driver_data/call-elevenlabs';
  it('answers as older clients read it: one call stands at the top level too', async () => {
    const { status, body } = await api.json('anna', 'POST', route, { driver_ids: ['d1'], violation_types: ['speeding'] });
    const call = { call_sid: 'EL_d1_x', conversation_id: null, status: 'requested', driver: { driverId: 'd1', driverName: 'Name of d1', phoneNumber: '+15550100' }, triggers_count: 2 };
    expect([status, body]).toEqual([200, { ...call, calls: [call], failed: [] }]);
    expect(asked[0]?.request).toEqual({ drivers: { driver_ids: ['d1'], violation_types: ['speeding'] } });
  });

  it('tells of each who was called and each who was not', async () => {
    const { status, body } = await api.json('anna', 'POST', route, { driver_ids: ['d1', 'gone1', 'd2', 'd1'] });
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['calls', 'failed']);
    expect((body['calls'] as { call_sid: string }[]).map((call) => call.call_sid)).toEqual(['EL_d1_x', 'EL_d2_x']);
    expect(body['failed']).toEqual([{ driver_id: 'gone1', ...notFound }]);
    expect(asked[0]?.request).toEqual({ drivers: { driver_ids: ['d1', 'gone1', 'd2'], violation_types: [] } });
    expect(await api.json('anna', 'POST', route, { driver_ids: ['gone1'] })).toEqual({ status: 200, body: { calls: [], failed: [{ driver_id: 'gone1', ...notFound }] } });
  });

  it.each([[{}], [{ driver_ids: [] }], [{ driver_ids: 'd1' }], [{ driver_ids: [1] }], [{ driver_ids: Array.from({ length: 26 }, (_, index) => `d${index}`) }], [{ driver_ids: ['d1'], violation_type: ['speeding'] }], [{ driver_ids: [''] }]])('refuses %j', async (body) => {
    expect(await api.json('anna', 'POST', route, body)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(asked).toEqual([]);
  });
});

describe('an Idempotency-Key', () => {
  const dial = (name: 'anna' | 'adam' | 'theo', key: string, body: unknown = { to: '+15550123' }, path = '/calls') => api.json(name, 'POST', path, body, { 'idempotency-key': key });

  it('is the same call, for ever', async () => {
    expect((await dial('anna', 'k1')).status).toBe(201);
    const again = await dial('anna', 'k1', '{ "to" : "+15550123" }');
    expect([again.status, again.body['call_sid']]).toEqual([200, 'EL_call_x']);
    expect(api.logged().filter((line) => line['message'] === 'access')).toHaveLength(1);
    expect(asked[0]?.key).toEqual(asked[1]?.key);
    expect(JSON.stringify(asked[0]?.key)).toMatch(/^\{"key":"[0-9a-f]{64}","request_hash":"[0-9a-f]{64}"\}$/);
  });

  it('is one call also where it comes twice at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => dial('anna', 'k1')));
    expect(answers.map((answer) => answer.status).sort()).toEqual([...Array.from({ length: 9 }, () => 200), 201]);
    expect(new Set(answers.map((answer) => answer.body['call_sid'])).size).toBe(1);
  });

  it('is of one user and one route', async () => {
    await dial('anna', 'k1');
    await dial('adam', 'k1');
    await dial('anna', 'k1', { driver_ids: ['d1'] }, '/driver_data/call-elevenlabs');
    await dial('anna', 'k2');
    expect(new Set(asked.map((one) => one.key?.key)).size).toBe(4);
  });

  it('does not take another body', async () => {
    await dial('anna', 'k1');
    expect(await dial('anna', 'k1', { to: '+15550124' })).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  it('does not bring an erased call back', async () => {
    await dial('anna', 'k1');
    await api.parts.callLog.erase('EL_call_x');
    expect(await dial('anna', 'k1')).toMatchObject({ status: 410, body: { code: 'call_erased' } });
  });

  it.each([' ', 'x'.repeat(256), 'caf\u00e9', 'tab\tinside'])('%j is refused', async (key) => {
    expect(await dial('anna', key)).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(asked).toEqual([]);
  });
});
