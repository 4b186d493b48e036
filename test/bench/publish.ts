/**
 * What a publication costs whoever waits for it: one message after another, as a function publishes while its webhook waits. Beside
 * Google's client library as it is, which holds a message back for company, and told not to.
 */
import { PubSub } from '@google-cloud/pubsub';
import { startPubsubSource } from '../fixtures/pubsub-source.ts';
import { percentile, type Bench, type Measured } from './harness/figures.ts';
import { emulator } from './harness/emulator.ts';
import { startProcess } from './harness/process.ts';
import { PROJECT, TOPIC } from './servers/bus.ts';
import { EVENT_BYTES } from './servers/feeding.ts';

/** Ours; the stock client with `maxMessages: 1`; the stock client. */
const PUBLISHERS = ['this', 'one', 'default'] as const;
type Publisher = (typeof PUBLISHERS)[number];

/** The default is slow by intent: fewer of it say enough. */
const COUNT: Readonly<Record<Publisher, number>> = { this: 600, one: 600, default: 100 };
const WARM_UP = 150;

interface Price {
  readonly p50Ms: number;
  readonly cpuUs: number;
}

/** @param published how many the other side has by now; null: it does not say */
const measure = async (publisher: Publisher, host: string, published: (() => number) | null): Promise<Price> => {
  const count = COUNT[publisher];
  const process = await startProcess('servers/publish.ts', { env: { PUBSUB_HOST: host, PUBLISHER: publisher, METADATA_SERVER_DETECTION: 'none' } });
  try {
    await process.ask('publish', Math.min(WARM_UP, count));
    const [before, had] = [await process.usage(), published?.() ?? 0];
    const took = await process.ask<readonly number[]>('publish', count);
    const { cpuUs } = await process.usage();
    if (published !== null && published() - had !== count) throw new Error(`${published() - had} of ${count} publications came`);
    return { p50Ms: percentile(took, 0.5), cpuUs: (cpuUs - before.cpuUs) / count };
  } finally {
    await process.end();
  }
};

export const publishBench: Bench = {
  name: 'publish',
  what: 'a publication of one event, one after another: how long it takes and what CPU, beside the stock client',
  run: async (rounds, say) => {
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    const prices: Record<string, Record<Publisher, Price[]>> = {};
    const emulated = await emulator();
    const source = await startPubsubSource();
    try {
      const hosts: readonly (readonly [string, string, (() => number) | null])[] = [
        ['gRPC server', source.host, () => source.published.length],
        ...(emulated === null ? [] : [["Google's emulator", emulated.pubsubHost, null] as const]),
      ];
      if (emulated !== null) {
        const admin = new PubSub({ projectId: PROJECT, apiEndpoint: emulated.pubsubHost, emulatorMode: true });
        await admin.createTopic(TOPIC);
        await admin.close();
      }
      for (let round = 1; round <= rounds; round++) {
        say(`round ${round} of ${rounds}`);
        for (const [name, host, published] of hosts) {
          for (const publisher of PUBLISHERS) ((prices[name] ??= { this: [], one: [], default: [] })[publisher]).push(await measure(publisher, host, published));
        }
      }
    } finally {
      source.close();
      await emulated?.close();
    }
    const beside = (name: string, of: Record<Publisher, Price[]>, what: keyof Price, baseline: Exclude<Publisher, 'this'>): Measured => ({
      what: `${name}, ${what === 'p50Ms' ? 'p50' : 'CPU'}`,
      unit: what === 'p50Ms' ? 'ms' : 'us per publication',
      ours: of.this.map((price) => price[what]),
      baseline: { name: baseline === 'one' ? 'stock, maxMessages: 1' : 'stock', values: of[baseline].map((price) => price[what]) },
      ...(baseline === 'one' ? { target: { of: 'ratio', bound: 'most', value: what === 'p50Ms' ? 1.2 : 0.9 } } : {}),
    });
    return {
      bench: 'publish',
      measured: Object.entries(prices).flatMap(([name, of]) => (['one', 'default'] as const).flatMap((baseline) => (['p50Ms', 'cpuUs'] as const).map((what) => beside(name, of, what, baseline)))),
      notes: [
        `Events of ${EVENT_BYTES} bytes with all their attributes, each published when the one before was taken; what came is counted.`,
        emulated === null ? "Google's emulator was not found: its rows are missing." : 'CPU of the publishing process alone; servers run on the other core.',
      ],
    };
  },
};
