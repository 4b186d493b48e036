/** Every way in which Pub/Sub ends a stream, what goes back on it, and how publications are repeated, on a gRPC server that does what it is told. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { logVerbosity, setLogVerbosity, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openChannel } from '../../ports/event-bus.pubsub-channel.ts';
import { closeClient, stubOf, subscriberOf } from '../../ports/event-bus.pubsub-client.ts';
import { DATA_MAX_BYTES, type PubsubMessage } from '../../ports/event-bus.pubsub-message.ts';
import { keepPulling, type Pulling } from '../../ports/event-bus.pubsub-pulling.ts';
import { pubsubBus } from '../../ports/event-bus.pubsub.ts';
import type { BusMessage, EventBus } from '../../ports/event-bus.ts';
import type { Log } from '../../ports/log.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { startPubsubSource, type PubsubSource, type SourceMessage, type SourceStream } from '../fixtures/pubsub-source.ts';
import { limited } from '../fixtures/relay.ts';

const PATIENCE = { timeout: 20_000 };
const NAME = 'earshot-relay-1';
const KEEP_ALIVE_MS = 30_000;
const KEPT_ALIVE_MAX_MS = 15_000;
const ACK_DELAY_MS = 100;

const said = (n: number): SourceMessage => ({ data: Buffer.from(`text ${n}`), attributes: { kind: 'events', n: String(n) } });
const many = (from: number, count: number): SourceMessage[] => Array.from({ length: count }, (_, place) => said(from + place));

// Google's library looks for a machine of Google's even where it needs no credentials.
beforeEach(() => void vi.stubEnv('METADATA_SERVER_DETECTION', 'none'));

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  vi.unstubAllEnvs();
});
let source: PubsubSource;
beforeEach(async () => {
  source = await startPubsubSource();
  ends.push(() => source.close());
});
const only = (): SourceStream => {
  const [stream] = source.streams;
  if (stream === undefined || source.streams.length > 1) throw new Error(`${source.streams.length} streams are open`);
  return stream;
};
const opened = (count: number): Promise<void> => limited(source.open(count), `${count} streams`);

describe("a subscription's stream", () => {
  let clock: SeededRuntime;
  let pulling: Pulling;
  let taken: string[];
  let failures: number[];

  beforeEach(async () => {
    source.subscriptions.set(NAME, 'projects/p/topics/events');
    const client = subscriberOf({ projectId: 'p', apiEndpoint: source.host });
    ends.push(() => closeClient(client));
    clock = seededRuntime(1);
    taken = [];
    failures = [];
    pulling = keepPulling({
      stub: await stubOf(client),
      subscription: `projects/p/subscriptions/${NAME}`,
      clientId: 'relay-1',
      // Deadlines are gRPC's own, by the clock on the wall; everything else waits for ours.
      runtime: { ...clock, now: () => Date.now() },
      log: null,
      take: ({ data }: PubsubMessage) => void taken.push(data.toString()),
      failed: (code) => void failures.push(code),
    });
    ends.push(() => pulling.close());
    await opened(1);
  });

  /** Has every message that was sent so far. */
  const took = (count: number): Promise<void> => expect.poll(() => taken.length, PATIENCE).toBe(count);
  /** Resolves when the stream is gone on Pub/Sub's side. */
  const gone = (stream: SourceStream): Promise<void> => expect.poll(() => source.streams.includes(stream), PATIENCE).toBe(false);

  it('begins with what it wants and as whom', () => {
    expect(only().requests).toMatchObject([{ subscription: `projects/p/subscriptions/${NAME}`, streamAckDeadlineSeconds: 10, clientId: 'relay-1', ackIds: [] }]);
    expect(only().requests.map(({ maxOutstandingMessages, maxOutstandingBytes, protocolVersion }) => [maxOutstandingMessages, maxOutstandingBytes, protocolVersion].map(Number))).toEqual([[1_000, 33_554_432, 1]]);
  });

  it('acknowledges what came within a tenth of a second in one request, each once', async () => {
    const ids = [...only().send([said(1), said(2)]), ...only().send([said(3)])];
    await took(3);
    clock.advance(ACK_DELAY_MS - 1);
    expect(source.acked).toEqual([]);
    clock.advance(1);
    await expect.poll(() => source.acked.length, PATIENCE).toBe(3);
    expect(source.acked).toEqual(ids);
    expect(only().requests).toHaveLength(2);
    clock.advance(10 * ACK_DELAY_MS);
    const last = only().send([said(4)]);
    await took(4);
    clock.advance(ACK_DELAY_MS);
    await expect.poll(() => source.acked.length, PATIENCE).toBe(4);
    expect(source.acked).toEqual([...ids, ...last]);
    expect(taken).toEqual(['text 1', 'text 2', 'text 3', 'text 4']);
  });

  it('acknowledges without waiting where much comes, so that Pub/Sub does not pause', async () => {
    const ids = [...only().send(many(1, 200)), ...only().send(many(201, 200))];
    await expect.poll(() => source.acked.length, PATIENCE).toBe(400);
    expect(source.acked).toEqual(ids);
  });

  it('hands on what comes twice, and acknowledges both', async () => {
    const ids = [...only().send([said(1)]), ...only().send([said(1)])];
    await took(2);
    clock.advance(ACK_DELAY_MS);
    await expect.poll(() => source.acked.length, PATIENCE).toBe(2);
    expect([taken, source.acked]).toEqual([['text 1', 'text 1'], ids]);
  });

  it.each([
    ['ends it as if all were well', 0],
    ['cancels it', status.CANCELLED],
    ['lets its time run out', status.DEADLINE_EXCEEDED],
    ['has too little', status.RESOURCE_EXHAUSTED],
    ['aborts it', status.ABORTED],
    ['has a fault', status.INTERNAL],
    ['moves it elsewhere', status.UNAVAILABLE],
  ])('is opened again at once where Pub/Sub %s, as the same client, and loses nothing', async (_what, code) => {
    clock.advance(1_000);
    const first = only();
    const ids = first.send([said(1)]);
    await took(1);
    first.end(code);
    await gone(first);
    await opened(1);
    expect(only().requests[0]).toMatchObject({ subscription: `projects/p/subscriptions/${NAME}`, clientId: 'relay-1' });
    // What was not acknowledged on the old one comes again on the new one, and is acknowledged there.
    const again = only().send([said(1), said(2)]);
    await took(3);
    clock.advance(ACK_DELAY_MS);
    await expect.poll(() => source.acked, PATIENCE).toEqual(again);
    expect([taken, failures, source.opened()]).toEqual([['text 1', 'text 1', 'text 2'], [], 2]);
    expect(ids).toHaveLength(1);
  });

  it('is opened again after a pause that grows where it ends at once each time, and at once when it has held', async () => {
    let waited = 0;
    for (let times = 1; times <= 4; times++) {
      const stream = only();
      stream.end(status.UNAVAILABLE);
      await gone(stream);
      // Ours alone waits on this clock, and nothing else begins before.
      await expect.poll(() => clock.nextDue() ?? Infinity, PATIENCE).toBeLessThan(5_000);
      const due = clock.nextDue() ?? 0;
      expect(due).toBeGreaterThanOrEqual(50 * 2 ** (times - 1));
      expect(due).toBeLessThanOrEqual(100 * 2 ** (times - 1));
      expect(source.opened()).toBe(times);
      waited += due;
      clock.advance(due);
      await opened(1);
    }
    expect(waited).toBeGreaterThan(0);
    clock.advance(1_000);
    const held = only();
    held.end(status.UNAVAILABLE);
    await gone(held);
    await opened(1);
    expect([source.opened(), failures]).toEqual([6, []]);
    // And the pauses begin with the shortest again.
    const next = only();
    next.end(status.UNAVAILABLE);
    await gone(next);
    await expect.poll(() => clock.nextDue() ?? Infinity, PATIENCE).toBeLessThanOrEqual(100);
    expect([source.opened(), failures]).toEqual([6, []]);
  });

  it.each([
    ['the subscription is not there', status.NOT_FOUND],
    ['the right to it was taken', status.PERMISSION_DENIED],
    ['nobody is signed in', status.UNAUTHENTICATED],
    ['it was detached', status.FAILED_PRECONDITION],
    ['nobody knows', status.UNKNOWN],
  ])('is not opened again, and says so once, where %s', async (_what, code) => {
    clock.advance(1_000);
    only().end(code);
    await expect.poll(() => failures, PATIENCE).toEqual([code]);
    clock.advance(KEEP_ALIVE_MS * 10);
    pulling.renew();
    expect([source.opened(), failures]).toEqual([1, [code]]);
  });

  it('is asked whether it lives every 30 seconds, and stays while something comes', async () => {
    const stream = only();
    for (let times = 1; times <= 3; times++) {
      clock.advance(times === 1 ? KEEP_ALIVE_MS : KEEP_ALIVE_MS - KEPT_ALIVE_MAX_MS);
      await expect.poll(() => stream.requests.filter(({ ackIds, subscription }) => ackIds.length === 0 && subscription === '').length, PATIENCE).toBe(times);
      // Behind the answer, which nobody sees.
      stream.send([said(times)]);
      await took(times);
      clock.advance(KEPT_ALIVE_MAX_MS);
    }
    expect([source.opened(), only(), failures]).toEqual([1, stream, []]);
  });

  it('is cut and opened again where it does not answer a keep-alive', async () => {
    const stream = only();
    source.treat.keepsAlive = false;
    clock.advance(KEEP_ALIVE_MS);
    await expect.poll(() => stream.requests.length, PATIENCE).toBe(2);
    expect(source.opened()).toBe(1);
    clock.advance(KEPT_ALIVE_MAX_MS);
    await gone(stream);
    await opened(1);
    only().send([said(1)]);
    await took(1);
    expect([source.opened(), failures]).toEqual([2, []]);
  });

  it('is cut where what it brings cannot be read, and the next one is heard', async () => {
    clock.advance(1_000);
    const stream = only();
    stream.write(Buffer.from([0x0a, 0x7f]));
    await gone(stream);
    await opened(1);
    only().send([said(1)]);
    await took(1);
    expect(failures).toEqual([]);
  });

  it('is relieved by another before it goes: what it holds is acknowledged, what is on its way is taken', async () => {
    const old = only();
    const ids = old.send([said(1)]);
    await took(1);
    pulling.renew();
    await expect.poll(() => old.ended(), PATIENCE).toBe(true);
    await opened(1);
    expect([source.opened(), only() === old, source.acked, failures]).toEqual([2, false, ids, []]);
    only().send([said(2)]);
    await took(2);
  });

  it('takes nothing any more when it is closed, and is gone at once', async () => {
    const stream = only();
    pulling.close();
    stream.send([said(1)]);
    await gone(stream);
    clock.advance(KEEP_ALIVE_MS * 10);
    expect([taken, failures, source.opened()]).toEqual([[], [], 1]);
  });

  it('is not opened again when it is closed while it waits to be', async () => {
    const stream = only();
    stream.end(status.UNAVAILABLE);
    await gone(stream);
    await expect.poll(() => clock.nextDue() ?? Infinity, PATIENCE).toBeLessThan(5_000);
    pulling.close();
    clock.advance(KEEP_ALIVE_MS);
    expect([clock.nextDue(), source.opened(), failures]).toEqual([null, 1, []]);
  });

  it('is one alone when it is relieved while it waits to be opened again', async () => {
    const stream = only();
    stream.end(status.UNAVAILABLE);
    await gone(stream);
    await expect.poll(() => clock.nextDue() ?? Infinity, PATIENCE).toBeLessThan(5_000);
    pulling.renew();
    await opened(1);
    clock.advance(5_000);
    only().send([said(1)]);
    await took(1);
    expect([source.opened(), source.streams.length]).toEqual([2, 1]);
  });

  it('goes on when the server asks to go elsewhere, and is opened again over another connection', async () => {
    clock.advance(1_000);
    const stream = only();
    source.sendAway();
    stream.send([said(1)]);
    await took(1);
    stream.end(status.UNAVAILABLE);
    await gone(stream);
    await opened(1);
    only().send([said(2)]);
    await took(2);
    expect([taken, failures, source.opened()]).toEqual([['text 1', 'text 2'], [], 2]);
  });

  it('takes as much in one response as Pub/Sub lets be published, and more', async () => {
    const data = Buffer.alloc(10 * 1024 * 1024, 'x');
    const ids = only().send([{ data, attributes: {} }, said(2)]);
    await took(2);
    expect([taken[0]?.length, taken[1]]).toEqual([data.length, 'text 2']);
    clock.advance(ACK_DELAY_MS);
    await expect.poll(() => source.acked, PATIENCE).toEqual(ids);
  });

  it('comes back by itself when the server was gone', async () => {
    clock.advance(1_000);
    source.close();
    await expect.poll(() => source.streams, PATIENCE).toEqual([]);
    source = await startPubsubSource(source.port);
    source.subscriptions.set(NAME, 'projects/p/topics/events');
    await expect.poll(() => (clock.advance(5_000), source.streams.length), PATIENCE).toBe(1);
    only().send([said(1)]);
    await took(1);
    expect(failures).toEqual([]);
  });
});

describe('the Pub/Sub bus', () => {
  const message: BusMessage = { kind: 'rights', tenant: 't1', user: null };
  let bus: EventBus;
  beforeEach(() => {
    bus = busAt(source.host);
  });
  const busAt = (apiEndpoint: string, log?: Log, runtime: Runtime = systemRuntime()): EventBus => {
    const life = { renew: async () => true, takeOver: async () => false, gone: async () => undefined };
    const made = pubsubBus({ projectId: 'p', topic: 'events', apiEndpoint, runtime, life, ...(log === undefined ? {} : { log }) });
    ends.push(() => made.close());
    return made;
  };
  const refuse = (...fates: (number | 'hang')[]): void => {
    source.treat.publish = () => fates.shift() ?? 0;
  };

  it('keeps its subscription when the stream ends, and hears what was published meanwhile', async () => {
    const heard: BusMessage[] = [];
    await bus.subscribe((each) => heard.push(each));
    await opened(1);
    const [name] = source.subscriptions.keys();
    only().end(status.UNAVAILABLE);
    await expect.poll(() => source.opened(), PATIENCE).toBe(2);
    await opened(1);
    await bus.publish(message);
    await expect.poll(() => heard, PATIENCE).toEqual([message]);
    expect([...source.subscriptions.keys()]).toEqual([name]);
    // Acknowledged by a clock that nobody holds.
    await expect.poll(() => source.acked.length, PATIENCE).toBe(1);
  });

  it.each([status.CANCELLED, status.UNKNOWN, status.RESOURCE_EXHAUSTED, status.ABORTED, status.INTERNAL, status.UNAVAILABLE])('publishes again after status %i, over the same connection', async (code) => {
    refuse(code, code);
    await bus.publish(message);
    expect([source.published.length, source.publishers.length, new Set(source.publishers).size]).toEqual([1, 3, 1]);
  });

  it.each([status.NOT_FOUND, status.PERMISSION_DENIED, status.UNAUTHENTICATED, status.INVALID_ARGUMENT, status.FAILED_PRECONDITION])('rejects a publication at once after status %i', async (code) => {
    refuse(code);
    await expect(bus.publish(message)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([source.published.length, source.publishers.length]).toEqual([0, 1]);
  });

  it('publishes again over another connection where nobody answered on the one it had', async () => {
    await bus.publish(message);
    refuse('hang');
    await bus.publish(message);
    expect(source.published).toHaveLength(2);
    const [first, second, third] = source.publishers;
    expect([second, third === first]).toEqual([first, false]);
    await bus.publish(message);
    expect(source.publishers[3]).toBe(third);
  });

  it('goes on publishing when the server comes back', async () => {
    await bus.publish(message);
    const { port } = source;
    source.close();
    const asked = bus.publish(message);
    source = await startPubsubSource(port);
    ends.push(() => source.close());
    await asked;
    expect(source.published).toHaveLength(1);
  });

  it('publishes as much as one message may hold', async () => {
    const texts = ['x'.repeat(DATA_MAX_BYTES - 1)];
    await bus.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: 1, texts, at: 1 });
    expect(source.published.map(({ data }) => data.length)).toEqual([DATA_MAX_BYTES - 1]);
  });

  it('says of a publication that was refused its status and nothing of what it held', async () => {
    const lines: unknown[] = [];
    const note = (...line: unknown[]): void => void lines.push(line);
    const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
    const telling = busAt(source.host, log);
    refuse(status.PERMISSION_DENIED);
    await expect(telling.publish({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'x', text: '{"text":"said in confidence"}', at: 1 })).rejects.toMatchObject({ code: 'store_unavailable', message: expect.not.stringMatching(/confidence|test says/) as string });
    expect(lines).toEqual([['A publication failed', { status: status.PERMISSION_DENIED }]]);
  });

  it.each([
    ['a URL', (host: string) => `http://${host}`],
    ['a URL with a slash', (host: string) => `http://${host}/`],
  ])("finds an emulator that is named as %s, as Google's own client does", async (_what, named) => {
    const far = busAt(named(source.host));
    const heard: BusMessage[] = [];
    await far.subscribe((each) => heard.push(each));
    await opened(1);
    await far.publish(message);
    await expect.poll(() => heard, PATIENCE).toEqual([message]);
  });

  it('looks for credentials where the environment names an emulator by an empty word, and never speaks in clear', async () => {
    for (const [name, value] of Object.entries({ PUBSUB_EMULATOR_HOST: '', GOOGLE_APPLICATION_CREDENTIALS: '', HOME: '/nowhere', APPDATA: '/nowhere' })) vi.stubEnv(name, value);
    const channel = openChannel({ projectId: 'p', apiEndpoint: undefined });
    await expect(channel.stub).rejects.toThrow(/default credentials/);
    await channel.close();
  });

  it("publishes through Google's own front end as soon as there are credentials, though there were none before", async () => {
    // What was about to connect as its bus was closed finds no proxy, and gRPC itself writes a line of that.
    setLogVerbosity(logVerbosity.NONE);
    const asked: (string | undefined)[] = [];
    const proxy = createServer().on('connect', ({ url }, socket: Duplex) => {
      asked.push(url);
      // Nobody is there who could show that it is Google.
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 200 OK\r\n\r\n');
    });
    await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
    ends.push(() => proxy.close());
    const folder = mkdtempSync(join(tmpdir(), 'earshot-pubsub-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    for (const name of ['PUBSUB_EMULATOR_HOST', 'GOOGLE_APPLICATION_CREDENTIALS', 'no_grpc_proxy', 'no_proxy']) vi.stubEnv(name, '');
    for (const name of ['HOME', 'APPDATA']) vi.stubEnv(name, folder);
    vi.stubEnv('grpc_proxy', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const cloud = busAt('');
    await expect(cloud.publish(message)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(asked).toEqual([]);
    const file = join(folder, 'credentials.json');
    writeFileSync(file, JSON.stringify({ type: 'authorized_user', client_id: 'x', client_secret: 'x', refresh_token: 'x' }));
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', file);
    const refused = expect(cloud.publish(message)).rejects.toMatchObject({ code: 'store_unavailable' });
    await expect.poll(() => asked.length, PATIENCE).toBeGreaterThan(0);
    await cloud.close();
    await refused;
    expect(new Set(asked)).toEqual(new Set(['pubsub.googleapis.com:443']));
  });

  it.each([
    ['was refused', status.UNAVAILABLE],
    ['was not answered', 'hang'],
  ] as const)('tries no more when it is closed while a publication that %s waits for its next attempt', async (_what, fate) => {
    const clock = seededRuntime(1);
    const waiting = busAt(source.host, undefined, { ...clock, now: () => Date.now() });
    refuse(fate);
    const asked = waiting.publish(message).then(
      () => 'published',
      (error: unknown) => (error as { readonly code?: unknown }).code,
    );
    await expect.poll(() => clock.nextDue() ?? Infinity, PATIENCE).toBeLessThan(1_000);
    await waiting.close();
    expect(await asked).toBe('store_unavailable');
    expect([source.published.length, source.publishers.length]).toEqual([0, 1]);
  });

  it('cuts what is under way when it is closed, and publishes nothing any more', async () => {
    // Neither a deadline nor a wait ends it.
    const patient = busAt(source.host, undefined, { ...seededRuntime(1), now: () => Date.now() + 3_600_000 });
    refuse('hang');
    const asked = patient.publish(message).then(
      () => 'published',
      (error: unknown) => (error as { readonly code?: unknown }).code,
    );
    await expect.poll(() => source.publishers.length, PATIENCE).toBe(1);
    await patient.close();
    expect(await asked).toBe('store_unavailable');
    await expect(patient.publish(message)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect([source.published.length, source.publishers.length]).toEqual([0, 1]);
  });
});
