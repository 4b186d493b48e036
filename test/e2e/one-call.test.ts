import { expect, it } from 'vitest';
import { LOCAL_LOGIN } from '../../local/first-start.ts';
import { startFront } from '../fixtures/front.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder, eventually, startProductProcess } from '../fixtures/processes.ts';
import { openClient, type TestClient } from '../fixtures/relay.ts';
import { addUser, signIn, withDirectory, withLog } from '../fixtures/stored-data.ts';
import { startViewer } from '../fixtures/viewer.ts';

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

/** One person's own requests: a body is posted, none is a read. */
const asker = (url: string, token: string): ((path: string, body?: unknown) => Promise<Answer>) => async (path, body) => {
  const answer = await fetch(url + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

it('a dispatcher starts a call and every viewer who may sees all of it, once and in order, though one drops out, one only polls and the server is killed in the middle', async () => {
  const dataDir = await dataFolder();
  const port = await freePort();
  const start = (): ReturnType<typeof startProductProcess> => startProductProcess({ DATA_DIR: dataDir, PORT: String(port), SIMULATED_PACE: '4' });
  let server = await start();
  const url = server.ready;
  await withDirectory(dataDir, async (directory) => {
    await directory.putTenant({ tenant: 'rival', name: 'Rival', calling_hours: null, default_agent_id: null });
    await addUser(directory, 'eve', 'rival', ['admin', 'dispatcher']);
  });
  const token = await signIn(url, LOCAL_LOGIN.username, LOCAL_LOGIN.password);
  const eveToken = await signIn(url, 'eve');
  const ask = asker(url, token);

  // A call is asked for as older clients do, and stands at the top level of the answer.
  const dialled = await ask('/driver_data/call-elevenlabs', { driver_ids: ['test_driver_123'], violation_types: ['speeding'] });
  expect(dialled).toMatchObject({ status: 200, body: { driver: { driverId: 'test_driver_123', driverName: 'Test Driver', phoneNumber: '+15550100123' }, triggers_count: 1 } });
  const callSid = String(dialled.body['call_sid']);
  const conversationId = String(dialled.body['conversation_id']);

  // Who watches: two by either id, one over a network that drops, one through a proxy that lets no WebSocket pass.
  const weak = await startFront({ targets: () => [port] });
  const strict = await startFront({ targets: () => [port], upgrades: false });
  const viewers = { byCall: startViewer(url, token), byConversation: startViewer(url, token), dropping: startViewer(weak.url, token), polling: startViewer(strict.url, token) };
  const shown = { byCall: viewers.byCall.watch(callSid), byConversation: viewers.byConversation.watch(conversationId), dropping: viewers.dropping.watch(callSid), polling: viewers.polling.watch(callSid) };

  // Who may not: by the library, and by a plain socket of which every frame is kept.
  const eve = startViewer(url, eveToken);
  const eveShown = [eve.watch(callSid), eve.watch(conversationId)];
  const eveSockets: TestClient[] = [];
  const spy = async (): Promise<void> => {
    const socket = openClient(`${url.replace('http', 'ws')}/ws`, { protocols: ['earshot.v1', `bearer.${eveToken}`] });
    eveSockets.push(socket);
    await socket.next('system_message');
    for (const id of [callSid, conversationId]) {
      socket.send({ subscribe: id, id });
      await socket.next((frame) => frame['type'] === 'error' && frame['id'] === id);
    }
    socket.send({ watch: 'board', id: 'board' });
    expect(await socket.next('board_snapshot')).toMatchObject({ rows: [] });
  };
  await spy();
  expect(await asker(url, eveToken)(`/calls/${callSid}/events`)).toMatchObject({ status: 404, body: { code: 'call_not_found' } });

  const seen = (who: keyof typeof shown, count: number): Promise<unknown> => eventually(`${who} to see ${count} events`, () => shown[who].events.length >= count);
  await seen('byCall', 3);
  await seen('dropping', 3);
  // The weak network is gone while the call goes on.
  weak.open = false;
  weak.cut();
  await seen('byCall', shown.byCall.events.length + 2);
  weak.open = true;

  await seen('polling', 1);
  const before = shown.byCall.events.length;
  expect(shown.byCall.proofs).toEqual([]);
  await server.end('SIGKILL');
  server = await start();
  expect(server.ready).toBe(url);
  await spy();
  await seen('byCall', before + 1);

  await eventually('every viewer to have the whole call', () => Object.values(shown).every(({ proofs }) => proofs.length > 0), 45_000);
  const log = await withLog(dataDir, (open) => wholeCall(open, callSid));
  await eventually('every viewer to have the last event', () => Object.values(shown).every(({ texts }) => texts.length >= log.texts.length));

  expect(faultsOf(log)).toEqual([]);
  for (const [who, { texts, troubles, errors, proofs }] of Object.entries(shown)) {
    expect({ who, texts, troubles, errors, proofs: new Set(proofs) }).toEqual({ who, texts: log.texts, troubles: [], errors: [], proofs: new Set(['complete']) });
  }
  expect(log.events.slice(-3)).toMatchObject([{ type: 'call_status', status: 'completed' }, { type: 'call_completed' }, { type: 'call_sealed', last_seq: log.events.length }]);
  // The second `dialing` announces the conversation.
  const statuses = log.events.flatMap((event) => (event.type === 'call_status' ? [[event.status, event.conversation_id]] : []));
  expect(statuses).toEqual([['requested', null], ['dialing', null], ['dialing', conversationId], ['in_progress', conversationId], ['completed', conversationId]]);
  for (const type of ['transcription', 'agent_started', 'agent_thinking', 'agent_completed']) expect(log.events.map((event) => event.type)).toContain(type);
  expect(shown.byCall.interims.length).toBeGreaterThan(0);
  for (const { stopped } of [...Object.values(viewers), eve]) expect(stopped).toEqual([]);

  // REST shows the same, and the six fields.
  const read = await ask(`/calls/${conversationId}/events`);
  expect((read.body['events'] as unknown[]).map((event) => JSON.stringify(event))).toEqual(log.texts);
  const { body: call } = await ask(`/calls/${callSid}`);
  expect(call).toMatchObject({ status: 'completed', sealed: true, conversation_id: conversationId });
  const six = ['transcript_summary', 'call_duration_seconds', 'cost', 'call_successful', 'analysis_data', 'metadata_json'];
  expect(six.map((field) => typeof call[field])).toEqual(['string', 'number', 'number', 'boolean', 'string', 'string']);

  // The other tenant's viewer was told that there is no such call, and nothing else.
  for (const { events, interims, errors, confirmed } of eveShown) expect({ events, interims, confirmed, errors: new Set(errors) }).toEqual({ events: [], interims: [], confirmed: false, errors: new Set(['call_not_found']) });
  const frames = eveSockets.flatMap((socket) => socket.frames);
  expect(new Set(frames.map((frame) => frame['type']))).toEqual(new Set(['system_message', 'heartbeat', 'error', 'board_snapshot']));
  expect(frames.filter((frame) => frame['type'] === 'error').map((frame) => frame['code'])).toEqual(['call_not_found', 'call_not_found', 'call_not_found', 'call_not_found']);
  for (const frame of frames.filter(({ type }) => type === 'heartbeat')) expect(frame['heads']).toEqual({});

  for (const { ws } of eveSockets) ws.terminate();
  expect(await server.end('SIGTERM')).toEqual({ code: 0, signal: null });
});
