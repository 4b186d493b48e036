/**
 * Earshot's client: follows calls and the board of a relay, across reconnects, moves and sleeps, each event once and in
 * order. No dependency; works in browsers and in Node 24 with their own WebSocket and fetch.
 */
import type { Proof } from '../core/domain/client/call.ts';
import type { CallUpdate } from '../core/domain/client/call-update.ts';
import type { ClientEffect, ClientInput, ClientState, Connection, Emitted, TimerName } from '../core/domain/client/effects.ts';
import { ClientMachine } from '../core/domain/client/machine.ts';
import type { BoardRow, EventFrame, InterimFrame } from '../core/protocol/frames.ts';
import { BoardSource, type BoardFilter } from './board-source.ts';
import { CallSource } from './call-source.ts';
import { guarded, Listeners, type End, type Following, type Updates } from './listeners.ts';
import { watchPage } from './page.ts';
import { sha256 } from './sha256.ts';
import { ask, askToken, pollUrlOf, socketTo, socketUrlOf } from './transport.ts';

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
  const machine = new ClientMachine({ random: Math.random, sha256, canPoll: true });
  const sockets = new Map<number, WebSocket>();
  const timers = new Map<TimerName, ReturnType<typeof setTimeout>>();
  const calls = new Map<string, CallSource>();
  let board: BoardSource | null = null;
  let poll: AbortController | null = null;
  let end: End;
  const ended = (): End => end;

  const connections = new Listeners<{ told: Connection }, Connection>({
    begin: () => ({ told: machine.connection }),
    next: (reader) => (reader.told === machine.connection ? undefined : (reader.told = machine.connection)),
    ended,
    nobody: () => undefined,
  });

  const input = (happened: ClientInput): void => {
    for (const effect of machine.input(happened, performance.now())) act(effect);
    connections.wake();
  };

  const act = (effect: ClientEffect): void => {
    switch (effect.do) {
      case 'ask_token':
        void askToken(options.token).then((token) => input({ on: 'token', for: effect.for, token }));
        return;
      case 'open':
        open(effect.link, socketTo(socketUrl, effect.token, effect.replaces));
        return;
      case 'send':
        sockets.get(effect.link)?.send(effect.text);
        return;
      case 'close':
        sockets.get(effect.link)?.close(1000);
        sockets.delete(effect.link);
        return;
      case 'poll': {
        const mine = (poll = new AbortController());
        void ask(pollUrlOf(socketUrl), effect.token, effect.body, mine).then((answer) => {
          page.look();
          if (poll === mine) input({ on: 'polled', ...answer });
        });
        return;
      }
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
        return;
      case 'emit':
        tell(effect.what);
        return;
    }
  };

  const open = (link: number, socket: WebSocket | null): void => {
    if (socket === null) {
      queueMicrotask(() => input({ on: 'closed', link, code: 1006 }));
      return;
    }
    sockets.set(link, socket);
    socket.addEventListener('message', ({ data }) => {
      page.look();
      if (sockets.get(link) === socket && typeof data === 'string') input({ on: 'frame', link, text: data });
    });
    socket.addEventListener('close', ({ code }) => {
      if (sockets.get(link) === socket && sockets.delete(link)) input({ on: 'closed', link, code });
    });
  };

  const tell = (what: Emitted): void => {
    switch (what.kind) {
      case 'state':
        guarded(() => options.onState?.(what.state));
        return;
      case 'stopped':
        page.stop();
        end = what.code === null ? null : new FeedStopped(what.code);
        for (const source of [...calls.values(), board]) source?.listeners.wake();
        guarded(() => options.onStopped?.(what.code));
        return;
      case 'board':
        board?.take(what);
        return;
      default:
        if (what.call !== null) calls.get(what.call)?.take(updateOf(what));
        else if (what.kind === 'error') guarded(() => options.onError?.(what.code));
    }
  };

  const callOf = (id: string): CallSource => {
    const nobody = (): void => {
      calls.delete(id);
      input({ on: 'unfollow', id });
    };
    const source = calls.get(id) ?? new CallSource(ended, nobody);
    calls.set(id, source);
    input({ on: 'follow', id });
    return source;
  };

  const boardOf = ({ status, agent_id, driver_id }: BoardFilter): BoardSource => {
    const filter = { status, agent_id, driver_id };
    if (board?.isOf(filter) === true) return board;
    if (board !== null) throw new Error('The board is followed by another filter: close that first, or connect another feed.');
    board = new BoardSource(filter, ended, () => {
      board = null;
      input({ on: 'unwatch' });
    });
    input({ on: 'watch', filter });
    return board;
  };

  function call(id: string): Updates<CallUpdate>;
  function call(id: string, handlers: CallHandlers | ((update: CallUpdate) => void)): Following;
  function call(id: string, handlers?: CallHandlers | ((update: CallUpdate) => void)): Following {
    const { listeners } = callOf(id);
    if (handlers === undefined) return listeners.iterate();
    return listeners.tell(typeof handlers === 'function' ? handlers : (update) => tellCall(handlers, update));
  }

  function followBoard(filter?: BoardFilter): Updates<readonly BoardRow[]>;
  function followBoard(options: BoardOptions): Following;
  function followBoard(options: BoardFilter & Partial<BoardOptions> = {}): Following {
    const { listeners } = boardOf(options);
    return options.onRows === undefined ? listeners.iterate() : listeners.tell(options.onRows);
  }

  const page = watchPage((what) => input({ on: what }));
  if (options.onConnection !== undefined) connections.tell(options.onConnection);
  // Not at once: whoever is told may use the feed, which they have not been given yet.
  queueMicrotask(() => input({ on: 'start' }));

  return {
    get state() {
      return machine.state;
    },
    get connection() {
      return machine.connection;
    },
    onConnection: (handler) => connections.tell(handler),
    serverNow: () => machine.serverNow(performance.now()),
    call,
    board: followBoard,
    close: () => input({ on: 'stop' }),
  };
};

/** What the machine tells of a call, as its followers are told. */
const updateOf = (what: Extract<Emitted, { call: string | null }>): CallUpdate => {
  if (what.kind === 'event') return { kind: 'event', event: what.frame as unknown as EventFrame };
  return what.kind === 'interim' ? { kind: 'interim', turn: what.frame as unknown as InterimFrame } : what;
};

const tellCall = (handlers: CallHandlers, update: CallUpdate): void => {
  switch (update.kind) {
    case 'event':
      handlers.onEvent(update.event);
      return;
    case 'interim':
      handlers.onInterim?.(update.turn);
      return;
    case 'confirmed':
      handlers.onConfirmed?.(update);
      return;
    case 'reset':
      handlers.onReset?.(update.reason);
      return;
    case 'lost':
      handlers.onLost?.(update.from, update.to);
      return;
    case 'sealed':
      handlers.onSealed?.(update.proof);
      return;
    case 'error':
      handlers.onError?.(update.code);
      return;
  }
};
