/**
 * The need: who is who. Workspaces, tenants, users, drivers, agents; tickets, leases, ended sign-ins; which revision of the relay serves.
 * Every way passes `test/contract/directory.ts`. All methods throw EarshotError `store_unavailable` when the store does not answer.
 */
import type { Role } from '../core/domain/rights.ts';

export interface IngestKey {
  /** SHA-256 (hex) of the key. */
  readonly hash: string;
  /** The tenant that it may write for. */
  readonly tenant: string;
  /** When an operator added it, milliseconds; without it, it is one of INGEST_KEY. */
  readonly added_at?: number;
}

/** One account at the provider. */
export interface Workspace {
  readonly workspace: string;
  /** Signing secrets as text, `wsec_` included, newest first. */
  readonly webhook_secrets: readonly string[];
  readonly ingest_keys: readonly IngestKey[];
  readonly api_key: string | null;
  readonly base_url: string;
  readonly telephony: 'twilio' | 'sip_trunk';
  readonly phone_number_id: string | null;
  /** Calls the provider's plan lets run at once. */
  readonly concurrency: number;
}

export interface Agent {
  readonly agent_id: string;
  readonly workspace: string;
  readonly tenant: string;
  readonly name: string;
}

export interface Tenant {
  readonly tenant: string;
  readonly name: string;
  /** Local time of the person called, `HH:MM`, end exclusive; null: any hour. */
  readonly calling_hours: { readonly start: string; readonly end: string } | null;
  /** Agent of a dial that names none. */
  readonly default_agent_id: string | null;
}

export interface User {
  readonly user: string;
  /** null for an operator, who stands outside all tenants. */
  readonly tenant: string | null;
  readonly username: string;
  /** `scrypt$N$r$p$salt$hash`, or null for a user of an outside identity provider. */
  readonly password: string | null;
  readonly roles: readonly Role[];
  readonly disabled: boolean;
  /** Tokens issued before this (milliseconds) are no longer good. */
  readonly tokens_valid_from: number;
  /** Failed sign-ins in a row, and until when (milliseconds) the next is refused. */
  readonly failed_sign_ins: number;
  readonly sign_in_blocked_until: number;
}

export interface Trigger {
  readonly type: string;
  readonly occurred_at?: string | undefined;
  readonly detail?: string | undefined;
}

export interface Driver {
  readonly tenant: string;
  readonly driverId: string;
  readonly driverName: string;
  readonly phoneNumber: string | null;
  readonly triggers: readonly Trigger[];
  readonly do_not_call: boolean;
  /** IANA name; null: the tenant's hours are read in UTC. */
  readonly time_zone: string | null;
}

/** What a ticket stands for: the token that bought it, by its claims. */
export interface Ticket {
  /** SHA-256 (hex) of the ticket. */
  readonly hash: string;
  /** Claims of the token as JSON text. */
  readonly principal: string;
  readonly expires_at: number;
}

export interface Directory {
  workspace(workspace: string): Promise<Workspace | null>;
  workspaces(): Promise<readonly Workspace[]>;
  putWorkspace(workspace: Workspace): Promise<void>;
  /** Atomic: puts what `change` makes of the workspace as it is stored (null: it is not) in its place. */
  changeWorkspace(workspace: string, change: (found: Workspace | null) => Workspace): Promise<Workspace>;
  agent(agentId: string): Promise<Agent | null>;
  /** null: all. */
  agents(tenant: string | null): Promise<readonly Agent[]>;
  putAgent(agent: Agent): Promise<void>;
  removeAgent(agentId: string): Promise<boolean>;
  tenant(tenant: string): Promise<Tenant | null>;
  tenants(): Promise<readonly Tenant[]>;
  putTenant(tenant: Tenant): Promise<void>;
  user(user: string): Promise<User | null>;
  userByName(username: string): Promise<User | null>;
  users(tenant: string | null): Promise<readonly User[]>;
  /** Throws EarshotError `invalid_request` where the user name belongs to another user; so does `changeUser`. */
  putUser(user: User): Promise<void>;
  /** Atomic change of one user; null: there is no such user. */
  changeUser(user: string, change: (user: User) => User): Promise<User | null>;
  driver(tenant: string, driverId: string): Promise<Driver | null>;
  /** Ordered by driverId. */
  drivers(tenant: string, after: string | null, limit: number): Promise<readonly Driver[]>;
  putDriver(driver: Driver): Promise<void>;
  putTicket(ticket: Ticket): Promise<void>;
  /** Atomic: the first caller gets it, every later one null. Ended tickets are null. */
  takeTicket(hash: string, now: number): Promise<Ticket | null>;
  endSignIn(sid: string, until: number): Promise<void>;
  signInEnded(sid: string): Promise<boolean>;
  /** Takes or renews the lease; false: somebody else holds it. */
  takeLease(name: string, holder: string, now: number, until: number): Promise<boolean>;
  releaseLease(name: string, holder: string): Promise<void>;
  /** How far something has got, milliseconds; null: nobody has said yet. */
  watermark(name: string): Promise<number | null>;
  /** Moves the watermark forward, never back: of two at once the higher stays. */
  raiseWatermark(name: string, to: number): Promise<void>;
  /** The relay's revision that serves, as an operator or a deployment has named it; null: nobody has, so each of them does. */
  servingRevision(): Promise<string | null>;
  /** The relays of every other revision ask their sessions to move. null takes it back. */
  nameServingRevision(revision: string | null): Promise<void>;
  /** Removes tickets, leases and ended sign-ins past their time. Answers how many. */
  sweep(now: number): Promise<number>;
  check(): Promise<void>;
  close(): Promise<void>;
}
