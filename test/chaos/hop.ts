/**
 * A TCP hop that can be made bad: latency, throttle, slices, black hole, half-open connections, resets, cuts in the middle of a
 * message. Stands before a port or a local socket, on either. What it lets through it lets through whole and in order, as TCP does.
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A port on this machine, or the path of a local socket. */
export type Place = { readonly port: number } | { readonly path: string };

/** What a hop can suffer; the last four lose connections. */
export const HOP_FAULTS = ['latency', 'throttle', 'slice', 'reset', 'cut', 'black_hole', 'half_open'] as const;
export type HopFault = (typeof HOP_FAULTS)[number];
export const LOSING: readonly HopFault[] = ['reset', 'cut', 'black_hole', 'half_open'];

interface Weather {
  readonly delayMs: number;
  /** null: as fast as it goes. */
  readonly bytesPerSecond: number | null;
  /** Largest piece that is passed on at once; null: as it comes. */
  readonly sliceBytes: number | null;
  readonly hole: boolean;
}

const FAIR: Weather = { delayMs: 0, bytesPerSecond: null, sliceBytes: null, hole: false };
/** A peer that sends more than this ahead of what is passed on has to wait. */
const AHEAD_MAX_BYTES = 256 * 1024;

export interface HopOptions {
  readonly name: string;
  /** Where to listen; port 0 takes a free one. */
  readonly listen: Place;
  /** Asked for at each connection, in the order in which they are tried. */
  readonly targets: () => readonly Place[];
  readonly random: () => number;
}

export class Hop {
  readonly name: string;
  /** Connections lost by each fault. */
  readonly lost = new Map<HopFault, number>();
  weather: Weather = FAIR;
  readonly #options: HopOptions;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();

  constructor(options: HopOptions) {
    this.name = options.name;
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
  }

  async listen(): Promise<Place> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen('path' in this.#options.listen ? { path: this.#options.listen.path } : { port: this.#options.listen.port, host: '127.0.0.1' }, resolve);
    });
    return 'path' in this.#options.listen ? this.#options.listen : { port: (this.#server.address() as AddressInfo).port };
  }

  /** Lets one fault rage for so long; resolves when the hop is fair again. */
  async suffer(fault: HopFault, ms: number): Promise<void> {
    const { random } = this.#options;
    if (fault === 'reset' || fault === 'cut') {
      const some = this.#some();
      for (const pair of some) pair[fault]();
      this.#count(fault, some.length);
      return;
    }
    if (fault === 'half_open') {
      const some = this.#some();
      for (const pair of some) pair.halve(random() < 0.5);
      this.#count(fault, some.length);
      await later(ms);
      for (const pair of some) pair.reset();
      return;
    }
    if (fault === 'latency') this.weather = { ...FAIR, delayMs: 20 + random() * 280 };
    else if (fault === 'throttle') this.weather = { ...FAIR, bytesPerSecond: 4_000 + random() * 60_000 };
    else if (fault === 'slice') this.weather = { ...FAIR, sliceBytes: 8 + Math.floor(random() * 120) };
    else this.weather = { ...FAIR, hole: true };
    await later(ms);
    this.weather = FAIR;
    if (fault !== 'black_hole') return;
    // What fell into the hole never comes: nobody may go on as if it had.
    const swallowed = [...this.#pairs].filter((pair) => pair.swallowed);
    for (const pair of swallowed) pair.reset();
    this.#count(fault, swallowed.length);
  }

  async close(): Promise<void> {
    for (const pair of this.#pairs) pair.reset();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #count(fault: HopFault, connections: number): void {
    this.lost.set(fault, (this.lost.get(fault) ?? 0) + connections);
  }

  /** All connections, or some of them. */
  #some(): Pair[] {
    const share = this.#options.random() < 0.3 ? 1 : 0.2 + this.#options.random() * 0.6;
    return [...this.#pairs].filter(() => this.#options.random() < share);
  }

  #accept(client: Socket): void {
    const pair = new Pair(client, this, (gone) => this.#pairs.delete(gone));
    this.#pairs.add(pair);
    // In a hole nobody answers a connection either; it is taken here, and nothing follows.
    if (this.weather.hole) pair.swallowed = true;
    else pair.connect(this.#options.targets());
  }
}

/** Two connections and what flows between them. */
class Pair {
  swallowed = false;
  readonly #client: Socket;
  readonly #hop: Hop;
  readonly #gone: (pair: Pair) => void;
  #server: Socket | null = null;
  /** Lets no more than the half of the next piece through, then ends. */
  #cutting = false;
  /** One side was let go of; the other does not hear of it. */
  #halved = false;

  constructor(client: Socket, hop: Hop, gone: (pair: Pair) => void) {
    this.#client = client;
    this.#hop = hop;
    this.#gone = gone;
    client.on('error', () => client.destroy());
    client.on('close', () => this.#left(this.#server));
  }

  connect([target, ...others]: readonly Place[]): void {
    if (target === undefined || this.#client.destroyed) {
      this.reset();
      return;
    }
    const server = connect({ ...('path' in target ? { path: target.path } : { port: target.port, host: '127.0.0.1' }), allowHalfOpen: true, noDelay: true });
    this.#server = server;
    let connected = false;
    server.on('error', () => server.destroy());
    server.once('connect', () => {
      connected = true;
      this.#flow(this.#client, server);
      this.#flow(server, this.#client);
    });
    server.once('close', () => {
      if (connected) this.#left(this.#client);
      else this.connect(others);
    });
  }

  reset(): void {
    this.#halved = false;
    this.#gone(this);
    for (const socket of [this.#client, this.#server]) if (socket !== null) abort(socket);
  }

  cut(): void {
    this.#cutting = true;
    // Where nothing is under way there is nothing to cut in the middle.
    setTimeout(() => this.#end(), 500).unref();
  }

  /** Lets go of one side without a word to the other. */
  halve(clientStays: boolean): void {
    this.#halved = true;
    this.swallowed = true;
    (clientStays ? this.#server : this.#client)?.destroy();
  }

  #end(): void {
    this.#gone(this);
    this.#client.destroy();
    this.#server?.destroy();
  }

  #left(other: Socket | null): void {
    if (this.#halved) return;
    this.#gone(this);
    other?.destroy();
  }

  #flow(from: Socket, to: Socket): void {
    const waiting: { readonly chunk: Buffer | null; readonly due: number }[] = [];
    let ahead = 0;
    let flowing = false;
    const flow = async (): Promise<void> => {
      flowing = true;
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { chunk, due } = next;
        const wait = due - performance.now();
        if (wait > 0) await later(wait);
        if (chunk === null) to.end();
        else await this.#pass(chunk, to);
        ahead -= chunk?.length ?? 0;
        if (ahead < AHEAD_MAX_BYTES / 2 && from.isPaused()) from.resume();
      }
      flowing = false;
    };
    const take = (chunk: Buffer | null): void => {
      waiting.push({ chunk, due: performance.now() + this.#hop.weather.delayMs });
      ahead += chunk?.length ?? 0;
      if (ahead > AHEAD_MAX_BYTES) from.pause();
      if (!flowing) void flow();
    };
    from.on('data', take);
    from.on('end', () => take(null));
  }

  async #pass(chunk: Buffer, to: Socket): Promise<void> {
    for (let rest = chunk; rest.length > 0 && !to.destroyed; ) {
      const { hole, sliceBytes, bytesPerSecond } = this.#hop.weather;
      if (hole || this.swallowed) {
        this.swallowed = true;
        return;
      }
      if (this.#cutting) {
        to.write(rest.subarray(0, Math.floor(rest.length / 2)), () => this.#end());
        return;
      }
      const most = bytesPerSecond === null ? (sliceBytes ?? rest.length) : Math.ceil(bytesPerSecond / 50);
      const piece = rest.subarray(0, most);
      rest = rest.subarray(piece.length);
      if (!to.write(piece)) await new Promise<void>((resolve) => void to.once('drain', resolve).once('close', resolve));
      if (bytesPerSecond !== null) await later(20);
      else if (sliceBytes !== null) await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** A reset where there is such a thing: a local socket knows none. */
const abort = (socket: Socket): void => {
  if (socket.destroyed) return;
  if (socket.remotePort === undefined) socket.destroy();
  else socket.resetAndDestroy();
};

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
