/**
 * Who may do what: one table, action x role, the only place that decides - for REST, subscribe, board, poll and every
 * re-check. Printed into `docs/generated/rights.md`.
 */

export const ROLES = ['dispatcher', 'admin', 'service', 'operator'] as const;
/** `operator` stands outside all tenants; the others belong to one. */
export type Role = (typeof ROLES)[number];

/** Each action with the roles that may do it within their own tenant. */
export const RIGHTS = {
  'calls.watch': ['dispatcher', 'admin', 'service'],
  'calls.read': ['dispatcher', 'admin', 'service'],
  'calls.dial': ['dispatcher', 'admin', 'service'],
  'calls.end': ['dispatcher', 'admin', 'service'],
  'calls.fetch': ['dispatcher', 'admin', 'service'],
  'calls.audio': ['dispatcher', 'admin'],
  'calls.export': ['dispatcher', 'admin'],
  'calls.erase': ['admin'],
  'drivers.read': ['dispatcher', 'admin', 'service'],
  'drivers.write': ['admin', 'service'],
  'stats.read': ['dispatcher', 'admin', 'service'],
  'quarantine.read': ['admin', 'operator'],
  'quarantine.redrive': ['admin', 'operator'],
  'deliveries.listen': ['admin', 'service'],
  'metrics.read': ['admin', 'service', 'operator'],
  'hops.read': ['admin', 'service', 'operator'],
  'connections.unlimited': ['service'],
  'jobs.run': ['service', 'operator'],
} as const satisfies Record<string, readonly Role[]>;

export type Action = keyof typeof RIGHTS;

/** Somebody who asks: only what the decision needs. */
export interface Asker {
  readonly tenant: string | null;
  readonly roles: readonly Role[];
}

/**
 * Whether the asker may do the action to something of this tenant. `tenant` null: a thing that belongs to nobody yet
 * (unassigned quarantine), which only an operator may touch. An operator may touch nothing that a tenant owns.
 */
export const mayDo = (asker: Asker, action: Action, tenant: string | null): boolean => {
  const roles: readonly Role[] = RIGHTS[action];
  if (asker.tenant !== tenant) return false;
  return asker.roles.some((role) => roles.includes(role) && (role === 'operator') === (tenant === null));
};

/** What our directory says of a user, as far as it decides whether a token still stands. */
export interface Account {
  readonly tenant: string | null;
  readonly roles: readonly Role[];
  readonly disabled: boolean;
  /** Milliseconds since 1970. */
  readonly tokens_valid_from: number;
}

/**
 * What a token is worth now, against the directory's word on its user: the token with the roles of this moment, or why it is
 * no longer good. Roles given or taken since it was issued count at once.
 * @param account null: the directory has no such user
 */
export const confirmToken = <T extends Asker & { /** Seconds since 1970. */ readonly issued_at: number }>(token: T, account: Account | null): T | 'access_revoked' | 'sign_in_ended' => {
  if (account === null || account.disabled || account.tenant !== token.tenant) return 'access_revoked';
  if (token.issued_at * 1000 < account.tokens_valid_from) return 'sign_in_ended';
  return { ...token, roles: account.roles };
};
