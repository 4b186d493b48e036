/**
 * One client of a relay, over a WebSocket or a long poll: who it is, what it asked for, how far it was fed.
 *
 *   awaiting_token --offer--> checking --admitted--> open --> closed
 *
 * Fed with what happened, answers with what to do; the shell asks the identity, the directory and the log, and comes back
 * with the answer. Messages are worked off one after another: one that needs an answer from outside holds the next.
 */
import type { CloseName, ErrorCode } from '../../protocol/codes.ts';
import type { ControlFrame } from '../../protocol/frames.ts';
import { AUTH_CHECK_MAX_MS, AUTH_WAIT_MS, MESSAGE_BUCKET_SIZE, MESSAGE_RATE_PER_SECOND, WS_PRE_AUTH_FRAME_MAX_BYTES, WS_WAITING_MAX_BYTES } from '../../protocol/limits.ts';
import type { ClientMessage } from '../../protocol/messages.ts';
import { mayDo } from '../rights.ts';
import { createBucket, type Bucket } from './bucket.ts';
import type { Effect, Offer, RightsVerdict, SessionUser, Times } from './effects.ts';
import { echo, errorFrame, messageCost, readMessage, type MessageId } from './message.ts';
import { Standing } from './standing.ts';
import { Subscriptions, type Asked, type Found, type Subscription } from './subscriptions.ts';

/** Messages that wait for their turn; past it the client sends faster than it is answered. */
const WAITING_OPEN_MAX_BYTES = 8 * WS_WAITING_MAX_BYTES;

const CLOSE_FOR: Partial<Record<ErrorCode, CloseName>> = {
  token_missing: 'token_missing',
  token_invalid: 'token_invalid',
  ticket_invalid: 'token_invalid',
  token_expired: 'token_expired',
  access_revoked: 'access_revoked',
  forbidden: 'access_revoked',
  too_many_connections: 'too_many_connections',
  rate_limited: 'rate_limited',
  store_unavailable: 'server_fault',
  server_fault: 'server_fault',
};

const NOTHING: readonly Effect[] = [];
const time = (ms: number): string => new Date(ms).toISOString();

export class Session {
  readonly id: string;
  user: SessionUser | null = null;
  readonly #calls = new Subscriptions();
  readonly #standing = new Standing();
  #phase: 'awaiting_token' | 'checking' | 'open' | 'closed' = 'awaiting_token';
  #busy: 'look_up' | 'auth' | 'watch' | null = null;
  #held = false;
  /** The rights changed, somebody said, while they were being asked about. */
  #recheck = false;
  #pending: readonly Asked[] = [];
  #authId: MessageId;
  readonly #waiting: { readonly text: string; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  readonly #bucket: Bucket;
  readonly #openedAt: number;
  /** Effects of the input under way. */
  #effects: Effect[] = [];

  constructor(id: string, opened: Times) {
    this.id = id;
    this.#openedAt = opened.mono;
    this.#bucket = createBucket(MESSAGE_BUCKET_SIZE, MESSAGE_RATE_PER_SECOND, opened.mono);
  }

  get phase(): 'awaiting_token' | 'checking' | 'open' | 'closed' {
    return this.#phase;
  }

  /** By call_sid. */
  get subscriptions(): ReadonlyMap<string, Subscription> {
    return this.#calls.all;
  }

  /** Nothing of a call is sent: the rights could not be confirmed for too long. */
  get paused(): boolean {
    return this.#standing.paused;
  }

  /** Whether messages wait: the shell then stops reading from the client. */
  get backlogged(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether its messages wait until the client takes more. */
  get held(): boolean {
    return this.#held;
  }

  /** Whether an answer from outside is awaited. */
  get busy(): boolean {
    return this.#busy !== null || this.#phase === 'checking';
  }

  /** The connection is there, with what came with it. */
  start(offer: Offer): readonly Effect[] {
    if (offer.kind !== 'none') this.#check(offer);
    return this.#flush();
  }

  /** A text frame arrived. `bytes`: its length in UTF-8. */
  text(text: string, bytes: number, at: Times): readonly Effect[] {
    if (this.#phase === 'closed') return [];
    if (this.#phase === 'awaiting_token') this.#firstMessage(text, bytes);
    else {
      this.#waiting.push({ text, bytes });
      this.#waitingBytes += bytes;
      const most = this.#phase === 'checking' ? WS_WAITING_MAX_BYTES : WAITING_OPEN_MAX_BYTES;
      if (this.#waitingBytes > most) this.#fail('payload_too_large');
      else this.#proceed(at);
    }
    return this.#flush();
  }

  /** A binary frame arrived: no message of ours is binary. */
  binary(): readonly Effect[] {
    this.#fail('invalid_message');
    return this.#flush();
  }

  /** A protocol ping arrived: it costs as a message does. */
  pinged(at: Times): readonly Effect[] {
    if (!this.#bucket.take(1, at.mono)) this.#fail('rate_limited');
    return this.#flush();
  }

  /** The token or ticket offered last is this user's. */
  verified(user: SessionUser, at: Times): readonly Effect[] {
    if (this.#phase === 'checking') {
      this.user = user;
      if (!mayDo(user, 'calls.watch', user.tenant)) this.#fail('forbidden');
      else this.#askRights(at);
    } else if (this.#busy === 'auth') {
      this.#busy = null;
      this.#refresh(user, at);
      this.#proceed(at);
    }
    return this.#flush();
  }

  /** The token or ticket offered last is no good, or there is no room. */
  refused(code: ErrorCode, at: Times): readonly Effect[] {
    if (this.#phase === 'checking') this.#fail(code);
    else if (this.#busy === 'auth') {
      this.#busy = null;
      this.#send(errorFrame(code, null, this.#authId));
      this.#proceed(at);
    }
    return this.#flush();
  }

  /** What the directory says of the rights. */
  rights(verdict: RightsVerdict, at: Times): readonly Effect[] {
    if (this.#phase === 'checking') {
      if (verdict === 'held' && this.#recheck) this.#askRights(at);
      else if (verdict === 'held') this.#effects.push({ do: 'admit' });
      else this.#fail(verdict === 'revoked' ? 'access_revoked' : 'store_unavailable');
    } else if (this.#phase === 'open') {
      if (verdict === 'revoked') this.#fail('access_revoked');
      else if (verdict === 'held') this.#confirmed(at);
    }
    return this.#flush();
  }

  /** There is room: the session is open. */
  admitted(at: Times): readonly Effect[] {
    const { user } = this;
    if (this.#phase !== 'checking' || user === null) return [];
    // The checks may have taken longer than the token had left.
    if (this.#standing.isOver(user, at)) {
      this.#fail('token_expired');
      return this.#flush();
    }
    this.#phase = 'open';
    this.#standing.confirmed(at);
    this.#send({
      type: 'system_message',
      data: {
        event: 'connection_established',
        connection_id: this.id,
        user: user.user,
        tenant: user.tenant ?? '',
        protocol: 'earshot.v1',
        server_time: time(at.now),
      },
    });
    this.#proceed(at);
    return this.#flush();
  }

  /** The look-up under way found these, in the order of its ids. */
  found(results: readonly Found[], at: Times): readonly Effect[] {
    if (this.#busy !== 'look_up') return [];
    this.#busy = null;
    const entries = this.#pending;
    this.#pending = [];
    const { user } = this;
    if (user !== null) entries.forEach((entry, place) => this.#effects.push(...this.#calls.subscribe(entry, results[place] ?? 'unavailable', user)));
    this.#proceed(at);
    return this.#flush();
  }

  /** The board's snapshot was sent, or could not be read. */
  watching(at: Times): readonly Effect[] {
    if (this.#busy !== 'watch') return [];
    this.#busy = null;
    this.#proceed(at);
    return this.#flush();
  }

  /** Whether the client takes no more for now: its messages wait until it does. */
  hold(held: boolean, at: Times): readonly Effect[] {
    this.#held = held;
    this.#proceed(at);
    return this.#flush();
  }

  /** The call is not there any more, or is not what it was: its subscription ends with an error. */
  callGone(callSid: string): readonly Effect[] {
    const subscription = this.subscriptions.get(callSid);
    if (subscription !== undefined) {
      this.#effects.push(...this.#calls.drop(subscription));
      this.#send(errorFrame('call_not_found', callSid));
    }
    return this.#flush();
  }

  /** Once a second: the bounds on time. */
  tick(at: Times): readonly Effect[] {
    if (this.#phase === 'awaiting_token') {
      if (at.mono - this.#openedAt >= AUTH_WAIT_MS) this.#fail('token_missing');
    } else if (this.#phase === 'checking') {
      if (at.mono - this.#openedAt >= AUTH_WAIT_MS + AUTH_CHECK_MAX_MS) this.#fail('store_unavailable');
    } else if (this.#phase === 'open') this.#tickOpen(at);
    return this.#flush();
  }

  /** Monotonic milliseconds before which `tick` has nothing to say unless something else happens first; 0: it may have at any time. */
  restsUntil(at: Times): number {
    const { user } = this;
    if (this.#phase !== 'open' || user === null) return 0;
    return this.#standing.nextDue(user, at);
  }

  /** Look at the rights at the next opportunity: somebody says that they changed. */
  recheck(at: Times): readonly Effect[] {
    if (this.#phase === 'open') this.#askRights(at);
    else this.#recheck = true;
    return this.#flush();
  }

  /** The connection is gone. */
  closed(): readonly Effect[] {
    if (this.#phase !== 'closed') this.#end();
    return this.#flush();
  }

  /** Ends the session from our side with one error frame, where there is one to give, and the close code. */
  end(name: CloseName, error: ControlFrame | null): readonly Effect[] {
    if (this.#phase === 'closed') return [];
    if (error !== null) this.#send(error);
    this.#close(name);
    return this.#flush();
  }

  #tickOpen(at: Times): void {
    const { user } = this;
    if (user === null) return;
    for (const due of this.#standing.due(user, at)) {
      if (due === 'token_expired') this.#fail('token_expired');
      else if (due === 'check_rights') this.#askRights(at);
      else if (due === 'pause') this.#send({ type: 'system_message', data: { event: 'degraded', reason: 'rights_unconfirmed' } });
      else this.#send({ type: 'system_message', data: { event: 'token_expiring', expires_at: time(user.expires_at * 1000) } });
    }
  }

  #askRights(at: Times): void {
    this.#recheck = false;
    this.#standing.asked(at);
    this.#effects.push({ do: 'check_rights' });
  }

  #confirmed(at: Times): void {
    if (!this.#standing.confirmed(at)) return;
    this.#send({ type: 'system_message', data: { event: 'restored' } });
    this.#effects.push({ do: 'resume' });
    this.#proceed(at);
  }

  #firstMessage(text: string, bytes: number): void {
    if (bytes > WS_PRE_AUTH_FRAME_MAX_BYTES) {
      this.#fail('payload_too_large');
      return;
    }
    const { message } = readMessage(text);
    if (message === null || !('auth' in message)) this.#fail('token_missing');
    else this.#check({ kind: 'token', token: message.auth });
  }

  #check(offer: Exclude<Offer, { kind: 'none' }>): void {
    this.#phase = 'checking';
    this.#effects.push({ do: 'verify', offer });
  }

  #refresh(user: SessionUser, at: Times): void {
    const before = this.user;
    if (before === null || before.user !== user.user || before.tenant !== user.tenant) {
      this.#send(errorFrame('different_subject', null, this.#authId));
      return;
    }
    this.user = user;
    if (!mayDo(user, 'calls.watch', user.tenant)) {
      this.#fail('access_revoked');
      return;
    }
    this.#standing.refreshed();
    this.#send({ type: 'system_message', data: { event: 'token_accepted', expires_at: time(user.expires_at * 1000), ...echo(this.#authId) } });
    this.#askRights(at);
  }

  /** Works off what waits, until something has to be answered from outside. */
  #proceed(at: Times): void {
    while (this.#phase === 'open' && this.#busy === null && !this.#held && !this.paused) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#waitingBytes -= next.bytes;
      const read = readMessage(next.text);
      if (!this.#bucket.take(read.message === null ? 1 : messageCost(read.message), at.mono)) this.#fail('rate_limited');
      else if (read.message === null) this.#send(errorFrame('invalid_message', null, read.id));
      else this.#handle(read.message);
    }
  }

  #handle(message: ClientMessage): void {
    if ('subscribe' in message) this.#lookUp(message);
    else if ('unsubscribe' in message) this.#effects.push(...this.#calls.unsubscribe(message.unsubscribe, message.id));
    else if ('watch' in message) this.#watch(message);
    else if ('unwatch' in message) {
      this.#effects.push({ do: 'unwatch' });
      this.#send({ type: 'board_unwatched', ...echo(message.id) });
    } else if ('auth' in message) {
      this.#busy = 'auth';
      this.#authId = message.id;
      this.#effects.push({ do: 'verify', offer: { kind: 'token', token: message.auth } });
    } else this.#send({ type: 'pong', ping: message.ping, ...echo(message.id) });
  }

  #lookUp(message: Extract<ClientMessage, { subscribe: unknown }>): void {
    const asked = typeof message.subscribe === 'string' ? [{ id: message.subscribe, since: message.since }] : message.subscribe;
    this.#pending = asked.map((entry) =>
      typeof entry === 'string' ? { id: entry, since: undefined, messageId: message.id } : { id: entry.id, since: entry.since, messageId: message.id },
    );
    this.#busy = 'look_up';
    this.#effects.push({ do: 'look_up', ids: this.#pending.map((entry) => entry.id) });
  }

  #watch(message: Extract<ClientMessage, { watch: unknown }>): void {
    this.#busy = 'watch';
    this.#effects.push({
      do: 'watch',
      filter: { status: message.status, agent_id: message.agent_id, driver_id: message.driver_id },
      id: message.id,
    });
  }

  #send(frame: ControlFrame): void {
    this.#effects.push({ do: 'send', frame });
  }

  #fail(code: ErrorCode): void {
    if (this.#phase === 'closed') return;
    this.#send(errorFrame(code));
    this.#close(CLOSE_FOR[code] ?? 'protocol_violation');
  }

  #close(name: CloseName): void {
    this.#end();
    this.#effects.push({ do: 'close', name });
  }

  #end(): void {
    this.#phase = 'closed';
    // An answer that comes now is nobody's: it must not subscribe a session that is gone.
    this.#busy = null;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#effects.push(...this.#calls.dropAll(), { do: 'unwatch' });
  }

  #flush(): readonly Effect[] {
    // So it is each second for each session.
    if (this.#effects.length === 0) return NOTHING;
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
