import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { memoryBus } from '../../ports/event-bus.memory.ts';
import { socketBroker, socketBus, type BusAddress, type BusBroker } from '../../ports/event-bus.socket.ts';
import type { BusMessage, EventBus } from '../../ports/event-bus.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { limited } from '../fixtures/relay.ts';
import { eventBusContract } from './event-bus.ts';

eventBusContract('memory', async () => {
  const bus = memoryBus();
  return { bus: () => bus, close: () => bus.close() };
});

const overSocket = async (address: BusAddress): Promise<{ bus: () => EventBus; close: () => Promise<void> }> => {
  const broker = await socketBroker(address);
  const buses: EventBus[] = [];
  return {
    bus: () => {
      const bus = socketBus(broker.address, systemRuntime());
      buses.push(bus);
      return bus;
    },
    close: async () => {
      for (const bus of buses) await bus.close();
      await broker.close();
    },
  };
};

eventBusContract('socket, by port', () => overSocket({ port: 0 }));
eventBusContract('socket, by file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bus-'));
  const setup = await overSocket({ path: join(folder, 'bus.sock') });
  return {
    bus: setup.bus,
    close: async () => {
      await setup.close();
      await rm(folder, { recursive: true });
    },
  };
});

/** Local sockets that this process has open. */
const pipes = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'PipeWrap' || kind === 'PipeServerWrap').length;

describe('the socket bus', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  const keep = <T extends { close(): Promise<void> }>(each: T): T => {
    open.push(each);
    return each;
  };
  const busTo = (broker: BusBroker): EventBus => keep(socketBus(broker.address, systemRuntime()));
  const rights: BusMessage = { kind: 'rights', tenant: 't1', user: null };

  it('goes from one process to another', async () => {
    const broker = keep(await socketBroker({ port: 0 }));
    const reader = busTo(broker);
    let tell: (message: BusMessage) => void = () => undefined;
    const got = new Promise<BusMessage>((resolve) => (tell = resolve));
    await reader.subscribe((message) => tell(message));
    await busTo(broker).publish(rights);
    expect(await limited(got, 'the message')).toEqual(rights);
  });

  it('rejects a publication while there is no broker, and subscribes again when it is back', async () => {
    const broker = await socketBroker({ port: 0 });
    const bus = busTo(broker);
    let tell: (message: BusMessage) => void = () => undefined;
    await bus.subscribe((message) => tell(message));
    await broker.close();
    await expect(busTo(broker).publish(rights)).rejects.toMatchObject({ code: 'store_unavailable' });
    keep(await socketBroker(broker.address));
    const got = new Promise<BusMessage>((resolve) => (tell = resolve));
    const publisher = busTo(broker);
    // The subscriber comes back within a moment: until then what is published is lost, as on any bus.
    const again = setInterval(() => void publisher.publish(rights), 20);
    expect(await limited(got, 'a message after the broker came back')).toEqual(rights);
    clearInterval(again);
    await publisher.publish(rights);
  });

  it('cuts a peer that does not speak as it does, and serves the others', async () => {
    const broker = keep(await socketBroker({ port: 0 }));
    const stranger = connect({ port: (broker.address as { port: number }).port, host: '127.0.0.1' });
    stranger.write('GET / HTTP/1.1\r\n\r\n');
    await limited(new Promise((resolve) => stranger.on('close', resolve).on('error', () => undefined).resume()), 'the cut');
    await busTo(broker).publish(rights);
  });

  it('does not keep messages without bound for a subscriber that does not read', async () => {
    const broker = keep(await socketBroker({ port: 0 }));
    const stuck = connect({ port: (broker.address as { port: number }).port, host: '127.0.0.1' });
    stuck.on('error', () => undefined);
    stuck.write('{"do":"subscribe","id":1}\n');
    await limited(new Promise((resolve) => stuck.once('data', resolve)), 'the subscription');
    stuck.pause();
    const publisher = busTo(broker);
    const text = 'x'.repeat(500_000);
    for (let n = 0; n < 200; n++) await publisher.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: 1, texts: [text], at: 0 });
    let read = 0;
    let tail = '';
    const last = new Promise<void>((resolve) => {
      stuck.on('data', (chunk: Buffer) => {
        read += chunk.length;
        tail = (tail + chunk.toString()).slice(-200);
        if (tail.includes('"rights"')) resolve();
      });
    });
    stuck.resume();
    const again = setInterval(() => void publisher.publish(rights), 20);
    await limited(last, 'a message after the reader went on');
    clearInterval(again);
    await publisher.publish(rights);
    // A hundred megabytes were published: the kernel's buffers and the bound were kept, the rest was dropped.
    expect(read).toBeLessThan(40_000_000);
    stuck.destroy();
  });

  it.each([
    ['that is killed', 'process.kill(process.pid, "SIGKILL")', 0],
    // Its three pipes to us stay.
    ['that ends its half only', 'socket.end()', 3],
  ] as const)('lets go of the subscription of a process %s, with all that waits for it', async (_how, last, stay) => {
    const folder = await mkdtemp(join(tmpdir(), 'bus-'));
    const path = join(folder, 'bus.sock');
    keep({ close: () => rm(folder, { recursive: true }) });
    const before = pipes();
    const broker = keep(await socketBroker({ path }));
    const program = `
      const socket = require('node:net').connect({ path: ${JSON.stringify(path)}, allowHalfOpen: true });
      socket.write('{"do":"subscribe","id":1}\\n');
      socket.once('data', () => { socket.pause(); process.stdout.write('subscribed'); });
      process.stdin.once('data', () => { ${last}; });`;
    const relay = spawn(process.execPath, ['-e', program]);
    const gone = new Promise<void>((resolve) => relay.once('close', () => resolve()));
    keep({
      close: () => {
        relay.kill('SIGKILL');
        return limited(gone, 'the end of the process');
      },
    });
    await limited(new Promise((resolve) => relay.stdout.once('data', resolve)), 'the subscription');
    // More than the kernel takes: the broker keeps the rest.
    const publisher = busTo(broker);
    const text = 'x'.repeat(500_000);
    for (let n = 0; n < 10; n++) await publisher.publish({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: 1, texts: [text], at: 0 });
    expect(await publisher.sweep()).toBe(0);
    // The broker's listener, both ends of the publisher, the broker's end of the subscriber; the three pipes to the process.
    expect(pipes() - before).toBe(4 + 3);
    relay.stdin.write('x');
    await expect.poll(() => pipes() - before).toBe(3 + stay);
    await publisher.publish(rights);
  });
});
