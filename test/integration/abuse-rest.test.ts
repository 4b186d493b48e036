import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../core/domain/rights.ts';
import { startAbuseStage, startObserved, type AbuseStage } from '../fixtures/abuse.ts';
import { functionsUnderTest } from '../fixtures/functions-under-test.ts';
import { dataFolder, eventually } from '../fixtures/processes.ts';
import { rawExchange, requestHead, requestWith, type RawAnswer } from '../fixtures/raw-http.ts';
import { INGEST_KEY, SECRET, storeTenants, tokenOf, withDirectory, withLog } from '../fixtures/stored-data.ts';

const MEBIBYTE = 1024 * 1024;
const OTHERS = { dispatcher: ['tina', 't2', ['dispatcher']], admin: ['theo', 't2', ['admin']], service: ['tom', 't2', ['service']], operator: ['olga', null, ['operator']] } as const satisfies Record<Role, readonly [string, string | null, readonly Role[]]>;

let stage: AbuseStage;
let token = '';
const endings: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  stage = await startAbuseStage((end) => endings.push(end));
  token = await stage.token();
});
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

type Headers = readonly (readonly [string, string])[];
const bearer = (value: string): Headers => [['authorization', `Bearer ${value}`]];
const ask = (method: string, path: string, { as = token, body, headers = [] }: { as?: string | null; body?: unknown; headers?: Headers } = {}): Promise<RawAnswer> => {
  const all: Headers = [...(as === null ? [] : bearer(as)), ...headers];
  const line = `${method} ${path} HTTP/1.1`;
  if (body === undefined) return rawExchange(stage.port, requestHead(line, all));
  return rawExchange(stage.port, requestWith(line, [['content-type', 'application/json'], ...all], typeof body === 'string' ? body : JSON.stringify(body)));
};
const bodyOf = (answer: RawAnswer): Record<string, unknown> => JSON.parse(answer.body) as Record<string, unknown>;
const verdict = ({ status, code }: RawAnswer): string => (code === null ? String(status) : `${status} ${code}`);
const callsOf = (tenant: string): Promise<number> => withLog(stage.dataDir, async (log) => (await log.list({ tenant, limit: 200 })).calls.length);
const deliver = (body: string): Promise<RawAnswer> => {
  const t = Math.floor(Date.now() / 1000);
  const signature = `t=${t},v0=${createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex')}`;
  return rawExchange(stage.port, requestWith('POST /webhooks/elevenlabs/post-call HTTP/1.1', [['elevenlabs-signature', signature]], body));
};

describe("another tenant's things", () => {
  const SID = 'EL_conv_theirs';
  let quarantined = '';
  let paths: string[] = [];
  beforeAll(async () => {
    const transcript = [{ role: 'agent', message: 'CANARY words', time_in_call_secs: 0 }];
    const answer = await deliver(JSON.stringify({ type: 'post_call_transcription', data: { conversation_id: 'conv_theirs', agent_id: 'agent1', status: 'done', transcript, analysis: { transcript_summary: 'CANARY summary' } } }));
    expect(answer.status).toBe(200);
    // Kept in the quarantine of t1: its ingest key sent it.
    const kept = await rawExchange(stage.port, requestWith('POST /webhooks/elevenlabs/transcription HTTP/1.1', bearer(INGEST_KEY), JSON.stringify({ conversation_id: 'conv_theirs', speaker: 'CANARY' })));
    expect(kept.status).toBe(200);
    const { deliveries } = bodyOf(await ask('GET', '/quarantine', { as: await stage.token('adam', 't1', ['admin']) })) as { deliveries: { id: string }[] };
    quarantined = deliveries[0]?.id ?? '';
    const document = bodyOf(await ask('GET', '/openapi.json', { as: null })) as { paths: Record<string, object> };
    paths = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)).sort();
  });

  type Row = Readonly<Record<Role, string>> & { readonly body?: unknown; readonly nobody?: string };
  const no = '403 forbidden';
  const absent = (code: string, more: Partial<Row> = {}): Row => ({ dispatcher: `404 ${code}`, admin: `404 ${code}`, service: `404 ${code}`, operator: no, ...more });
  const own = (more: Partial<Row> = {}): Row => ({ dispatcher: '200', admin: '200', service: '200', operator: no, ...more });
  const unsigned = (code: string, nobody: string): Row => ({ dispatcher: code, admin: code, service: code, operator: code, body: { type: 'post_call_transcription', conversation_id: 'conv_theirs', speaker: 'agent', text: 'forged', data: { conversation_id: 'conv_theirs', agent_id: 'agent1' } }, nobody });
  const driver = { driverName: 'Mine', phoneNumber: null };
  /** Every route that leads to something of a tenant, and what each role of another one is answered. */
  const OF_TENANTS: Readonly<Record<string, Row>> = {
    'GET /calls': own(),
    'POST /calls': absent('driver_not_found', { body: { driver_id: 'driver_1' } }),
    'GET /calls/{id}': absent('call_not_found'),
    'DELETE /calls/{id}': absent('call_not_found', { dispatcher: no, service: no }),
    'GET /calls/{id}/events': absent('call_not_found'),
    'GET /calls/{id}/events/{seq}/text': absent('call_not_found'),
    'GET /calls/{id}/audio': absent('call_not_found', { service: no }),
    'POST /calls/{id}/end': absent('call_not_found'),
    'GET /calls.csv': own({ service: no }),
    'GET /conversations/{id}/fetch': absent('conversation_not_found'),
    'POST /driver_data/call-elevenlabs': own({ body: { driver_ids: ['driver_1', 'driver_2'] } }),
    'GET /drivers': own(),
    'PUT /drivers': own({ dispatcher: no, body: { driverId: 'driver_3', ...driver } }),
    'GET /drivers/{id}': absent('driver_not_found'),
    'PUT /drivers/{id}': own({ dispatcher: no, body: driver }),
    'GET /hops/{id}': absent('call_not_found', { dispatcher: no, operator: '200' }),
    'GET /stats': own(),
    'GET /stats/hours': own(),
    'GET /quarantine': own({ dispatcher: no, service: no, operator: '200' }),
    'POST /quarantine/{id}/redrive': absent('delivery_not_found', { dispatcher: no, service: no, operator: '404 delivery_not_found' }),
    'GET /deliveries': own({ dispatcher: no }),
    'POST /poll': own({ operator: no, body: { calls: [{ id: SID }, { id: 'conv_theirs', epoch: '1.x', seq: 1 }], board: true } }),
    'POST /webhooks/elevenlabs/post-call': unsigned('401 signature_invalid', '401 signature_invalid'),
    'POST /webhooks/elevenlabs/transcription': unsigned('401 ingest_key_invalid', '401 token_missing'),
    'POST /webhooks/agent-events': unsigned('401 ingest_key_invalid', '401 token_missing'),
  };
  /** Routes that hold nothing of any tenant. */
  const OF_NOBODY = ['GET /.well-known/jwks.json', 'GET /discovery', 'GET /health', 'GET /mcp/config', 'GET /mcp/servers', 'GET /ready', 'POST /auth/login', 'POST /auth/logout', 'POST /auth/refresh', 'POST /auth/ticket'];

  const target = (route: string, id: string): string => route.replace('{seq}', '1').replace('{id}', encodeURIComponent(id));
  const theirs = (route: string): string => (route.includes('/quarantine/') ? quarantined : route === 'GET /drivers/{id}' ? 'driver_1' : route.includes('/drivers/') ? 'driver_2' : route.includes('/conversations/') ? 'conv_theirs' : SID);
  const askRoute = (route: string, id: string, row: Row, as: string | null): Promise<RawAnswer> => {
    const [method = '', path = ''] = target(route, id).split(' ');
    return ask(method, path, { as, ...(row.body === undefined ? {} : { body: row.body }) });
  };

  it('stand behind routes that are all in the table', () => {
    expect(paths).toEqual([...Object.keys(OF_TENANTS), ...OF_NOBODY].sort());
  });

  it.each(Object.keys(OTHERS) as Role[])('are not there, by any route, for the role %s', async (role) => {
    const [username, tenant, roles] = OTHERS[role];
    const as = await stage.token(username, tenant, roles);
    const before = await withLog(stage.dataDir, (log) => log.get(SID));
    const dials = stage.provider.dials.length;
    await stage.beside(async () => {
      for (const [route, row] of Object.entries(OF_TENANTS)) {
        const answer = await askRoute(route, theirs(route), row, as);
        expect(`${route}: ${verdict(answer)}`).toBe(`${route}: ${row[role]}`);
        expect(`${route}: ${answer.body}`).not.toMatch(/CANARY|conv_theirs","conv|words|summary":"C/);
        if (route.includes('{id}') && row[role] !== '200') {
          const nowhere = await askRoute(route, 'nowhere', row, as);
          expect(`${route}: ${nowhere.body}`).toBe(`${route}: ${answer.body}`);
        }
      }
    });
    expect(await withLog(stage.dataDir, (log) => log.get(SID))).toEqual(before);
    // What an admin or a service of theirs kept under the same ids is their own tenant's.
    for (const id of ['driver_1', 'driver_2', 'driver_3']) expect(await withDirectory(stage.dataDir, (directory) => directory.driver('t1', id))).toMatchObject({ driverName: `CANARY ${id}` });
    expect(stage.provider.dials.length).toBe(dials);
    expect(await callsOf('t2')).toBe(0);
  });

  it('are not there, by any route, for nobody at all', async () => {
    await stage.abuse(async () => {
      for (const [route, row] of Object.entries(OF_TENANTS)) {
        const answer = await askRoute(route, theirs(route), row, null);
        expect(`${route}: ${verdict(answer)}`).toBe(`${route}: ${row.nobody ?? '401 token_missing'}`);
      }
    }, { times: 10, atOnce: 4 });
  });

  it('are in no list, also with the cursor of theirs', async () => {
    const { next_cursor } = bodyOf(await ask('GET', '/calls?limit=1')) as { next_cursor: string };
    expect(next_cursor).toMatch(/^\d+\./);
    const as = await stage.token(...OTHERS.admin);
    await stage.abuse(async () => {
      const answer = await ask('GET', `/calls?cursor=${encodeURIComponent(next_cursor)}`, { as });
      expect([answer.status, bodyOf(answer)]).toEqual([200, { calls: [], next_cursor: null }]);
    });
  });
});

describe('a question that makes no sense', () => {
  const LONG = 'x'.repeat(2_000);
  it.each<[string, string]>([
    ['/calls?cursor=x', '400 invalid_cursor'],
    ['/calls?cursor=', '400 invalid_cursor'],
    ['/calls?cursor=-1.EL_x', '400 invalid_cursor'],
    ['/calls?cursor=1e9.EL_x', '400 invalid_cursor'],
    ['/calls?cursor=9999999999999999.EL_x', '400 invalid_cursor'],
    ["/calls?cursor=1'%20OR%201=1--", '400 invalid_cursor'],
    [`/calls?cursor=1.${LONG}`, '400 invalid_request'],
    ['/calls?limit=0', '400 invalid_request'],
    ['/calls?limit=201', '400 invalid_request'],
    ['/calls?limit=1000000000', '400 invalid_request'],
    ['/calls?limit=-1', '400 invalid_request'],
    ['/calls?limit=1.5', '400 invalid_request'],
    ['/calls?limit=1e2', '400 invalid_request'],
    ['/calls?limit=0x10', '400 invalid_request'],
    ['/calls?limit=%EF%BC%99', '400 invalid_request'],
    ['/calls?limit=', '400 invalid_request'],
    ['/calls?limit=NaN', '400 invalid_request'],
    ['/calls?limit=99999999999999999999', '400 invalid_request'],
    ['/calls?limit=1&limit=2', '400 invalid_request'],
    ['/calls?limit=5&limit=5', '400 invalid_request'],
    ['/calls?status=completed&status=failed', '400 invalid_request'],
    ['/calls?limit[]=5', '400 invalid_request'],
    ['/calls?status=gone', '400 invalid_request'],
    ['/calls?since=yesterday', '400 invalid_request'],
    ['/calls?since=0', '400 invalid_request'],
    ['/calls?__proto__=1', '400 invalid_request'],
    ['/calls?unknown=1', '400 invalid_request'],
    [`/calls?q=${LONG}`, '400 invalid_request'],
    ['/calls?driver_id=%00', '400 invalid_request'],
    ['/calls?driver_id=a%0d%0ab', '400 invalid_request'],
    ['/calls.csv?limit=5', '400 invalid_request'],
    ['/calls/EL_none/events?since=-1', '400 invalid_request'],
    ['/calls/EL_none/events?since=1.5', '400 invalid_request'],
    ['/calls/EL_none/events?since=9007199254740992', '400 invalid_request'],
    ['/calls/EL_none/events?limit=1001', '400 invalid_request'],
    ['/calls/EL_none/events?since=1&since=2', '400 invalid_request'],
    ['/calls/EL_none/events/0/text', '400 invalid_request'],
    ['/calls/EL_none/events/-1/text', '400 invalid_request'],
    ['/calls/EL_none/events/1e3/text', '400 invalid_request'],
    ['/calls/%00', '400 invalid_request'],
    ['/calls/a%0d%0ax:%20y', '400 invalid_request'],
    ['/calls/..%2f..%2fetc%2fpasswd', '404 call_not_found'],
    ["/calls/'%20OR%20'1'='1", '404 call_not_found'],
    ['/calls/%ff%fe', '404 call_not_found'],
    ['/calls/%', '404 call_not_found'],
    [`/calls/${'x'.repeat(321)}`, '400 invalid_request'],
    ['/drivers?cursor=%00', '400 invalid_request'],
    ['/drivers?limit=201', '400 invalid_request'],
    ['/drivers?cursor=a&cursor=b', '400 invalid_request'],
    ['/stats?hours=745', '400 invalid_request'],
    ['/stats?hours=0', '400 invalid_request'],
    ['/stats/hours?hours=169', '400 invalid_request'],
    ['/stats/hours?hours=0', '400 invalid_request'],
    ['/stats?hours=1&hours=2', '400 invalid_request'],
  ])('is refused: GET %s', async (path, expected) => {
    await stage.abuse(async () => expect(verdict(await ask('GET', path))).toBe(expected), { times: 15 });
  });

  it.each<[string, string]>([
    ['/quarantine?cursor=', '400 invalid_request'],
    ['/quarantine?limit=1000', '400 invalid_request'],
    ['/deliveries?after=x', '400 invalid_cursor'],
    ['/deliveries?after=e30', '400 invalid_cursor'],
    ['/deliveries?after=bnVsbA', '400 invalid_cursor'],
    [`/deliveries?after=${Buffer.from('{"from":-1,"ids":[]}').toString('base64url')}`, '400 invalid_cursor'],
    [`/deliveries?after=${Buffer.from('{"from":1e400,"ids":[]}').toString('base64url')}`, '400 invalid_cursor'],
    [`/deliveries?after=${Buffer.from(`{"from":0,"ids":[${'"a",'.repeat(500)}"a"]}`).toString('base64url')}`, '400 invalid_cursor'],
    [`/deliveries?after=${Buffer.from('['.repeat(8_000)).toString('base64url')}`, '400 invalid_cursor'],
    ['/deliveries?wait=26', '400 invalid_request'],
    ['/deliveries?wait=-1', '400 invalid_request'],
    ['/deliveries?after=a&after=b', '400 invalid_request'],
  ])('is refused to an admin: GET %s', async (path, expected) => {
    const as = await stage.token('adam', 't1', ['admin']);
    await stage.abuse(async () => expect(verdict(await ask('GET', path, { as }))).toBe(expected), { times: 15 });
  });

  it('is one that comes with two tokens', async () => {
    const other = await stage.token(...OTHERS.admin);
    await stage.abuse(async () => expect(verdict(await ask('GET', '/calls?limit=200', { headers: bearer(other) }))).toBe('401 token_invalid'), { times: 15 });
  });

  const DEEP = 100_000;
  it.each<[string, string, string, string]>([
    ['POST', '/calls', '{', '400 invalid_json'],
    ['POST', '/calls', '', '400 invalid_json'],
    ['POST', '/calls', 'null', '400 invalid_request'],
    ['POST', '/calls', '[]', '400 invalid_request'],
    ['POST', '/calls', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`, '400 invalid_request'],
    ['POST', '/calls', `{"to":"+15550100","variables":${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}}`, '400 invalid_request'],
    ['POST', '/calls', '{"to":1e400}', '400 invalid_request'],
    ['POST', '/calls', '{"to":"+15550100","variables":{"a":1e400}}', '400 invalid_request'],
    ['POST', '/calls', '{"to":"+15550100","__proto__":{"driver_id":"driver_1"}}', '400 invalid_request'],
    ['POST', '/calls', '{"to":"+15550100","surprise":1}', '400 invalid_request'],
    ['POST', '/calls', '{"driver_id":"driver_1\\u0000"}', '400 invalid_request'],
    ['POST', '/calls', '{"driver_id":"\\ud800"}', '400 invalid_request'],
    ['POST', '/calls', `{"to":"${'1'.repeat(200_000)}"}`, '400 invalid_request'],
    ['POST', '/calls', `{"to":"${'1'.repeat(300_000)}"}`, '413 payload_too_large'],
    ['POST', '/auth/login', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`, '400 invalid_request'],
    ['POST', '/auth/login', '{"username":"anna","username":"","password":"x"}', '400 invalid_request'],
    ['POST', '/poll', '{', '400 invalid_json'],
    ['POST', '/poll', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`, '400 invalid_request'],
    ['POST', '/poll', '{"calls":[{"id":"a","seq":1e400}]}', '400 invalid_request'],
    ['POST', '/poll', '{"wait":26}', '400 invalid_request'],
    ['POST', '/poll', `{"calls":[${'{"id":"a"},'.repeat(100)}{"id":"a"}]}`, '400 invalid_request'],
    ['POST', '/poll', `{"calls":[${' '.repeat(300_000)}]}`, '413 payload_too_large'],
  ])('is refused: %s %s with %.60s', async (method, path, body, expected) => {
    const before = await callsOf('t1');
    await stage.abuse(async () => expect(verdict(await ask(method, path, { body }))).toBe(expected), { times: body.length > 10_000 ? 10 : 15, atOnce: 4 });
    expect(await callsOf('t1')).toBe(before);
    expect(stage.provider.dials).toEqual([]);
  });

  it('is refused where the body is no JSON by its own word', async () => {
    await stage.abuse(async () => {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
        const answer = await rawExchange(stage.port, requestWith('POST /calls HTTP/1.1', [['content-type', type], ...bearer(token)], '{"to":"+15550100"}'));
        expect([answer.status >= 400 && answer.status < 500, answer.code]).toEqual([true, 'media_type_not_supported']);
      }
    }, { times: 12 });
    expect(stage.provider.dials).toEqual([]);
  });
});

describe('a number that may not be dialled', () => {
  it.each<[string, string]>([
    ['+449098790000', '422 prefix_not_allowed'],
    ['+491900123456', '422 prefix_not_allowed'],
    ['+3548900000', '422 prefix_not_allowed'],
    ['+8821600000000', '422 prefix_not_allowed'],
    ['+9791234567', '422 prefix_not_allowed'],
    ['15550100', '400 invalid_phone_number'],
    ['0900123456', '400 invalid_phone_number'],
    ['911', '400 invalid_phone_number'],
    ['+911', '400 invalid_phone_number'],
    ['+1555010012345678', '400 invalid_phone_number'],
    ['+15550100123\r\nX-Evil: 1', '400 invalid_phone_number'],
    ['+15550100123\n', '400 invalid_phone_number'],
    ['+15550100123%0d%0a', '400 invalid_phone_number'],
    ['+15550100123\u0000', '400 invalid_phone_number'],
    ['sip:+15550100123@evil.example', '400 invalid_phone_number'],
    ['sips:x@evil.example', '400 invalid_phone_number'],
    ['tel:+15550100123', '400 invalid_phone_number'],
    ['+15550100123;ext=1', '400 invalid_phone_number'],
    ['+15550100123,,900', '400 invalid_phone_number'],
    ['+1555010w123', '400 invalid_phone_number'],
    ['+\u0661\u0665\u0665\u0665\u0660\u0661\u0660\u0660', '400 invalid_phone_number'],
    ['', '400 invalid_phone_number'],
  ])('is refused before anything is kept: %j', async (to, expected) => {
    const before = await callsOf('t1');
    await stage.abuse(async () => expect(verdict(await ask('POST', '/calls', { body: { to } }))).toBe(expected), { times: 12 });
    expect([await callsOf('t1'), stage.provider.dials]).toEqual([before, []]);
  });

  it('does not get into the directory either', async () => {
    const as = await stage.token('adam', 't1', ['admin']);
    await stage.abuse(async () => {
      for (const phoneNumber of ['sip:x@evil.example', '+1555\r\nX: y', '911']) {
        expect(verdict(await ask('PUT', '/drivers/driver_bad', { as, body: { driverName: 'Bad', phoneNumber } }))).toBe('400 invalid_phone_number');
      }
    }, { times: 12 });
    expect(verdict(await ask('GET', '/drivers/driver_bad'))).toBe('404 driver_not_found');
  });
});

describe('more than there is room for', () => {
  it('is refused: more drivers than a request may name', async () => {
    await stage.abuse(async () => {
      expect(verdict(await ask('POST', '/driver_data/call-elevenlabs', { body: { driver_ids: Array.from({ length: 26 }, (_, place) => `d${place}`) } }))).toBe('400 invalid_request');
    }, { times: 12 });
  });

  it('rings nobody: a workspace has as many calls at once as its plan lets run, however many ask at once', async () => {
    const earshot = await functionsUnderTest({ provider: (method) => (method === 'POST' ? { status: 200, body: { success: true, conversation_id: null, callSid: `CA${Math.random()}` } } : { status: 404, body: {} }) });
    const workspace = await earshot.parts.directory.workspace('w1');
    if (workspace !== null) await earshot.parts.directory.putWorkspace({ ...workspace, concurrency: 3 });
    const as = await earshot.token(['dispatcher']);
    for (let number = 1; number <= 3; number++) expect((await earshot.rest('/calls', { body: { to: `+1555010000${number}` }, token: as })).status).toBe(201);
    const more = await Promise.all(Array.from({ length: 20 }, (_, place) => earshot.rest('/calls', { body: { to: `+155501001${10 + place}` }, token: as })));
    expect(more.map(({ status, body }) => [status, body['code']])).toEqual(Array.from({ length: 20 }, () => [429, 'provider_busy']));
    expect((await earshot.parts.callLog.list({ tenant: 't1', limit: 50 })).calls).toHaveLength(3);
  });
});

describe('an Idempotency-Key', () => {
  const dial = (key: string, to = '+15550100777', as = token): Promise<RawAnswer> => ask('POST', '/calls', { as, body: { to }, headers: [['idempotency-key', key]] });

  it('is one call, one dial, repeated and fifty times at once', async () => {
    stage.provider.answer = () => ({ status: 200, body: { success: true, conversation_id: `conv_key_${stage.provider.dials.length}` } });
    await stage.beside(async () => {
      const answers = await Promise.all(Array.from({ length: 50 }, () => dial('k-parallel')));
      expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201]));
      expect(new Set(answers.map((answer) => bodyOf(answer)['call_sid'])).size).toBe(1);
    });
    const dials = stage.provider.dials.length;
    await stage.abuse(async () => expect((await dial('k-parallel')).status).toBe(200));
    expect(stage.provider.dials).toHaveLength(dials);
    expect(dials).toBe(1);
    expect(verdict(await dial('k-parallel', '+15550100778'))).toBe('422 idempotency_key_reused');
    expect((await dial('k-parallel', '+15550100777', await stage.token('adam', 't1', ['admin']))).status).toBe(201);
  });

  it.each([['blank', ' '], ['longer than 255 characters', 'k'.repeat(256)], ['not printable', 'k\u0001'], ['not ASCII', 'k\u00e9']])('that is %s is refused', async (_name, key) => {
    const dials = stage.provider.dials.length;
    await stage.abuse(async () => expect([verdict(await dial(key))]).toEqual([key === 'k\u0001' ? '400' : '400 invalid_request']), { times: 12 });
    expect(stage.provider.dials).toHaveLength(dials);
  });

  it('is the same call after a crash between the dial and its answer, and no phone rings again', async () => {
    const dataDir = await dataFolder();
    await storeTenants(dataDir);
    await withDirectory(dataDir, async (directory) => {
      const workspace = await directory.workspace('w1');
      const known = await withDirectory(stage.dataDir, (other) => other.workspace('w1'));
      if (workspace !== null && known !== null) await directory.putWorkspace({ ...workspace, api_key: known.api_key, base_url: known.base_url, phone_number_id: known.phone_number_id });
    });
    const killed: (() => Promise<unknown>)[] = [];
    const start = (): ReturnType<typeof startObserved> => startObserved({ DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'error', ELEVENLABS_API_KEY: 'key_of_tests', ELEVENLABS_BASE_URL: 'http://127.0.0.1:9' }, (end) => killed.push(end));
    try {
      let product = await start();
      const anna = await tokenOf(dataDir, 'anna', 't1', ['dispatcher']);
      const post = async (): Promise<Response> => fetch(`${product.ready}/calls`, { method: 'POST', headers: { authorization: `Bearer ${anna}`, 'content-type': 'application/json', 'idempotency-key': 'k-crash' }, body: '{"to":"+15550100779"}', signal: AbortSignal.timeout(30_000) });
      const dials = stage.provider.dials.length;
      stage.provider.answer = () => new Promise(() => undefined);
      const lost = post().then(() => 'answered', () => 'lost');
      await eventually('the phone to ring', () => stage.provider.dials.length === dials + 1);
      await product.end('SIGKILL');
      expect(await lost).toBe('lost');
      stage.provider.answer = () => ({ status: 200, body: { success: true, conversation_id: 'conv_second' } });
      product = await start();
      const answers = await Promise.all([post(), post(), post()]);
      const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as Record<string, unknown>[];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(new Set(bodies.map((body) => body['call_sid'])).size).toBe(1);
      expect(bodies[0]).toMatchObject({ conversation_id: null, to_number: '+15550100779' });
      expect(['dialing', 'unknown']).toContain(bodies[0]?.['status']);
      expect(stage.provider.dials).toHaveLength(dials + 1);
    } finally {
      for (const end of killed) await end();
    }
  });
});

describe('a provider that answers a dial', () => {
  const big = `{"success":true,"conversation_id":"conv_big","more":"${'CANARY'.repeat(400_000)}"}`;
  it.each<[string, Awaited<ReturnType<AbuseStage['provider']['answer']>>, string]>([
    ['by taking it and cutting the connection', 'cut', 'unknown'],
    ['429', { status: 429, body: { detail: { status: 'concurrent_limit_exceeded', message: 'CANARY' } } }, 'failed'],
    ['429 as HTML', { status: 429, body: '<html>CANARY</html>', headers: { 'content-type': 'text/html' } }, 'failed'],
    ['200 as HTML', { status: 200, body: '<html>CANARY</html>', headers: { 'content-type': 'text/html' } }, 'unknown'],
    ['200 with success: false', { status: 200, body: { success: false, message: 'CANARY', conversation_id: 'conv_refused' } }, 'failed'],
    ['200 with success as a word', { status: 200, body: { success: 'true', conversation_id: 'conv_word' } }, 'unknown'],
    ['200 without a conversation id', { status: 200, body: { success: true, message: 'CANARY', conversation_id: null, callSid: null } }, 'dialing'],
    ['200 with a conversation id that is none', { status: 200, body: { success: true, conversation_id: { CANARY: 1 } } }, 'dialing'],
    ['200 with half a body', { status: 200, body: '{"success":true,"conversation_id":"conv_ha' }, 'unknown'],
    ['200 with more than anybody reads', { status: 200, body: big }, 'unknown'],
    ['200 with nothing', { status: 200, body: '' }, 'unknown'],
    ['204', { status: 204, body: '' }, 'unknown'],
    ['302 to somewhere else', { status: 302, body: '', headers: { location: 'http://169.254.169.254/latest/meta-data' } }, 'unknown'],
    ['401', { status: 401, body: { detail: { status: 'invalid_api_key', message: 'CANARY' } } }, 'failed'],
    ['422', { status: 422, body: { detail: [{ msg: 'CANARY' }] } }, 'failed'],
    ['500', { status: 500, body: { detail: 'CANARY' } }, 'unknown'],
    ['503 as HTML', { status: 503, body: '<html>CANARY</html>' }, 'unknown'],
  ])('with %s is asked once for each, and repeated by nobody', async (_name, reply, status) => {
    stage.provider.answer = () => reply;
    const before = stage.provider.dials.length;
    const times = typeof reply === 'object' && reply.body === big ? 4 : 12;
    await stage.abuse(
      async (index) => {
        const answer = await ask('POST', '/calls', { body: { to: `+1555011${String(1000 + index)}` } });
        expect([answer.status, bodyOf(answer)['status'], bodyOf(answer)['conversation_id']]).toEqual([201, status, null]);
        expect(answer.body).not.toContain('CANARY');
        const asked = stage.provider.dials.map((dial) => (dial['conversation_initiation_client_data'] as { dynamic_variables: { earshot_call_sid: string } }).dynamic_variables.earshot_call_sid);
        expect(asked.filter((sid) => sid === bodyOf(answer)['call_sid'])).toHaveLength(1);
      },
      { times, atOnce: 4 },
    );
    expect((stage.provider.dials.length - before) % times).toBe(0);
  });

  it('never, though it took it, leaves the call unknown and is not asked again', async () => {
    let posts = 0;
    const earshot = await functionsUnderTest({
      provider: (method) => {
        if (method !== 'POST') return { status: 404, body: {} };
        posts++;
        return new Promise(() => undefined);
      },
    });
    const answer = await earshot.rest('/calls', { body: { to: '+15550100123' }, token: await earshot.token(['dispatcher']) });
    expect(answer).toMatchObject({ status: 201, body: { status: 'unknown', conversation_id: null } });
    expect(posts).toBe(1);
  });
});

it('the process never held much, and logged no fault of its own and nothing of what was said, whatever came', async () => {
  expect(await stage.peakBytes()).toBeLessThan(400 * MEBIBYTE);
  expect(stage.child.output().split('\n').filter((line) => line.includes('"severity"'))).toEqual([]);
  expect(stage.child.output()).not.toMatch(/CANARY|\+1555|eyJ/);
});
