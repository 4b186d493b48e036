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

export const pollUrlOf = (socketUrl: URL): URL => new URL('/poll', socketUrl.href.replace(/^ws/, 'http'));

/** null: the token cannot be one, since it does not fit into a subprotocol. */
export const socketTo = (url: URL, token: string, replaces: string | null): WebSocket | null => {
  const to = new URL(url);
  if (replaces !== null) to.searchParams.set('replaces', replaces);
  try {
    return new WebSocket(to, ['earshot.v1', `bearer.${token}`]);
  } catch {
    return null;
  }
};

/** null: none could be had. Whoever gives the token knows why. */
export const askToken = async (token: () => string | Promise<string>): Promise<string | null> => {
  let late: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<null>((resolve) => (late = setTimeout(() => resolve(null), TOKEN_WAIT_MAX_MS)));
  try {
    return await Promise.race([token(), never]);
  } catch {
    return null;
  } finally {
    clearTimeout(late);
  }
};

export interface PollAnswer {
  /** null: none came. */
  readonly status: number | null;
  readonly frames: readonly unknown[];
  readonly boardMark: string | undefined;
}

const NO_ANSWER: PollAnswer = { status: null, frames: [], boardMark: undefined };

/** A poll; ends early with `control`. */
export const ask = async (url: URL, token: string, body: object, control: AbortController): Promise<PollAnswer> => {
  const late = setTimeout(() => control.abort(), POLL_ANSWER_MAX_MS);
  try {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal: control.signal });
    const content = (await answer.json()) as { readonly frames?: unknown; readonly board_mark?: string };
    if (answer.status !== 200) return { ...NO_ANSWER, status: answer.status };
    // A 200 of somebody else, a proxy's page for one, is no answer.
    return Array.isArray(content.frames) ? { status: 200, frames: content.frames as readonly unknown[], boardMark: content.board_mark } : NO_ANSWER;
  } catch {
    return NO_ANSWER;
  } finally {
    clearTimeout(late);
  }
};
