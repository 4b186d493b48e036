/** A publisher of Pub/Sub alone, one message after another: through ours (`PUBLISHER=this`), or through the stock client as it is or without its batches. */
import { PubSub } from '@google-cloud/pubsub';
import { encodeMessage } from '../../../ports/event-bus.pubsub-message.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { answering } from '../harness/answering.ts';
import { ourBus, PROJECT, TOPIC } from './bus.ts';
import { prepared, type EventsMessage } from './feeding.ts';

const host = process.env['PUBSUB_HOST'] ?? '';
const kind = process.env['PUBLISHER'];

const publisher = async (): Promise<(message: EventsMessage) => Promise<unknown>> => {
  if (kind === 'this') {
    const bus = await ourBus(systemRuntime());
    return (message) => bus.publish(message);
  }
  const topic = new PubSub({ projectId: PROJECT, apiEndpoint: host, emulatorMode: true }).topic(TOPIC, kind === 'one' ? { batching: { maxMessages: 1 } } : {});
  return (message) => {
    const { data, attributes } = encodeMessage(message);
    return topic.publishMessage({ data, attributes: { ...attributes } });
  };
};
const publish = await publisher();
let course = 0;

answering({
  /** Answers how long each took, milliseconds. */
  publish: async (count: number) => {
    const messages = prepared({ name: `p${++course}`, calls: 10, events: count, atOnce: 1, everyMs: 0, burst: false });
    const took: number[] = [];
    for (const message of messages) {
      const began = performance.now();
      await publish(message);
      took.push(performance.now() - began);
    }
    return took;
  },
});
