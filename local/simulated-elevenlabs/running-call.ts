/** Takes the steps of one call at their time, tells Earshot and those who monitor it, and sends its webhooks at the end. */
import type { Runtime } from '../../ports/runtime.ts';
import type { CallRecord } from './call-record.ts';
import { misbehaving, timelineOf } from './call-record.ts';
import { isInterim, livePostOf, swapPairs } from './live-posts.ts';
import type { LivePost } from './live-posts.ts';
import type { Misbehaviour, MisbehaviourKind } from './misbehaviour.ts';
import { MISBEHAVIOURS } from './misbehaviour.ts';
import { monitorEventsOf } from './monitor-events.ts';
import type { Step } from './player.ts';
import { pythonJson } from './python-json.ts';
import type { LiveSettings } from './settings.ts';
import type { Delivery } from './store.ts';
import { audioBody, failureBody, otelBody, transcriptionBody } from './webhook-bodies.ts';
import type { WebhookBody } from './webhook-bodies.ts';

/** Events a new monitoring session is told of at first. */
const HISTORY_EVENTS = 100;

export interface CallParts {
  readonly runtime: Runtime;
  readonly settings: LiveSettings;
  readonly signal: AbortSignal;
  /** Keeps the call and the webhooks it gave rise to. */
  readonly save: (record: CallRecord, deliveries: readonly Delivery[]) => void;
  /** Resolves when the first attempt is over. */
  readonly send: (delivery: Delivery) => Promise<void>;
  /** Resolves when Earshot has answered, whatever it answered. */
  readonly postLive: (post: LivePost) => Promise<void>;
}

export interface Watcher {
  readonly onEvent: (event: unknown) => void;
  readonly onEnd: () => void;
}

export interface RunningCall {
  /** Resolves when the last step was taken and the first attempt of each webhook is over, or the simulator stops. */
  readonly ended: Promise<void>;
  record(): CallRecord;
  /** Ends the call now; false: nobody is on the line. */
  end(): boolean;
  /** The last events so far; further ones go to the watcher. */
  watch(watcher: Watcher): readonly unknown[];
  unwatch(watcher: Watcher): void;
}

/** Runs a call from the step where its record stands. */
export const runCall = (parts: CallParts, from: CallRecord): RunningCall => {
  const { runtime, settings, signal } = parts;
  const watchers = new Set<Watcher>();
  let record = from;
  let wake = (): void => undefined;
  let held: LivePost | null = null;
  let endAsked = false;
  const isStopped = (): boolean => signal.aborted;
  const stepsTaken = (): readonly Step[] => timelineOf(record).steps.slice(0, record.next_step);
  // Where the call stands at the start of this run: step times are counted from here, so waiting for answers does not add up.
  const startedAt = runtime.monotonic();
  const startedMs = stepsTaken().at(-1)?.at_ms ?? 0;

  const wait = (step: Step): Promise<void> => {
    if (endAsked && record.cut_at_ms === null) return Promise.resolve();
    const hangs = step.kind === 'hung_up' && record.cut_at_ms === null && misbehaving(record, 'hang') !== null;
    const due = startedAt + (step.at_ms - startedMs) * settings.pace;
    const delay = hangs ? Number.POSITIVE_INFINITY : due - runtime.monotonic();
    if (delay <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = hangs ? null : runtime.after(delay, resolve);
      wake = () => {
        timer?.cancel();
        resolve();
      };
    });
  };
  const stop = (): void => wake();
  signal.addEventListener('abort', stop, { once: true });

  const tell = async (step: Step): Promise<void> => {
    if (misbehaving(record, 'no_live_turns') !== null || misbehaving(record, 'webhook_before_turns') !== null) return;
    const post = livePostOf(step, record);
    if (post === null) return;
    if (isInterim(step) || misbehaving(record, 'shuffle_turns') === null) {
      await parts.postLive(post);
      return;
    }
    const swapped = swapPairs(held, post);
    held = swapped.held;
    for (const entry of swapped.send) await parts.postLive(entry);
  };

  const tellRest = async (): Promise<void> => {
    if (held !== null) await parts.postLive(held);
    held = null;
  };

  const tellAfterwards = async (): Promise<void> => {
    for (const step of timelineOf(record).steps) {
      const post = isInterim(step) ? null : livePostOf(step, record);
      if (post !== null) await parts.postLive(post);
    }
  };

  const take = async (step: Step): Promise<void> => {
    for (const event of monitorEventsOf(step, record.conversation_id)) for (const watcher of watchers) watcher.onEvent(event);
    await tell(step);
    if (isStopped()) return;
    record = { ...record, next_step: record.next_step + 1, status: statusAfter(step, record.status), answered_at: step.kind === 'answered' ? runtime.now() : record.answered_at };
    if (step.kind === 'hung_up') await tellRest();
    if (step.kind === 'hung_up' || step.kind === 'not_connected') for (const watcher of watchers) watcher.onEnd();
    const deliveries = deliveriesOf(step, record, runtime, settings.pace);
    if (!isInterim(step)) parts.save(record, deliveries);
    await Promise.all(deliveries.map(parts.send));
    if (step.kind === 'analysed' && misbehaving(record, 'webhook_before_turns') !== null) await tellAfterwards();
  };

  const run = async (): Promise<void> => {
    while (!isStopped()) {
      const step = timelineOf(record).steps[record.next_step];
      if (step === undefined) break;
      await wait(step);
      if (isStopped()) break;
      // While it waited the call may have been ended from outside: then another step comes next.
      if (endAsked && record.cut_at_ms === null) record = { ...record, cut_at_ms: stepsTaken().at(-1)?.at_ms ?? 0 };
      else await take(step);
    }
    signal.removeEventListener('abort', stop);
  };

  return {
    ended: run(),
    record: () => record,
    end: () => {
      if (record.status !== 'in-progress') return false;
      endAsked = true;
      wake();
      return true;
    },
    watch: (watcher) => {
      watchers.add(watcher);
      return stepsTaken().flatMap((step) => monitorEventsOf(step, record.conversation_id)).slice(-HISTORY_EVENTS);
    },
    unwatch: (watcher) => void watchers.delete(watcher),
  };
};

const statusAfter = (step: Step, status: CallRecord['status']): CallRecord['status'] => {
  switch (step.kind) {
    case 'answered':
      return 'in-progress';
    case 'hung_up':
      return 'processing';
    case 'not_connected':
      return 'failed';
    case 'analysed':
      return 'done';
    case 'agent_response':
    case 'turn':
    case 'tool':
      return status;
  }
};

/** The webhooks that a step gives rise to. */
const deliveriesOf = (step: Step, record: CallRecord, runtime: Runtime, pace: number): readonly Delivery[] => {
  if (misbehaving(record, 'lose_webhook') !== null) return [];
  const delayed = misbehaving(record, 'delay_webhook');
  const repeated = misbehaving(record, 'duplicate_webhook');
  const times = repeated === null ? 1 : standardOr(repeated, 1);
  return bodiesOf(step, record, runtime.now()).flatMap((body) =>
    Array.from({ length: times }, () => ({
      id: runtime.randomHex(8),
      conversation_id: record.conversation_id,
      type: body.type,
      body: pythonJson(body),
      attempt: 1,
      due_at: runtime.now() + (delayed === null ? 0 : standardOr(delayed, pace)),
      signed_wrongly: misbehaving(record, 'sign_wrongly') !== null,
    })),
  );
};

const bodiesOf = (step: Step, record: CallRecord, now: number): readonly WebhookBody[] => {
  if (step.kind === 'not_connected') return [failureBody(record, step.reason, now)];
  if (step.kind !== 'analysed') return [];
  const main = misbehaving(record, 'otel_webhook') === null ? transcriptionBody(record, now) : otelBody(record, now);
  return misbehaving(record, 'audio_webhook') === null ? [main] : [main, audioBody(record, now)];
};

/** The value that was asked for, as it is; else the table's, times the pace. */
export const standardOr = (asked: Misbehaviour, pace: number): number => {
  if (asked.value !== null) return Number(asked.value);
  const row: { readonly value: { readonly standard: number | string } | null } = MISBEHAVIOURS[asked.kind satisfies MisbehaviourKind];
  return Number(row.value?.standard ?? 0) * pace;
};
