/** The simulated ElevenLabs without its sockets: takes dials, runs calls, keeps them, and can be told to misbehave. */
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import type { CallRecord, Variables } from './call-record.ts';
import { choose, isUnderWay, misbehaving } from './call-record.ts';
import { startDeliveries } from './deliveries.ts';
import type { Attempt } from './deliveries.ts';
import type { LivePost } from './live-posts.ts';
import type { Misbehaviour, MisbehaviourRule } from './misbehaviour.ts';
import { strike } from './misbehaviour.ts';
import { runCall } from './running-call.ts';
import type { RunningCall } from './running-call.ts';
import { post } from './sending.ts';
import type { LiveSettings, SimulatedElevenLabsOptions } from './settings.ts';
import { CALLS_KEPT_COUNT, openStore } from './store.ts';

/** A call to be made, or one that comes in. */
export interface CallRequest {
  readonly telephony: 'twilio' | 'sip_trunk';
  readonly direction: 'outbound' | 'inbound';
  readonly agent_id: string;
  readonly phone_number_id: string;
  /** The person's number. */
  readonly to_number: string;
  readonly user_id: string | null;
  readonly dynamic_variables: Variables;
}

export type Placed =
  | { readonly placed: 'busy' }
  /** A misbehaviour refuses the dial; no call was made. */
  | { readonly placed: 'refused'; readonly how: 'dial_429' | 'dial_500' | 'dial_html' | 'dial_success_false' }
  /** The phone rings only after `start`. */
  | { readonly placed: 'accepted'; readonly record: CallRecord; readonly start: () => RunningCall };

export interface Simulator {
  readonly runtime: Runtime;
  readonly settings: LiveSettings;
  place(request: CallRequest): Placed;
  /** Newest first. */
  records(): readonly CallRecord[];
  record(conversationId: string): CallRecord | null;
  /** The call while it runs; null: it does not. */
  running(conversationId: string): RunningCall | null;
  rules(): readonly MisbehaviourRule[];
  setRules(rules: readonly MisbehaviourRule[]): void;
  attempts(): readonly Attempt[];
  /** From now on Earshot is there: what waited for it goes on. */
  setWebhookBaseUrl(url: string): void;
  /** Resolves when no call runs and no webhook is on its way. A call that hangs keeps it waiting. */
  idle(): Promise<void>;
  /** Stops where it stands; what its file holds goes on at the next start. */
  close(): Promise<void>;
}

const REFUSALS = ['dial_429', 'dial_500', 'dial_html', 'dial_success_false'] as const;

/** Opens the simulator's file and goes on with what it holds. */
export const openSimulator = (options: SimulatedElevenLabsOptions): Simulator => {
  const runtime = options.runtime ?? systemRuntime();
  const store = openStore(options.dataDir ?? null);
  const stopping = new AbortController();
  const settings: LiveSettings = {
    webhookBaseUrl: options.webhookBaseUrl ?? null,
    pace: options.pace ?? 1,
    retries: options.retries ?? false,
    concurrency: options.concurrency ?? 20,
    unruly: options.unruly ?? 0,
    disabled: false,
  };
  const records = new Map(store.calls().map((record) => [record.conversation_id, record]));
  const runs = new Map<string, RunningCall>();
  const idleWaiters = new Set<() => void>();
  let earshotIsThere = (): void => undefined;
  const there = new Promise<void>((resolve) => (earshotIsThere = resolve));
  if (settings.webhookBaseUrl !== null) earshotIsThere();

  const changed = (): void => {
    if (runs.size > 0 || deliveries.pendingCount() > 0) return;
    for (const resolve of idleWaiters) resolve();
    idleWaiters.clear();
  };
  const baseUrl = async (): Promise<string> => {
    await there;
    return settings.webhookBaseUrl ?? '';
  };
  const deliveries = startDeliveries({
    store, runtime, settings, webhookSecret: options.webhookSecret, signal: stopping.signal, baseUrl, changed, log: options.log ?? null,
  });

  const postLive = async (live: LivePost): Promise<void> => {
    const key = options.ingestKey ?? null;
    if (key === null) return;
    const url = await baseUrl();
    if (stopping.signal.aborted) return;
    await post(url + live.path, { authorization: `Bearer ${key}` }, JSON.stringify(live.body), stopping.signal);
  };

  const keep = (record: CallRecord): void => {
    records.set(record.conversation_id, record);
    const [oldest] = records.keys();
    if (records.size > CALLS_KEPT_COUNT && oldest !== undefined) records.delete(oldest);
  };

  const start = (record: CallRecord): RunningCall => {
    const run = runCall({
      runtime,
      settings,
      signal: stopping.signal,
      save: (saved, pending) => {
        if (stopping.signal.aborted) return;
        keep(saved);
        store.saveCall(saved, pending);
      },
      send: (delivery) => deliveries.send(delivery),
      postLive,
    }, record);
    runs.set(record.conversation_id, run);
    void run.ended.finally(() => {
      runs.delete(record.conversation_id);
      changed();
    });
    return run;
  };

  for (const record of records.values()) if (isUnderWay(record) || record.status === 'processing') start(record);

  return {
    runtime,
    settings,
    place: (request) => {
      if ([...records.values()].filter(isUnderWay).length >= settings.concurrency) return { placed: 'busy' };
      const number = store.callCount() + 1;
      store.saveCallCount(number);
      const { struck, left } = strike(store.rules());
      store.saveRules(left);
      const standing: readonly Misbehaviour[] = options.misbehave ?? [];
      const chosen = choose(options.seed ?? 1, number, request.dynamic_variables, [...standing, ...struck], settings.unruly);
      const refusal = REFUSALS.find((kind) => request.direction === 'outbound' && chosen.misbehaviours.some((entry) => entry.kind === kind));
      if (refusal !== undefined) return { placed: 'refused', how: refusal };
      const record: CallRecord = {
        ...request,
        ...chosen,
        number,
        conversation_id: `conv_${runtime.randomHex(14)}`,
        carrier_call_id: request.telephony === 'twilio' ? `CA${runtime.randomHex(16)}` : `SCL_${runtime.randomHex(6)}`,
        dialed_at: runtime.now(),
        answered_at: null,
        status: 'initiated',
        next_step: 0,
        cut_at_ms: null,
      };
      keep(record);
      store.saveCall(record);
      return { placed: 'accepted', record, start: () => start(record) };
    },
    records: () => [...records.values()].reverse(),
    record: (conversationId) => records.get(conversationId) ?? null,
    running: (conversationId) => runs.get(conversationId) ?? null,
    rules: () => store.rules(),
    setRules: (rules) => store.saveRules(rules),
    attempts: () => deliveries.attempts(),
    setWebhookBaseUrl: (url) => {
      settings.webhookBaseUrl = url.replace(/\/+$/, '');
      earshotIsThere();
    },
    idle: () => new Promise((resolve) => {
      idleWaiters.add(resolve);
      changed();
    }),
    close: async () => {
      stopping.abort();
      earshotIsThere();
      await Promise.allSettled([...runs.values()].map((run) => run.ended));
      store.close();
    },
  };
};

/** Whether monitoring is to be had for a call. */
export const isMonitored = (record: CallRecord): boolean => misbehaving(record, 'no_monitoring') === null;
