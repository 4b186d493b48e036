import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Feed, type FeedCall, type FeedEvent } from '../../core/domain/relay/feed.ts';
import { step } from '../../core/domain/relay/pump.ts';
import { RING_EVENTS } from '../../core/protocol/limits.ts';

interface Frame {
  readonly seq: number;
  readonly length: number;
}
const event = (seq: number): FeedEvent<Frame> => ({ seq, frame: { seq, length: 10 }, conversationId: null, turnId: null, status: null });
const call = (last_seq: number, epoch = '1.a'): FeedCall => ({ call_sid: 'EL_1', tenant: 't1', conversation_id: null, epoch, status: 'in_progress', last_seq });
const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from + 1) }, (_, place) => from + place);

/** A viewer as the shell keeps it: a cursor, what it got, and how much it takes now. */
interface Reader {
  readonly start: number;
  cursor: number;
  room: number;
  readonly got: number[];
  readonly lost: [number, number][];
}

/** One call, its log, and everything that may happen between them. */
class Scene {
  last: number;
  readonly feed: Feed<Frame>;
  readonly readers: Reader[] = [];
  readonly onTheBus: number[] = [];
  readonly gone = new Set<number>();
  reading: { after: number; seen: number; limit: number } | null = null;

  constructor(last: number) {
    this.last = last;
    this.feed = new Feed<Frame>(call(last));
  }
  append(count: number, fate: 'sent' | 'dropped' | 'twice'): void {
    for (let more = 0; more < count; more++) {
      this.last++;
      if (fate !== 'dropped') this.onTheBus.push(this.last);
      if (fate === 'twice') this.onTheBus.push(this.last);
    }
  }
  deliver(place: number): void {
    const [seq] = this.onTheBus.length === 0 ? [] : this.onTheBus.splice(place % this.onTheBus.length, 1);
    if (seq !== undefined) this.feed.offer('1.a', [event(seq)]);
    this.pump();
  }
  join(start: number, room: number): void {
    this.readers.push({ start: start % (this.last + 1), cursor: start % (this.last + 1), room, got: [], lost: [] });
    this.feed.compared(call(this.last));
    this.pump();
  }
  drain(place: number, room: number): void {
    const reader = this.readers[place % Math.max(1, this.readers.length)];
    if (reader !== undefined) reader.room = room;
    this.pump();
  }
  /** A read looks at the log when it begins, and answers some time later. */
  beginRead(): void {
    const read = this.reading === null ? this.feed.nextRead() : null;
    if (read !== null) this.reading = { ...read, seen: this.last };
  }
  endRead(works: boolean): void {
    if (this.reading === null) return;
    const { after, seen, limit } = this.reading;
    this.reading = null;
    const present = range(after + 1, seen).filter((seq) => !this.gone.has(seq)).slice(0, limit);
    if (works) this.feed.readDone(call(seen), present.map(event));
    else this.feed.readFailed();
    this.pump();
  }
  pump(): void {
    for (const reader of this.readers) {
      for (;;) {
        const moved = step(this.feed, reader.cursor, reader.room);
        for (const frame of moved.frames) {
          reader.got.push(frame.seq);
          reader.room -= frame.length;
        }
        if (moved.lost !== null) reader.lost.push([moved.lost.from, moved.lost.to]);
        reader.cursor = moved.cursor;
        if (moved.then !== 'again') break;
      }
    }
  }
  heal(): void {
    this.feed.compared(call(this.last));
    for (const reader of this.readers) reader.room = Infinity;
    this.pump();
    for (let rounds = 0; rounds < 2_000; rounds++) {
      this.beginRead();
      if (this.reading === null) return;
      this.endRead(true);
    }
    throw new Error('reads without end');
  }
}

const happening = fc.oneof(
  fc.record({ what: fc.constant('append' as const), count: fc.integer({ min: 1, max: 40 }), fate: fc.constantFrom('sent' as const, 'dropped' as const, 'twice' as const) }),
  fc.record({ what: fc.constant('deliver' as const), place: fc.nat(50) }),
  fc.record({ what: fc.constant('join' as const), start: fc.nat(1_000), room: fc.constantFrom(0, 15, 100, Infinity) }),
  fc.record({ what: fc.constant('drain' as const), place: fc.nat(5), room: fc.constantFrom(0, 10, 55, 3_000) }),
  fc.record({ what: fc.constant('begin_read' as const) }),
  fc.record({ what: fc.constant('end_read' as const), works: fc.boolean() }),
  fc.record({ what: fc.constant('compare' as const) }),
  fc.record({ what: fc.constant('tidy' as const) }),
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const happen = (scene: Scene, each: Happening): void => {
  switch (each.what) {
    case 'append':
      scene.append(each.count, each.fate);
      return;
    case 'deliver':
      scene.deliver(each.place);
      return;
    case 'join':
      scene.join(each.start, each.room);
      return;
    case 'drain':
      scene.drain(each.place, each.room);
      return;
    case 'begin_read':
      scene.beginRead();
      return;
    case 'end_read':
      scene.endRead(each.works);
      return;
    case 'compare':
      scene.feed.compared(call(scene.last));
      scene.pump();
      return;
    case 'tidy':
      scene.feed.tidy();
  }
};

describe('feed and pump', () => {
  it('give every reader start+1, start+2, ... each once and in order, whatever is late, doubled, lost or slow', () => {
    fc.assert(
      fc.property(fc.nat(700), fc.array(happening, { maxLength: 60 }), (before, story) => {
        const scene = new Scene(before);
        for (const each of story) {
          happen(scene, each);
          for (const reader of scene.readers) expect(reader.got).toEqual(range(reader.start + 1, reader.cursor));
        }
        scene.heal();
        for (const reader of scene.readers) {
          expect(reader.got).toEqual(range(reader.start + 1, scene.last));
          expect(reader.lost).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('tell every reader exactly what is lost, and give all the rest', () => {
    const holes = fc.array(fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 300 })), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 900 }), holes, fc.array(fc.nat(900), { minLength: 1, maxLength: 4 }), (last, torn, starts) => {
        const scene = new Scene(last);
        for (const [from, size] of torn) for (const seq of range(from, Math.min(last, from + size))) scene.gone.add(seq);
        for (const start of starts) scene.join(start, Infinity);
        scene.heal();
        for (const reader of scene.readers) {
          const told = [...reader.got, ...reader.lost.flatMap(([from, to]) => range(from, to))].sort((a, b) => a - b);
          expect(told).toEqual(range(reader.start + 1, last));
          expect(reader.got).toEqual(range(reader.start + 1, last).filter((seq) => !scene.gone.has(seq)));
        }
      }),
      { numRuns: 200 },
    );
  });

  it('share one read among all who begin in the same block', () => {
    const scene = new Scene(RING_EVENTS);
    for (const start of range(0, 99)) scene.join(start, Infinity);
    scene.beginRead();
    scene.endRead(true);
    expect(scene.readers.every((reader) => reader.cursor === RING_EVENTS)).toBe(true);
    expect(scene.feed.nextRead()).toBeNull();
  });

  it('need no read for those who missed less than the ring holds', () => {
    const feed = new Feed<Frame>(call(0));
    feed.offer('1.a', range(1, 300).map(event));
    expect(step(feed, 300 - RING_EVENTS, Infinity).frames.map((frame) => frame.seq)).toEqual(range(301 - RING_EVENTS, 300));
    expect(step(feed, 299 - RING_EVENTS, Infinity)).toMatchObject({ frames: [], then: 'page' });
  });

  it('feed nothing while the epoch is in question, and start over when the log says that it changed', () => {
    const feed = new Feed<Frame>(call(3));
    feed.offer('2.b', [event(1)]);
    expect(step(feed, 3, Infinity).then).toBe('doubt');
    expect(feed.nextRead()).toMatchObject({ after: 3 });
    feed.readDone(call(1, '2.b'), []);
    expect([feed.epoch, feed.head, feed.doubtful]).toEqual(['2.b', 1, false]);
  });

  it('go on where a message lied about the epoch', () => {
    const feed = new Feed<Frame>(call(3));
    feed.offer('9.lie', [event(4)]);
    feed.nextRead();
    feed.readDone(call(3), []);
    expect([feed.epoch, feed.head, feed.doubtful]).toEqual(['1.a', 3, false]);
  });

  it('forget an event that was heard of and that the log does not have', () => {
    const feed = new Feed<Frame>(call(3));
    feed.offer('1.a', [event(9)]);
    expect(feed.nextRead()).toMatchObject({ after: 3 });
    feed.readDone(call(3), []);
    expect([feed.known, feed.nextRead()]).toEqual([3, null]);
  });

  it('hold a bounded number of events that came before their turn', () => {
    const feed = new Feed<Frame>(call(0));
    feed.offer('1.a', range(2, 1_000).map(event));
    feed.offer('1.a', [event(1)]);
    expect([feed.head, feed.known]).toEqual([1 + RING_EVENTS, 1_000]);
  });

  it('let go of a page that nobody uses any more', () => {
    const feed = new Feed<Frame>(call(10 * RING_EVENTS));
    feed.want(0);
    expect(feed.nextRead()).toMatchObject({ after: 0 });
    feed.readDone(call(10 * RING_EVENTS), range(1, RING_EVENTS).map(event));
    feed.tidy();
    expect(step(feed, 0, 10).frames).toHaveLength(1);
    feed.tidy();
    feed.tidy();
    expect(step(feed, 0, 10)).toMatchObject({ frames: [], then: 'page' });
  });

  it('ask again for a read that failed', () => {
    const feed = new Feed<Frame>(call(3));
    feed.doubt();
    expect(feed.nextRead()).not.toBeNull();
    expect(feed.nextRead()).toBeNull();
    feed.readFailed();
    expect(feed.doubtful).toBe(true);
    expect(feed.nextRead()).not.toBeNull();
  });
});
