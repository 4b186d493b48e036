/** The Pub/Sub bus on the emulator when connections die, subscriptions vanish, relays leave theirs behind, and nobody answers. */
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BusMessage } from '../../ports/event-bus.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { Hop } from '../chaos/hop.ts';
import { google, hosts } from '../fixtures/google.ts';
import { pubsubRig, type PubsubRig } from '../fixtures/pubsub.ts';

/** Whatever a bus promises to end, it ends by then. */
const PATIENCE = { timeout: 30_000 };
const WATCH_MS = 200;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const call = (n: number): BusMessage => ({ kind: 'events', tenant: 't1', call_sid: `EL_${n}`, epoch: '1.a', first_seq: 1, texts: ['{"seq":1}'], at: 5 });

/** Keeps which calls were told of, and how often. */
const ear = (): { readonly heard: Map<string, number>; readonly take: (message: BusMessage) => void } => {
  const heard = new Map<string, number>();
  return {
    heard,
    take: (message) => {
      if (message.kind === 'events') heard.set(message.call_sid, (heard.get(message.call_sid) ?? 0) + 1);
    },
  };
};

describe.skipIf(google === null)('the Pub/Sub bus', () => {
  let rig: PubsubRig;
  const toClose: (() => Promise<void>)[] = [];
  beforeEach(async () => {
    rig = await pubsubRig();
    toClose.push(() => rig.close());
  });
  afterEach(async () => {
    for (const close of toClose.splice(0)) await close();
  });

  /** The emulator behind a hop, and a hole that swallows what is under way for good. */
  const behindHop = async (): Promise<{ readonly apiEndpoint: string; readonly hop: Hop; hole(open: boolean): void }> => {
    const hop = new Hop({ name: 'pubsub', listen: { port: 0 }, targets: () => [{ port: Number(hosts().pubsubHost.split(':')[1]) }], random: () => 0 });
    const { port } = (await hop.listen()) as { readonly port: number };
    toClose.push(() => hop.close());
    return { apiEndpoint: `127.0.0.1:${port}`, hop, hole: (open) => void (hop.weather = { delayMs: 0, bytesPerSecond: null, sliceBytes: null, hole: open }) };
  };

  /** A server that takes connections and says nothing. */
  const silent = async (): Promise<string> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    toClose.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          for (const socket of sockets) socket.destroy();
        }),
    );
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  describe('its subscription', () => {
    it('is announced before it is made, of its own name and bounds, and gone when it is closed', async () => {
      const bus = rig.bus();
      const subscription = await bus.subscribe(ear().take);
      const [name = ''] = await rig.subscriptions();
      expect(name).toMatch(/^earshot-relay-[0-9a-f]{16}$/);
      expect(rig.life.said).toEqual([`renew ${name}`]);
      const [metadata] = await rig.admin.subscription(name).getMetadata();
      expect(metadata).toMatchObject({
        labels: { earshot: 'relay' },
        ackDeadlineSeconds: 10,
        messageRetentionDuration: { seconds: '600' },
        expirationPolicy: { ttl: { seconds: '86400' } },
        enableMessageOrdering: false,
        enableExactlyOnceDelivery: false,
        deadLetterPolicy: null,
      });
      await subscription.close();
      expect(await rig.subscriptions()).toEqual([]);
      expect(rig.life.said).toEqual([`renew ${name}`, `gone ${name}`]);
    });

    it('is made again under another name when it was deleted, and hears what follows', async () => {
      const { heard, take } = ear();
      const bus = rig.bus({ watchMs: WATCH_MS });
      await bus.subscribe(take);
      const [first = ''] = await rig.subscriptions();
      await rig.admin.subscription(first).delete();
      await expect.poll(() => rig.subscriptions(), PATIENCE).toEqual([expect.not.stringMatching(first)]);
      await bus.publish(call(1));
      await expect.poll(() => heard.get('EL_1'), PATIENCE).toBe(1);
      await expect.poll(() => rig.life.said.includes(`gone ${first}`), PATIENCE).toBe(true);
    });

    it('is made again when its topic was deleted and came back', async () => {
      const { heard, take } = ear();
      const bus = rig.bus({ watchMs: WATCH_MS });
      await bus.subscribe(take);
      await rig.admin.topic(rig.topic).delete();
      await expect.poll(() => rig.subscriptions(), PATIENCE).toEqual([]);
      await rig.admin.createTopic(rig.topic);
      await expect.poll(() => rig.subscriptions(), PATIENCE).toHaveLength(1);
      await bus.publish(call(1));
      await expect.poll(() => heard.get('EL_1'), PATIENCE).toBe(1);
    });

    it('is made when whoever keeps the book of lives answers again', async () => {
      let asked = 0;
      const life = { ...rig.life, renew: (name: string) => (asked++ === 0 ? Promise.reject(new Error('down')) : rig.life.renew(name)) };
      await rig.bus({ life }).subscribe(ear().take);
      expect(asked).toBe(2);
      expect(await rig.subscriptions()).toHaveLength(1);
    });
  });

  describe('its stream', () => {
    /** Says something again and again until it is heard: what is said while nobody listens is lost, as on any bus. */
    const heardAgain = async (heard: ReadonlyMap<string, number>, after: number): Promise<void> => {
      const speaker = rig.bus();
      for (let n = after; ![...heard.keys()].some((name) => Number(name.slice(3)) >= after); n++) {
        await speaker.publish(call(n));
        if (n - after > 200) throw new Error('nothing was heard');
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    };

    it('is made anew over another connection, and the subscription with it, when the one it had is dead', async () => {
      const { apiEndpoint, hole } = await behindHop();
      const { heard, take } = ear();
      await rig.bus({ apiEndpoint, watchMs: WATCH_MS }).subscribe(take);
      const [first = ''] = await rig.subscriptions();
      hole(true);
      await expect.poll(() => rig.lines.some(({ fields }) => fields['reason'] === 'connection'), PATIENCE).toBe(true);
      hole(false);
      await heardAgain(heard, 1_000);
      await expect.poll(() => rig.subscriptions(), PATIENCE).toEqual([expect.not.stringMatching(first)]);
      expect(rig.life.alive.size).toBe(1);
    });

    it('goes on when its connections are cut', async () => {
      const { apiEndpoint, hop } = await behindHop();
      const { heard, take } = ear();
      await rig.bus({ apiEndpoint, watchMs: WATCH_MS }).subscribe(take);
      for (let n = 1; n <= 3; n++) {
        await hop.suffer('reset', 0);
        await heardAgain(heard, n * 1_000);
      }
    });

    it('is replaced from time to time however well it looks, and nothing is lost', async () => {
      const { heard, take } = ear();
      const bus = rig.bus({ watchMs: 50, streamMaxMs: 100 });
      await bus.subscribe(take);
      for (let n = 0; n < 100; n++) await bus.publish(call(n));
      await expect.poll(() => heard.size, PATIENCE).toBe(100);
      expect(rig.lines.filter(({ fields }) => fields['reason'] !== undefined)).toEqual([]);
    });

    it('takes 10,000 that come at once without holding them', async () => {
      /** What is held, not what nobody has collected yet. */
      const held = (): number => {
        collect();
        const { heapUsed, external } = process.memoryUsage();
        return heapUsed + external;
      };
      const heard = new Set<string>();
      const before = held();
      let most = 0;
      await rig.bus().subscribe((message) => {
        if (message.kind !== 'events') return;
        heard.add(message.call_sid);
        if (heard.size % 1_000 === 0) most = Math.max(most, held() - before);
      });
      const topic = rig.admin.topic(rig.topic, { batching: { maxMessages: 500, maxBytes: 8 * 1024 * 1024 } });
      const data = Buffer.from('x'.repeat(10_000));
      for (let from = 0; from < 10_000; from += 500) {
        const attributes = (n: number): Record<string, string> => ({ kind: 'events', tenant: 't1', call_sid: `EL_${from + n}`, epoch: '1.a', first_seq: '1', texts: '1', at: '5' });
        await Promise.all(Array.from({ length: 500 }, (_, n) => topic.publishMessage({ data, attributes: attributes(n) })));
      }
      await expect.poll(() => heard.size, { timeout: 100_000 }).toBe(10_000);
      // Of 100 MB; a publication of 500 may be under way beside it.
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(50_000_000);
    });

    it('acknowledges and drops what is not understood, once', async () => {
      const { heard, take } = ear();
      // Minutes pass in no time, so that each is noted; what is not acknowledged comes again with every new stream.
      const faster = 1_000_000;
      const runtime = { ...systemRuntime(), monotonic: () => performance.now() * faster };
      await rig.bus({ runtime, watchMs: 100, streamMaxMs: 1_000 * faster }).subscribe(take);
      const dropped = (): number => rig.lines.filter(({ message }) => message.includes('not understood')).reduce((sum, { fields }) => sum + Number(fields['count']), 0);
      const topic = rig.admin.topic(rig.topic);
      await topic.publishMessage({ data: Buffer.from('\u0000\u0001not ours'), attributes: {} });
      await topic.publishMessage({ data: Buffer.from('{}'), attributes: { kind: 'events', tenant: 't1' } });
      await expect.poll(dropped, PATIENCE).toBe(2);
      const replaced = (): number => rig.lines.filter(({ message }) => message.includes('is replaced')).length;
      const before = replaced();
      await expect.poll(replaced, PATIENCE).toBeGreaterThanOrEqual(before + 3);
      await rig.bus().publish(call(1));
      await expect.poll(() => heard.size, PATIENCE).toBe(1);
      expect(dropped()).toBe(2);
      expect(JSON.stringify(rig.lines)).not.toContain('not ours');
    });

    it('hands on what comes twice', async () => {
      const { heard, take } = ear();
      const bus = rig.bus();
      await bus.subscribe(take);
      await Promise.all([bus.publish(call(1)), bus.publish(call(1))]);
      await expect.poll(() => heard.get('EL_1'), PATIENCE).toBe(2);
    });
  });

  describe('where nobody answers', () => {
    it('rejects a publication and a sweep within their bounds', async () => {
      const refused = rig.bus({ apiEndpoint: '127.0.0.1:1' });
      const unheard = rig.bus({ apiEndpoint: await silent() });
      const started = performance.now();
      const asked = [refused.publish(call(1)), unheard.publish(call(1)), unheard.sweep()];
      await Promise.all(asked.map((each) => expect(each).rejects.toMatchObject({ code: 'store_unavailable' })));
      // 5 s, 10 s for the sweep, and a machine that is busy.
      expect(performance.now() - started).toBeLessThan(20_000);
    });

    it('rejects a publication to a topic that is not there', async () => {
      await expect(rig.bus({ topic: 'other' }).publish(call(1))).rejects.toMatchObject({ code: 'store_unavailable' });
    });

    it('closes while it is still connecting', async () => {
      const bus = rig.bus({ apiEndpoint: await silent() });
      const subscribed = bus.subscribe(ear().take).then(
        () => 'subscribed',
        (error: unknown) => (error as { code?: unknown }).code,
      );
      await bus.close();
      expect(await subscribed).toBe('store_unavailable');
      await expect(bus.publish(call(1))).rejects.toMatchObject({ code: 'store_unavailable' });
      await expect(bus.subscribe(ear().take)).rejects.toMatchObject({ code: 'store_unavailable' });
    });

    it('closes within its bound, and what it had to leave behind is swept', async () => {
      const { apiEndpoint, hole } = await behindHop();
      const subscription = await rig.bus({ apiEndpoint }).subscribe(ear().take);
      const [name = ''] = await rig.subscriptions();
      hole(true);
      await subscription.close();
      expect(await rig.subscriptions()).toEqual([name]);
      const janitor = rig.bus();
      expect(await janitor.sweep()).toBe(0);
      rig.life.alive.delete(name);
      expect(await janitor.sweep()).toBe(1);
      expect(await rig.subscriptions()).toEqual([]);
    });
  });

  describe('the sweep', () => {
    it('removes what was left behind, and nothing of what lives or is not ours', async () => {
      const { heard, take } = ear();
      const bus = rig.bus();
      await bus.subscribe(take);
      const [alive = ''] = await rig.subscriptions();
      await rig.admin.createTopic('other');
      for (const [topic, name, labels] of [
        ['events', 'earshot-relay-orphan1', { earshot: 'relay' }],
        ['events', 'earshot-relay-orphan2', { earshot: 'relay' }],
        ['events', 'somebody-elses', {}],
        ['events', 'another-part-of-ours', { earshot: 'archive' }],
        ['other', 'earshot-relay-of-another-topic', { earshot: 'relay' }],
      ] as const)
        await rig.admin.createSubscription(topic, name, { labels });
      expect(await bus.sweep()).toBe(2);
      expect([...(await rig.subscriptions())].sort()).toEqual(['another-part-of-ours', alive, 'earshot-relay-of-another-topic', 'somebody-elses'].sort());
      expect(await bus.sweep()).toBe(0);
      await bus.publish(call(1));
      await expect.poll(() => heard.get('EL_1'), PATIENCE).toBe(1);
    });

    it('goes on with the next when one cannot be judged', async () => {
      for (const name of ['earshot-relay-a', 'earshot-relay-b']) await rig.admin.createSubscription('events', name, { labels: { earshot: 'relay' } });
      const life = { ...rig.life, takeOver: (name: string) => (name.endsWith('a') ? Promise.reject(new Error('down')) : rig.life.takeOver(name)) };
      expect(await rig.bus({ life }).sweep()).toBe(1);
      expect(await rig.subscriptions()).toEqual(['earshot-relay-a']);
    });

    it('leaves a relay that it took for dead one that it can make anew', async () => {
      const { heard, take } = ear();
      const bus = rig.bus({ watchMs: WATCH_MS });
      await bus.subscribe(take);
      const [first = ''] = await rig.subscriptions();
      rig.life.alive.delete(first);
      expect(await rig.bus().sweep()).toBe(1);
      await expect.poll(() => rig.subscriptions(), PATIENCE).toEqual([expect.not.stringMatching(first)]);
      await bus.publish(call(1));
      await expect.poll(() => heard.get('EL_1'), PATIENCE).toBe(1);
    });
  });
});
