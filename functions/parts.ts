/** What the functions are made of: every need, handed in by a composition root. */
import type { CallLog } from '../ports/call-log.ts';
import type { Directory } from '../ports/directory.ts';
import type { EventBus } from '../ports/event-bus.ts';
import type { Identity, TokenIssuer } from '../ports/identity.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { RawStore } from '../ports/raw-store.ts';
import type { Runtime } from '../ports/runtime.ts';
import type { VoiceProvider } from '../ports/voice-provider.ts';
import type { Settings } from '../core/settings.ts';
import type { RequestHop } from './request.ts';

export interface Parts {
  readonly callLog: CallLog;
  readonly bus: EventBus;
  readonly directory: Directory;
  readonly rawStore: RawStore;
  readonly provider: VoiceProvider;
  readonly identity: Identity;
  readonly issuer: TokenIssuer;
  readonly runtime: Runtime;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: Settings;
  /** The request that the work is done for; not there: it is done of its own accord. */
  readonly hop?: RequestHop;
}
