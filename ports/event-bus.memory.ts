import { isPassedOver, type BusMessage, type EventBus } from './event-bus.ts';

/** A bus within one process. Handlers run in a later microtask, so that a publisher never runs a relay's code. */
export const memoryBus = (): EventBus => {
  const handlers = new Set<(message: BusMessage) => void>();
  return {
    publish: async (message) => {
      queueMicrotask(() => {
        for (const handler of handlers) handler(message);
      });
    },
    subscribe: async (handler, passesOver) => {
      // One entry for each subscription, even when the same function subscribes twice.
      const entry = (message: BusMessage): void => {
        if (!isPassedOver(message, passesOver)) handler(message);
      };
      handlers.add(entry);
      return { close: async () => void handlers.delete(entry) };
    },
    sweep: async () => 0,
    close: async () => handlers.clear(),
  };
};
