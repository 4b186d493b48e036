import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome } from '../../core/domain/call/facts.ts';
import { startApi, type ApiUnderTest, type UserName } from '../fixtures/api-under-test.ts';

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const turn = (text: string) => ({ kind: 'turn', turn_id: null, rev: null, state: 'final', speaker: 'agent', text, time_in_call_secs: null, source_event_id: null }) as const;
const outcome: Outcome = {
  status: 'completed', reason: null, started_at: Date.parse('2026-11-21T10:00:00Z'), transcript_summary: 'They talked.', call_duration_seconds: 61, cost: 0.05, cost_credits: 12, call_successful: true,
  outcome: 'success', call_summary_title: 'A talk', termination_reason: 'hung up', analysis_data: '{"a":1}', metadata_json: '{"m":2}', evaluation_results: null, collection_results: null,
  direction: 'outbound', agent_id: 'a1', transcript: null, tools: [],
};
const missing = 'EL_nobody_2026-11-21T10:00:00.000Z';

describe('a call', () => {
  it('is shown whole, by either id, with nothing that is not known yet', async () => {
    const call = await api.newCall({ call_sid: 'EL_whole_1', driver: { driverId: 'd1', driverName: 'John', phoneNumber: '+15550100' }, triggers_count: 2 });
    const before = await api.json('anna', 'GET', '/calls/EL_whole_1');
    expect(before).toEqual({
      status: 200,
      body: {
        call_sid: 'EL_whole_1', conversation_id: null, status: 'requested', reason: null, merged_into: null, driver: { driverId: 'd1', driverName: 'John', phoneNumber: '+15550100' }, to_number: '+15550100',
        triggers_count: 2, agent_id: 'a1', direction: 'outbound', created_at: new Date(call.created_at).toISOString(), started_at: null, call_end_time: null, transcript_summary: null,
        call_duration_seconds: null, cost: null, call_successful: null, analysis_data: null, metadata_json: null, outcome: null, cost_credits: null, call_summary_title: null,
        termination_reason: null, turn_count: 0, epoch: call.epoch, last_seq: 1, sealed: false,
      },
    });
    await api.parts.callLog.append('EL_whole_1', [{ fact: { kind: 'finished', outcome, at: Date.now() }, source: 'webhook', conversation_id: 'conv_whole', provider_call_id: null }]);
    const after = await api.json('anna', 'GET', '/calls/conv_whole');
    expect(after.body).toMatchObject({
      call_sid: 'EL_whole_1', conversation_id: 'conv_whole', status: 'completed', started_at: '2026-11-21T10:00:00.000Z', call_end_time: '2026-11-21T10:01:01.000Z', transcript_summary: 'They talked.',
      call_duration_seconds: 61, cost: 0.05, call_successful: true, analysis_data: '{"a":1}', metadata_json: '{"m":2}', outcome: 'success', cost_credits: 12, termination_reason: 'hung up', sealed: true,
    });
  });

  it('is found by a call_sid with colons and plus signs, percent-encoded or not', async () => {
    await api.newCall({ call_sid: 'EL_d+1_2026-11-21T10:00:00.000Z' });
    expect((await api.ask('anna', 'GET', '/calls/EL_d+1_2026-11-21T10:00:00.000Z')).status).toBe(200);
    expect((await api.ask('anna', 'GET', `/calls/${encodeURIComponent('EL_d+1_2026-11-21T10:00:00.000Z')}`)).status).toBe(200);
  });

  const routes: readonly (readonly [string, string])[] = [
    ['GET', '/calls/{id}'],
    ['GET', '/calls/{id}/events'],
    ['GET', '/calls/{id}/events/1/text'],
    ['GET', '/calls/{id}/audio'],
    ['POST', '/calls/{id}/end'],
    ['DELETE', '/calls/{id}'],
  ];
  it.each(routes)('%s %s of somebody else answers exactly as for an absent one', async (method, path) => {
    const call = await api.newCall({ call_sid: `EL_other_${method}_${path.length}` });
    const foreign = await api.ask('theo', method, path.replace('{id}', call.call_sid));
    const absent = await api.ask('theo', method, path.replace('{id}', missing));
    expect([foreign.status, await foreign.text()]).toEqual([absent.status, await absent.text()]);
    expect(foreign.status).toBe(404);
    expect(await api.parts.callLog.get(call.call_sid)).toMatchObject({ status: 'requested' });
  });

  const roles: readonly (readonly [string, string, UserName, number])[] = [
    ['GET', '/calls', 'olga', 403],
    ['GET', '/calls/{id}', 'olga', 403],
    ['GET', '/calls/{id}/events', 'olga', 403],
    ['GET', '/calls/{id}/audio', 'sam', 403],
    ['GET', '/calls.csv', 'sam', 403],
    ['POST', '/calls/{id}/end', 'olga', 403],
    ['DELETE', '/calls/{id}', 'anna', 403],
    ['DELETE', '/calls/{id}', 'sam', 403],
    ['GET', '/calls/{id}', 'sam', 200],
    ['POST', '/calls/{id}/end', 'anna', 202],
    ['GET', '/stats', 'olga', 403],
    ['GET', '/stats/hours', 'olga', 403],
    ['GET', '/stats/hours', 'sam', 200],
    ['GET', '/quarantine', 'anna', 403],
    ['GET', '/quarantine', 'sam', 403],
    ['GET', '/quarantine', 'olga', 200],
    ['GET', '/deliveries', 'anna', 403],
    ['GET', '/deliveries', 'olga', 403],
    ['GET', '/deliveries', 'sam', 200],
    ['GET', '/drivers', 'olga', 403],
    ['GET', '/conversations/c/fetch', 'olga', 403],
  ];
  it.each(roles)('%s %s by %s is %i', async (method, path, name, status) => {
    const call = await api.newCall({ call_sid: `EL_role_${name}_${method}_${path.length}` });
    expect((await api.ask(name, method, path.replace('{id}', call.call_sid))).status).toBe(status);
  });

  it('that was erased is gone for everybody, and only an admin erases', async () => {
    const call = await api.newCall({ call_sid: 'EL_erase_1' });
    expect((await api.ask('adam', 'DELETE', '/calls/EL_erase_1')).status).toBe(204);
    expect(await api.json('adam', 'GET', '/calls/EL_erase_1')).toMatchObject({ status: 404, body: { code: 'call_not_found' } });
    expect(await api.parts.callLog.get(call.call_sid)).toBeNull();
    expect(api.logged().filter((line) => line['message'] === 'access' && line['action'] === 'calls.erase')).toMatchObject([{ user: 'user-adam', tenant: 't1', call_sid: 'EL_erase_1' }]);
  });
});

describe('the events of a call', () => {
  let sid: string;
  let epoch: string;
  beforeAll(async () => {
    ({ call_sid: sid, epoch } = await api.newCall({ call_sid: 'EL_events_1' }));
    for (const text of ['one', 'two', 'three']) await api.append(sid, turn(text));
  });
  const seqs = (body: Record<string, unknown>): unknown[] => (body['events'] as { seq?: number }[]).map((event) => event.seq);

  it('are given exactly as they were logged', async () => {
    const logged = await api.parts.callLog.read(sid, 0, 100);
    const text: string = await (await api.ask('anna', 'GET', `/calls/${sid}/events`)).text();
    expect(text).toContain(`"events":[${logged?.events.map((event) => event.text).join(',') ?? ''}]}`);
    expect(JSON.parse(text)).toMatchObject({ call_sid: sid, conversation_id: null, epoch, last_seq: logged?.call.last_seq, recovered: true });
  });

  it('follow a position, as many as were asked for', async () => {
    const { body } = await api.json('anna', 'GET', `/calls/${sid}/events?epoch=${epoch}&since=1&limit=2`);
    expect([body['recovered'], seqs(body)]).toEqual([true, [2, 3]]);
    const rest = await api.json('anna', 'GET', `/calls/${sid}/events?epoch=${epoch}&since=${body['last_seq'] as number}`);
    expect([rest.body['recovered'], seqs(rest.body)]).toEqual([true, []]);
  });

  it.each([
    ['another epoch', (): string => `epoch=9.old&since=2`, 'epoch_changed'],
    ['a position beyond the head', (): string => `epoch=${epoch}&since=1000000`, 'ahead_of_log'],
  ] as const)('start over for %s, and say why', async (_name, query, reason) => {
    const { body } = await api.json('anna', 'GET', `/calls/${sid}/events?${query()}`);
    expect([body['recovered'], body['reason'], (seqs(body))[0]]).toEqual([false, reason, 1]);
  });

  it.each([
    ['since=1', 'epoch_required'],
    ['since=-1', 'invalid_request'],
    ['since=NaN', 'invalid_request'],
    ['since=1.5', 'invalid_request'],
    ['since=9007199254740992', 'invalid_request'],
    ['limit=0', 'invalid_request'],
    ['limit=1001', 'invalid_request'],
    ['limit=1&limit=2', 'invalid_request'],
    ['limit=', 'invalid_request'],
    ['sinse=1', 'invalid_request'],
  ])('are refused for ?%s', async (query, code) => {
    expect(await api.json('anna', 'GET', `/calls/${sid}/events?${query}`)).toMatchObject({ status: 400, body: { code } });
  });

  it('are whole also where a frame is truncated', async () => {
    const long = 'word '.repeat(10_000);
    const call = await api.append(sid, turn(long));
    const page = await api.parts.callLog.read(sid, call.last_seq - 2, 10);
    const seq = page?.events.find((event) => event.text.includes('"truncated":true'))?.seq ?? 0;
    expect(await api.json('anna', 'GET', `/calls/${sid}/events/${seq}/text`)).toEqual({ status: 200, body: { call_sid: sid, seq, text: long } });
    expect(await api.json('anna', 'GET', `/calls/${sid}/events/${call.last_seq + 1}/text`)).toMatchObject({ status: 404, body: { code: 'event_not_found' } });
    expect((await api.json('anna', 'GET', `/calls/${sid}/events/0/text`)).status).toBe(400);
  });
});

describe('the list of calls', () => {
  it('is filtered, paged and only of the own tenant', async () => {
    const driver = (id: string) => ({ driverId: id, driverName: `Name of ${id}`, phoneNumber: '+15550123' });
    for (const [index, agent] of ['list-a', 'list-a', 'list-b'].entries()) await api.newCall({ call_sid: `EL_list_${index}`, agent_id: agent, driver: driver(`list-${index}`) });
    await api.newCall({ call_sid: 'EL_list_foreign', tenant: 't2', agent_id: 'list-a' });
    const sids = async (query: string): Promise<unknown[]> => ((await api.json('anna', 'GET', `/calls?${query}`)).body['calls'] as { call_sid: string }[]).map((call) => call.call_sid).sort();
    expect(await sids('agent_id=list-a')).toEqual(['EL_list_0', 'EL_list_1']);
    expect(await sids('driver_id=list-2')).toEqual(['EL_list_2']);
    expect(await sids('q=name%20OF%20list-1')).toEqual(['EL_list_1']);
    expect(await sids('agent_id=list-b&status=completed')).toEqual([]);
    expect(await sids(`agent_id=list-a&since=${encodeURIComponent(new Date(Date.now() + 60_000).toISOString())}`)).toEqual([]);
    expect(await sids('agent_id=list-a&since=2020-01-01T00:00:00%2B02:00')).toHaveLength(2);
    const first = await api.json('anna', 'GET', '/calls?agent_id=list-a&limit=1');
    const second = await api.json('anna', 'GET', `/calls?agent_id=list-a&limit=1&cursor=${encodeURIComponent(String(first.body['next_cursor']))}`);
    expect([first, second].map(({ body }) => (body['calls'] as { call_sid: string }[]).map((call) => call.call_sid)).flat().sort()).toEqual(['EL_list_0', 'EL_list_1']);
    expect((first.body['calls'] as object[])[0]).not.toHaveProperty('analysis_data');
  });

  it.each(['status=gone', 'limit=0', 'limit=201', 'limit=x', 'since=yesterday', 'since=2026-11-21', 'cursor=forged', 'unknown=1', 'status=completed&status=failed', `q=${'x'.repeat(257)}`])('is refused for ?%s', async (query) => {
    const { status, body } = await api.json('anna', 'GET', `/calls?${query}`);
    expect([status, body['code']]).toEqual([400, query === 'cursor=forged' ? 'invalid_cursor' : 'invalid_request']);
  });
});

describe('the export', () => {
  it('has a record for each call that passes the filter, page after page, safe for spreadsheets', async () => {
    for (let index = 0; index < 450; index++) await api.newCall({ call_sid: `EL_csv_${index}`, agent_id: 'csv', driver: index === 0 ? { driverId: '=cmd', driverName: 'Say "hi", John\nline', phoneNumber: '+15550177' } : null, to_number: null });
    await api.newCall({ call_sid: 'EL_csv_foreign', agent_id: 'csv', tenant: 't2' });
    const response = await api.ask('anna', 'GET', '/calls.csv?agent_id=csv');
    expect([response.status, response.headers.get('content-type'), response.headers.get('content-disposition'), response.headers.get('content-length')]).toEqual([200, 'text/csv; charset=utf-8; header=present', 'attachment; filename="calls.csv"', null]);
    const text = await response.text();
    const records = text.split('\r\n');
    expect(records[0]).toBe('call_sid,conversation_id,status,reason,driver_id,driver_name,phone_number,agent_id,direction,created_at,started_at,call_end_time,transcript_summary,call_duration_seconds,cost,call_successful,outcome,cost_credits,termination_reason,analysis_data,metadata_json');
    expect(records).toHaveLength(1 + 450 + 1);
    expect(new Set(records.slice(1, -1).map((record) => record.split(',')[0])).size).toBe(450);
    expect(text).toContain(`EL_csv_0,,requested,,'=cmd,"Say ""hi"", John\nline",'+15550177,csv,outbound,`);
    expect(text).not.toContain('EL_csv_foreign');
    expect(api.logged().filter((line) => line['action'] === 'calls.export')).toMatchObject([{ user: 'user-anna', tenant: 't1' }]);
  });

  it('has its head alone where there is nothing', async () => {
    expect((await (await api.ask('anna', 'GET', '/calls.csv?agent_id=nobody')).text()).split('\r\n')).toHaveLength(2);
  });
});
