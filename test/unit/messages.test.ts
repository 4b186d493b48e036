import { describe, expect, it } from 'vitest';
import { ID_FORM } from '../../core/protocol/id-form.ts';
import { CALL_ID_MAX_CHARACTERS, ID_MAX_CHARACTERS, POLL_WAIT_MAX_SECONDS, SUBSCRIPTIONS_MAX_COUNT } from '../../core/protocol/limits.ts';
import { ClientMessage, PollRequest } from '../../core/protocol/messages.ts';

const taken = (message: unknown): boolean => ClientMessage.safeParse(message).success;
const text = (length: number): string => 'x'.repeat(length);
const since = { epoch: '1.a', seq: 3 };

describe('a message of a client', () => {
  const good: unknown[] = [
    { subscribe: 'EL_1' },
    { subscribe: 'EL_1', since, id: 1 },
    { subscribe: ['EL_1', { id: 'EL_2' }, { id: 'EL_3', since }], id: 'one' },
    { subscribe: text(CALL_ID_MAX_CHARACTERS), since: { epoch: text(ID_MAX_CHARACTERS), seq: -1.5 } },
    { subscribe: Array.from({ length: SUBSCRIPTIONS_MAX_COUNT }, () => 'EL_1'), id: text(ID_MAX_CHARACTERS) },
    { unsubscribe: 'EL_1', id: 1 },
    { watch: 'board' },
    { watch: 'board', status: text(64), agent_id: text(ID_MAX_CHARACTERS), driver_id: text(ID_MAX_CHARACTERS), id: 1 },
    { unwatch: 'board', id: 1 },
    { auth: 'x', id: 1 },
    { ping: null },
    { ping: { any: ['thing'] }, id: 1 },
  ];
  it.each(good.map((message) => [JSON.stringify(message).slice(0, 60), message]))('is taken and kept whole: %s', (_what, message) => {
    expect(ClientMessage.parse(message)).toEqual(message);
  });

  const bad: [string, unknown][] = [
    ['nothing', {}],
    ['an unknown field beside a subscription', { subscribe: 'EL_1', sinse: since }],
    ['an unknown field in an entry', { subscribe: [{ id: 'EL_1', sinse: since }] }],
    ['an unknown field beside an unsubscription', { unsubscribe: 'EL_1', since }],
    ['an unknown field beside a filter', { watch: 'board', state: 'failed' }],
    ['an unknown field beside the end of watching', { unwatch: 'board', status: 'failed' }],
    ['an unknown field beside a token', { auth: 'x', token: 'y' }],
    ['an unknown field beside a ping', { ping: 1, pong: 2 }],
    ['two messages in one', { subscribe: 'EL_1', unsubscribe: 'EL_1' }],
    ['no entry', { subscribe: [] }],
    ['one entry too many', { subscribe: Array.from({ length: SUBSCRIPTIONS_MAX_COUNT + 1 }, () => 'EL_1') }],
    ['an empty id of a call', { subscribe: '' }],
    ['an id of a call that is too long', { subscribe: text(CALL_ID_MAX_CHARACTERS + 1) }],
    ['an id of its own that is too long', { ping: 1, id: text(ID_MAX_CHARACTERS + 1) }],
    ['an id of its own that is no id', { ping: 1, id: {} }],
    ['a position without an epoch', { subscribe: 'EL_1', since: { seq: 1 } }],
    ['a position without a seq', { subscribe: 'EL_1', since: { epoch: '1.a' } }],
    ['an epoch that is too long', { subscribe: 'EL_1', since: { epoch: text(ID_MAX_CHARACTERS + 1), seq: 1 } }],
    ['an empty token', { auth: '' }],
    ['another thing to watch', { watch: 'calls' }],
    ['another thing to watch no longer', { unwatch: 'calls' }],
    ['a status that is too long', { watch: 'board', status: text(65) }],
    ['an agent that is too long', { watch: 'board', agent_id: text(ID_MAX_CHARACTERS + 1) }],
    ['a driver that is too long', { watch: 'board', driver_id: text(ID_MAX_CHARACTERS + 1) }],
  ];
  it.each(bad)('is refused with %s', (_what, message) => {
    expect(taken(message)).toBe(false);
  });
});

describe('the question of a poll', () => {
  it('asks for nothing and waits for nothing where it does not say so', () => {
    expect(PollRequest.parse({})).toEqual({ calls: [], wait: 0 });
  });

  it.each([
    [{ calls: [{ id: 'EL_1' }, { id: 'EL_2', epoch: null, seq: null }, { id: 'EL_3', epoch: '1.a', seq: 3 }], board: true, wait: POLL_WAIT_MAX_SECONDS }],
    [{ calls: [], board: { status: 'failed', agent_id: 'a', driver_id: 'd', mark: text(64) }, wait: 0.5 }],
    [{ calls: Array.from({ length: SUBSCRIPTIONS_MAX_COUNT }, () => ({ id: 'EL_1' })), wait: 0, board: false }],
  ])('is kept whole: %#', (question) => {
    expect(PollRequest.parse(question)).toEqual(question);
  });

  it.each<[string, unknown]>([
    ['an unknown field', { call: [] }],
    ['an unknown field of a call', { calls: [{ id: 'EL_1', since }] }],
    ['an unknown field of the board', { board: { state: 'failed' } }],
    ['a message of the socket as the board', { board: { watch: 'board' } }],
    ['a call too many', { calls: Array.from({ length: SUBSCRIPTIONS_MAX_COUNT + 1 }, () => ({ id: 'EL_1' })) }],
    ['a call without an id', { calls: [{}] }],
    ['an epoch that is too long', { calls: [{ id: 'EL_1', epoch: text(ID_MAX_CHARACTERS + 1) }] }],
    ['a mark that is too long', { board: { mark: text(65) } }],
    ['a wait below nothing', { wait: -1 }],
    ['a wait that is too long', { wait: POLL_WAIT_MAX_SECONDS + 0.1 }],
  ])('is refused with %s', (_what, question) => {
    expect(PollRequest.safeParse(question).success).toBe(false);
  });
});

describe('an id that somebody else chose', () => {
  it.each(['a', 'EL_driver1_2026-01-01T00:00:00.000Z', ' a b ', '~', '\u00a0', '日本', '😀', '\ue000', '\ud7ff'])('may be %j', (id) => {
    expect(ID_FORM.test(id)).toBe(true);
  });
  it.each(['', 'a\u0000', '\u001fa', '\u007f', '\u009fa', 'a\nb', '\ud800', '\udc00a', '\udfff', 'a\udbff', '\ud800\ud800\udc00'])('may not be %j', (id) => {
    expect(ID_FORM.test(id)).toBe(false);
  });
});
