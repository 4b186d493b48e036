/**
 * Earshot's client: follows calls and the board of a relay, across reconnects, moves and sleeps, each event once and in
 * order. No dependency; works in browsers and in Node 24 with their own WebSocket and fetch.
 */
import type { Proof } from '../core/domain/client/call.ts';
import type { CallUpdate } from '../core/domain/client/call-update.ts';
import type { ByName, ClientEffect, ClientInput, ClientState, Connection, TimerName } from '../core/domain/client/effects.ts';
import { newClientMachine } from '../core/domain/client/machine.ts';
import type { BoardRow, EventFrame, InterimFrame } from '../core/protocol/frames.ts';
import { newBoardSource, type BoardFilter, type BoardSource } from './board-source.ts';
import { newCallSource, type CallSource } from './call-source.ts';
import { guarded, newest, newListeners, type End, type Following, type Updates } from './listeners.ts';
import { watchPage } from './page.ts';
import { sha256 } from './sha256.ts';
import { ask, askToken, socketTo, socketUrlOf } from './transport.ts';

export type { BoardFilter, BoardRow, CallUpdate, ClientState, Connection, EventFrame, Following, InterimFrame, Proof, Updates };

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

/** What a follower of a call wants to be told. */
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

export interface BoardOptions extends BoardFilter {
  /** All rows as they are now, after each change. */
  readonly onRows: (rows: readonly BoardRow[]) => void;
}

/** What iterables throw when the relay has said that there is no way back. */
export class FeedStopped extends Error {
  /** The close code, or the HTTP status of a poll. */
  readonly code: number;

  constructor(code: number) {
    super(`The relay has ended the feed (${code}).`);
    this.code = code;
  }
}

export interface Feed {
  /** As a page can show it. */
  readonly state: ClientState;
  /** The same object until something of it changes. */
  readonly connection: Connection;
  /** Told of each change of `connection`, from now on. */
  onConnection(handler: (connection: Connection) => void): Following;
  /** The server's clock, in milliseconds, whatever the page's own clock says; null: no relay has told its time yet. */
  serverNow(): number | null;
  /**
   * Follows a call from its first event, by call_sid or conversation_id. Any number may follow the same id: they share one
   * subscription, and its events are kept until the last of them has closed.
   */
  call(id: string, handlers: CallHandlers | ((update: CallUpdate) => void)): Following;
  /** The same, to iterate over: every event however slow the reader is, of a turn that is being spoken its newest words. Throws `FeedStopped` where handlers are told by `onStopped`. */
  call(id: string): Updates<CallUpdate>;
  /** Follows the board. Any number may, by one filter at a time; throws where it is followed by another. */
  board(options: BoardOptions): Following;
  /** The same, to iterate over: the newest rows whenever the reader is ready. */
  board(filter?: BoardFilter): Updates<readonly BoardRow[]>;
  close(): void;
}

/** Connects and stays connected until `close` or until the relay says not to come back. */
export const connect = (options: ConnectOptions): Feed => {
  const socketUrl = socketUrlOf(options.url);
  const machine = newClientMachine({ random: Math.random, sha256, canPoll: true });
  const sockets = new Map<number, WebSocket>();
  const timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  const calls = new Map<string, CallSource>();
  let board: BoardSource | null = null;
  let boardFilter = '';
  let poll: AbortController | null = null;
  let end: End;
  const ended = (): End => end;

  const connections = newListeners(() => newest(() => machine.connection, machine.connection), ended, () => undefined);

  const input = (...happened: ClientInput): void => {
    for (const [act, ...given] of machine.input(performance.now(), ...happened)) (acts[act] as (...given: readonly unknown[]) => void)(...given);
    connections.wakeAll();
  };

  const acts: ByName<ClientEffect> = {
    ask_token: (purpose) => void askToken(options.token).then((token) => input('token', purpose, token)),
    open: (link, token, replaces) => {
      const socket = socketTo(socketUrl, token, replaces);
      if (!socket) queueMicrotask(() => input('closed', link, 1006));
      else sockets.set(link, socket);
      socket?.addEventListener('message', ({ data }) => {
        page.look();
        if (sockets.has(link) && typeof data === 'string') input('frame', link, data);
      });
      socket?.addEventListener('close', ({ code }) => {
        if (sockets.delete(link)) input('closed', link, code);
      });
    },
    send: (link, text) => sockets.get(link)?.send(text),
    close: (link) => {
      sockets.get(link)?.close(1000);
      sockets.delete(link);
    },
    poll: (token, body) => {
      const mine = (poll = new AbortController());
      void ask(socketUrl, token, body, mine).then((answer) => {
        page.look();
        if (poll === mine) input('polled', ...answer);
      });
    },
    abort_poll: () => {
      poll?.abort();
      poll = null;
    },
    timer: (name, ms) => {
      clearTimeout(timers.get(name));
      timers.set(
        name,
        setTimeout(() => input('timer', name), ms),
      );
    },
    cancel: (name) => clearTimeout(timers.get(name)),
    state: (state) => guarded(() => options.onState?.(state)),
    stopped: (code) => {
      page.stop();
      end = code === null ? null : new FeedStopped(code);
      for (const source of [...calls.values(), board]) source?.listeners.wakeAll();
      guarded(() => options.onStopped?.(code));
    },
    call: (id, update) => calls.get(id)?.take(update),
    error: (code) => guarded(() => options.onError?.(code)),
    board: (news) => board?.take(news),
  };

  const callOf = (id: string): CallSource => {
    const source =
      calls.get(id) ??
      newCallSource(ended, () => {
        calls.delete(id);
        input('unfollow', id);
      });
    calls.set(id, source);
    input('follow', id);
    return source;
  };

  const boardOf = ({ status, agent_id, driver_id }: BoardFilter): BoardSource => {
    const filter = { status, agent_id, driver_id };
    const wanted = JSON.stringify(filter);
    if (board) {
      if (wanted === boardFilter) return board;
      throw new Error('The board is followed by another filter.');
    }
    boardFilter = wanted;
    board = newBoardSource(ended, () => {
      board = null;
      input('unwatch');
    });
    input('watch', filter);
    return board;
  };

  function call(id: string): Updates<CallUpdate>;
  function call(id: string, handlers: CallHandlers | ((update: CallUpdate) => void)): Following;
  function call(id: string, handlers?: CallHandlers | ((update: CallUpdate) => void)): Following {
    const { listeners } = callOf(id);
    if (!handlers) return listeners.iterate();
    return listeners.tell(typeof handlers === 'function' ? handlers : (update) => tellCall(handlers, update));
  }

  function followBoard(filter?: BoardFilter): Updates<readonly BoardRow[]>;
  function followBoard(options: BoardOptions): Following;
  function followBoard(options: BoardFilter & Partial<BoardOptions> = {}): Following {
    const { listeners } = boardOf(options);
    return options.onRows ? listeners.tell(options.onRows) : listeners.iterate();
  }

  const page = watchPage(input);
  if (options.onConnection) connections.tell(options.onConnection);
  // Not at once: whoever is told may use the feed, which they have not been given yet.
  queueMicrotask(() => input('start'));

  return {
    get state() {
      return machine.connection.state;
    },
    get connection() {
      return machine.connection;
    },
    onConnection: connections.tell,
    serverNow: () => machine.serverNow(performance.now()),
    call,
    board: followBoard,
    close: () => input('stop'),
  };
};

/** A handler is named after its kind of update, and takes what that carries, in its order; a confirmation as a whole. */
const tellCall = (handlers: CallHandlers, { kind, ...carried }: CallUpdate): void => {
  const handler = (handlers as unknown as Readonly<Record<string, ((...carried: readonly unknown[]) => void) | undefined>>)[`on${kind.charAt(0).toUpperCase()}${kind.slice(1)}`];
  handler?.apply(handlers, kind === 'confirmed' ? [carried] : (Object.values(carried) as unknown[]));
};
