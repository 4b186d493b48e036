/** Judges a position that a client brings back: it may come from another epoch, from nowhere, or from a log that no longer is. */
import type { Since } from '../../protocol/messages.ts';

/** Where the feed begins: after `cursor`. */
export type Position =
  | { readonly recovered: true; readonly cursor: number }
  | { readonly recovered: false; readonly cursor: 0; readonly reason: 'epoch_changed' | 'ahead_of_log' | 'invalid_position' };

/** `lastSeq` comes from a read made after the client asked: an older one would call a good position ahead of the log. */
export const judgePosition = (since: Since | undefined, epoch: string, lastSeq: number): Position => {
  if (since === undefined) return { recovered: true, cursor: 0 };
  if (!Number.isSafeInteger(since.seq) || since.seq < 0) return { recovered: false, cursor: 0, reason: 'invalid_position' };
  if (since.epoch !== epoch) return { recovered: false, cursor: 0, reason: 'epoch_changed' };
  if (since.seq > lastSeq) return { recovered: false, cursor: 0, reason: 'ahead_of_log' };
  return { recovered: true, cursor: since.seq };
};
