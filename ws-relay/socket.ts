/**
 * A WebSocket as a transport. Ready frames are written straight to the TCP socket, which costs a third less than handing them
 * to `ws` - right only while these hold, and so they are checked at one place, `mayWrite`: no extension was negotiated (the
 * frame says nothing of compression), nothing is queued in `ws` itself (the order would be lost). Else `ws` sends the text:
 * what was fed is never dropped. Once a close frame went nothing follows it. The frames are never changed after they were
 * made, and `room` bounds what waits here and in Node.
 *
 * What is written within one turn of the event loop leaves in one write.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { BUFFER_HIGH_WATER_BYTES } from '../core/protocol/limits.ts';
import type { Coalescer, Outlet } from './coalescer.ts';
import { frameText, PING_FRAME, type Frame } from './frames.ts';
import type { Connected } from './hub.ts';
import type { Transport } from './viewer.ts';

/** Bytes to a socket: what a Duplex of Node's net or tls has. */
type TcpSocket = Duplex & { readonly bytesWritten?: number };

/** @param plain whether no extension was negotiated, which is settled once the connection stands */
const mayWrite = (ws: WebSocket, socket: Duplex, plain: boolean): boolean => plain && ws.bufferedAmount === socket.writableLength;

class SocketTransport implements Transport, Outlet {
  readonly #ws: WebSocket;
  readonly #socket: TcpSocket;
  readonly #coalescer: Coalescer;
  readonly #plain: boolean;
  /** Written in this turn. */
  #waiting: Frame[] | null = null;
  #waitingBytes = 0;

  constructor(ws: WebSocket, socket: TcpSocket, coalescer: Coalescer) {
    this.#ws = ws;
    this.#socket = socket;
    this.#coalescer = coalescer;
    this.#plain = ws.extensions === '';
  }

  write(frame: Frame): void {
    if (this.#waiting === null) {
      this.#waiting = [frame];
      this.#coalescer.add(this);
    } else this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    // What fills the buffer is handed on at once: only so does Node see it full, and says when it has drained.
    if (this.room() <= 0) this.flush();
  }

  feed(frames: readonly Frame[]): void {
    // Each viewer's memory is touched once: what all are fed before any is written to has left the cache by then.
    if (this.#coalescer.ending && this.#waiting === null) this.#send(frames);
    else for (const frame of frames) this.write(frame);
  }

  flush(): void {
    const frames = this.#waiting;
    // It was flushed already: the buffer was full, or the connection was closed.
    if (frames === null) return;
    this.#waiting = null;
    this.#waitingBytes = 0;
    this.#send(frames);
  }

  #send(frames: readonly Frame[]): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (!mayWrite(this.#ws, this.#socket, this.#plain)) {
      for (const frame of frames) {
        if (frame === PING_FRAME) this.#ws.ping();
        else this.#ws.send(frameText(frame));
      }
      return;
    }
    const whole = frames.length === 1 ? frames[0] : this.#coalescer.joined(frames);
    if (whole !== null && whole !== undefined) {
      this.#socket.write(whole);
      return;
    }
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }

  room(): number {
    return BUFFER_HIGH_WATER_BYTES - this.#socket.writableLength - this.#waitingBytes;
  }

  waiting(): number {
    return this.#socket.writableLength + this.#waitingBytes;
  }

  taken(): number {
    return (this.#socket.bytesWritten ?? 0) - this.#socket.writableLength;
  }

  hold(held: boolean): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (held) this.#ws.pause();
    else this.#ws.resume();
  }

  ping(): void {
    // In one write with the heartbeat beside it.
    this.write(PING_FRAME);
  }

  close(code: number, reason: string): void {
    this.flush();
    this.#ws.close(code, reason);
  }
}

/** The transport of one WebSocket. `socket` is the one that it was upgraded on. */
export const socketTransport = (ws: WebSocket, socket: TcpSocket, coalescer: Coalescer): Transport => new SocketTransport(ws, socket, coalescer);

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
