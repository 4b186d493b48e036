import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { frameText, textFrame } from '../../ws-relay/frames.ts';
import { createCoalescer, socketTransport } from '../../ws-relay/socket.ts';

/** What the transport sees of a WebSocket, and what went which way. */
const rigOf = (state: { readonly readyState?: number; readonly extensions?: string; readonly queued?: number }) => {
  const socket = new PassThrough();
  const direct: string[] = [];
  const handed: string[] = [];
  socket.on('data', (chunk: Buffer) => direct.push(frameText(chunk)));
  const ws = {
    readyState: state.readyState ?? WebSocket.OPEN,
    extensions: state.extensions ?? '',
    get bufferedAmount(): number {
      return socket.writableLength + (state.queued ?? 0);
    },
    send: (text: string) => void handed.push(text),
  } as unknown as WebSocket;
  return { transport: socketTransport(ws, socket, createCoalescer()), direct, handed };
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
    expect({ direct, handed }).toEqual({ direct: way === 'direct' ? ['{"type":"x"}'] : [], handed: way === 'handed' ? ['{"type":"x"}'] : [] });
  });

  it('leaves with all others of one turn at once, in order', async () => {
    const { transport, direct } = rigOf({});
    for (const text of ['a', 'b', 'c']) transport.write(textFrame(text));
    expect(direct).toEqual([]);
    await turn();
    expect(direct).toEqual(['a', 'b', 'c']);
  });
});
