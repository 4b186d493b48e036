/**
 * Many viewers as cheap as they can be made, so that the load keeps up with what is measured: raw sockets that upgrade to WebSocket, say
 * what their server wants to hear, and from then on only look at the heads of frames.
 */
import { connect, type Socket } from 'node:net';
import { Tally, type Counted } from './tally.ts';

/** How a server is spoken to until its viewer is fed. */
export interface Speech {
  readonly port: number;
  /** Path of the viewer's request, its query with it. */
  readonly path: (viewer: number) => string;
  /** Lines of the request besides those of the upgrade itself. */
  readonly headers?: (viewer: number) => readonly string[];
  /** What is said when so many frames have come: the first element after the upgrade, the second after one frame; null: nothing. */
  readonly says: (viewer: number) => readonly (string | null)[];
  /** Frames after which the viewer is ready. */
  readonly readyFrames: number;
  /** Addresses of this machine to come from, taking turns: one address has about 28,000 ports. */
  readonly from?: readonly string[];
}

/** Viewers that are ready, and count together. */
export interface Viewers extends Counted {
  /** Closes all connections as RFC 6455 has it; resolves when the server has closed the last one. */
  leave(): Promise<void>;
  /** Cuts all connections. */
  close(): void;
}

/** A client's close frame with code 1000, under the mask 0. */
const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
const READ_BYTES = 256 * 1024;
const READY_MAX_MS = 30_000;
/** As many handshakes under way at once. */
const AT_ONCE = 100;

/** Opens `count` viewers. Rejects where one is refused or cut before it is ready. */
export const openViewers = async (count: number, speech: Speech): Promise<Viewers> => {
  const tally = new Tally();
  const sockets: Socket[] = [];
  // One buffer for all: what is read is looked at before the next read.
  const shared = Buffer.alloc(READ_BYTES);
  let next = 0;
  const openNext = async (): Promise<void> => {
    while (next < count) sockets.push(await openViewer(next++, speech, shared, tally));
  };
  const close = (): void => {
    // A reset leaves no port waiting.
    for (const socket of sockets) socket.resetAndDestroy();
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, openNext)).catch((error: unknown) => {
    close();
    throw error;
  });
  return Object.assign(tally, {
    leave: () =>
      new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${open} of ${count} connections were not closed in time`)), READY_MAX_MS);
        let open = count;
        for (const socket of sockets) {
          socket.removeAllListeners('close');
          socket.once('close', () => {
            if (--open > 0) return;
            clearTimeout(late);
            resolve();
          });
          socket.write(CLOSE_FRAME);
        }
      }),
    close,
  });
};

const UPGRADE_END = Buffer.from('\r\n\r\n');

const openViewer = (viewer: number, speech: Speech, shared: Buffer, tally: Tally): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const says = speech.says(viewer);
    const host = speech.from?.[viewer % speech.from.length];
    let upgraded = false;
    let ready = false;
    let frames = 0;
    /** Bytes of the payload under way that have not come yet. */
    let left = 0;
    /** The beginning of a frame's head that came without its end. */
    let head: Buffer | null = null;
    const late = setTimeout(() => reject(new Error(`viewer ${viewer} was not ready in time: ${frames} frames`)), READY_MAX_MS);

    const say = (): void => {
      const text = says[frames];
      if (typeof text === 'string') socket.write(maskedText(text));
      if (ready || !upgraded || frames < speech.readyFrames) return;
      ready = true;
      clearTimeout(late);
      resolve(socket);
    };
    const framed = (payloadBytes: number): void => {
      if (!ready) {
        frames++;
        say();
      } else tally.framed(payloadBytes);
    };
    const take = (bytes: Buffer, from: number, to: number): void => {
      let at = from;
      while (at < to) {
        if (left > 0) {
          const taken = Math.min(left, to - at);
          left -= taken;
          at += taken;
          continue;
        }
        const short = (bytes[at + 1] ?? 0) & 127;
        const headBytes = short < 126 ? 2 : short === 126 ? 4 : 10;
        if (at + 2 > to || at + headBytes > to) {
          head = Buffer.from(bytes.subarray(at, to));
          return;
        }
        left = short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
        at += headBytes;
        framed(left);
      }
    };
    const data = (size: number, buffer: Uint8Array): boolean => {
      const bytes = buffer as Buffer;
      tally.came(size);
      if (head !== null || !upgraded) {
        const joined: Buffer = Buffer.concat([head ?? Buffer.alloc(0), bytes.subarray(0, size)]);
        head = null;
        if (upgraded) {
          take(joined, 0, joined.length);
          return true;
        }
        const end = joined.indexOf(UPGRADE_END);
        if (end === -1) {
          head = joined;
          return true;
        }
        if (!joined.subarray(0, 12).equals(Buffer.from('HTTP/1.1 101'))) {
          reject(new Error(`viewer ${viewer} was refused: ${joined.subarray(0, 60).toString()}`));
          return true;
        }
        upgraded = true;
        say();
        take(joined, end + UPGRADE_END.length, joined.length);
        return true;
      }
      take(bytes, 0, size);
      return true;
    };
    const socket = connect({ port: speech.port, host: '127.0.0.1', ...(host === undefined ? {} : { localAddress: host }), noDelay: true, onread: { buffer: shared, callback: data } });
    socket.once('connect', () => {
      const lines = [`GET ${speech.path(viewer)} HTTP/1.1`, 'host: 127.0.0.1', 'connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', ...(speech.headers?.(viewer) ?? [])];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    });
    socket.on('error', reject);
    socket.on('close', () => {
      const error = new Error(`viewer ${viewer} was cut after ${frames} frames`);
      reject(error);
      tally.failed(error);
    });
  });

/** A client's text frame under the mask 0, which leaves the text as it is. Up to 64 KiB. */
export const maskedText = (text: string): Buffer => {
  const payload = Buffer.from(text);
  const short = payload.length < 126;
  const head = Buffer.alloc(short ? 6 : 8);
  head[0] = 0x81;
  head[1] = 0x80 | (short ? payload.length : 126);
  if (!short) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
};
