/** What the board costs a relay: its first rows, and each change of a call, with many people watching it. */
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';

const CALLS = 5_000;
const VIEWERS = 200;
/** Who comes anew in each round, for the price of the first rows. */
const NEWCOMERS = 10;
const CHANGES_PER_SECOND = 50;
const SECONDS = 5;
/** Changes that are said in one turn of the event loop, a turn every tenth of a second. */
const AT_ONCE = CHANGES_PER_SECOND / 10;
const COURSE = 'board';
const STEP_MAX_MS = 60_000;

interface Row {
  readonly call_sid: string;
  readonly last_seq: number;
}

/** A viewer that looks at everything that it is sent. */
interface Watcher {
  readonly ws: WebSocket;
  readonly seqs: Map<string, number>;
  complete: boolean;
  bytes: number;
}

interface Price {
  readonly changeUs: number;
  readonly firstRowsMs: number;
  readonly bytesPerChange: number;
}

const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  const until = performance.now() + STEP_MAX_MS;
  while (!holds()) {
    if (performance.now() > until) throw new Error(`waited in vain until ${what}`);
    await wait(5);
  }
};

const watch = (port: number, token: string): Watcher => {
  const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['earshot.v1', `bearer.${token}`], { perMessageDeflate: false });
  const watcher: Watcher = { ws, seqs: new Map(), complete: false, bytes: 0 };
  ws.on('open', () => ws.send(JSON.stringify({ watch: 'board' })));
  ws.on('error', () => undefined);
  ws.on('message', (data: Buffer) => {
    watcher.bytes += data.length;
    const frame = JSON.parse(data.toString()) as { readonly type: string; readonly rows?: readonly Row[]; readonly more?: boolean };
    for (const { call_sid, last_seq } of frame.rows ?? []) watcher.seqs.set(call_sid, Math.max(last_seq, watcher.seqs.get(call_sid) ?? 0));
    if (frame.type === 'board_snapshot' && frame.more === false) watcher.complete = true;
  });
  return watcher;
};

class Contender {
  readonly #server: BenchProcess;
  readonly #port: number;
  readonly #token: string;
  readonly #watchers: Watcher[] = [];
  /** Changes of each call so far. */
  readonly #said = new Map<number, number>();

  private constructor(server: BenchProcess, port: number, token: string) {
    this.#server = server;
    this.#port = port;
    this.#token = token;
  }

  static async start(script: string): Promise<Contender> {
    const server = await startProcess(script);
    await server.ask('calls', { name: COURSE, calls: CALLS });
    const { port, token } = await server.ask<{ readonly port: number; readonly token: string }>('listening');
    const contender = new Contender(server, port, token);
    await contender.#come(VIEWERS);
    return contender;
  }

  async #come(count: number): Promise<Watcher[]> {
    const come: Watcher[] = [];
    // A few at a time: so many first rows at once are more than this process reads.
    while (come.length < count) {
      const some = Array.from({ length: Math.min(NEWCOMERS, count - come.length) }, () => watch(this.#port, this.#token));
      await eventually('the first rows have come', () => some.every(({ complete, seqs }) => complete && seqs.size === CALLS));
      come.push(...some);
    }
    this.#watchers.push(...come);
    return come;
  }

  /** @param from the call that changes first; the same for both, so that they do the same */
  async round(from: number): Promise<Price> {
    const before = await this.#server.usage();
    const newcomers = await this.#come(NEWCOMERS);
    const firstRowsMs = ((await this.#server.usage()).cpuUs - before.cpuUs) / 1000 / NEWCOMERS;
    for (const gone of newcomers) gone.ws.terminate();
    this.#watchers.splice(VIEWERS);
    for (const watcher of this.#watchers) watcher.bytes = 0;

    const began = await this.#server.usage();
    const changes = CHANGES_PER_SECOND * SECONDS;
    for (let said = 0; said < changes; said += AT_ONCE) {
      const calls = Array.from({ length: AT_ONCE }, (_, place) => (from + (said + place) * 7) % CALLS);
      for (const call of calls) this.#said.set(call, (this.#said.get(call) ?? 0) + 1);
      await this.#server.ask('say', { name: COURSE, calls });
      await wait(100);
    }
    await eventually('every viewer has every change', () => this.#watchers.every(({ seqs }) => this.#isWhole(seqs)));
    const { cpuUs } = await this.#server.usage();
    return { changeUs: (cpuUs - began.cpuUs) / changes, firstRowsMs, bytesPerChange: this.#watchers.reduce((sum, { bytes }) => sum + bytes, 0) / VIEWERS / changes };
  }

  #isWhole(seqs: ReadonlyMap<string, number>): boolean {
    for (const [call, count] of this.#said) if ((seqs.get(`EL_bench_${COURSE}_${call}`) ?? 0) !== count) return false;
    return true;
  }

  async end(): Promise<void> {
    for (const { ws } of this.#watchers) ws.terminate();
    await this.#server.end();
  }
}

export const boardBench: Bench = {
  name: 'board',
  what: `the board with ${CALLS} active calls and ${VIEWERS} people who watch it, beside one that sends each change to each`,
  run: async (rounds, say) => {
    const contenders: Contender[] = [];
    const prices: Price[][] = [[], []];
    try {
      for (const script of ['servers/relay.ts', 'servers/naive-board.ts']) {
        say(`${VIEWERS} viewers come ...`);
        contenders.push(await Contender.start(script));
      }
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const [place, contender] of contenders.entries()) {
          const price = await contender.round(round * 1_000);
          if (round > 0) prices[place]?.push(price);
        }
      }
    } finally {
      for (const contender of contenders) await contender.end();
    }
    const measured = (what: string, unit: string, of: (price: Price) => number): Measured => ({
      what,
      unit,
      ours: (prices[0] ?? []).map(of),
      baseline: { name: 'each change to each', values: (prices[1] ?? []).map(of) },
    });
    return {
      bench: 'board',
      measured: [
        measured('a change of a call, for all viewers: CPU', 'us per change', ({ changeUs }) => changeUs),
        measured('bytes to a viewer', 'per change', ({ bytesPerChange }) => bytesPerChange),
        measured('first rows of a viewer: CPU', 'ms per viewer', ({ firstRowsMs }) => firstRowsMs),
      ],
      notes: [
        `${CHANGES_PER_SECOND} changes a second for ${SECONDS} s, each in another call; at the end every viewer had every change. Ours tells a change within a quarter of a second, several in one frame; the other at once.`,
        'The first rows come with upgrade, token and rights in ours, with the upgrade alone in the other.',
      ],
    };
  },
};
