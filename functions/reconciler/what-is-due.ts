/** What of a conversation goes into the log now, and which calls have been silent for too long. */
import type { Fact } from '../../core/domain/call/facts.ts';
import type { CallState } from '../../core/domain/call/state.ts';
import { DIALING_MAX_MS, PROCESSING_MAX_MS, SILENT_CALL_MAX_MS, WEBHOOK_GRACE_MS } from '../../core/protocol/limits.ts';
import type { Told } from '../calls/fetch-conversation.ts';

/** Whether a call that has not ended should have told something by now. */
export const isOverdue = (call: CallState, now: number): boolean => {
  switch (call.status) {
    case 'in_progress':
      return now - call.changed_at > SILENT_CALL_MAX_MS;
    case 'processing':
      return now - call.changed_at > PROCESSING_MAX_MS;
    default:
      return now - (call.dialed_at ?? call.created_at) > DIALING_MAX_MS;
  }
};

/**
 * The end belongs to the webhook until that has had its time: by then it is only known that the talking is over.
 * @param overdue nothing more is waited for
 */
export const factNow = ({ fact, ended_at }: Told, now: number, overdue: boolean): Fact => {
  if (fact.kind !== 'finished' || overdue || (ended_at !== null && now - ended_at > WEBHOOK_GRACE_MS)) return fact;
  return fact.outcome.status === 'completed' ? { kind: 'progress', status: 'processing', reason: null } : { kind: 'announced' };
};
