/**
 * A WebSocket as a transport. Ready frames are written straight to the TCP socket: `ws` would make a copy and a head for each viewer
 * (`npm run bench -- deliver`). That is right only while these hold, and so they are checked at one place, `mayWrite`: no extension
 * was negotiated (the frame says nothing of compression), nothing is queued in `ws` itself (the order would be lost). Else `ws` sends
 * the text: what was fed is never dropped. Once a close frame went nothing follows it. The frames are never changed after they were
 * made, and `room` bounds what Node buffers.
 *
 * What is written within one turn of the event loop leaves in one write.
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { BUFFER_HIGH_WATER_BYTES } from '../core/protocol/limits.ts';
import type { Coalescer } from './coalescer.ts';
import { frameText, PING_FRAME, type Frame } from './frames.ts';
import type { Connected } from './hub.ts';
import type { Transport } from './viewer.ts';

/** Bytes to a socket: what a Duplex of Node's net or tls has. */
type TcpSocket = Duplex & { readonly bytesWritten?: number };

/** @param plain whether no extension was negotiated, which is settled once the connection stands */
const mayWrite = (ws: WebSocket, socket: Duplex, plain: boolean): boolean => plain && ws.bufferedAmount === socket.writableLength;

class SocketTransport implements Transport {
  readonly #ws: WebSocket;
  readonly #socket: TcpSocket;
  readonly #coalescer: Coalescer;
  readonly #plain: boolean;

  constructor(ws: WebSocket, socket: TcpSocket, coalescer: Coalescer) {
    this.#ws = ws;
    this.#socket = socket;
    this.#coalescer = coalescer;
    this.#plain = ws.extensions === '';
  }

  write(frame: Frame): void {
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    if (mayWrite(this.#ws, this.#socket, this.#plain)) {
      this.#coalescer.hold(this.#socket);
      this.#socket.write(frame);
    } else if (frame === PING_FRAME) this.#ws.ping();
    else this.#ws.send(frameText(frame));
  }

  feed(frames: readonly Frame[]): void {
    const whole = this.#wholeOf(frames);
    if (whole !== null && mayWrite(this.#ws, this.#socket, this.#plain)) this.#socket.write(whole);
    else for (const frame of frames) this.write(frame);
  }

  /** What is written at once, without holding the socket, where nothing else of this turn waits in it; null: the frames go one by one. */
  #wholeOf(frames: readonly Frame[]): Buffer | null {
    const alone = this.#coalescer.ending && this.#ws.readyState === WebSocket.OPEN && !this.#coalescer.isHeld(this.#socket);
    if (!alone) return null;
    return frames.length === 1 ? (frames[0] ?? null) : this.#coalescer.joined(frames);
  }

  room(): number {
    return BUFFER_HIGH_WATER_BYTES - this.#socket.writableLength;
  }

  waiting(): number {
    return this.#socket.writableLength;
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
