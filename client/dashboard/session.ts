/**
 * Who is signed in, and a token that is always good: renewed well before its end, for as long as the API renews (12 h after the
 * sign-in). Kept for this tab, so that a reload does not end a shift; gone with the tab.
 */
import { signal } from '@preact/signals';
import { mayDo, type Action, type Role } from '../../core/domain/rights.ts';
import { ApiProblem, problemOf, send } from './http.ts';

export interface Session {
  readonly username: string;
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  /** Of the sign-in itself: 12 h after it the API renews no more. Milliseconds since 1970. */
  readonly signedInAt: number;
}

/** null: nobody is signed in. */
export const session = signal<Session | null>(null);
/** Why somebody who was signed in has to sign in again; null: nobody was. */
export const endedBecause = signal<string | null>(null);

const KEPT_AS = 'earshot.token';
/** A token is renewed when less than this share of its life is left. */
const RENEW_AT_SHARE = 0.5;
const RENEW_CHECK_MS = 30_000;

interface Claims {
  readonly username: string;
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  readonly auth_time: number;
  readonly iat: number;
  readonly exp: number;
}

let token: { readonly text: string; readonly claims: Claims; readonly takenAt: number } | null = null;
let renewing: Promise<void> | null = null;

/** Whether the signed-in user may do it: for showing or not showing; the API decides for itself. */
export const may = (action: Action): boolean => {
  const who = session.value;
  return who !== null && mayDo(who, action, who.tenant);
};

/** A token that is good now. Rejects with ApiProblem `signed_out` where nobody is signed in. */
export const accessToken = async (): Promise<string> => {
  if (token !== null && shareLeft() < RENEW_AT_SHARE) await renew();
  if (token === null) throw new ApiProblem({ code: 'signed_out', title: 'Signed out', detail: 'Sign in again.', retryable: false }, null);
  return token.text;
};

/** Signs in. Rejects with ApiProblem. */
export const signIn = async (username: string, password: string): Promise<void> => {
  const answer = await send('/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username, password }) });
  if (!answer.ok) throw await problemOf(answer);
  const said = (await answer.json()) as { readonly access_token: string };
  endedBecause.value = null;
  take(said.access_token);
};

/** Ends the sign-in, here and at the API. */
export const signOut = (): void => {
  const { text } = token ?? { text: null };
  forget();
  endedBecause.value = null;
  if (text !== null) void send('/auth/logout', { method: 'POST', headers: { authorization: `Bearer ${text}` } }).catch(() => undefined);
};

/** The API or the relay no longer takes the token. */
export const signInEnded = (): void => {
  if (token === null) return;
  forget();
  endedBecause.value = 'Your sign-in has ended. Sign in again to go on; nothing on this page is lost.';
};

/** Takes up the sign-in of this tab, if there is one, and keeps it good. Once, when the page begins. */
export const resumeSession = (): void => {
  const kept = sessionStorage.getItem(KEPT_AS);
  if (kept !== null) take(kept);
  setInterval(() => {
    if (token !== null && shareLeft() < RENEW_AT_SHARE) void renew();
  }, RENEW_CHECK_MS);
};

/** Share of the token's life that is left: by how long this page has had it, whatever its clock says. */
const shareLeft = (): number => {
  if (token === null) return 0;
  const life = (token.claims.exp - token.claims.iat) * 1000;
  return 1 - (performance.now() - token.takenAt) / life;
};

const renew = (): Promise<void> => {
  renewing ??= renewOnce().finally(() => {
    renewing = null;
  });
  return renewing;
};

const renewOnce = async (): Promise<void> => {
  const asked = token;
  if (asked === null) return;
  const answer = await send('/auth/refresh', { method: 'POST', headers: { authorization: `Bearer ${asked.text}` } }).catch(() => null);
  // Without an answer the token is good for a while yet; somebody asks again soon.
  if (answer === null || token !== asked) return;
  if (answer.ok) take(((await answer.json()) as { readonly access_token: string }).access_token);
  else if (answer.status === 401 || answer.status === 403) signInEnded();
};

const take = (text: string): void => {
  const claims = claimsOf(text);
  if (claims === null) {
    forget();
    return;
  }
  sessionStorage.setItem(KEPT_AS, text);
  // A token from before a reload has lived longer than this page: it is renewed at its first use.
  const taken = performance.now();
  token = { text, claims, takenAt: session.value === null && Date.now() / 1000 - claims.iat > 60 ? taken - (claims.exp - claims.iat) * 1000 * RENEW_AT_SHARE - 1 : taken };
  const before = session.value;
  if (before === null || before.username !== claims.username || before.roles.join() !== claims.roles.join()) {
    session.value = { username: claims.username, tenant: claims.tenant, roles: claims.roles, signedInAt: claims.auth_time * 1000 };
  }
};

const forget = (): void => {
  token = null;
  sessionStorage.removeItem(KEPT_AS);
  session.value = null;
};

/** What the token says; nothing is decided by it. null: it cannot be read. */
const claimsOf = (text: string): Claims | null => {
  try {
    const part = (text.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (char) => char.charCodeAt(0)))) as Claims;
  } catch {
    return null;
  }
};
