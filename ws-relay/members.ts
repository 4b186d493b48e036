/** Who is here: every session of the relay, and how many places each user takes. */
import { mayDo } from '../core/domain/rights.ts';
import type { SessionUser } from '../core/domain/relay/effects.ts';
import type { LogFields } from '../ports/log.ts';
import { HEARTBEAT_MS } from '../core/protocol/limits.ts';
import { Pulse } from './pulse.ts';
import { stirred, type Viewer } from './viewer.ts';

export interface Member extends Viewer {
  readonly kind: 'socket' | 'poll';
  /** The connection that this one replaces, by its own word. */
  readonly replaces: string | null;
  readonly trace: LogFields;
  readonly pulse: Pulse;
  /** This and what follows: monotonic milliseconds. */
  readonly openedAt: number;
  /** When another connection took this one's place. */
  replacedAt: number | null;
  /** When it has to be gone, once it was asked to move. */
  moveBy: number | null;
  /** When it is asked to move since another revision serves; null: none does. */
  moveAt: number | null;
  nextBeatAt: number;
  /** Whether nothing is read from it for now. */
  held: boolean;
  /** The code that it was closed with from our side. */
  closeCode: number | null;
}

/** A session as it comes in. @param now monotonic milliseconds */
export const newMember = (given: Pick<Member, 'session' | 'transport' | 'kind' | 'replaces' | 'trace'>, now: number): Member => ({
  ...given,
  turn: 0,
  restsUntil: 0,
  pulse: new Pulse(now),
  openedAt: now,
  replacedAt: null,
  moveBy: null,
  moveAt: null,
  nextBeatAt: now + HEARTBEAT_MS,
  held: false,
  closeCode: null,
});

export class Members {
  readonly #here = { socket: new Map<string, Member>(), poll: new Map<string, Member>() };
  readonly #byUser = new Map<string, Set<Member>>();

  add(member: Member): void {
    this.#here[member.kind].set(member.session.id, member);
  }

  /** As they are now: whoever leaves meanwhile is still in it. */
  all(): readonly Member[] {
    return [...this.#here.socket.values(), ...this.#here.poll.values()];
  }

  size(kind: 'socket' | 'poll'): number {
    return this.#here[kind].size;
  }

  /** Tenants that somebody here belongs to. */
  tenants(): readonly string[] {
    const served = new Set<string>();
    for (const { session } of this.all()) if (typeof session.user?.tenant === 'string') served.add(session.user.tenant);
    return [...served];
  }

  /**
   * Gives the member's user a place. A connection that replaces another of the same user takes its place, once; the one
   * replaced is not counted any more. false: the user has as many as it may have.
   */
  admit(member: Member, user: SessionUser, most: number, now: number): boolean {
    const mates = this.#byUser.get(user.user) ?? new Set<Member>();
    const replaced = member.replaces === null ? undefined : (this.#here.socket.get(member.replaces) ?? this.#here.poll.get(member.replaces));
    if (replaced !== undefined && replaced.replacedAt === null && mates.has(replaced)) {
      replaced.replacedAt = now;
      stirred(replaced);
    }
    // Whoever may have any number may have thousands: they are not counted at each.
    if (!mayDo(user, 'connections.unlimited', user.tenant)) {
      const ofKind = [...mates].filter((mate) => mate.kind === member.kind);
      const counted = ofKind.filter((mate) => mate.replacedAt === null).length;
      // Those that were replaced and stay are as many again at most: else each new one could replace the last without end.
      if (counted >= most || ofKind.length >= 2 * most) return false;
    }
    this.#byUser.set(user.user, mates.add(member));
    return true;
  }

  /** false: it was not here any more. */
  forget(member: Member): boolean {
    const { id, user } = member.session;
    if (!this.#here[member.kind].delete(id)) return false;
    const mates = user === null ? undefined : this.#byUser.get(user.user);
    mates?.delete(member);
    if (user !== null && mates?.size === 0) this.#byUser.delete(user.user);
    return true;
  }
}
