/** One client as the relay's parts see it: the session machine and the way to its screen. */
import type { Session } from '../core/domain/relay/session.ts';
import type { ControlFrame } from '../core/protocol/frames.ts';
import { controlFrame, type Frame } from './frames.ts';

/** What carries frames to one client: a WebSocket, or the answer of a long poll. */
export interface Transport {
  /** Hands the frame on. Never refuses: whoever feeds asks `room` first. */
  write(frame: Frame): void;
  /** Hands on frames of the log, at least one, in order. The same list for all who are fed the same; it is not changed afterwards. */
  feed(frames: readonly Frame[]): void;
  /** Bytes that the client takes now; zero or less: it has to drain first. */
  room(): number;
  /** Bytes written that the client has not taken yet, and how many it took in all. */
  waiting(): number;
  taken(): number;
  /** Stops or goes on reading what the client sends. */
  hold(held: boolean): void;
  /** A protocol ping, where the transport has one. */
  ping(): void;
  /** Ends the connection, after what was written. */
  close(code: number, reason: string): void;
}

export interface Viewer {
  readonly session: Session;
  readonly transport: Transport;
  /** Where the next round over the subscriptions begins, so that a busy call does not keep the others from a slow reader. */
  turn: number;
  /** Until when the wheel leaves it alone (`rest.ts`), monotonic milliseconds; 0: it does not. */
  restsUntil: number;
}

/** Something happened to it: the wheel looks at it in its next turn. */
export const stirred = (viewer: Viewer): void => {
  viewer.restsUntil = 0;
};

/** Hands on one frame. This and `feed` are the only ways to a viewer's transport. */
export const write = (viewer: Viewer, frame: Frame): void => {
  stirred(viewer);
  viewer.transport.write(frame);
};

/** Hands on frames of the log, as the transport's `feed`. */
export const feed = (viewer: Viewer, frames: readonly Frame[]): void => {
  stirred(viewer);
  viewer.transport.feed(frames);
};

/** Sends what the relay says itself. Control frames are few and keep their place among the events: they ask for no room. */
export const say = (viewer: Viewer, frame: ControlFrame): void => write(viewer, controlFrame(frame));
