/**
 * Viewers that come back: as the client library does - the same wait, the same requests, each event once and in order - but on bare
 * sockets, so that a thousand of them in one process cost less than what they measure.
 */
import { connect, type Socket } from 'node:net';
import { backoffMs } from '../../../core/domain/client/backoff.ts';
import { maskedText } from './viewers.ts';

export interface ReturningViewer {
  readonly callSid: string;
  /** Everything up to here came, once and in order. */
  lastSeq: number;
  /** Confirmed, and told when the relay last compared with the log, on the connection of now. */
  live: boolean;
  close(): void;
}

export interface ReturningOptions {
  readonly port: number;
  readonly token: string;
  readonly callSid: string;
  /** Told of an event that is not the next, and of a frame that no viewer should see here. */
  readonly failed: (error: Error) => void;
}

const UPGRADE_END = '\r\n\r\n';

/** Connects at once, and again whenever it is cut. */
export const returningViewer = ({ port, token, callSid, failed }: ReturningOptions): ReturningViewer => {
  let socket: Socket | null = null;
  let epoch: string | null = null;
  let failures = 0;
  let closed = false;

  const take = (text: string): void => {
    const frame = JSON.parse(text) as { readonly type: string; readonly seq?: number; readonly epoch?: string; readonly verified_at?: string | null };
    if (frame.type === 'subscription_confirmed') epoch = frame.epoch ?? null;
    else if (frame.type === 'heartbeat') viewer.live ||= epoch !== null && frame.verified_at !== null;
    else if (frame.seq === viewer.lastSeq + 1) viewer.lastSeq = frame.seq;
    else if (frame.type !== 'system_message') failed(new Error(`a viewer that had event ${viewer.lastSeq} was sent ${frame.type} ${frame.seq ?? ''}`));
  };

  const open = (): void => {
    const lines = ['GET /ws HTTP/1.1', 'host: 127.0.0.1', 'connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', `sec-websocket-protocol: earshot.v1, bearer.${token}`];
    const to = (socket = connect({ port, host: '127.0.0.1', noDelay: true }));
    let rest: Buffer = Buffer.alloc(0);
    let upgraded = false;
    to.on('connect', () => to.write(`${lines.join('\r\n')}${UPGRADE_END}`));
    to.on('data', (bytes: Buffer) => {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      if (!upgraded) {
        const end = rest.indexOf(UPGRADE_END);
        if (end === -1) return;
        upgraded = true;
        failures = 0;
        rest = rest.subarray(end + UPGRADE_END.length);
        to.write(maskedText(JSON.stringify({ subscribe: [epoch === null ? callSid : { id: callSid, since: { epoch, seq: viewer.lastSeq } }] })));
      }
      rest = framesIn(rest, take);
    });
    to.on('error', () => undefined);
    to.on('close', () => {
      viewer.live = false;
      if (!closed) setTimeout(open, backoffMs(failures++, Math.random()));
    });
  };

  const viewer: ReturningViewer = {
    callSid,
    lastSeq: 0,
    live: false,
    close: () => {
      closed = true;
      socket?.destroy();
    },
  };
  open();
  return viewer;
};

/** Hands on the text of each whole frame. Answers what is left. */
const framesIn = (bytes: Buffer, take: (text: string) => void): Buffer => {
  let at = 0;
  for (;;) {
    if (at + 2 > bytes.length) return bytes.subarray(at);
    const short = (bytes[at + 1] ?? 0) & 127;
    const head = short < 126 ? 2 : 4;
    if (at + head > bytes.length) return bytes.subarray(at);
    const size = short < 126 ? short : bytes.readUInt16BE(at + 2);
    if (at + head + size > bytes.length) return bytes.subarray(at);
    // A ping has nothing to read.
    if (((bytes[at] ?? 0) & 15) === 1) take(bytes.toString('utf8', at + head, at + head + size));
    at += head + size;
  }
};
