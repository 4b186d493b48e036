/** The need: from a token to who it is. What they may do is decided by `core/domain/rights.ts` alone. */
import type { Role } from '../core/domain/rights.ts';

export interface Principal {
  /** Subject: the user's id here, or `<issuer>|<sub>` of an outside identity provider. */
  readonly user: string;
  readonly username: string;
  /** null for an operator, who stands outside all tenants. */
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  /** The sign-in that the token belongs to. */
  readonly sid: string;
  /** When the sign-in happened; seconds. */
  readonly signed_in_at: number;
  /** Seconds since 1970, as is the end. */
  readonly issued_at: number;
  readonly expires_at: number;
  /** Whether our own directory knows the user (else an outside provider answers for them). */
  readonly local: boolean;
}

export interface Identity {
  /** Throws EarshotError `token_invalid`, `token_expired`, or `store_unavailable` when keys cannot be had. */
  verify(token: string): Promise<Principal>;
}

export interface TokenIssuer {
  /** A token for the user, good for TOKEN_LIFE_SECONDS or to the end of the sign-in, whichever is first. */
  issue(principal: Omit<Principal, 'issued_at' | 'expires_at' | 'local'>): Promise<{ readonly token: string; readonly expires_in: number }>;
  /** The public keys as a JWK set. */
  publicKeys(): Promise<{ readonly keys: readonly object[] }>;
}
