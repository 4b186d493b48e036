/** The parts of what a screen shows of one call. A changed part is another object, so that a screen can tell by identity what to paint anew. */
import type { CallStatus, EventFrame, Speaker, TurnState } from '../../protocol/frames.ts';

/** One utterance as it stands now. */
export interface ShownTurn {
  readonly kind: 'turn';
  readonly key: string;
  readonly place: number;
  readonly speaker: Speaker;
  readonly state: TurnState;
  readonly text: string;
  /** What it was before it was corrected, oldest first. */
  readonly before: readonly string[];
  /** Came with or after the final transcript. */
  readonly late: boolean;
  /** When its newest revision was appended; of an interim turn: when it was said. RFC 3339. */
  readonly timestamp: string;
  readonly timeInCallSecs: number | null;
  /** Where the whole of a text is that was too long for a frame. */
  readonly href: string | null;
}

/** One use of a tool by the agent. */
export interface ShownTool {
  readonly kind: 'tool';
  readonly key: string;
  /** Half a place behind the turn that it followed. */
  readonly place: number;
  /** Of its first event. */
  readonly seq: number;
  readonly name: string | null;
  /** null: its beginning, or its end, did not come. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  readonly failed: boolean;
  readonly durationMs: number | null;
  readonly detail: string | null;
  readonly late: boolean;
}

/** What the call became, at its place among the turns. */
export interface ShownStatus {
  readonly kind: 'status';
  readonly key: string;
  /** Half a place behind the turn that it followed. */
  readonly place: number;
  readonly seq: number;
  readonly status: CallStatus;
  readonly reason: string | null;
  readonly timestamp: string;
}

export type ShownItem = ShownTurn | ShownTool;

/** `missing` weighs more than any seal; `arriving`: the call goes on, or something came after its seal. */
export type Trust = 'arriving' | 'complete' | 'cannot_prove' | 'missing';

export type Outcome = Extract<EventFrame, { type: 'call_completed' }>['data'];

/** One field that was changed after the call had ended. */
export interface Amendment {
  readonly field: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly source: string;
  readonly timestamp: string;
}
