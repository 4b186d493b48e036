/** Webhooks on their way: signed, sent, tried again by ElevenLabs' schedule, kept over restarts. */
import { WEBHOOK_PATHS } from '../../core/protocol/ingest.ts';
import type { Log } from '../../ports/log.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { attemptDelayMs, isTriedAgain } from './retry-schedule.ts';
import { post } from './sending.ts';
import type { LiveSettings } from './settings.ts';
import { signatureHeader } from './signature.ts';
import type { Delivery, Store } from './store.ts';

const PATH = WEBHOOK_PATHS['post-call'];
const ATTEMPTS_SHOWN_COUNT = 100;

/** What became of one attempt. */
export interface Attempt {
  readonly conversation_id: string;
  readonly type: string;
  readonly attempt: number;
  /** null: no answer came. */
  readonly status: number | null;
}

export interface Deliveries {
  /** Sends what the store already holds. Resolves when the first attempt is over, or the simulator stops. */
  send(delivery: Delivery): Promise<void>;
  pendingCount(): number;
  /** The last attempts, oldest first. */
  attempts(): readonly Attempt[];
}

export interface DeliveryParts {
  readonly store: Store;
  readonly runtime: Runtime;
  readonly settings: LiveSettings;
  readonly webhookSecret: string;
  readonly signal: AbortSignal;
  /** Resolves to Earshot's base URL once that is known. */
  readonly baseUrl: () => Promise<string>;
  /** Called whenever something has ended. */
  readonly changed: () => void;
  readonly log: Log | null;
}

/** Starts the delivery of webhooks; those that the store holds from before are sent as well. */
export const startDeliveries = (parts: DeliveryParts): Deliveries => {
  const { store, runtime, settings, signal, log } = parts;
  const pending = new Set<string>();
  const attempts: Attempt[] = [];
  const isStopped = (): boolean => signal.aborted;

  const letGo = ({ id }: Delivery): void => {
    store.removeDelivery(id);
    pending.delete(id);
    parts.changed();
  };

  const attempt = async (delivery: Delivery): Promise<void> => {
    const baseUrl = await parts.baseUrl();
    if (isStopped()) return;
    if (settings.disabled) {
      letGo(delivery);
      return;
    }
    const secret = delivery.signed_wrongly ? `${parts.webhookSecret}_of_somebody_else` : parts.webhookSecret;
    const signature = signatureHeader(secret, Math.floor(runtime.now() / 1_000), delivery.body);
    const status = await post(baseUrl + PATH, { 'elevenlabs-signature': signature }, delivery.body, signal);
    // An answer that the simulator's own end cut off decides nothing: the delivery is sent again after the restart.
    if (isStopped()) return;
    attempts.push({ conversation_id: delivery.conversation_id, type: delivery.type, attempt: delivery.attempt, status });
    attempts.splice(0, attempts.length - ATTEMPTS_SHOWN_COUNT);
    if (status !== 200) log?.warn('simulated webhook not taken', { conversation_id: delivery.conversation_id, type: delivery.type, attempt: delivery.attempt, status });
    const again = status !== 200 && settings.retries && isTriedAgain(delivery.type, status);
    const delay = again ? attemptDelayMs(delivery.attempt + 1, runtime.random()) : null;
    if (delay === null) {
      letGo(delivery);
      return;
    }
    const next = { ...delivery, attempt: delivery.attempt + 1, due_at: runtime.now() + delay * settings.pace };
    store.saveDelivery(next);
    void schedule(next);
  };

  const schedule = (delivery: Delivery): Promise<void> =>
    new Promise((resolve) => {
      pending.add(delivery.id);
      const stop = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = runtime.after(Math.max(0, delivery.due_at - runtime.now()), () => {
        signal.removeEventListener('abort', stop);
        void attempt(delivery).finally(resolve);
      });
      signal.addEventListener('abort', stop, { once: true });
    });

  for (const delivery of store.deliveries()) void schedule(delivery);
  return { send: schedule, pendingCount: () => pending.size, attempts: () => attempts };
};
