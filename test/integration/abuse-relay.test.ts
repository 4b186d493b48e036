import { createHmac } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUFFER_HIGH_WATER_BYTES, FRAME_MAX_BYTES, MESSAGE_BUCKET_SIZE } from '../../core/protocol/limits.ts';
import { memoryOf, startAbuseStage, startObserved, type AbuseStage } from '../fixtures/abuse.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { freePort } from '../../local/free-port.ts';
import { dataFolder, eventually, startChild } from '../fixtures/processes.ts';
import { framesIn, type SentFrames } from '../fixtures/raw-frames.ts';
import { rawExchange, requestHead } from '../fixtures/raw-http.ts';
import { maskedFrame, rawUpgrade, type RawSocket } from '../fixtures/raw-socket.ts';
import { limited, openClient, startRelay, type TestClient } from '../fixtures/relay.ts';
import { INGEST_KEY, SECRET, storeTenants, tokenOf, withLog } from '../fixtures/stored-data.ts';
import { startViewer } from '../fixtures/viewer.ts';

const ORIGIN = 'https://desk.example.com';
const KIBIBYTE = 1024;
const MEBIBYTE = 1024 * KIBIBYTE;
const TEXT = 0x81;

let stage: AbuseStage;
let token = '';
const endings: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  stage = await startAbuseStage((end) => endings.push(end), { ALLOWED_ORIGINS: ORIGIN });
  token = await stage.token();
});
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' };
/** A good upgrade with changes; null takes a header away, a list repeats it. */
const upgrade = (line: string, changes: Record<string, string | readonly string[] | null> = {}): string =>
  requestHead(line, Object.entries<string | readonly string[] | null>({ ...UPGRADE, 'sec-websocket-protocol': `earshot.v1, bearer.${token}`, ...changes }).flatMap(([name, value]) => (value === null ? [] : [value].flat().map((each) => [name, each] as const))));
const raw = (protocols = `earshot.v1, bearer.${token}`): Promise<RawSocket> => rawUpgrade(stage.port, '/ws', { 'sec-websocket-protocol': protocols });
const client = (protocols: string[] = ['earshot.v1', `bearer.${token}`]): TestClient => openClient(`${stage.url.replace('http', 'ws')}/ws`, { protocols });
const errorsIn = ({ frames }: SentFrames): unknown[] => frames.flatMap((frame) => (frame['type'] === 'error' ? [frame['code']] : []));
const eventsIn = ({ texts, frames }: TestClient): string[] => texts.filter((_text, place) => frames[place]?.['seq'] !== undefined);
const seqsIn = (frames: readonly Record<string, unknown>[]): unknown[] => frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, place) => place + 1);

const say = async (url: string, conversation: string, text: string): Promise<void> => {
  const answer = await fetch(`${url}/webhooks/elevenlabs/transcription`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${INGEST_KEY}` },
    body: JSON.stringify({ conversation_id: conversation, agent_id: 'agent1', speaker: 'agent', text, turn_id: text }),
    signal: AbortSignal.timeout(30_000),
  });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`a turn was answered ${answer.status}`);
};
/** A finished call of `count` turns, each of `bytes`; its events are as many and three more. */
const tell = async (conversation: string, count: number, bytes: number): Promise<void> => {
  const transcript = Array.from({ length: count }, (_, place) => ({ role: 'agent', message: `${place} ${'x'.repeat(bytes)}`, time_in_call_secs: place }));
  const body = JSON.stringify({ type: 'post_call_transcription', event_timestamp: 1_760_000_000, data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript } });
  const t = Math.floor(Date.now() / 1000);
  const signature = `t=${t},v0=${createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex')}`;
  const answer = await fetch(`${stage.url}/webhooks/elevenlabs/post-call`, { method: 'POST', headers: { 'content-type': 'application/json', 'elevenlabs-signature': signature }, body, signal: AbortSignal.timeout(30_000) });
  await answer.arrayBuffer();
  if (answer.status !== 200) throw new Error(`the end was answered ${answer.status}`);
};

describe('a bad upgrade', () => {
  const many = (count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, place) => [`x-${place}`, 'a']));
  it.each<[string, () => string | Buffer, number, string | null]>([
    ['an unknown path', () => upgrade('GET /elsewhere HTTP/1.1'), 404, 'not_found'],
    ['a path in other letters', () => upgrade('GET /WS HTTP/1.1'), 404, 'not_found'],
    ['a slash after the path', () => upgrade('GET /ws/ HTTP/1.1'), 404, 'not_found'],
    ['a NUL after the path', () => upgrade('GET /ws%00 HTTP/1.1'), 404, 'not_found'],
    ['a path that is another host', () => upgrade('GET //evil.example/ws HTTP/1.1'), 404, 'not_found'],
    ['an absolute URI of another path', () => upgrade('GET http://127.0.0.1/elsewhere HTTP/1.1'), 404, 'not_found'],
    ['an old version', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-version': '8' }), 426, 'upgrade_required'],
    ['no version', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-version': null }), 426, 'upgrade_required'],
    ['two versions', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-version': ['13', '8'] }), 426, 'upgrade_required'],
    ['another protocol', () => upgrade('GET /ws HTTP/1.1', { upgrade: 'h2c' }), 426, 'upgrade_required'],
    ['a plain request', () => requestHead('GET /ws HTTP/1.1'), 426, 'upgrade_required'],
    ['POST', () => upgrade('POST /ws HTTP/1.1'), 426, 'upgrade_required'],
    ['HEAD', () => upgrade('HEAD /ws HTTP/1.1'), 426, 'upgrade_required'],
    ['HTTP/1.0', () => upgrade('GET /ws HTTP/1.0'), 426, 'upgrade_required'],
    ['a foreign origin', () => upgrade('GET /ws HTTP/1.1', { origin: 'https://evil.example' }), 403, 'origin_not_allowed'],
    ['an origin that begins like an allowed one', () => upgrade('GET /ws HTTP/1.1', { origin: `${ORIGIN}.evil.example` }), 403, 'origin_not_allowed'],
    ['an allowed origin in capital letters', () => upgrade('GET /ws HTTP/1.1', { origin: ORIGIN.toUpperCase() }), 403, 'origin_not_allowed'],
    ['an allowed origin by another scheme', () => upgrade('GET /ws HTTP/1.1', { origin: ORIGIN.replace('https', 'http') }), 403, 'origin_not_allowed'],
    ['an allowed origin on another port', () => upgrade('GET /ws HTTP/1.1', { origin: `${ORIGIN}:8443` }), 403, 'origin_not_allowed'],
    ['an allowed origin and a foreign one', () => upgrade('GET /ws HTTP/1.1', { origin: [ORIGIN, 'https://evil.example'] }), 403, 'origin_not_allowed'],
    ['the origin null', () => upgrade('GET /ws HTTP/1.1', { origin: 'null' }), 403, 'origin_not_allowed'],
    ['an empty origin', () => upgrade('GET /ws HTTP/1.1', { origin: '' }), 403, 'origin_not_allowed'],
    ['no key', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-key': null }), 400, null],
    ['a key that is none', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-key': 'x' }), 400, null],
    ['two keys', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-key': [UPGRADE['sec-websocket-key'], UPGRADE['sec-websocket-key']] }), 400, null],
    ['subprotocols that are no words', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-protocol': 'earshot v1' }), 400, null],
    ['one subprotocol twice', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-protocol': 'earshot.v1, earshot.v1' }), 400, null],
    ['three thousand headers', () => upgrade('GET /ws HTTP/1.1', many(3_000)), 431, null],
    ['a header of 20 KiB', () => upgrade('GET /ws HTTP/1.1', { cookie: 'x'.repeat(20 * KIBIBYTE) }), 431, null],
    ['a query of 20 KiB', () => upgrade(`GET /ws?token=${'x'.repeat(20 * KIBIBYTE)} HTTP/1.1`), 431, null],
    ['a header without a colon', () => 'GET /ws HTTP/1.1\r\nhost: x\r\nbroken\r\n\r\n', 400, null],
    ['a NUL in a header', () => 'GET /ws HTTP/1.1\r\nhost: x\r\ncookie: \0\r\n\r\n', 400, null],
    ['a TLS hello', () => Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]), 400, null],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, null],
    ['a wish to be a proxy', () => requestHead('CONNECT evil.example:443 HTTP/1.1'), 0, null],
  ])('with %s is refused by HTTP', async (_name, make, status, code) => {
    await stage.abuse(async () => {
      const answer = await rawExchange(stage.port, make());
      expect([answer.status, make().toString().startsWith('HEAD') ? code : answer.code]).toEqual([status, code]);
      if (status === 426) expect(answer.headers).toMatchObject({ upgrade: 'websocket', 'sec-websocket-version': '13' });
    });
  });

  it.each<[string, () => string]>([
    ['an allowed origin', () => upgrade('GET /ws HTTP/1.1', { origin: ORIGIN })],
    ['no origin', () => upgrade('GET /ws HTTP/1.1')],
    ['an absolute URI, as RFC 9112 has every server take it', () => upgrade('GET http://127.0.0.1/ws HTTP/1.1')],
    ['five hundred headers', () => upgrade('GET /ws HTTP/1.1', many(500))],
    ['compression offered', () => upgrade('GET /ws HTTP/1.1', { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' })],
  ])('is not one with %s', async (_name, make) => {
    await stage.abuse(async () => {
      const answer = await rawExchange(stage.port, make());
      expect([answer.status, answer.headers['sec-websocket-protocol'], answer.headers['sec-websocket-extensions']]).toEqual([101, 'earshot.v1', undefined]);
    });
  });
});

describe('a client that does not say who it is', () => {
  it('is closed as token_missing after five seconds, however many there are', async () => {
    await stage.abuse(
      async () => {
        const silent = client(['earshot.v1']);
        const closed = await eventually('a silent socket to be closed', () => silent.ws.readyState === silent.ws.CLOSED && silent.closed);
        expect([closed.code, silent.frames]).toMatchObject([4501, [{ type: 'error', code: 'token_missing' }]]);
      },
      { times: 150, atOnce: 150 },
    );
  });

  it.each<[string, string, string, number]>([
    ['subscribes first', JSON.stringify({ subscribe: 'conv_bystander' }), 'token_missing', 4501],
    ['says what is no JSON', '{', 'token_missing', 4501],
    ['says a token that is no text', JSON.stringify({ auth: 5 }), 'token_missing', 4501],
    ['says more than four kilobytes', JSON.stringify({ auth: 'x'.repeat(5_000) }), 'payload_too_large', 4500],
  ])('is closed at once where it %s', async (_name, message, code, closeCode) => {
    await stage.abuse(async () => {
      const socket = await raw('earshot.v1');
      socket.frame(TEXT, message);
      const sent = framesIn(await socket.ended);
      expect([sent.frames, sent.closeCode]).toMatchObject([[{ type: 'error', code }], closeCode]);
    });
  });

  it('is heard once it says so as its first message, and again', async () => {
    const others = await stage.token('theo', 't2', ['admin', 'dispatcher']);
    await stage.abuse(async () => {
      const late = client(['earshot.v1']);
      await limited(new Promise((resolve) => void late.ws.once('open', resolve)), 'the socket to open');
      late.send({ auth: token });
      late.send({ auth: token, id: 'again' });
      late.send({ auth: others, id: 'another' });
      late.send({ auth: 'e30.e30.e30', id: 'bad' });
      late.send({ ping: 'end' });
      await late.next('pong');
      const told = late.frames.filter(({ type }) => type !== 'heartbeat').map((frame) => (frame['data'] as { event?: string } | undefined)?.event ?? frame['code'] ?? frame['type']);
      expect(told).toEqual(['connection_established', 'token_accepted', 'different_subject', 'token_invalid', 'pong']);
      late.close();
      expect((await late.closed).code).toBe(1005);
    }, { times: 30 });
  });

  it('with two good tokens at once is who the first one says', async () => {
    const others = await stage.token('theo', 't2', ['admin', 'dispatcher']);
    await stage.abuse(async () => {
      const both = openClient(`${stage.url.replace('http', 'ws')}/ws?token=${others}`, { protocols: ['earshot.v1', `bearer.${token}`, `bearer.${others}`] });
      expect(await both.next('system_message')).toMatchObject({ data: { user: 'user-anna', tenant: 't1' } });
      both.close();
      await both.closed;
    }, { times: 30 });
  });
});

describe('bytes that break the protocol', () => {
  const pieces = (count: number): Buffer => Buffer.concat([maskedFrame(0x01, Buffer.from(' ')), ...Array.from({ length: count }, () => maskedFrame(0x00, Buffer.from(' ')))]);
  const declared = (bytes: bigint): Buffer => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(bytes);
    return Buffer.concat([Buffer.from([TEXT, 0xff]), length, Buffer.from([1, 2, 3, 4])]);
  };
  it.each<[string, Buffer, number, readonly string[]]>([
    ['an unmasked frame', Buffer.from([TEXT, 2, 0x7b, 0x7d]), 1002, []],
    ['the first reserved bit', maskedFrame(TEXT | 0x40, Buffer.from('{}')), 1002, []],
    ['the second reserved bit', maskedFrame(TEXT | 0x20, Buffer.from('{}')), 1002, []],
    ['the third reserved bit', maskedFrame(TEXT | 0x10, Buffer.from('{}')), 1002, []],
    ['a reserved opcode', maskedFrame(0x83, Buffer.from('{}')), 1002, []],
    ['a reserved control opcode', maskedFrame(0x8b, Buffer.from('')), 1002, []],
    ['a control frame in pieces', maskedFrame(0x09, Buffer.from('x')), 1002, []],
    ['a ping of more than 125 bytes', maskedFrame(0x89, Buffer.alloc(126)), 1002, []],
    ['a piece that continues nothing', maskedFrame(0x80, Buffer.from('{}')), 1002, []],
    ['a message within a message', Buffer.concat([maskedFrame(0x01, Buffer.from('{')), maskedFrame(TEXT, Buffer.from('{}'))]), 1002, []],
    ['a close code that is none', maskedFrame(0x88, Buffer.from([0x03, 0xed])), 1002, []],
    ['a close frame of one byte', maskedFrame(0x88, Buffer.from([3])), 1002, []],
    ['text that is not UTF-8', maskedFrame(TEXT, Buffer.from([0xc3, 0x28])), 1007, []],
    ['half a surrogate pair as UTF-8', maskedFrame(TEXT, Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), 1007, []],
    ['a character cut at the end of the message', maskedFrame(TEXT, Buffer.from([0xe2, 0x82])), 1007, []],
    ['a close reason that is not UTF-8', maskedFrame(0x88, Buffer.from([0x03, 0xe8, 0xc3, 0x28])), 1007, []],
    ['a message over 16 KiB', maskedFrame(TEXT, Buffer.alloc(16 * KIBIBYTE + 1, 0x20)), 1009, []],
    ['a message that says it has a terabyte', declared(2n ** 40n), 1009, []],
    ['a message that says it has more than numbers can tell', declared(2n ** 63n), 1009, []],
    ['pieces that together are over 16 KiB', Buffer.concat([maskedFrame(0x01, Buffer.alloc(9_000, 0x20)), maskedFrame(0x80, Buffer.alloc(9_000, 0x20))]), 1009, []],
    ['a message in more than eight pieces', pieces(9), 1008, []],
    ['a flood of pieces', pieces(2_000), 1008, []],
    ['a flood of empty pieces', Buffer.concat([maskedFrame(0x01, Buffer.alloc(0)), ...Array.from({ length: 2_000 }, () => maskedFrame(0x00, Buffer.alloc(0)))]), 1008, []],
    ['a binary message', maskedFrame(0x82, Buffer.from('{}')), 4500, ['invalid_message']],
    ['a flood of messages', Buffer.concat(Array.from({ length: MESSAGE_BUCKET_SIZE + 60 }, () => maskedFrame(TEXT, Buffer.from('{"ping":1}')))), 4003, ['rate_limited']],
    ['a flood of pings', Buffer.concat(Array.from({ length: MESSAGE_BUCKET_SIZE + 60 }, () => maskedFrame(0x89, Buffer.alloc(0)))), 4003, ['rate_limited']],
  ])('end their own connection alone: %s', async (_name, bytes, code, errors) => {
    await stage.abuse(async () => {
      const socket = await raw();
      socket.socket.write(bytes);
      const sent = framesIn(await socket.ended);
      expect([sent.closeCode, errorsIn(sent)]).toEqual([code, errors]);
    }, { times: 30 });
  });

  it('are none where the client closes, pongs unasked or sends an empty ping', async () => {
    await stage.abuse(async () => {
      const socket = await raw();
      socket.frame(0x8a, 'unasked');
      socket.frame(0x89, 'x');
      socket.frame(0x88, Buffer.from([0x03, 0xe8]));
      const sent = framesIn(await socket.ended);
      expect([sent.closeCode, errorsIn(sent)]).toEqual([1000, []]);
    }, { times: 30 });
  });
});

describe('messages that make no sense', () => {
  it('are answered with an error, one by one, and the session goes on', async () => {
    const deep = 8_000;
    const odd = ['', '{', 'null', '[]', '"x"', '{}', '{"subscribe":null}', '{"subscribe":[]}', '{"subscribe":""}', '{"subscribe":"a","more":1}', '{"subscribe":"a","unsubscribe":"b"}', '{"__proto__":{"subscribe":"a"}}', '{"constructor":1}', `{"ping":${'['.repeat(deep)}${']'.repeat(deep)}}`, '{"watch":"everything"}', `{"subscribe":"${'x'.repeat(321)}"}`];
    await stage.abuse(async () => {
      const socket = await raw();
      for (const text of odd) socket.frame(TEXT, text);
      socket.frame(TEXT, '{"ping":"end"}');
      socket.frame(0x88, Buffer.from([0x03, 0xe8]));
      const sent = framesIn(await socket.ended);
      expect(errorsIn(sent)).toEqual(odd.map(() => 'invalid_message'));
      expect(sent.frames.at(-1)).toEqual({ type: 'pong', ping: 'end' });
    }, { times: 30 });
  });

  it('that ask for hundreds of calls at once are answered within the bucket, then closed as rate_limited', async () => {
    const storm = (first: number): string => JSON.stringify({ subscribe: Array.from({ length: 100 }, (_, place) => `EL_storm_${first + place}`) });
    await stage.abuse(async () => {
      const socket = await raw();
      for (const first of [0, 100, 200]) socket.frame(TEXT, storm(first));
      const sent = framesIn(await socket.ended);
      expect([sent.closeCode, errorsIn(sent)]).toEqual([4003, [...Array.from({ length: 200 }, () => 'call_not_found'), 'rate_limited']]);
    }, { times: 40, atOnce: 8 });
  });

  it('that ask for one call over and over are each confirmed, and the call is fed once from the last of them', async () => {
    await tell('conv_over', 3, 10);
    await stage.abuse(async () => {
      const one = client();
      await one.next('system_message');
      for (let time = 0; time < 100; time++) one.send({ subscribe: 'conv_over', id: time });
      one.send({ ping: 'end' });
      await one.next('pong');
      const last = one.frames.findLastIndex(({ type }) => type === 'subscription_confirmed');
      expect(one.frames[last]).toMatchObject({ id: 99, last_seq: 6 });
      await eventually('the history after the last confirmation', () => seqsIn(one.frames.slice(last)).length >= 6);
      expect(seqsIn(one.frames.slice(last))).toEqual(upTo(6));
      one.close();
      await one.closed;
    }, { times: 20, atOnce: 4 });
  });

  const epochOf = async (): Promise<string> => {
    const call = await withLog(stage.dataDir, (log) => log.find('conv_over'));
    return call === null || call === 'erased' ? '' : call.epoch;
  };
  it.each<[string, string, 'invalid_message' | 'invalid_position' | 'ahead_of_log' | 'epoch_changed']>([
    ['-1', '-1', 'invalid_position'],
    ['a fraction', '1.5', 'invalid_position'],
    ['2^53', '9007199254740992', 'invalid_position'],
    ['-2^53', '-9007199254740992', 'invalid_position'],
    ['1e300', '1e300', 'invalid_position'],
    ['one beyond the head', '7', 'ahead_of_log'],
    ['the largest whole number', '9007199254740991', 'ahead_of_log'],
    ['NaN', 'NaN', 'invalid_message'],
    ['1e400', '1e400', 'invalid_message'],
    ['text', '"3"', 'invalid_message'],
    ['null', 'null', 'invalid_message'],
    ['a list', '[3]', 'invalid_message'],
    ['true', 'true', 'invalid_message'],
  ])('with the seq %s are refused, or the call starts over and says why', async (_name, seq, outcome) => {
    const epoch = await epochOf();
    await stage.abuse(async () => {
      const socket = await raw();
      socket.frame(TEXT, `{"subscribe":"conv_over","since":{"epoch":${JSON.stringify(epoch)},"seq":${seq}}}`);
      if (outcome === 'invalid_message') socket.frame(0x88, Buffer.from([0x03, 0xe8]));
      else socket.socket.on('data', (chunk: Buffer) => chunk.includes('call_sealed') && socket.frame(0x88, Buffer.from([0x03, 0xe8])));
      const sent = framesIn(await socket.ended);
      if (outcome === 'invalid_message') expect([errorsIn(sent), seqsIn(sent.frames)]).toEqual([['invalid_message'], []]);
      else expect([sent.frames.find(({ type }) => type === 'subscription_confirmed'), seqsIn(sent.frames)]).toMatchObject([{ recovered: false, reason: outcome, last_seq: 6 }, upTo(6)]);
    }, { times: 30 });
  });

  it('with a seq of -0 or at the head are good positions', async () => {
    const epoch = await epochOf();
    await stage.beside(async () => {
      for (const [seq, rest] of [['-0', upTo(6)], ['6', []], ['5', [6]], ['5.0', [6]]] as const) {
        const one = client();
        await one.next('system_message');
        one.send(`{"subscribe":"conv_over","since":{"epoch":${JSON.stringify(epoch)},"seq":${seq}}}`);
        expect(await one.next('subscription_confirmed')).toMatchObject({ recovered: true });
        one.send({ ping: 'end' });
        await one.next('pong');
        await eventually('what follows', () => seqsIn(one.frames).length >= rest.length);
        expect(seqsIn(one.frames)).toEqual(rest);
        one.close();
        await one.closed;
      }
    });
  });
});

describe('a reader that does not read', () => {
  const TURNS = 900;
  const BYTES = 8_000;
  /** Connects by hand, asks for a call, and from then on takes nothing. */
  const deaf = async (): Promise<Socket> => {
    const socket = createConnection({ port: stage.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await new Promise<void>((resolve) => void socket.once('connect', resolve));
    socket.pause();
    socket.write(upgrade('GET /ws HTTP/1.1'));
    socket.write(maskedFrame(TEXT, Buffer.from('{"subscribe":"conv_fat"}')));
    return socket;
  };
  beforeAll(async () => {
    await tell('conv_fat', TURNS, BYTES);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['never', () => undefined],
    [
      'but a byte now and then',
      (socket) => {
        const timer = setInterval(() => {
          socket.read(1);
        }, 50);
        socket.on('close', () => clearInterval(timer));
      },
    ],
  ])('(%s) holds no more than its high-water mark, and nothing once it has gone', async (_how, slowly) => {
    const READERS = 40;
    await stage.beside(async () => {
      const before = await memoryOf(stage.child);
      const readers = await Promise.all(Array.from({ length: READERS }, deaf));
      readers.forEach(slowly);
      // The relay answers others, so it has had its turn to feed these.
      const quick = client();
      await quick.next('system_message');
      quick.send({ subscribe: 'conv_fat' });
      await eventually('a quick reader of the same call to have it whole', () => seqsIn(quick.frames).length === TURNS + 3);
      expect(seqsIn(quick.frames)).toEqual(upTo(TURNS + 3));
      quick.close();
      await quick.closed;
      // The ring's 256 frames and a page of a thousand events are shared; what is not shared is one buffer for each reader. Unbounded it would be seven megabytes for each.
      const shared = 2 * (TURNS + 3) * (BYTES + KIBIBYTE);
      const most = shared + READERS * (BUFFER_HIGH_WATER_BYTES + FRAME_MAX_BYTES + 32 * KIBIBYTE);
      // Until each is stuck, pages of the log are on their way to some of them; what is held for who does not read stays.
      await eventually('what is held for them to be bounded', async () => (await memoryOf(stage.child)).held - before.held < most);
      for (const reader of readers) reader.resetAndDestroy();
      await eventually('their memory to be let go of', async () => (await memoryOf(stage.child)).held - before.held < 500 * KIBIBYTE);
    });
  });

  it('because its process was stopped gets everything once it goes on', async () => {
    const code = `
      const seqs = [];
      const ws = new WebSocket(process.env.URL, ['earshot.v1', 'bearer.' + process.env.TOKEN]);
      ws.onmessage = ({ data }) => {
        const frame = JSON.parse(data);
        if (frame.data?.event === 'connection_established') ws.send(JSON.stringify({ subscribe: 'conv_stopped' }));
        if (frame.type === 'subscription_confirmed') console.log('watching');
        if (frame.seq !== undefined) seqs.push(frame.seq);
        if (frame.type === 'call_sealed') console.log('has ' + seqs.length + ' in order: ' + seqs.every((seq, place) => seq === place + 1));
      };
      ws.onclose = ({ code }) => console.log('closed ' + code);`;
    await say(stage.url, 'conv_stopped', 'Hello');
    const stopped = await startChild(['-e', code], { URL: `${stage.url.replace('http', 'ws')}/ws`, TOKEN: token }, /watching/);
    await stage.beside(async () => {
      stopped.signal('SIGSTOP');
      for (let turn = 0; turn < 100; turn++) await say(stage.url, 'conv_stopped', `${turn} ${'x'.repeat(BYTES)}`);
      await tell('conv_stopped', 800, BYTES);
      stopped.signal('SIGCONT');
      await eventually('the process to have it all', () => /has \d+ in order: true/.test(stopped.output()));
    });
    const logged = await withLog(stage.dataDir, (log) => wholeCall(log, 'EL_conv_stopped'));
    expect(stopped.output()).toContain(`has ${logged.events.length} in order: true`);
    expect(stopped.output()).not.toContain('closed');
  });

  it('because it vanishes, at whatever moment, leaves nothing', async () => {
    const moments: ((socket: Socket) => void)[] = [
      () => undefined,
      (socket) => socket.write('GET /ws HT'),
      (socket) => socket.write(upgrade('GET /ws HTTP/1.1')),
      (socket) => socket.write(Buffer.concat([Buffer.from(upgrade('GET /ws HTTP/1.1')), Buffer.from([TEXT])])),
      (socket) => socket.write(Buffer.concat([Buffer.from(upgrade('GET /ws HTTP/1.1')), maskedFrame(TEXT, Buffer.from('{"subscribe":"conv_fat"}')).subarray(0, 9)])),
      (socket) => socket.write(Buffer.concat([Buffer.from(upgrade('GET /ws HTTP/1.1')), maskedFrame(TEXT, Buffer.from('{"subscribe":"conv_over"}'))])),
      (socket) => socket.write(Buffer.concat([Buffer.from(upgrade('GET /ws HTTP/1.1')), maskedFrame(TEXT, Buffer.from('{"watch":"board"}'))])),
      (socket) => socket.write(`${requestHead('POST /poll HTTP/1.1', [['authorization', `Bearer ${token}`], ['content-length', '60']])}{"calls":[{"id":"conv_over"}],"wait":25}${' '.repeat(20)}`),
    ];
    await stage.abuse(async (index) => {
      await new Promise<void>((resolve) => {
        const socket = createConnection({ port: stage.port, host: '127.0.0.1' }, () => {
          moments[index % moments.length]?.(socket);
          // Some at once, some when the server has answered.
          if (index % 3 === 0) socket.resetAndDestroy();
          else if (index % 3 === 1) setTimeout(() => socket.resetAndDestroy(), index % 20);
          else setTimeout(() => socket.end(), index % 20);
        });
        socket.resume();
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
      });
    }, { times: 160 });
    const { connections } = await eventually('all to be gone from the count', async () => {
      const text = await (await fetch(`${stage.url}/metrics`)).text();
      const open = Number(/^earshot_connections (\d+)$/m.exec(text)?.[1]);
      return open === 1 && { connections: open };
    });
    expect(connections).toBe(1);
  });
});

describe('an event between history and live', () => {
  it('is there once and in its place, for everybody who subscribes while events come', async () => {
    const EVENTS = 150;
    const VIEWERS = 60;
    await stage.beside(async () => {
      await say(stage.url, 'conv_seam', 'turn 0');
      const viewers: TestClient[] = [];
      const subscribing = (async (): Promise<void> => {
        for (let index = 0; index < VIEWERS; index++) {
          const viewer = client();
          viewers.push(viewer);
          await viewer.next('system_message');
          viewer.send({ subscribe: 'conv_seam' });
        }
      })();
      for (let turn = 1; turn < EVENTS; turn++) await say(stage.url, 'conv_seam', `turn ${turn}`);
      await subscribing;
      const logged = await withLog(stage.dataDir, (log) => wholeCall(log, 'EL_conv_seam'));
      expect(faultsOf(logged)).toEqual([]);
      for (const viewer of viewers) {
        await eventually('a viewer to have the last event', () => viewer.frames.some((frame) => frame['seq'] === logged.events.length));
        expect(eventsIn(viewer)).toEqual(logged.texts);
        viewer.close();
        await viewer.closed;
      }
    });
  });

  it('that comes exactly while the log is being read is fed from there or from the bus, never from both', async () => {
    const rig = await startRelay();
    try {
      for (const moment of ['look-up', 'page', 'both'] as const) {
        const call = `EL_${moment}`;
        rig.callLog.add(call);
        rig.callLog.say(call, 'one', 'two', 'three');
        const viewer = await rig.client();
        await viewer.next('system_message');
        let open = (): void => undefined;
        const close = (): void => {
          rig.callLog.gate = new Promise((resolve) => (open = resolve));
        };
        close();
        const asked = { ...rig.callLog.asked };
        viewer.send({ subscribe: call });
        await eventually('the look-up', () => rig.callLog.asked.findMany > asked.findMany);
        if (moment !== 'page') await rig.say(call, 'during the look-up');
        const first = open;
        close();
        first();
        await eventually('the page', () => rig.callLog.asked.read > asked.read);
        if (moment !== 'look-up') await rig.say(call, 'during the page');
        open();
        rig.callLog.gate = Promise.resolve();
        await rig.say(call, 'after');
        const last = rig.callLog.state(call).last_seq;
        await viewer.next((frame) => frame['seq'] === last);
        expect(seqsIn(viewer.frames)).toEqual(upTo(last));
        viewer.close();
        await viewer.closed;
      }
    } finally {
      await rig.close();
    }
  });
});

it('a relay that stands still for five seconds loses nobody and nothing', async () => {
  await stage.beside(async () => {
    const viewers = Array.from({ length: 50 }, () => client());
    for (const viewer of viewers) {
      await viewer.next('system_message');
      viewer.send({ subscribe: 'conv_still' });
    }
    await say(stage.url, 'conv_still', 'before');
    for (const viewer of viewers) viewer.send({ subscribe: 'conv_still' });
    for (const viewer of viewers) await viewer.next('subscription_confirmed');
    stage.child.signal('SIGSTOP');
    const during = say(stage.url, 'conv_still', 'during');
    const newcomer = client();
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    stage.child.signal('SIGCONT');
    await during;
    await say(stage.url, 'conv_still', 'after');
    for (const viewer of viewers) {
      await eventually('everybody to have it all', () => viewer.frames.some((frame) => frame['text'] === 'after'));
      const seqs = seqsIn(viewer.frames);
      expect([seqs, viewer.ws.readyState]).toEqual([upTo(seqs.length), viewer.ws.OPEN]);
    }
    expect(await newcomer.next('system_message')).toMatchObject({ data: { event: 'connection_established' } });
    for (const viewer of [...viewers, newcomer]) viewer.ws.terminate();
  });
});

it('after a SIGKILL of the relay with 500 clients each of them has each event once and in order', async () => {
  const CLIENTS = 500;
  const dataDir = await dataFolder();
  await storeTenants(dataDir);
  const port = await freePort();
  const start = (): ReturnType<typeof startObserved> => startObserved({ DATA_DIR: dataDir, PORT: String(port), LOG_LEVEL: 'error', ELEVENLABS_API_KEY: 'key_of_tests', ELEVENLABS_BASE_URL: 'http://127.0.0.1:9' }, (end) => killed.push(end));
  const killed: (() => Promise<unknown>)[] = [];
  try {
    let product = await start();
    const viewersToken = await tokenOf(dataDir, 'sam', 't1', ['service']);
    const speak = async (from: number, to: number): Promise<void> => {
      for (let turn = from; turn < to; turn++) await say(product.ready, 'conv_500', `turn ${turn}`);
    };
    await speak(0, 3);
    const viewers = Array.from({ length: CLIENTS }, () => startViewer(product.ready, viewersToken));
    const shown = viewers.map((viewer) => viewer.watch('conv_500'));
    const everybodyHas = (turns: number): Promise<unknown> =>
      eventually(`everybody to have ${turns} turns`, () => shown.every(({ events }) => events.filter(({ type }) => type === 'transcription').length >= turns));
    await everybodyHas(3);
    const dying = speak(3, 20).catch(() => undefined);
    await eventually('somebody to see the next turn', () => shown.some(({ events }) => events.some((event) => event.type === 'transcription' && event.text === 'turn 4')));
    await product.end('SIGKILL');
    await dying;
    product = await start();
    await speak(0, 24);
    await everybodyHas(24);
    const logged = await withLog(dataDir, (log) => wholeCall(log, 'EL_conv_500'));
    expect(faultsOf(logged)).toEqual([]);
    for (const { texts, troubles, errors } of shown) expect({ texts, troubles, errors }).toEqual({ texts: logged.texts, troubles: [], errors: [] });
    expect(viewers.flatMap(({ stopped }) => stopped)).toEqual([]);
  } finally {
    for (const end of killed) await end();
  }
});

it('the process never held much, and logged no fault of its own, whatever came', async () => {
  expect(await stage.peakBytes()).toBeLessThan(500 * MEBIBYTE);
  expect(stage.child.output().split('\n').filter((line) => line.includes('"severity"'))).toEqual([]);
});
