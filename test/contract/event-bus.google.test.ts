import { describe } from 'vitest';
import { google } from '../fixtures/google.ts';
import { pubsubRig } from '../fixtures/pubsub.ts';
import { eventBusContract } from './event-bus.ts';

describe.skipIf(google === null)('with the emulator', () => {
  eventBusContract('Pub/Sub', async () => {
    const rig = await pubsubRig();
    return { bus: () => rig.bus(), close: () => rig.close() };
  });
});
