/**
 * What users of the two older systems had, shown on the running product as they used it. Each test is named after its row of
 * docs/older-systems.md; `older-systems-page.test.ts` holds the rows together.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOCAL_LOGIN, LOCAL_WORKSPACE } from '../../local/first-start.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import { LOG_MIGRATIONS } from '../../ports/call-log.sqlite-schema.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { blankCall } from '../fixtures/facts.ts';
import { dataFolder, earshot, eventually, startProductProcess, startChild, type Child, type Ran } from '../fixtures/processes.ts';
import { limited, openClient, type TestClient } from '../fixtures/relay.ts';
import { addUser, signIn, tokenOf, withDirectory } from '../fixtures/stored-data.ts';

const E2E_KEY = 'e2e-simulation-key';

let product: Child;
let dataDir: string;
let url: string;
let token: string;
/** What the whole file uses ends with it, the last first: a hook that is added inside another one would never run. */
const ends: (() => Promise<unknown>)[] = [];
const later = (end: () => Promise<unknown>): void => void ends.unshift(end);
afterAll(async () => {
  for (const end of ends) await end();
});
beforeAll(async () => {
  dataDir = await dataFolder(later);
  product = await startProductProcess({ DATA_DIR: dataDir, PORT: '0', SIMULATED_PACE: '20', E2E_OAUTH_SIMULATION_KEY: E2E_KEY }, later);
  url = product.ready;
  token = await signIn(url, LOCAL_LOGIN.username, LOCAL_LOGIN.password);
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

const send = async (method: string, path: string, body?: string, headers: Record<string, string> = {}): Promise<Answer> => {
  const answer = await fetch(url + path, { method, ...(body === undefined ? {} : { body }), headers: { 'content-type': 'application/json', ...headers }, signal: AbortSignal.timeout(30_000) });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};
const rest = (method: string, path: string, body?: unknown, as = token): Promise<Answer> => send(method, path, body === undefined ? undefined : JSON.stringify(body), { authorization: `Bearer ${as}` });
const turn = (conversation: string, speaker: string, text: string, more: Record<string, unknown> = {}): Promise<Answer> =>
  send('POST', '/webhooks/elevenlabs/transcription', JSON.stringify({ conversation_id: conversation, speaker, text, ...more }), { authorization: 'Bearer ingest_local' });
const agentEvent = (conversation: string, type: string, more: Record<string, unknown> = {}): Promise<Answer> =>
  send('POST', '/webhooks/agent-events', JSON.stringify({ conversation_id: conversation, type, ...more }), { authorization: 'Bearer ingest_local' });
const postCall = (conversation: string, more: Record<string, unknown> = {}): Promise<Answer> => {
  const data = { conversation_id: conversation, agent_id: 'agent_local', status: 'done', metadata: { call_duration_secs: 120, cost: 0.05 }, analysis: { call_successful: 'success', transcript_summary: 'They talked.' }, ...more };
  const body = JSON.stringify({ type: 'post_call_transcription', event_timestamp: 1_760_000_000, data });
  return send('POST', '/webhooks/elevenlabs/post-call', body, { 'elevenlabs-signature': signatureHeader('wsec_local', Math.floor(Date.now() / 1000), body) });
};

/** A plain client, as `wscat -c` is one: the token in the query, nothing else offered. */
const wscat = (query: string, path = '/ws/calls/transcriptions'): TestClient => openClient(`${url.replace('http', 'ws')}${path}${query}`, { protocols: [] });
const connected = async (): Promise<TestClient> => {
  const client = wscat(`?token=${token}`);
  await client.next('system_message');
  return client;
};
const typesOf = (client: TestClient): unknown[] => client.frames.map(({ type }) => type).filter((type) => type !== 'heartbeat' && type !== 'system_message');
/** Subscribes and gives the confirmation. */
const subscribe = (client: TestClient, id: string): Promise<Record<string, unknown>> => {
  client.send({ subscribe: id });
  return client.next('subscription_confirmed');
};

/** The four settings as the older test read them. */
const fourSettings = (): Record<string, string> => ({ API_BASE_URL: url, WS_BASE_URL: url.replace('http', 'ws'), TEST_USERNAME: LOCAL_LOGIN.username, TEST_PASSWORD: LOCAL_LOGIN.password });
let running: Promise<Ran> | null = null;
/** The end-to-end test, run once for all who look at what it printed. */
const journey = (): Promise<Ran> => (running ??= earshot(['e2e'], fourSettings()));

describe('the dispatch-call backend', () => {
  it('A1: user name and password give a JWT, and the same four settings drive the end-to-end test', async () => {
    const login = await send('POST', '/auth/login', JSON.stringify({ username: LOCAL_LOGIN.username, password: LOCAL_LOGIN.password }));
    expect(login).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3600 } });
    expect(String(login.body['access_token']).split('.')).toHaveLength(3);
    expect((await rest('GET', '/calls', undefined, String(login.body['access_token']))).status).toBe(200);
    expect((await send('POST', '/auth/login', JSON.stringify({ username: LOCAL_LOGIN.username, password: 'wrong' }))).status).toBe(401);
    const { code, out, err } = await journey();
    expect({ code, err, failed: out.split('\n').filter((line) => line.startsWith('FAIL')) }).toEqual({ code: 0, err: '', failed: [] });
  });

  it('A3: turns posted one at a time are on the screen with their place and speaker', async () => {
    const viewer = await connected();
    await turn('conv_a3', 'agent', 'Hey John, this is dispatch calling.');
    await subscribe(viewer, 'conv_a3');
    await turn('conv_a3', 'driver', 'What is it?');
    await turn('conv_a3', 'user', 'Hello?');
    const lines = await Promise.all([0, 1, 2].map(() => viewer.next('transcription')));
    expect(lines.map(({ index, speaker, text }) => `[${String(index)}] ${String(speaker).toUpperCase()}: ${String(text)}`)).toEqual(['[0] AGENT: Hey John, this is dispatch calling.', '[1] DRIVER: What is it?', '[2] DRIVER: Hello?']);
    viewer.close();
  });

  it('A6: the six fields come with a migration and a way back; calls written before them read as null and are unharmed', async () => {
    const path = join(await dataFolder(), 'calls.db');
    const [first, second] = LOG_MIGRATIONS;
    const old = new DatabaseSync(path);
    old.exec(`${first?.up ?? ''} PRAGMA user_version = 1;`);
    const state = { ...blankCall({ call_sid: 'EL_old', conversation_id: 'conv_old', status: 'completed' }) } as Record<string, unknown>;
    for (const field of ['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful']) state[field] = undefined;
    const values = ['EL_old', 't1', 'w1', 'conv_old', 'completed', 1, '', 1000, 1000, 1, JSON.stringify(state)];
    old.prepare('INSERT INTO calls (call_sid, tenant, workspace, conversation_id, status, terminal, search, created_at, changed_at, mark, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(...values);
    old.prepare("INSERT INTO conversations VALUES ('conv_old', 'EL_old')").run();
    old.close();

    const log = sqliteCallLog({ path, runtime: systemRuntime() });
    const bare = { transcript_summary: null, call_duration_seconds: null, cost: null, call_successful: null };
    expect(await log.find('conv_old')).toMatchObject({ call_sid: 'EL_old', status: 'completed', ...bare });
    expect(await log.details('EL_old')).toEqual({ analysis_data: null, metadata_json: null });
    await log.close();

    const back = new DatabaseSync(path);
    const columns = (): unknown[] => back.prepare('SELECT name FROM pragma_table_info(?)').all('calls').map((row) => row['name']);
    expect(columns()).toEqual(expect.arrayContaining(['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful', 'analysis_data', 'metadata_json']));
    back.exec(second?.down ?? '');
    expect(columns()).not.toContain('transcript_summary');
    expect(back.prepare('SELECT call_sid, status, state FROM calls').all().map((row) => ({ ...row }))).toEqual([{ call_sid: 'EL_old', status: 'completed', state: values.at(-1) }]);
    back.close();
  });

  it('A7: a plain client subscribes by either id to several calls, unsubscribes, and is told of unknown ids and bad tokens', async () => {
    const stored = await turn('conv_a7', 'agent', 'one');
    await turn('conv_a7b', 'agent', 'other');
    const client = wscat(`?token=${token}`);
    expect(await client.next('system_message')).toMatchObject({ data: { event: 'connection_established' } });
    expect(await subscribe(client, 'conv_a7')).toMatchObject({ call_sid: stored.body['call_sid'], conversation_id: 'conv_a7' });
    expect(await subscribe(client, 'EL_conv_a7b')).toMatchObject({ call_sid: 'EL_conv_a7b', conversation_id: 'conv_a7b' });
    await turn('conv_a7', 'driver', 'to the first');
    expect(await client.next((frame) => frame['text'] === 'to the first')).toMatchObject({ conversation_id: 'conv_a7' });
    await turn('conv_a7b', 'driver', 'to the second');
    expect(await client.next((frame) => frame['text'] === 'to the second')).toMatchObject({ conversation_id: 'conv_a7b' });
    client.send({ unsubscribe: 'conv_a7' });
    expect(await client.next('unsubscribe_confirmed')).toMatchObject({ call_sid: stored.body['call_sid'], conversation_id: 'conv_a7' });
    await turn('conv_a7', 'driver', 'to nobody');
    await turn('conv_a7b', 'driver', 'the last');
    await client.next((frame) => frame['text'] === 'the last');
    expect(client.texts.join('')).not.toContain('to nobody');
    client.send({ subscribe: 'conv_unknown' });
    expect(await client.next('error')).toMatchObject({ code: 'call_not_found', ref: 'conv_unknown' });
    client.close();

    const expired = await tokenOf(dataDir, 'local', 'local', ['admin'], Math.floor(Date.now() / 1000) - 7200);
    for (const [bad, code, close] of [[expired, 'token_expired', 4503], ['not.a.token', 'token_invalid', 4502], [`${token}x`, 'token_invalid', 4502]] as const) {
      const refused = wscat(`?token=${bad}`);
      expect(await refused.next('error')).toMatchObject({ code });
      expect((await limited(refused.closed, 'the close')).code).toBe(close);
      expect(refused.frames).toHaveLength(1);
    }
  });

  it('A8: the six message types come in their order, status before data, and several clients get the same', async () => {
    await turn('conv_a8', 'agent', 'Hello');
    const viewers = [await connected(), await connected(), await connected()];
    for (const viewer of viewers) await subscribe(viewer, 'conv_a8');
    await turn('conv_a8', 'driver', 'Yes');
    await postCall('conv_a8', { transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }, { role: 'user', message: 'Yes', time_in_call_secs: 2 }] });
    for (const viewer of viewers) {
      await viewer.next('call_sealed');
      viewer.send({ unsubscribe: 'conv_a8' });
      await viewer.next('unsubscribe_confirmed');
      viewer.send({ subscribe: 'conv_nowhere' });
      await viewer.next('error');
    }
    const older = ['subscription_confirmed', 'call_status', 'transcription', 'transcription', 'call_status', 'call_completed', 'unsubscribe_confirmed', 'error'];
    for (const viewer of viewers) expect(typesOf(viewer).filter((type) => older.includes(String(type)))).toEqual(older);
    const sequenced = viewers.map((viewer) => viewer.texts.filter((text) => text.includes('"seq":')));
    expect(new Set(sequenced.map((texts) => texts.join('\n'))).size).toBe(1);
    for (const viewer of viewers) viewer.close();
  });

  it("A11: a developer's machine follows a deployment's webhooks", async () => {
    const folder = await dataFolder();
    const local = await startProductProcess({ DATA_DIR: folder, PORT: '0' });
    const listening = await startChild(['cli/main.ts', 'listen', '--from', url, '--forward', local.ready, '--json'], { ...fourSettings(), DATA_DIR: folder }, /./s);
    const localToken = await signIn(local.ready, LOCAL_LOGIN.username, LOCAL_LOGIN.password);
    let number = 0;
    const heard = async (): Promise<string[]> => {
      // It brings what comes after it began: turns go on until one arrived.
      await turn('conv_a11', 'agent', `Heard at home, ${number++}.`);
      const answer = await fetch(`${local.ready}/calls/conv_a11/events`, { headers: { authorization: `Bearer ${localToken}` } });
      const { events = [] } = (await answer.json()) as { events?: { text?: string }[] };
      return events.flatMap(({ text }) => text ?? []);
    };
    const texts = await eventually('a turn on the local machine', async () => {
      const all = await heard();
      return all.length > 0 && all;
    });
    expect(texts[0]).toMatch(/^Heard at home, \d+\.$/);
    expect(listening.output()).not.toContain('Heard at home');
    await listening.end('SIGINT');
  });

  it('A12: one call is fetched where its webhook was lost, and polling brings what a socket brings', async () => {
    const { body } = await rest('POST', '/calls', { to: '+15550100199', variables: { simulate: 'lose_webhook' } });
    const id = String(body['conversation_id']);
    const viewer = await connected();
    await subscribe(viewer, id);
    await eventually('the call to be over at the provider', async () => (await rest('GET', `/conversations/${id}/fetch`)).body['status'] === 'completed');
    await viewer.next('call_sealed');
    const socket = viewer.texts.filter((text) => text.includes('"seq":'));
    const polled = (await rest('POST', '/poll', { calls: [{ id }], wait: 0 })).body['frames'] as Record<string, unknown>[];
    expect(polled.filter((frame) => 'seq' in frame).map((frame) => JSON.stringify(frame))).toEqual(socket);
    const events = (await rest('GET', `/calls/${id}/events`)).body['events'] as unknown[];
    expect(events.map((event) => JSON.stringify(event))).toEqual(socket);
    expect((await rest('GET', '/conversations/conv_nowhere/fetch')).status).toBe(404);
    viewer.close();
  });

  it('A13: the end-to-end test prints the lines that people know, in their order', async () => {
    const { out } = await journey();
    const lines = out.split('\n');
    const known = [
      /^\[AUTH\] Authentication successful!$/, /^\[CALL\] Call initiated successfully!$/, /^\[WS\] Connecting to WebSocket\.\.\.$/, /^\[WS\] WebSocket connected successfully!$/,
      /^\[WS\] Subscribing to call: EL_test_driver_123_\S+$/, /^\[WS_MSG\] Subscription confirmed!$/, /^\[WS_MSG\] New transcription \[agent\]$/, /^ {3}\[0\] AGENT: \S/, /^ {3}\[1\] DRIVER: \S/, /^\[WS_MSG\] Call completed with full data!$/,
    ];
    const places = known.map((line) => lines.findIndex((printed) => line.test(printed)));
    expect(places).not.toContain(-1);
    expect(places).toEqual([...places].sort((one, other) => one - other));
    const { code, out: refused } = await earshot(['e2e'], { ...fourSettings(), WS_BASE_URL: 'ws://127.0.0.1:9' });
    expect(code).not.toBe(0);
    expect(refused).toMatch(/^\[WS_ERROR\] WebSocket error: \S+$/m);
  });

  it('A14: every metric that was wanted is there', async () => {
    await postCall('conv_a14');
    const text = await (await fetch(`${url}/metrics`)).text();
    const wanted = [
      'earshot_webhook_requests_total', 'earshot_webhook_duration_seconds', 'earshot_log_append_seconds', 'earshot_log_append_failures_total', 'earshot_log_read_seconds', 'earshot_connections',
      'earshot_connections_opened_total', 'earshot_connections_closed_total', 'earshot_connection_duration_seconds', 'earshot_deliveries_total', 'earshot_deliveries_failed_total', 'earshot_event_loop_delay_seconds', 'earshot_quarantine_size',
    ];
    expect(wanted.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
    expect(text).toMatch(/^earshot_webhook_requests_total\{route="post-call",type="post_call_transcription",code="200"\} [1-9]/m);
  });

  it('A17: recent calls, calls by status, and the share of completed calls that have a summary', async () => {
    await postCall('conv_a17');
    await postCall('conv_a17b', { analysis: null });
    const { calls } = (await rest('GET', '/calls?status=completed&limit=2')).body as { calls: Record<string, unknown>[] };
    expect(calls.map((call) => [call['conversation_id'], call['transcript_summary'], call['call_duration_seconds'], call['cost'], call['call_successful']])).toEqual([['conv_a17b', null, 120, 0.05, null], ['conv_a17', 'They talked.', 120, 0.05, true]]);
    const stats = (await rest('GET', '/stats?hours=24')).body as { calls_by_status: Record<string, number>; completed: { total_calls: number; with_summary: number; percentage: number } };
    expect(stats.completed.total_calls).toBe(stats.calls_by_status['completed']);
    expect(stats.completed.with_summary).toBeLessThan(stats.completed.total_calls);
    expect(stats.completed.percentage).toBeCloseTo((100 * stats.completed.with_summary) / stats.completed.total_calls, 0);
  });

  it("A19: the provider's seconds become times of ours, and the end is the start plus the duration", async () => {
    await postCall('conv_a19', { metadata: { start_time_unix_secs: 1_760_000_000, call_duration_secs: 61 } });
    expect((await rest('GET', '/calls/conv_a19')).body).toMatchObject({ started_at: '2025-10-09T08:53:20.000Z', call_end_time: '2025-10-09T08:54:21.000Z', call_duration_seconds: 61 });
  });

  it('A18: the lines that operators count keep their words, and hold no name, no token and nothing that was said', async () => {
    await turn('conv_a18', 'agent', 'Canary words.');
    await postCall('conv_a18');
    (await connected()).close();
    await rest('POST', '/driver_data/call-elevenlabs', { driver_ids: ['test_driver_123'] });
    const messages = (): Set<unknown> => new Set(product.output().split('\n').filter((line) => line.startsWith('{')).map((line) => (JSON.parse(line) as { message: unknown }).message));
    const counted = ['WebSocket connection attempt', 'JWT validation successful', 'WebSocket connection established', 'POST /webhooks/elevenlabs/post-call', 'Application startup complete'];
    await eventually('the lines', () => counted.every((message) => messages().has(message)));
    const entries = product.output().split('\n').filter((line) => line.startsWith('{')).join('\n');
    for (const secret of [token, 'ingest_local', 'wsec_local', 'Canary', 'Test Driver', '+1555', LOCAL_LOGIN.password, LOCAL_LOGIN.username]) expect(entries).not.toContain(secret);
  });
});

describe('the agent-chat backend', () => {
  it.each(['/ws', '/websocket'])('B1: a JWT as the only subprotocol opens %s, is echoed, and the first message says so', async (path) => {
    const client = openClient(`${url.replace('http', 'ws')}${path}`, { protocols: [token] });
    const first = await client.next(() => true);
    expect(first).toMatchObject({ type: 'system_message', data: { event: 'connection_established' } });
    expect((first['data'] as { connection_id: string }).connection_id).toMatch(/^ws_/);
    expect(client.ws.protocol).toBe(token);
    client.close();
  });

  it('B2: the five agent events come in order, from what is posted and from the tools of a real conversation', async () => {
    const five = ['agent_started', 'agent_thinking', 'tool_executing', 'tool_completed', 'agent_completed'];
    const viewer = await connected();
    await turn('conv_b2', 'driver', 'Where is my load?');
    await subscribe(viewer, 'conv_b2');
    for (const type of five) await agentEvent('conv_b2', type, { event_id: `posted_${type}`, ...(type.startsWith('tool') ? { tool_name: 'find_load', tool_call_id: 'call_1' } : {}) });
    await viewer.next((frame) => frame['type'] === 'agent_completed');
    const posted = viewer.frames.filter((frame) => String(frame['type']).startsWith('agent_') || String(frame['type']).startsWith('tool_')).map(({ type }) => type);
    expect(posted.slice(-5)).toEqual(five);

    const { body } = await rest('POST', '/calls', { to: '+15550100198', variables: { simulate_script: 'speeding_disputed' } });
    const id = String(body['conversation_id']);
    const call = await connected();
    await subscribe(call, id);
    await call.next('call_sealed');
    const life = call.frames.map(({ type }) => String(type)).filter((type) => five.includes(type));
    expect(life[0]).toBe('agent_started');
    for (const type of five) expect(life).toContain(type);
    const executing = call.frames.filter(({ type }) => type === 'tool_executing');
    for (const { tool_call_id: tool, seq } of executing) expect(Number(call.frames.find((frame) => frame['type'] === 'tool_completed' && frame['tool_call_id'] === tool)?.['seq'])).toBeGreaterThan(Number(seq));
    viewer.close();
    call.close();
  });

  it('B3: an idle connection hears a heartbeat, and its own pings are answered', async () => {
    const client = await connected();
    expect(await client.next('heartbeat')).toMatchObject({ heads: {} });
    const ponged = new Promise<void>((resolve) => void client.ws.once('pong', () => resolve()));
    client.ws.ping();
    await limited(ponged, 'a pong');
    client.send({ ping: 7 });
    expect(await client.next('pong')).toMatchObject({ ping: 7 });
    client.close();
  });

  it('B4: seven users on seven connections at once see their own call each, and nothing of the others', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `b4_${index}`);
    await withDirectory(dataDir, async (directory) => {
      for (const name of names) {
        await directory.putTenant({ tenant: name, name, calling_hours: null, default_agent_id: null });
        await directory.putAgent({ agent_id: `agent_${name}`, workspace: LOCAL_WORKSPACE, tenant: name, name });
        await addUser(directory, name, name, ['dispatcher']);
      }
    });
    const words = (name: string, place: number): string => `${name} says ${place}`;
    const transcript = (name: string): unknown[] => [0, 1, 2].map((place) => ({ role: 'agent', message: words(name, place), time_in_call_secs: place }));
    // In progress first, so that everybody subscribes to everything while it lives.
    for (const name of names) expect((await postCall(`conv_${name}`, { agent_id: `agent_${name}`, status: 'done', transcript: [] })).status).toBe(200);
    const clients = await Promise.all(names.map(async (name) => {
      const client = wscat(`?token=${await tokenOf(dataDir, name, name, ['dispatcher'])}`);
      await client.next('system_message');
      client.send({ subscribe: names.map((other) => `conv_${other}`) });
      client.send({ watch: 'board' });
      await client.next('board_snapshot');
      return client;
    }));
    await Promise.all(names.map((name) => postCall(`conv_${name}`, { agent_id: `agent_${name}`, transcript: transcript(name) })));
    for (const [index, client] of clients.entries()) {
      const own = names[index] ?? '';
      await client.next((frame) => frame['text'] === words(own, 2));
      expect(client.frames.filter(({ type }) => type === 'error').map(({ code }) => code)).toEqual(Array.from({ length: 6 }, () => 'call_not_found'));
      const shown = client.frames.filter(({ type }) => type !== 'error').map((frame) => JSON.stringify(frame)).join('\n');
      for (const other of names) expect([other, shown.includes(`conv_${other}`), shown.includes(`${other} says`)]).toEqual([other, other === own, other === own]);
      client.close();
    }
  });

  it('B5: of a storm of connects every one succeeds, and each that is refused is told why', async () => {
    const clients = Array.from({ length: 300 }, (_, index) => (index % 10 === 9 ? wscat('?token=not.a.token') : wscat(`?token=${token}`, index % 2 === 0 ? '/ws' : '/websocket')));
    for (const [index, client] of clients.entries()) {
      const first = await client.next((frame) => frame['type'] === 'error' || frame['type'] === 'system_message');
      expect(first).toMatchObject(index % 10 === 9 ? { type: 'error', code: 'token_invalid' } : { data: { event: 'connection_established' } });
    }
    for (const client of clients) client.close();
    for (const [index, client] of clients.entries()) expect((await client.closed).code).toBe(index % 10 === 9 ? 4502 : 1005);
  });

  it('B6: services are discovered, and the MCP configuration is there', async () => {
    expect((await send('GET', '/discovery')).body).toMatchObject({ services: { api: { url }, relay: { websocket: [`${url.replace('http', 'ws')}/ws/calls/transcriptions`, `${url.replace('http', 'ws')}/ws`, `${url.replace('http', 'ws')}/websocket`] } }, protocols: ['earshot.v1'] });
    expect(await send('GET', '/mcp/config')).toEqual({ status: 200, body: { mcpServers: {} } });
    expect(await send('GET', '/mcp/servers')).toEqual({ status: 200, body: { servers: [] } });
  });

  it('B7: the end-to-end test names each missing setting before it begins, and tests may sign in by their key', async () => {
    for (const name of Object.keys(fourSettings())) {
      const others = Object.fromEntries(Object.entries(fourSettings()).filter(([other]) => other !== name));
      const { code, out, err } = await earshot(['e2e'], others);
      expect({ name, code, out }).toEqual({ name, code: 2, out: '' });
      expect(err).toContain(`${name} is missing`);
    }
    const simulated = await send('POST', '/auth/simulate', JSON.stringify({ username: LOCAL_LOGIN.username, key: E2E_KEY }));
    expect(simulated.status).toBe(200);
    expect((await rest('GET', '/calls', undefined, String(simulated.body['access_token']))).status).toBe(200);
    expect((await send('POST', '/auth/simulate', JSON.stringify({ username: LOCAL_LOGIN.username, key: 'another-key' }))).status).toBe(401);
  });

  it('B8: the test of concurrent connections prints its figures; seven where no number is given', async () => {
    for (const [args, count] of [[['--connections'], 7], [['--connections', '40'], 40]] as const) {
      const { code, out } = await earshot(['e2e', ...args], fourSettings());
      expect(code).toBe(0);
      expect(out).toMatch(new RegExp(`^Total connections: ${count}\\nSuccessful: ${count}\\nAuth required: 0\\nTimeouts: 0\\nErrors: 0\\nTotal time: [\\d.]+ ms\\nAverage time: [\\d.]+ ms$`, 'm'));
    }
  });
});
