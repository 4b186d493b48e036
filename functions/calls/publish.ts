import { PUBLISH_WAIT_MAX_MS } from '../../core/protocol/limits.ts';
import type { AppendResult, LoggedEvent } from '../../ports/call-log.ts';
import type { BusMessage } from '../../ports/event-bus.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import type { Parts } from '../parts.ts';
import { hopFields } from '../request.ts';

type PublishingParts = Pick<Parts, 'bus' | 'runtime' | 'log' | 'hop'>;

/** Tells the relays; waits at most PUBLISH_WAIT_MAX_MS and never fails: the comparison with the log heals what is lost. */
export const publish = async (parts: PublishingParts, message: BusMessage): Promise<void> => {
  await new Promise<void>((resolve) => {
    const timer = parts.runtime.after(PUBLISH_WAIT_MAX_MS, resolve);
    parts.bus.publish(message).then(
      () => {
        timer.cancel();
        resolve();
      },
      (error: unknown) => {
        timer.cancel();
        parts.log.warn('publication failed; the relays will find it in the log', { kind: message.kind, error: error instanceof Error ? error.name : null });
        resolve();
      },
    );
  });
};

/** Publishes what was just committed for a call; nothing where nothing was new. */
export const publishEvents = async (parts: PublishingParts, call: CallState, events: readonly LoggedEvent[]): Promise<void> => {
  const first = events[0];
  if (first === undefined) return;
  const { tenant, call_sid, epoch } = call;
  const hop = hopFields(parts, `publish ${call_sid} ${first.seq}`);
  await publish(parts, { kind: 'events', tenant, call_sid, epoch, first_seq: first.seq, texts: events.map((event) => event.text), at: parts.runtime.now(), ...hop });
};

/** Appends, measures, publishes. Throws what the log throws, `store_unavailable` above all. */
export const appended = async <R extends AppendResult | null>(parts: PublishingParts & Pick<Parts, 'metrics'>, append: () => Promise<R>): Promise<R> => {
  const started = parts.runtime.monotonic();
  let result: R;
  try {
    result = await append();
  } catch (error) {
    parts.metrics.count('earshot_log_append_failures_total', {});
    throw error;
  }
  parts.metrics.observe('earshot_log_append_seconds', {}, (parts.runtime.monotonic() - started) / 1000);
  if (result !== null) await publishEvents(parts, result.call, result.events);
  return result;
};
