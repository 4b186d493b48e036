/** How the viewers of each server speak to it. */
import { callOf, epochOf, EVENT_BYTES } from '../servers/feeding.ts';
import type { Speech } from './viewers.ts';

/** Where a server of `servers/` listens; `token` is ours alone. */
export interface Listening {
  readonly port: number;
  readonly token?: string;
}

/** A server, its viewers' speech, and the bytes of the frame that one event is. */
export interface Spoken {
  readonly name: string;
  readonly program: string;
  readonly frameBytes: number;
  /** @param callSid the call that a viewer watches; null: they watch none */
  speech(listening: Listening, callSid: ((viewer: number) => string) | null): Speech;
}

/** The relay as shipped. */
export const OURS: Spoken = {
  name: 'this',
  program: 'servers/relay.ts',
  frameBytes: EVENT_BYTES,
  speech: ({ port, token = '' }, callSid) => ({
    port,
    path: () => '/ws',
    headers: () => [`sec-websocket-protocol: earshot.v1, bearer.${token}`],
    says: (viewer) => (callSid === null ? [] : [JSON.stringify({ subscribe: callSid(viewer), since: { epoch: epochOf(callSid(viewer)), seq: 0 } })]),
    // Established, a heartbeat, the subscription's confirmation.
    readyFrames: callSid === null ? 2 : 3,
  }),
};

const onWs = (name: string, program: string): Spoken => ({
  name,
  program,
  frameBytes: EVENT_BYTES,
  speech: ({ port }, callSid) => ({
    port,
    path: () => '/',
    says: (viewer) => (callSid === null ? [] : [JSON.stringify({ subscribe: callSid(viewer) })]),
    readyFrames: callSid === null ? 0 : 1,
  }),
});

export const NAIVE = onWs('naive ws', 'servers/naive-ws.ts');
/** What Node and the kernel take alone. */
export const READY_FRAMES = onWs('ready frames, nothing else', 'servers/ready-frames.ts');
export const TIMED = onWs('timers of each socket', 'servers/timed-ws.ts');

export const SOCKET_IO: Spoken = {
  name: 'socket.io',
  program: 'servers/socket-io.ts',
  frameBytes: EVENT_BYTES + '42["event",]'.length,
  speech: ({ port }, callSid) => ({
    port,
    path: () => '/socket.io/?EIO=4&transport=websocket',
    // Its own handshake, then the room.
    says: (viewer) => (callSid === null ? [null, '40'] : [null, '40', `42${JSON.stringify(['subscribe', callSid(viewer)])}`]),
    readyFrames: callSid === null ? 2 : 3,
  }),
};

/** The viewer's call where each call has the same number of viewers. */
export const callOfViewer =
  (course: string, calls: number) =>
  (viewer: number): string =>
    callOf(course, viewer % calls);
