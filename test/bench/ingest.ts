/**
 * What it costs to hear from Pub/Sub: CPU of the receiver for each message, beside Google's client library as one uses it first; and
 * of a whole relay from there to two viewers. Google's emulator cannot be told how many messages stand in a response, and is slower than
 * what is measured; so a gRPC server of our own stands in for it as well.
 */
import { PubSub } from '@google-cloud/pubsub';
import { encodeMessage } from '../../ports/event-bus.pubsub-message.ts';
import { responseOf, startPubsubSource, type PubsubSource } from '../fixtures/pubsub-source.ts';
import { emulator } from './harness/emulator.ts';
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import { openViewers, type Viewers } from './harness/viewers.ts';
import { PROJECT, TOPIC } from './servers/bus.ts';
import { callOf, epochOf, EVENT_BYTES, prepared } from './servers/feeding.ts';

/** How much is sent at which pace. */
interface Pace {
  readonly what: string;
  readonly responses: number;
  readonly each: number;
  readonly everyMs: number;
}

const ONE: Pace = { what: '1 message a response', responses: 1_500, each: 1, everyMs: 1 };
const TEN: Pace = { what: '10 a response', responses: 400, each: 10, everyMs: 5 };
const HUNDRED: Pace = { what: '100 a response', responses: 100, each: 100, everyMs: 20 };
/** On the emulator: publications so many at once. It chooses itself how they are parted. */
const EMULATED_ONE: Pace = { what: 'emulator, 1 at a time', responses: 600, each: 1, everyMs: 3 };
const EMULATED_HUNDRED: Pace = { what: 'emulator, 100 at a time', responses: 40, each: 100, everyMs: 50 };

const CALLS = 100;
const VIEWERS_EACH = 2;
const MOST_MS = 20_000;
/** A half of a course is sent before it and not measured. */
const WARM_UP = 2;
/** Acknowledgements wait a tenth of a second for company; they belong to what was heard. */
const SETTLE_MS = 150;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let course = 0;

/** Sends through a source of ours; answers how many messages. Each response is made before it is due. */
const sendThrough = (source: PubsubSource, name: string, calls: number) => {
  let sent = 0;
  return async ({ responses, each, everyMs }: Pace): Promise<number> => {
    const messages = prepared({ name, calls, events: responses * each, atOnce: each, everyMs, burst: false }).map(encodeMessage);
    const ready = Array.from({ length: responses }, (_, place) => responseOf(messages.slice(place * each, (place + 1) * each), (sent += each)).bytes);
    let due = performance.now();
    for (const [place, response] of ready.entries()) {
      // The stock client opens several streams; Pub/Sub sends a message on one of them.
      const stream = source.streams[place % source.streams.length];
      if (stream === undefined) throw new Error('the subscriber has no stream');
      stream.write(response);
      due = Math.max(due + everyMs, performance.now());
      await pause(Math.max(0, due - performance.now()));
    }
    return messages.length;
  };
};

type Send = (pace: Pace) => Promise<number>;

/** Microseconds of CPU that the process used for each message, while it heard all of them and no more. */
const priceOf = async (process: BenchProcess, send: Send, pace: Pace, heardAll: (messages: number) => Promise<void>): Promise<number> => {
  const once = async (part: Pace): Promise<number> => {
    const before = await process.usage();
    const messages = await send(part);
    await heardAll(messages);
    await pause(SETTLE_MS);
    return ((await process.usage()).cpuUs - before.cpuUs) / messages;
  };
  await once({ ...pace, responses: Math.ceil(pace.responses / WARM_UP) });
  return once(pace);
};

/** Waits until the receiver has counted so many since the last time. */
const counting = (process: BenchProcess): ((messages: number) => Promise<void>) => {
  let before = 0;
  return async (messages) => {
    const until = performance.now() + MOST_MS;
    for (;;) {
      const heard = await process.ask<{ readonly messages: number }>('heard');
      if (heard.messages - before >= messages) {
        if (heard.messages - before > messages) throw new Error(`${heard.messages - before} messages were heard instead of ${messages}`);
        before = heard.messages;
        return;
      }
      if (performance.now() > until) throw new Error(`${heard.messages - before} of ${messages} messages were heard`);
      await pause(50);
    }
  };
};

type Receiver = 'this' | 'stock';
type Prices = ReadonlyMap<string, number>;

/** A process that is measured again and again, so that what it runs is compiled, as in a relay that runs for days. */
interface Contender {
  /** The price of a message by what it was. */
  measure(): Promise<Prices>;
  end(): Promise<void>;
}

const environment = (host: string, receiver: Receiver): Readonly<Record<string, string>> => ({ PUBSUB_HOST: host, RECEIVER: receiver, METADATA_SERVER_DETECTION: 'none' });

const pricesOf = async (paces: readonly Pace[], price: (pace: Pace) => Promise<number>): Promise<Prices> => {
  const prices = new Map<string, number>();
  for (const pace of paces) prices.set(pace.what, await price(pace));
  return prices;
};

const receives = async (receiver: Receiver): Promise<Contender> => {
  const source = await startPubsubSource();
  const process = await startProcess('servers/receive.ts', { env: environment(source.host, receiver) });
  await source.open(1);
  const heardAll = counting(process);
  return {
    measure: () => pricesOf(PACES, (pace) => priceOf(process, sendThrough(source, `r${++course}`, CALLS), pace, heardAll)),
    end: async () => {
      await process.end();
      source.close();
    },
  };
};

const receivesEmulated = async (pubsubHost: string, receiver: Receiver): Promise<Contender> => {
  const process = await startProcess('servers/receive.ts', { env: environment(pubsubHost, receiver) });
  const pubsub = new PubSub({ projectId: PROJECT, apiEndpoint: pubsubHost, emulatorMode: true });
  const heardAll = counting(process);
  const send: Send = async ({ responses, each, everyMs }) => {
    const topic = pubsub.topic(topicOf(receiver), { batching: { maxMessages: each, maxMilliseconds: 1 } });
    const messages = prepared({ name: `e${++course}`, calls: CALLS, events: responses * each, atOnce: each, everyMs, burst: false }).map(encodeMessage);
    for (let from = 0; from < messages.length; from += each) {
      await Promise.all([...messages.slice(from, from + each).map(({ data, attributes }) => topic.publishMessage({ data, attributes: { ...attributes } })), pause(everyMs)]);
    }
    return messages.length;
  };
  return {
    measure: () => pricesOf(EMULATED, (pace) => priceOf(process, send, pace, heardAll)),
    end: async () => {
      await process.end();
      await pubsub.close();
    },
  };
};

/** A relay on Pub/Sub, CALLS calls with two viewers each; of ours also what it costs to hear of calls that nobody watches. */
const relays = async (receiver: Receiver): Promise<Contender> => {
  const source = await startPubsubSource();
  const process = await startProcess(receiver === 'this' ? 'servers/relay.ts' : 'servers/naive-ws.ts', { env: environment(source.host, receiver) });
  await source.open(1);
  const { port, token = '' } = await process.ask<{ readonly port: number; readonly token?: string }>('listening');
  const ours = receiver === 'this';

  /** Fresh in each round: they answer no pings, and ours lets nobody stay who does not. */
  const audience = async (name: string): Promise<Viewers> => {
    if (ours) await process.ask('calls', { name, calls: CALLS });
    const callSid = (viewer: number): string => callOf(name, viewer % CALLS);
    return openViewers(CALLS * VIEWERS_EACH, {
      port,
      path: () => (ours ? '/ws' : '/'),
      headers: () => (ours ? [`sec-websocket-protocol: earshot.v1, bearer.${token}`] : []),
      says: (viewer) => [JSON.stringify({ subscribe: callSid(viewer), ...(ours ? { since: { epoch: epochOf(callSid(viewer)), seq: 0 } } : {}) })],
      readyFrames: ours ? 3 : 1,
    });
  };
  const watched = async (viewers: Viewers, name: string, pace: Pace): Promise<number> => {
    viewers.count(EVENT_BYTES);
    let frames = 0;
    return priceOf(process, sendThrough(source, name, CALLS), pace, (messages) => viewers.reached((frames += messages * VIEWERS_EACH), MOST_MS));
  };
  /** Acknowledged is what nobody here watches, and nobody here gets a frame of it. */
  const unwatched = async (viewers: Viewers, pace: Pace): Promise<number> => {
    await quiet(source);
    viewers.count(EVENT_BYTES);
    let told = source.acked.length;
    return priceOf(process, sendThrough(source, `u${++course}`, CALLS), pace, async (messages) => {
      await quiet(source);
      if (source.acked.length - told !== messages || viewers.counted() > 0) throw new Error(`${source.acked.length - told} of ${messages} were acknowledged, ${viewers.counted()} frames came`);
      told = source.acked.length;
    });
  };
  return {
    measure: async () => {
      const name = `w${++course}`;
      const viewers = await audience(name);
      const prices = new Map<string, number>();
      try {
        for (const pace of RELAYED) {
          prices.set(WHOLE + pace.what, await watched(viewers, name, pace));
          if (ours) prices.set(UNWATCHED + pace.what, await unwatched(viewers, pace));
        }
      } finally {
        viewers.close();
      }
      return prices;
    },
    end: async () => {
      await process.end();
      source.close();
    },
  };
};

/** Resolves when no acknowledgement is under way any more. */
const quiet = async (source: PubsubSource): Promise<void> => {
  const before = source.acked.length;
  await pause(SETTLE_MS);
  if (source.acked.length !== before) await quiet(source);
};

const RECEIVERS: readonly Receiver[] = ['this', 'stock'];
const PACES = [ONE, TEN, HUNDRED];
const EMULATED = [EMULATED_ONE, EMULATED_HUNDRED];
const RELAYED = [ONE, TEN];
const WHOLE = 'whole relay to 2 viewers, ';
const UNWATCHED = 'of a call that nobody watches, ';

/** Each receiver has a topic of its own: neither hears what is meant for the other. */
const topicOf = (receiver: Receiver): string => (receiver === 'this' ? TOPIC : `${TOPIC}-stock`);

const makeTopics = async (pubsubHost: string): Promise<void> => {
  const admin = new PubSub({ projectId: PROJECT, apiEndpoint: pubsubHost, emulatorMode: true });
  for (const receiver of RECEIVERS) await admin.createTopic(topicOf(receiver));
  await admin.close();
};

export const ingestBench: Bench = {
  name: 'ingest',
  what: 'CPU for each message of Pub/Sub that is heard, and for each event of a whole relay, beside the stock client',
  run: async (rounds, say) => {
    process.env['METADATA_SERVER_DETECTION'] = 'none';
    const values = new Map<string, number[]>();
    const emulated = await emulator();
    const contenders: [Receiver, Contender][] = [];
    try {
      if (emulated !== null) await makeTopics(emulated.pubsubHost);
      for (const receiver of RECEIVERS) {
        contenders.push([receiver, await receives(receiver)]);
        if (emulated !== null) contenders.push([receiver, await receivesEmulated(emulated.pubsubHost, receiver)]);
        contenders.push([receiver, await relays(receiver)]);
      }
      // One more that is not kept: in it everything is compiled.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const [receiver, contender] of contenders) {
          for (const [what, price] of await contender.measure()) if (round > 0) values.set(`${what}|${receiver}`, [...(values.get(`${what}|${receiver}`) ?? []), price]);
        }
      }
    } finally {
      for (const [, contender] of contenders) await contender.end();
      await emulated?.close();
    }
    const of = (what: string, whose: string): number[] => values.get(`${what}|${whose}`) ?? [];
    const beside = (what: string, most?: number): Measured => ({
      what,
      unit: 'us CPU per message',
      ours: of(what, 'this'),
      baseline: { name: 'stock client', values: of(what, 'stock') },
      ...(most === undefined ? {} : { target: { of: 'ratio', bound: 'most', value: most } }),
    });
    const dropped = ({ what }: Pace, most?: number): Measured => ({
      ...beside(UNWATCHED + what, most),
      baseline: { name: 'this, watched by 2', values: of(WHOLE + what, 'this') },
    });
    return {
      bench: 'ingest',
      measured: [
        beside(ONE.what, 0.7),
        beside(TEN.what),
        beside(HUNDRED.what),
        ...(emulated === null ? [] : EMULATED.map(({ what }) => beside(what))),
        beside(WHOLE + ONE.what, 0.7),
        beside(WHOLE + TEN.what),
        dropped(ONE, 0.5),
        dropped(TEN, 0.5),
      ],
      notes: [
        `Each process is measured again and again, after one round that is not kept. Events of ${EVENT_BYTES} bytes; 1,000 messages a second one by one, 2,000 in tens, 5,000 in hundreds, from a gRPC server of our own; every message is counted and every frame, and one too many fails as one too few does.`,
        `The relay: ${CALLS} calls with ${VIEWERS_EACH} viewers each. Naive: on('message'), JSON.parse, JSON.stringify, ws.send. Ours as shipped, with rights, cursors, metrics, log lines.`,
        emulated === null ? "Google's emulator was not found: its rows are missing." : "The emulator parts messages as it likes: its rows say what is heard of it, not how many stood in a response.",
      ],
    };
  },
};
