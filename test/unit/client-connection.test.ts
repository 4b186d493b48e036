import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../core/domain/client/effects.ts';
import { newServerClock } from '../../core/domain/client/server-clock.ts';
import { ClientRig } from '../fixtures/client-relay.ts';

const START = 1_000;
const SERVER_START = Date.UTC(2026, 0, 1);

/** A client that began at 1 s by its own clock, and is live where nothing is followed. */
const live = (options: ConstructorParameters<typeof ClientRig>[0] = {}): ClientRig => {
  const rig = new ClientRig(options);
  rig.now = START;
  rig.do('start');
  rig.establish();
  rig.beat();
  return rig;
};
const shown = (rig: ClientRig): Connection => rig.machine.connection;

describe('the connection as a page can show it', () => {
  it('begins as connecting, at the time of the start, with an attempt under way', () => {
    const rig = new ClientRig();
    rig.now = START;
    rig.do('start');
    expect(shown(rig)).toEqual({ state: 'connecting', via: null, since: START, retryAt: null, verifiedAt: null });
  });

  it('comes by a socket, and says until when the relay had compared', () => {
    const rig = live();
    expect(shown(rig)).toEqual({ state: 'live', via: 'socket', since: START, retryAt: null, verifiedAt: SERVER_START + START });
    rig.pass(15_000);
    rig.beat(1, 2_000);
    expect(shown(rig)).toEqual({ state: 'live', via: 'socket', since: START, retryAt: null, verifiedAt: SERVER_START + START + 13_000 });
  });

  it('keeps what was last compared while nothing is confirmed', () => {
    const rig = live();
    rig.pass(35_000);
    expect(shown(rig)).toEqual({ state: 'unverified', via: 'socket', since: START + 35_000, retryAt: null, verifiedAt: SERVER_START + START });
    rig.do('frame', 1, '{"type":"heartbeat","server_time":"2026-01-01T00:01:00.000Z","verified_at":null,"heads":{}}');
    expect(shown(rig)).toEqual({ state: 'unverified', via: 'socket', since: START + 35_000, retryAt: null, verifiedAt: SERVER_START + START });
  });

  it('says when it tries again, and nothing of that while it tries', () => {
    const rig = live();
    rig.pass(1_000);
    rig.do('closed', 1, 1006);
    expect(shown(rig)).toEqual({ state: 'lost', via: null, since: START + 1_000, retryAt: START + 1_300, verifiedAt: SERVER_START + START });
    rig.pass(300);
    expect(shown(rig)).toMatchObject({ state: 'lost', retryAt: null });
    expect(rig.newest.link).toBe(2);
  });

  it('comes by polls where no socket works, and says when it polls again once they fail', () => {
    const rig = new ClientRig();
    rig.do('start');
    for (const link of [1, 2, 3]) {
      rig.pass(30_000);
      rig.do('closed', link, 1006);
    }
    rig.answerPoll();
    expect(shown(rig)).toMatchObject({ state: 'live', via: 'poll', retryAt: null });
    rig.do('polled', 503, [], undefined);
    const at = shown(rig).retryAt ?? NaN;
    expect(shown(rig)).toMatchObject({ state: 'lost', via: null });
    expect(at).toBe(Math.min(rig.timers.get('retry') ?? Infinity, rig.timers.get('poll') ?? Infinity));
    expect(at).toBeGreaterThan(rig.now);
  });

  it('tries nothing without a network, and soon once that is back', () => {
    const rig = live();
    rig.do('offline');
    expect(shown(rig)).toMatchObject({ state: 'lost', via: null, retryAt: null });
    rig.do('closed', 1, 1006);
    expect(shown(rig).retryAt).toBeNull();
    rig.do('online');
    expect(shown(rig)).toMatchObject({ state: 'lost', via: null, retryAt: START + 300 });
  });

  it('ends with no way and no attempt', () => {
    const rig = live();
    rig.do('stop');
    expect(shown(rig)).toEqual({ state: 'stopped', via: null, since: START, retryAt: null, verifiedAt: SERVER_START + START });
  });

  it('is the same object until something of it changes', () => {
    const rig = live();
    const before = shown(rig);
    rig.pass(1_000);
    rig.frame(1, { type: 'unknown_of_tomorrow' });
    expect(shown(rig)).toBe(before);
    rig.beat();
    expect(shown(rig)).not.toBe(before);
  });
});

describe("the server's clock", () => {
  it('is not known before any time came, nor by what is none', () => {
    const clock = newServerClock();
    clock.hear(NaN, 0);
    expect(clock.at(0)).toBeNull();
  });

  it('is told by the connection itself, before the first heartbeat', () => {
    const rig = new ClientRig();
    rig.do('start');
    expect(rig.machine.serverNow(0)).toBeNull();
    rig.frame(1, { type: 'system_message', data: { event: 'connection_established', connection_id: 'ws_1', server_time: '2026-01-01T00:00:00.000Z' } });
    expect(rig.machine.serverNow(250)).toBe(SERVER_START + 250);
  });

  it('goes by the time that was on its way the shortest, never ahead of the server', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 1, maxLength: 30 }), fc.integer({ min: -1e9, max: 1e9 }), (delays, ahead) => {
        const clock = newServerClock();
        delays.forEach((delay, beat) => clock.hear(SERVER_START + ahead + beat * 15_000, beat * 15_000 + delay));
        const now = delays.length * 15_000;
        expect(clock.at(now)).toBe(SERVER_START + ahead + now - Math.min(...delays.slice(-8)));
      }),
    );
  });

  it("goes on at once where the page's monotonic clock stood still in a sleep", () => {
    const clock = newServerClock();
    clock.hear(SERVER_START, 0);
    clock.hear(SERVER_START + 3_600_000, 15_000);
    expect(clock.at(15_000)).toBe(SERVER_START + 3_600_000);
  });

  it("is another relay's after two minutes of its heartbeats, where the old one was ahead", () => {
    const clock = newServerClock();
    clock.hear(SERVER_START + 5_000, 0);
    for (let beat = 1; beat <= 8; beat++) clock.hear(SERVER_START + beat * 15_000, beat * 15_000);
    expect(clock.at(120_000)).toBe(SERVER_START + 120_000);
  });
});
