/**
 * All sessions of a relay: does what their machines ask for, and turns the one-second wheel by which heartbeats, pings,
 * token ends and slow readers are looked after (timers of each session's own would cost more than twice as much, `npm run bench -- idle`).
 */
import { errorFrame } from '../core/domain/relay/message.ts';
import type { Effect, Times } from '../core/domain/relay/effects.ts';
import type { EventHops } from '../core/domain/relay/hops.ts';
import { Session } from '../core/domain/relay/session.ts';
import type { Found } from '../core/domain/relay/subscriptions.ts';
import { CLOSE_CODES, type CloseName } from '../core/protocol/codes.ts';
import { DRAIN_MAX_MS, DRAIN_SPREAD_MS, HEARTBEAT_MS, MOVE_WITHIN_MS } from '../core/protocol/limits.ts';
import type { BusMessage, EventsHead } from '../ports/event-bus.ts';
import { createBoards } from './boards.ts';
import { createComparison } from './comparison.ts';
import { Connected, type Arrival, type Input, type Reception } from './connected.ts';
import { createFeeds } from './feeds.ts';
import { createLookUps } from './look-ups.ts';
import { Members, newMember, type Member } from './members.ts';
import { createMoves } from './moves.ts';
import type { RelayParts } from './parts.ts';
import { createRightsCheck } from './rights.ts';
import { clockWatch, restsUntil } from './rest.ts';
import { verifyOffer } from './offer.ts';
import { say, stirred } from './viewer.ts';

export type { Arrival, Connected } from './connected.ts';

export interface Hub {
  connect(arrival: Arrival): Connected;
  message(message: BusMessage): void;
  /** Events of which only the board needs to know that there are some: then it does, and the message need not come. */
  passesOver(head: EventsHead): boolean;
  /** Makes the first comparison with the log and starts the wheel. */
  start(): Promise<void>;
  /** Calls that somebody here follows now. */
  watched(): number;
  /** As `Feeds.hops`. */
  hops(callSid: string): readonly EventHops[];
  /** Sessions of each kind now. */
  size(kind: 'socket' | 'poll'): number;
  verifiedAt(): number | null;
  /** As `Moves.serves`. */
  serves(): boolean;
  /** Sends every session away over DRAIN_SPREAD_MS; resolves when the last is gone or DRAIN_MAX_MS have passed. */
  drain(): Promise<void>;
  close(): void;
}

const WHEEL_MS = 1_000;

/** What each session is told each second. */
const ticked: Input = (session, at) => session.tick(at);
const held: Input = (session, at) => session.hold(true, at);
const released: Input = (session, at) => session.hold(false, at);

/** @param soon does some work at the end of this turn of the event loop; by itself at once */
export const createHub = (parts: RelayParts, soon: (work: () => void) => void = (work) => work()): Hub => {
  const { runtime, log, metrics, options } = parts;
  const members = new Members();
  const emptied: (() => void)[] = [];
  let stopped = false;

  const times = (): Times => ({ now: runtime.now(), mono: runtime.monotonic() });
  const feeds = createFeeds(parts, (viewer, callSid) => run(viewer as Member, (session) => session.callGone(callSid)), soon);
  const boards = createBoards(parts);
  const lookUp = createLookUps(parts);
  const checkRights = createRightsCheck(parts);
  const moves = createMoves(parts);
  const clockWasSet = clockWatch();
  const comparison = createComparison(parts, () => members.tenants(), {
    changed: (call) => {
      feeds.compared(call);
      boards.compared(call);
    },
    erased: (tenant, callSid) => {
      feeds.erased(callSid);
      boards.changed(tenant, callSid);
    },
  });

  /** Tells a session something and does what it asks for. A fault of ours ends this session, not the relay. */
  const run = (member: Member, input: Input, at: Times = times()): void => {
    stirred(member);
    try {
      for (const effect of input(member.session, at)) act(member, effect);
      backPressure(member);
    } catch (error) {
      log.error('Session failed', { connection_id: member.session.id }, error);
      end(member, 'server_fault');
    }
  };

  /** Brings an answer that messages wait behind: they go on waiting where the client takes no more by now. */
  const answer = (member: Member, input: Input): void => {
    run(member, (session, at) => session.hold(member.transport.room() <= 0, at));
    run(member, input);
  };

  const guarded = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      log.error(`${what} failed`, {}, error);
    }
  };

  const act = (member: Member, effect: Effect): void => {
    switch (effect.do) {
      case 'send':
        say(member, effect.frame);
        return;
      case 'close':
        end(member, effect.name);
        return;
      case 'verify':
        void verifyOffer(parts, effect.offer).then((verdict) => {
          if ('user' in verdict) {
            log.info('JWT validation successful', { connection_id: member.session.id, user: verdict.user.user, tenant: verdict.user.tenant });
            run(member, (session, at) => session.verified(verdict.user, at));
          } else {
            log.info('JWT validation failed', { connection_id: member.session.id, code: verdict.code });
            run(member, (session, at) => session.refused(verdict.code, at));
          }
        });
        return;
      case 'check_rights':
        askRights(member);
        return;
      case 'admit':
        admit(member);
        return;
      case 'look_up':
        void Promise.all(effect.ids.map(find)).then((results) => {
          // The highest seq known is taken when all have answered: what follows is done at once.
          answer(member, (session, at) => session.found(results.map(withKnown), at));
        });
        return;
      case 'attach':
        log.info('Call watched', { connection_id: member.session.id, user: member.session.user?.user, call_sid: effect.subscription.callSid });
        feeds.attach(member, effect.subscription, effect.call);
        return;
      case 'detach':
        feeds.detach(member, effect.subscription);
        return;
      case 'watch':
        log.info('Board watched', { connection_id: member.session.id, user: member.session.user?.user });
        void boards.watch(member, member.session.user?.tenant ?? '', effect.filter, effect.id).then(() => {
          answer(member, (session, at) => session.watching(at));
        });
        return;
      case 'unwatch':
        boards.unwatch(member);
        return;
      case 'resume':
        feeds.pump(member);
        boards.pump(member);
        return;
    }
  };

  /** What a client sends waits where the client itself takes nothing, or where answers are still being made. */
  const backPressure = (member: Member): void => {
    const { session, transport } = member;
    if (session.phase === 'closed') return;
    const full = transport.room() <= 0;
    const hold = full || (session.phase === 'open' && session.backlogged);
    if (hold === member.held) return;
    member.held = hold;
    transport.hold(hold);
  };

  const find = async (id: string): Promise<Found> => {
    try {
      const call = await lookUp(id);
      return call === null || call === 'erased' ? 'absent' : { call, known: call.last_seq };
    } catch {
      return 'unavailable';
    }
  };
  const withKnown = (found: Found): Found => (typeof found === 'string' ? found : { call: found.call, known: feeds.compared(found.call) });

  const askRights = (member: Member): void => {
    const { user } = member.session;
    if (user === null) return;
    void checkRights(user).then((verdict) => {
      // A token that was refreshed meanwhile is asked about on its own.
      if (member.session.user === user) run(member, (session, at) => session.rights(verdict, at));
    });
  };

  const admit = (member: Member): void => {
    const { session } = member;
    const user = session.user;
    if (user === null) return;
    if (!members.admit(member, user, options.maxConnectionsPerUser, runtime.monotonic())) {
      run(member, (_session, at) => session.refused('too_many_connections', at));
      return;
    }
    if (member.kind === 'socket') log.info('WebSocket connection established', { connection_id: session.id, user: user.user, tenant: user.tenant, ...member.trace });
    run(member, (_session, at) => session.admitted(at));
    if (member.kind === 'socket') beat(member);
  };

  const end = (member: Member, name: CloseName): void => {
    const { code } = CLOSE_CODES[name];
    member.closeCode = code;
    // Once no more is taken from the client the close frame could not be read either.
    member.transport.hold(false);
    member.transport.close(code, name);
  };

  const beat = (member: Member): void => {
    const verifiedAt = comparison.verifiedAt();
    say(member, {
      type: 'heartbeat',
      server_time: new Date(runtime.now()).toISOString(),
      verified_at: verifiedAt === null ? null : new Date(verifiedAt).toISOString(),
      heads: member.session.paused ? {} : feeds.heads(member),
    });
  };

  /** Closed with its position, in the log too: what it lacks is known, and it may come back for it. */
  const cutSlow = (member: Member): void => {
    const { session } = member;
    const positions = Object.fromEntries([...session.subscriptions.values()].map(({ callSid, cursor }) => [callSid, cursor]));
    log.warn('Slow consumer closed', { connection_id: session.id, user: session.user?.user, positions: JSON.stringify(positions) });
    if (!feeds.settled(member)) metrics.count('earshot_deliveries_failed_total', {});
    run(member, () => session.end('slow_consumer', errorFrame('slow_consumer', positions)));
  };

  const sendAway = (member: Member): void => run(member, (session) => session.end('moving', null));

  const turnWheel = (): void => {
    const at = times();
    // First the readers: what this turn of the wheel writes itself is no sign that they are slow.
    const nobodyRests = clockWasSet(at) || !moves.serves();
    for (const member of members.all()) if (nobodyRests || at.mono >= member.restsUntil) guarded('A turn of the wheel', () => turn(member, at));
    guarded('Looking after the feeds', () => feeds.tick());
    guarded('Looking after the boards', () => boards.tick());
    comparison.measure();
  };

  const turn = (member: Member, at: Times): void => {
    const { session, transport } = member;
    run(member, ticked, at);
    if (session.phase === 'closed') return;
    // Who is not read from cannot be heard: its pongs wait with all else.
    if (member.held) member.pulse.heard(at.mono);
    if (member.kind === 'socket' && member.pulse.look(transport, at.mono)) {
      cutSlow(member);
      return;
    }
    const leaves = moves.look(member, at.mono);
    if (leaves === 'now') sendAway(member);
    else if (leaves === 'soon') move(member, MOVE_WITHIN_MS, at);
    if (member.kind === 'poll' || session.phase !== 'open') return;
    if (at.mono >= member.nextBeatAt && transport.room() > 0) {
      member.nextBeatAt = Math.max(member.nextBeatAt + HEARTBEAT_MS, at.mono);
      transport.ping();
      beat(member);
    }
    feeds.pump(member);
    boards.pump(member);
    const full = transport.room() <= 0;
    if (full || session.held || session.backlogged) run(member, full ? held : released, at);
    member.restsUntil = restsUntil(member, moves, at);
  };

  const move = (member: Member, withinMs: number, at: Times): void => {
    member.moveBy = at.mono + withinMs;
    if (member.session.phase === 'open') say(member, { type: 'system_message', data: { event: 'move', within_ms: withinMs } });
  };

  const wheel = (): void => {
    runtime.after(WHEEL_MS, () => {
      if (stopped) return;
      turnWheel();
      wheel();
    });
  };

  const hear = (message: BusMessage): void => {
    if (message.kind === 'events') {
      feeds.events(message);
      boards.changed(message.tenant, message.call_sid);
    } else if (message.kind === 'interim') feeds.interim(message);
    else {
      for (const member of members.all()) {
        const { user } = member.session;
        const meant = user !== null && user.tenant === message.tenant && (message.user === null || message.user === user.user);
        if (meant) run(member, (session, at) => session.recheck(at));
      }
    }
  };

  const forget = (member: Member, code: number): void => {
    if (!members.forget(member)) return;
    if (member.kind === 'socket') {
      metrics.set('earshot_connections', {}, members.size('socket'));
      metrics.count('earshot_connections_closed_total', { code: String(member.closeCode ?? code) });
      metrics.observe('earshot_connection_duration_seconds', {}, (runtime.monotonic() - member.openedAt) / 1000);
    }
    if (members.size('socket') + members.size('poll') === 0) for (const tell of emptied.splice(0)) tell();
  };

  const reception: Reception = { feeds, boards, run, monotonic: () => runtime.monotonic(), forget, beat };

  return {
    connect: ({ transport, offer, replaces, kind, trace = {} }) => {
      const id = `ws_${runtime.randomHex(12)}`;
      const at = times();
      const member = newMember({ session: new Session(id, at), transport, kind, replaces, trace }, at.mono);
      members.add(member);
      if (kind === 'socket') {
        metrics.set('earshot_connections', {}, members.size('socket'));
        metrics.count('earshot_connections_opened_total', {});
      }
      run(member, (session) => session.start(offer));
      return new Connected(member, reception);
    },
    message: (message) => guarded('A message of the bus', () => hear(message)),
    passesOver: (head) => {
      const passed = feeds.passesOver(head);
      if (passed) boards.changed(head.tenant, head.call_sid);
      return passed;
    },
    start: async () => {
      await comparison.start();
      moves.start();
      wheel();
    },
    watched: () => feeds.size(),
    hops: (callSid) => feeds.hops(callSid),
    size: (kind) => members.size(kind),
    verifiedAt: () => comparison.verifiedAt(),
    serves: moves.serves,
    drain: () =>
      new Promise((resolve) => {
        const leaving = members.all();
        if (leaving.length === 0) {
          resolve();
          return;
        }
        emptied.push(resolve);
        // The wheel would close with `moving`; on drain the slot's own timer closes.
        moves.stop();
        runtime.after(DRAIN_MAX_MS, resolve);
        leaving.forEach((member, place) => {
          const slot = Math.ceil(((place + 1) * DRAIN_SPREAD_MS) / leaving.length);
          if (member.kind === 'socket' && member.session.phase === 'open') move(member, slot, times());
          runtime.after(member.kind === 'poll' ? 0 : slot, () => run(member, (session) => session.end('draining', null)));
        });
      }),
    close: () => {
      stopped = true;
      comparison.stop();
      moves.stop();
      for (const member of members.all()) run(member, (session) => session.end('draining', null));
    },
  };
};
