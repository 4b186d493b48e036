/**
 * A relay is killed under a thousand viewers, and all come to another that knows none of their calls. Viewers are the client library as
 * shipped (a few) and bare sockets that do what it does (the rest), all in one process; each follows one call, which speaks on while nobody
 * is connected.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { connect } from '../../client/index.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { entry, turn } from '../fixtures/facts.ts';
import type { Bench } from './harness/figures.ts';
import { openLogFolder, type LogFolder } from './harness/log-folder.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import { returningViewer, type ReturningOptions } from './harness/returning-viewers.ts';

const CALLS = 100;
const VIEWERS = 1_000;
/** Of them the client library itself: a thousand of its sockets in one process would take longer than the relay. */
const LIBRARIES = 20;
/** Of each call before the kill, and while nobody is connected. */
const SAID_BEFORE = 40;
const SAID_MEANWHILE = 5;
const STEP_MAX_MS = 60_000;

interface Reads {
  readonly all: number;
  readonly pages: number;
  readonly most: number;
}

interface Storm {
  readonly caughtUpMs: number;
  readonly halfMs: number;
  readonly cpuMsPerViewer: number;
  readonly reads: Reads;
}

/** One viewer, as far as the storm looks at it. */
interface Follower {
  readonly callSid: string;
  readonly lastSeq: number;
  readonly live: boolean;
  close(): void;
}

const say = async (folder: LogFolder, calls: readonly string[], count: number): Promise<void> => {
  for (let said = 0; said < count; said++) {
    await Promise.all(calls.map((callSid) => folder.append(callSid, [entry(turn(said % 2 === 0 ? 'agent' : 'driver', `Words that a dispatcher reads, number ${said}, said at ${performance.now()}.`))])));
  }
};

/** Resolves when it holds; looked at after every event and state, since that is when it may begin to. */
const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  const until = performance.now() + STEP_MAX_MS;
  while (!holds()) {
    if (performance.now() > until) throw new Error(`waited in vain until ${what}`);
    await wait(2);
  }
};

/** The library itself. What was lost or came twice would make the figures worthless. */
const follow = ({ port, token, callSid, failed }: ReturningOptions): Follower => {
  const feed = connect({ url: `ws://127.0.0.1:${port}`, token: () => token });
  let lastSeq = 0;
  feed.call(callSid, (update) => {
    if (update.kind === 'reset' || update.kind === 'lost' || update.kind === 'error') failed(new Error(`a viewer was told ${update.kind}`));
    if (update.kind !== 'event') return;
    if (update.event.seq !== lastSeq + 1) failed(new Error(`event ${update.event.seq} came after ${lastSeq}`));
    lastSeq = update.event.seq;
  });
  return {
    callSid,
    get lastSeq() {
      return lastSeq;
    },
    get live() {
      // For a while after a loss the library says so.
      return feed.state === 'live' || feed.state === 'restored';
    },
    close: () => feed.close(),
  };
};

const storm = async (program: string): Promise<Storm> => {
  const folder = await openLogFolder(systemRuntime());
  const ends: (() => Promise<void>)[] = [() => folder.close()];
  const relay = async (): Promise<BenchProcess> => {
    const one = await startProcess(program, { env: { DATA_DIR: folder.dataDir, COUNT_READS: '1' } });
    ends.push(() => one.end());
    return one;
  };
  const followers: Follower[] = [];
  try {
    const calls: string[] = [];
    for (let call = 0; call < CALLS; call++) calls.push((await folder.begin(`conv_${call}`, [entry(turn('agent', 'Hello.'), `conv_${call}`)])).call_sid);
    await say(folder, calls, SAID_BEFORE);
    const [first, second] = [await relay(), await relay()];
    const port = await first.ask<number>('listen', 0);
    const token = await folder.token();
    const faults: Error[] = [];
    const failed = (error: Error): void => void faults.push(error);
    for (let viewer = 0; viewer < VIEWERS; viewer++) {
      const how = { port, token, callSid: calls[viewer % CALLS] ?? '', failed };
      followers.push(viewer < LIBRARIES ? follow(how) : returningViewer(how));
    }
    const all = async (): Promise<Map<string, number>> => new Map((await folder.stores.callLog.findMany(calls)).map((call, place) => [calls[place] ?? '', call === null || call === 'erased' ? 0 : call.last_seq]));
    const caughtUp = (heads: ReadonlyMap<string, number>): number => followers.filter(({ live, callSid, lastSeq }) => live && lastSeq >= (heads.get(callSid) ?? Infinity)).length;
    const before = await all();
    await eventually('all viewers are live', () => caughtUp(before) === VIEWERS);

    // What the first says from now on nobody hears.
    first.kill();
    const killedAt = performance.now();
    await say(folder, calls, SAID_MEANWHILE);
    const heads = await all();
    const cpuBefore = (await second.usage()).cpuUs;
    await second.ask('listen', port);
    await eventually('half of the viewers are live again', () => caughtUp(heads) >= VIEWERS / 2);
    const halfMs = performance.now() - killedAt;
    await eventually('all viewers are live again', () => caughtUp(heads) === VIEWERS);
    if (faults[0] !== undefined) throw faults[0];
    const caughtUpMs = performance.now() - killedAt;
    const cpuMsPerViewer = ((await second.usage()).cpuUs - cpuBefore) / 1000 / VIEWERS;
    return { caughtUpMs, halfMs, cpuMsPerViewer, reads: await second.ask<Reads>('reads') };
  } finally {
    for (const follower of followers) follower.close();
    for (const end of ends.reverse()) await end();
  }
};

export const stormBench: Bench = {
  name: 'storm',
  what: `a relay is killed under ${VIEWERS} viewers of ${CALLS} calls: until all have caught up at another, and what that reads from the log`,
  run: async (rounds, say_) => {
    const ours: Storm[] = [];
    const naive: Storm[] = [];
    for (let round = 1; round <= rounds; round++) {
      say_(`round ${round} of ${rounds}`);
      ours.push(await storm('servers/relay-beside-log.ts'));
      naive.push(await storm('servers/naive-relay-beside-log.ts'));
    }
    const beside = (of: (one: Storm) => number): { readonly ours: number[]; readonly baseline: { readonly name: string; readonly values: number[] } } => ({
      ours: ours.map(of),
      baseline: { name: 'a read for each viewer', values: naive.map(of) },
    });
    return {
      bench: 'storm',
      measured: [
        { what: 'from the kill until all are live with every event', unit: 'ms', ...beside(({ caughtUpMs }) => caughtUpMs), target: { of: 'this', bound: 'most', value: 2_000 } },
        { what: 'until half of them are', unit: 'ms', ...beside(({ halfMs }) => halfMs) },
        { what: 'CPU of the relay', unit: 'ms per viewer', ...beside(({ cpuMsPerViewer }) => cpuMsPerViewer) },
        { what: 'reads of one page of one call, at most', unit: 'reads', ...beside(({ reads }) => reads.most), target: { of: 'this', bound: 'most', value: 1 } },
        { what: 'reads of pages', unit: 'reads', ...beside(({ reads }) => reads.all) },
      ],
      notes: [
        `${LIBRARIES} of the viewers are the client library, the others bare sockets that wait, ask and check as it does; all in one process. ${SAID_BEFORE} turns of each call before, ${SAID_MEANWHILE} while nobody was connected; each checks every seq.`,
        `The client waits 300 ms before it comes back. The other relay was running, and takes the port when what was said meanwhile is in the log.`,
        `The baseline knows no rights, no token and no comparison: it says "verified" without looking.`,
      ],
    };
  },
};
