/** What a process keeps and hears, opened together for one place: on one machine, or in Google's cloud. */
import type { CallLog } from './call-log.ts';
import type { Directory } from './directory.ts';
import type { EventBus } from './event-bus.ts';
import type { RawStore } from './raw-store.ts';

export interface Stores {
  readonly callLog: CallLog;
  readonly directory: Directory;
  readonly bus: EventBus;
  /** Closes all of them; also a raw store that was opened beside them. */
  close(): Promise<void>;
}

/** With the raw deliveries, which a relay never sees. */
export interface FunctionStores extends Stores {
  readonly rawStore: RawStore;
}
