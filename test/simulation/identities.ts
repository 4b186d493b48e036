/** Who is who in the simulated world: users, their tokens, and the identity that verifies them. */
import { createHash } from 'node:crypto';
import { EarshotError } from '../../core/protocol/codes.ts';
import { TICKET_LIFE_SECONDS, TOKEN_LIFE_SECONDS } from '../../core/protocol/limits.ts';
import type { Role } from '../../core/domain/rights.ts';
import type { Directory } from '../../ports/directory.ts';
import type { Identity, Principal } from '../../ports/identity.ts';
import type { Actor, World } from './world.ts';

export interface Person {
  readonly user: string;
  readonly tenant: string;
  readonly roles: readonly Role[];
}

const SHORT_MIN_SECONDS = 8;
const SHORT_MAX_SECONDS = 90;

export class Identities {
  readonly #world: World;
  readonly #tokens = new Map<string, Principal>();
  /** Those that opened a session. */
  readonly usedTickets: string[] = [];

  constructor(world: World) {
    this.#world = world;
  }

  /** A fresh token; with `token_short` it ends soon. */
  issue({ user, tenant, roles }: Person): string {
    const { faults, clock } = this.#world;
    const seconds = faults.strikes('token_short') ? SHORT_MIN_SECONDS + faults.chance('token_short')() * (SHORT_MAX_SECONDS - SHORT_MIN_SECONDS) : TOKEN_LIFE_SECONDS;
    const now = Math.floor(clock.now() / 1000);
    return this.#keep({ user, username: user, tenant, roles, sid: `sid-${user}`, signed_in_at: now, issued_at: now, expires_at: now + Math.floor(seconds), local: true });
  }

  /** One that has ended already. */
  ended({ user, tenant, roles }: Person): string {
    const now = Math.floor(this.#world.clock.now() / 1000);
    return this.#keep({ user, username: user, tenant, roles, sid: `sid-${user}`, signed_in_at: now - 4_000, issued_at: now - 4_000, expires_at: now - 400, local: true });
  }

  /** Buys a ticket with a token, as the API does; null: the token is none. Its life goes by the clock of all, so relays' clocks have to be right. */
  async ticket(token: string, directory: Directory): Promise<string | null> {
    const principal = this.#tokens.get(token);
    if (principal === undefined) return null;
    const { clock } = this.#world;
    const ticket = clock.randomHex(32);
    // As `ws-relay/offer.ts` hashes what it is shown.
    const hash = createHash('sha256').update(ticket).digest('hex');
    await directory.putTicket({ hash, principal: JSON.stringify(principal), expires_at: clock.now() + TICKET_LIFE_SECONDS * 1000 });
    this.#world.note('world', { op: 'canary', what: 'ticket', text: ticket });
    return ticket;
  }

  /** When the token ends, milliseconds of virtual time; null: it is none of ours. */
  endOf(token: string): number | null {
    const principal = this.#tokens.get(token);
    return principal === undefined ? null : principal.expires_at * 1000 - (this.#world.clock.now() - this.#world.now);
  }

  /** The identity as a process has it: by that process's own clock. */
  for(actor: Actor): Identity {
    return {
      verify: (token) =>
        this.#world.ask(actor, { fate: 'answered' }, async () => {
          const principal = this.#tokens.get(token);
          if (principal === undefined) throw new EarshotError('token_invalid');
          if (principal.expires_at * 1000 <= actor.runtime.now()) throw new EarshotError('token_expired');
          return principal;
        }),
    };
  }

  #keep(principal: Principal): string {
    const token = `token-${this.#tokens.size}-${this.#world.clock.randomHex(4)}`;
    this.#tokens.set(token, principal);
    this.#world.note('world', { op: 'canary', what: 'token', text: token });
    return token;
  }
}
