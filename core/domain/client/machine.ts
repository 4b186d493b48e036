/**
 * The client: feeds on what the socket, the clock and the page say, answers with what to do. No socket, no clock and no
 * chance of its own, so that the simulation runs the very machine that runs in the browser.
 *
 *   connecting -> live <-> catching_up | unverified      lost -> (reconnects) -> restored -> live      stopped
 *
 * One link leads. When the relay asks to move, a second one is opened before the first is left; it leads when it has brought
 * everything as far as the page has it. Where no link can be had, polls are the source beside the attempts at one.
 */
import { INTERIM_AGE_MAX_MS, POLL_WAIT_MAX_SECONDS } from '../../protocol/limits.ts';
import { backoffMs, isFinal, TOKEN_EXPIRED } from './backoff.ts';
import type { Act, ByName, ClientEffect, ClientInput, ClientMachine, ClientOptions, Connection, TimerName, TokenPurpose } from './effects.ts';
import { newStates } from './states.ts';
import { FRESH_MAX_MS, GOOD_CONNECTION_MS, OPENING_MAX_MS, POLL_AFTER_FAILURES, PONG_MAX_MS, RESTORED_MS, SILENCE_MAX_MS, VERIFIED_LAG_MAX_MS } from './times.ts';
import { newFollowing } from './following.ts';
import { fieldsOf, newLink, POLLS, timeOf, type Fields, type Link } from './link.ts';
import { newServerClock } from './server-clock.ts';

export const newClientMachine = ({ random, sha256, canPoll }: ClientOptions): ClientMachine => {
  /** Monotonic time. */
  let now = 0;
  let effects: ClientEffect[] = [];
  /** Timers that are waited for. */
  const due = new Map<TimerName, { readonly at: number; readonly run: (() => void) | undefined }>();

  const act: Act = (...effect) => {
    effects.push(effect);
  };
  const send = ({ id: link }: Link, message: object): void => {
    if (link !== POLLS) act('send', link, JSON.stringify(message));
  };
  const timer = (name: TimerName, ms: number, run?: () => void): void => {
    due.set(name, { at: now + ms, run });
    act('timer', name, ms);
  };
  const cancel = (...names: readonly TimerName[]): void => {
    for (const name of names) if (due.delete(name)) act('cancel', name);
  };
  const dueAt = (name: TimerName): number => due.get(name)?.at ?? Infinity;

  let started = false;
  let stopped = false;
  /** Whether there is a network, once it was started. */
  let online = false;
  let lead: Link | undefined;
  /** The link that is to lead after a move. */
  let next: Link | undefined;
  let links = POLLS;
  /** A token for a link is awaited. */
  let asking = false;
  let failures = 0;
  let freshTokenTried = false;
  /** As a source of frames; null: no polls are made. */
  let polls: Link | null = null;
  /** Whether the last poll was answered. */
  let pollsWork = false;
  /** What the poll under way waits for; null: none is. */
  let pollAwaits: '' | 'token' | 'answer' | null = null;
  let pollFailures = 0;

  let verifiedAt: number | null = null;
  let connection: Connection = { state: 'connecting', via: null, since: 0, retryAt: null, verifiedAt };

  /** Links that are up, and polls while they are made. */
  const sources = new Set<Link>();
  const isUp = (link: Link | undefined): link is Link => link !== undefined && sources.has(link);

  const clock = newServerClock();
  const showRestored = (): void => timer('restored', RESTORED_MS);
  const stateOf = newStates(showRestored, () => due.has('restored'));
  const following = newFollowing(sha256, sources, act, send, timer);

  /** Nothing is confirmed until the next heartbeat. */
  const doubt = (): void => cancel('fresh');

  // --- Connecting ---

  const askToken = (): void => {
    asking = true;
    act('ask_token', 'link');
  };

  const connect = (): void => {
    if (asking || lead || !online) return;
    cancel('retry');
    askToken();
  };

  const retry = (after: number): void => {
    if (online) timer('retry', backoffMs(after, random()), connect);
  };

  const move = (ms: number): void => {
    timer('move', ms, () => {
      if (isUp(lead) && !next && !asking) askToken();
    });
  };

  /** Opens a link: beside the one that leads, if there is one. */
  const open = (token: string): void => {
    const link = newLink(++links, !lead);
    const replaces = lead?.connectionId;
    if (lead) next = link;
    else lead = link;
    timer(`opening ${link.id}`, OPENING_MAX_MS, () => giveUp(link));
    act('open', link.id, token, typeof replaces === 'string' ? replaces : null);
  };

  const close = (link: Link | undefined): void => {
    if (link) act('close', link.id);
  };

  const giveUp = (link: Link | undefined): void => {
    close(link);
    closed(link, 1006);
  };

  const failed = (): void => {
    failures++;
    // Where a move did not work, the old link still leads.
    if (lead) move(backoffMs(failures, random()));
    else {
      if (failures >= POLL_AFTER_FAILURES && canPoll && !polls) {
        sources.add((polls = newLink(POLLS)));
        poll();
      }
      retry(failures);
    }
  };

  const closed = (link: Link | undefined, code: number): void => {
    if (!link) return;
    sources.delete(link);
    cancel(`opening ${link.id}`);
    if (link !== next) leadClosed(link, code);
    else {
      next = undefined;
      // What it alone had heard of, a new epoch for one, is asked for on the old one.
      if (isUp(lead)) following.askAgain(lead);
      failed();
    }
  };

  const leadClosed = (link: Link, code: number): void => {
    lead = next;
    next = undefined;
    cancel('silence', 'pong', 'move');
    if (!polls) doubt();
    if (now - link.upAt >= GOOD_CONNECTION_MS) failures = 0;
    if (isFinal(code) && (code !== TOKEN_EXPIRED || freshTokenTried)) stop(code);
    else if (lead) leads(lead);
    else if (code === TOKEN_EXPIRED) {
      freshTokenTried = true;
      connect();
    } else failed();
  };

  const stop = (code: number | null): void => {
    stopped = true;
    close(lead);
    close(next);
    lead = next = undefined;
    stopPolls();
    cancel(...due.keys());
    act('stopped', code);
  };

  // --- A link's life ---

  const linkFrame = (link: Link | undefined, text: string): void => {
    if (!link) return;
    const frame = fieldsOf(text);
    if (link.leads) {
      heard();
      if (frame['type'] === 'pong') link.suspected = false;
    }
    if (frame['type'] === 'system_message') system(link, (frame['data'] ?? {}) as Fields);
    else take(link, frame, text);
    changeOver();
  };

  /** Nothing that was said of the link before changes when it leads from now on; that it is silent does. */
  const leads = (link: Link): void => {
    link.leads = true;
    heard();
  };

  const heard = (): void => {
    cancel('pong');
    timer('silence', SILENCE_MAX_MS, () => giveUp(lead));
  };

  const system = (link: Link, data: Fields): void => {
    const { event } = data;
    if (event === 'connection_established') up(link, data);
    if (event === 'degraded' || event === 'restored') link.degraded = event === 'degraded';
    if (event === 'token_expiring' && link.leads) act('ask_token', 'refresh');
    // Half of the time is left for taking over.
    if (event === 'move' && link.leads && !next) move(((random() * Number(data['within_ms'])) / 2) | 0);
  };

  const up = (link: Link, { server_time: serverTime, connection_id: connectionId }: Fields): void => {
    clock.hear(timeOf(serverTime), now);
    link.upAt = now;
    link.connectionId = connectionId;
    cancel(`opening ${link.id}`);
    freshTokenTried = false;
    if (link.leads) stopPolls();
    sources.add(link);
    following.askAll(link);
  };

  /** The old link is left when the new one is as far as the page. */
  const changeOver = (): void => {
    if (!lead || !isUp(next) || !following.isReady(next)) return;
    close(lead);
    sources.delete(lead);
    cancel('move');
    lead = next;
    next = undefined;
    leads(lead);
  };

  const take = (source: Link, frame: Fields, text: string): void => {
    // Of what has no number an interim turn alone says when it was: one that is older is not what is being said.
    if (frame['seq'] === undefined && (clock.at(now) ?? NaN) - timeOf(frame['timestamp']) > INTERIM_AGE_MAX_MS) return;
    if (frame['type'] !== 'heartbeat') following.takeFrame(source, frame, text);
    else if (source.leads) heartbeat(source, frame);
  };

  const heartbeat = (source: Link, frame: Fields): void => {
    following.hearHeads(frame['heads']);
    const serverTime = timeOf(frame['server_time']);
    if (!serverTime || source.suspected) return;
    clock.hear(serverTime, now);
    const verified = timeOf(frame['verified_at']);
    if (verified) verifiedAt = verified;
    if (serverTime - verified <= VERIFIED_LAG_MAX_MS) timer('fresh', FRESH_MAX_MS);
    else doubt();
  };

  /** The machine may have slept, or the network changed: what was confirmed before says nothing of now, until the socket has shown that it lives. */
  const suspect = (): void => {
    doubt();
    if (!isUp(lead)) return;
    lead.suspected = true;
    send(lead, { ping: 'wake' });
    timer('pong', PONG_MAX_MS, () => giveUp(lead));
  };

  // --- Polls: one after another, each from where the client then is ---

  /** Begins a poll unless one is under way. */
  const poll = (): void => {
    if (!polls || pollAwaits) return;
    pollAwaits = 'token';
    act('ask_token', 'poll');
  };

  const abortPoll = (): void => {
    if (pollAwaits === 'answer') act('abort_poll');
    pollAwaits = null;
  };

  /** What is asked for has changed: a poll that waits for the old question is given up. One that has no token yet asks the new one. */
  const pollAnew = (): void => {
    if (pollAwaits !== 'token') abortPoll();
    poll();
  };

  const stopPolls = (): void => {
    if (polls) sources.delete(polls);
    polls = null;
    pollsWork = false;
    cancel('poll');
    abortPoll();
  };

  const pollLater = (): void => timer('poll', backoffMs(++pollFailures, random()), poll);

  const polled = (status: number | null, frames: readonly unknown[], boardMark: string | undefined): void => {
    if (!polls || pollAwaits !== 'answer') return;
    pollAwaits = null;
    pollsWork = status === 200;
    if (status === 403) stop(status);
    else if (pollsWork) answered(polls, frames.filter(Boolean) as Fields[], boardMark);
    else pollLater();
  };

  const answered = (source: Link, frames: readonly Fields[], boardMark: string | undefined): void => {
    following.markBoard(boardMark);
    source.boardPart = [];
    // An event's text is a fixed point of JSON, so this is the text that was logged.
    for (const frame of frames) take(source, frame, JSON.stringify(frame));
    // Where something could not be answered the relay has to be given time, or polls would follow each other at once.
    if (frames.some((frame) => frame['type'] === 'error' && frame['retryable'] === true)) pollLater();
    else {
      pollFailures = 0;
      poll();
    }
  };

  const tokenGiven: Readonly<Record<TokenPurpose, (given: string | null) => void>> = {
    link: (given) => {
      asking = false;
      if (given) open(given);
      else failed();
    },
    poll: (given) => {
      if (pollAwaits !== 'token') return;
      pollAwaits = given && 'answer';
      pollsWork &&= given !== null;
      if (given) act('poll', given, { ...following.question(), wait: POLL_WAIT_MAX_SECONDS });
      else pollLater();
    },
    refresh: (given) => {
      if (given && isUp(lead)) send(lead, { auth: given });
    },
  };

  const show = (): void => {
    const via = !online || stopped ? null : isUp(lead) ? 'socket' : pollsWork ? 'poll' : null;
    // Not by the timer alone: that of a page in the background comes late, and another a fraction of a millisecond early.
    const confirmed = due.has('fresh') && now < dueAt('fresh') && !lead?.degraded;
    const state = stopped ? 'stopped' : stateOf(via !== null, following.isBehind(), confirmed);
    const retryAt = via ? Infinity : Math.min(dueAt('retry'), dueAt('poll'));
    const before = connection;
    connection = { state, via, since: state === before.state ? before.since : now, retryAt: retryAt < Infinity ? retryAt : null, verifiedAt };
    if (state !== before.state) act('state', state);
    // The same object until something of it changes.
    else if (JSON.stringify(connection) === JSON.stringify(before)) connection = before;
  };

  const linkOf = (id: number): Link | undefined => [lead, next].find((link) => link?.id === id);

  const inputs: ByName<ClientInput> = {
    start: () => {
      started = online = true;
      connection = { ...connection, since: now };
      connect();
    },
    stop: () => stop(null),
    token: (purpose, given) => tokenGiven[purpose](given),
    closed: (id, code) => closed(linkOf(id), code),
    frame: (id, text) => linkFrame(linkOf(id), text),
    polled,
    timer: (name) => {
      const run = due.get(name)?.run;
      due.delete(name);
      run?.();
    },
    offline: () => {
      online = false;
      cancel('retry');
    },
    online: () => {
      online = started;
      suspect();
      // The network is another one: nobody is to blame for what failed before.
      if (!lead) retry(0);
    },
    wake: () => {
      suspect();
      // A poll that was under way may never be answered.
      pollAnew();
      connect();
    },
    follow: (id) => {
      if (following.addCall(id)) pollAnew();
    },
    unfollow: (id) => {
      following.dropCall(id);
      changeOver();
    },
    watch: (filter) => {
      following.setBoard(filter);
      pollAnew();
    },
    unwatch: () => {
      following.dropBoard();
      pollAnew();
    },
  };

  return {
    get connection() {
      return connection;
    },
    serverNow: clock.at,
    input: (at, ...[on, ...given]) => {
      now = at;
      effects = [];
      if (!stopped) (inputs[on] as (...given: readonly unknown[]) => void)(...given);
      show();
      return effects;
    },
  };
};
