/** The webhooks function as it is built, where one of Google's services is away, and where it is abused itself. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { PUBLISH_WAIT_MAX_MS, RAW_COPY_WAIT_MAX_MS } from '../../core/protocol/limits.ts';
import { storageServer, type StorageFault } from '../../local/google/storage-server.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { builtDeployables, cloudStage, INGEST_KEY, WEBHOOK_SECRET, type CloudStage } from '../fixtures/cloud-stage.ts';
import { startFirestoreProxy, type FirestoreProxy, type Treatment } from '../fixtures/firestore-proxy.ts';
import { google, hosts } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { eventually } from '../fixtures/processes.ts';
import { startViewer } from '../fixtures/viewer.ts';

const POST_CALL = '/webhooks/elevenlabs/post-call';
/** A read or commit is asked again for eight seconds, and the last attempt may take another four. */
const STORE_AWAY_MAX_MS = 13_000;
/** What a busy machine needs besides. */
const ROOM_MS = 10_000;

interface Answered {
  readonly status: number;
  readonly code: string | null;
  readonly result: string | null;
  readonly ms: number;
}

const after = (end: () => Promise<unknown>): void => {
  onTestFinished(async () => {
    await end();
  });
};

/** Sends the bytes as they are; a server may answer before it has read them all. */
const post = (url: string, headers: Readonly<Record<string, string>>, chunks: readonly (Buffer | string)[]): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    const sent = request(url, { method: 'POST', headers: { 'content-type': 'application/json', connection: 'close', ...headers }, timeout: 45_000 }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => {
        const body = JSON.parse(Buffer.concat(parts).toString()) as { code?: string; result?: string };
        resolve({ status: answer.statusCode ?? 0, code: body.code ?? null, result: body.result ?? null, ms: performance.now() - began });
      });
    });
    sent.on('error', reject);
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    for (const chunk of chunks) sent.write(chunk);
    sent.end();
  });

const finished = (conversation: string, agent = 'agent_local'): string =>
  JSON.stringify({
    type: 'post_call_transcription',
    event_timestamp: Math.floor(Date.now() / 1000),
    data: { conversation_id: conversation, agent_id: agent, status: 'done', transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }], metadata: { call_duration_secs: 5 }, analysis: { transcript_summary: 'Short.' } },
  });
const signed = (url: string, body: string, secret = WEBHOOK_SECRET): Promise<Answered> => post(url + POST_CALL, { 'elevenlabs-signature': signatureHeader(secret, Math.floor(Date.now() / 1000), body) }, [body]);
const spoken = (url: string, conversation: string, text: string): Promise<Answered> =>
  post(`${url}/webhooks/elevenlabs/transcription`, { authorization: `Bearer ${INGEST_KEY}` }, [JSON.stringify({ conversation_id: conversation, agent_id: 'agent_local', speaker: 'driver', text })]);

/** A place that takes connections and never says a word. */
const silentPlace = async (): Promise<string> => {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => void open.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  after(async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe.skipIf(google === null)('the webhooks function as it is built', () => {
  const ends: (() => Promise<unknown>)[] = [];
  let stage: CloudStage;
  let built: string;
  beforeAll(async () => {
    const atEnd = (end: () => Promise<unknown>): void => void ends.unshift(end);
    built = await builtDeployables(atEnd);
    stage = await cloudStage(built, atEnd, 0.2);
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  const typesOf = async (conversation: string): Promise<string[]> => {
    const call = await stage.stores.callLog.find(conversation);
    if (call === null || call === 'erased') return [];
    return ((await stage.stores.callLog.read(call.call_sid, 0, 1_000))?.events ?? []).map(({ text }) => (JSON.parse(text) as { type: string }).type);
  };
  const WHOLE = ['transcription', 'call_status', 'call_completed', 'call_sealed'];
  const away = async (): Promise<FirestoreProxy> => {
    const proxy = await startFirestoreProxy(hosts().firestoreHost);
    after(() => proxy.close());
    return proxy;
  };

  it('refuses what is packed, what is too large and what is forged, and goes on', async () => {
    const { url, child } = await stage.start('webhooks');
    const member = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    expect(await post(url + POST_CALL, { 'content-encoding': 'gzip', 'elevenlabs-signature': signatureHeader(WEBHOOK_SECRET, 1, '') }, Array.from({ length: 16 }, () => member))).toMatchObject({ status: 415, code: 'encoding_not_supported' });
    expect(await post(url + POST_CALL, {}, Array.from({ length: 40 }, () => Buffer.alloc(1024 * 1024, 0x20)))).toMatchObject({ status: 413, code: 'payload_too_large' });
    expect(await signed(url, finished('conv_forged'), 'wsec_forged')).toMatchObject({ status: 401, code: 'signature_invalid' });
    expect(await post(url + POST_CALL, {}, [finished('conv_forged')])).toMatchObject({ status: 401, code: 'signature_invalid' });
    expect([await stage.stores.callLog.find('conv_forged'), await stage.stores.rawStore.quarantineSize()]).toEqual([null, 0]);
    expect(await signed(url, finished('conv_true'))).toMatchObject({ status: 200, result: 'stored' });
    expect(await signed(url, finished('conv_true'))).toMatchObject({ status: 200, result: 'duplicate' });
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('answers 503 in its time while Firestore refuses everything or never answers, and nothing is lost when it is back', async () => {
    const throughIt = async (id: string, treatment: Treatment): Promise<void> => {
      const proxy = await away();
      const { url, child } = await stage.start('webhooks', { FIRESTORE_EMULATOR_HOST: proxy.host });
      expect(await spoken(url, `${id}_live`, 'before')).toMatchObject({ status: 200, result: 'stored' });
      proxy.treat = () => treatment;
      const answers = await Promise.all([signed(url, finished(id)), signed(url, finished(id)), spoken(url, `${id}_live`, 'during')]);
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 503, code: 'store_unavailable' });
        expect(answer.ms).toBeLessThan(STORE_AWAY_MAX_MS + ROOM_MS);
      }
      proxy.treat = () => 'pass';
      expect(await typesOf(id)).toEqual([]);
      expect((await Promise.all([signed(url, finished(id)), signed(url, finished(id))])).map((answer) => answer.status)).toEqual([200, 200]);
      expect(await spoken(url, `${id}_live`, 'during')).toMatchObject({ status: 200, result: 'stored' });
      expect([await typesOf(id), (await typesOf(`${id}_live`)).filter((type) => type === 'transcription')]).toEqual([WHOLE, ['transcription', 'transcription']]);
      expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
    };
    await Promise.all([throughIt('conv_refused', { refused: status.UNAVAILABLE }), throughIt('conv_silent', 'silent')]);
  });

  it('answers 200, and has stored once, where every first commit is applied and its answer lost', async () => {
    const proxy = await away();
    const { url } = await stage.start('webhooks', { FIRESTORE_EMULATOR_HOST: proxy.host });
    proxy.treat = (method, nth) => (method === 'Commit' && nth % 2 === 1 ? { done_but: status.DEADLINE_EXCEEDED } : 'pass');
    for (const text of ['one', 'two']) expect(await spoken(url, 'conv_lost', text)).toMatchObject({ status: 200, result: 'stored' });
    expect(await signed(url, finished('conv_lost'))).toMatchObject({ status: 200, result: 'stored' });
    const types = await typesOf('conv_lost');
    expect([types.filter((type) => type === 'call_sealed'), types.at(-1)]).toEqual([['call_sealed'], 'call_sealed']);
    expect(faultsOf(await wholeCall(stage.stores.callLog, 'EL_conv_lost'))).toEqual([]);
  });

  it('answers 200 within the wait for the publication while Pub/Sub never answers, and the relays find it in the log', async () => {
    const { url, child } = await stage.start('webhooks', { PUBSUB_EMULATOR_HOST: await silentPlace() });
    const relay = await stage.relay();
    const viewer = startViewer(`ws://127.0.0.1:${relay.ready}`, await stage.token('s1'));
    expect(await spoken(url, 'conv_unheard', 'Hello?')).toMatchObject({ status: 200, result: 'stored' });
    const shown = viewer.watch('conv_unheard');
    await eventually('the call to be confirmed', () => shown.confirmed);
    const answer = await signed(url, finished('conv_unheard'));
    expect(answer).toMatchObject({ status: 200, result: 'stored' });
    expect(answer.ms).toBeLessThan(PUBLISH_WAIT_MAX_MS + ROOM_MS);
    await eventually('the end to be found by comparison', () => shown.proofs.includes('complete'));
    expect({ troubles: shown.troubles, errors: shown.errors, proofs: shown.proofs }).toEqual({ troubles: [], errors: [], proofs: ['complete'] });
    // What was never published keeps nobody from ending.
    expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
    await relay.end('SIGTERM');
  });

  it('while Cloud Storage refuses everything or never answers: 200 to what is in the log, 503 to what only the bucket would have kept', async () => {
    const throughIt = async (id: string, fault: StorageFault): Promise<void> => {
      const storage = await storageServer({ buckets: ['raw'] });
      after(() => storage.close());
      const { url, child } = await stage.start('webhooks', { STORAGE_EMULATOR_HOST: storage.url });
      storage.fault = () => fault;
      const deliveries = [finished(id), `${id}: this is no JSON`, finished(`${id}_nobody`, 'agent_nobody')];
      const [used, ...others] = await Promise.all(deliveries.map((body) => signed(url, body)));
      expect(used).toMatchObject({ status: 200, result: 'stored' });
      expect(used?.ms).toBeLessThan(RAW_COPY_WAIT_MAX_MS + PUBLISH_WAIT_MAX_MS + ROOM_MS);
      for (const answer of others) {
        expect(answer).toMatchObject({ status: 503, code: 'store_unavailable' });
        expect(answer.ms).toBeLessThan(STORE_AWAY_MAX_MS + ROOM_MS);
      }
      storage.fault = () => null;
      // Each a second time: it reads what it wrote.
      for (const body of [...deliveries.slice(1), ...deliveries.slice(1)]) expect(await signed(url, body)).toMatchObject({ status: 200, result: 'quarantined' });
      expect(storage.objects('raw').filter(({ resource }) => resource.name.startsWith('deliveries/')).length).toBeGreaterThanOrEqual(2);
      expect([await typesOf(id), await stage.stores.callLog.find(`${id}_nobody`)]).toEqual([WHOLE, null]);
      expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
    };
    await Promise.all([throughIt('conv_bucket_refused', { answer: 503, applied: false }), throughIt('conv_bucket_silent', { answer: 'hang', applied: false })]);
  });

  it('finishes a request in the middle of which it is asked to stop', async () => {
    const { url, child } = await stage.start('webhooks');
    expect(await signed(url, finished('conv_before'))).toMatchObject({ status: 200 });
    const body = finished('conv_middle');
    const answer = await new Promise<number>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', connection: 'close', 'content-length': String(Buffer.byteLength(body)), 'elevenlabs-signature': signatureHeader(WEBHOOK_SECRET, Math.floor(Date.now() / 1000), body) };
      const sent = request(url + POST_CALL, { method: 'POST', headers }, (got) => {
        got.resume();
        got.on('end', () => resolve(got.statusCode ?? 0));
      });
      sent.on('error', reject);
      sent.write(body.slice(0, 40), () => {
        // The process has the first half: another request on its own connection was answered after it.
        void signed(url, finished('conv_before')).then(() => {
          child.signal('SIGTERM');
          sent.end(body.slice(40));
        }, reject);
      });
    });
    expect([answer, await child.ended, await typesOf('conv_middle')]).toEqual([200, { code: 0, signal: null }, WHOLE]);
  });
});
