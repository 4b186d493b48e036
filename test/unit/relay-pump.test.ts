import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Feed, type FeedCall, type FeedEvent } from '../../core/domain/relay/feed.ts';
import { Round, step } from '../../core/domain/relay/pump.ts';
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
    const round = new Round(this.feed);
    for (const reader of this.readers) {
      for (;;) {
        const moved = round.step(reader.cursor, reader.room);
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

  it('say why they stopped: the reader is full, or has caught up', () => {
    const feed = new Feed<Frame>(call(0));
    feed.offer('1.a', [1, 2, 3].map(event));
    expect(step(feed, 0, 11)).toEqual({ frames: [1, 2].map((seq) => event(seq).frame), cursor: 2, lost: null, then: 'full' });
    expect(step(feed, 2, 11)).toEqual({ frames: [event(3).frame], cursor: 3, lost: null, then: 'caught_up' });
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
    expect(feed.tidy()).toBe(false);
    expect(step(feed, 0, 10).frames).toHaveLength(1);
    expect(feed.tidy()).toBe(false);
    expect(step(feed, 0, 10).frames).toHaveLength(1);
    expect([feed.tidy(), feed.tidy()]).toEqual([false, true]);
    expect(step(feed, 0, 10)).toMatchObject({ frames: [], then: 'page' });
  });

  it('ask again for a read that failed', () => {
    const feed = new Feed<Frame>(call(3));
    feed.doubt();
    expect(feed.nextRead()).not.toBeNull();
    expect([feed.doubtful, feed.nextRead()]).toEqual([true, null]);
    feed.readFailed();
    expect(feed.doubtful).toBe(true);
    expect(feed.nextRead()).not.toBeNull();
  });

  it('read one thing at a time, and doubt nothing because a read failed', () => {
    const feed = new Feed<Frame>(call(3));
    feed.compared(call(5));
    expect(feed.nextRead()).toMatchObject({ after: 3, limit: RING_EVENTS });
    expect(feed.nextRead()).toBeNull();
    feed.readFailed();
    feed.readFailed();
    expect(feed.doubtful).toBe(false);
    expect(feed.nextRead()).toMatchObject({ after: 3 });
  });
});

const seqs = (events: readonly FeedEvent<Frame>[]): number[] => events.map((each) => each.seq);
/** What a viewer at the cursor can be given from what is at hand. */
const given = (feed: Feed<Frame>, cursor: number): number[] => step(feed, cursor, Infinity).frames.map((frame) => frame.seq);
/** Answers the read that the feed asks for, out of a log that has these events. */
const read = (feed: Feed<Frame>, last: number, present: readonly number[] = range(1, last), of = call(last)): number[] => {
  const wanted = feed.nextRead();
  if (wanted === null) throw new Error('no read is wanted');
  return seqs(feed.readDone(of, present.filter((seq) => seq > wanted.after && seq <= last).slice(0, wanted.limit).map(event)));
};

describe('what is new at the head', () => {
  it('is answered once and in order, whether the bus or the log brought it', () => {
    const feed = new Feed<Frame>(call(0));
    expect(seqs(feed.offer('1.a', [3, 2].map(event)))).toEqual([]);
    expect(seqs(feed.offer('1.a', [1, 1, 2].map(event)))).toEqual([1, 2, 3]);
    expect(seqs(feed.offer('1.a', [1, 2, 3].map(event)))).toEqual([]);
    expect(seqs(feed.offer('9.lie', [event(4)]))).toEqual([]);
    expect(seqs(feed.offer('1.a', [event(7)]))).toEqual([]);
    expect(read(feed, 6)).toEqual([4, 5, 6, 7]);
    expect(given(feed, 0)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    feed.doubt();
    expect(read(feed, 7)).toEqual([]);
  });

  it('is nothing where a read answers that nobody began, or in another epoch', () => {
    const feed = new Feed<Frame>(call(0));
    expect(feed.readDone(call(2), [1, 2].map(event))).toEqual([]);
    expect(feed.head).toBe(0);
    feed.doubt();
    expect(read(feed, 2, [1, 2], call(2, '2.b'))).toEqual([]);
    expect([feed.epoch, feed.head]).toEqual(['2.b', 2]);
  });

  it('goes over holes in the log, which are told of as lost', () => {
    const feed = new Feed<Frame>(call(3));
    feed.compared(call(9));
    expect(read(feed, 9, [6, 7])).toEqual([6, 7]);
    expect(feed.head).toBe(9);
    expect(step(feed, 3, Infinity)).toMatchObject({ lost: { from: 4, to: 5 }, cursor: 5, then: 'again' });
    expect(step(feed, 5, Infinity)).toMatchObject({ frames: [{ seq: 6 }, { seq: 7 }], lost: { from: 8, to: 9 }, cursor: 9 });
    expect(seqs(feed.offer('1.a', [event(10)]))).toEqual([10]);
    expect(given(feed, 9)).toEqual([10]);
  });

  it('is read on where one read does not bring it all', () => {
    const feed = new Feed<Frame>(call(0));
    const last = 2 * RING_EVENTS + 5;
    feed.compared(call(last));
    expect([read(feed, last), read(feed, last), read(feed, last)]).toEqual([range(1, RING_EVENTS), range(RING_EVENTS + 1, 2 * RING_EVENTS), range(2 * RING_EVENTS + 1, last)]);
    expect([feed.head, feed.nextRead()]).toEqual([last, null]);
  });

  it('holds no repetition and nothing that was read meanwhile in the place of what waits', () => {
    const feed = new Feed<Frame>(call(RING_EVENTS + 10));
    const head = feed.head;
    feed.offer('1.a', [...range(1, RING_EVENTS), head + 2].map(event));
    expect(seqs(feed.offer('1.a', [event(head + 1)]))).toEqual([head + 1, head + 2]);
    const held = range(head + 4, head + 3 + RING_EVENTS);
    feed.offer('1.a', held.map(event));
    read(feed, head + 3 + RING_EVENTS);
    const next = feed.head + 1;
    feed.offer('1.a', [event(next + 1)]);
    expect(seqs(feed.offer('1.a', [event(next)]))).toEqual([next, next + 1]);
  });

  it('takes nothing that the log does not have, nor what was heard in an epoch that is over', () => {
    const feed = new Feed<Frame>(call(3));
    feed.offer('1.a', [event(9)]);
    read(feed, 3);
    expect(seqs(feed.offer('1.a', range(4, 8).map(event)))).toEqual([4, 5, 6, 7, 8]);
    feed.offer('1.a', [event(12)]);
    feed.want(0);
    read(feed, 10, range(1, 10), call(10, '2.b'));
    expect(feed.nextRead()).toBeNull();
    expect(seqs(feed.offer('2.b', [event(11)]))).toEqual([11]);
  });
});

describe('what a feed knows of its call', () => {
  it('comes of its events', () => {
    const feed = new Feed<Frame>(call(0));
    feed.offer('1.a', [{ ...event(1), conversationId: 'conv', status: 'processing' }, { ...event(2), conversationId: 'other' }]);
    expect([feed.conversationId, feed.status]).toEqual(['conv', 'processing']);
  });

  it('comes of the log, where that is not behind', () => {
    const feed = new Feed<Frame>(call(2));
    feed.compared({ ...call(1), status: 'dialing', conversation_id: 'conv' });
    expect([feed.conversationId, feed.status]).toEqual(['conv', 'in_progress']);
    feed.compared({ ...call(2), status: 'processing', conversation_id: 'other' });
    expect([feed.conversationId, feed.status]).toEqual(['conv', 'processing']);
    feed.doubt();
    feed.nextRead();
    feed.readDone({ ...call(2), status: 'completed' }, []);
    expect(feed.status).toBe('completed');
    feed.compared({ ...call(9, '2.b'), status: 'failed' });
    expect([feed.doubtful, feed.status, feed.known, feed.epoch]).toEqual([true, 'completed', 2, '1.a']);
  });
});

describe('the ring', () => {
  it('takes in what a page shows just before it, as far as it has room', () => {
    const feed = new Feed<Frame>(call(300));
    expect(step(feed, 299, Infinity).then).toBe('page');
    read(feed, 300);
    feed.tidy();
    feed.tidy();
    expect(given(feed, RING_EVENTS)).toEqual(range(RING_EVENTS + 1, 300));
    expect(step(feed, 0, Infinity).then).toBe('page');
    read(feed, 300);
    feed.tidy();
    feed.tidy();
    expect(given(feed, 300 - RING_EVENTS)).toEqual(range(301 - RING_EVENTS, 300));
    expect(step(feed, 299 - RING_EVENTS, Infinity)).toMatchObject({ frames: [], then: 'page' });
  });

  it('ends where the page has a hole', () => {
    const feed = new Feed<Frame>(call(9));
    feed.want(0);
    read(feed, 9, [1, 2, 4, 5, 6, 7, 8, 9]);
    feed.tidy();
    feed.tidy();
    expect(given(feed, 3)).toEqual(range(4, 9));
    expect(step(feed, 2, Infinity)).toMatchObject({ frames: [], then: 'page' });
  });
});

describe('a round over the viewers of a call', () => {
  const ringed = (): Feed<Frame> => {
    const feed = new Feed<Frame>(call(0));
    feed.offer('1.a', range(1, 9).map(event));
    return feed;
  };

  it('makes one step for all at the same position that have room for it', () => {
    const round = new Round(ringed());
    const first = round.step(4, 51);
    expect(first).toMatchObject({ cursor: 9, then: 'caught_up' });
    expect(round.step(4, Infinity)).toBe(first);
    expect(round.step(4, 51)).toBe(first);
  });

  it('gives each viewer what a step of its own would, whatever the position and the room', () => {
    const feed = new Feed<Frame>(call(9));
    feed.want(0);
    read(feed, 9, [1, 2, 5, 6, 7, 8, 9]);
    const doubted = ringed();
    doubted.doubt();
    fc.assert(
      fc.property(fc.constantFrom(feed, ringed(), doubted), fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -10, max: 100 }))), (of, viewers) => {
        const round = new Round(of);
        for (const [cursor, room] of viewers) expect(round.step(cursor, room)).toEqual(step(of, cursor, room));
      }),
    );
  });
});
