/** The lines of a transcript: what was said, what the agent did and what the call became, in one order. */
import type { CallView, ShownItem, ShownStatus, ShownTurn } from '../view.ts';

export type Line = ShownItem | ShownStatus;

/** Turns, tools and changes of status in one order; and apart from them what is still being spoken. */
export const linesOf = (view: CallView): { readonly said: readonly Line[]; readonly speaking: readonly ShownTurn[] } => {
  const said: Line[] = [];
  const speaking: ShownTurn[] = [];
  for (const item of view.items) {
    if (item.kind === 'turn' && item.state === 'interim') speaking.push(item);
    else said.push(item);
  }
  const seqOf = (line: Line): number => (line.kind === 'turn' ? 0 : line.seq);
  return { said: [...said, ...view.statuses].sort((a, b) => a.place - b.place || seqOf(a) - seqOf(b)), speaking };
};

/**
 * When in the call a turn was said, in seconds: by its own word, else by when it came, which of live words is the same within a breath.
 * @param startedAt when the call was picked up, RFC 3339
 * @returns null where nobody knows
 */
export const secondsInCall = (turn: ShownTurn, startedAt: string | null): number | null => {
  if (turn.timeInCallSecs !== null) return turn.timeInCallSecs;
  return startedAt === null || turn.late || turn.state === 'corrected' ? null : Math.max(0, (Date.parse(turn.timestamp) - Date.parse(startedAt)) / 1000);
};
