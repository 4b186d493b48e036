import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { type AddressInfo, createConnection } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EarshotError } from '../../core/protocol/codes.ts';
import { guard } from '../../functions/guard.ts';
import { memoryOf, startAbuseStage, type AbuseStage } from '../fixtures/abuse.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { functionsUnderTest, SECRET as SECRET_HERE } from '../fixtures/functions-under-test.ts';
import { eventually } from '../fixtures/processes.ts';
import { rawExchange, requestHead, requestWith, type RawAnswer } from '../fixtures/raw-http.ts';
import { INGEST_KEY, SECRET, withDeliveries, withDirectory, withLog } from '../fixtures/stored-data.ts';

const POST_CALL = '/webhooks/elevenlabs/post-call';
const MEBIBYTE = 1024 * 1024;

let stage: AbuseStage;
const endings: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  stage = await startAbuseStage((end) => endings.push(end));
});
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

const now = (): number => Math.floor(Date.now() / 1000);
const hmac = (secret: string, t: number | string, body: string | Buffer): string => createHmac('sha256', secret).update(`${t}.`).update(body).digest('hex');
const signed = (body: string | Buffer, { secret = SECRET, t = now() }: { secret?: string; t?: number } = {}): string => `t=${t},v0=${hmac(secret, t, body)}`;
const webhook = (body: string | Buffer, signature: string | null, path = POST_CALL): Buffer =>
  requestWith(`POST ${path} HTTP/1.1`, [['content-type', 'application/json'], ...(signature === null ? [] : [['elevenlabs-signature', signature] as const])], body);
const post = (body: string | Buffer, signature: string | null = signed(body), path = POST_CALL): Promise<RawAnswer> => rawExchange(stage.port, webhook(body, signature, path));
const ingest = (path: string, body: unknown): Promise<RawAnswer> =>
  rawExchange(stage.port, requestWith(`POST ${path} HTTP/1.1`, [['content-type', 'application/json'], ['authorization', `Bearer ${INGEST_KEY}`]], JSON.stringify(body)));
const resultOf = (answer: RawAnswer): unknown => (JSON.parse(answer.body) as { result?: unknown }).result;

const finished = (conversation: string, more: Record<string, unknown> = {}): string =>
  JSON.stringify({
    type: 'post_call_transcription',
    event_timestamp: 1_760_000_000,
    data: { conversation_id: conversation, agent_id: 'agent1', status: 'done', transcript: [{ role: 'agent', message: 'Hello', time_in_call_secs: 0 }], metadata: { call_duration_secs: 5 }, analysis: { transcript_summary: 'Short.' }, ...more },
  });
const quarantined = (): Promise<number> => withDeliveries(stage.dataDir, (store) => store.quarantineSize());
const found = (id: string): Promise<unknown> => withLog(stage.dataDir, (log) => log.find(id));
const typesOf = async (callSid: string): Promise<string[]> => {
  const call = await withLog(stage.dataDir, (log) => wholeCall(log, callSid));
  expect(faultsOf(call)).toEqual([]);
  return call.events.map(({ type }) => type);
};

describe('a forged delivery', () => {
  const body = finished('conv_forged');
  const hex = (): string => hmac(SECRET, now(), body);
  const invalid = Buffer.concat([Buffer.from(body.slice(0, -2)), Buffer.from([0xc3, 0x28, 0xff]), Buffer.from('}}')]);

  it.each<[string, () => Buffer]>([
    ['no signature', () => webhook(body, null)],
    ['an empty signature', () => webhook(body, '')],
    ['the wrong secret', () => webhook(body, signed(body, { secret: 'wsec_wrong' }))],
    ['an old signature', () => webhook(body, signed(body, { t: now() - 5_500 }))],
    ['a signature of the future', () => webhook(body, signed(body, { t: now() + 400 }))],
    ['a t that is no number', () => webhook(body, `t=soon,v0=${hmac(SECRET, 'soon', body)}`)],
    ['a t that is negative', () => webhook(body, `t=-1,v0=${hmac(SECRET, '-1', body)}`)],
    ['a t in exponential form', () => webhook(body, `t=1e9,v0=${hmac(SECRET, '1e9', body)}`)],
    ['a t that is a fraction', () => webhook(body, `t=${now()}.5,v0=${hmac(SECRET, `${now()}.5`, body)}`)],
    ['two t', () => webhook(body, `t=${now()},t=${now()},v0=${hex()}`)],
    ['another t than was signed', () => webhook(body, `t=${now() - 1},v0=${hex()}`)],
    ['two v0, both wrong', () => webhook(body, `t=${now()},v0=${'0'.repeat(64)},v0=${'f'.repeat(64)}`)],
    ['more v0 than anybody sends', () => webhook(body, `t=${now()},${`v0=${'0'.repeat(64)},`.repeat(8)}v0=${hex()}`)],
    ['two signature headers', () => requestWith(`POST ${POST_CALL} HTTP/1.1`, [['elevenlabs-signature', signed(body, { secret: 'wsec_wrong' })], ['elevenlabs-signature', signed(body)]], body)],
    ['upper-case hex', () => webhook(body, `t=${now()},v0=${hex().toUpperCase()}`)],
    ['an upper-case name', () => webhook(body, `T=${now()},V0=${hex()}`)],
    ['a signature too short', () => webhook(body, `t=${now()},v0=${hex().slice(1)}`)],
    ['a signature too long', () => webhook(body, `t=${now()},v0=${hex()}0`)],
    ['a signature in base64', () => webhook(body, `t=${now()},v0=${Buffer.from(hex(), 'hex').toString('base64')}`)],
    ['the signature of the re-serialised body', () => webhook(`${body.slice(0, -1)} }`, signed(body))],
    ['the signature of the body with a line end after it', () => webhook(body, signed(`${body}\n`))],
    ['the signature of what its invalid UTF-8 is read as', () => webhook(invalid, signed(invalid.toString('utf8')))],
    ['a header of invalid UTF-8', () => webhook(body, `t=${now()},v0=\u00c3\u0028${hex().slice(2)}`)],
    ['a signature of eight kilobytes', () => webhook(body, `t=${now()},v0=${hex()},x=${'y'.repeat(8_000)}`)],
    ['another scheme', () => webhook(body, `t=${now()},v1=${hex()}`)],
    ['an ingest key in place of a signature', () => requestWith(`POST ${POST_CALL} HTTP/1.1`, [['authorization', `Bearer ${INGEST_KEY}`]], body)],
  ])('is answered 401 and changes nothing, with %s', async (_name, make) => {
    const before = await quarantined();
    await stage.abuse(async () => {
      const answer = await rawExchange(stage.port, make());
      expect([answer.status, answer.headers['content-type'], answer.code]).toEqual([401, 'application/problem+json', 'signature_invalid']);
    });
    expect(await found('conv_forged')).toBeNull();
    expect(await quarantined()).toBe(before);
  });

  it('of more than is kept is verified in passing and refused', async () => {
    const large = finished('conv_forged', { padding: 'x'.repeat(9 * MEBIBYTE) });
    await stage.abuse(async () => expect((await post(large, signed(large, { secret: 'wsec_wrong' }))).code).toBe('signature_invalid'), { times: 6, atOnce: 2 });
    expect(await found('conv_forged')).toBeNull();
  });
});

describe('a true delivery', () => {
  it('is stored once, fifty times at once', async () => {
    await stage.abuse(
      async (index) => {
        const body = finished(`conv_parallel_${index}`);
        const answers = await Promise.all(Array.from({ length: 50 }, () => post(body)));
        expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
        expect(answers.map(resultOf).filter((result) => result === 'stored')).toHaveLength(1);
        expect(new Set(answers.map(resultOf))).toEqual(new Set(['stored', 'duplicate']));
        expect(await typesOf(`EL_conv_parallel_${index}`)).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
      },
      { times: 5, atOnce: 1 },
    );
  });

  it('may carry two signatures, one of them right, and bytes that are no UTF-8', async () => {
    const two = finished('conv_two_v0');
    const bytes = Buffer.from(finished('conv_bytes', { analysis: { transcript_summary: 'caf?' } }));
    bytes[bytes.indexOf('?')] = 0xe9;
    await stage.abuse(async () => {
      const t = now();
      expect((await post(two, `t=${t},v0=${'0'.repeat(64)},v0=${hmac(SECRET, t, two)}`)).status).toBe(200);
      expect((await post(bytes)).status).toBe(200);
    });
    expect(await typesOf('EL_conv_two_v0')).toHaveLength(4);
    expect(await found('conv_bytes')).toMatchObject({ transcript_summary: 'caf\ufffd' });
  });

  it('is taken with either secret during a rotation, and no longer with the one that was removed', async () => {
    const keep = (webhook_secrets: readonly string[]): Promise<void> =>
      withDirectory(stage.dataDir, async (directory) => {
        const workspace = await directory.workspace('w1');
        if (workspace !== null) await directory.putWorkspace({ ...workspace, webhook_secrets });
      });
    const body = finished('conv_rotation');
    const by = async (secret: string): Promise<number> => (await post(body, signed(body, { secret }))).status;
    await keep(['wsec_next', SECRET]);
    await stage.abuse(async () => expect([await by('wsec_next'), await by(SECRET), await by('wsec_other')]).toEqual([200, 200, 401]));
    await keep(['wsec_next']);
    expect([await by('wsec_next'), await by(SECRET)]).toEqual([200, 401]);
    await keep([SECRET]);
    expect([await by('wsec_next'), await by(SECRET)]).toEqual([401, 200]);
  });

  it('may be sent to a whole URL as RFC 9112 has every server take it, and is no REST body for it', async () => {
    const body = finished('conv_absolute', { padding: 'x'.repeat(MEBIBYTE) });
    await stage.abuse(async () => expect((await post(body, signed(body), `http://127.0.0.1:${stage.port}${POST_CALL}`)).status).toBe(200), { times: 10, atOnce: 2 });
    expect(await typesOf('EL_conv_absolute')).toHaveLength(4);
  });

  it('that tells the end before any turn ends the call, and turns that come late change only what they add', async () => {
    const turn = (text: string, more: object = {}): Promise<RawAnswer> => ingest('/webhooks/elevenlabs/transcription', { conversation_id: 'conv_early_end', agent_id: 'agent1', speaker: 'agent', text, ...more });
    await stage.beside(async () => {
      expect(resultOf(await post(finished('conv_early_end')))).toBe('stored');
      expect((await turn('Hello', { turn_id: 'known', time_in_call_secs: 0 })).status).toBe(200);
      expect(await typesOf('EL_conv_early_end')).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
      expect((await turn('What the final transcript lacks', { turn_id: 'late', time_in_call_secs: 3 })).status).toBe(200);
    });
    expect(await typesOf('EL_conv_early_end')).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed', 'transcription', 'call_sealed']);
    await stage.abuse(async () => expect((await turn('What the final transcript lacks', { turn_id: 'late', time_in_call_secs: 3 })).status).toBe(200));
    expect(await typesOf('EL_conv_early_end')).toHaveLength(6);
  });

  it('of a turn may come out of order: the highest revision speaks, and each is there once', async () => {
    const turn = (rev: number, text: string): Promise<RawAnswer> => ingest('/webhooks/elevenlabs/transcription', { conversation_id: 'conv_disorder', agent_id: 'agent1', speaker: 'agent', turn_id: 't1', rev, text });
    await stage.abuse(async () => {
      for (const rev of [3, 1, 2]) expect((await turn(rev, `revision ${rev}`)).status).toBe(200);
    });
    const call = await withLog(stage.dataDir, (log) => wholeCall(log, 'EL_conv_disorder'));
    expect(faultsOf(call)).toEqual([]);
    expect(call.events.flatMap((event) => (event.type === 'transcription' ? [event.rev] : []))).toEqual([3, 1, 2]);
    expect(await found('conv_disorder')).toMatchObject({ turn_count: 1, last_line: 'Agent: revision 3' });
  });

  it('of three thousand turns is stored whole, once', async () => {
    const transcript = Array.from({ length: 3_000 }, (_, place) => ({ role: place % 2 === 0 ? 'agent' : 'user', message: `Words ${place} of a long talk.`, time_in_call_secs: place }));
    const body = finished('conv_long', { transcript });
    await stage.abuse(async () => expect((await post(body)).status).toBe(200), { times: 5, atOnce: 5 });
    const types = await typesOf('EL_conv_long');
    expect(types.slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
    expect(types.filter((type) => type === 'transcription')).toHaveLength(3_000);
    expect(types).toHaveLength(3_003);
  });
});

describe('a true delivery with an odd body', () => {
  const data = (text: string): string => `{"type":"post_call_transcription","event_timestamp":1760000000,"data":{"conversation_id":"conv_odd","agent_id":"agent1","status":"done",${text}}}`;
  const DEEP = 100_000;
  it.each<[string, string | Buffer]>([
    ['nothing', ''],
    ['JSON cut in the middle', '{"type":"post_call_transcription","data":{"conversation_id":"conv_odd"'],
    ['JSON with something after it', `${finished('conv_odd')}x`],
    ['a byte order mark and nothing else', Buffer.from([0xef, 0xbb, 0xbf])],
    ['UTF-16', Buffer.from(finished('conv_odd'), 'utf16le')],
    ['lists nested 100,000 deep', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
    ['objects nested 100,000 deep in its data', data(`"metadata":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`)],
    ['a type of 1e400', '{"type":1e400,"data":{"conversation_id":"conv_odd"}}'],
    ['a conversation id of 1e400', '{"type":"post_call_transcription","data":{"conversation_id":1e400}}'],
    ['__proto__ in place of its members', '{"__proto__":{"type":"post_call_transcription","data":{"conversation_id":"conv_odd"}}}'],
    ['constructor and prototype as data', '{"type":"post_call_transcription","data":{"constructor":{"prototype":{"conversation_id":"conv_odd"}}}}'],
    ['a conversation id with a NUL in it', '{"type":"post_call_transcription","data":{"conversation_id":"conv\\u0000odd","agent_id":"agent1"}}'],
    ['a conversation id that is a lone surrogate', '{"type":"post_call_transcription","data":{"conversation_id":"\\ud800","agent_id":"agent1"}}'],
    ['a type that nobody knows', '{"type":"voicemail_detected","data":{"conversation_id":"conv_odd","agent_id":"agent1"}}'],
    ['a type as long as a book', `{"type":"${'x'.repeat(100_000)}","data":{"conversation_id":"conv_odd"}}`],
    ['a type that is a list', '{"type":["post_call_transcription"],"data":{"conversation_id":"conv_odd"}}'],
    ['no type', '{"data":{"conversation_id":"conv_odd","agent_id":"agent1"}}'],
    ['no data', '{"type":"post_call_transcription"}'],
    ['no conversation id', '{"type":"post_call_transcription","data":{"agent_id":"agent1"}}'],
  ])('is kept in quarantine, once, and answered 200: %s', async (_name, body) => {
    const before = await quarantined();
    await stage.abuse(async () => {
      const answer = await post(body);
      expect([answer.status, resultOf(answer)]).toEqual([200, 'quarantined']);
    }, body.length > 100_000 ? { times: 40, atOnce: 4 } : {});
    expect(await quarantined()).toBe(before + 1);
    expect(await found('conv_odd')).toBeNull();
  });

  const used = (text: string): string => data(text).replace('conv_odd', 'conv_used');
  it.each<[string, string, object]>([
    ['numbers of 1e400', used('"transcript":[{"role":"user","message":"a","time_in_call_secs":1e400}],"metadata":{"call_duration_secs":1e400,"cost":-1e400}'), { call_duration_seconds: null, cost: null, turn_count: 1 }],
    ['duplicate keys, of which the last one counts', used('"analysis":{"transcript_summary":"first"},"analysis":{"transcript_summary":"second"}'), { transcript_summary: 'second' }],
    ['__proto__ in every object', used('"__proto__":{"status":"failed"},"metadata":{"__proto__":{"call_duration_secs":9}},"analysis":{"__proto__":{"transcript_summary":"polluted"}}'), { status: 'completed', transcript_summary: null, call_duration_seconds: null }],
    ['lone surrogates and NULs in its text', used('"transcript":[{"role":"user","message":"a\\ud800b\\u0000c\\udfff","time_in_call_secs":0}]'), { turn_count: 1 }],
    ['no optional field at all', '{"type":"post_call_transcription","data":{"conversation_id":"conv_used","agent_id":"agent1"}}', { status: 'completed', transcript_summary: null }],
    ['fields that nobody knows', used('"surprise":{"a":[1,2,3]},"transcript":[{"role":"agent","message":"Hi","time_in_call_secs":0,"mood":"good"}],"analysis":{"aura":"blue"}'), { turn_count: 1 }],
    ['members of every wrong kind', used('"transcript":"none","metadata":[],"analysis":7,"conversation_initiation_client_data":"x"'), { status: 'completed', turn_count: 0 }],
  ])('is used as far as it can be: %s', async (name, body, expected) => {
    const conversation = `conv_used_${name.replaceAll(/\W/g, '_')}`;
    const mine = body.replace('conv_used', conversation);
    await stage.abuse(async () => {
      const answer = await post(mine);
      expect([answer.status, ['stored', 'duplicate'].includes(String(resultOf(answer)))]).toEqual([200, true]);
    });
    expect(await found(conversation)).toMatchObject(expected);
    expect((await typesOf(`EL_${conversation}`)).slice(-3)).toEqual(['call_status', 'call_completed', 'call_sealed']);
    expect(({} as Record<string, unknown>)['status']).toBeUndefined();
  });
});

describe('a body that never should have been sent', () => {
  const head = (headers: readonly (readonly [string, string])[], path = POST_CALL): string => requestHead(`POST ${path} HTTP/1.1`, headers);

  it('packed is answered 415 before a byte of it is inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MEBIBYTE));
    await stage.abuse(async (index) => {
      const encoding = ['gzip', 'deflate', 'br', 'zstd', 'GZIP', 'identity, gzip'][index % 6] ?? '';
      const answer = await rawExchange(stage.port, requestWith(`POST ${POST_CALL} HTTP/1.1`, [['content-encoding', encoding], ['elevenlabs-signature', signed(bomb)]], bomb));
      expect([answer.status, answer.code]).toEqual([415, 'encoding_not_supported']);
    });
  });

  it('that says it is over the limit is answered 413 before it is sent', async () => {
    await stage.abuse(async () => {
      const answer = await rawExchange(stage.port, `${head([['content-length', String(32 * MEBIBYTE + 1)]])}{`);
      expect([answer.status, answer.code]).toEqual([413, 'payload_too_large']);
    });
  });

  it('in chunks without a length is answered 413 as soon as it is over the limit', async () => {
    const size = MEBIBYTE.toString(16);
    const chunk = Buffer.concat([Buffer.from(`${size}\r\n`), Buffer.alloc(MEBIBYTE, 0x20), Buffer.from('\r\n')]);
    await stage.abuse(
      async () => {
        const answer = await rawExchange(stage.port, (socket) => {
          let sent = 0;
          const more = (): void => {
            while (sent++ < 40 && !socket.destroyed) {
              if (!socket.write(chunk)) {
                socket.once('drain', more);
                return;
              }
            }
          };
          socket.write(head([['transfer-encoding', 'chunked']]));
          more();
        });
        expect([answer.status, answer.code]).toEqual([413, 'payload_too_large']);
      },
      { times: 6, atOnce: 2 },
    );
  });

  it.each<[string, string]>([
    ['a length that is no number', head([['content-length', 'many']])],
    ['a negative length', head([['content-length', '-1']])],
    ['a length and chunks at once', head([['content-length', '4'], ['transfer-encoding', 'chunked']])],
    ['two lengths', head([['content-length', '4'], ['content-length', '5']])],
    ['a chunk whose size is no number', `${head([['transfer-encoding', 'chunked']])}zz\r\n`],
  ])('with %s is refused by the server itself, and its connection ends', async (_name, bytes) => {
    await stage.abuse(async () => {
      const answer = await rawExchange(stage.port, bytes);
      expect([answer.status, answer.headers['connection']]).toEqual([400, 'close']);
    });
  });

  it('cut in the middle changes nothing and leaves nothing', async () => {
    const body = finished('conv_cut');
    const whole = webhook(body, signed(body));
    await stage.abuse(async (index) => {
      await new Promise<void>((resolve) => {
        const socket = createConnection({ port: stage.port, host: '127.0.0.1' });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.write(whole.subarray(0, whole.length - 1 - (index % body.length)), () => (index % 2 === 0 ? socket.destroy() : socket.resetAndDestroy()));
      });
    });
    expect(await found('conv_cut')).toBeNull();
  });

  it('does not come at all: two hundred heads that never end hold nobody up, and nothing once they have gone', async () => {
    const before = (await memoryOf(stage.child)).held;
    await stage.beside(async () => {
      const open = await Promise.all(
        Array.from({ length: 200 }, async () => {
          const socket = createConnection({ port: stage.port, host: '127.0.0.1' });
          socket.on('error', () => undefined);
          await new Promise<void>((resolve) => void socket.once('connect', resolve));
          socket.write(head([['content-length', '100']]).slice(0, -2));
          return socket;
        }),
      );
      for (let round = 0; round < 5; round++) {
        for (const socket of open) socket.write(`x-${round}: y\r\n`);
        expect((await post(finished('conv_beside_heads'))).status).toBe(200);
      }
      for (const socket of open) socket.destroy();
    });
    // A connection that stayed would hold some ten kilobytes.
    await eventually('their memory to be let go of', async () => (await memoryOf(stage.child)).held - before < MEBIBYTE);
  });

  it('that arrives byte by byte is answered 408 when its time is over, and holds nobody up', async () => {
    const { app, webhook: deliver, types } = await functionsUnderTest();
    const server = createServer(guard(app.webhooks, { secrets: app.secrets, arrivalMaxMs: 400 }));
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    const { port } = server.address() as AddressInfo;
    const body = finished('conv_slow');
    const slow = Promise.all(
      Array.from({ length: 20 }, () =>
        rawExchange(port, (socket) => {
          socket.write(requestHead(`POST ${POST_CALL} HTTP/1.1`, [['content-length', String(body.length)], ['elevenlabs-signature', signed(body, { secret: SECRET_HERE })]]));
          let sent = 0;
          const timer = setInterval(() => socket.write(body.charAt(sent++)), 20);
          socket.on('close', () => clearInterval(timer));
        }),
      ),
    );
    const good = finished('conv_quick');
    expect((await rawExchange(port, requestWith(`POST ${POST_CALL} HTTP/1.1`, [['elevenlabs-signature', signed(good, { secret: SECRET_HERE })]], good))).status).toBe(200);
    expect((await slow).map(({ status, code }) => [status, code])).toEqual(Array.from({ length: 20 }, () => [408, 'body_timeout']));
    expect(await types('conv_quick')).toHaveLength(4);
    expect(await types('conv_slow')).toEqual([]);
    expect((await deliver(good)).body).toMatchObject({ result: 'duplicate' });
  });
});

describe('a fault of ours', () => {
  it('in reading the secrets is answered 503, small body or large, and nothing is taken without them', async () => {
    let down = true;
    const { webhook: deliver, types } = await functionsUnderTest({
      parts: ({ directory }) => ({ directory: { ...directory, workspaces: () => (down ? Promise.reject(new EarshotError('secret_unavailable')) : directory.workspaces()) } }),
    });
    const large = finished('conv_secret', { padding: 'x'.repeat(9 * MEBIBYTE) });
    for (const body of [finished('conv_secret'), large]) expect(await deliver(body)).toMatchObject({ status: 503, body: { code: 'secret_unavailable', retryable: true } });
    expect(await deliver(finished('conv_secret'), { signature: null })).toMatchObject({ status: 503 });
    down = false;
    expect(await types('conv_secret')).toEqual([]);
    expect(await deliver(finished('conv_secret'))).toMatchObject({ status: 200, body: { result: 'stored' } });
  });

  it('in publishing, which never ends, keeps nobody waiting for good: what is committed is answered 200', async () => {
    const { webhook: deliver, types } = await functionsUnderTest({ parts: ({ bus }) => ({ bus: { ...bus, publish: () => new Promise(() => undefined) } }) });
    const answers = await Promise.all(Array.from({ length: 20 }, () => deliver(finished('conv_hangs'))));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(answers.filter(({ body }) => body['result'] === 'stored')).toHaveLength(1);
    expect(await types('conv_hangs')).toEqual(['transcription', 'call_status', 'call_completed', 'call_sealed']);
  });
});

it('the process never held more than a few bodies at once, and logged no fault of its own, whatever came', async () => {
  // At rest some 130 MiB; two bodies of at most 8 MiB kept, each once as bytes and once as text and value.
  expect(await stage.peakBytes()).toBeLessThan(400 * MEBIBYTE);
  expect(stage.child.output().split('\n').filter((line) => line.includes('"severity"'))).toEqual([]);
});
