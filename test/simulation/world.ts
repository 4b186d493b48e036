/**
 * Time, actors and what lies between them. One event happens at a time, in virtual time, on one seeded runtime; after each the
 * shipped code runs until it waits for the world again. Nothing here knows what a call is.
 */
import { EarshotError } from '../../core/protocol/codes.ts';
import type { Log } from '../../ports/log.ts';
import type { Metrics } from '../../ports/metrics.ts';
import type { Runtime, Timer } from '../../ports/runtime.ts';
import { seededRuntime, type SeededRuntime } from '../../ports/runtime.seeded.ts';
import type { HistoryRecord } from '../history/history.ts';
import { Faults, type Plan } from './faults.ts';

/** A record without what the world itself adds. */
export type Note = HistoryRecord extends infer R ? (R extends HistoryRecord ? Omit<R, 'at' | 'actor'> : never) : never;

/** Where a process may die: at the nth time that it waits for something. */
export interface CrashPoint {
  /** Of the actors whose name begins so. */
  readonly of: string;
  readonly at: number;
}

/** A process or a machine: has a clock of its own, can die, can stand still. */
export interface Actor {
  readonly name: string;
  readonly runtime: Runtime;
  alive: boolean;
  /** Until then (virtual time) it does nothing. */
  stalledUntil: number;
  /** What happened to it while it stood still. */
  readonly missed: (() => void)[];
  /** How far its clock is off, milliseconds. */
  skew: number;
  /** Called once, when it dies. */
  onDeath: (() => void) | null;
}

/** How a question fares on its way; see `World.ask`. */
export type Fate =
  | { readonly fate: 'answered'; readonly lateMs?: number }
  /** Never reaches the other side. */
  | { readonly fate: 'refused'; readonly error: Error }
  /** Has its effect, and is answered with an error. */
  | { readonly fate: 'answer_lost'; readonly error: Error }
  /** Has its effect, and is never answered. */
  | { readonly fate: 'hangs' };

/** Turns of Node's event loop that are waited for at most while real work is under way. */
const TURNS_MAX_COUNT = 10_000;

export class World {
  readonly clock: SeededRuntime;
  readonly faults: Faults;
  readonly records: HistoryRecord[] = [];
  /** How often something that must not stay untested was reached. */
  readonly sometimes = new Map<string, number>();
  /** Times that a process of each kind waited for something. */
  readonly points = new Map<string, number>();
  readonly #crash: CrashPoint | null;
  #working = 0;

  constructor(seed: number, plan: Plan, crash: CrashPoint | null) {
    this.clock = seededRuntime(seed);
    this.#crash = crash;
    this.faults = new Faults(seed, plan, (kind, detail) => this.note('world', { op: 'fault', kind, detail }));
  }

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.clock.monotonic();
  }

  note(actor: string, note: Note): void {
    this.records.push({ at: Math.round(this.now), actor, ...note });
  }

  reached(what: string): void {
    this.sometimes.set(what, (this.sometimes.get(what) ?? 0) + 1);
  }

  after(ms: number, run: () => void): Timer {
    return this.clock.after(ms, run);
  }

  /** A process with a clock, timers and chance of its own; all stop when it dies. */
  actor(name: string): Actor {
    const chance = this.faults.chance(`actor ${name}`);
    const actor: Actor = {
      name,
      alive: true,
      stalledUntil: 0,
      missed: [],
      skew: 0,
      onDeath: null,
      runtime: {
        ...this.clock,
        now: () => Math.floor(this.clock.now() + actor.skew),
        random: chance,
        after: (ms, run) => this.clock.after(ms, () => this.run(actor, run)),
      },
    };
    return actor;
  }

  /** Something happens to an actor: at once, when it no longer stands still (what came first first), or never. */
  run(actor: Actor, happening: () => void): void {
    if (!actor.alive) return;
    if (this.now >= actor.stalledUntil && actor.missed.length === 0) {
      happening();
      return;
    }
    actor.missed.push(happening);
    if (actor.missed.length === 1) this.#wake(actor);
  }

  #wake(actor: Actor): void {
    this.after(Math.max(0, actor.stalledUntil - this.now), () => {
      if (this.now < actor.stalledUntil) {
        this.#wake(actor);
        return;
      }
      for (let next = actor.missed[0]; next !== undefined && actor.alive; next = actor.missed[0]) {
        next();
        actor.missed.shift();
      }
    });
  }

  kill(actor: Actor): void {
    if (!actor.alive) return;
    actor.alive = false;
    actor.onDeath?.();
  }

  /**
   * A question of an actor to something outside it: on the way there, at work there, on the way back. Whoever asks may die in
   * between; the answer then reaches nobody, and a question that was sent may still have its effect.
   */
  ask<T>(actor: Actor, fate: Fate, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!actor.alive) return;
      const answer = (give: () => void): void => {
        const late = fate.fate === 'answered' ? (fate.lateMs ?? 0) : 0;
        this.after(late + this.#latency(), () => this.run(actor, give));
      };
      this.#point(actor);
      this.after(this.#latency(), () => {
        // A process that died with its question on the way: every second one had left it already.
        if (!actor.alive && this.faults.chance('in flight')() < 0.5) return;
        if (fate.fate === 'refused') {
          answer(() => reject(fate.error));
          return;
        }
        this.working(work()).then(
          (value) => {
            this.#point(actor);
            if (fate.fate === 'answered') answer(() => resolve(value));
            else if (fate.fate === 'answer_lost') answer(() => reject(fate.error));
          },
          (error: unknown) => {
            if (fate.fate !== 'hangs') answer(() => reject(error instanceof Error ? error : new Error('not an error')));
          },
        );
      });
    });
  }

  /** Real work that the world has to wait for before anything else happens. */
  async working<T>(work: Promise<T>): Promise<T> {
    this.#working++;
    try {
      return await work;
    } finally {
      this.#working--;
    }
  }

  /** Lets virtual time pass until then. */
  async until(time: number): Promise<void> {
    for (;;) {
      const due = this.clock.nextDue();
      if (due === null || this.now + due > time) break;
      this.clock.step();
      await this.#settle();
    }
    if (time > this.now) this.clock.advance(time - this.now);
  }

  /** Runs Node's event loop until the shipped code waits for the world again. */
  async #settle(): Promise<void> {
    let turns = 0;
    do {
      await new Promise<void>((resolve) => setImmediate(resolve));
      if (++turns > TURNS_MAX_COUNT) throw new Error('something waits for real time');
    } while (this.#working > 0);
  }

  #latency(): number {
    return this.faults.chance('latency')() * 4;
  }

  #point(actor: Actor): void {
    const kind = actor.name.replace(/-.*/, '');
    const count = (this.points.get(kind) ?? 0) + 1;
    this.points.set(kind, count);
    if (this.#crash?.of === kind && this.#crash.at === count) this.kill(actor);
  }
}

/** What a store that does not answer rejects with, as the need says. */
export const unavailable = (): EarshotError => new EarshotError('store_unavailable');

/** Every line goes to the history, where it is searched for what may stand in no line. */
export const notingLog = (world: World, actor: string): Log => {
  const lines = (given: object): Log => {
    const write = (level: string) => (message: string, fields: object = {}, error?: unknown) => {
      const name = error instanceof Error ? { error: error.name, message: error.message } : {};
      world.note(actor, { op: 'wrote', what: 'line', text: JSON.stringify({ level, line: message, ...given, ...fields, ...name }) });
    };
    return { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error'), with: (fields) => lines({ ...given, ...fields }) };
  };
  return lines({});
};

/** Counts become "sometimes" counters under the metric's name and labels. */
export const countingMetrics = (world: World): Metrics => ({
  count: (name, labels) => world.reached(`${name} ${Object.values(labels).join(' ')}`.trim()),
  set: () => undefined,
  observe: () => undefined,
  text: () => Promise.resolve(''),
});
