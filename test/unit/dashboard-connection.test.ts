import { describe, expect, it } from 'vitest';
import type { Connection } from '../../client/index.ts';
import { clockTime } from '../../client/dashboard/times.ts';
import { connectionWords, type ConnectionFacts, type Mood } from '../../client/dashboard/connection-words.ts';

const NOW = 100_000;
const SERVER = Date.parse('2026-11-22T07:00:00.000Z');
const is = (state: Connection['state'], more: Partial<Connection> = {}): Connection => ({ state, via: 'socket', since: NOW - 60_000, retryAt: null, verifiedAt: SERVER - 4_000, ...more });
const facts = (connection: Connection | null, more: Partial<ConnectionFacts> = {}): ConnectionFacts => ({ connection, now: NOW, serverNow: SERVER, delay: null, online: true, stoppedBy: null, notFound: null, signInEnded: false, ...more });

describe('the line about the connection', () => {
  const cases: readonly (readonly [string, ConnectionFacts, Mood, string, string])[] = [
    ['the relay is being looked for', facts(null), 'waiting', 'Connecting ...', ''],
    ['the relay cannot be found', facts(null, { notFound: 'Cannot be reached.' }), 'bad', 'Not connected, trying again', 'Not connected'],
    ['the relay is being looked for without a network', facts(null, { online: false, notFound: 'Cannot be reached.' }), 'bad', 'Offline: this device has no network', 'Offline: this device has no network'],
    ['it connects', facts(is('connecting', { since: NOW - 900 })), 'waiting', 'Connecting ...', ''],
    ['it connects for long', facts(is('connecting', { since: NOW - 12_000, retryAt: NOW + 2_100 })), 'waiting', 'Connecting for 12 s, trying again in 3 s', ''],
    ['it is live and something has just come', facts(is('live'), { delay: { at: NOW - 2_000, ms: 312 } }), 'good', 'Live, 0.3 s behind', 'Live'],
    ['it is live and nothing came lately', facts(is('live'), { delay: { at: NOW - 60_000, ms: 312 } }), 'good', 'Live, confirmed 4 s ago', 'Live'],
    ['it is live and confirmed in this second', facts(is('live', { verifiedAt: SERVER - 200 })), 'good', 'Live, confirmed just now', 'Live'],
    ['it is live and the relay has told no time yet', facts(is('live', { verifiedAt: null }), { serverNow: null }), 'good', 'Live', 'Live'],
    ['it lives by polling', facts(is('live', { via: 'poll' })), 'good', 'Live by polling, confirmed 4 s ago', 'Live by polling'],
    ['it catches up', facts(is('catching_up')), 'waiting', 'Catching up ...', ''],
    ['nothing confirms it', facts(is('unverified', { verifiedAt: SERVER - 22_000 })), 'doubtful', 'Not confirmed for 22 s', 'Not confirmed'],
    ['nothing ever confirmed it', facts(is('unverified', { verifiedAt: null, since: NOW - 3_000 })), 'doubtful', 'Not confirmed for 3 s', 'Not confirmed'],
    ['it is lost', facts(is('lost', { via: null, since: NOW - 12_000, retryAt: NOW + 2_400 })), 'bad', 'Connection lost 12 s ago, trying again in 3 s', 'Connection lost'],
    ['it is lost and an attempt is under way', facts(is('lost', { via: null, since: NOW - 500 })), 'bad', 'Connection lost just now, trying now', 'Connection lost'],
    ['the device is offline', facts(is('lost', { via: null, since: NOW - 12_000 }), { online: false }), 'bad', 'Offline for 12 s: this device has no network', 'Offline: this device has no network'],
    ['it is back', facts(is('restored')), 'good', 'Back, nothing is missing', 'Connection is back, nothing is missing'],
    ['the sign-in has ended', facts(null, { signInEnded: true }), 'bad', 'Stopped: sign in again', 'Stopped: sign in again'],
    ['the token was refused', facts(is('stopped'), { stoppedBy: 4502 }), 'bad', 'Stopped: sign in again', 'Stopped: sign in again'],
    ['the right was taken away', facts(is('stopped'), { stoppedBy: 4504 }), 'bad', 'Stopped: your access was taken away, sign in again', 'Stopped: your access was taken away, sign in again'],
    ['it is open too often', facts(is('stopped'), { stoppedBy: 4505 }), 'bad', 'Stopped: you have this page open too often, close some and reload', 'Stopped: you have this page open too often, close some and reload'],
    ['the page does not fit the relay any more', facts(is('stopped'), { stoppedBy: 4500 }), 'bad', 'Stopped: reload this page', 'Stopped: reload this page'],
  ];
  it.each(cases)('says so when %s', (_when, given, mood, line, announced) => {
    expect(connectionWords(given)).toMatchObject({ mood, line, announced });
  });

  it('is announced by its state alone: the same while only time goes by', () => {
    const lost = is('lost', { via: null, since: NOW - 500, retryAt: NOW + 9_000 });
    const told = new Set([0, 1_000, 5_000, 30_000].map((later) => connectionWords(facts(lost, { now: NOW + later })).announced));
    expect([...told]).toEqual(['Connection lost']);
  });
});

describe('the banner over the content', () => {
  const banner = (given: ConnectionFacts): string | null => connectionWords(given).banner;

  it('is not there while what is shown is right, or soon will be', () => {
    for (const state of ['connecting', 'live', 'catching_up', 'restored'] as const) expect(banner(facts(is(state)))).toBeNull();
    expect(banner(facts(is('lost', { since: NOW - 14_000 })))).toBeNull();
    expect(banner(facts(is('unverified', { verifiedAt: SERVER - 29_999 })))).toBeNull();
    // Just back: the next heartbeat confirms it.
    expect(banner(facts(is('unverified', { verifiedAt: SERVER - 61_000, since: NOW - 14_000 })))).toBeNull();
  });

  it('comes after fifteen seconds without a connection, and after thirty without a confirmation', () => {
    expect([banner(facts(is('lost', { since: NOW - 15_000 }))), banner(facts(is('lost', { since: NOW - 15_000 }), { online: false })), banner(facts(is('unverified', { verifiedAt: SERVER - 30_000 })))]).not.toContain(null);
  });

  it('says that what is shown may be old once the connection is lost for long, the device is offline, or nothing comes any more', () => {
// By the server's clock, whatever the one of the desk says.
    const from = clockTime(SERVER - 75_000);
    expect(banner(facts(is('lost', { since: NOW - 75_000 })))).toBe(`The connection is lost. What is shown is from ${from}, 1 min ago. It is brought up to date by itself when the connection is back.`);
    expect(banner(facts(is('lost', { since: NOW - 75_000 }), { serverNow: null }))).toMatch(/^The connection is lost\. What is shown is from 1 min ago\./);
    expect(banner(facts(is('lost', { since: NOW - 75_000 }), { online: false }))).toMatch(new RegExp(`^This device is offline\\. What is shown is from ${from}, `));
    expect(banner(facts(is('unverified', { verifiedAt: SERVER - 61_000 })))).toBe('For 1 min the server has not confirmed that this is all. Something may be missing below; it will come.');
    expect(banner(facts(is('stopped'), { stoppedBy: 4500 }))).toBe('What is shown may be old: nothing new comes in. To go on, reload this page.');
    expect(banner(facts(is('stopped'), { stoppedBy: 4504 }))).toBe('What is shown may be old: nothing new comes in. To go on, sign in again.');
    expect(banner(facts(null, { notFound: 'Cannot be reached.' }))).toBe('Cannot be reached.');
  });
});
