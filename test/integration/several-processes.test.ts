import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { startFront } from '../fixtures/front.ts';
import { faultsOf, wholeCalls } from '../fixtures/log-checks.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder, eventually, startChild, type Child } from '../fixtures/processes.ts';
import { openClient } from '../fixtures/relay.ts';
import { INGEST_KEY, integrityOf, SECRET, storeTenants, tokenOf, withLog } from '../fixtures/stored-data.ts';
import { startViewer } from '../fixtures/viewer.ts';

const STARTED = /"port":(\d+)[^\n]*"message":"Application startup complete"/;
const CALLS = 3;
const VIEWERS = 8;

interface Stage {
  readonly dataDir: string;
  readonly token: string;
  /** Posts one turn through the real function and resolves once it was answered 200. */
  say(conversation: string, text: string): Promise<void>;
  finish(conversation: string, words: readonly string[]): Promise<void>;
  /** `ready` of the child is its port. */
  relay(): Promise<Child>;
  functions(): Promise<Child>;
}

/** The webhooks function in the real functions-framework, on one data folder with as many relays as a test starts. */
const stage = async (): Promise<Stage> => {
  const dataDir = await dataFolder();
  await storeTenants(dataDir);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const token = await tokenOf(dataDir, 'anna', 't1', ['dispatcher']);
  const post = async (path: string, body: string, headers: Record<string, string>): Promise<void> => {
    const answer = await fetch(url + path, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body, signal: AbortSignal.timeout(30_000) });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${path} was answered ${answer.status}`);
  };
  return {
    dataDir,
    token,
    functions: () => startChild(['node_modules/.bin/functions-framework', '--source', 'functions/index.ts', '--target', 'webhooks', '--port', String(port)], { DATA_DIR: dataDir, LOG_LEVEL: 'warn' }, /Serving function/),
    relay: () => startChild(['ws-relay/main.ts'], { DATA_DIR: dataDir, PORT: '0', LOG_LEVEL: 'info' }, STARTED),
    say: (conversation, text) => post('/webhooks/elevenlabs/transcription', JSON.stringify({ conversation_id: conversation, agent_id: 'agent1', speaker: 'agent', text, turn_id: text }), { authorization: `Bearer ${INGEST_KEY}` }),
    finish: (conversation, words) => {
      const transcript = words.map((message) => ({ role: 'agent', message, time_in_call_secs: 0 }));
      const body = JSON.stringify({ type: 'post_call_transcription', event_timestamp: 1_760_000_000, data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript, metadata: { call_duration_secs: 9 }, analysis: { transcript_summary: 'Spoken.' } } });
      return post('/webhooks/elevenlabs/post-call', body, { 'elevenlabs-signature': signatureHeader(SECRET, Math.floor(Date.now() / 1000), body) });
    },
  };
};

describe('functions and relays as processes of their own', () => {
  it('A10: viewers miss nothing while one relay is killed, one is stopped and the function is killed too', async () => {
    const { dataDir, token, say, finish, relay, functions } = await stage();
    let writer = await functions();
    const conversations = Array.from({ length: CALLS }, (_, index) => `conv_${index}`);
    const spoken = new Map<string, string[]>(conversations.map((conversation) => [conversation, []]));
    const speak = async (rounds: number): Promise<void> => {
      for (let round = 0; round < rounds; round++) {
        await Promise.all(conversations.map(async (conversation) => {
          const words = spoken.get(conversation) ?? [];
          const text = `${conversation} says ${words.length}`;
          await say(conversation, text);
          words.push(text);
        }));
      }
    };
    await speak(2);

    const relays = [await relay(), await relay()];
    const front = await startFront({ targets: () => relays.map(({ ready }) => Number(ready)) });
    const viewers = Array.from({ length: VIEWERS }, () => startViewer(front.url, token));
    const shown = viewers.flatMap((viewer) => conversations.map((conversation) => viewer.watch(conversation)));
    const everybodyHas = (turns: number): Promise<unknown> =>
      eventually(`everybody to have ${turns} turns`, () => shown.every(({ events }) => events.filter(({ type }) => type === 'transcription').length >= turns));
    await everybodyHas(2);
    const ports = relays.map(({ ready }) => Number(ready));
    expect(ports.map((port) => front.connections.get(port))).toEqual([VIEWERS / 2, VIEWERS / 2]);

    // The first relay is killed while the agents speak: its viewers go to the other.
    const speaking = speak(30);
    await everybodyHas(4);
    await relays[0]?.end('SIGKILL');
    await speaking;
    await everybodyHas(32);

    // A third takes its place, and the second is asked to stop: it sends everybody away and ends in time.
    relays[0] = await relay();
    const [fresh, leaving] = relays as [Child, Child];
    const plain = openClient(`ws://127.0.0.1:${leaving.ready}/ws`, { protocols: ['earshot.v1', `bearer.${token}`] });
    await plain.next('system_message');
    const more = speak(30);
    const asked = performance.now();
    relays.splice(0, 2, fresh);
    expect(await leaving.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(8_500);
    expect((await plain.closed).code).toBe(1012);
    expect(plain.frames.at(-1)).toMatchObject({ type: 'system_message', data: { event: 'move' } });
    await more;
    await everybodyHas(62);

    // The function, which carries the bus, is killed between two turns; the next finds the viewers all the same.
    await writer.end('SIGKILL');
    writer = await functions();
    await speak(2);
    await everybodyHas(64);
    for (const conversation of conversations) await finish(conversation, spoken.get(conversation) ?? []);
    await eventually('every call to be proved complete', () => shown.every(({ proofs }) => proofs.length > 0));

    const log = await withLog(dataDir, (open) => wholeCalls(open, 't1'));
    expect(log.flatMap(faultsOf)).toEqual([]);
    expect(log).toHaveLength(CALLS);
    const textsOf = (conversation: string): readonly string[] => log.find(({ call_sid }) => call_sid === `EL_${conversation}`)?.texts ?? [];
    for (const [index, { texts, troubles, errors, proofs }] of shown.entries()) {
      expect({ texts, troubles, errors, proofs }).toEqual({ texts: textsOf(conversations[index % CALLS] ?? ''), troubles: [], errors: [], proofs: ['complete'] });
    }
    expect(viewers.flatMap(({ stopped }) => stopped)).toEqual([]);
    expect(front.connections.get(Number(fresh.ready))).toBeGreaterThanOrEqual(VIEWERS);
    expect(await writer.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(integrityOf(join(dataDir, 'calls.db'))).toBe('ok');
  });

  it('A9: the relay takes a real upgrade at every path that clients know, from its own server', async () => {
    const { token, say, relay, functions } = await stage();
    await functions();
    await say('conv_1', 'Hello');
    const { ready } = await relay();
    for (const path of ['/ws/calls/transcriptions', '/ws', '/websocket']) {
      const client = openClient(`ws://127.0.0.1:${ready}${path}`, { protocols: ['earshot.v1', `bearer.${token}`] });
      expect(await client.next('system_message')).toMatchObject({ data: { event: 'connection_established', user: 'user-anna', tenant: 't1' } });
      client.send({ subscribe: 'conv_1' });
      expect(await client.next('transcription')).toMatchObject({ text: 'Hello', seq: 3 });
      client.close();
    }
    const wrong = openClient(`ws://127.0.0.1:${ready}/socket`, { protocols: ['earshot.v1', `bearer.${token}`] });
    expect((await wrong.closed).code).toBe(1006);
  });
});
