/** One connection as its transport sees it: whatever comes of its client is told here. */
import type { Effect, Offer, Times } from '../core/domain/relay/effects.ts';
import type { Session } from '../core/domain/relay/session.ts';
import type { LogFields } from '../ports/log.ts';
import type { Boards } from './boards.ts';
import type { Feeds } from './feeds.ts';
import type { Member } from './members.ts';
import type { Transport, Viewer } from './viewer.ts';

/** How a connection comes in. */
export interface Arrival {
  readonly transport: Transport;
  readonly offer: Offer;
  /** The connection that this one replaces, by its own word. */
  readonly replaces: string | null;
  /** Polls are not pinged or cut; one that should be another revision's is answered early. */
  readonly kind: 'socket' | 'poll';
  /** Of the request that brought it, for the line that names the connection. */
  readonly trace?: LogFields;
}

/** Something that a session is told. */
export type Input = (session: Session, at: Times) => readonly Effect[];

/** What the hub does with it. One object for all connections. */
export interface Reception {
  readonly feeds: Pick<Feeds, 'pump' | 'settled'>;
  readonly boards: Pick<Boards, 'pump'>;
  run(member: Member, input: Input): void;
  /** Milliseconds. */
  monotonic(): number;
  forget(member: Member, code: number): void;
  beat(member: Member): void;
}

/** A class, and nothing in it but what differs: functions of each connection's own would take half a kilobyte (`npm run bench -- idle`). */
export class Connected {
  readonly #member: Member;
  readonly #reception: Reception;

  constructor(member: Member, reception: Reception) {
    this.#member = member;
    this.#reception = reception;
  }

  get viewer(): Viewer {
    return this.#member;
  }

  text(text: string, bytes: number): void {
    const member = this.#member;
    member.pulse.heard(this.#reception.monotonic());
    this.#reception.run(member, (session, at) => session.hold(member.transport.room() <= 0, at));
    this.#reception.run(member, (session, at) => session.text(text, bytes, at));
  }

  binary(): void {
    this.#reception.run(this.#member, (session) => session.binary());
  }

  pinged(): void {
    this.#reception.run(this.#member, (session, at) => session.pinged(at));
  }

  ponged(): void {
    this.#member.pulse.heard(this.#reception.monotonic());
  }

  /** The client takes more again. */
  drained(): void {
    const member = this.#member;
    const { feeds, boards } = this.#reception;
    this.#reception.run(member, (session, at) => {
      feeds.pump(member);
      boards.pump(member);
      return session.hold(member.transport.room() <= 0, at);
    });
  }

  /** The connection is gone, with this code. */
  closed(code: number): void {
    this.#reception.run(this.#member, (session) => session.closed());
    this.#reception.forget(this.#member, code);
  }

  /** Whether everything asked for was answered and sent. */
  settled(): boolean {
    const { session } = this.#member;
    return session.phase === 'closed' || (!session.busy && !session.backlogged && this.#reception.feeds.settled(this.#member));
  }

  /** A heartbeat now. */
  beat(): void {
    this.#reception.beat(this.#member);
  }
}
