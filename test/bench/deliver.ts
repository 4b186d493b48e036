/**
 * What it costs to bring an event from the bus to a viewer: CPU of the server for each frame that a viewer got, beside servers that do
 * less (no rights, no cursors, no back-pressure, no log behind them).
 */
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import { callOfViewer, NAIVE as NAIVE_SPOKEN, OURS as OURS_SPOKEN, READY_FRAMES, SOCKET_IO, type Listening, type Spoken } from './harness/speeches.ts';
import type { Counted } from './harness/tally.ts';
import { openViewers } from './harness/viewers.ts';
import { nats } from './peers/nats.ts';
import { nchan } from './peers/nchan.ts';
import { EVENT_BYTES, type Course } from './servers/feeding.ts';

/** Viewers of a shape: each of the calls has so many. */
export interface Audience {
  readonly calls: number;
  readonly each: number;
}

const MANY: Audience = { calls: 1_000, each: 2 };
const ONE: Audience = { calls: 1, each: 1_000 };

interface Shape {
  readonly what: string;
  readonly audience: Audience;
  readonly course: Omit<Course, 'name' | 'calls'>;
  /** Most that ours may cost of what the naive server does. */
  readonly target: number;
}

const SHAPES: readonly Shape[] = [
  { what: '1,000 calls x 2 viewers', audience: MANY, course: { events: 6_000, atOnce: 40, everyMs: 10, burst: false }, target: 0.6 },
  { what: '1,000 calls x 2, 8 events at once', audience: MANY, course: { events: 8_000, atOnce: 8, everyMs: 2, burst: true }, target: 0.6 },
  { what: '1 call x 1,000 viewers', audience: ONE, course: { events: 75, atOnce: 1, everyMs: 20, burst: false }, target: 0.62 },
  { what: '1 call x 1,000, 8 events at once', audience: ONE, course: { events: 80, atOnce: 8, everyMs: 150, burst: true }, target: 0.12 },
];
const FRAMES_MAX_MS = 20_000;

/** Viewers of a server, ready; `close` cuts them. */
export type Watchers = Counted & { close(): void };

/** A server that is measured. */
export interface Contender {
  readonly name: string;
  /** Bytes of the frame of one event. */
  readonly frameBytes: number;
  begin(): Promise<void>;
  /** Viewers of the calls of `course`, ready. */
  open(course: string, audience: Audience): Promise<Watchers>;
  /** Publishes the course while nobody else does anything; answers the CPU that it took once all viewers have all, microseconds. */
  run(course: Course, viewers: Watchers, frames: number): Promise<number>;
  end(): Promise<void>;
}

/** One of `servers/`, fed over the bus in its own process. */
const program = ({ name, program: script, frameBytes, speech }: Spoken): Contender => {
  let server: BenchProcess | undefined;
  const asked = (): BenchProcess => {
    if (server === undefined) throw new Error(`${name} was not started`);
    return server;
  };
  return {
    name,
    frameBytes,
    begin: async () => {
      server = await startProcess(script);
    },
    open: async (course, { calls, each }) => {
      const listening = await asked().ask<Listening>('listening');
      if (listening.token !== undefined) await asked().ask('calls', { name: course, calls });
      return openViewers(calls * each, speech(listening, callOfViewer(course, calls)));
    },
    run: async (course, viewers, frames) => {
      await asked().ask('prepare', course);
      viewers.count(frameBytes);
      const before = await asked().usage();
      const published = asked().ask('feed', course);
      await Promise.all([published, viewers.reached(frames, FRAMES_MAX_MS)]);
      const { cpuUs } = await asked().usage();
      return cpuUs - before.cpuUs;
    },
    end: async () => server?.end(),
  };
};

export const OURS = program(OURS_SPOKEN);
export const NAIVE = program(NAIVE_SPOKEN);
/** Those of the system's packages that are installed. */
const PEERS = [nchan(), nats()].filter((peer) => peer !== null);
const CONTENDERS: readonly Contender[] = [OURS, NAIVE, program(READY_FRAMES), program(SOCKET_IO), ...PEERS];

/** Microseconds of CPU for each delivery, of each shape. */
const measure = async (contender: Contender, round: number): Promise<ReadonlyMap<Shape, number>> => {
  const costs = new Map<Shape, number>();
  for (const audience of [MANY, ONE]) {
    const name = `${round}_${audience.calls}`;
    const viewers = await contender.open(name, audience);
    try {
      for (const shape of SHAPES.filter((each) => each.audience === audience)) {
        const course = { ...shape.course, name, calls: audience.calls };
        const frames = course.events * audience.each;
        // Letting the viewers in has had other code compiled: what is measured is a server that has been delivering for a while.
        await contender.run(course, viewers, frames);
        costs.set(shape, (await contender.run(course, viewers, frames)) / frames);
      }
    } finally {
      viewers.close();
    }
  }
  return costs;
};

export const deliverBench: Bench = {
  name: 'deliver',
  what: "CPU for each event that a viewer gets, beside a naive server on ws and others' servers",
  run: async (rounds, say) => {
    const costs = new Map(CONTENDERS.map((contender) => [contender, [] as ReadonlyMap<Shape, number>[]]));
    try {
      for (const contender of CONTENDERS) await contender.begin();
      // One more that is not kept: everything is compiled in it.
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const contender of CONTENDERS) {
          const cost = await measure(contender, round);
          if (round > 0) costs.get(contender)?.push(cost);
        }
      }
    } finally {
      for (const contender of CONTENDERS) await contender.end();
    }
    const valuesOf = (contender: Contender, shape: Shape): number[] => (costs.get(contender) ?? []).map((cost) => cost.get(shape) ?? NaN);
    const measured = SHAPES.flatMap((shape) =>
      CONTENDERS.filter((contender) => contender !== OURS).map((contender): Measured => ({
        what: shape.what,
        unit: 'us CPU per delivery',
        ours: valuesOf(OURS, shape),
        baseline: { name: contender.name, values: valuesOf(contender, shape) },
        ...(contender === NAIVE ? { target: { of: 'ratio', bound: 'most', value: shape.target } } : {}),
      })),
    );
    return {
      bench: 'deliver',
      measured,
      notes: [
        `Events of ${EVENT_BYTES} bytes as the log writes them, 4,000 a second to 1,000 calls, 50 a second to one; viewers count frames by length, and a round in which one is missing or too many fails.`,
        'The messages come 40 at a time every 10 ms to 1,000 calls, each of another call, as a streaming pull brings them; with "8 at once" they come 8 of one call at a time.',
        ...PEERS.map(({ name }) => `What is told to ${name} comes to it over one connection, which is in its figure; what is told to the others is prepared in their own process.`),
        'Ours has real tokens and rights, cursors, back-pressure, metrics, log lines, wheel and comparison with the log running; the others have none of that. Ready frames: one frame an event, one write a viewer, no socket asked whether it may be written to.',
      ],
    };
  },
};
