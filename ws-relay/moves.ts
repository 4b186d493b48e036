/** Which sessions should go elsewhere: those that were replaced, those that the platform would cut, and all of them while another revision serves. */
import { REPLACEMENT_GRACE_MS, SERVING_CHECK_MS, SERVING_GRACE_MS, SERVING_SPREAD_MS } from '../core/protocol/limits.ts';
import type { Member } from './members.ts';
import type { RelayParts } from './parts.ts';

export interface Moves {
  /** Looks which revision serves, and goes on looking. A relay that is of no revision does not look. */
  start(): void;
  /** From then on nobody is asked to move. */
  stop(): void;
  /** Once a second for each session, `now` monotonic milliseconds. null: it may stay; `soon`: it is to be asked to move; `now`: its time is over. */
  look(member: Member, now: number): 'soon' | 'now' | null;
  /** Until when `look` has nothing to say of it while this revision serves, monotonic milliseconds; 0: it may have at any time. */
  restsUntil(member: Member): number;
  /** false: another revision is named as serving. */
  serves(): boolean;
}

export const createMoves = ({ directory, runtime, log, options }: Pick<RelayParts, 'directory' | 'runtime' | 'log' | 'options'>): Moves => {
  const { revision, moveAfterMs } = options;
  /** Since when another revision serves, monotonic; null: this one does. */
  let awaySince: number | null = null;
  let stopped = false;

  /** A question that is not answered changes nothing. */
  const ask = async (): Promise<void> => {
    try {
      const serving = await directory.servingRevision();
      const isAway = serving !== null && serving !== revision;
      if (isAway === (awaySince !== null)) return;
      awaySince = isAway ? runtime.monotonic() : null;
      log.info(isAway ? 'Another revision serves: sessions are asked to move' : 'This revision serves again', { revision, serving });
    } catch (error) {
      log.warn('Which revision serves is not known', { error: error instanceof Error ? error.name : 'unknown' });
    }
  };

  const goOn = (): void => {
    if (stopped) return;
    void ask().then(() => void runtime.after(SERVING_CHECK_MS, goOn));
  };

  /** Gives each session its own moment, so that they do not all leave at once; takes it back from those that are still here when this revision serves again. */
  const plan = (member: Member): void => {
    if (awaySince === null) {
      if (member.moveAt === null) return;
      member.moveAt = null;
      member.moveBy = null;
      return;
    }
    const since = member.openedAt <= awaySince ? awaySince : member.openedAt + SERVING_GRACE_MS;
    member.moveAt ??= since + runtime.random() * SERVING_SPREAD_MS;
  };

  return {
    start: () => {
      if (revision !== null) goOn();
    },
    stop: () => (stopped = true),
    look: (member, now) => {
      if (stopped) return null;
      if (member.replacedAt !== null && now - member.replacedAt >= REPLACEMENT_GRACE_MS) return 'now';
      plan(member);
      if (member.moveBy !== null) return now >= member.moveBy ? 'now' : null;
      const isDue = member.moveAt !== null && now >= member.moveAt;
      // A poll has nobody to ask: its answer ends it, and the next one goes where it should.
      if (member.kind === 'poll') return isDue && member.session.phase === 'open' ? 'now' : null;
      return isDue || (moveAfterMs !== null && now - member.openedAt >= moveAfterMs) ? 'soon' : null;
    },
    restsUntil: ({ replacedAt, moveBy, moveAt, openedAt }) => {
      if (replacedAt !== null || moveBy !== null || moveAt !== null) return 0;
      return moveAfterMs === null ? Infinity : openedAt + moveAfterMs;
    },
    serves: () => awaySince === null,
  };
};
