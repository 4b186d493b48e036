/** Who watches which call, in servers that know no more of a viewer than that. */
import type { IncomingMessage, Server } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';

/**
 * Takes WebSockets that subscribe to one call each, and confirms it.
 * @param held what the server writes to, of a viewer
 */
export const watching = <T>(server: Server, held: (ws: WebSocket, request: IncomingMessage) => T): ReadonlyMap<string, ReadonlySet<T>> => {
  const viewers = new Map<string, Set<T>>();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on('connection', (ws, request) => {
    const viewer = held(ws, request);
    let watched = '';
    ws.on('message', (data: Buffer) => {
      ({ subscribe: watched } = JSON.parse(data.toString()) as { readonly subscribe: string });
      viewers.set(watched, (viewers.get(watched) ?? new Set<T>()).add(viewer));
      ws.send(JSON.stringify({ type: 'subscription_confirmed', call_sid: watched }));
    });
    ws.on('error', () => undefined);
    ws.on('close', () => {
      viewers.get(watched)?.delete(viewer);
      if (viewers.get(watched)?.size === 0) viewers.delete(watched);
    });
  });
  return viewers;
};
