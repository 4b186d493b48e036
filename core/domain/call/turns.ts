/** The turns of a call as its log tells them: the highest logged revision of each speaks. */
import type { EventFrame, Speaker } from '../../protocol/frames.ts';

/** A turn that stands (is not retracted). */
export interface StandingTurn {
  readonly turn_id: string;
  readonly rev: number;
  readonly index: number;
  readonly speaker: Speaker;
  /** The whole text, also where its frame is truncated. */
  readonly text: string;
  readonly time_in_call_secs: number | null;
  readonly source_event_id: string | null;
}

/** One event of the log with the whole text beside it, where the frame's is cut. */
export interface HistoryEvent {
  readonly event: EventFrame;
  readonly whole_text: string | null;
}

/** What the history says of turns: those that stand, in `index` order, and the highest revision of every turn ever seen. */
export interface TurnHistory {
  readonly standing: readonly StandingTurn[];
  readonly revisions: ReadonlyMap<string, number>;
}

/** `monitor:<speaker>:<event_id>`: turns that the provider's monitoring brought carry its event id in theirs. */
export const monitorTurnId = (speaker: Speaker, eventId: string): string => `monitor:${speaker}:${eventId}`;

const eventIdOf = (turnId: string): string | null => /^monitor:(?:agent|driver):(.+)$/.exec(turnId)?.[1] ?? null;

/** Folds the events of one call, in any order: only revisions count. */
export const foldTurns = (history: Iterable<HistoryEvent>): TurnHistory => {
  const newest = new Map<string, { turn: StandingTurn; stands: boolean }>();
  for (const { event, whole_text } of history) {
    if (event.type !== 'transcription') continue;
    const known = newest.get(event.turn_id);
    if (known !== undefined && known.turn.rev >= event.rev) continue;
    newest.set(event.turn_id, {
      stands: event.state !== 'retracted',
      turn: {
        turn_id: event.turn_id,
        rev: event.rev,
        index: event.index,
        speaker: event.speaker,
        text: whole_text ?? event.text,
        time_in_call_secs: event.time_in_call_secs,
        source_event_id: eventIdOf(event.turn_id),
      },
    });
  }
  const standing = [...newest.values()].filter((entry) => entry.stands).map((entry) => entry.turn);
  standing.sort((a, b) => a.index - b.index || (a.turn_id < b.turn_id ? -1 : 1));
  return { standing, revisions: new Map([...newest].map(([id, entry]) => [id, entry.turn.rev])) };
};
