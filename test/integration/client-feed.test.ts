import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type * as Library from '../../client/index.ts';
import type { CallUpdate, ConnectOptions, Feed } from '../../client/index.ts';
import { buildClientPackage } from '../../scripts/client-package.ts';
import { limited, startRelay, tokenOf, type RelayRig } from '../fixtures/relay.ts';
import { startWsHop, type WsHop } from '../fixtures/ws-hop.ts';

const range = (to: number): number[] => Array.from({ length: to }, (_, place) => place + 1);

/** All that one follower is told, and a way to wait for it. */
class Told {
  readonly updates: CallUpdate[] = [];
  #waits: (() => void)[] = [];

  readonly take = (update: CallUpdate): void => {
    this.updates.push(update);
    for (const look of this.#waits) look();
  };
  get seqs(): number[] {
    return this.updates.flatMap((update) => (update.kind === 'event' ? [update.event.seq] : []));
  }
  of(...kinds: CallUpdate['kind'][]): CallUpdate[] {
    return this.updates.filter(({ kind }) => kinds.includes(kind));
  }
  get proofs(): string[] {
    return this.updates.flatMap((update) => (update.kind === 'sealed' ? [update.proof] : []));
  }
  until(true_: (told: this) => boolean, what: string): Promise<void> {
    return limited(
      new Promise((resolve) => {
        const look = (): void => {
          if (true_(this)) resolve();
        };
        this.#waits.push(look);
        look();
      }),
      what,
    );
  }
}

/** The library as it is written, and as it is published, with the names of its inside shortened. */
const libraries: readonly (readonly [string, (folder: string) => Promise<typeof Library>])[] = [
  ['as it is written', () => import('../../client/index.ts')],
  [
    'as it is published',
    async (folder) => {
      await buildClientPackage(folder);
      return (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'index.js')).href)) as typeof Library;
    },
  ],
];

describe.each(libraries)('the client library behind a hop of a real relay, %s', (_how, load) => {
  let connect: typeof Library.connect;
  let FeedStopped: typeof Library.FeedStopped;
  const folder = mkdtempSync(join(tmpdir(), 'earshot-client-feed-'));
  beforeAll(async () => {
    ({ connect, FeedStopped } = await load(folder));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let rig: RelayRig;
  let hop: WsHop;
  const feeds: Feed[] = [];
  beforeEach(async () => {
    rig = await startRelay();
    hop = await startWsHop(rig);
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
  });
  afterEach(async () => {
    for (const feed of feeds.splice(0)) feed.close();
    await hop.close();
    await rig.close();
  });
  const open = (options: Partial<ConnectOptions> = {}): Feed => {
    const feed = connect({ url: hop.url, token: () => tokenOf('ann'), ...options });
    feeds.push(feed);
    return feed;
  };
  const follow = (feed: Feed, id = 'EL_1'): Told => {
    const told = new Told();
    feed.call(id, told.take);
    return told;
  };
  const finish = (): Promise<void> => rig.publish('EL_1', rig.callLog.finish('EL_1'));
  const isSubscribe = (message: Record<string, unknown>): boolean => 'subscribe' in message;

  it('proves nothing where one letter of one event was changed on the way', async () => {
    hop.change = (text) => [text.replace('at the depot', 'at the dep0t')];
    rig.callLog.say('EL_1', 'hello', 'I am at the depot', 'fine');
    const told = follow(open());
    await told.until(({ seqs }) => seqs.length === 3, 'what was said');
    await finish();
    await told.until(({ proofs }) => proofs.length > 0, 'the proof');
    expect([told.seqs, told.proofs]).toEqual([range(6), ['incomplete']]);
  });

  it('takes each event once and in order from a server that doubles, repeats, makes up and babbles', async () => {
    const sent: string[] = [];
    const junk = ['not json', '[]', 'null', '7', '{}', '{"type":"of_tomorrow","call_sid":"EL_1","seq":"x"}', '{"type":"transcription","call_sid":"EL_of_others","seq":1}', '{"type":"heartbeat"}', '{"type":"system_message","data":7}'];
    hop.change = (text) => {
      if (!text.includes('"seq"')) return [text, ...junk];
      sent.push(text);
      return [text, text, ...junk, ...sent];
    };
    rig.callLog.say('EL_1', 'one', 'two');
    const feed = open();
    const told = follow(feed);
    await told.until(({ seqs }) => seqs.length === 2, 'history');
    await rig.say('EL_1', 'three');
    await finish();
    await told.until(({ proofs }) => proofs.length > 0, 'the proof');
    expect([told.seqs, told.proofs, told.of('reset', 'lost', 'error')]).toEqual([range(6), ['complete'], []]);
    expect(hop.asked.filter(isSubscribe)).toHaveLength(1);
  });

  it('asks again from where it is for what was dropped on the way, and proves the call complete', async () => {
    let dropped = 0;
    hop.change = (text) => (text.includes('"seq":2,') && dropped++ === 0 ? [] : [text]);
    const told = follow(open());
    await told.until(({ updates }) => updates.length === 1, 'the confirmation');
    await rig.say('EL_1', 'one', 'two', 'three');
    await finish();
    await told.until(({ proofs }) => proofs.length > 0, 'the proof');
    expect([told.seqs, told.proofs, dropped]).toEqual([range(6), ['complete'], 2]);
    expect(hop.asked.filter(isSubscribe)[1]).toEqual({ subscribe: [{ id: 'EL_1', since: { epoch: '1.EL_1', seq: 1 } }] });
  });

  it('says which events are gone from the log, goes on behind them, and claims no proof', async () => {
    rig.callLog.say('EL_1', 'one', 'two', 'three', 'four');
    rig.callLog.lose('EL_1', 2, 3);
    const told = follow(open());
    await told.until(({ seqs }) => seqs.includes(4), 'what is left');
    await finish();
    await told.until(({ proofs }) => proofs.length > 0, 'the proof');
    expect([told.seqs, told.of('lost'), told.proofs]).toMatchObject([[1, 4, 5, 6, 7], [{ kind: 'lost', from: 2, to: 3 }], ['incomplete']]);
  });

  it('tells each handler what its kind of update carries, as a method of what it was given', async () => {
    rig.callLog.say('EL_1', 'one', 'two', 'three', 'four');
    rig.callLog.lose('EL_1', 2, 3);
    const told: unknown[] = [];
    const feed = open();
    const sealed = new Promise<void>((resolve) => {
      class Handlers {
        readonly told = told;
        onConfirmed(...carried: unknown[]): void {
          this.told.push(['confirmed', ...carried]);
        }
        onEvent(...carried: { readonly seq: number }[]): void {
          this.told.push(['event', ...carried.map(({ seq }) => seq)]);
        }
        onLost(...carried: unknown[]): void {
          this.told.push(['lost', ...carried]);
        }
        onSealed(...carried: unknown[]): void {
          this.told.push(['sealed', ...carried]);
          resolve();
        }
        onError(...carried: unknown[]): void {
          this.told.push(['error', ...carried]);
        }
      }
      feed.call('EL_1', new Handlers());
      feed.call('EL_none', new Handlers());
    });
    await follow(feed).until(({ seqs }) => seqs.includes(4), 'what is left');
    await finish();
    await limited(sealed, 'the proof');
    expect(told).toContainEqual(['error', 'call_not_found']);
    expect(told.filter((one) => (one as unknown[])[0] !== 'error')).toEqual([
      ['confirmed', { callSid: 'EL_1', conversationId: 'conv_1', epoch: '1.EL_1', status: 'in_progress' }],
      ['event', 1],
      ['lost', 2, 3],
      ...[4, 5, 6, 7].map((seq) => ['event', seq]),
      ['sealed', 'incomplete'],
    ]);
  });

  it('goes over to polls from the same position where WebSockets are refused in the middle of a call', async () => {
    const feed = open();
    const told = follow(feed);
    await rig.say('EL_1', 'one');
    await told.until(({ seqs }) => seqs.length === 1, 'the first word');
    hop.refusing = true;
    hop.cut();
    const asked = hop.asked.length;
    await rig.say('EL_1', 'two');
    await told.until(({ seqs }) => seqs.length === 2, 'the second word');
    expect([feed.connection.via, hop.asked.length]).toEqual(['poll', asked]);
    await finish();
    await told.until(({ proofs }) => proofs.length > 0, 'the proof');
    expect([told.seqs, told.proofs, told.of('reset', 'lost', 'error')]).toEqual([range(5), ['complete'], []]);
  });

  it('gives a fresh token in band before the old one ends, and stays on its socket', async () => {
    const asked: number[] = [];
    const first = tokenOf('ann', Math.floor(Date.now() / 1000) + 61);
    const feed = open({ token: () => (asked.push(asked.length) === 1 ? first : tokenOf('ann')) });
    let accepted = (): void => undefined;
    const acceptance = new Promise<void>((resolve) => (accepted = resolve));
    hop.change = (text) => {
      if (text.includes('token_accepted')) accepted();
      return [text];
    };
    await limited(acceptance, 'the relay to take the fresh token');
    expect(hop.asked.filter((message) => 'auth' in message)).toEqual([{ auth: tokenOf('ann') }]);
    expect([asked, feed.connection.via]).toEqual([[0, 1], 'socket']);
  });

  it('has one subscription for all who follow a call, and ends it with the last of them', async () => {
    rig.callLog.say('EL_1', 'one', 'two');
    const feed = open();
    const [first, second] = [new Told(), new Told()];
    const one = feed.call('EL_1', first.take);
    await first.until(({ seqs }) => seqs.length === 2, 'history');
    const other = feed.call('EL_1', { onEvent: (event) => second.take({ kind: 'event', event }) });
    await rig.say('EL_1', 'three');
    await second.until(({ seqs }) => seqs.length === 3, 'the third word');
    expect([first.seqs, second.seqs]).toEqual([range(3), range(3)]);
    one.close();
    await rig.say('EL_1', 'four');
    await second.until(({ seqs }) => seqs.length === 4, 'the fourth word');
    expect(first.seqs).toEqual(range(3));
    expect(hop.asked).toEqual([{ subscribe: [{ id: 'EL_1' }] }]);
    other.close();
    const again = follow(feed);
    await again.until(({ seqs }) => seqs.length === 4, 'all of it anew');
    expect(hop.asked.slice(1)).toEqual([{ unsubscribe: 'EL_1' }, { subscribe: [{ id: 'EL_1' }] }]);
  });

  it('can be iterated over, from the first event to the proof, and leaves the call with the loop', async () => {
    rig.callLog.say('EL_1', 'one');
    const feed = open();
    const seqs: number[] = [];
    const reading = (async (): Promise<string | undefined> => {
      for await (const update of feed.call('conv_1')) {
        if (update.kind === 'sealed') return update.proof;
        if (update.kind !== 'event') continue;
        seqs.push(update.event.seq);
        if (update.event.seq === 1) await finish();
      }
      return undefined;
    })();
    expect(await limited(reading, 'the proof')).toBe('complete');
    const last = follow(feed);
    await last.until(({ proofs }) => proofs.length > 0, 'another reader');
    expect([seqs, hop.asked]).toEqual([range(4), [{ subscribe: [{ id: 'conv_1' }] }, { unsubscribe: 'conv_1' }, { subscribe: [{ id: 'EL_1' }] }]]);
  });

  it('throws the code out of every loop where the relay ends it for good, and ends them quietly at the wish of the page', async () => {
    const wrong = open({ token: () => 'bad.token.here' });
    const loop = async (feed: Feed): Promise<number> => {
      let seen = 0;
      for await (const rows of feed.board()) seen += rows.length;
      for await (const update of feed.call('EL_1')) seen += update.kind === 'event' ? 1 : 0;
      return seen;
    };
    const thrown = await limited(
      loop(wrong).catch((error: unknown) => error),
      'the end of the feed',
    );
    expect(thrown).toBeInstanceOf(FeedStopped);
    expect((thrown as Library.FeedStopped).code).toBe(4502);
    const feed = open();
    const looping = loop(feed);
    feed.close();
    expect(await limited(looping, 'the end of the loops')).toBe(0);
  });

  it('shows one board to all who follow it by the same filter, and refuses another loudly', async () => {
    const feed = open();
    const rows: string[][] = [[], []];
    const told = new Told();
    for (const place of [0, 1]) {
      feed.board({ status: 'in_progress', onRows: (now) => {
        rows[place] = now.map(({ call_sid }) => call_sid);
        told.take({ kind: 'reset', reason: 'rows' });
      } });
    }
    await told.until(({ updates }) => updates.length === 2, 'both boards');
    expect([rows, hop.asked]).toEqual([[['EL_1'], ['EL_1']], [{ watch: 'board', status: 'in_progress' }]]);
    expect(() => feed.board({ status: 'completed', onRows: () => undefined })).toThrow('another filter');
    expect(() => feed.board()).toThrow('another filter');
  });

  it('tells of its connection whoever asks, until they have heard enough', async () => {
    const feed = open();
    const told = new Told();
    const ways: (string | null)[] = [];
    const listening = feed.onConnection(({ via }) => {
      ways.push(via);
      told.take({ kind: 'reset', reason: String(via) });
    });
    await told.until(() => feed.connection.state === 'live', 'live');
    const heard = ways.length;
    expect(ways.at(-1)).toBe('socket');
    expect(Math.abs((feed.serverNow() ?? 0) - Date.now())).toBeLessThan(5_000);
    listening.close();
    feed.close();
    expect([ways.length, feed.connection.state, feed.connection.via]).toEqual([heard, 'stopped', null]);
  });
});
