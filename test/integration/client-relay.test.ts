import { createServer, type Server } from 'node:http';
import { connect as connectTcp, createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, type BoardRow, type ClientState, type Feed, type Proof } from '../../client/index.ts';
import { memoryBus } from '../../ports/event-bus.memory.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { relayLog } from '../fixtures/relay-log.ts';
import { limited, startRelay, tokenOf, type RelayRig } from '../fixtures/relay.ts';

/** A front that stands for one address behind which relays come and go. */
interface Front {
  target: number;
  readonly url: string;
  /** Cuts every connection. */
  cut(): void;
  close(): Promise<void>;
}
const startFront = async (target: number): Promise<Front> => {
  const sockets = new Set<Socket>();
  const server: TcpServer = createTcpServer((incoming) => {
    const outgoing = connectTcp({ port: front.target, host: '127.0.0.1' });
    for (const [one, other] of [[incoming, outgoing], [outgoing, incoming]] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const front: Front = {
    target,
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        front.cut();
      }),
  };
  return front;
};

/** One viewer's screen: all that it was told, and a way to wait for it. */
class Screen {
  readonly states: ClientState[] = [];
  readonly seqs: number[] = [];
  readonly proofs: Proof[] = [];
  rows: readonly BoardRow[] = [];
  stopped: number | null | undefined;
  readonly feed: Feed;
  #tell = (): void => undefined;

  constructor(url: string, token = (): string => tokenOf('ann')) {
    this.feed = connect({
      url,
      token,
      onState: (state) => this.#note(() => this.states.push(state)),
      onStopped: (code) => this.#note(() => (this.stopped = code)),
    });
  }
  follow(id: string): void {
    this.feed.call(id, {
      onEvent: (event) => this.#note(() => this.seqs.push(event.seq)),
      onSealed: (proof) => this.#note(() => this.proofs.push(proof)),
    });
  }
  board(): void {
    this.feed.board({ onRows: (rows) => this.#note(() => (this.rows = rows)) });
  }
  until(true_: () => boolean, what: string): Promise<void> {
    return limited(
      new Promise((resolve) => {
        this.#tell = (): void => {
          if (true_()) resolve();
        };
        this.#tell();
      }),
      what,
    );
  }
  #note(change: () => unknown): void {
    change();
    this.#tell();
  }
}

describe('the client library on a real relay', () => {
  let rig: RelayRig;
  const closing: (() => Promise<void> | void)[] = [];
  beforeEach(async () => {
    rig = await startRelay();
    closing.push(() => rig.close());
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const screen = (url: string, token?: () => string): Screen => {
    const made = new Screen(url, token);
    closing.push(() => made.feed.close());
    return made;
  };
  const range = (to: number): number[] => Array.from({ length: to }, (_, place) => place + 1);

  it('shows history and what is said, is live, and proves the call complete', async () => {
    rig.callLog.add('EL_1', { conversation_id: 'conv_1' });
    rig.callLog.say('EL_1', 'one', 'two');
    const viewer = screen(rig.httpUrl);
    viewer.follow('conv_1');
    await viewer.until(() => viewer.feed.state === 'live', 'live');
    await rig.say('EL_1', 'three');
    await rig.publish('EL_1', rig.callLog.finish('EL_1'));
    await viewer.until(() => viewer.proofs.length > 0, 'the proof');
    expect([viewer.seqs, viewer.proofs]).toEqual([range(6), ['complete']]);
  });

  it('shows the board as it changes', async () => {
    rig.callLog.add('EL_1');
    const viewer = screen(rig.wsUrl);
    viewer.board();
    await viewer.until(() => viewer.rows.length === 1, 'the board');
    await rig.say('EL_1', 'hello');
    await viewer.until(() => viewer.rows[0]?.last_line === 'hello', 'the line');
  });

  it('comes back after a cut and misses nothing', async () => {
    const front = await startFront(rig.port);
    closing.push(() => front.close());
    rig.callLog.add('EL_1');
    const viewer = screen(front.url);
    viewer.follow('EL_1');
    await viewer.until(() => viewer.feed.state === 'live', 'live');
    await rig.say('EL_1', 'one');
    front.cut();
    await viewer.until(() => viewer.feed.state === 'lost', 'lost');
    await rig.say('EL_1', 'two', 'three');
    await viewer.until(() => viewer.seqs.length === 3 && viewer.feed.state === 'restored', 'the rest');
    expect(viewer.seqs).toEqual(range(3));
  });

  it('moves to another relay during a drain: nothing is missing, nothing comes twice, and it is never lost', async () => {
    const runtime = systemRuntime();
    const callLog = relayLog(runtime);
    const bus = memoryBus();
    const old = await startRelay({ callLog, bus });
    closing.push(() => old.close());
    const front = await startFront(old.port);
    closing.push(() => front.close());
    callLog.add('EL_1');
    const viewer = screen(front.url);
    viewer.follow('EL_1');
    viewer.board();
    await viewer.until(() => viewer.feed.state === 'live' && viewer.rows.length === 1, 'live');
    const next = await startRelay({ callLog, bus });
    closing.push(() => next.close());
    front.target = next.port;
    const drained = old.relay.drain();
    let said = 0;
    const talking = setInterval(() => {
      said++;
      void next.say('EL_1', `word ${said}`);
    }, 5);
    await limited(drained, 'the drain');
    clearInterval(talking);
    await next.say('EL_1', 'last');
    await viewer.until(() => viewer.seqs.length >= said + 1, 'the last word');
    expect(viewer.seqs).toEqual(range(said + 1));
    expect(viewer.states).not.toContain('lost');
    expect(next.lines.filter(({ message }) => message === 'WebSocket connection established')).toHaveLength(1);
  });

  it('polls where no WebSocket passes', async () => {
    // A server that passes requests but no upgrades, as some proxies do.
    const server: Server = createServer((req, res) => void rig.relay.handleRequest(req, res));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(
      () =>
        new Promise((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    rig.callLog.add('EL_1');
    rig.callLog.say('EL_1', 'one');
    const viewer = screen(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    viewer.follow('EL_1');
    await viewer.until(() => viewer.feed.state === 'live', 'live by polling');
    await rig.say('EL_1', 'two');
    await rig.publish('EL_1', rig.callLog.finish('EL_1'));
    await viewer.until(() => viewer.proofs.length > 0, 'the proof');
    expect([viewer.seqs, viewer.proofs]).toEqual([range(5), ['complete']]);
  });

  it('stops where it is not wanted, and says with which code', async () => {
    const viewer = screen(rig.wsUrl, () => 'bad.token.here');
    await viewer.until(() => viewer.stopped !== undefined, 'the end');
    expect([viewer.stopped, viewer.feed.state]).toEqual([4502, 'stopped']);
  });

  it('asks once for a fresh token where the old one has ended', async () => {
    const tokens = [tokenOf('ann', 1_000), tokenOf('ann')];
    const viewer = screen(rig.wsUrl, () => tokens.shift() ?? 'none');
    await viewer.until(() => viewer.feed.state === 'live', 'live');
    expect(tokens).toEqual([]);
  });

  it('goes on asking where what it was given cannot be a token', async () => {
    const tokens = ['not a token', tokenOf('ann')];
    const viewer = screen(rig.wsUrl, () => tokens.shift() ?? 'none');
    await viewer.until(() => viewer.feed.state === 'live', 'live');
    expect(tokens).toEqual([]);
  });

  it('goes on when a handler throws', async () => {
    rig.callLog.add('EL_1');
    const thrown: unknown[] = [];
    const catchIt = (error: unknown): void => void thrown.push(error);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', catchIt);
    const viewer = screen(rig.wsUrl);
    const seqs: number[] = [];
    viewer.feed.call('EL_1', {
      onEvent: ({ seq }) => {
        seqs.push(seq);
        throw new Error('of the page');
      },
    });
    await viewer.until(() => viewer.feed.state === 'live', 'live');
    await rig.say('EL_1', 'one', 'two');
    rig.callLog.add('EL_2');
    viewer.board();
    await viewer.until(() => viewer.rows.length === 2, 'the board');
    process.removeListener('uncaughtException', catchIt);
    for (const other of others) process.on('uncaughtException', other);
    expect([seqs, thrown.length]).toEqual([[1, 2], 2]);
  });
});
