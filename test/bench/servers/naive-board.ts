/** A board as one writes it first, on `ws`: whoever comes gets all rows, each change is made into a row and sent to each viewer. */
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { boardRow } from '../../../core/domain/relay/board.ts';
import { memoryBus } from '../../../ports/event-bus.memory.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { relayLog } from '../../fixtures/relay-log.ts';
import { answering, listening } from '../harness/answering.ts';
import { callOf, epochOf, TENANT } from './feeding.ts';

const runtime = systemRuntime();
const callLog = relayLog(runtime);
const bus = memoryBus();
const viewers = new Set<WebSocket>();
let calls = 0;
let course = '';

await bus.subscribe((message) => {
  if (message.kind !== 'events') return;
  const row = boardRow(callLog.state(message.call_sid));
  for (const viewer of viewers) viewer.send(JSON.stringify({ type: 'board_update', rows: [row], gone: [] }));
});

const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false, handleProtocols: () => 'earshot.v1' });
sockets.on('connection', (ws) => {
  ws.on('message', () => {
    const rows = Array.from({ length: calls }, (_, call) => boardRow(callLog.state(callOf(course, call))));
    ws.send(JSON.stringify({ type: 'board_snapshot', rows, more: false }));
    viewers.add(ws);
  });
  ws.on('error', () => undefined);
  ws.on('close', () => viewers.delete(ws));
});
const port = await listening(server, 0);

answering({
  listening: () => ({ port, token: '' }),
  calls: (given: { readonly name: string; readonly calls: number }) => {
    ({ name: course, calls } = given);
    for (let call = 0; call < calls; call++) callLog.add(callOf(course, call), { epoch: epochOf(callOf(course, call)), conversation_id: `conv_${callOf(course, call)}` });
  },
  say: async (given: { readonly name: string; readonly calls: readonly number[] }) => {
    for (const call of given.calls) {
      const callSid = callOf(given.name, call);
      const said = callLog.say(callSid, `Line at ${runtime.now()}`);
      await bus.publish({ kind: 'events', tenant: TENANT, call_sid: callSid, epoch: epochOf(callSid), first_seq: said[0]?.seq ?? 1, texts: said.map(({ text }) => text), at: runtime.now() });
    }
  },
});
