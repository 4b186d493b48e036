import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MOVE_WITHIN_MS, SERVING_CHECK_MS, SERVING_GRACE_MS, SERVING_SPREAD_MS } from '../../core/protocol/limits.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { limited, startRelay, tokenOf, type RelayRig, type TestClient } from '../fixtures/relay.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Lets everything that is under way over a real socket happen. */
const settle = (client: TestClient): Promise<unknown> => {
  client.send({ ping: 'settle' });
  return client.next('pong');
};
const eventOf = (frame: Record<string, unknown>): unknown => (frame['data'] as { event?: unknown } | undefined)?.event;
const moves = (client: TestClient): unknown[] => client.frames.filter((frame) => eventOf(frame) === 'move').map((frame) => frame['data']);
const ASKED = { event: 'move', within_ms: MOVE_WITHIN_MS };

/** Until a change was noticed, and everybody who was here was asked. */
const NOTICED_SECONDS = (SERVING_CHECK_MS + SERVING_SPREAD_MS) / 1000 + 1;

describe('a relay while revisions change', () => {
  let runtime: SeededRuntime;
  let rig: RelayRig;
  beforeEach(async () => {
    runtime = seededRuntime(11);
    rig = await startRelay({ runtime, options: { revision: 'relay-a' } });
  });
  afterEach(async () => {
    await rig.close();
  });
  /** Virtual seconds; a client that is there answers pings as it goes. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      runtime.advance(1_000);
      await turn();
    }
  };
  const clients = async (count: number): Promise<TestClient[]> => {
    const all = await Promise.all(Array.from({ length: count }, () => rig.client()));
    await Promise.all(all.map((client) => client.next('heartbeat')));
    return all;
  };

  it.each([
    ['nobody has named one', null],
    ['it is the one that is named', 'relay-a'],
  ])('asks nobody to move while %s', async (_when, serving) => {
    rig.directory.serving = serving;
    const [client] = await clients(1) as [TestClient];
    await pass(NOTICED_SECONDS + MOVE_WITHIN_MS / 1000);
    await settle(client);
    expect(moves(client)).toEqual([]);
    expect(await (await fetch(`${rig.httpUrl}/health`)).json()).toMatchObject({ status: 'ok', revision: 'relay-a', serving: true });
  });

  it('asks everybody once, spread over ten seconds, when another one is named, and closes who stays', async () => {
    const all = await clients(12);
    rig.directory.serving = 'relay-b';
    await pass(SERVING_CHECK_MS / 1000);
    const seconds: number[] = [];
    for (let second = 0; second <= SERVING_SPREAD_MS / 1000; second++) {
      await Promise.all(all.map(settle));
      seconds.push(all.filter((client) => moves(client).length > 0).length);
      await pass(1);
    }
    await Promise.all(all.map(settle));
    expect(all.map(moves)).toEqual(all.map(() => [ASKED]));
    // Not all of them in one second, and none before the change was noticed.
    expect(Math.max(...seconds.map((count, index) => count - (seconds[index - 1] ?? 0)))).toBeLessThan(6);
    await pass(MOVE_WITHIN_MS / 1000);
    expect((await Promise.all(all.map(({ closed }) => closed))).map(({ code }) => code)).toEqual(all.map(() => 4000));
    expect(rig.lines.filter(({ message }) => message.startsWith('Another revision serves'))).toEqual([{ message: 'Another revision serves: sessions are asked to move', fields: { revision: 'relay-a', serving: 'relay-b' } }]);
  });

  it('goes on serving until they have gone, also those who come meanwhile, and asks these later', async () => {
    rig.directory.serving = 'relay-b';
    await pass(SERVING_CHECK_MS / 1000 + 1);
    rig.callLog.add('EL_1');
    const client = await rig.client();
    client.send({ subscribe: 'EL_1' });
    await client.next('subscription_confirmed');
    await rig.say('EL_1', 'one');
    expect(await client.next('transcription')).toMatchObject({ seq: 1 });
    await pass(SERVING_GRACE_MS / 1000 - 1);
    await settle(client);
    expect(moves(client)).toEqual([]);
    await pass(SERVING_SPREAD_MS / 1000 + 2);
    await rig.say('EL_1', 'two');
    expect(await client.next('transcription')).toMatchObject({ seq: 2 });
    expect(moves(client)).toEqual([ASKED]);
    expect((await fetch(`${rig.httpUrl}/ready`)).status).toBe(200);
    expect(await (await fetch(`${rig.httpUrl}/health`)).json()).toMatchObject({ status: 'ok', revision: 'relay-a', serving: false });
  });

  it('answers a waiting poll early, and those that come later in their own time', async () => {
    const poll = async (wait: number): Promise<unknown> => {
      const answer = await limited(fetch(`${rig.httpUrl}/poll`, { method: 'POST', headers: { authorization: `Bearer ${tokenOf('ann')}` }, body: JSON.stringify({ calls: [{ id: 'EL_1', epoch: '1.EL_1', seq: 0 }], wait }) }), 'a poll');
      const { frames } = (await answer.json()) as { frames: { type: string }[] };
      return [answer.status, frames.map(({ type }) => type)];
    };
    /** Virtual milliseconds until it is answered, at most what it may wait. */
    const answered = async (poll: Promise<unknown>): Promise<number> => {
      const asked = runtime.now();
      const done = poll.then(() => true);
      while (runtime.now() - asked < 30_000 && !(await Promise.race([done, turn().then(() => false)]))) runtime.advance(50);
      return runtime.now() - asked;
    };
    rig.callLog.add('EL_1');
    rig.directory.serving = 'relay-b';
    await pass(SERVING_CHECK_MS / 1000 - 1);
    const waiting = poll(25);
    expect(await answered(waiting)).toBeLessThan(SERVING_SPREAD_MS + 4_000);
    expect(await waiting).toEqual([200, ['subscription_confirmed', 'heartbeat']]);
    const later = poll(20);
    expect(await answered(later)).toBeGreaterThanOrEqual(20_000);
    expect(await later).toEqual([200, ['subscription_confirmed', 'heartbeat']]);
  });

  it('lets everybody stay who is still there when it serves again', async () => {
    const all = await clients(3);
    rig.directory.serving = 'relay-b';
    await pass(NOTICED_SECONDS);
    await Promise.all(all.map(settle));
    expect(all.map(moves)).toEqual(all.map(() => [ASKED]));
    rig.directory.serving = 'relay-a';
    await pass(SERVING_CHECK_MS / 1000 + 1 + MOVE_WITHIN_MS / 1000);
    await Promise.all(all.map(settle));
    expect(all.map(moves)).toEqual(all.map(() => [ASKED]));
    rig.directory.serving = 'relay-c';
    await pass(NOTICED_SECONDS);
    await Promise.all(all.map(settle));
    expect(all.map(moves)).toEqual(all.map(() => [ASKED, ASKED]));
  });

  it('changes nothing while it cannot be read which one serves', async () => {
    const [client] = await clients(1) as [TestClient];
    rig.directory.serving = 'relay-b';
    rig.directory.broken = true;
    await pass(30);
    await settle(client);
    expect(moves(client)).toEqual([]);
    rig.directory.broken = false;
    await pass(NOTICED_SECONDS);
    await settle(client);
    expect(moves(client)).toEqual([ASKED]);
    rig.directory.broken = true;
    await pass(SERVING_CHECK_MS / 1000);
    expect(rig.lines.filter(({ message }) => message === 'This revision serves again')).toEqual([]);
    expect(rig.lines).toContainEqual({ message: 'Which revision serves is not known', fields: { error: 'EarshotError' } });
  });

  it('does not look where there are no revisions', async () => {
    await rig.close();
    rig = await startRelay({ runtime });
    rig.directory.serving = 'relay-b';
    const [client] = await clients(1) as [TestClient];
    await pass(NOTICED_SECONDS);
    await settle(client);
    expect(moves(client)).toEqual([]);
  });
});
