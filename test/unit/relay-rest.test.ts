import { beforeEach, describe, expect, it } from 'vitest';
import { HEARTBEAT_MS, PONG_WAIT_MS, REPLACEMENT_GRACE_MS, RIGHTS_RECHECK_MS, SERVING_SPREAD_MS, SLOW_CONSUMER_MS, TOKEN_WARNING_MS } from '../../core/protocol/limits.ts';
import { memoryBus } from '../../ports/event-bus.memory.ts';
import { prometheusMetrics } from '../../ports/metrics.prometheus.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import { frameText } from '../../ws-relay/frames.ts';
import { createHub, type Connected, type Hub } from '../../ws-relay/hub.ts';
import type { RelayOptions } from '../../ws-relay/parts.ts';
import type { Transport } from '../../ws-relay/viewer.ts';
import { principalOf, userOf } from '../fixtures/relay.ts';
import { relayLog, type RelayLog } from '../fixtures/relay-log.ts';

const OPTIONS: RelayOptions = { allowedOrigins: [], allowQueryToken: false, maxConnectionsPerUser: 9, maxConnections: 9, version: 'test', metricsOpen: true, moveAfterMs: null, revision: 'one' };
/** No multiple of what comes again and again: nothing else is due when it ends. */
const LIFE_SECONDS = 188;

/** Someone at the other end, who is asked how much waits for them each time they are looked at. */
interface Guest {
  readonly connected: Connected;
  readonly frames: () => readonly Record<string, unknown>[];
  /** Looks since this was asked last. */
  looks(): number;
  waiting: number;
  closed: string | null;
}

describe('the wheel', () => {
  let runtime: SeededRuntime;
  let callLog: RelayLog;
  let hub: Hub;
  let serving: string;
  let rights: number;
  const enter = async (replaces: string | null = null): Promise<Guest> => {
    let looks = 0;
    const written: string[] = [];
    const transport: Transport = {
      write: (frame) => void written.push(frameText(frame)),
      feed: (frames) => void written.push(...frames.map(frameText)),
      room: () => 1_000_000,
      // At each look the wheel asks for it, and nobody else does.
      waiting: () => (looks++, guest.waiting),
      taken: () => 0,
      hold: () => undefined,
      ping: () => undefined,
      close: (_code, reason) => void (guest.closed = reason),
    };
    const guest: Guest = {
      connected: undefined as unknown as Connected,
      frames: () => written.map((text) => JSON.parse(text) as Record<string, unknown>),
      looks: () => {
        const since = looks;
        looks = 0;
        return since;
      },
      waiting: 0,
      closed: null,
    };
    Object.assign(guest, { connected: hub.connect({ transport, offer: { kind: 'token', token: 'ann' }, replaces, kind: 'socket' }) });
    await settled();
    expect(guest.frames()[0]).toMatchObject({ data: { event: 'connection_established' } });
    return guest;
  };
  /** Lets every promise that is under way be kept: all here are kept at once. */
  const settled = async (): Promise<void> => {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      runtime.advance(1_000);
      await settled();
    }
  };
  const idOf = (guest: Guest): string => (guest.frames()[0]?.['data'] as { connection_id: string }).connection_id;

  beforeEach(async () => {
    runtime = seededRuntime(3);
    callLog = relayLog(runtime);
    serving = 'one';
    rights = 0;
    const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const log = { ...quiet, with: () => log };
    hub = createHub({
      callLog,
      bus: memoryBus(),
      directory: {
        user: async () => (rights++, userOf('ann')),
        signInEnded: async () => false,
        takeTicket: async () => null,
        servingRevision: async () => serving,
        check: async () => undefined,
      },
      identity: { verify: async () => principalOf(userOf('ann'), Math.floor(runtime.now() / 1000) + LIFE_SECONDS) },
      runtime,
      log,
      metrics: prometheusMetrics(),
      options: OPTIONS,
    });
    await hub.start();
    return () => hub.close();
  });

  it('leaves a session alone of which nothing is due', async () => {
    const guest = await enter();
    await pass(1);
    guest.looks();
    await pass(HEARTBEAT_MS / 1_000 - 3);
    expect(guest.looks()).toBe(0);
  });

  it('brings every heartbeat and every look at the rights at its time', async () => {
    const guest = await enter();
    await pass((4 * HEARTBEAT_MS) / 1_000);
    expect(guest.frames().filter(({ type }) => type === 'heartbeat').map(({ server_time }) => Date.parse(String(server_time)) % HEARTBEAT_MS)).toEqual([0, 0, 0, 0, 0]);
    expect(rights).toBe(1 + (4 * HEARTBEAT_MS) / RIGHTS_RECHECK_MS);
  });

  it.each<[string, (guest: Guest) => unknown]>([
    ['was written an event', async () => hub.message({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, texts: callLog.say('EL_1', 'words').map(({ text }) => text), at: runtime.now() })],
    ['was shown an interim turn', () => {
      runtime.advance(1);
      const text = JSON.stringify({ type: 'transcription', call_sid: 'EL_1', state: 'interim', turn_id: 'turn', text: 'words' });
      hub.message({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id: 'turn', text, at: runtime.now() });
    }],
    ['sent something', ({ connected }) => connected.text('{"ping":"1"}', 12)],
    ['has rights that changed, says a message', () => hub.message({ kind: 'rights', tenant: 't1', user: 'ann' })],
    ['was replaced by another one', (guest) => enter(idOf(guest))],
    ['lives by a clock that was set', () => runtime.jump(2_000)],
    ['belongs where another revision has begun to serve', async () => {
      serving = 'two';
      await pass(15);
    }],
  ])('looks in its next turn at one that %s', async (_what, happens) => {
    callLog.add('EL_1');
    const guest = await enter();
    guest.connected.text('{"subscribe":"EL_1"}', 20);
    await settled();
    await pass(2);
    guest.looks();
    await happens(guest);
    await settled();
    guest.looks();
    await pass(1);
    expect(guest.looks()).toBeGreaterThan(0);
  });

  it('looks each second at one for whom something waits', async () => {
    const guest = await enter();
    guest.waiting = 10;
    guest.connected.text('{"ping":"1"}', 12);
    await pass(1);
    guest.looks();
    for (let second = 0; second < 30; second++) {
      await pass(1);
      expect(guest.looks()).toBeGreaterThan(0);
    }
  });

  it('gives a reader that stopped in the middle of its rest all of its time, and no more', async () => {
    callLog.add('EL_1');
    const guest = await enter();
    guest.connected.text('{"subscribe":"EL_1"}', 20);
    await pass(8);
    guest.waiting = 400;
    hub.message({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.EL_1', first_seq: 1, texts: callLog.say('EL_1', 'words').map(({ text }) => text), at: runtime.now() });
    await pass(SLOW_CONSUMER_MS / 1_000);
    expect(guest.closed).toBeNull();
    await pass(1);
    expect(guest.closed).toBe('slow_consumer');
  });

  it('closes who is silent for ninety seconds in that very second, whenever they were heard last', async () => {
    const guest = await enter();
    await pass(7);
    guest.connected.ponged();
    await pass(PONG_WAIT_MS / 1_000 - 1);
    expect(guest.closed).toBeNull();
    await pass(1);
    expect(guest.closed).toBe('slow_consumer');
  });

  it('asks for the rights in the very second in which they are due, whenever they were asked for last', async () => {
    await enter();
    await pass(7);
    hub.message({ kind: 'rights', tenant: 't1', user: null });
    await pass(RIGHTS_RECHECK_MS / 1_000 - 1);
    expect(rights).toBe(2);
    await pass(1);
    expect(rights).toBe(3);
  });

  it('warns of the end of a token, and ends with it, in the very second', async () => {
    const guest = await enter();
    const answering = (): void => guest.connected.ponged();
    const until = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second++) {
        answering();
        await pass(1);
      }
    };
    const warnings = (): number => guest.frames().filter(({ data }) => (data as { event?: string } | undefined)?.event === 'token_expiring').length;
    await until(LIFE_SECONDS - TOKEN_WARNING_MS / 1_000 - 1);
    expect(warnings()).toBe(0);
    await until(1);
    expect(warnings()).toBe(1);
    await until(TOKEN_WARNING_MS / 1_000 - 1);
    expect(guest.closed).toBeNull();
    await until(1);
    expect(guest.closed).toBe('token_expired');
    expect(warnings()).toBe(1);
  });

  it('ends a session at its token\'s end also where the clock was set past it', async () => {
    const guest = await enter();
    await pass(2);
    runtime.jump(LIFE_SECONDS * 1_000);
    await pass(1);
    expect(guest.closed).toBe('token_expired');
  });

  it('closes one that was replaced as its grace ends', async () => {
    const guest = await enter();
    await pass(2);
    await enter(idOf(guest));
    await pass(REPLACEMENT_GRACE_MS / 1_000 - 1);
    guest.connected.ponged();
    expect(guest.closed).toBeNull();
    await pass(1);
    expect(guest.closed).toBe('moving');
  });

  it('asks all of them to move within the time over which they are spread, when another revision serves', async () => {
    const guests = await Promise.all([enter(), enter(), enter()]);
    await pass(2);
    serving = 'two';
    await pass(15 + SERVING_SPREAD_MS / 1_000 + 1);
    for (const guest of guests) expect(guest.frames().map(({ data }) => (data as { event?: string } | undefined)?.event)).toContain('move');
  });
});
