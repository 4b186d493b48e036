import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { functionsUnderTest, OLD_SECRET, SECRET } from '../fixtures/functions-under-test.ts';

const payload = (file: string): Record<string, unknown> & { data: Record<string, unknown> } => JSON.parse(readFileSync(new URL(`../payloads/${file}`, import.meta.url), 'utf8')) as never;
const REAL = payload('05-post_call_transcription.real-twilio-inbound-2025-11.json');
const DOCS = payload('01-post_call_transcription.docs-example.json');
const postCall = (data: Record<string, unknown>, type = 'post_call_transcription'): unknown => ({ type, event_timestamp: 1_760_000_000, data });
const done = (conversation: string, more: Record<string, unknown> = {}): unknown =>
  postCall({ conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }], metadata: { call_duration_secs: 5 }, analysis: { transcript_summary: 'Short.' }, ...more });

describe('a post-call webhook', () => {
  it('is stored before it is answered 200: a read straight after shows it', async () => {
    const { webhook, rest, token } = await functionsUnderTest();
    expect(await webhook({ ...REAL, data: { ...REAL.data, agent_id: 'agent1' } })).toMatchObject({ status: 200, body: { result: 'stored' } });
    const id = REAL.data['conversation_id'] as string;
    expect(await rest(`/calls/${id}`, { token: await token() })).toMatchObject({
      status: 200,
      body: { conversation_id: id, status: 'completed', call_duration_seconds: 17, cost: null, cost_credits: 120, call_successful: true, sealed: true },
    });
  });

  it('is understood in the shape of the documentation as well, and in the shape that is really sent', async () => {
    const { webhook, types } = await functionsUnderTest();
    for (const body of [DOCS, REAL]) {
      expect(await webhook({ ...body, data: { ...body.data, agent_id: 'agent1' } })).toMatchObject({ status: 200, body: { result: 'stored' } });
      const events = await types(body.data['conversation_id'] as string);
      expect(events.slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
      expect(events.filter((type) => type === 'transcription').length).toBeGreaterThan(0);
    }
  });

  it('takes effect once however often it comes, also fifty times at once', async () => {
    const { webhook, types } = await functionsUnderTest();
    const answers = await Promise.all(Array.from({ length: 50 }, () => webhook(done('c1'))));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(answers.filter((answer) => answer.body['result'] === 'stored')).toHaveLength(1);
    expect(await types('c1')).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
  });

  it.each([
    ['03-call_initiation_failure.twilio.docs-example.json', 'busy'],
    ['04-call_initiation_failure.sip.docs-example.json', null],
  ])('that tells of a failed dial ends the call as failed with its reason (%s)', async (file, reason) => {
    const body = payload(file);
    const { webhook, rest, token } = await functionsUnderTest();
    expect((await webhook({ ...body, data: { ...body.data, agent_id: 'agent1' } })).body).toMatchObject({ result: 'stored' });
    expect((await rest(`/calls/${String(body.data['conversation_id'])}`, { token: await token() })).body).toMatchObject({ status: 'failed', reason: reason ?? body.data['failure_reason'], outcome: 'failure' });
  });

  it('with audio keeps its ids only', async () => {
    const { webhook, parts } = await functionsUnderTest();
    await webhook(done('c1'));
    expect(await webhook(postCall({ conversation_id: 'c1', agent_id: 'agent1', full_audio: 'CANARYAUDIO' }, 'post_call_audio'))).toMatchObject({ status: 200 });
    const kept = await parts.rawStore.since('t1', { received_at: 0, id: '' }, 10);
    expect(kept.map((delivery) => [delivery.type, delivery.body === null])).toEqual(expect.arrayContaining([['post_call_audio', true], ['post_call_transcription', false]]));
    expect(await parts.callLog.find('c1')).toMatchObject({ audio_noted: true });
  });

  it.each(['unredacted_audio', 'unredacted_recording'])('that holds a recording under a name that nobody knows is kept without it: %s', async (type) => {
    const { webhook, parts } = await functionsUnderTest();
    const data = { conversation_id: 'c1', agent_id: 'agent1', ...(type === 'unredacted_audio' ? { sound: 'CANARY' } : { full_audio: 'CANARY' }) };
    expect((await webhook({ type, event_timestamp: 1_760_000_000, data })).body).toMatchObject({ result: 'quarantined' });
    const [kept] = await parts.rawStore.quarantine(null, null, 10);
    expect(await parts.rawStore.get(kept?.id ?? '')).toMatchObject({ type, reason: 'unknown_type', conversation_id: 'c1', body: null });
  });

  it('that says it was made in the future does not keep later ones from amending the call', async () => {
    const { webhook, parts } = await functionsUnderTest();
    const summary = (transcript_summary: string, event_timestamp: number): unknown => ({ type: 'post_call_transcription', event_timestamp, data: { conversation_id: 'c1', agent_id: 'agent1', status: 'done', transcript: [], analysis: { transcript_summary } } });
    await webhook(summary('first', 4_000_000_000));
    await webhook(summary('second', Math.floor(Date.now() / 1000) + 1));
    expect(await parts.callLog.find('c1')).toMatchObject({ transcript_summary: 'second' });
  });

  it('in the format without analysis is completed by reading the conversation', async () => {
    const otel = payload('09-post_call_transcription_otel.docs-example.json');
    const id = otel.data['conversation_id'] as string;
    const conversation = { conversation_id: id, agent_id: 'agent1', status: 'done', transcript: [], metadata: {}, analysis: { transcript_summary: 'Fetched.' } };
    const { webhook, rest, token } = await functionsUnderTest({ provider: (_method, path) => ({ status: path.endsWith(`/conversations/${id}`) ? 200 : 404, body: conversation }) });
    expect(await webhook(otel)).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect((await rest(`/calls/${id}`, { token: await token() })).body).toMatchObject({ transcript_summary: 'Fetched.', status: 'completed' });
  });

  it('never lets tool details, secrets or the hidden history out of the raw store', async () => {
    const { webhook, parts, rest, token, published } = await functionsUnderTest();
    const row = { role: 'agent', message: null, time_in_call_secs: 1, tool_calls: [{ request_id: 'r1', tool_name: 'look_up', tool_details: { headers: { auth: 'CANARY1' } } }] };
    await webhook(done('c1', { transcript: [row], metadata: { tool_details: 'CANARY2', nested: [{ secret__key: 'CANARY3' }], kept: 1 }, conversation_initiation_client_data: { dynamic_variables: { system__conversation_history: 'CANARY4', secret__x: 'CANARY5' } } }));
    const bearer = await token();
    const shown = JSON.stringify([await rest('/calls/c1', { token: bearer }), await rest('/calls/c1/events', { token: bearer }), published, await parts.callLog.find('c1')]);
    expect(shown).not.toContain('CANARY');
    expect(shown).toContain('look_up');
    expect((await parts.callLog.details('EL_c1'))?.metadata_json).toBe('{"kept":1,"nested":[{}]}');
  });
});

describe('a delivery that is not to be believed', () => {
  const good = JSON.stringify(done('c1'));
  const now = (): number => Math.floor(Date.now() / 1000);
  it.each([
    ['no signature', null],
    ['the wrong secret', signatureHeader('wsec_wrong', now(), good)],
    ['a signature of two hours ago', signatureHeader(SECRET, now() - 7200, good)],
    ['a signature of tomorrow', signatureHeader(SECRET, now() + 86_400, good)],
    ['a time that is no number', `t=soon,v0=${'a'.repeat(64)}`],
    ['upper-case hex', signatureHeader(SECRET, now(), good).toUpperCase()],
    ['a signature cut short', signatureHeader(SECRET, now(), good).slice(0, -1)],
    ['a signature over other bytes', signatureHeader(SECRET, now(), `${good} `)],
    ['rubbish', 'v0'],
  ])('is answered 401 and changes nothing: %s', async (_name, signature) => {
    const { webhook, parts, published } = await functionsUnderTest();
    expect(await webhook(good, { signature })).toMatchObject({ status: 401, body: { code: 'signature_invalid' } });
    expect(await parts.callLog.find('c1')).toBeNull();
    expect(await parts.rawStore.quarantineSize()).toBe(0);
    expect(published).toEqual([]);
  });

  it('is told from one that was signed with the older of two secrets, or by the second of two signatures', async () => {
    const { webhook } = await functionsUnderTest();
    expect((await webhook(done('c1'), { secret: OLD_SECRET })).status).toBe(200);
    const [, value] = signatureHeader(SECRET, now(), good).split(',');
    expect((await webhook(good, { signature: `t=${now()},v0=${'0'.repeat(64)},${value ?? ''}` })).status).toBe(200);
  });

  it('is told from one that nobody can judge: without any secret it is our fault, and worth another try', async () => {
    const { webhook, parts } = await functionsUnderTest();
    for (const workspace of await parts.directory.workspaces()) await parts.directory.putWorkspace({ ...workspace, webhook_secrets: [] });
    expect(await webhook(good)).toMatchObject({ status: 503, body: { code: 'secret_unavailable' } });
    expect(await webhook(good, { signature: 'v0' })).toMatchObject({ status: 401 });
  });

  it('with a true signature from another workspace touches nothing of this one', async () => {
    const { webhook, parts } = await functionsUnderTest();
    await webhook(done('c1'));
    const before = await parts.callLog.get('EL_c1');
    expect(await webhook(done('c1', { analysis: { transcript_summary: 'forged' } }), { secret: 'wsec_two' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await webhook(done('c2'), { secret: 'wsec_two' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await parts.callLog.get('EL_c1')).toEqual(before);
    expect(await parts.callLog.find('c2')).toBeNull();
  });
});

it('no line of the log holds words, numbers, keys or signatures of a delivery, whatever becomes of it', async () => {
  const { webhook, ingest, lines, parts } = await functionsUnderTest();
  const body = (agent: string): unknown => done('c1', { agent_id: agent, transcript: [{ role: 'user', message: 'CANARY words', time_in_call_secs: 0 }], metadata: { phone_call: { external_number: '+15550001234' } } });
  await webhook(body('agent1'));
  await webhook(body('stranger'), { secret: OLD_SECRET });
  await webhook(body('agent1'), { signature: `t=1,v0=${'c'.repeat(64)}` });
  await webhook('{"CANARY":');
  await ingest('transcription', { conversation_id: 'c1', speaker: 'driver', text: 'CANARY words' });
  await ingest('transcription', { conversation_id: 'c1', speaker: 'CANARY', text: 'x' });
  await ingest('transcription', { conversation_id: 'c1' }, 'CANARY-key');
  await parts.callLog.close();
  expect((await webhook(body('agent1'))).status).toBe(503);
  expect(lines.length).toBeGreaterThanOrEqual(8);
  expect(lines.join('')).not.toMatch(/CANARY|5550001234|c{64}|v0=|Bearer/);
});

it.each([
  ['what an unknown agent sent', done('c1', { agent_id: 'stranger' })],
  ['a type that nobody knows', { type: 'surprise', data: { conversation_id: 'c1' } }],
])('is not answered 200 before it is kept in quarantine: %s', async (_name, body) => {
  const { webhook } = await functionsUnderTest({ parts: ({ rawStore }) => ({ rawStore: { ...rawStore, put: () => Promise.reject(new EarshotError('store_unavailable')) } }) });
  expect(await webhook(body)).toMatchObject({ status: 503, body: { code: 'store_unavailable' } });
});

describe('a delivery that cannot be used', () => {
  it.each([
    ['text that is not JSON', '{"type":'],
    ['JSON a hundred thousand levels deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['an array', '[]'],
    ['null', 'null'],
    ['a number too large for any', '{"type":1e400}'],
    ['no type', '{"data":{}}'],
    ['a type that nobody knows', '{"type":"answering_machine_detection","data":{"conversation_id":"c1"}}'],
    ['no conversation', '{"type":"post_call_transcription","data":{}}'],
    ['a conversation id as long as a book', `{"type":"post_call_transcription","data":{"conversation_id":"${'x'.repeat(10_000)}"}}`],
    ['an agent that nobody knows', '{"type":"post_call_transcription","data":{"conversation_id":"c1","agent_id":"stranger"}}'],
    ['a prototype in its data', '{"type":"post_call_transcription","__proto__":{"x":1},"data":{"__proto__":{"conversation_id":"c1"}}}'],
  ])('A5: is kept and answered 200: %s', async (_name, body) => {
    const { webhook, parts } = await functionsUnderTest();
    expect(await webhook(body)).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await webhook(body)).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await parts.rawStore.quarantine(null, null, 10)).toMatchObject([{ count: 2 }]);
    expect(await parts.callLog.find('c1')).toBeNull();
  });

  it('is used when it is driven again after its agent became known', async () => {
    const { webhook, rest, token, parts } = await functionsUnderTest();
    await webhook(done('c1', { agent_id: 'agent-new' }));
    const [kept] = await parts.rawStore.quarantine(null, null, 10);
    await parts.directory.putAgent({ agent_id: 'agent-new', workspace: 'w1', tenant: 't1', name: 'New' });
    await parts.rawStore.change(kept?.id ?? '', { tenant: 't1' });
    expect((await rest(`/quarantine/${kept?.id ?? ''}/redrive`, { method: 'POST', token: await token() })).body).toMatchObject({ result: 'used', call_sid: 'EL_c1' });
    expect(await parts.rawStore.quarantineSize()).toBe(0);
    expect((await rest(`/quarantine/${kept?.id ?? ''}/redrive`, { method: 'POST', token: await token(['admin'], 't2') })).status).toBe(404);
  });

  it('is shown to the tenant that has its workspace to itself, and driving it again does not make it that tenant\'s', async () => {
    const { webhook, rest, token, parts } = await functionsUnderTest();
    await parts.directory.removeAgent('agent2');
    await webhook(done('c1', { agent_id: 'stranger' }));
    const bearer = await token();
    const shown = (await rest('/quarantine', { token: bearer })).body['deliveries'] as { id: string; reason: string }[];
    expect(shown).toMatchObject([{ reason: 'unassigned', tenant: 't1' }]);
    const redrive = async (): Promise<unknown> => (await rest(`/quarantine/${shown[0]?.id ?? ''}/redrive`, { method: 'POST', token: bearer })).body;
    expect(await redrive()).toMatchObject({ result: 'unassigned', call_sid: null });
    await parts.directory.putAgent({ agent_id: 'stranger', workspace: 'w1', tenant: 't1', name: 'Known now' });
    expect(await redrive()).toMatchObject({ result: 'used', call_sid: 'EL_c1' });
  });

  it('is not a 4xx because of lone surrogates, NULs, duplicate keys or numbers as text', async () => {
    const { webhook, types } = await functionsUnderTest();
    const body = '{"type":"x","type":"post_call_transcription","event_timestamp":"1760000000","data":{"conversation_id":"c1","agent_id":"agent1","status":"done","transcript":[{"role":"user","message":"a\\ud800b\\u0000c","time_in_call_secs":"3"}],"metadata":{"call_duration_secs":"7"}}}';
    expect(await webhook(body)).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await types('c1')).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
  });
});

describe('the guard in front', () => {
  const post = (url: string, path: string, headers: Record<string, string>, chunks: readonly Buffer[]): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request(`${url}${path}`, { method: 'POST', headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.statusCode ?? 0));
      });
      sent.on('error', reject);
      for (const chunk of chunks) sent.write(chunk);
      sent.end();
    });

  it('refuses compressed bodies before a byte is inflated', async () => {
    const { url } = await functionsUnderTest();
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    for (const encoding of ['gzip', 'deflate', 'br', 'GZIP', 'identity, gzip']) expect(await post(url, '/webhooks/elevenlabs/post-call', { 'content-encoding': encoding }, [bomb])).toBe(415);
    expect(await post(url, '/auth/login', { 'content-encoding': 'gzip' }, [bomb])).toBe(415);
  });

  it('refuses what is over the limit, declared or not', async () => {
    const { url } = await functionsUnderTest();
    const chunk = Buffer.alloc(1024 * 1024);
    expect(await post(url, '/webhooks/elevenlabs/post-call', { 'content-length': String(33 * 1024 * 1024) }, [chunk.subarray(0, 10)]).catch(() => 413)).toBe(413);
    expect(await post(url, '/webhooks/elevenlabs/post-call', {}, Array.from({ length: 33 }, () => chunk))).toBe(413);
    expect(await post(url, '/auth/login', { 'content-type': 'application/json' }, [chunk])).toBe(413);
  });

  it('verifies a large delivery in passing, keeps its hash and leaves it to be fetched', async () => {
    const { url, parts } = await functionsUnderTest();
    const body = Buffer.from(JSON.stringify({ ...(done('c1') as object), padding: 'x'.repeat(9 * 1024 * 1024) }));
    const path = '/webhooks/elevenlabs/post-call';
    const t = Math.floor(Date.now() / 1000);
    expect(await post(url, path, { 'elevenlabs-signature': signatureHeader('wsec_wrong', t, body.toString()) }, [body])).toBe(401);
    expect(await post(url, path, { 'elevenlabs-signature': signatureHeader(OLD_SECRET, t, body.toString()) }, [body])).toBe(200);
    expect(await parts.rawStore.quarantine(null, null, 10)).toMatchObject([{ reason: 'too_large', workspace: 'w1' }]);
  });
});

describe('a path or method that is not there', () => {
  it('is said so, as a problem document', async () => {
    const { url, rest } = await functionsUnderTest();
    const asked = await fetch(`${url}/webhooks/elevenlabs/post-call`);
    expect([asked.status, asked.headers.get('allow'), asked.headers.get('content-type')]).toEqual([405, 'POST', 'application/problem+json']);
    expect(await rest('/webhooks/elevenlabs/other', { body: {} })).toMatchObject({ status: 404, body: { code: 'not_found' } });
  });

  it('stands in the OpenAPI document, with the routes of the API', async () => {
    const { rest } = await functionsUnderTest();
    const { body } = await rest('/openapi.json');
    expect(Object.keys(body['paths'] as object)).toEqual(expect.arrayContaining(['/webhooks/elevenlabs/post-call', '/webhooks/elevenlabs/transcription', '/webhooks/agent-events', '/poll', '/calls', '/auth/login']));
  });
});

describe('a fault of ours', () => {
  it.each([
    ['the log', (): Record<string, unknown> => ({ callLog: new Proxy({}, { get: () => () => Promise.reject(new EarshotError('store_unavailable')) }) })],
    ['the directory', (): Record<string, unknown> => ({ directory: new Proxy({}, { get: () => () => Promise.reject(new EarshotError('store_unavailable')) }) })],
    ['a bug', (): Record<string, unknown> => ({ callLog: new Proxy({}, { get: () => () => Promise.reject(new TypeError('canary')) }) })],
  ])('A5: is answered 503, so that it comes again: %s', async (_name, broken) => {
    const { webhook, lines } = await functionsUnderTest({ parts: () => broken() });
    expect((await webhook(done('c1'))).status).toBe(503);
    expect(lines.join('')).not.toContain('canary');
  });

  it('in publishing is none: what is committed is answered 200', async () => {
    const { webhook, types } = await functionsUnderTest({ parts: () => ({ bus: { publish: () => Promise.reject(new Error('down')), subscribe: () => Promise.reject(new Error('down')), sweep: () => Promise.resolve(0), close: () => Promise.resolve() } }) });
    expect(await webhook(done('c1'))).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await types('c1')).toHaveLength(4);
  });
});

describe('live turns and agent events', () => {
  it('come with the ingest key or a signature, of a call that nobody announced', async () => {
    const { ingest, webhook, types } = await functionsUnderTest();
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'agent', text: 'Hello' })).toMatchObject({ status: 200, body: { result: 'stored', call_sid: 'EL_c1' } });
    expect(await webhook({ conversation_id: 'c1', speaker: 'user', text: 'Yes' }, { path: '/webhooks/elevenlabs/transcription' })).toMatchObject({ status: 200, body: { result: 'stored' } });
    expect(await ingest('agent-events', { conversation_id: 'c1', type: 'tool_executing', tool_call_id: 't1', tool_name: 'look_up' })).toMatchObject({ status: 200 });
    expect(await ingest('agent-events', { call_sid: 'EL_c1', type: 'tool_completed', tool_call_id: 't1', tool_name: 'look_up', is_error: false })).toMatchObject({ status: 200 });
    expect(await types('c1')).toEqual(['call_status', 'agent_started', 'transcription', 'agent_completed', 'transcription', 'agent_thinking', 'tool_executing', 'tool_completed']);
  });

  it('without a key are answered 401, with a bad body of a true sender kept', async () => {
    const { ingest, parts } = await functionsUnderTest();
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'agent', text: 'x' }, null)).toMatchObject({ status: 401, body: { code: 'token_missing' } });
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'agent', text: 'x' }, 'ingest_wrong')).toMatchObject({ status: 401, body: { code: 'ingest_key_invalid' } });
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'parrot', text: 'x' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await ingest('transcription', { conversation_id: 'c1' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await ingest('agent-events', { type: 'tool_executing' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await parts.rawStore.quarantineSize()).toBe(3);
  });

  it("with a tenant's key do not reach another tenant's call", async () => {
    const { ingest, webhook, types } = await functionsUnderTest();
    await webhook(done('c2', { agent_id: 'agent2' }));
    const before = await types('c2');
    expect(await ingest('transcription', { conversation_id: 'c2', speaker: 'agent', text: 'x' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await ingest('transcription', { call_sid: 'EL_c2', speaker: 'agent', text: 'x' })).toMatchObject({ status: 200, body: { result: 'quarantined' } });
    expect(await types('c2')).toEqual(before);
  });

  it('that are interim go to the bus and not to the log, and only while the call is on', async () => {
    const { ingest, webhook, types, published } = await functionsUnderTest();
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'driver', text: 'I wa', state: 'interim', turn_id: 'u1' })).toMatchObject({ status: 200, body: { result: 'ignored' } });
    await ingest('transcription', { conversation_id: 'c1', speaker: 'agent', text: 'Hello' });
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'driver', text: 'I was', state: 'interim', turn_id: 'u1' })).toMatchObject({ status: 200, body: { result: 'passed_on' } });
    const interim = published.filter((message) => message.kind === 'interim');
    expect(interim).toMatchObject([{ tenant: 't1', call_sid: 'EL_c1', turn_id: 'u1' }]);
    expect(JSON.parse(interim[0]?.text ?? '{}')).toMatchObject({ type: 'transcription', state: 'interim', index: 1, speaker: 'driver', text: 'I was' });
    expect(JSON.parse(interim[0]?.text ?? '{}')).not.toHaveProperty('seq');
    await webhook(done('c1'));
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'driver', text: 'more', state: 'interim' })).toMatchObject({ body: { result: 'ignored' } });
    expect((await types('c1')).filter((type) => type === 'transcription')).toHaveLength(1);
  });

  it('that are interim stop once their turn was logged, and pass no faster than the eye follows', async () => {
    const { ingest, published } = await functionsUnderTest();
    const interim = (turn: string): unknown => ({ conversation_id: 'c1', speaker: 'driver', text: 'I wa', state: 'interim', turn_id: turn });
    await ingest('transcription', { conversation_id: 'c1', speaker: 'driver', text: 'I was', turn_id: 'u1' });
    expect((await ingest('transcription', interim('u1'))).body).toMatchObject({ result: 'ignored' });
    const answers = await Promise.all(Array.from({ length: 40 }, () => ingest('transcription', interim('u2'))));
    expect(answers.every((answer) => answer.status === 200)).toBe(true);
    const passed = answers.filter((answer) => answer.body['result'] === 'passed_on').length;
    expect(passed).toBeGreaterThanOrEqual(4);
    expect(passed).toBeLessThan(40);
    expect(published.filter((message) => message.kind === 'interim')).toHaveLength(passed);
  });

  it('after an erasure are stopped like every other delivery', async () => {
    const { ingest, webhook, rest, token, parts } = await functionsUnderTest();
    await webhook(done('c1'));
    expect((await rest('/calls/EL_c1', { method: 'DELETE', token: await token() })).status).toBeLessThan(300);
    expect(await webhook(done('c1'))).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await ingest('transcription', { conversation_id: 'c1', speaker: 'agent', text: 'x' })).toMatchObject({ status: 200, body: { result: 'erased' } });
    expect(await parts.callLog.find('c1')).toBe('erased');
    expect(await parts.rawStore.since('t1', { received_at: 0, id: '' }, 10)).toEqual([]);
  });
});

describe('without authentication (WEBHOOK_AUTH=none)', () => {
  const SAMPLE = '{"type":"post_call_transcription","event_timestamp":1732200000,"data":{"conversation_id":"test_conv_123","status":"done","metadata":{"call_duration_secs":120,"cost":0.05},"analysis":{"call_successful":true,"transcript_summary":"Test call completed successfully"}}}';

  it('A4: the older sample is taken, verbatim and unsigned', async () => {
    const { webhook, rest, token } = await functionsUnderTest({ environment: { WEBHOOK_AUTH: 'none' } });
    expect(await webhook(SAMPLE, { signature: null })).toMatchObject({ status: 200, body: { result: 'stored', call_sid: 'EL_test_conv_123' } });
    expect((await rest('/calls/test_conv_123', { token: await token() })).body).toMatchObject({
      status: 'completed',
      transcript_summary: 'Test call completed successfully',
      call_duration_seconds: 120,
      cost: 0.05,
      cost_credits: null,
      call_successful: true,
    });
  });

  it('answers 400 to a bad body, since nothing was signed, and 401 to a wrong signature all the same', async () => {
    const { webhook, parts } = await functionsUnderTest({ environment: { WEBHOOK_AUTH: 'none' } });
    expect(await webhook('{', { signature: null })).toMatchObject({ status: 400, body: { code: 'invalid_json' } });
    expect(await webhook('{"type":"post_call_transcription","data":{}}', { signature: null })).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(await webhook(SAMPLE, { secret: 'wsec_wrong' })).toMatchObject({ status: 401 });
    expect(await parts.rawStore.quarantineSize()).toBe(0);
  });
});
