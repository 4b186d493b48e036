/**
 * The whole way of an event: a signed webhook is posted, and a viewer reads the frame. One process has functions, log, bus and relay;
 * load and viewers are in another. Beside the least that could be done: node:http, JSON.parse, ws.send.
 */
import { WebSocket } from 'ws';
import { FIRST_LOGIN } from '../../client/first-call.ts';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { MEMORY_FOLDER, syncsOf } from './harness/disk.ts';
import { percentile, type Bench, type Measured } from './harness/figures.ts';
import { postAll, type Post } from './harness/posting.ts';
import { startProcess } from './harness/process.ts';

/** Of one machine, where no other is set. */
const SECRET = 'wsec_local';
const CALLS = 100;
const VIEWERS_EACH = 2;
/** As many calls are followed by one viewer as a session may. */
const FINISHED = 40;
const FRAMES_MAX_MS = 20_000;
const READY_MAX_MS = 10_000;

interface Rate {
  readonly perSecond: number;
  readonly seconds: number;
}
const RATES: readonly Rate[] = [
  { perSecond: 50, seconds: 3 },
  { perSecond: 200, seconds: 3 },
  { perSecond: 1_000, seconds: 2 },
];
const TARGETED = 200;
const FINISHED_PER_SECOND = 20;

/** Ours; ours with its log in memory, which tells what the disk costs; the floor. */
type Contender = 'this' | 'memory' | 'floor';
const IN_MEMORY: readonly Rate[] = RATES.slice(1);
const SYNCS = 150;
const CONTENDERS: readonly Contender[] = MEMORY_FOLDER === null ? ['this', 'floor'] : ['this', 'memory', 'floor'];

/** What was asked to arrive, each with when it was due; and how late each frame was. */
class Arrivals {
  readonly #due = new Map<string, number>();
  readonly late: number[] = [];
  wanted = 0;
  #done: () => void = () => undefined;

  due(mark: string, atMs: number): void {
    this.#due.set(mark, atMs);
  }

  /** A frame's text, as it came. */
  read(text: string): void {
    const mark = /mark-(\w+)/.exec(text)?.[1];
    const due = mark === undefined ? undefined : this.#due.get(mark);
    if (due === undefined) return;
    this.late.push(performance.now() - due);
    if (this.late.length >= this.wanted) this.#done();
  }

  /** Resolves when exactly so many have come. */
  async all(count: number): Promise<readonly number[]> {
    const late = setTimeout(() => this.#done(), FRAMES_MAX_MS);
    await new Promise<void>((resolve) => {
      this.#done = resolve;
      this.wanted = count;
      if (this.late.length >= count) resolve();
    });
    clearTimeout(late);
    if (this.late.length !== count) throw new Error(`${this.late.length} of ${count} frames came`);
    return this.late;
  }
}

/** A viewer that follows these calls; resolves when it was confirmed for each. */
const follow = (port: number, token: string, callSids: readonly string[], read: (text: string) => void): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/ws`, ['earshot.v1', `bearer.${token}`], { perMessageDeflate: false });
    const late = setTimeout(() => reject(new Error('a viewer was not confirmed in time')), READY_MAX_MS);
    let confirmed = 0;
    ws.on('open', () => {
      for (const callSid of callSids) ws.send(JSON.stringify({ subscribe: callSid }));
    });
    ws.on('message', (data: Buffer) => {
      const text = data.toString();
      if (text.includes('"subscription_confirmed"') && ++confirmed === callSids.length) {
        clearTimeout(late);
        resolve(ws);
      }
      read(text);
    });
    ws.on('error', reject);
  });

const signed = (path: string, body: string): Post => ({ path, body, headers: { 'elevenlabs-signature': signatureHeader(SECRET, Math.floor(Date.now() / 1000), body) } });

/** A turn in a call that begins with it. */
const turn = (conversation: string, mark: string): Post =>
  signed(
    '/webhooks/elevenlabs/transcription',
    JSON.stringify({ conversation_id: conversation, agent_id: 'agent_local', speaker: 'agent', turn_id: mark, time_in_call_secs: 3, text: `There is a rest area twelve miles ahead of you, mark-${mark}, and you have been driving for six hours.` }),
  );

const ROWS = Array.from({ length: 12 }, (_, place) => ({ role: place % 2 === 0 ? 'agent' : 'user', message: `Row ${place} of a call about a stop that was missed.`, time_in_call_secs: place * 4 }));

/** The delivery that ends a call. */
const finish = (conversation: string, mark: string): Post =>
  signed(
    '/webhooks/elevenlabs/post-call',
    JSON.stringify({
      type: 'post_call_transcription',
      event_timestamp: Math.floor(Date.now() / 1000),
      data: {
        conversation_id: conversation,
        agent_id: 'agent_local',
        status: 'done',
        transcript: ROWS,
        metadata: { call_duration_secs: 48, cost_fiat: 0.1 },
        analysis: { transcript_summary: `The driver was parked, mark-${mark}.`, call_summary_title: 'Stop', call_successful: 'success' },
      },
    }),
  );

const tokenFor = async (port: number): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${port}/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(FIRST_LOGIN) });
  return ((await answer.json()) as { readonly access_token: string }).access_token;
};

interface Travelled {
  readonly byRate: ReadonlyMap<number, readonly number[]>;
  readonly finished: readonly number[];
  /** Microseconds of the whole process for each event, at each rate. */
  readonly cpuUs: ReadonlyMap<number, number>;
}

const travel = async (contender: Contender): Promise<Travelled> => {
  const process = await startProcess(contender === 'floor' ? 'servers/journey-floor.ts' : 'servers/journey.ts', contender === 'memory' ? { env: { DATA_ROOT: MEMORY_FOLDER ?? '' } } : {});
  const open: WebSocket[] = [];
  let arrivals = new Arrivals();
  const read = (text: string): void => arrivals.read(text);
  try {
    const { port } = await process.ask<{ readonly port: number }>('listening');
    const token = contender === 'floor' ? 'none' : await tokenFor(port);
    const spoken = Array.from({ length: CALLS }, (_, call) => `conv_spoken_${call}`);
    const ending = Array.from({ length: FINISHED }, (_, call) => `conv_ending_${call}`);
    await postAll(port, [...spoken, ...ending].map((conversation) => turn(conversation, `first${conversation}`)), 200, () => undefined);
    for (const conversation of spoken) for (let viewer = 0; viewer < VIEWERS_EACH; viewer++) open.push(await follow(port, token, [`EL_${conversation}`], read));
    open.push(await follow(port, token, ending.map((conversation) => `EL_${conversation}`), read));

    const run = async (name: string, perSecond: number, count: number): Promise<readonly number[]> => {
      arrivals = new Arrivals();
      const posts = Array.from({ length: count }, (_, place) => turn(spoken[place % CALLS] ?? '', `${name}x${place}`));
      const all = arrivals.all(count * VIEWERS_EACH);
      await Promise.all([all, postAll(port, posts, perSecond, (place, atMs) => arrivals.due(`${name}x${place}`, atMs))]);
      return all;
    };
    await run('warm', 200, 300);
    const byRate = new Map<number, readonly number[]>();
    const cpuUs = new Map<number, number>();
    for (const { perSecond, seconds } of contender === 'memory' ? IN_MEMORY : RATES) {
      const before = await process.usage();
      byRate.set(perSecond, await run(`r${perSecond}`, perSecond, perSecond * seconds));
      cpuUs.set(perSecond, ((await process.usage()).cpuUs - before.cpuUs) / (perSecond * seconds));
    }
    if (contender === 'memory') return { byRate, finished: [], cpuUs };
    arrivals = new Arrivals();
    const ends = ending.map((conversation) => finish(conversation, conversation));
    const all = arrivals.all(FINISHED);
    await Promise.all([all, postAll(port, ends, FINISHED_PER_SECOND, (place, atMs) => arrivals.due(ending[place] ?? '', atMs))]);
    return { byRate, finished: await all, cpuUs };
  } finally {
    for (const ws of open) ws.terminate();
    await process.end();
  }
};

export const journeyBench: Bench = {
  name: 'journey',
  what: 'from a signed webhook to the frame that a viewer read, the whole product in one process, beside the least that could be done',
  run: async (rounds, say) => {
    const travels: Record<Contender, Travelled[]> = { this: [], memory: [], floor: [] };
    const syncs: (readonly number[])[] = [];
    for (let round = 1; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      for (const contender of CONTENDERS) travels[contender].push(await travel(contender));
      syncs.push(await syncsOf(SYNCS));
    }
    const measured = (what: string, of: (travelled: Travelled) => readonly number[], share: number, most?: number, whose: Contender = 'this'): Measured => {
      const values = (contender: Contender): number[] => travels[contender].map((travelled) => percentile(of(travelled), share));
      return {
        what: `${what}: p${String(share * 100)}`,
        unit: 'ms',
        ours: values(whose),
        baseline: { name: 'node:http and ws', values: values('floor') },
        ...(most === undefined ? {} : { target: { of: 'this', bound: 'most', value: most } }),
      };
    };
    const atRate = ({ perSecond }: Rate): Measured[] => {
      const what = `${perSecond.toLocaleString('en-US')} events a second`;
      const of = ({ byRate }: Travelled): readonly number[] => byRate.get(perSecond) ?? [];
      const targeted = perSecond === TARGETED;
      return [
        measured(what, of, 0.5, targeted ? 5 : undefined),
        measured(what, of, 0.99, targeted ? 20 : undefined),
        measured(what, of, 0.999),
        {
          what: `${what}: CPU`,
          unit: 'us per event',
          ours: travels.this.map(({ cpuUs }) => cpuUs.get(perSecond) ?? NaN),
          baseline: { name: 'node:http and ws', values: travels.floor.map(({ cpuUs }) => cpuUs.get(perSecond) ?? NaN) },
        },
      ];
    };
    const inMemory = ({ perSecond }: Rate): Measured[] =>
      [0.5, 0.99].map((share) => measured(`${perSecond.toLocaleString('en-US')} events a second, log in memory`, ({ byRate }) => byRate.get(perSecond) ?? [], share, undefined, 'memory'));
    const disk = (share: number): Measured => ({ what: `the disk alone, one page: p${String(share * 100)}`, unit: 'ms', ours: syncs.map((took) => percentile(took, share)), baseline: null });
    return {
      bench: 'journey',
      measured: [
        ...RATES.flatMap(atRate),
        ...(MEMORY_FOLDER === null ? [] : IN_MEMORY.flatMap(inMemory)),
        disk(0.5),
        disk(0.99),
        measured(`post-call webhook, ${FINISHED_PER_SECOND} a second`, ({ finished }) => finished, 0.5),
        measured(`post-call webhook, ${FINISHED_PER_SECOND} a second`, ({ finished }) => finished, 0.99),
      ],
      notes: [
        `Live turns in ${CALLS} calls with ${VIEWERS_EACH} viewers each, 2 to 3 s at each rate, open loop: a frame's time counts from when its POST was due. Every POST was answered 200, every frame came once.`,
        'Ours verifies the signature, commits to SQLite (synchronous=FULL) before it answers, checks rights and keeps cursors. The floor keeps nothing.',
        'The post-call webhook ends a call with a transcript of 12 rows; counted is the frame of call_completed.',
        'p99.9 of 300 frames (50 a second) is their slowest. The disk is in every figure of ours that is not of a log in memory: each commit waits for it, and holds the one thread meanwhile.',
      ],
    };
  },
};
