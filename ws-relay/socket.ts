/**
 * A WebSocket as a transport. Ready frames are written straight to the TCP socket, which costs a third less than handing them
 * to `ws` - right only while these hold, and so they are checked at one place, `mayWrite`: no extension was negotiated (the
 * frame says nothing of compression), nothing is queued in `ws` itself (the order would be lost). Else `ws` sends the text:
 * what was fed is never dropped. Once a close frame went nothing follows it. The frames are never changed after they were
 * made, and `room` bounds what Node buffers.
 *
 * What is written within one turn of the event loop leaves in one system call.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { BUFFER_HIGH_WATER_BYTES } from '../core/protocol/limits.ts';
import { frameText, type Frame } from './frames.ts';
import type { Connected } from './hub.ts';
import type { Transport } from './viewer.ts';

/** Bytes to a socket: what a Duplex of Node's net or tls has. */
type TcpSocket = Duplex & { readonly bytesWritten?: number };

/** Corks a socket until the end of this turn of the event loop. */
export const createCoalescer = (): ((socket: Duplex) => void) => {
  const corked = new Set<Duplex>();
  return (socket) => {
    if (corked.has(socket)) return;
    if (corked.size === 0) {
      setImmediate(() => {
        const batch = [...corked];
        corked.clear();
        for (const each of batch) each.uncork();
      });
    }
    corked.add(socket);
    socket.cork();
  };
};

const mayWrite = (ws: WebSocket, socket: Duplex): boolean => ws.extensions === '' && ws.bufferedAmount === socket.writableLength;

/** The transport of one WebSocket. `socket` is the one that it was upgraded on. */
export const socketTransport = (ws: WebSocket, socket: TcpSocket, cork: (socket: Duplex) => void): Transport => ({
  write: (frame: Frame) => {
    if (ws.readyState !== WebSocket.OPEN) return;
    if (!mayWrite(ws, socket)) {
      ws.send(frameText(frame));
      return;
    }
    cork(socket);
    socket.write(frame);
  },
  room: () => BUFFER_HIGH_WATER_BYTES - socket.writableLength,
  waiting: () => socket.writableLength,
  taken: () => (socket.bytesWritten ?? 0) - socket.writableLength,
  hold: (held) => {
    if (ws.readyState !== WebSocket.OPEN) return;
    if (held) ws.pause();
    else ws.resume();
  },
  ping: () => {
    if (ws.readyState === WebSocket.OPEN) ws.ping();
  },
  close: (code, reason) => ws.close(code, reason),
});

/** Brings what happens at the WebSocket to its session. */
export const wireSocket = (ws: WebSocket, socket: Duplex, connected: Connected): void => {
  ws.on('message', (data: Buffer, isBinary) => {
    if (isBinary) connected.binary();
    else connected.text(data.toString('utf8'), data.length);
  });
  ws.on('ping', (data: Buffer) => {
    connected.pinged();
    // Answered by us, not by `ws`: a flood of pings is then closed with its code like one of messages, not just cut.
    if (ws.readyState === WebSocket.OPEN) ws.pong(data);
  });
  ws.on('pong', () => connected.ponged());
  // ws closes with the code that the fault asks for (1002, 1007, 1009); `close` follows.
  ws.on('error', () => undefined);
  ws.on('close', (code) => connected.closed(code));
  socket.on('drain', () => connected.drained());
};
