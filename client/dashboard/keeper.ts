/**
 * A sign-in and a token that is always good: renewed at half its life, for as long as the API renews (12 h after the sign-in). Kept for
 * the tab, so that a reload does not end a shift; gone with the tab. Where the sign-in ends, the page stays whose it was until the same
 * person is in again; for anybody else it begins anew, so that nothing of one person is ever shown to another.
 */
import { batch, signal, type ReadonlySignal } from '@preact/signals';
import type { Role } from '../../core/domain/rights.ts';
import { SIGN_IN_LIFE_SECONDS } from '../../core/protocol/limits.ts';
import { ApiProblem, problemOf } from './http.ts';

export interface Session {
  readonly username: string;
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  /** Of the sign-in itself: 12 h after it the API renews no more. Milliseconds since 1970, by the server's clock. */
  readonly signedInAt: number;
}

/** What a sign-in needs of the browser. */
export interface KeeperWorld {
  /** Rejects with ApiProblem where no answer came. */
  readonly send: (path: string, init: RequestInit) => Promise<Response>;
  /** Lives as long as the tab, also over reloads. */
  readonly kept: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;
  /** Milliseconds that only grow. */
  readonly monotonic: () => number;
  /** The page's idea of the time, milliseconds since 1970. */
  readonly now: () => number;
  readonly after: (ms: number, run: () => void) => void;
  /** Begins the page anew: nothing that it held is left. */
  readonly startOver: () => void;
}

export interface Keeper {
  /** Who is signed in now; null: nobody. */
  readonly session: ReadonlySignal<Session | null>;
  /** Whose page it is: who is signed in, or whose sign-in ended while the page was open. */
  readonly person: ReadonlySignal<Session | null>;
  /** Why the person has to sign in again, as a sentence; null: they need not. */
  readonly ended: ReadonlySignal<string | null>;
  /** A token that is good now. Rejects with ApiProblem `signed_out` where nobody is signed in. */
  accessToken(): Promise<string>;
  /** Rejects with ApiProblem. */
  signIn(username: string, password: string): Promise<void>;
  signOut(): void;
  /** The API or the relay no longer takes the token. @param code the error's, where one was given; @param used the token, where it is known: a newer one may be good */
  signInEnded(code?: string, used?: string): void;
  /** Takes up the sign-in of the tab, if there is one, and keeps it good from now on. */
  resume(): void;
}

const KEPT_AS = 'earshot.token';
/** A token is renewed when less than this share of its life is left: there are many chances until its end. */
const RENEW_AT_SHARE = 0.5;
const RENEW_CHECK_MAX_MS = 30_000;
const RENEW_CHECK_MIN_MS = 5_000;
/** Whoever needs a token waits no longer for a fresh one: the old one is good for a while yet. */
const RENEW_WAIT_MAX_MS = 5_000;
/** A token younger than this was issued to this page. */
const JUST_ISSUED_SECONDS = 60;

interface Claims {
  readonly username: string;
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  readonly auth_time: number;
  readonly iat: number;
  readonly exp: number;
}

interface Token {
  readonly text: string;
  readonly claims: Claims;
  /** Monotonic, and the page's idea of the time. */
  readonly takenAt: number;
  readonly takenOn: number;
}

const SIGNED_OUT = { code: 'signed_out', title: 'Signed out', detail: 'Sign in again.', retryable: false } as const;

/** Makes it; nothing happens before `resume` or `signIn`. */
export const createKeeper = (world: KeeperWorld): Keeper => {
  const session = signal<Session | null>(null);
  const person = signal<Session | null>(null);
  const ended = signal<string | null>(null);
  let token: Token | null = null;
  let renewing: Promise<void> | null = null;
  let left = false;

  /** By how long this page has had it, whatever its clock says. Many machines stop the monotonic clock while they sleep, and the other one may be set: the longer time counts. */
  const shareLeft = ({ claims, takenAt, takenOn }: Token): number => 1 - Math.max(world.monotonic() - takenAt, world.now() - takenOn) / lifeMs(claims);
  const isDue = (held: Token): boolean => shareLeft(held) < RENEW_AT_SHARE && held.claims.exp < held.claims.auth_time + SIGN_IN_LIFE_SECONDS;

  /** A browser that keeps nothing, as some are told to, has the sign-in until the page is left. */
  const keep = (text: string | null): void => {
    try {
      if (text === null) world.kept.removeItem(KEPT_AS);
      else world.kept.setItem(KEPT_AS, text);
    } catch {
      return;
    }
  };
  const kept = (): string | null => {
    try {
      return world.kept.getItem(KEPT_AS);
    } catch {
      return null;
    }
  };

  const take = (text: string, isFresh: boolean): void => {
    // Whoever has signed out is not brought back by an answer that was under way.
    if (left) return;
    const claims = claimsOf(text);
    if (claims === null) {
      forget();
      return;
    }
    const mine = person.peek();
    keep(text);
    if (mine !== null && (mine.username !== claims.username || mine.tenant !== claims.tenant)) {
      world.startOver();
      return;
    }
    // A token from before a reload has lived longer than this page: it is renewed at its first use.
    const hadBefore = isFresh || world.now() / 1000 - claims.iat < JUST_ISSUED_SECONDS ? 0 : lifeMs(claims) * RENEW_AT_SHARE + 1;
    token = { text, claims, takenAt: world.monotonic() - hadBefore, takenOn: world.now() - hadBefore };
    const now = session.peek();
    if (now !== null && now.roles.join() === claims.roles.join()) return;
    const next = { username: claims.username, tenant: claims.tenant, roles: claims.roles, signedInAt: claims.auth_time * 1000 };
    batch(() => {
      session.value = next;
      person.value = next;
      ended.value = null;
    });
  };

  const forget = (): void => {
    token = null;
    keep(null);
    session.value = null;
  };

  const signInEnded = (code = 'sign_in_ended', used?: string): void => {
    if (token === null || (used !== undefined && used !== token.text)) return;
    const over = token.claims.exp >= token.claims.auth_time + SIGN_IN_LIFE_SECONDS && shareLeft(token) <= 0;
    batch(() => {
      forget();
      ended.value = `${over && code !== 'access_revoked' ? 'A sign-in lasts 12 hours, and yours is over.' : (ENDED[code] ?? 'Your sign-in has ended.')} Sign in again to go on where you were.`;
    });
  };

  const renewOnce = async (): Promise<void> => {
    const asked = token;
    if (asked === null) return;
    const answer = await world.send('/auth/refresh', { method: 'POST', headers: { authorization: `Bearer ${asked.text}` } }).catch(() => null);
    // Without an answer the token is good for a while yet; somebody asks again soon.
    if (answer === null) return;
    if (answer.ok) {
      const fresh = await tokenIn(answer).catch(() => null);
      if (fresh !== null && token === asked) take(fresh, true);
    } else if (answer.status === 401 || answer.status === 403) {
      const { code } = await problemOf(answer);
      // An outside identity provider renews its own tokens.
      if (code !== 'forbidden') signInEnded(code, asked.text);
    }
  };

  const renew = (): Promise<void> => {
    renewing ??= renewOnce().finally(() => {
      renewing = null;
    });
    return renewing;
  };

  const watch = (): void => {
    const ms = token === null ? RENEW_CHECK_MAX_MS : (shareLeft(token) - RENEW_AT_SHARE) * lifeMs(token.claims) + 1;
    world.after(Math.min(RENEW_CHECK_MAX_MS, Math.max(RENEW_CHECK_MIN_MS, ms)), () => {
      if (token !== null && isDue(token)) void renew();
      watch();
    });
  };

  return {
    session,
    person,
    ended,
    signInEnded,
    accessToken: async () => {
      if (token !== null && isDue(token)) await Promise.race([renew(), new Promise<void>((resolve) => world.after(RENEW_WAIT_MAX_MS, resolve))]);
      if (token === null) throw new ApiProblem(SIGNED_OUT, null);
      return token.text;
    },
    signIn: async (username, password) => {
      const answer = await world.send('/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password }) });
      if (!answer.ok) throw await problemOf(answer);
      take(await tokenIn(answer), true);
    },
    signOut: () => {
      const text = token?.text;
      left = true;
      forget();
      // Not waited for: the page begins anew at once, and the browser sends it all the same.
      if (text !== undefined) void world.send('/auth/logout', { method: 'POST', keepalive: true, headers: { authorization: `Bearer ${text}` } }).catch(() => undefined);
      world.startOver();
    },
    resume: () => {
      const before = kept();
      if (before !== null) take(before, false);
      watch();
    },
  };
};

const ENDED: Readonly<Record<string, string>> = {
  access_revoked: 'Your access was taken away or changed.',
  token_expired: 'Your sign-in has run out.',
};

/** Rejects where the answer breaks off, or is not the API's. */
const tokenIn = async (answer: Response): Promise<string> => ((await answer.json()) as { readonly access_token: string }).access_token;

const lifeMs = ({ iat, exp }: Claims): number => Math.max(1, exp - iat) * 1000;

/** What the token says; nothing is decided by it. null: it cannot be read. */
const claimsOf = (text: string): Claims | null => {
  try {
    const part = (text.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (char) => char.charCodeAt(0)))) as Claims;
  } catch {
    return null;
  }
};
