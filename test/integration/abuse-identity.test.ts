import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startAbuseStage, type AbuseStage } from '../fixtures/abuse.ts';
import { forgerFor, type Forger } from '../fixtures/bad-tokens.ts';
import { eventually } from '../fixtures/processes.ts';
import { framesIn } from '../fixtures/raw-frames.ts';
import { rawExchange, requestHead, requestWith, type RawAnswer } from '../fixtures/raw-http.ts';
import { rawUpgrade } from '../fixtures/raw-socket.ts';
import { openClient, type TestClient } from '../fixtures/relay.ts';
import { INGEST_KEY, PASSWORD, SECRET, signIn, withDirectory } from '../fixtures/stored-data.ts';

const MEBIBYTE = 1024 * 1024;
const E2E_KEY = 'key_of_simulated_sign_ins';
const TEXT = 0x81;
const CLOSE = 0x88;

let stage: AbuseStage;
let forger: Forger;
let token = '';
const endings: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  stage = await startAbuseStage((end) => endings.push(end), { E2E_AUTH_KEY: E2E_KEY });
  token = await stage.token();
  const key = createPrivateKey({ key: JSON.parse(readFileSync(join(stage.dataDir, 'auth-signing-key.json'), 'utf8')) as never, format: 'jwk' });
  forger = await forgerFor(key, createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString(), token);
});
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

const verdict = ({ status, code }: RawAnswer): string => (code === null ? String(status) : `${status} ${code}`);
/** The verdict on a socket: what refused the upgrade, else the error and the close code, else that it opened. */
const onSocket = async (path: string, protocol: string | null, first: string | null): Promise<string> => {
  const socket = await rawUpgrade(stage.port, path, { 'sec-websocket-protocol': protocol });
  if (first !== null) socket.frame(TEXT, first);
  // A session that opens would stay: it is left as soon as it answers.
  socket.socket.on('data', (chunk: Buffer) => chunk.includes('"pong"') && socket.frame(CLOSE, Buffer.from([0x03, 0xe8])));
  socket.frame(TEXT, '{"ping":1}');
  const sent = framesIn(socket.head.includes(' 101 ') ? await socket.ended : Buffer.alloc(0));
  if (!socket.head.includes(' 101 ')) {
    socket.socket.destroy();
    await socket.ended;
    return `HTTP ${socket.head.split(' ')[1] ?? ''}`;
  }
  const errors = sent.frames.flatMap((frame) => (frame['type'] === 'error' ? [frame['code']] : []));
  return errors.length === 0 && sent.closeCode === 1000 ? 'opened' : [...errors, sent.closeCode].join(' ');
};

/** Where a token can be shown. */
const PLACES = {
  rest: async (offered: string) => verdict(await rawExchange(stage.port, requestHead('GET /calls HTTP/1.1', [['authorization', `Bearer ${offered}`]]))),
  poll: async (offered: string) => verdict(await rawExchange(stage.port, requestWith('POST /poll HTTP/1.1', [['authorization', `Bearer ${offered}`]], '{"calls":[]}'))),
  subprotocol: (offered: string) => onSocket('/ws', `earshot.v1, bearer.${offered}`, null),
  message: (offered: string) => onSocket('/ws', 'earshot.v1', JSON.stringify({ auth: offered })),
  query: (offered: string) => onSocket(`/ws?token=${encodeURIComponent(offered)}`, null, null),
} as const;
type Place = keyof typeof PLACES;
const everywhere = async (offered: string, skipped: readonly Place[] = []): Promise<Partial<Record<Place, string>>> => {
  const places = (Object.keys(PLACES) as Place[]).filter((place) => !skipped.includes(place));
  return Object.fromEntries(await Promise.all(places.map(async (place) => [place, await PLACES[place](offered)] as const)));
};
const INVALID: Record<Place, string> = { rest: '401 token_invalid', poll: '401 token_invalid', subprotocol: 'token_invalid 4502', message: 'token_invalid 4502', query: 'token_invalid 4502' };

/** Names as `forgerFor` gives them: a table has to be there before anything is started. */
const NAMES = [
  'nothing', 'one word', 'two parts', 'four parts', 'an empty signature', 'a space before', 'a line end after', 'padding after', 'bits after the signature', 'a scheme before', 'a header that is no JSON', 'a header that is a list',
  'claims that are no object', 'claims that are null', 'alg none', 'alg None', 'alg NONE', 'alg nOnE', 'alg none with a signature', 'an empty alg', 'no alg', 'an alg of another spelling', 'HS256 with the public key as secret',
  'HS384 with the public key as secret', 'HS512 with the public key as secret', 'RS256 with a key of its own', 'a key that is not ours', 'a jwk of its own', 'a jku of its own', 'an x5u of its own', 'a kid that is a path', 'a kid that is SQL',
  'a kid that is a number', 'a kid that is unknown', 'a crit extension', 'an empty crit', 'an unencoded payload', 'no typ', 'another typ', 'the typ of a ticket', 'no iss', 'no aud', 'no sub', 'no tenant', 'no roles', 'no sid', 'no jti',
  'no username', 'no auth_time', 'no iat', 'no exp', 'another issuer', 'an issuer that is a list', 'another audience', 'an empty subject', 'a subject that is a number', 'an empty tenant', 'no role', 'a role that does not exist', 'roles as text',
  'an end that is text', 'an end beyond an hour', 'an issue in the future', 'a start in the future', 'other claims under the same signature', 'encryption', 'more than 8 KiB', '20 KiB of nothing',
] as const;

describe('a bad token', () => {
  /** What some of them are where they cannot be written as they are, or are too long for the place. */
  const SPECIAL: Readonly<Partial<Record<(typeof NAMES)[number], Partial<Record<Place, string | null>>>>> = {
    nothing: { message: 'token_missing 4501' },
    // Space around a token is none of it in a header; in a list of words it is refused by the upgrade.
    'a space before': { rest: null, poll: null, subprotocol: 'HTTP 400' },
    'a line end after': { rest: null, poll: null, subprotocol: null },
    'padding after': { subprotocol: 'HTTP 400' },
    'a scheme before': { subprotocol: 'HTTP 400' },
    'more than 8 KiB': { message: 'payload_too_large 4500' },
    '20 KiB of nothing': { rest: '431', poll: '431', subprotocol: 'HTTP 431', message: '1009', query: 'HTTP 431' },
  };

  it('is one of those that the forger makes', () => {
    expect(forger.bad.map(([name]) => name)).toEqual(NAMES);
  });

  it.each(NAMES)('has the same verdict wherever it is shown: %s', async (name) => {
    const offered = forger.bad.find(([each]) => each === name)?.[1] ?? '';
    const special = SPECIAL[name] ?? {};
    const skipped = (Object.keys(special) as Place[]).filter((place) => special[place] === null);
    const expected = Object.fromEntries(Object.entries({ ...INVALID, ...special }).filter(([, verdictHere]) => verdictHere !== null));
    await stage.abuse(async () => expect(await everywhere(offered, skipped)).toEqual(expected), { times: 5, atOnce: 5 });
  });

  it('that has ended is told apart, wherever it is shown', async () => {
    const { iat } = forger.claims;
    const ended = forger.sign({}, { ...forger.claims, iat: iat - 3_600, exp: iat - 1 });
    await stage.abuse(async () => {
      expect(await everywhere(ended)).toEqual({ rest: '401 token_expired', poll: '401 token_expired', subprotocol: 'token_expired 4503', message: 'token_expired 4503', query: 'token_expired 4503' });
    }, { times: 5, atOnce: 5 });
  });

  it.each<[string, object]>([
    ['a user that nobody knows', { sub: 'user-nobody' }],
    ['a tenant that its user is not of', { tenant: 't2' }],
    ['no tenant, as an operator', { tenant: null, roles: ['operator'] }],
  ])('that was once true, of %s, is worth nothing anywhere', async (_name, more) => {
    const offered = forger.sign({}, { ...forger.claims, ...more });
    const operator = 'roles' in more;
    await stage.abuse(async () => {
      expect(await everywhere(offered)).toEqual({
        rest: '403 access_revoked',
        poll: operator ? '403 forbidden' : '403 access_revoked',
        subprotocol: operator ? 'forbidden 4504' : 'access_revoked 4504',
        message: operator ? 'forbidden 4504' : 'access_revoked 4504',
        query: operator ? 'forbidden 4504' : 'access_revoked 4504',
      });
    }, { times: 5, atOnce: 5 });
  });

  it('beside a good one in the same place changes nothing for the good one', async () => {
    expect(await everywhere(token)).toEqual({ rest: '200', poll: '200', subprotocol: 'opened', message: 'opened', query: 'opened' });
  });
});

describe("one purpose's token", () => {
  const ticketOf = async (): Promise<string> => (JSON.parse((await rawExchange(stage.port, requestHead('POST /auth/ticket HTTP/1.1', [['authorization', `Bearer ${token}`]]))).body) as { ticket: string }).ticket;
  const ingest = async (key: string): Promise<string> => verdict(await rawExchange(stage.port, requestWith('POST /webhooks/elevenlabs/transcription HTTP/1.1', [['authorization', `Bearer ${key}`]], '{"conversation_id":"conv_bystander","speaker":"agent","text":"forged"}')));
  const asTicket = (ticket: string): Promise<string> => onSocket(`/ws?ticket=${encodeURIComponent(ticket)}`, null, null);

  it.each<[string, () => string | Promise<string>]>([
    ['a ticket', ticketOf],
    ['an ingest key', () => INGEST_KEY],
    ['a webhook secret', () => SECRET],
    ['the key of simulated sign-ins', () => E2E_KEY],
    ['a password', () => PASSWORD],
  ])('is no access token: %s', async (_name, make) => {
    await stage.abuse(async () => {
      const offered = await make();
      const spaced = offered.includes(' ');
      expect(await everywhere(offered)).toEqual({ ...INVALID, ...(spaced ? { subprotocol: 'HTTP 400' } : {}) });
    }, { times: 10, atOnce: 4 });
  });

  it('is no ingest key, no ticket and no way to sign in', async () => {
    await stage.abuse(async () => {
      const ticket = await ticketOf();
      expect([await ingest(token), await ingest(ticket), await ingest(SECRET), await ingest(E2E_KEY)]).toEqual(Array.from({ length: 4 }, () => '401 ingest_key_invalid'));
      expect([await asTicket(token), await asTicket(INGEST_KEY), await asTicket(''), await asTicket('0'.repeat(64))]).toEqual(Array.from({ length: 4 }, () => 'ticket_invalid 4502'));
      const simulated = await rawExchange(stage.port, requestWith('POST /auth/simulate HTTP/1.1', [['content-type', 'application/json']], JSON.stringify({ username: 'anna', key: INGEST_KEY })));
      expect(verdict(simulated)).toBe('401 credentials_invalid');
      // Not spent by having been shown in the wrong places.
      expect(await asTicket(ticket)).toBe('opened');
      expect(await asTicket(ticket)).toBe('ticket_invalid 4502');
    }, { times: 20, atOnce: 4 });
  });
});

const client = (offered: string): TestClient => openClient(`${stage.url.replace('http', 'ws')}/ws`, { protocols: ['earshot.v1', `bearer.${offered}`] });
const opened = async (offered: string, count: number): Promise<TestClient[]> => {
  const clients = Array.from({ length: count }, () => client(offered));
  for (const each of clients) {
    await each.next('system_message');
    each.send({ subscribe: 'conv_bystander' });
    await each.next('subscription_confirmed');
  }
  return clients;
};
const endOf = async (each: TestClient): Promise<readonly [number, unknown]> => {
  const { code } = await eventually('a socket to be closed', () => each.ws.readyState === each.ws.CLOSED && each.closed);
  return [code, each.frames.at(-1)?.['code']];
};

describe('while connected', () => {
  it('a token that ends, of which a poll was warned, ends its sockets, except where a fresh one came in time', async () => {
    await stage.beside(async () => {
      const now = Math.floor(Date.now() / 1000);
      const short = forger.sign({}, { ...forger.claims, iat: now, exp: now + 4 });
      const ending = await opened(short, 20);
      const refreshed = await opened(short, 5);
      const wrongly = await opened(short, 5);
      for (const each of refreshed) each.send({ auth: token });
      for (const each of wrongly) each.send({ auth: await stage.token('adam', 't1', ['admin']) });
      const poll = rawExchange(stage.port, requestWith('POST /poll HTTP/1.1', [['authorization', `Bearer ${short}`]], '{"calls":[],"wait":4.5}'));
      for (const each of [...ending, ...wrongly]) expect(await endOf(each)).toEqual([4503, 'token_expired']);
      for (const each of refreshed) {
        const told = each.frames.length;
        await eventually('a refreshed session to go on', () => each.frames.slice(told).some((frame) => frame['type'] === 'transcription'));
        expect(each.frames.flatMap((frame) => (frame['type'] === 'error' ? [frame['code']] : []))).toEqual([]);
        each.close();
      }
      for (const each of wrongly) expect(each.frames.some((frame) => frame['code'] === 'different_subject')).toBe(true);
      const answer = await poll;
      expect([answer.status, answer.body]).toEqual([200, expect.stringContaining('"event":"token_expiring"')]);
      expect(await everywhere(short, ['message'])).toMatchObject({ rest: '401 token_expired', poll: '401 token_expired', subprotocol: 'token_expired 4503', query: 'token_expired 4503' });
    });
  });

  it('the end of a sign-in closes all its sockets, and no others', async () => {
    await stage.beside(async () => {
      const mine = await signIn(stage.url, 'anna');
      const other = await signIn(stage.url, 'anna');
      const closing = await opened(mine, 10);
      const staying = await opened(other, 5);
      expect((await rawExchange(stage.port, requestHead('POST /auth/logout HTTP/1.1', [['authorization', `Bearer ${mine}`]]))).status).toBe(204);
      for (const each of closing) expect(await endOf(each)).toEqual([4504, 'access_revoked']);
      expect(await PLACES.rest(mine)).toBe('401 sign_in_ended');
      for (const each of staying) {
        each.send({ ping: 1 });
        await each.next('pong');
        each.close();
      }
    });
  });

  it('a role that is taken away closes the sockets of its user, and nothing is sent to them after it', async () => {
    await stage.beside(async () => {
      const first = await signIn(stage.url, 'adam');
      const second = await signIn(stage.url, 'adam');
      const closing = await opened(first, 10);
      await withDirectory(stage.dataDir, (directory) => directory.changeUser('user-adam', (user) => ({ ...user, roles: ['operator'] })));
      // The relay is told to look: another sign-in of the same user ends.
      await rawExchange(stage.port, requestHead('POST /auth/logout HTTP/1.1', [['authorization', `Bearer ${second}`]]));
      for (const each of closing) expect(await endOf(each)).toEqual([4504, 'access_revoked']);
      expect(await PLACES.rest(first)).toBe('403 forbidden');
      await withDirectory(stage.dataDir, (directory) => directory.changeUser('user-adam', (user) => ({ ...user, roles: ['admin'] })));
    });
  });
});

describe('whoever tries', () => {
  const login = (username: string, password: string, more: readonly (readonly [string, string])[] = []): Promise<RawAnswer> =>
    rawExchange(stage.port, requestWith('POST /auth/login HTTP/1.1', [['content-type', 'application/json'], ...more], JSON.stringify({ username, password })));

  it('to open fifty sockets with one ticket opens one', async () => {
    await stage.abuse(async () => {
      const { body } = await rawExchange(stage.port, requestHead('POST /auth/ticket HTTP/1.1', [['authorization', `Bearer ${token}`]]));
      const { ticket } = JSON.parse(body) as { ticket: string };
      const verdicts = await Promise.all(Array.from({ length: 50 }, () => onSocket(`/ws?ticket=${ticket}`, null, null)));
      expect(verdicts.sort()).toEqual(['opened', ...Array.from({ length: 49 }, () => 'ticket_invalid 4502')]);
    }, { times: 4, atOnce: 1 });
  });

  it('passwords by brute force has a handful of tries, from wherever they seem to come, and locks nobody else out', async () => {
    await stage.beside(async () => {
      const [answers, others] = await Promise.all([
        Promise.all(Array.from({ length: 100 }, (_, place) => login('tom', `guess ${place}`, [['x-forwarded-for', `203.0.113.${place}`]]))),
        Promise.all(Array.from({ length: 5 }, () => login('anna', PASSWORD))),
      ]);
      const verdicts = answers.map(verdict);
      const tried = verdicts.filter((each) => each === '401 credentials_invalid').length;
      expect(tried).toBeLessThanOrEqual(8);
      expect(verdicts.filter((each) => each === '429 too_many_attempts')).toHaveLength(100 - tried);
      for (const answer of answers) if (answer.status === 429) expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 200));
    });
  });

  it('names that nobody has is answered as for names that somebody has', async () => {
    await stage.beside(async () => {
      const unknown = await Promise.all(['\u0000', "' OR 1=1 --", '__proto__', '\ud83d\ude00', 'nobody'].map((name) => login(name, PASSWORD)));
      const wrong = await login('tina', 'wrong');
      for (const answer of unknown) expect([verdict(answer), answer.body]).toEqual(['401 credentials_invalid', wrong.body]);
    });
  });

  it('ingest keys, tickets and keys of simulated sign-ins by brute force finds none and leaves nothing', async () => {
    await stage.abuse(async (index) => {
      const guess = `guess_${index}_${'x'.repeat(index % 60)}`;
      expect(verdict(await rawExchange(stage.port, requestWith('POST /webhooks/agent-events HTTP/1.1', [['authorization', `Bearer ${guess}`]], '{}')))).toBe('401 ingest_key_invalid');
      expect(await onSocket(`/ws?ticket=${guess}`, null, null)).toBe('ticket_invalid 4502');
      expect(verdict(await rawExchange(stage.port, requestWith('POST /auth/simulate HTTP/1.1', [['content-type', 'application/json']], JSON.stringify({ username: 'anna', key: guess }))))).toBe('401 credentials_invalid');
    });
  });

  it('to sign in two hundred at once gets in two hundred times', async () => {
    await stage.beside(async () => {
      const answers = await Promise.all(Array.from({ length: 200 }, (_, place) => login(place % 2 === 0 ? 'anna' : 'sam', PASSWORD)));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
      expect(new Set(answers.map(({ body }) => (JSON.parse(body) as { access_token: string }).access_token)).size).toBe(200);
    });
  });
});

it('the process never held much, and logged no fault of its own and nothing of any token, whatever came', async () => {
  // Two passwords are hashed at once, of 32 MiB each.
  expect(await stage.peakBytes()).toBeLessThan(400 * MEBIBYTE);
  expect(stage.child.output().split('\n').filter((line) => line.includes('"severity"'))).toEqual([]);
  expect(stage.child.output()).not.toMatch(/eyJ|guess|bearer\./);
});
