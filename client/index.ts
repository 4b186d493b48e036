/**
 * Earshot's client: follows calls and the board of a relay, across reconnects, moves and sleeps, each event once and in
 * order. No dependency; works in browsers and in Node 24 with their own WebSocket and fetch.
 */
import type { Proof } from '../core/domain/client/call.ts';
import type { ClientEffect, ClientInput, ClientState, Connection, Emitted, TimerName } from '../core/domain/client/effects.ts';
import { ClientMachine } from '../core/domain/client/machine.ts';
import { boardRows } from '../core/domain/client/rows.ts';
import { POLL_WAIT_MAX_SECONDS } from '../core/protocol/limits.ts';
import type { BoardRow, EventFrame, InterimFrame } from '../core/protocol/frames.ts';
import { watchPage } from './page.ts';
import { sha256 } from './sha256.ts';

export type { BoardRow, ClientState, Connection, EventFrame, InterimFrame, Proof };

/** Whoever gives the token has this long; then it is asked for again, later. */
const TOKEN_WAIT_MAX_MS = 30_000;
/** Longer than any poll is held: a connection that brings nothing by then is dead. */
const POLL_ANSWER_MAX_MS = (POLL_WAIT_MAX_SECONDS + 15) * 1000;

export interface ConnectOptions {
  /** Of the relay: `wss://...` or `https://...`; without a path `/ws/calls/transcriptions` is taken. */
  readonly url: string;
  /** Gives an access token; asked anew for every connection. */
  readonly token: () => string | Promise<string>;
  readonly onState?: (state: ClientState) => void;
  /** Another state, another way for frames to come, another time of the next attempt, or news of the relay's last comparison with the log. */
  readonly onConnection?: (connection: Connection) => void;
  /** The feed ended and does not come back by itself: the close code, or null after `close()`. */
  readonly onStopped?: (code: number | null) => void;
  /** An error that belongs to no call, by its code. */
  readonly onError?: (code: string) => void;
}

export interface CallHandlers {
  /** The next event, once and in order. */
  readonly onEvent: (event: EventFrame) => void;
  /** A turn that is still being spoken. */
  readonly onInterim?: (turn: InterimFrame) => void;
  readonly onConfirmed?: (call: { readonly callSid: string; readonly conversationId: string | null; readonly epoch: string; readonly status: string }) => void;
  /** What was shown is void: the call starts over. */
  readonly onReset?: (reason: string) => void;
  /** These events are gone from the log. */
  readonly onLost?: (from: number, to: number) => void;
  /** The call was sealed: whether what was shown is all there is. */
  readonly onSealed?: (proof: Proof) => void;
  /** The relay refused the call, by the code. */
  readonly onError?: (code: string) => void;
}

export interface BoardOptions {
  readonly status?: string;
  readonly agent_id?: string;
  readonly driver_id?: string;
  /** All rows as they are now, after each change. */
  readonly onRows: (rows: readonly BoardRow[]) => void;
}

export interface Following {
  close(): void;
}

export interface Feed {
  /** As a page can show it. */
  readonly state: ClientState;
  /** The same object until something of it changes. */
  readonly connection: Connection;
  /** The server's clock, in milliseconds, whatever the page's own clock says; null: no relay has told its time yet. */
  serverNow(): number | null;
  /** Follows a call from its first event, by call_sid or conversation_id. Asking for the same id again starts anew. */
  call(id: string, handlers: CallHandlers): Following;
  /** Follows the board; one at a time. */
  board(options: BoardOptions): Following;
  close(): void;
}

/** Connects and stays connected until `close` or until the relay says not to come back. */
export const connect = (options: ConnectOptions): Feed => {
  const socketUrl = socketUrlOf(options.url);
  const pollUrl = new URL('/poll', socketUrl.href.replace(/^ws/, 'http'));
  const machine = new ClientMachine({ random: Math.random, sha256, canPoll: true });
  const sockets = new Map<number, WebSocket>();
  const timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  const calls = new Map<string, CallHandlers>();
  let board: { readonly options: BoardOptions; rows: Map<string, BoardRow> } | null = null;
  let poll: AbortController | null = null;
  let told = machine.connection;

  const input = (happened: ClientInput): void => {
    for (const effect of machine.input(happened, performance.now())) act(effect);
    if (machine.connection === told) return;
    told = machine.connection;
    guarded(() => options.onConnection?.(machine.connection));
  };

  const act = (effect: ClientEffect): void => {
    switch (effect.do) {
      case 'ask_token':
        void askToken(options.token).then((token) => input({ on: 'token', for: effect.for, token }));
        return;
      case 'open':
        open(effect.link, effect.token, effect.replaces);
        return;
      case 'send':
        sockets.get(effect.link)?.send(effect.text);
        return;
      case 'close':
        sockets.get(effect.link)?.close(1000);
        sockets.delete(effect.link);
        return;
      case 'poll':
        startPoll(effect.token, effect.body);
        return;
      case 'abort_poll':
        poll?.abort();
        poll = null;
        return;
      case 'timer':
        clearTimeout(timers.get(effect.name));
        timers.set(
          effect.name,
          setTimeout(() => input({ on: 'timer', name: effect.name }), effect.ms),
        );
        return;
      case 'cancel':
        clearTimeout(timers.get(effect.name));
        timers.delete(effect.name);
        return;
      case 'emit':
        guarded(() => tell(effect.what));
        return;
    }
  };

  const open = (link: number, token: string, replaces: string | null): void => {
    const url = new URL(socketUrl);
    if (replaces !== null) url.searchParams.set('replaces', replaces);
    const socket = socketTo(url, token);
    if (socket === null) {
      queueMicrotask(() => input({ on: 'closed', link, code: 1006 }));
      return;
    }
    sockets.set(link, socket);
    socket.addEventListener('message', (event) => {
      if (sockets.get(link) === socket && typeof event.data === 'string') input({ on: 'frame', link, text: event.data });
    });
    socket.addEventListener('close', (event) => {
      if (sockets.get(link) !== socket) return;
      sockets.delete(link);
      input({ on: 'closed', link, code: event.code });
    });
  };

  const startPoll = (token: string, body: object): void => {
    const control = new AbortController();
    poll = control;
    const late = setTimeout(() => control.abort(), POLL_ANSWER_MAX_MS);
    void ask(pollUrl, token, body, control.signal).then((answer) => {
      clearTimeout(late);
      if (poll === control) input({ on: 'polled', ...answer });
    });
  };

  const tell = (what: Emitted): void => {
    switch (what.kind) {
      case 'state':
        options.onState?.(what.state);
        return;
      case 'stopped':
        stopWatching();
        options.onStopped?.(what.code);
        return;
      case 'board':
        showBoard(what);
        return;
      case 'error':
        if (what.call === null) options.onError?.(what.code);
        else calls.get(what.call)?.onError?.(what.code);
        return;
      default: {
        const handlers = calls.get(what.call);
        if (handlers !== undefined) tellCall(handlers, what);
      }
    }
  };

  const showBoard = (what: Extract<Emitted, { kind: 'board' }>): void => {
    if (board === null) return;
    board.rows = boardRows(board.rows, what);
    board.options.onRows([...board.rows.values()]);
  };

  const stopWatching = watchPage((what) => input({ on: what }));
  // Not at once: whoever is told may use the feed, which they have not been given yet.
  queueMicrotask(() => input({ on: 'start' }));

  return {
    get state() {
      return machine.state;
    },
    get connection() {
      return machine.connection;
    },
    serverNow: () => machine.serverNow(performance.now()),
    call: (id, handlers) => {
      if (calls.has(id)) input({ on: 'unfollow', id });
      calls.set(id, handlers);
      input({ on: 'follow', id });
      return {
        close: () => {
          if (calls.get(id) !== handlers) return;
          calls.delete(id);
          input({ on: 'unfollow', id });
        },
      };
    },
    board: (boardOptions) => {
      const mine = { options: boardOptions, rows: new Map<string, BoardRow>() };
      board = mine;
      const { status, agent_id, driver_id } = boardOptions;
      input({ on: 'watch', filter: { status, agent_id, driver_id } });
      return {
        close: () => {
          if (board !== mine) return;
          board = null;
          input({ on: 'unwatch' });
        },
      };
    },
    close: () => input({ on: 'stop' }),
  };
};

const socketUrlOf = (given: string): URL => {
  const url = new URL(given.replace(/^http/, 'ws'));
  if (url.pathname === '/') url.pathname = '/ws/calls/transcriptions';
  return url;
};

/** null: the token cannot be one, since it does not fit into a subprotocol. */
const socketTo = (url: URL, token: string): WebSocket | null => {
  try {
    return new WebSocket(url, ['earshot.v1', `bearer.${token}`]);
  } catch {
    return null;
  }
};

const askToken = async (token: ConnectOptions['token']): Promise<string | null> => {
  let late: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<null>((resolve) => (late = setTimeout(() => resolve(null), TOKEN_WAIT_MAX_MS)));
  try {
    return await Promise.race([token(), never]);
  } catch {
    // Whoever gives the token knows why; the machine asks again later.
    return null;
  } finally {
    clearTimeout(late);
  }
};

interface PollAnswer {
  readonly status: number | null;
  readonly frames: readonly unknown[];
  readonly boardMark: string | undefined;
}

const NO_ANSWER: PollAnswer = { status: null, frames: [], boardMark: undefined };

const ask = async (url: URL, token: string, body: object, signal: AbortSignal): Promise<PollAnswer> => {
  try {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal });
    const content = (await answer.json()) as { readonly frames?: unknown; readonly board_mark?: string };
    if (answer.status !== 200) return { status: answer.status, frames: [], boardMark: undefined };
    // A 200 of somebody else, a proxy's page for one, is no answer.
    if (!Array.isArray(content.frames)) return NO_ANSWER;
    return { status: 200, frames: content.frames as readonly unknown[], boardMark: content.board_mark };
  } catch {
    return NO_ANSWER;
  }
};

const tellCall = (handlers: CallHandlers, what: Extract<Emitted, { call: string }>): void => {
  switch (what.kind) {
    case 'event':
      handlers.onEvent(what.frame as unknown as EventFrame);
      return;
    case 'interim':
      handlers.onInterim?.(what.frame as unknown as InterimFrame);
      return;
    case 'confirmed':
      handlers.onConfirmed?.(what);
      return;
    case 'reset':
      handlers.onReset?.(what.reason);
      return;
    case 'lost':
      handlers.onLost?.(what.from, what.to);
      return;
    case 'sealed':
      handlers.onSealed?.(what.proof);
      return;
  }
};

/** A handler that throws must not stop the feed; the error is shown as any uncaught one. */
const guarded = (run: () => void): void => {
  try {
    run();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
};
