/**
 * One pump feeds a session whatever follows its cursor: from the ring, else from a page of the log. It sleeps when it has
 * caught up. There is no switch from history to live, so no seam can leak.
 */
import type { Feed } from './feed.ts';

/** How a pump moves and why it stopped. */
export interface Step<F> {
  /** To be written now, in order. */
  readonly frames: readonly F[];
  /** The position after them (and after the loss, if there is one). */
  readonly cursor: number;
  /** After the frames the session is told that these are lost; then the pump goes on. */
  readonly lost: { readonly from: number; readonly to: number } | null;
  /** `page`: a page was asked for; `full`: the reader has to drain; `doubt`: the log has to be read first; `again`: pump on. */
  readonly then: 'caught_up' | 'full' | 'page' | 'doubt' | 'again';
}

/**
 * Takes what follows `cursor` while `room` (bytes) lasts; the last frame may pass it, so that a frame larger than the room
 * still moves.
 */
export const step = <F extends { readonly length: number }>(feed: Feed<F>, cursor: number, room: number): Step<F> => {
  const frames: F[] = [];
  let at = cursor;
  let left = room;
  const stop = (then: Step<F>['then'], lost: Step<F>['lost'] = null): Step<F> => ({ frames, cursor: lost?.to ?? at, lost, then });
  if (feed.doubtful) return stop('doubt');
  while (at < feed.head) {
    if (left <= 0) return stop('full');
    const frame = feed.frame(at + 1);
    if (frame !== undefined) {
      frames.push(frame);
      left -= frame.length;
      at++;
      continue;
    }
    const lostTo = feed.lostUpTo(at + 1);
    if (lostTo !== null) return stop('again', { from: at + 1, to: lostTo });
    feed.want(at);
    return stop('page');
  }
  return stop('caught_up');
};

/**
 * One round over the viewers of a call, in which nothing is added to its feed: those at the same position that have room for the same
 * share one step, which is what almost all of them are in almost every round.
 */
export class Round<F extends { readonly length: number }> {
  readonly #feed: Feed<F>;
  #shared: Step<F> | null = null;
  #cursor = 0;
  #bytes = 0;

  constructor(feed: Feed<F>) {
    this.#feed = feed;
  }

  /** As `step`. */
  step(cursor: number, room: number): Step<F> {
    // With more room than its frames take a step is the same whatever the room: only `full` goes by it.
    if (this.#shared !== null && cursor === this.#cursor && room > this.#bytes) return this.#shared;
    const made = step(this.#feed, cursor, room);
    if (made.then === 'full') return made;
    this.#shared = made;
    this.#cursor = cursor;
    this.#bytes = 0;
    for (const { length } of made.frames) this.#bytes += length;
    return made;
  }
}
