/** The least that brings a POST to a screen: node:http, JSON.parse, ws.send to who watches the conversation. It keeps nothing and asks nobody who they are. */
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { answering, listening } from '../harness/answering.ts';

const viewers = new Map<string, Set<WebSocket>>();
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const { conversation_id, data } = JSON.parse(body) as { readonly conversation_id?: string; readonly data?: { readonly conversation_id: string } };
    for (const ws of viewers.get(`EL_${conversation_id ?? data?.conversation_id ?? ''}`) ?? []) ws.send(body);
    response.writeHead(200).end();
  });
});
new WebSocketServer({ server, path: '/ws', perMessageDeflate: false, handleProtocols: (offered) => [...offered][0] ?? false }).on('connection', (ws) => {
  ws.on('error', () => undefined);
  ws.on('message', (said: Buffer) => {
    const { subscribe } = JSON.parse(said.toString()) as { readonly subscribe: string };
    viewers.set(subscribe, (viewers.get(subscribe) ?? new Set()).add(ws));
    ws.send(JSON.stringify({ type: 'subscription_confirmed' }));
  });
});
const port = await listening(server, 0);

answering({ listening: () => ({ port }) });
