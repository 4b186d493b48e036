import { describe, expect, it } from 'vitest';
import { newBoardSource } from '../../client/board-source.ts';
import { newCallSource } from '../../client/call-source.ts';
import type { End, Following, Updates } from '../../client/listeners.ts';
import type { CallUpdate } from '../../core/domain/client/call-update.ts';
import type { BoardRow, EventFrame, InterimFrame } from '../../core/protocol/frames.ts';

const confirmed = (epoch = 'e1'): CallUpdate => ({ kind: 'confirmed', callSid: 'EL_1', conversationId: null, epoch, status: 'in_progress' });
const event = (seq: number, more: object = {}): CallUpdate => ({ kind: 'event', event: { type: 'transcription', speaker: 'agent', turn_id: `t${seq}`, seq, ...more } as unknown as EventFrame });
const interim = (text: string, speaker = 'agent'): CallUpdate => ({ kind: 'interim', turn: { type: 'transcription', state: 'interim', speaker, turn_id: text, text } as unknown as InterimFrame });
const short = (update: CallUpdate): string => {
  if (update.kind === 'event') return String(update.event.seq);
  return update.kind === 'interim' ? update.turn.text : update.kind === 'confirmed' ? update.epoch : update.kind;
};

class Followed {
  end: End;
  left = 0;
  readonly source = newCallSource(() => this.end, () => this.left++);
  take(...updates: readonly CallUpdate[]): void {
    for (const update of updates) this.source.take(update);
  }
  tell(to: string[]): Following {
    return this.source.listeners.tell((update) => to.push(short(update)));
  }
  iterate(): Updates<CallUpdate> {
    return this.source.listeners.iterate();
  }
}

/** What an iterable gives until it ends. */
const readAll = async (updates: Updates<CallUpdate>): Promise<string[]> => {
  const read: string[] = [];
  for await (const update of updates) read.push(short(update));
  return read;
};
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('followers of one call', () => {
  it('are each told everything from the first event, whenever they come', async () => {
    const call = new Followed();
    const [first, second]: [string[], string[]] = [[], []];
    call.tell(first);
    call.take(confirmed(), event(1), event(2));
    call.tell(second);
    expect(second).toEqual([]);
    await turn();
    call.take(event(3), { kind: 'sealed', proof: 'complete' });
    expect(first).toEqual(['e1', '1', '2', '3', 'sealed']);
    expect(second).toEqual(first);
  });

  it('get it in order where one begins to follow in the middle of what another is being told', () => {
    const call = new Followed();
    const late: string[] = [];
    let begun = false;
    call.source.listeners.tell((update) => {
      if (begun || update.kind !== 'event') return;
      begun = true;
      call.tell(late);
      call.take(event(2));
    });
    call.take(confirmed(), event(1), event(3));
    expect(late).toEqual(['e1', '1', '2', '3']);
  });

  it('leave the call with the last of them, and closing twice is closing once', () => {
    const call = new Followed();
    const told: string[] = [];
    const [one, other] = [call.tell(told), call.tell([])];
    one.close();
    one.close();
    call.take(confirmed());
    expect([told, call.left]).toEqual([[], 0]);
    other.close();
    other.close();
    expect(call.left).toBe(1);
  });

  it('may close in the middle of being told', () => {
    const call = new Followed();
    const told: string[] = [];
    const following = call.source.listeners.tell((update) => {
      told.push(short(update));
      following.close();
    });
    call.take(confirmed(), event(1));
    expect(told).toEqual(['e1']);
  });

  it('are told of a start anew only where they were shown something, and a later one begins with what is true', async () => {
    const call = new Followed();
    const [first, second]: [string[], string[]] = [[], []];
    call.tell(first);
    call.take(confirmed(), event(1), event(2), { kind: 'reset', reason: 'epoch_changed' }, confirmed('e2'), event(1));
    call.tell(second);
    await turn();
    expect(first).toEqual(['e1', '1', '2', 'reset', 'e2', '1']);
    expect(second).toEqual(['e2', '1']);
  });

  it('are told what was lost and refused, the later one too', async () => {
    const call = new Followed();
    const told: string[] = [];
    call.tell([]);
    call.take(confirmed(), event(1), { kind: 'lost', from: 2, to: 3 }, { kind: 'error', code: 'call_not_found' });
    call.tell(told);
    await turn();
    expect(told).toEqual(['error', '1', 'lost']);
  });
});

describe('a call to iterate over', () => {
  it('gives every event to a slow reader, and of what is being said the newest words that still are', async () => {
    const call = new Followed();
    const updates = call.iterate();
    call.take(confirmed(), event(1), interim('Hel'), interim('Hello'), interim('Yes', 'driver'));
    for (let seq = 2; seq <= 500; seq++) call.take(event(seq));
    call.take(interim('And'), interim('And now'));
    const read: string[] = [];
    for await (const update of updates) {
      read.push(short(update));
      if (read.length === 503) break;
    }
    expect(read).toEqual(['e1', ...Array.from({ length: 500 }, (_, place) => String(place + 1)), 'Yes', 'And now']);
    expect(call.left).toBe(1);
  });

  it('waits for what comes, and ends with its own close, also while it waits', async () => {
    const call = new Followed();
    const updates = call.iterate();
    const read = readAll(updates);
    await turn();
    call.take(confirmed());
    await turn();
    call.take(event(1));
    await turn();
    updates.close();
    call.take(event(2));
    expect([await read, call.left]).toEqual([['e1', '1'], 1]);
  });

  it('ends before it begins where it was closed before', async () => {
    const call = new Followed();
    const updates = call.iterate();
    call.take(confirmed());
    updates.close();
    expect([await readAll(updates), call.left]).toEqual([[], 1]);
  });

  it('ends with the feed, at once where the page wished so', async () => {
    const call = new Followed();
    const [reading, unread] = [readAll(call.iterate()), call.iterate()];
    await turn();
    call.take(confirmed(), event(1));
    await turn();
    call.end = null;
    call.source.listeners.wakeAll();
    expect([await reading, await readAll(unread)]).toEqual([['e1', '1'], []]);
  });

  it('throws where the relay ended the feed, after everything that had come', async () => {
    const call = new Followed();
    const updates = call.iterate();
    call.take(confirmed(), event(1));
    call.end = new Error('over');
    const read: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const update of updates) read.push(short(update));
    })();
    await expect(reading).rejects.toThrow('over');
    expect([read, call.left]).toEqual([['e1', '1'], 1]);
  });

  it('gives a slow reader nothing of what was void before it was read', async () => {
    const call = new Followed();
    const updates = call.iterate()[Symbol.asyncIterator]();
    call.take(confirmed(), event(1));
    expect((await updates.next()).value).toMatchObject({ epoch: 'e1' });
    call.take({ kind: 'reset', reason: 'epoch_changed' }, confirmed('e2'), event(1));
    const read = [await updates.next(), await updates.next(), await updates.next()].map(({ value }) => short(value as CallUpdate));
    expect(read).toEqual(['reset', 'e2', '1']);
  });
});

describe('the board to iterate over', () => {
  const row = (callSid: string, lastSeq: number): BoardRow => ({ call_sid: callSid, epoch: 'e1', last_seq: lastSeq, changed_at: '' }) as unknown as BoardRow;
  const seqs = (rows: readonly BoardRow[]): number[] => rows.map(({ last_seq }) => last_seq);

  it('gives the newest rows when the reader is ready, an empty board too, and a later follower the rows as they are', async () => {
    let left = 0;
    const board = newBoardSource(() => undefined, () => left++);
    const rows = board.listeners.iterate();
    const reading = rows[Symbol.asyncIterator]();
    board.take({ snapshot: true, rows: [], gone: [] });
    expect((await reading.next()).value).toEqual([]);
    for (let seq = 1; seq <= 9; seq++) board.take({ snapshot: false, rows: [row('a', seq)], gone: [] });
    board.take({ snapshot: false, rows: [row('b', 1)], gone: [] });
    expect(seqs((await reading.next()).value as BoardRow[])).toEqual([9, 1]);
    const late: number[][] = [];
    const following = board.listeners.tell((now) => late.push(seqs(now)));
    await turn();
    board.take({ snapshot: false, rows: [], gone: ['a'] });
    expect(late).toEqual([[9, 1], [1]]);
    following.close();
    rows.close();
    expect(left).toBe(1);
  });
});
