/**
 * Until when the wheel may leave a session alone. Most sessions most of the time have nothing due, and looking whether they have costs
 * the memory of some fifteen objects of each, which was most of the wheel's time (`npm run bench -- idle`). That is right only while all
 * that a second can ask of a session either stands here as a moment or ends its rest: whatever is written to it or told to it does
 * (`stirred`), and so do a clock that was set and another revision that serves, which the wheel sees for all. Since each heartbeat ends it
 * as well, nothing is ever looked at later than HEARTBEAT_MS.
 */
import type { Times } from '../core/domain/relay/effects.ts';
import type { Member } from './members.ts';
import type { Moves } from './moves.ts';

/** More than two clocks drift apart from one turn of the wheel to the next. */
const CLOCK_SET_MS = 500;

/** For an open session on a socket. Monotonic milliseconds; 0: it is looked at in the next turn. */
export const restsUntil = (member: Member, moves: Pick<Moves, 'restsUntil'>, at: Times): number => {
  const { session, transport, pulse, nextBeatAt } = member;
  if (transport.waiting() > 0) return 0;
  return Math.min(session.restsUntil(at), pulse.restsUntil(), moves.restsUntil(member), nextBeatAt);
};

/** Whether a clock was set since the turn before: what is due by the one is then not due by the other. */
export const clockWatch = (): ((at: Times) => boolean) => {
  let apart = NaN;
  return ({ now, mono }) => {
    const before = apart;
    apart = now - mono;
    return !(Math.abs(apart - before) < CLOCK_SET_MS);
  };
};
