/** A relay as one writes it first, on `ws`: each event is parsed, looked at, stringified once and sent to each viewer of its call. */
import { createServer } from 'node:http';
import { answering, listening } from '../harness/answering.ts';
import { hearNaively } from './bus.ts';
import { fedBy } from './feeding.ts';
import { watching } from './watching.ts';

const server = createServer();
const viewers = watching(server, (ws) => ws);
const bus = await hearNaively((message) => {
  for (const text of message.texts) {
    const event = JSON.parse(text) as { readonly call_sid: string };
    const sent = JSON.stringify(event);
    for (const ws of viewers.get(event.call_sid) ?? []) if (ws.readyState === ws.OPEN) ws.send(sent);
  }
});
const port = await listening(server, 0);

answering({ listening: () => ({ port }), ...fedBy((message) => bus.publish(message)) });
