/** The product's processes, each of which can be killed, stopped for a while, and asked to stop; whatever ends is started again, as a platform does. */
import { startChild, type Child } from '../fixtures/processes.ts';
import { peakMemoryBytes } from '../fixtures/processes.ts';
import type { Notes } from './notes.ts';

export type Blow = 'SIGKILL' | 'SIGTERM' | 'SIGSTOP';

export interface ProcessOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly ready: RegExp;
  /** Whether it may be killed and asked to stop; else it is only stopped for a while. */
  readonly mayEnd: boolean;
}

/** A process that does not come up by then will not. */
const STARTS_MAX_COUNT = 6;

export class Process {
  readonly name: string;
  readonly blows = new Map<Blow, number>();
  /** Starts that failed: what it needs was not there. */
  failedStarts = 0;
  peakBytes = 0;
  /** Exits that nobody asked for. */
  readonly crashes: string[] = [];
  readonly #options: ProcessOptions;
  readonly #notes: Notes;
  #child: Child | null = null;
  #busy = true;
  #ended = false;
  readonly #ends: (() => Promise<unknown>)[] = [];

  constructor(options: ProcessOptions, notes: Notes) {
    this.name = options.name;
    this.#options = options;
    this.#notes = notes;
  }

  /** Whether it runs and nothing is being done to it. */
  get isUp(): boolean {
    return !this.#busy && this.#child !== null;
  }

  /** Whether it may be killed. */
  get mayEnd(): boolean {
    return this.#options.mayEnd;
  }

  /** Starts it and resolves when it is ready. */
  async start(): Promise<void> {
    this.#busy = true;
    for (let tries = 1; ; tries++) {
      try {
        const child = await startChild(this.#options.args, this.#options.environment, this.#options.ready, (end) => void this.#ends.push(end));
        this.#child = child;
        this.#notes.take({ actor: 'run', op: 'fault', kind: 'started', detail: `${this.name}, attempt ${tries}` });
        void child.ended.then(() => this.#over(child));
        this.#busy = false;
        return;
      } catch (error) {
        this.failedStarts += 1;
        for (const end of this.#ends.splice(0)) await end();
        if (tries >= STARTS_MAX_COUNT || this.#ended) throw error;
        await later(200);
      }
    }
  }

  /** Strikes it, and resolves when it is up again. `pauseMs`: how long it stays down, or stopped. */
  async strike(wanted: Blow, pauseMs: number): Promise<void> {
    const blow = this.#options.mayEnd ? wanted : 'SIGSTOP';
    const child = this.#child;
    if (child === null || this.#busy) return;
    this.#busy = true;
    this.blows.set(blow, (this.blows.get(blow) ?? 0) + 1);
    this.#notes.take({ actor: 'run', op: 'fault', kind: blow, detail: this.name });
    this.#measure(child);
    if (blow === 'SIGSTOP') {
      child.signal('SIGSTOP');
      await later(pauseMs);
      child.signal('SIGCONT');
      this.#busy = false;
      return;
    }
    await this.#ending(child, blow);
    await later(pauseMs);
    if (!this.#ended) await this.start();
  }

  /** Ends it for good. */
  async end(): Promise<void> {
    this.#ended = true;
    const child = this.#child;
    this.#busy = true;
    if (child !== null) {
      this.#measure(child);
      child.signal('SIGCONT');
      await this.#ending(child, 'SIGTERM');
    }
    for (const end of this.#ends.splice(0)) await end();
  }

  /** For the moment in which this program ends without having ended it: no process stays behind. */
  abandon(): void {
    this.#ended = true;
    this.#child?.signal('SIGKILL');
  }

  async #ending(child: Child, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    // A process that was asked to stop and does not is killed, as the platform would.
    const late = setTimeout(() => child.signal('SIGKILL'), 10_000);
    await child.end(signal);
    clearTimeout(late);
  }

  #measure(child: Child): void {
    try {
      this.peakBytes = Math.max(this.peakBytes, peakMemoryBytes(child.pid));
    } catch {
      // It has gone by itself.
    }
  }

  #over(child: Child): void {
    for (const line of child.output().split('\n')) if (line !== '') this.#notes.take({ actor: this.name, op: 'wrote', what: 'line', text: line });
    if (this.#child === child) this.#child = null;
    if (this.#busy) return;
    this.crashes.push(`${this.name} ended by itself: ${child.output().slice(-2_000)}`);
    this.#busy = true;
    if (!this.#ended) void this.start().catch((error: unknown) => void this.crashes.push(String(error)));
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
