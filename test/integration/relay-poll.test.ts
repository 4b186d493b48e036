import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRuntime } from '../../ports/runtime.seeded.ts';
import { limited, startRelay, tokenOf, userOf, type RelayRig } from '../fixtures/relay.ts';
import { wireFaults } from '../fixtures/wire-schema.ts';

interface Answer {
  readonly status: number;
  readonly frames: Record<string, unknown>[];
  readonly code: string | undefined;
  readonly boardMark: string | undefined;
}

describe('a long poll', () => {
  let rig: RelayRig;
  beforeEach(async () => {
    rig = await startRelay();
  });
  afterEach(async () => {
    await rig.close();
  });
  const poll = async (body: unknown, user: string | null = 'ann', headers: Record<string, string> = {}): Promise<Answer> => {
    const authorization: Record<string, string> = user === null ? {} : { authorization: `Bearer ${tokenOf(user)}` };
    const answer = await limited(fetch(`${rig.httpUrl}/poll`, { method: 'POST', headers: { ...authorization, ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body) }), 'a poll');
    const content = (await answer.json()) as { frames?: Record<string, unknown>[]; code?: string; board_mark?: string };
    expect((content.frames ?? []).flatMap((frame) => wireFaults(JSON.stringify(frame)))).toEqual([]);
    return { status: answer.status, frames: content.frames ?? [], code: content.code, boardMark: content.board_mark };
  };
  const types = (answer: Answer): unknown[] => answer.frames.map((frame) => frame['type']);

  it('gives the history of a call that it names for the first time, and ends with a heartbeat', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_1', 'one', 'two');
    const answer = await poll({ calls: [{ id: 'conv_1' }], wait: 25 });
    expect(types(answer)).toEqual(['subscription_confirmed', 'transcription', 'transcription', 'heartbeat']);
    expect(answer.frames.slice(1, 3).map((frame) => JSON.stringify(frame))).toEqual(rig.callLog.events('EL_1').map(({ text }) => text));
    expect(answer.frames[3]).toMatchObject({ heads: { EL_1: 2 } });
  });

  it('that waits for nothing waits all the same until what it asks for was looked up', async () => {
    await rig.close();
    const runtime = seededRuntime(4);
    rig = await startRelay({ runtime });
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one');
    let answer = (): void => undefined;
    rig.callLog.gate = new Promise((resolve) => (answer = resolve));
    let answered: Answer | null = null;
    const polling = poll({ calls: [{ id: 'EL_1' }], wait: 0 }).then((given) => (answered = given));
    const stepUntil = (is: () => boolean): Promise<void> =>
      expect.poll(() => {
        runtime.advance(20);
        return is();
      }).toBe(true);
    await stepUntil(() => rig.callLog.asked.findMany === 1);
    runtime.advance(500);
    answer();
    await stepUntil(() => answered !== null);
    expect(types(await polling)).toEqual(['subscription_confirmed', 'transcription', 'heartbeat']);
  });

  it('answers at once with everything a long history has, in bounded parts', async () => {
    rig.callLog.add('EL_1');
    for (let n = 0; n < 400; n++) rig.callLog.say('EL_1', 'x'.repeat(6_000));
    let seq = 0;
    let epoch: unknown = null;
    const got: unknown[] = [];
    for (let rounds = 0; rounds < 5 && seq < 400; rounds++) {
      const answer = await poll({ calls: [{ id: 'EL_1', epoch, seq: epoch === null ? null : seq }], wait: 0 });
      epoch = answer.frames[0]?.['epoch'];
      got.push(...answer.frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']])));
      seq = Number(got.at(-1));
      expect(JSON.stringify(answer.frames).length).toBeLessThan(1_300_000);
    }
    expect(got).toEqual(Array.from({ length: 400 }, (_, place) => place + 1));
  });

  it('waits when its position is good and nothing is new, and answers as soon as something is', async () => {
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one');
    let answered = false;
    const waiting = poll({ calls: [{ id: 'EL_1', epoch: '1.EL_1', seq: 1 }], wait: 25 }).then((answer) => {
      answered = true;
      return answer;
    });
    while (!rig.lines.some(({ message }) => message === 'Call watched')) await new Promise((resolve) => setImmediate(resolve));
    for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(answered).toBe(false);
    await rig.say('EL_1', 'two');
    const answer = await waiting;
    expect(answer.frames).toMatchObject([{ type: 'subscription_confirmed', recovered: true }, { seq: 2 }, { type: 'heartbeat' }]);
  });

  it('answers with a heartbeat when its time is over', async () => {
    rig.callLog.add('EL_1');
    expect(types(await poll({ calls: [{ id: 'EL_1', epoch: '1.EL_1', seq: 0 }], wait: 0.05 }))).toEqual(['subscription_confirmed', 'heartbeat']);
    expect(types(await poll({}))).toEqual(['heartbeat']);
  });

  const news: [string, object, object][] = [
    ['a position of another epoch', { id: 'EL_1', epoch: '0.old', seq: 1 }, { type: 'subscription_confirmed', recovered: false, reason: 'epoch_changed' }],
    ['a position past the log', { id: 'EL_1', epoch: '1.EL_1', seq: 99 }, { type: 'subscription_confirmed', recovered: false, reason: 'ahead_of_log' }],
    ['a call that is not there', { id: 'EL_none', epoch: '1.x', seq: 1 }, { type: 'error', code: 'call_not_found', ref: 'EL_none' }],
  ];
  it.each(news)('answers at once to %s', async (_what, entry, frame) => {
    rig.callLog.add('EL_1');
    const answer = await poll({ calls: [entry], wait: 25 });
    expect(answer.frames[0]).toMatchObject(frame);
    expect(types(answer).at(-1)).toBe('heartbeat');
  });

  it('shows the board once, and again only when it differs from what was seen', async () => {
    rig.callLog.add('EL_1');
    const first = await poll({ board: true, wait: 25 });
    expect(first.frames[0]).toMatchObject({ type: 'board_snapshot', rows: [{ call_sid: 'EL_1' }] });
    const waiting = poll({ board: { mark: first.boardMark }, wait: 25 });
    while (rig.lines.filter(({ message }) => message === 'Board watched').length < 2) await new Promise((resolve) => setImmediate(resolve));
    await rig.say('EL_1', 'new');
    const second = await waiting;
    expect(second.frames.some((frame) => JSON.stringify(frame).includes('"last_line":"new"'))).toBe(true);
    const third = await poll({ board: { mark: first.boardMark }, wait: 25 });
    expect(third.frames[0]).toMatchObject({ type: 'board_snapshot', rows: [{ last_line: 'new' }] });
    expect((await poll({ board: { mark: third.boardMark }, wait: 0.05 })).boardMark).toBe(third.boardMark);
  });

  const refusals: [string, unknown, string | null, number, string][] = [
    ['no token', {}, null, 401, 'token_missing'],
    ['a bad token', {}, 'nobody', 401, 'token_invalid'],
    ['no JSON', '{', 'ann', 400, 'invalid_json'],
    ['an unknown field', { call: [] }, 'ann', 400, 'invalid_request'],
    ['too long a wait', { wait: 26 }, 'ann', 400, 'invalid_request'],
    ['too many calls', { calls: Array.from({ length: 101 }, () => ({ id: 'x' })) }, 'ann', 400, 'invalid_request'],
    ['too large a body', ' '.repeat(300_000), 'ann', 413, 'payload_too_large'],
    ['a role that may not watch', {}, 'op', 403, 'forbidden'],
  ];
  it.each(refusals)('is refused with a problem document for %s', async (_what, body, user, status, code) => {
    expect(await poll(body, user)).toMatchObject({ status, code });
  });

  it('is refused to a user whose rights were taken away', async () => {
    rig.users.set('ann', userOf('ann', { disabled: true }));
    expect(await poll({})).toMatchObject({ status: 403, code: 'access_revoked' });
  });

  it('is for allowed origins only, and tells browsers so', async () => {
    expect(await poll({}, 'ann', { origin: 'https://evil.example' })).toMatchObject({ status: 403, code: 'origin_not_allowed' });
    const preflight = await fetch(`${rig.httpUrl}/poll`, { method: 'OPTIONS', headers: { origin: 'https://app.example' } });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin'), preflight.headers.get('access-control-allow-headers')]).toEqual([204, 'https://app.example', 'authorization, content-type']);
    expect((await fetch(`${rig.httpUrl}/poll`)).status).toBe(405);
  });

  it('leaves nothing behind when the client goes away or the relay drains', async () => {
    rig.callLog.add('EL_1');
    const control = new AbortController();
    const gone = fetch(`${rig.httpUrl}/poll`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokenOf('ann')}` },
      body: JSON.stringify({ calls: [{ id: 'EL_1', epoch: '1.EL_1', seq: 0 }], wait: 25 }),
      signal: control.signal,
    }).catch(() => 'aborted');
    while (!rig.lines.some(({ message }) => message === 'Call watched')) await new Promise((resolve) => setImmediate(resolve));
    control.abort();
    expect(await gone).toBe('aborted');
    const staying = poll({ wait: 25 });
    while (rig.lines.filter(({ message }) => message === 'JWT validation successful').length < 2) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await limited(rig.relay.drain(), 'the drain');
    expect(types(await staying)).toEqual(['heartbeat']);
    expect(await poll({})).toMatchObject({ status: 503, code: 'draining' });
  });
});
