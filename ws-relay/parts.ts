/** What the relay is made of: every need, handed in by a composition root, and the settings that concern it. */
import type { CallLog } from '../ports/call-log.ts';
import type { Directory } from '../ports/directory.ts';
import type { EventBus } from '../ports/event-bus.ts';
import type { Identity } from '../ports/identity.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Runtime } from '../ports/runtime.ts';

export interface RelayOptions {
  /** Exact origins that a browser may come from. */
  readonly allowedOrigins: readonly string[];
  /** Whether `?token=` is taken. */
  readonly allowQueryToken: boolean;
  readonly maxConnectionsPerUser: number;
  readonly maxConnections: number;
  readonly version: string;
  /** Whether `/metrics` asks for no token. */
  readonly metricsOpen: boolean;
  /** A session this old is asked to move, before the platform cuts it; null: never. Milliseconds. */
  readonly moveAfterMs: number | null;
  /** The revision that this relay is of: when another one is named as serving, sessions are asked to move. null: there are none. */
  readonly revision: string | null;
}

export interface RelayParts {
  readonly callLog: Pick<CallLog, 'findMany' | 'read' | 'changes' | 'active' | 'check'>;
  readonly bus: EventBus;
  readonly directory: Pick<Directory, 'user' | 'signInEnded' | 'takeTicket' | 'servingRevision' | 'check'>;
  readonly identity: Identity;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly options: RelayOptions;
}
