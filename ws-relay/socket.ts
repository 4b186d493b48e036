/**
 * A WebSocket as a transport. Ready frames are written straight to the TCP socket, which costs a third less than handing them
 * to `ws` - right only while these hold, and so they are checked at one place, `mayWrite`: no extension was negotiated (the
 * frame says nothing of compression), nothing is queued in `ws` itself (the order would be lost). Else `ws` sends the text:
 * what was fed is never dropped. Once a close frame went nothing follows it. The frames are never changed after they were
 * made, and `room` bounds what waits here and in Node.
 *
 * What is written within one turn of the event loop leaves in one write. The viewers of a call are mostly written the same
 * frames: those are joined once for all of them (`npm run bench -- deliver`, "8 events at once").
 */
import type { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { BUFFER_HIGH_WATER_BYTES } from '../core/protocol/limits.ts';
import { frameText, type Frame } from './frames.ts';
import type { Connected } from './hub.ts';
import type { Transport } from './viewer.ts';

/** Bytes to a socket: what a Duplex of Node's net or tls has. */
type TcpSocket = Duplex & { readonly bytesWritten?: number };

/** Joining costs a copy: larger batches go out as they are, in one system call all the same. */
const JOINED_MAX_BYTES = 16 * 1024;

/** Something that was written in this turn of the event loop. */
interface Outlet {
  /** The turn has ended. */
  flush(coalescer: Coalescer): void;
}

/** Flushes what was written in a turn of the event loop at its end. */
export interface Coalescer {
  /** To be flushed once this turn ends. Once in a turn. */
  add(outlet: Outlet): void;
  /** The frames as one, where that pays: the same object for those who were written the same. null: it does not. */
  joined(frames: readonly Frame[]): Buffer | null;
}

/** One for all sockets of a process. */
export const createCoalescer = (): Coalescer => {
  let outlets: Outlet[] = [];
  let parts: readonly Frame[] = [];
  let whole: Buffer | null = null;

  const flushAll = (): void => {
    const batch = outlets;
    outlets = [];
    for (const outlet of batch) outlet.flush(coalescer);
    parts = [];
    whole = null;
  };

  const coalescer: Coalescer = {
    add: (outlet) => {
      if (outlets.length === 0) setImmediate(flushAll);
      outlets.push(outlet);
    },
    joined: (frames) => {
      if (frames.length === parts.length && frames.every((frame, place) => frame === parts[place])) return whole;
      const bytes = frames.reduce((sum, { length }) => sum + length, 0);
      parts = frames;
      whole = bytes > JOINED_MAX_BYTES ? null : Buffer.concat(frames, bytes);
      return whole;
    },
  };
  return coalescer;
};

/** @param plain whether no extension was negotiated, which is settled once the connection stands */
const mayWrite = (ws: WebSocket, socket: Duplex, plain: boolean): boolean => plain && ws.bufferedAmount === socket.writableLength;

class SocketTransport implements Transport, Outlet {
  readonly #ws: WebSocket;
  readonly #socket: TcpSocket;
  readonly #coalescer: Coalescer;
  readonly #plain: boolean;
  /** Written in this turn; almost always one. */
  #first: Frame | null = null;
  #others: Frame[] | null = null;
  #bytes = 0;

  constructor(ws: WebSocket, socket: TcpSocket, coalescer: Coalescer) {
    this.#ws = ws;
    this.#socket = socket;
    this.#coalescer = coalescer;
    this.#plain = ws.extensions === '';
  }

  write(frame: Frame): void {
    this.#bytes += frame.length;
    if (this.#first === null) {
      this.#first = frame;
      this.#coalescer.add(this);
    } else (this.#others ??= []).push(frame);
    // What fills the buffer is handed on at once: only so does Node see it full, and says when it has drained.
    if (this.room() <= 0) this.flush(this.#coalescer);
  }

  flush(coalescer: Coalescer): void {
    const [first, others] = [this.#first, this.#others];
    // It was flushed already, before the connection was closed.
    if (first === null) return;
    this.#first = null;
    this.#others = null;
    this.#bytes = 0;
    if (this.#ws.readyState !== WebSocket.OPEN) return;
    const frames = others === null ? null : [first, ...others];
    if (!mayWrite(this.#ws, this.#socket, this.#plain)) {
      for (const frame of frames ?? [first]) this.#ws.send(frameText(frame));
    } else if (frames === null) this.#socket.write(first);
    else this.#writeAll(frames, coalescer.joined(frames));
  }

  #writeAll(frames: readonly Frame[], joined: Buffer | null): void {
    if (joined !== null) {
      this.#socket.write(joined);
      return;
    }
    this.#socket.cork();
    for (const frame of frames) this.#socket.write(frame);
    this.#socket.uncork();
  }

  room(): number {
    return BUFFER_HIGH_WATER_BYTES - this.#socket.writableLength - this.#bytes;
  }

  waiting(): number {
    return this.#socket.writableLength + this.#bytes;
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
    if (this.#ws.readyState === WebSocket.OPEN) this.#ws.ping();
  }

  close(code: number, reason: string): void {
    this.flush(this.#coalescer);
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
