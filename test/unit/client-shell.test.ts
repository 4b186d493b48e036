import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, type Feed } from '../../client/index.ts';

/** A WebSocket that is refused, as where no socket passes, or that never opens. */
class NoSocket extends EventTarget {
  constructor() {
    super();
    queueMicrotask(() => this.dispatchEvent(Object.assign(new Event('close'), { code: 1006 })));
  }
  send(): void {
    throw new Error('nothing is sent over a socket that never opened');
  }
  close(): void {
    return;
  }
}

const heartbeat = { type: 'heartbeat', server_time: '2026-01-01T00:00:00.000Z', verified_at: '2026-01-01T00:00:00.000Z', heads: {} };

describe('the client library where something never answers', () => {
  let feed: Feed | null = null;
  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal('WebSocket', NoSocket);
  });
  afterEach(() => {
    feed?.close();
    feed = null;
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('tells of the connection only once the page has the feed', async () => {
    const told: (readonly [string, string | null])[] = [];
    const made = connect({ url: 'ws://relay.example', token: () => 'x', onConnection: ({ state, via }) => told.push([made.state === state ? state : 'another', via]) });
    feed = made;
    expect(told).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    expect(told[0]).toEqual(['connecting', null]);
    const seen = told.length;
    made.close();
    expect(told.slice(seen)).toEqual([['stopped', null]]);
    expect([made.connection.state, made.serverNow()]).toEqual(['stopped', null]);
  });

  it('asks again for a token that never came', async () => {
    const token = vi.fn(() => new Promise<string>(() => undefined));
    feed = connect({ url: 'ws://relay.example', token });
    await vi.advanceTimersByTimeAsync(29_000);
    expect(token).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(62_000);
    expect(token.mock.calls.length).toBeGreaterThan(1);
  });

  it('polls again where a poll is never answered', async () => {
    const polls = vi.fn((_url: URL, { signal }: { signal: AbortSignal }) => new Promise<Response>((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')))));
    vi.stubGlobal('fetch', polls);
    feed = connect({ url: 'ws://relay.example', token: () => 'x' });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(polls).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(90_000);
    expect(polls.mock.calls.length).toBeGreaterThan(1);
  });

  it.each([{}, { frames: {} }, { status: 'signed out' }])('does not run hot on a proxy that answers %j at once', async (answer) => {
    const polls = vi.fn(async () => new Response(JSON.stringify(answer), { status: 200 }));
    vi.stubGlobal('fetch', polls);
    feed = connect({ url: 'ws://relay.example', token: () => 'x' });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(polls.mock.calls.length).toBeGreaterThan(2);
    expect(polls.mock.calls.length).toBeLessThan(60);
  });

  it.each([{ frames: { not: 'a list' } }, { frames: 'text' }, { frames: [null, 7, 'text', [], {}, heartbeat] }, {}, null, [], 'text'])('goes on polling after an answer of %j', async (answer) => {
    const polls = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return new Response(JSON.stringify(answer), { status: 200 });
    });
    vi.stubGlobal('fetch', polls);
    feed = connect({ url: 'ws://relay.example', token: () => 'x' });
    await vi.advanceTimersByTimeAsync(90_000);
    expect(polls.mock.calls.length).toBeGreaterThan(2);
    expect(feed.state).not.toBe('stopped');
  });
});
