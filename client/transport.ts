/** The way out: sockets, polls and the page's token, with the limits of each. Nothing here rejects. */
import { POLL_WAIT_MAX_SECONDS } from '../core/protocol/limits.ts';

/** Whoever gives the token has this long; then it is asked for again, later. */
const TOKEN_WAIT_MAX_MS = 30_000;
/** Longer than any poll is held: a connection that brings nothing by then is dead. */
const POLL_ANSWER_MAX_MS = (POLL_WAIT_MAX_SECONDS + 15) * 1000;

/** @param given `ws:`, `wss:`, `http:` or `https:`; without a path the relay's own is taken */
export const socketUrlOf = (given: string): URL => {
  const url = new URL(given.replace(/^http/, 'ws'));
  if (url.pathname === '/') url.pathname = '/ws/calls/transcriptions';
  return url;
};

/** null: the token cannot be one, since it does not fit into a subprotocol. */
export const socketTo = (url: URL, token: string, replaces: string | null): WebSocket | null => {
  const to = new URL(url);
  if (replaces) to.searchParams.set('replaces', replaces);
  try {
    return new WebSocket(to, ['earshot.v1', `bearer.${token}`]);
  } catch {
    return null;
  }
};

/** What the work gives within its time; null: nothing, or it failed. */
const within = async <T>(ms: number, work: () => T | Promise<T>): Promise<T | null> => {
  let late: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([work(), new Promise<null>((resolve) => (late = setTimeout(resolve, ms, null)))]);
  } catch {
    return null;
  } finally {
    clearTimeout(late);
  }
};

/** null: none could be had. Whoever gives the token knows why. */
export const askToken = (token: () => string | Promise<string>): Promise<string | null> => within(TOKEN_WAIT_MAX_MS, token);

/** The status (null: no answer came), the frames, and the board's mark. */
export type PollAnswer = readonly [status: number | null, frames: readonly unknown[], boardMark: string | undefined];

/** A poll; ends early with `control`. */
export const ask = async (socketUrl: URL, token: string, body: object, control: AbortController): Promise<PollAnswer> => {
  const answer = await within(POLL_ANSWER_MAX_MS, async (): Promise<PollAnswer | null> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(new URL('/poll', socketUrl.href.replace(/^ws/, 'http')), { method: 'POST', headers, body: JSON.stringify(body), signal: control.signal });
    const { frames, board_mark: boardMark } = (await response.json()) as { readonly frames?: unknown; readonly board_mark?: string };
    // A 200 of somebody else, a proxy's page for one, is no answer.
    return response.ok && !Array.isArray(frames) ? null : [response.status, frames as readonly unknown[], boardMark];
  });
  // One that is late is not waited for.
  control.abort();
  return answer ?? [null, [], undefined];
};
