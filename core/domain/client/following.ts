/**
 * What a client follows: its calls and the board. Takes the frames of links and polls, and says what the page is told.
 *
 * An event is the same text whoever brings it, so the next one of a call's epoch is applied from whichever source brings it and
 * the rest is dropped: nothing has to be handed over between two links.
 */
import type { EventFrame, InterimFrame } from '../../protocol/frames.ts';
import { SUBSCRIPTIONS_MAX_COUNT } from '../../protocol/limits.ts';
import type { Sha256 } from '../digest.ts';
import type { BoardFilter } from '../relay/board.ts';
import { applyEvent, confirmCall, interimPasses, loseEvents, newCall, type Confirmation, type FollowedCall } from './call.ts';
import type { Act, TimerName } from './effects.ts';
import { POLLS, type Fields, type Link, type Place } from './link.ts';

/** Entries in one message: with two long ids and a position each they stay within what a relay takes. */
const SUBSCRIBE_AT_ONCE_COUNT = 25;
/** A subscription that the relay's store could not answer is asked for again. */
const ASK_AGAIN_MS = 2_000;

export interface Following {
  /** false: it is followed already. */
  readonly addCall: (id: string) => boolean;
  readonly dropCall: (id: string) => void;
  readonly setBoard: (filter: BoardFilter) => void;
  readonly dropBoard: () => void;
  /** Asks a link that was just established for everything, from where the client is. */
  readonly askAll: (link: Link) => void;
  /** Asks for what a link has not confirmed. */
  readonly askAgain: (link: Link) => void;
  /** Whether the link has brought everything as far as the page has it. */
  readonly isReady: (link: Link) => boolean;
  /** Whether something that is followed is not there yet. */
  readonly isBehind: () => boolean;
  /** What a poll asks for. */
  readonly question: () => object;
  /** What a poll said the board to be. */
  readonly markBoard: (mark: string | undefined) => void;
  /** Heads that a heartbeat tells of. */
  readonly hearHeads: (heads: unknown) => void;
  readonly takeFrame: (source: Link, frame: Fields, text: string) => void;
}

/**
 * @param sources where frames come from: links that are up, and polls while they are made
 * @param send goes nowhere where the source is polls
 */
export const newFollowing = (
  sha256: Sha256 | null,
  sources: ReadonlySet<Link>,
  act: Act,
  send: (link: Link, message: object) => void,
  timer: (name: TimerName, ms: number, run: () => void) => void,
): Following => {
  const calls = new Map<string, FollowedCall>();
  let board: BoardFilter | null = null;
  let boardMark: string | undefined;

  const callsWith = (test: (call: FollowedCall) => boolean): FollowedCall[] => [...calls.values()].filter(test);
  const wanted = (): FollowedCall[] => callsWith((call) => !call.refused);
  /** The same call by all names that it is followed by. */
  const namesOf = ({ relaySid, epoch }: FollowedCall): FollowedCall[] => wanted().filter((call) => call.relaySid === relaySid && call.epoch === epoch);
  /** How far the source has fed the call; undefined: it has not confirmed it, or not as the page has it. */
  const placeOf = (source: Link, call: FollowedCall): Place | undefined => {
    const place = source.places.get(call.asked);
    return place?.epoch === call.epoch ? place : undefined;
  };
  const hasBoard = (source: Link): boolean => !board || source.boardReady;

  const ask = (link: Link, asked: readonly FollowedCall[]): void => {
    // A poll asks again by itself, from where the client is.
    if (link.id === POLLS || !asked.length) return;
    const some = asked.slice(0, SUBSCRIBE_AT_ONCE_COUNT).map(({ asked: id, epoch, cursor: seq }) => {
      link.places.set(id, { epoch: undefined, seq });
      return { id, since: epoch ? { epoch, seq } : undefined };
    });
    send(link, { subscribe: some });
    ask(link, asked.slice(SUBSCRIBE_AT_ONCE_COUNT));
  };

  const askBoard = (link: Link): void => {
    link.boardReady = false;
    link.boardPart = [];
    send(link, { watch: 'board', ...board });
  };

  const askAgain = (link: Link): void => {
    if (!hasBoard(link)) askBoard(link);
    ask(
      link,
      wanted().filter((call) => !placeOf(link, call)),
    );
  };

  const confirmed = (source: Link, frame: Fields & Confirmation): void => {
    const { ref, call_sid: callSid, epoch } = frame;
    for (const call of callsWith((known) => (ref === undefined ? known.relaySid === callSid : known.asked === ref))) {
      // Whoever did not find it may do so by now.
      if (call.refused) for (const other of sources) if (other !== source) ask(other, [call]);
      const reset = confirmCall(call, frame, sha256);
      const seq = reset === null && frame.recovered ? (source.places.get(call.asked)?.seq ?? 0) : 0;
      source.places.set(call.asked, { epoch, seq });
      if (reset) act('call', call.asked, { kind: 'reset', reason: reset });
      act('call', call.asked, { kind: 'confirmed', callSid, conversationId: frame.conversation_id, epoch, status: frame['status'] as string });
      // One subscription feeds all names of a call: one that has less than where it begins now is asked for from where it is.
      ask(
        source,
        namesOf(call)
          .filter(({ cursor }) => cursor < seq)
          .slice(0, 1),
      );
    }
  };

  /** What belongs to a call, from a source that has confirmed it. */
  const ofCall = (source: Link, frame: Fields, text: string): void => {
    const { type, seq } = frame;
    for (const call of wanted()) {
      const place = placeOf(source, call);
      if (call.relaySid !== frame['call_sid'] || !place) continue;
      if (type === 'history_lost') {
        const from = Number(frame['from_seq']);
        const to = (place.seq = Number(frame['to_seq']));
        // The link that leads may still hold what the log has lost.
        if (source.leads && loseEvents(call, from, to)) act('call', call.asked, { kind: 'lost', from, to });
      } else if (typeof seq === 'number') sequenced(source, call, frame, seq, text);
      else if (type === 'transcription' && source.leads && interimPasses(call, frame['turn_id'])) act('call', call.asked, { kind: 'interim', turn: frame as unknown as InterimFrame });
      if (typeof seq === 'number' && seq > place.seq) place.seq = seq;
    }
  };

  const sequenced = (source: Link, call: FollowedCall, frame: Fields, seq: number, text: string): void => {
    if (seq > call.cursor + 1) ask(source, [call]);
    if (seq !== call.cursor + 1) return;
    const proof = applyEvent(call, frame, text, sha256);
    act('call', call.asked, { kind: 'event', event: frame as unknown as EventFrame }, text);
    if (!proof) return;
    act('call', call.asked, { kind: 'sealed', proof });
    // Merged: what follows stands with the call that owns the conversation, and the same id leads there now.
    if (call.merged) ask(source, [call]);
  };

  const refused = (source: Link, frame: Fields): void => {
    const { ref = null } = frame;
    const code = frame['code'] as string;
    // Nobody follows it any more, or it was asked for again meanwhile and the answer to that comes.
    if (code === 'not_subscribed') return;
    // A call that is gone is gone under every name that it was asked by.
    const named = callsWith((call) => call.asked === ref || call.relaySid === ref);
    if (frame['retryable'] === true && (named.length || (ref === null && !hasBoard(source)))) timer('ask_again', ASK_AGAIN_MS, () => sources.forEach(askAgain));
    else if (!named.length) act('error', code);
    else {
      for (const call of named) {
        // Late word of a link that looked before the call was there: a newer one has it.
        if (code === 'call_not_found' && [...sources].some((newer) => newer.id > source.id && placeOf(newer, call))) continue;
        call.refused = true;
        act('call', call.asked, { kind: 'error', code });
      }
    }
  };

  const ofBoard = (source: Link, frame: Fields, snapshot: boolean): void => {
    let rows = list(frame['rows']);
    if (snapshot) {
      // It is told of when it is whole: between its parts another link may speak, or this one be cut.
      source.boardPart.push(...rows);
      if (frame['more'] === true) return;
      rows = source.boardPart;
      source.boardPart = [];
      source.boardReady = true;
    }
    // The board has no positions: the rows of a link that does not lead yet are the same or newer.
    act('board', { snapshot, rows, gone: list(frame['gone']) as readonly string[] });
  };

  return {
    addCall: (id) => {
      if (calls.has(id)) return false;
      const call = newCall(id);
      calls.set(id, call);
      for (const source of sources) ask(source, [call]);
      return true;
    },
    dropCall: (id) => {
      const call = calls.get(id);
      calls.delete(id);
      // The relay knows one subscription to a call, whatever number of names it goes by here.
      if (call && !call.refused && !callsWith(({ relaySid }) => relaySid === call.relaySid).length) for (const source of sources) send(source, { unsubscribe: id });
    },
    setBoard: (filter) => {
      board = filter;
      boardMark = undefined;
      sources.forEach(askBoard);
    },
    dropBoard: () => {
      board = null;
      for (const source of sources) send(source, { unwatch: 'board' });
    },
    askAll: (link) => {
      ask(link, [...calls.values()]);
      if (board) askBoard(link);
    },
    askAgain,
    isReady: (link) => hasBoard(link) && wanted().every((call) => (placeOf(link, call)?.seq ?? -1) >= call.cursor),
    isBehind: () => {
      const all = [...sources];
      return !all.some(hasBoard) || wanted().some((call) => call.cursor < call.head || !all.some((source) => placeOf(source, call)));
    },
    question: () => ({
      calls: wanted()
        .slice(0, SUBSCRIPTIONS_MAX_COUNT)
        .map((call) => ({ id: call.asked, epoch: call.epoch, seq: call.epoch && Math.min(...namesOf(call).map(({ cursor }) => cursor)) })),
      ...(board && { board: { ...board, mark: boardMark } }),
    }),
    markBoard: (mark) => {
      boardMark = mark;
    },
    hearHeads: (heads) => {
      for (const call of calls.values()) {
        const head = (heads as Partial<Fields> | null | undefined)?.[call.relaySid];
        if (typeof head === 'number') call.head = head;
      }
    },
    takeFrame: (source, frame, text) => {
      const { type } = frame;
      if (type === 'subscription_confirmed') confirmed(source, frame as Fields & Confirmation);
      else if (type === 'error') refused(source, frame);
      else if (type !== 'board_snapshot' && type !== 'board_update') ofCall(source, frame, text);
      else if (board) ofBoard(source, frame, type === 'board_snapshot');
    },
  };
};

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? (value as readonly unknown[]) : []);
