/**
 * The end of a turn of the event loop, at which everything that came in it is done at once: first the calls of which something was
 * heard are fed, then whatever was written to a socket leaves. Eight events that come together cost a viewer one look and one write
 * (`npm run bench -- deliver`, "8 events at once").
 */
import type { Frame } from './frames.ts';

/** Something that was written to in this turn. */
export interface Outlet {
  /** The turn has ended: what was written leaves. Must not throw. */
  flush(): void;
}

export interface Coalescer {
  /** Whether the turn is ending: who is written to now need not wait for others. */
  readonly ending: boolean;
  /** Done at the end of this turn, before the outlets. Must not throw. */
  atEnd(work: () => void): void;
  /** To be flushed at the end of this turn. */
  add(outlet: Outlet): void;
  /** Frames that leave together as one, the same object for those who are written the same. null: too large to be copied. */
  joined(frames: readonly Frame[]): Buffer | null;
}

/** Joining costs a copy: larger batches go out as they are, in one system call all the same. */
const JOINED_MAX_BYTES = 16 * 1024;

/** One for all sockets of a process. */
export const createCoalescer = (): Coalescer => {
  let works: (() => void)[] = [];
  let outlets: Outlet[] = [];
  let ending = false;
  let isTimed = false;
  let parts: readonly Frame[] = [];
  let whole: Buffer | null = null;

  const endTurn = (): void => {
    isTimed = false;
    ending = true;
    const ended = works;
    works = [];
    for (const work of ended) work();
    const written = outlets;
    outlets = [];
    for (const outlet of written) outlet.flush();
    ending = false;
    parts = [];
    whole = null;
  };
  const time = (): void => {
    if (isTimed) return;
    isTimed = true;
    setImmediate(endTurn);
  };

  return {
    get ending() {
      return ending;
    },
    atEnd: (work) => {
      works.push(work);
      time();
    },
    add: (outlet) => {
      outlets.push(outlet);
      time();
    },
    joined: (frames) => {
      // Viewers at one position are given the same list; what each was written by and by is looked at frame by frame.
      if (frames === parts || (frames.length === parts.length && frames.every((frame, place) => frame === parts[place]))) return whole;
      const bytes = frames.reduce((sum, { length }) => sum + length, 0);
      parts = frames;
      whole = bytes > JOINED_MAX_BYTES ? null : Buffer.concat(frames, bytes);
      return whole;
    },
  };
};
