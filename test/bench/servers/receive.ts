/** A receiver of Pub/Sub alone: it counts what it hears, through ours (`RECEIVER=this`) or through the stock client. */
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { answering } from '../harness/answering.ts';
import { hearNaively, ourBus } from './bus.ts';

const heard = { messages: 0, bytes: 0 };
const take = (kind: string, texts: readonly string[]): void => {
  if (kind !== 'events') return;
  heard.messages++;
  for (const text of texts) heard.bytes += text.length;
};

if (process.env['RECEIVER'] === 'this') await (await ourBus(systemRuntime())).subscribe((message) => take(message.kind, message.kind === 'events' ? message.texts : []));
else await hearNaively(({ kind, texts }) => take(kind, texts));

answering({ heard: () => heard });
