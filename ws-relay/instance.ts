/** The life of a relay, whatever carries its sessions: it starts, is ready, drains. */
import type { ErrorCode } from '../core/protocol/codes.ts';
import type { BusSubscription } from '../ports/event-bus.ts';
import { createHub, type Hub } from './hub.ts';
import type { RelayParts } from './parts.ts';
import { withPatience } from './patience.ts';

export type RelayState = 'starting' | 'ready' | 'draining';

export interface RelayInstance {
  /** What it was made of, with a limit on how long each question waits. */
  readonly parts: RelayParts;
  readonly hub: Hub;
  state(): RelayState;
  /** Why nobody can be taken in now; null: there is room. */
  refusal(kind: 'socket' | 'poll'): ErrorCode | null;
  /** Resolves when the bus delivers to this relay and a first comparison with the log was made. */
  start(): Promise<void>;
  /** Sends everybody away within DRAIN_MAX_MS and takes nobody in. */
  drain(): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
}

/** Nothing runs before `start`. @param soon as for `createHub` */
export const createInstance = (given: RelayParts, soon?: (work: () => void) => void): RelayInstance => {
  const parts = withPatience(given);
  const { bus, log, options } = parts;
  const hub = createHub(parts, soon);
  let state: RelayState = 'starting';
  let subscription: BusSubscription | null = null;

  return {
    parts,
    hub,
    state: () => state,
    refusal: (kind) => {
      if (state === 'draining') return 'draining';
      if (state === 'starting') return 'store_unavailable';
      return hub.size(kind) >= options.maxConnections ? 'relay_full' : null;
    },
    start: async () => {
      subscription = await bus.subscribe((message) => hub.message(message), (head) => hub.passesOver(head));
      await hub.start();
      // Asked to drain before it was ready, it stays so.
      if (state === 'starting') state = 'ready';
      log.info('Relay ready');
    },
    drain: async () => {
      state = 'draining';
      log.info('Relay draining', { connections: hub.size('socket') });
      // Deleting a cloud subscription takes its time: it goes on while the sessions leave.
      const deleted = subscription?.close();
      await hub.drain();
      await deleted;
    },
    close: async () => {
      state = 'draining';
      hub.close();
      await subscription?.close();
    },
  };
};
