/** What is done to the processes and the hops, by chance and again and again, while the run goes on. */
import { oneOf } from '../../local/simulated-elevenlabs/random.ts';
import type { Blow, Process } from './fleet.ts';
import { HOP_FAULTS, LOSING, type Hop } from './hop.ts';
import type { Notes } from './notes.ts';

const BLOWS: readonly Blow[] = ['SIGKILL', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGSTOP'];

const RARELY = 0.3;

export interface StrikeOptions {
  readonly processes: readonly Process[];
  readonly hops: readonly Hop[];
  readonly random: () => number;
  readonly notes: Notes;
}

export class Strikes {
  /** Faults of hops that lose connections. */
  cuts = 0;
  /** Faults of hops that only slow them down. */
  slowdowns = 0;
  readonly #options: StrikeOptions;
  readonly #running = new Set<Promise<void>>();
  #over = false;

  constructor(options: StrikeOptions) {
    this.#options = options;
  }

  /** Strikes until `stop`. */
  start(): void {
    this.#again(500, 900, () => this.#strikeProcess());
    this.#again(500, 1_000, () => this.#strikeHop());
  }

  /** Begins nothing more, and resolves when all that was begun is over: every process up, every hop fair. */
  async stop(): Promise<void> {
    this.#over = true;
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #again(leastMs: number, moreMs: number, strike: () => Promise<void> | null): void {
    const loop = async (): Promise<void> => {
      for (;;) {
        await new Promise((resolve) => void setTimeout(resolve, leastMs + this.#options.random() * moreMs));
        if (this.#over) return;
        const work = strike();
        if (work !== null) this.#track(work);
      }
    };
    this.#track(loop());
  }

  #track(work: Promise<void>): void {
    this.#running.add(work);
    void work.finally(() => this.#running.delete(work)).catch(() => undefined);
  }

  #strikeProcess(): Promise<void> | null {
    const { processes, random } = this.#options;
    // What can only be stopped is struck less often: where others are being started again, it would be it that is always there.
    const up = processes.filter((process) => process.isUp && (process.mayEnd || random() < RARELY));
    if (up.length === 0) return null;
    return oneOf(up, random).strike(oneOf(BLOWS, random), random() * 1_500);
  }

  #strikeHop(): Promise<void> | null {
    const { hops, random, notes } = this.#options;
    const hop = oneOf(hops, random);
    const fault = oneOf(HOP_FAULTS, random);
    if (LOSING.includes(fault)) this.cuts += 1;
    else this.slowdowns += 1;
    notes.take({ actor: 'run', op: 'fault', kind: fault, detail: hop.name });
    return hop.suffer(fault, 500 + random() * 2_500);
  }
}
