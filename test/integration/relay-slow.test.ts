import { afterEach, describe, expect, it } from 'vitest';
import { BUFFER_HIGH_WATER_BYTES, FRAME_MAX_BYTES, SLOW_CONSUMER_MS } from '../../core/protocol/limits.ts';
import { seededRuntime } from '../../ports/runtime.seeded.ts';
import type { Duplex } from 'node:stream';
import { startRelay, type RelayRig } from '../fixtures/relay.ts';

describe('a reader that stops', () => {
  let rig: RelayRig;
  afterEach(async () => {
    await rig.close();
  });
  /** Sockets of the server, as they were upgraded. */
  const serverSockets = (): Duplex[] => {
    const sockets: Duplex[] = [];
    rig.server.on('upgrade', (_req, socket) => sockets.push(socket));
    return sockets;
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('gets each of 5,000 events once and in order, while another misses nothing and its session stays small', async () => {
    rig = await startRelay();
    const sockets = serverSockets();
    rig.callLog.add('EL_1');
    const slow = await rig.client();
    const quick = await rig.client({ user: 'bob' });
    for (const client of [slow, quick]) {
      client.send({ subscribe: 'EL_1' });
      await client.next('subscription_confirmed');
    }
    slow.ws.pause();
    const words = 'x'.repeat(2_000);
    let most = 0;
    for (let batch = 0; batch < 500; batch++) {
      await rig.say('EL_1', ...Array.from({ length: 10 }, () => words));
      await turn();
      for (const socket of sockets) most = Math.max(most, socket.writableLength);
    }
    await quick.next((frame) => frame['seq'] === 5_000);
    expect(slow.frames.length).toBeLessThan(5_000);
    expect(most).toBeLessThanOrEqual(BUFFER_HIGH_WATER_BYTES + FRAME_MAX_BYTES);
    expect(most).toBeGreaterThan(0);
    slow.ws.resume();
    await slow.next((frame) => frame['seq'] === 5_000);
    for (const client of [slow, quick]) {
      const seqs = client.frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]));
      expect(seqs).toEqual(Array.from({ length: 5_000 }, (_, place) => place + 1));
    }
  });

  it('costs no memory that grows with what it misses', async () => {
    rig = await startRelay();
    const sockets = serverSockets();
    rig.callLog.add('EL_1');
    const readers = await Promise.all(Array.from({ length: 10 }, () => rig.client()));
    for (const reader of readers) {
      reader.send({ subscribe: 'EL_1' });
      await reader.next('subscription_confirmed');
      reader.ws.pause();
    }
    const words = 'x'.repeat(8_000);
    for (let batch = 0; batch < 300; batch++) {
      await rig.say('EL_1', words, words);
      await turn();
    }
    // Ten readers miss most of five megabytes each; what Node holds for them is their high-water mark and no more.
    const held = sockets.map((socket) => socket.writableLength);
    expect(Math.max(...held)).toBeLessThanOrEqual(BUFFER_HIGH_WATER_BYTES + FRAME_MAX_BYTES);
    for (const reader of readers) reader.ws.resume();
    for (const reader of readers) {
      await reader.next((frame) => frame['seq'] === 600);
      expect(reader.frames.filter((frame) => frame['seq'] !== undefined)).toHaveLength(600);
    }
  });

  it('does not keep its board rows waiting one by one: each row comes once, as it is by then', async () => {
    const runtime = seededRuntime(1);
    rig = await startRelay({ runtime });
    rig.callLog.add('EL_1');
    rig.callLog.add('EL_2');
    const slow = await rig.client();
    slow.send({ subscribe: 'EL_1' });
    slow.send({ watch: 'board' });
    await slow.next('board_snapshot');
    slow.ws.pause();
    for (let n = 0; n < 1_000; n++) await rig.say('EL_1', 'x'.repeat(8_000));
    for (let n = 0; n < 100; n++) {
      await rig.say('EL_2', `line ${n}`);
      runtime.advance(250);
      await turn();
    }
    slow.ws.resume();
    await slow.next((frame) => frame['type'] === 'board_update' && JSON.stringify(frame).includes('line 99'));
    const updates = slow.frames.filter((frame) => frame['type'] === 'board_update');
    expect(updates.length).toBeLessThan(10);
  });

  it('is sent one snapshot of the board, however often it asks for it', async () => {
    rig = await startRelay();
    const sockets = serverSockets();
    for (let n = 0; n < 5_000; n++) rig.callLog.add(`EL_${n}`, { last_line: 'x'.repeat(160) });
    const client = await rig.client();
    client.send({ watch: 'board' });
    await client.next((frame) => frame['type'] === 'board_snapshot' && frame['more'] === false);
    const snapshotBytes = client.texts.join('').length;
    client.ws.pause();
    for (let n = 0; n < 10; n++) client.send({ watch: 'board', id: n });
    client.send({ ping: 'last' });
    const [socket] = sockets;
    let most = 0;
    for (let waited = 0; waited < 2_000; waited++) {
      await turn();
      most = Math.max(most, socket?.writableLength ?? 0);
    }
    expect(most).toBeGreaterThan(BUFFER_HIGH_WATER_BYTES);
    expect(most).toBeLessThan(BUFFER_HIGH_WATER_BYTES + 1.5 * snapshotBytes);
    client.ws.resume();
    await client.next('pong');
    expect(client.frames.filter((frame) => frame['type'] === 'board_snapshot' && frame['more'] === false)).toHaveLength(11);
  });

  it('is closed with its position when it took nothing for ninety seconds', async () => {
    const runtime = seededRuntime(1);
    rig = await startRelay({ runtime });
    rig.callLog.add('EL_1');
    const slow = await rig.client({ user: 'bot' });
    slow.send({ subscribe: 'EL_1' });
    await slow.next('subscription_confirmed');
    slow.ws.pause();
    for (let n = 0; n < 2_000; n++) await rig.say('EL_1', 'x'.repeat(8_000));
    await turn();
    const cutLine = (): RelayRig['lines'][number] | undefined => rig.lines.find(({ message }) => message === 'Slow consumer closed');
    // It counts from the moment when the kernel's own buffers are full.
    let seconds = 0;
    for (; seconds < 3 * (SLOW_CONSUMER_MS / 1_000) && cutLine() === undefined; seconds++) {
      runtime.advance(1_000);
      await turn();
    }
    expect(seconds).toBeGreaterThan(SLOW_CONSUMER_MS / 1_000);
    const cut = cutLine();
    const { EL_1: position } = JSON.parse(String(cut?.fields['positions'])) as { EL_1: number };
    slow.ws.resume();
    expect((await slow.closed).code).toBe(4001);
    const seqs = slow.frames.flatMap((frame) => (frame['seq'] === undefined ? [] : [frame['seq']]));
    expect(seqs).toEqual(Array.from({ length: position }, (_, place) => place + 1));
    expect(slow.frames.at(-1)).toMatchObject({ type: 'error', code: 'slow_consumer', ref: { EL_1: position } });
    expect(await rig.metrics.text()).toContain('earshot_deliveries_failed_total 1');
  });
});
