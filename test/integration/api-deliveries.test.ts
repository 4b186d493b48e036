import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Delivery } from '../../ports/raw-store.ts';
import { startApi, type ApiUnderTest } from '../fixtures/api-under-test.ts';

let api: ApiUnderTest;
const driven: string[] = [];
beforeEach(async () => {
  driven.length = 0;
  api = await startApi({ parts: { redrive: async (_asker, id) => (driven.push(id), { result: 'used', call_sid: 'EL_1' }) } });
});
afterEach(() => api.close());

const put = async (id: string, more: Partial<Delivery> = {}): Promise<Delivery> => {
  const kept = await api.parts.rawStore.put({ id: id.padEnd(64, '0'), workspace: 'w1', tenant: 't1', reach_tenant: null, route: 'post-call', type: 'post_call_transcription', reason: 'unusable', conversation_id: null, agent_id: null, call_sid: null, received_at: Date.now(), body: '{"canary":1}', ...more });
  if (kept === null) throw new Error('it was not kept');
  return kept;
};
const ids = (body: Record<string, unknown>): string[] => (body['deliveries'] as { id: string }[]).map((delivery) => delivery.id.replace(/0+$/, ''));

describe('the quarantine', () => {
  it('shows a tenant its own, an operator what is nobody\'s, and bodies to neither', async () => {
    await put('a', { received_at: 1000 });
    await put('b', { received_at: 2000 });
    await put('c', { tenant: 't2' });
    await put('d', { tenant: null, reason: 'unassigned' });
    await put('e', { reason: 'used' });
    const first = await api.json('adam', 'GET', '/quarantine?limit=1');
    const second = await api.json('adam', 'GET', `/quarantine?limit=1&cursor=${String(first.body['next_cursor'])}`);
    expect([ids(first.body), ids(second.body), second.body['next_cursor']]).toEqual([['a'], ['b'], null]);
    expect((first.body['deliveries'] as unknown[])[0]).toEqual({
      id: 'a'.padEnd(64, '0'), workspace: 'w1', tenant: 't1', route: 'post-call', type: 'post_call_transcription', reason: 'unusable', conversation_id: null, agent_id: null, call_sid: null, received_at: '1970-01-01T00:00:01.000Z', count: 1,
    });
    expect(ids((await api.json('theo', 'GET', '/quarantine')).body)).toEqual(['c']);
    expect(ids((await api.json('olga', 'GET', '/quarantine')).body)).toEqual(['d']);
  });

  it('is driven again by those whose it is, which is noted', async () => {
    const mine = await put('a');
    const nobodys = await put('d', { tenant: null });
    expect(await api.json('adam', 'POST', `/quarantine/${mine.id}/redrive`)).toEqual({ status: 200, body: { result: 'used', call_sid: 'EL_1' } });
    expect((await api.json('olga', 'POST', `/quarantine/${nobodys.id}/redrive`)).status).toBe(200);
    for (const [name, id] of [['theo', mine.id], ['olga', mine.id], ['adam', nobodys.id], ['adam', 'absent']] as const) {
      expect(await api.json(name, 'POST', `/quarantine/${id}/redrive`)).toMatchObject({ status: 404, body: { code: 'delivery_not_found' } });
    }
    expect((await api.json('anna', 'POST', `/quarantine/${mine.id}/redrive`)).status).toBe(403);
    expect(driven).toEqual([mine.id, nobodys.id]);
    expect(api.logged().filter((line) => line['message'] === 'access')).toMatchObject([
      { action: 'quarantine.redrive', user: 'user-adam', tenant: 't1', call_sid: 'EL_1' },
      { action: 'quarantine.redrive', user: 'user-olga', tenant: null, call_sid: 'EL_1' },
    ]);
  });
});

describe('listening to deliveries', () => {
  const listen = async (cursor: string, wait = 0): Promise<{ ids: string[]; cursor: string; bodies: unknown[] }> => {
    const { status, body } = await api.json('sam', 'GET', `/deliveries?after=${cursor}&wait=${wait}`);
    expect(status).toBe(200);
    return { ids: ids(body), cursor: String(body['cursor']), bodies: (body['deliveries'] as { body: unknown }[]).map((delivery) => delivery.body) };
  };
  const begin = async (): Promise<string> => String((await api.json('sam', 'GET', '/deliveries')).body['cursor']);

  it('begins now, brings each once, of the own tenant and used ones only, without secrets', async () => {
    await put('before', { reason: 'used', received_at: Date.now() - 1000 });
    const start = await begin();
    await put('a', { reason: 'used', body: JSON.stringify({ type: 't', data: { conversation_initiation_client_data: { dynamic_variables: { secret__key: 'canary', system__conversation_history: 'canary', name: 'x' } }, transcript: [{ tool_calls: [{ tool_details: { headers: 'canary' } }] }] } }) });
    await put('b', { reason: 'used', tenant: 't2' });
    await put('c');
    const first = await listen(start);
    expect([first.ids, first.bodies]).toEqual([['a'], [{ type: 't', data: { conversation_initiation_client_data: { dynamic_variables: { name: 'x' } }, transcript: [{ tool_calls: [{}] }] } }]]);
    expect((await listen(first.cursor)).ids).toEqual([]);
    await put('d', { reason: 'used', body: null });
    await put('e', { reason: 'used', body: 'no JSON' });
    const second = await listen(first.cursor);
    expect([second.ids.sort(), second.bodies]).toEqual([['d', 'e'], [null, null]]);
  });

  it('hears a delivery that was kept later than one that came after it', async () => {
    const start = await begin();
    const now = Date.now() + 5_000;
    await put('late', { reason: 'used', received_at: now });
    const first = await listen(start);
    await put('slow', { reason: 'used', received_at: now - 3_000 });
    const second = await listen(first.cursor);
    expect([first.ids, second.ids, (await listen(second.cursor)).ids]).toEqual([['late'], ['slow'], []]);
  });

  it('brings a thousand of one moment, each once', async () => {
    const start = await begin();
    const now = Date.now() + 1;
    for (let index = 0; index < 1000; index++) await put(`x${index}y`, { reason: 'used', received_at: now + index * 5 });
    const heard: string[] = [];
    let cursor = start;
    for (let asked = 0; asked < 30; asked++) {
      const answer = await listen(cursor);
      heard.push(...answer.ids);
      cursor = answer.cursor;
      expect(cursor.length).toBeLessThan(16 * 1024);
    }
    expect([heard.length, new Set(heard).size]).toEqual([1000, 1000]);
  });

  it('waits for the first, and answers at the end of the wait without any', async () => {
    const start = await begin();
    const waiting = listen(start, 10);
    await put('a', { reason: 'used' });
    expect((await waiting).ids).toEqual(['a']);
    const idle = listen((await waiting).cursor, 1);
    expect((await idle).ids).toEqual([]);
  });

  it.each(['x', Buffer.from('{}').toString('base64url'), Buffer.from('{"from":-1,"ids":[]}').toString('base64url'), Buffer.from('{"from":1,"ids":[1]}').toString('base64url')])('refuses the cursor %s', async (cursor) => {
    expect(await api.json('sam', 'GET', `/deliveries?after=${cursor}`)).toMatchObject({ status: 400, body: { code: 'invalid_cursor' } });
  });
  it.each(['wait=-1', 'wait=26', 'wait=x'])('refuses ?%s', async (query) => {
    expect((await api.json('sam', 'GET', `/deliveries?${query}`)).status).toBe(400);
  });
});
