/**
 * What a client follows: its calls, each led by exactly one source at a time, and the board. Takes the frames of links and
 * polls, and says what the page is told.
 */
import { SUBSCRIPTIONS_MAX_COUNT } from '../../protocol/limits.ts';
import type { Sha256 } from '../digest.ts';
import type { BoardFilter } from '../relay/board.ts';
import { FollowedCall, type Confirmation } from './call.ts';
import type { Fields, Link, Source } from './link.ts';
import type { Outbox } from './outbox.ts';

/** Entries in one message: with two long ids and a position each they stay within what a relay takes. */
const SUBSCRIBE_AT_ONCE_COUNT = 25;
/** A subscription that the relay's store could not answer is asked for again. */
const ASK_AGAIN_MS = 2_000;

export class Following {
  readonly #out: Outbox;
  readonly #sha256: Sha256 | null;
  readonly #calls = new Map<string, FollowedCall>();
  /** Where each call is taken from, by the id asked. */
  readonly #leads = new Map<string, Source>();
  #board: BoardFilter | null = null;
  #boardMark: string | undefined;
  /** Rows of a snapshot that is not whole yet, by where it comes from. */
  readonly #boardParts = new Map<Source, unknown[]>();

  constructor(out: Outbox, sha256: Sha256 | null) {
    this.#out = out;
    this.#sha256 = sha256;
  }

  // --- What is wanted ---

  /** false: it is followed already. */
  follow(id: string, links: readonly Link[]): boolean {
    if (this.#calls.has(id)) return false;
    this.#calls.set(id, new FollowedCall(id, this.#sha256));
    for (const link of links) this.#subscribe(link, [id]);
    return true;
  }

  unfollow(id: string, links: readonly Link[]): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#leads.delete(id);
    // The relay knows one subscription to a call, whatever number of names it goes by here.
    const shared = call.callSid !== null && this.#callsOf(call.callSid).length > 0;
    for (const link of links) {
      link.positions.delete(id);
      if (!shared && !call.refused) this.#out.send(link.id, { unsubscribe: id });
    }
  }

  watch(filter: BoardFilter, links: readonly Link[]): void {
    this.#board = filter;
    this.#boardMark = undefined;
    this.#boardParts.clear();
    for (const link of links) this.#askBoard(link);
  }

  unwatch(links: readonly Link[]): void {
    this.#board = null;
    for (const link of links) this.#out.send(link.id, { unwatch: 'board' });
  }

  // --- Links and polls ---

  /** Asks a link that was just established for everything, from where the client is. */
  begin(link: Link): void {
    this.#subscribe(link, [...this.#calls.keys()]);
    if (this.#board !== null) this.#askBoard(link);
  }

  /** Asks again for what a link could not answer. */
  askAgain(link: Link): void {
    if (this.#board !== null && !link.boardReady) this.#askBoard(link);
    const missing = [...this.#calls.values()].filter((call) => !call.refused && !link.positions.has(call.asked));
    this.#subscribe(
      link,
      missing.map((call) => call.asked),
    );
  }

  /** A source is gone: its calls have no lead until another one confirms them, or `heir`, which takes them over from where they are. */
  left(source: Source, heir: Link | null): void {
    this.#boardParts.delete(source);
    for (const [asked, lead] of this.#leads) {
      if (lead !== source) continue;
      this.#leads.delete(asked);
      if (heir?.phase === 'established') this.#subscribe(heir, [asked]);
    }
  }

  /** The link leads from now on whatever it has confirmed. */
  lead(link: Link): void {
    for (const asked of link.positions.keys()) this.#leads.set(asked, link);
  }

  /** Whether everything has changed over to this link. */
  ledBy(link: Link): boolean {
    if (link.phase !== 'established' || (this.#board !== null && !link.boardReady)) return false;
    return [...this.#calls.values()].every((call) => call.refused || this.#leads.get(call.asked) === link);
  }

  /** Whether something that is followed is not there yet. `lead`: the link that leads; null: polls do. */
  behind(lead: Link | null): boolean {
    if (this.#board !== null && lead?.phase === 'established' && !lead.boardReady) return true;
    return [...this.#calls.values()].some((call) => !call.refused && (!this.#leads.has(call.asked) || call.cursor < call.head));
  }

  /** What a poll asks for. */
  question(): object {
    const calls = [...this.#calls.values()].filter((call) => !call.refused).slice(0, SUBSCRIPTIONS_MAX_COUNT);
    return {
      calls: calls.map((call) => ({ id: call.asked, epoch: call.epoch, seq: call.since === undefined ? null : this.#leastOf(call) })),
      ...(this.#board === null ? {} : { board: { ...this.#board, ...(this.#boardMark === undefined ? {} : { mark: this.#boardMark }) } }),
    };
  }

  /** What a poll said the board to be. */
  boardSeen(mark: string | undefined): void {
    this.#boardMark = mark;
    this.#boardParts.delete('poll');
  }

  // --- Frames ---

  /** Heads that a heartbeat tells of. */
  heads(heads: unknown): void {
    if (typeof heads !== 'object' || heads === null) return;
    for (const [callSid, head] of Object.entries(heads)) {
      for (const call of this.#callsOf(callSid)) if (typeof head === 'number') call.hear(head);
    }
  }

  confirmed(source: Source, frame: Fields & Confirmation): void {
    const asked = this.#calls.get(String(frame['ref']));
    const calls = frame['ref'] === undefined ? this.#callsOf(frame.call_sid) : asked === undefined ? [] : [asked];
    for (const call of calls) {
      const goesOn = call.continues(frame);
      const position = !goesOn ? 0 : source === 'poll' ? call.cursor : (source.asked.get(call.asked) ?? 0);
      if (source !== 'poll') {
        source.positions.set(call.asked, position);
        source.epochs.set(call.asked, frame.epoch);
      }
      const reached = position >= call.cursor && this.#mayTakeOver(source, call);
      if (!goesOn || !this.#leads.has(call.asked) || reached) this.#leads.set(call.asked, source);
      const again = call.confirmed(frame);
      if (again !== null) this.#out.emit({ kind: 'reset', call: call.asked, reason: again });
      this.#out.emit({
        kind: 'confirmed',
        call: call.asked,
        callSid: frame.call_sid,
        conversationId: frame.conversation_id,
        epoch: frame.epoch,
        status: String(frame['status']),
      });
      if (source !== 'poll') this.#catchUp(source, call, position);
    }
  }

  /** One subscription feeds all names of a call: those that have less than where it begins now are asked for from where they are. */
  #catchUp(link: Link, confirmed: FollowedCall, position: number): void {
    const behind = this.#namesOf(confirmed).filter((call) => call.cursor < position);
    const least = behind.sort((a, b) => a.cursor - b.cursor)[0];
    if (least !== undefined) this.#subscribe(link, [least.asked]);
  }

  /** The seq of the name of this call that has least: from there on everything serves them all. */
  #leastOf(call: FollowedCall): number {
    return Math.min(call.cursor, ...this.#namesOf(call).map(({ cursor }) => cursor));
  }

  /** The same call, as it is followed by other names. */
  #namesOf(call: FollowedCall): FollowedCall[] {
    return this.#callsOf(call.callSid).filter((other) => other !== call && !other.refused && other.epoch === call.epoch);
  }

  /** `old`: an interim turn of that time is no longer what is being said. */
  event(source: Source, frame: Fields, text: string, old: (timestamp: unknown) => boolean): void {
    for (const call of this.#callsOf(frame['call_sid'])) {
      if (typeof frame['seq'] === 'number') this.#sequenced(source, call, frame, frame['seq'], text);
      else if (frame['type'] === 'transcription' && this.#leads.get(call.asked) === source && call.interimPasses(frame['turn_id']) && !old(frame['timestamp'])) {
        this.#out.emit({ kind: 'interim', call: call.asked, frame });
      }
    }
  }

  historyLost(source: Source, frame: Fields): void {
    const from = Number(frame['from_seq']);
    const to = Number(frame['to_seq']);
    for (const call of this.#callsOf(frame['call_sid'])) {
      if (source !== 'poll' && source.positions.has(call.asked)) source.positions.set(call.asked, to);
      if (source !== 'poll' && this.#leads.get(call.asked) !== source) continue;
      if (call.lost(from, to)) this.#out.emit({ kind: 'lost', call: call.asked, from, to });
    }
  }

  error(source: Source, frame: Fields): void {
    const code = String(frame['code']);
    // Nobody follows it any more, or it was asked for again meanwhile and the answer to that comes.
    if (code === 'not_subscribed') return;
    // A call that is gone is gone under every name that it was asked by.
    const known = this.#callsOf(frame['ref']);
    const calls = [...this.#calls.values()].filter((call) => call.asked === frame['ref'] || known.includes(call));
    const board = this.#board !== null && source !== 'poll' && !source.boardReady && (frame['ref'] ?? null) === null;
    if (frame['retryable'] === true && (board || calls.length > 0)) this.#out.timer('ask_again', ASK_AGAIN_MS);
    else if (calls.length === 0) this.#out.emit({ kind: 'error', call: null, code });
    else for (const call of calls) this.#refused(source, call, code);
  }

  #refused(source: Source, call: FollowedCall, code: string): void {
    call.refused = true;
    if (source !== 'poll') source.positions.delete(call.asked);
    this.#leads.delete(call.asked);
    this.#out.emit({ kind: 'error', call: call.asked, code });
  }

  boardFrame(source: Source, frame: Fields): void {
    if (this.#board === null) return;
    // The board has no positions: the rows of a link that does not lead yet are the same or newer.
    if (frame['type'] === 'board_snapshot') this.#boardPart(source, list(frame['rows']), frame['more'] === true);
    else this.#out.emit({ kind: 'board', snapshot: false, rows: list(frame['rows']), gone: list(frame['gone']).map(String) });
  }

  /** A snapshot is told of when it is whole: between its parts another link may speak, or this one be cut. */
  #boardPart(source: Source, rows: readonly unknown[], more: boolean): void {
    const parts = this.#boardParts.get(source) ?? [];
    parts.push(...rows);
    if (more) {
      this.#boardParts.set(source, parts);
      return;
    }
    this.#boardParts.delete(source);
    if (source !== 'poll') source.boardReady = true;
    this.#out.emit({ kind: 'board', snapshot: true, rows: parts, gone: [] });
  }

  #sequenced(source: Source, call: FollowedCall, frame: Fields, seq: number, text: string): void {
    if (!this.#isLed(source, call, seq)) return;
    const judged = call.judge(seq);
    // A poll asks again by itself, from where the client is.
    if (judged === 'gap' && source !== 'poll') this.#subscribe(source, [call.asked]);
    if (judged !== 'next') return;
    const proof = call.apply(frame, text);
    this.#out.emit({ kind: 'event', call: call.asked, seq, frame, text });
    if (proof === null) return;
    this.#out.emit({ kind: 'sealed', call: call.asked, proof });
    // Merged: what follows stands with the call that owns the conversation, and the same id leads there now.
    if (call.mergedInto !== null && source !== 'poll') this.#subscribe(source, [call.asked]);
  }

  /** Moves the link's own position, and lets it take the call over where it has reached the client's. */
  #isLed(source: Source, call: FollowedCall, seq: number): boolean {
    if (source === 'poll') return true;
    const position = source.positions.get(call.asked);
    if (position === undefined || source.epochs.get(call.asked) !== call.epoch) return false;
    if (seq === position + 1) source.positions.set(call.asked, seq);
    if (this.#leads.get(call.asked) === source) return true;
    if (seq !== position + 1 || seq < call.cursor || !this.#mayTakeOver(source, call)) return false;
    this.#leads.set(call.asked, source);
    return true;
  }

  /** A link takes over from an older one only: what the old one brings later than the new one gives it nothing back. */
  #mayTakeOver(source: Source, call: FollowedCall): boolean {
    const lead = this.#leads.get(call.asked);
    return lead === undefined || lead === 'poll' || source === 'poll' || source.id >= lead.id;
  }

  #subscribe(link: Link, asked: readonly string[]): void {
    for (let from = 0; from < asked.length; from += SUBSCRIBE_AT_ONCE_COUNT) {
      const entries = asked.slice(from, from + SUBSCRIBE_AT_ONCE_COUNT).map((id) => {
        const call = this.#calls.get(id);
        link.asked.set(id, call?.cursor ?? 0);
        link.positions.delete(id);
        return { id, ...(call?.since === undefined ? {} : { since: call.since }) };
      });
      this.#out.send(link.id, { subscribe: entries });
    }
  }

  #askBoard(link: Link): void {
    link.boardReady = false;
    this.#out.send(link.id, { watch: 'board', ...this.#board });
  }

  #callsOf(callSid: unknown): FollowedCall[] {
    return typeof callSid === 'string' ? [...this.#calls.values()].filter((call) => call.callSid === callSid) : [];
  }
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
