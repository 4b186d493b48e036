/** What is heard within one turn of the event loop, and whatever else happens in it before the viewers are fed. */
import { describe, expect, it } from 'vitest';
import { newCallState, type CallState } from '../../core/domain/call/state.ts';
import { Session } from '../../core/domain/relay/session.ts';
import type { Subscription } from '../../core/domain/relay/subscriptions.ts';
import { INTERIM_RATE_PER_SECOND } from '../../core/protocol/limits.ts';
import { prometheusMetrics } from '../../ports/metrics.prometheus.ts';
import { seededRuntime } from '../../ports/runtime.seeded.ts';
import { createFeeds } from '../../ws-relay/feeds.ts';
import { frameText, type Frame } from '../../ws-relay/frames.ts';
import type { RelayParts } from '../../ws-relay/parts.ts';
import type { Viewer } from '../../ws-relay/viewer.ts';

const log: RelayParts['log'] = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, with: () => log };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Told {
  readonly viewer: Viewer;
  readonly subscription: Subscription;
  /** What it was written: seqs of events, words of interim turns. */
  readonly got: () => unknown[];
}

/** Calls with nothing in their log yet, and feeds whose turn ends when the test says so. */
const rigOf = () => {
  const runtime = seededRuntime(9);
  let call: CallState = newCallState({ call_sid: 'EL_1', workspace: 'w', tenant: 't1', driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null }, '1.a', runtime.now(), '');
  const texts: string[] = [];
  const works: (() => void)[] = [];
  let reads = 0;
  let failing = false;
  const callLog = {
    read: async (_callSid: string, after: number, limit: number) => {
      reads++;
      await Promise.resolve();
      if (failing) throw new Error('unavailable');
      return { call, events: texts.map((text, place) => ({ seq: place + 1, text })).slice(after, after + limit) };
    },
  } as unknown as RelayParts['callLog'];
  const metrics = prometheusMetrics();
  const feeds = createFeeds({ callLog, runtime, metrics, log }, () => undefined, (work) => works.push(work));
  /** Commits the next event and brings it over the bus. */
  const hear = (more: object = {}): void => {
    const seq = call.last_seq + 1;
    const text = JSON.stringify({ type: 'transcription', call_sid: 'EL_1', seq, turn_id: `turn-${seq}`, ...more });
    texts.push(text);
    call = { ...call, last_seq: seq };
    feeds.events({ kind: 'events', tenant: 't1', call_sid: 'EL_1', epoch: '1.a', first_seq: seq, texts: [text], at: runtime.now() });
  };
  const speak = (turn_id: string): void => {
    const text = JSON.stringify({ type: 'transcription', call_sid: 'EL_1', state: 'interim', turn_id, text: `says ${turn_id}` });
    feeds.interim({ kind: 'interim', tenant: 't1', call_sid: 'EL_1', turn_id, text, at: runtime.now() });
  };
  const join = (room = (): number => 1_000_000): Told => {
    const written: Frame[] = [];
    const transport = { write: (frame: Frame) => void written.push(frame), feed: (frames: readonly Frame[]) => void written.push(...frames), room } as unknown as Viewer['transport'];
    const viewer: Viewer = { session: new Session('ws_1', { now: runtime.now(), mono: 0 }), transport, turn: 0, restsUntil: 0 };
    const subscription: Subscription = { callSid: 'EL_1', names: new Set(), conversationId: null, epoch: '1.a', cursor: 0 };
    feeds.attach(viewer, subscription, call);
    const got = (): unknown[] => written.map((frame) => JSON.parse(frameText(frame)) as { seq?: number; text?: string }).map(({ seq, text }) => seq ?? text);
    return { viewer, subscription, got };
  };
  /** Commits the next event, of which nothing is told. */
  const commit = (): void => {
    const seq = call.last_seq + 1;
    texts.push(JSON.stringify({ type: 'transcription', call_sid: 'EL_1', seq, turn_id: `turn-${seq}` }));
    call = { ...call, last_seq: seq };
  };
  const fail = (fails: boolean): void => {
    failing = fails;
  };
  return { runtime, feeds, metrics, commit, fail, hear, speak, join, endTurn: () => works.splice(0).forEach((work) => work()), state: () => call, reads: () => reads };
};

describe('what is heard in one turn', () => {
  it('is fed at its end, once, to those who are there by then', () => {
    const { hear, join, endTurn, feeds } = rigOf();
    const [staying, leaving] = [join(), join()];
    hear();
    hear();
    const coming = join();
    feeds.detach(leaving.viewer, leaving.subscription);
    expect([staying.got(), leaving.got()]).toEqual([[], []]);
    endTurn();
    expect([staying.got(), leaving.got(), coming.got()]).toEqual([[1, 2], [], [1, 2]]);
    endTurn();
    expect(staying.got()).toEqual([1, 2]);
  });

  it('is fed again in the same turn where more is heard behind an interim turn', () => {
    const { hear, speak, join, endTurn } = rigOf();
    const viewer = join();
    hear();
    speak('turn-2');
    hear();
    endTurn();
    expect(viewer.got()).toEqual([1, 'says turn-2', 2]);
  });

  it('goes before an interim turn whose time comes before its end', () => {
    const { runtime, hear, speak, join, endTurn } = rigOf();
    const viewer = join();
    speak('turn-2');
    speak('turn-3');
    hear();
    runtime.advance(1_000 / INTERIM_RATE_PER_SECOND);
    endTurn();
    expect(viewer.got()).toEqual(['says turn-2', 1, 'says turn-3']);
  });

  it('is fed from the log to whoever comes after the last viewer left in the same turn, by a look-up from before it', async () => {
    const { hear, join, endTurn, feeds, state } = rigOf();
    const before = state();
    const leaving = join();
    hear();
    feeds.detach(leaving.viewer, leaving.subscription);
    const { viewer, subscription, got } = join(() => 0);
    feeds.detach(viewer, subscription);
    const written: Frame[] = [];
    const transport = { write: (frame: Frame) => void written.push(frame), feed: (frames: readonly Frame[]) => void written.push(...frames), room: () => 1_000 } as unknown as Viewer['transport'];
    feeds.attach({ ...viewer, transport }, { ...subscription, cursor: 0 }, before);
    endTurn();
    await turn();
    expect([leaving.got(), got(), written.map((frame) => (JSON.parse(frameText(frame)) as { seq: number }).seq)]).toEqual([[], [], [1]]);
  });

  it('is counted and timed as what it is: frames that were written, and each message by its own commit', async () => {
    const { runtime, hear, join, endTurn, metrics } = rigOf();
    join();
    join();
    hear();
    runtime.advance(40);
    hear();
    runtime.advance(10);
    endTurn();
    hear();
    endTurn();
    const text = await metrics.text();
    expect(text).toContain('earshot_deliveries_total 6');
    expect(text).toMatch(/earshot_delivery_delay_seconds_sum(\{\})? 0\.06/);
    expect(text).toMatch(/earshot_delivery_delay_seconds_count(\{\})? 3/);
  });

  it('is fed to the others where one viewer of one call makes a fault of ours', () => {
    const { hear, join, endTurn, feeds, state } = rigOf();
    const { got } = join();
    const other = { ...state(), call_sid: 'EL_2' };
    const { viewer, subscription } = join();
    feeds.detach(viewer, subscription);
    const broken = { ...viewer, transport: { ...viewer.transport, room: () => 1_000, feed: () => { throw new Error('broken'); } } };
    feeds.attach(broken, { ...subscription, callSid: 'EL_2' }, other);
    const text = JSON.stringify({ type: 'transcription', call_sid: 'EL_2', seq: 1, turn_id: 'turn-1' });
    feeds.events({ kind: 'events', tenant: 't1', call_sid: 'EL_2', epoch: '1.a', first_seq: 1, texts: [text], at: 0 });
    hear();
    endTurn();
    expect(got()).toEqual([1]);
  });
});

describe('each second', () => {
  it('asks again for what could not be read, until it could', async () => {
    const { commit, hear, fail, join, endTurn, feeds, reads } = rigOf();
    const viewer = join();
    fail(true);
    commit();
    hear();
    endTurn();
    await turn();
    expect([reads(), viewer.got()]).toEqual([1, []]);
    feeds.tick();
    await turn();
    expect([reads(), viewer.got()]).toEqual([2, []]);
    fail(false);
    feeds.tick();
    await turn();
    expect([reads(), viewer.got()]).toEqual([3, [1, 2]]);
    for (let second = 0; second < 5; second++) feeds.tick();
    await turn();
    expect(reads()).toBe(3);
  });

  it('asks for nothing of a call that nobody watches any more', async () => {
    const { commit, hear, fail, join, endTurn, feeds, reads } = rigOf();
    const { viewer, subscription } = join();
    fail(true);
    commit();
    hear();
    endTurn();
    await turn();
    feeds.detach(viewer, subscription);
    feeds.tick();
    await turn();
    expect(reads()).toBe(1);
  });
});
