/** The connection in words that a dispatcher understands: what is on the screen, how new it is, and what happens next. */
import type { Connection } from '../index.ts';
import type { Delay } from './delays.ts';
import { age, clockTime } from './times.ts';

/** All that the words depend on. Times are `performance.now()` where not said otherwise. */
export interface ConnectionFacts {
  /** null: where the relay is has not been found out yet. */
  readonly connection: Connection | null;
  readonly now: number;
  /** The relay's clock, milliseconds since 1970; null: not known yet. */
  readonly serverNow: number | null;
  /** Of what was painted last; null: nothing has happened since the page was opened. */
  readonly delay: Delay | null;
  /** Whether the device has a network. */
  readonly online: boolean;
  /** Why the feed does not come back by itself, as a close code. */
  readonly stoppedBy: number | null;
  /** Why the relay is not even found, as a sentence; null: it is. */
  readonly notFound: string | null;
  /** The sign-in has ended, and the page waits for another. */
  readonly signInEnded: boolean;
}

export type Mood = 'good' | 'waiting' | 'doubtful' | 'bad';

export interface ConnectionWords {
  readonly mood: Mood;
  /** The line, ticking. */
  readonly line: string;
  /** What a screen reader is told: the same while the state is the same; empty: nothing that is worth it. */
  readonly announced: string;
  /** Said over the content where what it shows may be old; null: it is not. */
  readonly banner: string | null;
}

/** Something that came this lately says best how far behind the page is. */
const JUST_HEARD_MS = 10_000;
/** A shorter loss mends itself, and the line says enough. */
const BANNER_AFTER_MS = 15_000;

/** What to say of it now. */
export const connectionWords = (facts: ConnectionFacts): ConnectionWords => {
  const { connection, now } = facts;
  if (facts.signInEnded) return stopped('sign in again');
  if (connection === null) {
    if (!facts.online) return offline(null);
    if (facts.notFound !== null) return { mood: 'bad', line: 'Not connected, trying again', announced: 'Not connected', banner: facts.notFound };
    return { mood: 'waiting', line: 'Connecting ...', announced: '', banner: null };
  }
  const since = Math.max(0, now - connection.since);
  switch (connection.state) {
    case 'connecting':
      return facts.online ? { mood: 'waiting', line: since < 5_000 ? 'Connecting ...' : `Connecting for ${age(since)}, ${nextTry(connection, now)}`, announced: '', banner: null } : offline(null);
    case 'live':
      return { mood: 'good', line: `${connection.via === 'poll' ? 'Live by polling' : 'Live'}${freshness(facts)}`, announced: connection.via === 'poll' ? 'Live by polling' : 'Live', banner: null };
    case 'catching_up':
      return { mood: 'waiting', line: 'Catching up ...', announced: '', banner: null };
    case 'unverified': {
      const doubt = facts.serverNow === null || connection.verifiedAt === null ? since : facts.serverNow - connection.verifiedAt;
      // A connection that has just come back is confirmed by the next heartbeat.
      const banner = doubt < BANNER_AFTER_MS * 2 || since < BANNER_AFTER_MS ? null : `For ${age(doubt)} the server has not confirmed that this is all. Something may be missing below; it will come.`;
      return { mood: 'doubtful', line: `Not confirmed for ${age(doubt)}`, announced: 'Not confirmed', banner };
    }
    case 'lost':
      if (!facts.online) return offline(since, facts.serverNow);
      return { mood: 'bad', line: `Connection lost ${ago(since)}, ${nextTry(connection, now)}`, announced: 'Connection lost', banner: since < BANNER_AFTER_MS ? null : old('The connection is lost', since, facts.serverNow) };
    case 'restored':
      return { mood: 'good', line: 'Back, nothing is missing', announced: 'Connection is back, nothing is missing', banner: null };
    case 'stopped':
      return stopped(STOPPED[facts.stoppedBy ?? 0] ?? 'reload this page');
  }
};

/** What each close code means for whoever sits there. Others are not told: the page is not one that fits the server any more. */
const STOPPED: Readonly<Record<number, string>> = {
  401: 'sign in again',
  403: 'your access was taken away, sign in again',
  4501: 'sign in again',
  4502: 'sign in again',
  4503: 'sign in again',
  4504: 'your access was taken away, sign in again',
  4505: 'you have this page open too often, close some and reload',
};

const stopped = (why: string): ConnectionWords => ({ mood: 'bad', line: `Stopped: ${why}`, announced: `Stopped: ${why}`, banner: `What is shown may be old: nothing new comes in. To go on, ${why.replace(/^your access.*, /, '')}.` });

const offline = (forMs: number | null, serverNow: number | null = null): ConnectionWords => ({
  mood: 'bad',
  line: forMs === null ? 'Offline: this device has no network' : `Offline for ${age(forMs)}: this device has no network`,
  announced: 'Offline: this device has no network',
  banner: forMs === null || forMs < BANNER_AFTER_MS ? null : old('This device is offline', forMs, serverNow),
});

/** By the server's clock, as all times on the page are: the one on this desk may be wrong. */
const old = (what: string, forMs: number, serverNow: number | null): string => `${what}. What is shown is from ${serverNow === null ? '' : `${clockTime(serverNow - forMs)}, `}${age(forMs)} ago. It is brought up to date by itself when the connection is back.`;

const freshness = ({ delay, now, serverNow, connection }: ConnectionFacts): string => {
  if (delay !== null && now - delay.at < JUST_HEARD_MS) return `, ${(delay.ms / 1000).toFixed(1)} s behind`;
  if (serverNow === null || connection?.verifiedAt == null) return '';
  const seconds = Math.max(0, Math.round((serverNow - connection.verifiedAt) / 1000));
  return seconds < 1 ? ', confirmed just now' : `, confirmed ${seconds} s ago`;
};

const nextTry = ({ retryAt }: Connection, now: number): string => {
  const seconds = retryAt === null ? 0 : Math.ceil((retryAt - now) / 1000);
  return seconds <= 0 ? 'trying now' : `trying again in ${seconds} s`;
};

const ago = (ms: number): string => (ms < 2_000 ? 'just now' : `${age(ms)} ago`);
