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
  /** What left, a list for each system call. */
  const calls: Buffer[][] = [];
  const socket = new Duplex({
    highWaterMark: BUFFER_HIGH_WATER_BYTES,
    read: () => undefined,
    writev: (chunks: { readonly chunk: unknown }[], done) => {
      calls.push(chunks.map(({ chunk }) => chunk as Buffer));
      if (state.stuck === true) waiting.push(done);
      else done();
    },
  });
  const handed: string[] = [];
  const closes: string[] = [];
  const ws = {
    readyState: state.readyState ?? WebSocket.OPEN,
    extensions: state.extensions ?? '',
    get bufferedAmount(): number {
      return socket.writableLength + (state.queued ?? 0);
    },
    send: (text: string) => void handed.push(text),
    ping: () => void handed.push('ping'),
    close: (code: number) => {
      closes.push(`${code} behind ${socket.writableLength} bytes`);
      ws.readyState = WebSocket.CLOSING;
    },
  };
  /** What is stuck goes out. */
  const release = (): void => waiting.splice(0).forEach((done) => done());
  return { transport: socketTransport(ws as unknown as WebSocket, socket, coalescer), socket, release, calls, chunks: () => calls.flat(), direct: () => calls.flat().flatMap(textsIn), handed, closes };
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

  it.each(ways)('that is fed at the end of a turn goes %s as well', async (_what, state, way) => {
    const coalescer = createCoalescer();
    const { transport, direct, handed } = rigOf(state, coalescer);
    coalescer.atEnd(() => {
      transport.feed([textFrame('a')]);
      transport.feed([textFrame('b'), textFrame('c')]);
    });
    await turn();
    expect({ direct: direct(), handed }).toEqual({ direct: way === 'direct' ? ['a', 'b', 'c'] : [], handed: way === 'handed' ? ['a', 'b', 'c'] : [] });
  });

  it('leaves with all others of one turn at once, in order', async () => {
    const { transport, calls, direct } = rigOf();
    for (const text of ['a', 'b', 'c']) transport.write(textFrame(text));
    expect(calls).toEqual([]);
    await turn();
    expect(direct()).toEqual(['a', 'b', 'c']);
    expect(calls).toHaveLength(1);
    transport.write(textFrame('d'));
    await turn();
    expect(direct()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes before the close that follows it in the same turn, and nothing goes after that', async () => {
    const { transport, direct, closes } = rigOf();
    const frame = textFrame('a');
    transport.write(frame);
    transport.close(1012, 'draining');
    transport.write(textFrame('b'));
    transport.feed([textFrame('c')]);
    await turn();
    expect(direct()).toEqual(['a']);
    expect(closes).toEqual([`1012 behind ${frame.length} bytes`]);
  });

  it('goes through ws in its place among all others of its turn, also a ping', async () => {
    const { transport, calls, handed } = rigOf({ queued: 1 });
    transport.write(textFrame('a'));
    transport.ping();
    transport.feed([textFrame('b'), textFrame('c')]);
    await turn();
    expect(handed).toEqual(['a', 'ping', 'b', 'c']);
    expect(calls).toEqual([]);
  });

  it('leaves in one write with the ping before it', async () => {
    const { transport, calls } = rigOf();
    transport.ping();
    transport.write(textFrame('a'));
    await turn();
    expect(calls).toEqual([[Buffer.from([0x89, 0]), textFrame('a')]]);
  });

  it('takes room at once, and what fills the buffer makes it say when it has drained', async () => {
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
    await turn();
    release();
    await drained;
    expect(transport.room()).toBe(BUFFER_HIGH_WATER_BYTES);
    expect(direct()).toEqual(texts(frames));
  });
});

describe('what is fed', () => {
  it('at the end of a turn is joined once for all who are fed the same', async () => {
    const coalescer = createCoalescer();
    const viewers = [rigOf({}, coalescer), rigOf({}, coalescer), rigOf({}, coalescer)];
    const frames = framesOf(10, 3);
    coalescer.atEnd(() => viewers.forEach(({ transport }) => transport.feed(frames)));
    expect(viewers.flatMap(({ calls }) => calls)).toEqual([]);
    await turn();
    expect(viewers.map(({ direct }) => direct())).toEqual([texts(frames), texts(frames), texts(frames)]);
    expect(new Set(viewers.flatMap(({ chunks }) => chunks())).size).toBe(1);
  });

  it('is for each viewer its own where they differ in anything', async () => {
    const coalescer = createCoalescer();
    const [a, b, c, d] = framesOf(10, 4) as [Frame, Frame, Frame, Frame];
    const fed = [[a, b], [a, b, c], [b, a], [d], [a, b]];
    const viewers = fed.map(() => rigOf({}, coalescer));
    coalescer.atEnd(() => viewers.forEach(({ transport }, place) => transport.feed(fed[place] ?? [])));
    await turn();
    expect(viewers.map(({ direct }) => direct())).toEqual(fed.map(texts));
  });

  it('follows what was written in the same turn, in the same write', async () => {
    const coalescer = createCoalescer();
    const { transport, calls, direct } = rigOf({}, coalescer);
    const [a, b, c] = framesOf(10, 3) as [Frame, Frame, Frame];
    coalescer.atEnd(() => transport.feed([b, c]));
    transport.write(a);
    await turn();
    expect(direct()).toEqual(texts([a, b, c]));
    expect(calls).toHaveLength(1);
  });

  it('is followed by what is written after it', async () => {
    const coalescer = createCoalescer();
    const { transport, direct } = rigOf({}, coalescer);
    const [a, b, c] = framesOf(10, 3) as [Frame, Frame, Frame];
    coalescer.atEnd(() => {
      transport.feed([a]);
      transport.write(b);
      transport.feed([c]);
    });
    await turn();
    expect(direct()).toEqual(texts([a, b, c]));
  });

  it('is not copied where it is large', async () => {
    const coalescer = createCoalescer();
    const { transport, calls, direct } = rigOf({}, coalescer);
    const frames = framesOf(9_000, 2);
    coalescer.atEnd(() => transport.feed(frames));
    await turn();
    expect(direct()).toEqual(texts(frames));
    expect(calls.map((chunks) => chunks.map((chunk, place) => chunk === frames[place]))).toEqual([[true, true]]);
  });
});

const framesOf = (bytes: number, count: number): Frame[] => Array.from({ length: count }, (_, place) => textFrame(String.fromCharCode(97 + place).repeat(bytes)));
const texts = (frames: readonly Frame[]): string[] => frames.map(frameText);
