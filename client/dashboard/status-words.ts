/** What a call's status is called on this page. */
import type { CallStatus } from '../../core/protocol/frames.ts';

/** In the order in which a call comes by them. */
export const CALL_STATUSES = ['requested', 'dialing', 'unknown', 'in_progress', 'processing', 'completed', 'failed'] as const satisfies readonly CallStatus[];

/** One word or two, for a badge. */
export const STATUS_WORDS: Readonly<Record<CallStatus, string>> = {
  requested: 'Requested',
  dialing: 'Dialing',
  unknown: 'Not clear',
  in_progress: 'Talking',
  processing: 'Finishing',
  completed: 'Completed',
  failed: 'Failed',
};

/** A sentence, for whoever asks what the word means. */
export const STATUS_SENTENCES: Readonly<Record<CallStatus, string>> = {
  requested: 'The call was asked for and is about to be dialed.',
  dialing: 'The number is being dialed.',
  unknown: 'The phone service did not say whether it dialed. Somebody should look.',
  in_progress: 'The agent and the driver are talking.',
  processing: 'They have hung up. The summary is being made.',
  completed: 'The call took place and is over.',
  failed: 'The call did not come about, or broke off.',
};
