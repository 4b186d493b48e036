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
  'connections.unlimited': ['service'],
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
