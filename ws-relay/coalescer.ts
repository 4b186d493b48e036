/**
 * The end of a turn of the event loop, at which everything that came in it is done at once: first the calls of which something was
 * heard are fed, then whatever was written to a socket leaves. Eight events that come together cost a viewer one look and one write
 * (`npm run bench -- deliver`, "8 events at once").
 */
import type { Duplex } from 'node:stream';
import type { Frame } from './frames.ts';

export interface Coalescer {
  /** Whether the turn is ending: what is written now need not wait for others. */
  readonly ending: boolean;
  /** Done at the end of this turn, before what was written leaves. Must not throw. */
  atEnd(work: () => void): void;
  /** What is written to the socket from now on leaves together at the end of this turn. */
  hold(socket: Duplex): void;
  /** Whether `hold` was asked for in this turn. */
  isHeld(socket: Duplex): boolean;
  /** Frames that leave together as one, the same object for those who are written the same. null: too large to be copied. */
  joined(frames: readonly Frame[]): Buffer | null;
}

/** Joining costs a copy: larger batches go out as they are, in one system call all the same. */
const JOINED_MAX_BYTES = 16 * 1024;

/** One for all sockets of a process. */
export const createCoalescer = (): Coalescer => {
  let works: (() => void)[] = [];
  const held = new Set<Duplex>();
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
    ending = false;
    parts = [];
    whole = null;
    const corked = [...held];
    held.clear();
    for (const socket of corked) socket.uncork();
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
    hold: (socket) => {
      if (held.has(socket)) return;
      held.add(socket);
      socket.cork();
      if (!ending) time();
    },
    isHeld: (socket) => held.has(socket),
    joined: (frames) => {
      // Viewers at one position are given the same list.
      if (frames === parts) return whole;
      const bytes = frames.reduce((sum, { length }) => sum + length, 0);
      parts = frames;
      whole = bytes > JOINED_MAX_BYTES ? null : Buffer.concat(frames, bytes);
      return whole;
    },
  };
};
