import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

let api: ApiUnderTest;
beforeEach(async () => {
  api = await startApi();
});
afterEach(() => api.close());

const john = { driverName: 'John', phoneNumber: '+15550100', triggers: [{ type: 'speeding', occurred_at: '2026-11-20T08:00:00Z', detail: '84 in 65' }], do_not_call: false, time_zone: 'America/Chicago' };

describe('drivers', () => {
  it('are kept whole, replaced whole, and read back', async () => {
    expect(await api.json('adam', 'PUT', '/drivers/d1', john)).toEqual({ status: 200, body: { driverId: 'd1', ...john } });
    expect(await api.json('anna', 'GET', '/drivers/d1')).toEqual({ status: 200, body: { driverId: 'd1', ...john } });
    expect((await api.json('sam', 'PUT', '/drivers/d1', { driverId: 'd1', driverName: 'John B', phoneNumber: null })).status).toBe(200);
    expect((await api.json('anna', 'GET', '/drivers/d1')).body).toEqual({ driverId: 'd1', driverName: 'John B', phoneNumber: null, triggers: [], do_not_call: false, time_zone: null });
    expect((await api.json('adam', 'PUT', '/drivers', { driverId: 'd/2 +', ...john })).status).toBe(200);
    expect((await api.json('anna', 'GET', `/drivers/${encodeURIComponent('d/2 +')}`)).body).toMatchObject({ driverId: 'd/2 +' });
    expect(api.logged().filter((line) => line['message'] === 'access')).toHaveLength(3);
    expect(JSON.stringify(api.logged())).not.toMatch(/15550100|John/);
  });

  it('are listed by id, page after page', async () => {
    for (const id of ['d3', 'd1', 'd2']) await api.json('adam', 'PUT', `/drivers/${id}`, john);
    const first = await api.json('anna', 'GET', '/drivers?limit=2');
    const second = await api.json('anna', 'GET', `/drivers?limit=2&cursor=${String(first.body['next_cursor'])}`);
    const ids = (body: Record<string, unknown>): string[] => (body['drivers'] as { driverId: string }[]).map((driver) => driver.driverId);
    expect([ids(first.body), first.body['next_cursor'], ids(second.body), second.body['next_cursor']]).toEqual([['d1', 'd2'], 'd2', ['d3'], null]);
  });

  it('of another tenant are not there, and are not changed', async () => {
    await api.json('adam', 'PUT', '/drivers/d1', john);
    expect(await api.json('theo', 'GET', '/drivers/d1')).toMatchObject({ status: 404, body: { code: 'driver_not_found' } });
    expect((await api.json('theo', 'GET', '/drivers')).body).toEqual({ drivers: [], next_cursor: null });
    await api.json('theo', 'PUT', '/drivers/d1', { ...john, driverName: 'Other' });
    expect((await api.json('anna', 'GET', '/drivers/d1')).body['driverName']).toBe('John');
  });

  it('are written by those who may', async () => {
    expect(await api.json('anna', 'PUT', '/drivers/d1', john)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await api.parts.directory.driver('t1', 'd1')).toBeNull();
  });

  it.each([
    [{ ...john, phoneNumber: '5550100' }, 'invalid_phone_number'],
    [{ ...john, phoneNumber: '+15550100\r\n' }, 'invalid_phone_number'],
    [{ ...john, time_zone: 'Mars/Olympus' }, 'invalid_request'],
    [{ ...john, driverId: 'd2' }, 'invalid_request'],
    [{ ...john, driverName: '' }, 'invalid_request'],
    [{ ...john, triggers: [{}] }, 'invalid_request'],
    [{ ...john, triggers: Array.from({ length: 201 }, () => ({ type: 'x' })) }, 'invalid_request'],
    [{ ...john, triggers: [{ type: 'speeding', occurred_at: 'yesterday' }] }, 'invalid_request'],
    [{ ...john, tenant: 't2' }, 'invalid_request'],
    [{ driverName: 'John' }, 'invalid_request'],
  ])('%# are refused where they make no sense', async (body, code) => {
    expect(await api.json('adam', 'PUT', '/drivers/d1', body)).toMatchObject({ status: 400, body: { code } });
    expect(await api.parts.directory.driver('t1', 'd1')).toBeNull();
  });
});
