import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CallLog, LoggedEvent } from '../../ports/call-log.ts';
import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import { sqliteDirectory } from '../../ports/directory.sqlite.ts';
import type { EventBus } from '../../ports/event-bus.ts';
import { busFile, socketBroker, socketBus } from '../../ports/event-bus.socket.ts';
import { joseIssuer, loadOrCreateSigningKey } from '../../ports/identity.jose.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { freePort } from '../../local/free-port.ts';
import { limited, openClient, userOf, type TestClient } from '../fixtures/relay.ts';

interface RelayProcess {
  readonly child: ChildProcess;
  readonly port: number;
  readonly exited: Promise<number | null>;
  /** What its lines say, in order. */
  readonly messages: readonly string[];
}

describe('relays as processes of their own beside the one that writes', () => {
  const closing: (() => unknown)[] = [];
  let dataDir: string;
  let callLog: CallLog;
  let bus: EventBus;
  let token: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'relay-'));
    closing.push(() => rm(dataDir, { recursive: true, maxRetries: 5 }));
    const runtime = systemRuntime();
    callLog = sqliteCallLog({ path: join(dataDir, 'calls.db'), runtime });
    const directory = sqliteDirectory({ path: join(dataDir, 'directory.db'), runtime });
    await directory.putUser(userOf('ann'));
    const issuer = joseIssuer({ signingKey: await loadOrCreateSigningKey(dataDir), publicKeys: null, runtime });
    const now = Math.floor(Date.now() / 1000);
    ({ token } = await issuer.issue({ user: 'ann', username: 'ann', tenant: 't1', roles: ['dispatcher'], sid: 's1', signed_in_at: now }));
    const broker = await socketBroker({ path: busFile(dataDir) });
    bus = socketBus(broker.address, runtime);
    closing.push(
      () => callLog.close(),
      () => directory.close(),
      () => broker.close(),
      () => bus.close(),
    );
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  const startProcess = async (environment: Record<string, string> = {}): Promise<RelayProcess> => {
    const child = spawn(process.execPath, ['ws-relay/main.ts'], { env: { ...process.env, NODE_ENV: 'test', DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info', ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    closing.push(() => {
      child.kill('SIGKILL');
      return exited;
    });
    const messages: string[] = [];
    const port = new Promise<number>((resolve, reject) => {
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
      void exited.then(() => reject(new Error(`the relay ended: ${said}`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const entry = JSON.parse(line) as { message: string; port?: number };
        messages.push(entry.message);
        if (entry.message === 'Application startup complete') resolve(entry.port ?? 0);
      });
    });
    return { child, port: await limited(port, 'the relay to start'), exited, messages };
  };
  const viewer = async (relay: RelayProcess, callSid: string): Promise<TestClient> => {
    const client = openClient(`ws://127.0.0.1:${relay.port}/ws`, { protocols: ['earshot.v1', `bearer.${token}`] });
    closing.push(() => client.ws.terminate());
    await limited(new Promise((resolve) => client.ws.once('open', resolve)), 'the socket');
    client.send({ subscribe: callSid });
    await client.next('subscription_confirmed');
    return client;
  };
  const begin = async (): Promise<string> => {
    const call = { call_sid: 'EL_1', workspace: 'w1', tenant: 't1', driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null };
    const created = await callLog.create([call], null);
    return created.result === 'created' ? (created.calls[0]?.call_sid ?? '') : '';
  };
  const say = async (callSid: string, text: string): Promise<readonly LoggedEvent[]> => {
    const fact = { kind: 'turn' as const, turn_id: null, rev: null, state: 'final' as const, speaker: 'agent' as const, text, time_in_call_secs: null, source_event_id: null };
    const appended = await callLog.append(callSid, [{ fact, source: 'ingest', conversation_id: null, provider_call_id: null }]);
    const events = appended?.events ?? [];
    await bus.publish({ kind: 'events', tenant: 't1', call_sid: callSid, epoch: appended?.call.epoch ?? '', first_seq: events[0]?.seq ?? 1, texts: events.map((event) => event.text), at: Date.now() });
    return events;
  };
  const texts = (client: TestClient): string[] => client.texts.filter((text) => text.includes('"seq":'));

  it('give the same to viewers of both, and to those who come back to the other when one is killed', async () => {
    const [one, two] = await Promise.all([startProcess(), startProcess()]);
    const callSid = await begin();
    const [onOne, onTwo] = await Promise.all([viewer(one, callSid), viewer(two, callSid)]);
    await say(callSid, 'first');
    const heard = (text: string) => (frame: Record<string, unknown>): boolean => frame['text'] === text;
    await Promise.all([onOne.next(heard('first')), onTwo.next(heard('first'))]);
    one.child.kill('SIGKILL');
    expect((await onOne.closed).code).toBe(1006);
    await say(callSid, 'while one is down');
    await onTwo.next(heard('while one is down'));
    const back = await viewer(two, callSid);
    await back.next(heard('while one is down'));
    const logged = (await callLog.read(callSid, 0, 100))?.events.map(({ text }) => text);
    expect([texts(onTwo), texts(back)]).toEqual([logged, logged]);
  });

  it('drain on SIGTERM: close with 1012 and end well within eight seconds', async () => {
    const relay = await startProcess();
    const client = await viewer(relay, await begin());
    relay.child.kill('SIGTERM');
    expect(await client.next((frame) => frame['type'] === 'system_message' && (frame['data'] as { event: string }).event === 'move')).toBeDefined();
    expect((await limited(client.closed, 'the close')).code).toBe(1012);
    expect(await limited(relay.exited, 'the end')).toBe(0);
  });

  it('write the lines that operators count, in their order', async () => {
    const relay = await startProcess();
    await viewer(relay, await begin());
    const counted = ['Application startup complete', 'WebSocket connection attempt', 'JWT validation successful', 'WebSocket connection established'];
    expect(relay.messages.filter((message) => counted.includes(message))).toEqual(counted);
  });

  it('show a collector beside them their metrics at METRICS_PORT, without a token', async () => {
    const port = await freePort();
    await startProcess({ METRICS_PORT: String(port) });
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('\nearshot_connections 0\n')]);
  });

  it('find in the log what the bus did not bring', async () => {
    const relay = await startProcess();
    const callSid = await begin();
    const client = await viewer(relay, callSid);
    const fact = { kind: 'progress' as const, status: 'in_progress' as const, reason: null };
    await callLog.append(callSid, [{ fact, source: 'reconciler', conversation_id: null, provider_call_id: null }]);
    expect(await client.next((frame) => frame['status'] === 'in_progress')).toMatchObject({ type: 'call_status' });
  });
});
