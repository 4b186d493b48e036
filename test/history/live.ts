/**
 * I1, "or is told plainly": a screen says that it is live only where everything that it follows was confirmed to it on a connection
 * that is open, and while its relay has lately looked at the log and lately said so.
 */
import { COMPARE_MS, HEARTBEAT_MS } from '../../core/protocol/limits.ts';
import type { RecordOf } from './history.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** How old the relay's look at the log may be when it speaks of it, and how old its word when the screen goes by it. */
const LOOKED_MAX_MS = 3 * COMPARE_MS;
const SAID_MAX_MS = 2 * HEARTBEAT_MS + 5_000;
/** The way of a word, and a timer's second. */
const WAY_MAX_MS = 5_000;
const CLAIMS = new Set(['live', 'restored']);
/** Words wait on their way under these, or nobody looks at the screen. */
const HOLDS_WORDS_UP = new Set(['link_throttled', 'viewer_sleeps']);
const LONG_POLL = 'poll';

interface Screen {
  /** Of each id that it follows, the call that was confirmed; null: none yet. */
  readonly follows: Map<string, string | null>;
  readonly sessions: Map<string, { readonly relay: string; readonly calls: Set<string> }>;
  /** When a word of a relay was last sent to it that stood on a look at the log. */
  saidAt: number;
  claims: boolean;
  /** When a poll was last answered. */
  polledAt: number;
  told: boolean;
}

export const checkLive = (world: World, report: Report): void => {
  if (world.of('compared').length === 0) return;
  const aged = !world.of('fault').some(({ record }) => HOLDS_WORDS_UP.has(record.kind));
  const screens = new Map<string, Screen>();
  const owners = new Map<string, Screen>();
  const compared = new Map<string, number>();
  const screenOf = (actor: string): Screen => {
    const known = screens.get(actor) ?? { follows: new Map(), sessions: new Map(), saidAt: -Infinity, claims: false, polledAt: -Infinity, told: false };
    screens.set(actor, known);
    return known;
  };
  for (const [index, record] of world.records.entries()) {
    if (record.op === 'compared') compared.set(record.relay, record.began);
    else if (record.op === 'follow' || record.op === 'reset') screenOf(record.actor).follows.set(record.id, null);
    else if (record.op === 'unfollow' || record.op === 'refused') screenOf(record.actor).follows.delete(record.id);
    else if (record.op === 'confirmed') screenOf(record.actor).follows.set(record.id, record.call_sid);
    else if (record.op === 'opened') {
      const screen = screenOf(record.actor);
      screen.sessions.set(record.session, { relay: record.relay, calls: new Set() });
      owners.set(record.session, screen);
    } else if (record.op === 'closed') left(owners.get(record.session), record);
    else if (record.op === 'frame') heard(owners.get(record.session), record, compared);
    else if (record.op === 'state') {
      const screen = screenOf(record.actor);
      screen.claims = CLAIMS.has(record.state);
      screen.told = false;
      if (screen.claims && aged) checkConfirmed(screen, record, index, report);
    } else if (record.op === 'stopped') screenOf(record.actor).claims = false;
    if (!aged || record.op !== 'held') continue;
    for (const [actor, screen] of screens) {
      const age = record.at - screen.saidAt;
      if (!screen.claims || screen.told || age <= SAID_MAX_MS + WAY_MAX_MS) continue;
      screen.told = true;
      report('I1', `${actor} says that it is live, and no relay that knows has said so for ${age} ms`, index);
    }
  }
};

const heard = (screen: Screen | undefined, frame: RecordOf<'frame'>, compared: ReadonlyMap<string, number>): void => {
  const session = screen?.sessions.get(frame.session);
  if (screen === undefined || session === undefined) return;
  if (frame.type === 'subscription_confirmed' && frame.call_sid !== null) session.calls.add(frame.call_sid);
  // The answers of polls are written by whichever relay was asked: any that knows will do.
  const looked = session.relay === LONG_POLL ? Math.max(...compared.values()) : (compared.get(session.relay) ?? -Infinity);
  if (frame.type === 'heartbeat' && frame.at - looked <= LOOKED_MAX_MS + WAY_MAX_MS) screen.saidAt = frame.at;
};

const left = (screen: Screen | undefined, { session, at }: RecordOf<'closed'>): void => {
  if (screen?.sessions.get(session)?.relay === LONG_POLL) screen.polledAt = at;
  screen?.sessions.delete(session);
};

const checkConfirmed = (screen: Screen, { actor, state, at }: RecordOf<'state'>, index: number, report: Report): void => {
  for (const [id, callSid] of screen.follows) {
    // What a poll confirmed is confirmed by its answer alone: the poll itself is over by then.
    const there = callSid !== null && (at - screen.polledAt < WAY_MAX_MS || [...screen.sessions.values()].some(({ calls }) => calls.has(callSid)));
    if (!there) report('I1', `${actor} says that it is ${state}, and ${id} is not confirmed on any connection that it has`, index);
  }
};
