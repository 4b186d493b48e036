import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { BUFFER_HIGH_WATER_BYTES } from '../../core/protocol/limits.ts';
import { frameText, textFrame, type Frame } from '../../ws-relay/frames.ts';
import { createCoalescer, type Coalescer } from '../../ws-relay/coalescer.ts';
import { socketTransport } from '../../ws-relay/socket.ts';

/** What the transport sees of a WebSocket, and what went which way. */
const rigOf = (state: { readonly readyState?: number; readonly extensions?: string; readonly queued?: number; readonly stuck?: boolean } = {}, coalescer: Coalescer = createCoalescer()) => {
  const waiting: (() => void)[] = [];
  const socket = new Duplex({
    highWaterMark: BUFFER_HIGH_WATER_BYTES,
    read: () => undefined,
    writev: (_chunks, done) => {
      if (state.stuck === true) waiting.push(done);
      else done();
    },
  });
  const chunks: Buffer[] = [];
  const handed: string[] = [];
  const closes: string[] = [];
  const write = socket.write.bind(socket);
  socket.write = (chunk: Buffer) => {
    chunks.push(chunk);
    return write(chunk);
  };
  const ws = {
    readyState: state.readyState ?? WebSocket.OPEN,
    extensions: state.extensions ?? '',
    get bufferedAmount(): number {
      return socket.writableLength + (state.queued ?? 0);
    },
    send: (text: string) => void handed.push(text),
    close: (code: number) => {
      closes.push(`${code} after ${chunks.length}`);
      ws.readyState = WebSocket.CLOSING;
    },
  };
  /** What is stuck goes out. */
  const release = (): void => waiting.splice(0).forEach((done) => done());
  return { transport: socketTransport(ws as unknown as WebSocket, socket, coalescer), socket, release, chunks, direct: () => chunks.flatMap(textsIn), handed, closes };
};
/** The texts of the frames that stand one after another in these bytes. */
const textsIn = (bytes: Buffer): string[] => {
  const texts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const short = bytes[at + 1] ?? 0;
    const size = short < 126 ? 2 + short : short === 126 ? 4 + bytes.readUInt16BE(at + 2) : 10 + Number(bytes.readBigUInt64BE(at + 2));
    texts.push(frameText(bytes.subarray(at, at + size)));
    at += size;
  }
  return texts;
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

describe('a ready frame', () => {
  const ways: [string, Parameters<typeof rigOf>[0], 'direct' | 'handed' | 'none'][] = [
    ['straight to the socket of an open WebSocket', {}, 'direct'],
    ['through ws where something is queued in it: the order would be lost', { queued: 1 }, 'handed'],
    ['through ws where an extension was negotiated: the frame would be none', { extensions: 'permessage-deflate' }, 'handed'],
    ['nowhere once a close frame went', { readyState: WebSocket.CLOSING }, 'none'],
    ['nowhere once it is closed', { readyState: WebSocket.CLOSED, queued: 1 }, 'none'],
  ];
  it.each(ways)('goes %s', async (_what, state, way) => {
    const { transport, direct, handed } = rigOf(state);
    transport.write(textFrame('{"type":"x"}'));
    await turn();
    expect({ direct: direct(), handed }).toEqual({ direct: way === 'direct' ? ['{"type":"x"}'] : [], handed: way === 'handed' ? ['{"type":"x"}'] : [] });
  });

  it('leaves with all others of one turn at once, in order', async () => {
    const { transport, chunks, direct } = rigOf();
    for (const text of ['a', 'b', 'c']) transport.write(textFrame(text));
    expect(chunks).toEqual([]);
    await turn();
    expect(direct()).toEqual(['a', 'b', 'c']);
    expect(chunks).toHaveLength(1);
    transport.write(textFrame('d'));
    await turn();
    expect(direct()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes before the close that follows it in the same turn, and nothing goes after that', async () => {
    const { transport, direct, closes } = rigOf();
    transport.write(textFrame('a'));
    transport.close(1012, 'draining');
    transport.write(textFrame('b'));
    await turn();
    expect(direct()).toEqual(['a']);
    expect(closes).toEqual(['1012 after 1']);
  });

  it('goes through ws in its place among all others of its turn', async () => {
    const { transport, chunks, handed } = rigOf({ queued: 1 });
    for (const text of ['a', 'b', 'c']) transport.write(textFrame(text));
    await turn();
    expect(handed).toEqual(['a', 'b', 'c']);
    expect(chunks).toEqual([]);
  });
});

describe('frames of one turn', () => {
  const framesOf = (bytes: number, count: number): Frame[] => Array.from({ length: count }, (_, place) => textFrame(String.fromCharCode(97 + place).repeat(bytes)));
  const texts = (frames: readonly Frame[]): string[] => frames.map(frameText);

  it('are joined once for all who were written the same', async () => {
    const coalescer = createCoalescer();
    const viewers = [rigOf({}, coalescer), rigOf({}, coalescer), rigOf({}, coalescer)];
    const frames = framesOf(10, 3);
    for (const frame of frames) for (const { transport } of viewers) transport.write(frame);
    await turn();
    expect(viewers.map(({ direct }) => direct())).toEqual([texts(frames), texts(frames), texts(frames)]);
    expect(new Set(viewers.flatMap(({ chunks }) => chunks)).size).toBe(1);
  });

  it('are each viewer their own where they differ in anything', async () => {
    const coalescer = createCoalescer();
    const [a, b, c, d] = framesOf(10, 4) as [Frame, Frame, Frame, Frame];
    const written = [[a, b], [a, b, c], [b, a], [d, b], [a, b]];
    const viewers = written.map(() => rigOf({}, coalescer));
    viewers.forEach(({ transport }, place) => written[place]?.forEach((frame) => transport.write(frame)));
    await turn();
    expect(viewers.map(({ direct }) => direct())).toEqual(written.map(texts));
  });

  it('that are large are not copied', async () => {
    const { transport, chunks, direct } = rigOf();
    const frames = framesOf(9_000, 2);
    for (const frame of frames) transport.write(frame);
    await turn();
    expect(direct()).toEqual(texts(frames));
    expect(chunks.map((chunk, place) => chunk === frames[place])).toEqual([true, true]);
  });

  it('take room before they leave, and fill the buffer at once: it then says when it has drained', async () => {
    const { transport, socket, release, direct } = rigOf({ stuck: true });
    const frames = framesOf(30_000, 3);
    const [first, second, third] = frames as [Frame, Frame, Frame];
    transport.write(first);
    expect(transport.room()).toBe(BUFFER_HIGH_WATER_BYTES - first.length);
    expect(transport.waiting()).toBe(first.length);
    transport.write(second);
    expect(direct()).toEqual([]);
    const drained = new Promise<void>((resolve) => socket.once('drain', resolve));
    transport.write(third);
    expect(transport.room()).toBeLessThanOrEqual(0);
    expect(socket.writableNeedDrain).toBe(true);
    release();
    await drained;
    expect(transport.room()).toBe(BUFFER_HIGH_WATER_BYTES);
    expect(direct()).toEqual(texts(frames));
  });
});
