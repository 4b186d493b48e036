/**
 * The calls that somebody here watches: brings events from the bus, pages from the log and each session's cursor together.
 * A call is held only while it is watched.
 */
import { Feed, type FeedCall, type FeedEvent } from '../core/domain/relay/feed.ts';
import { CallHops, KeptHops, type Arrival, type EventHops } from '../core/domain/relay/hops.ts';
import { InterimGate } from '../core/domain/relay/interim.ts';
import { Round } from '../core/domain/relay/pump.ts';
import type { Subscription } from '../core/domain/relay/subscriptions.ts';
import { isTerminal } from '../core/domain/call/state.ts';
import type { BusMessage, EventsHead } from '../ports/event-bus.ts';
import { heardEvent, heardInterim, loggedEvent, type Frame } from './frames.ts';
import type { RelayParts } from './parts.ts';
import { feed as feedViewer, say, write, type Viewer } from './viewer.ts';

interface Watched {
  readonly feed: Feed<Frame>;
  readonly gate: InterimGate<Frame>;
  readonly viewers: Map<Viewer, Subscription>;
  /** Whether something was heard of it since its viewers were fed. */
  unfed: boolean;
  gateTimed: boolean;
  /** When what was heard since the viewers were fed last had been committed. */
  heardOf: number[];
  hops: CallHops;
}

/** Calls of which the last word of the bus is remembered. */
const HEARD_MAX_COUNT = 5_000;

/** In the place of an epoch: what was told of a call does not fit together, or is that it is no more. Only the log can tell. */
const IN_DOUBT = '';

export interface Feeds {
  /** A fresh sight of a call. Answers the highest seq that is known of it. */
  compared(call: FeedCall): number;
  /** The log has this call no more, says a comparison: it is read, and its viewers are told. */
  erased(callSid: string): void;
  attach(viewer: Viewer, subscription: Subscription, call: FeedCall): void;
  detach(viewer: Viewer, subscription: Subscription): void;
  /** Events of a call that nobody here watches: how far the bus has told of it is remembered, and nothing else of them is of use. false: somebody watches it. */
  passesOver(head: EventsHead): boolean;
  events(message: Extract<BusMessage, { kind: 'events' }>): void;
  interim(message: Extract<BusMessage, { kind: 'interim' }>): void;
  /** Feeds a viewer whatever it lacks and has room for. */
  pump(viewer: Viewer): void;
  /** Highest known seq of each of the viewer's calls. */
  heads(viewer: Viewer): Record<string, number>;
  /** When the newest events of a call that was watched here passed; empty where nothing is known of it (any more). */
  hops(callSid: string): readonly EventHops[];
  /** Whether the viewer has everything that is known. */
  settled(viewer: Viewer): boolean;
  /** Calls held now. */
  size(): number;
  /** Once a second: repeats reads that failed, lets go of pages. */
  tick(): void;
}

/**
 * @param gone is told of a viewer whose call turned out not to be in the log any more
 * @param soon does some work at the end of this turn of the event loop: what came together is fed together
 */
export const createFeeds = (
  parts: Pick<RelayParts, 'callLog' | 'runtime' | 'metrics' | 'log'>,
  gone: (viewer: Viewer, callSid: string) => void,
  soon: (work: () => void) => void,
): Feeds => {
  const { callLog, runtime, metrics, log } = parts;
  const watched = new Map<string, Watched>();
  const kept = new KeptHops();
  const now = (): number => runtime.now();
  /** Calls of which something was heard, and whose viewers were not fed since. */
  let unfed: Watched[] = [];
  /** Calls of which a page was read, until it is let go of: the others have nothing that each second could ask for. */
  const reading = new Set<Watched>();
  /** Frames of events since they were counted last. */
  let written = 0;
  const heard = new Map<string, { readonly tenant: string; readonly epoch: string; readonly seq: number }>();

  /**
   * Remembers how far a call is known that nobody watches, by the bus, the log, or viewers that left: what happens to it between a look-up
   * and its feed is not overlooked, not even what is told once only.
   */
  const hear = (callSid: string, tenant: string, epoch: string, seq: number): void => {
    const before = heard.get(callSid);
    heard.delete(callSid);
    const fits = before === undefined || (before.epoch === epoch && before.tenant === tenant);
    heard.set(callSid, { tenant, epoch: fits ? epoch : IN_DOUBT, seq: Math.max(seq, before?.seq ?? 0) });
    if (heard.size > HEARD_MAX_COUNT) heard.delete(heard.keys().next().value ?? '');
  };
  /** As `hear`, of a message. One without events says that the call is no more. */
  const overhear = ({ tenant, call_sid, epoch, first_seq, count }: EventsHead): void => hear(call_sid, tenant, count === 0 ? IN_DOUBT : epoch, first_seq + count - 1);
  const known = (fresh: FeedCall): number => {
    const told = heard.get(fresh.call_sid);
    return told?.epoch === fresh.epoch && told.tenant === fresh.tenant ? Math.max(fresh.last_seq, told.seq) : fresh.last_seq;
  };

  /** What stays of a call that nobody watches any more. */
  const remember = ({ feed, hops }: Watched): void => {
    kept.keep(feed.callSid, hops);
    hear(feed.callSid, feed.tenant, feed.epoch, feed.known);
  };

  const pumpOne = (call: Watched, viewer: Viewer, subscription: Subscription, round: Round<Frame>): void => {
    if (viewer.session.paused) return;
    const { feed } = call;
    const { transport } = viewer;
    if (!feed.doubtful && subscription.epoch !== feed.epoch) startOver(feed, viewer, subscription);
    for (;;) {
      const { frames, cursor, lost, then } = round.step(subscription.cursor, transport.room());
      if (frames.length > 0) {
        feedViewer(viewer, frames);
        written += frames.length;
        call.hops.written(subscription.cursor, subscription.cursor + frames.length, now);
      }
      subscription.cursor = cursor;
      if (lost !== null) tellLost(feed, viewer, lost);
      if (then !== 'again') break;
    }
    subscription.conversationId = feed.conversationId;
  };

  const tellLost = (feed: Feed<Frame>, viewer: Viewer, { from, to }: { readonly from: number; readonly to: number }): void => {
    metrics.count('earshot_history_lost_total', {});
    log.error('History lost', { call_sid: feed.callSid, from_seq: from, to_seq: to });
    say(viewer, { type: 'history_lost', call_sid: feed.callSid, conversation_id: feed.conversationId, epoch: feed.epoch, from_seq: from, to_seq: to });
  };

  /** Counts what was written, once for all viewers of a round: a call of the metrics for each viewer costs as much as its feeding. */
  const countWritten = (): void => {
    if (written > 0) metrics.count('earshot_deliveries_total', {}, written);
    written = 0;
  };

  const pumpAll = (call: Watched): void => {
    const round = new Round(call.feed);
    for (const [viewer, subscription] of call.viewers) pumpOne(call, viewer, subscription, round);
    countWritten();
    readOn(call);
  };

  const pumpSubscription = (viewer: Viewer, subscription: Subscription): void => {
    const call = watched.get(subscription.callSid);
    if (call === undefined) return;
    const { feed } = call;
    const lacksNothing = subscription.epoch === feed.epoch && subscription.cursor === feed.head && !feed.doubtful;
    if (lacksNothing) subscription.conversationId = feed.conversationId;
    else pumpOne(call, viewer, subscription, new Round(feed));
    readOn(call);
  };

  /** Feeds the viewers of a call what was heard of it, unless that was done. A call that nobody watches any more has none. */
  const feedHeard = (call: Watched): void => {
    if (!call.unfed || call.viewers.size === 0) return;
    call.unfed = false;
    const { heardOf } = call;
    call.heardOf = [];
    pumpAll(call);
    for (const at of heardOf) metrics.observe('earshot_delivery_delay_seconds', {}, Math.max(0, runtime.now() - at) / 1000);
  };
  /** A fault of ours in one call keeps no other from its viewers. */
  const feedUnfed = (): void => {
    const calls = unfed;
    unfed = [];
    for (const call of calls) {
      try {
        feedHeard(call);
      } catch (error) {
        log.error('Feeding failed', { call_sid: call.feed.callSid }, error);
      }
    }
  };
  const feedSoon = (call: Watched): void => {
    if (call.unfed) return;
    call.unfed = true;
    if (unfed.push(call) === 1) soon(feedUnfed);
  };

  const readOn = (call: Watched): void => {
    const { feed } = call;
    const behind = feed.known > feed.head;
    const read = feed.nextRead();
    if (read === null) return;
    reading.add(call);
    const asked = runtime.monotonic();
    callLog
      .read(feed.callSid, read.after, read.limit)
      .then((page) => {
        metrics.observe('earshot_log_read_seconds', { kind: 'page' }, (runtime.monotonic() - asked) / 1000);
        if (watched.get(feed.callSid) !== call) return;
        if (page === null) {
          for (const viewer of [...call.viewers.keys()]) gone(viewer, feed.callSid);
          hear(feed.callSid, feed.tenant, IN_DOUBT, 0);
          return;
        }
        const { head } = feed;
        const added = feed.readDone(page.call, page.events.map(({ seq, text }) => loggedEvent(text, seq)));
        if (call.hops.epoch !== feed.epoch) call.hops = new CallHops(feed.epoch);
        if (behind && added.length > 0) {
          metrics.count('earshot_gaps_filled_total', {});
          note(call, added, head, { by: 'log', trace: null, received_at: null, committed_at: null, heard_at: runtime.now() });
        }
        noteLogged(call, added);
        pumpAll(call);
      })
      .catch((error: unknown) => {
        // Repeated at the next tick, once a second: the store is not helped by more.
        feed.readFailed();
        log.warn('Reading a call failed', { call_sid: feed.callSid, error: error instanceof Error ? error.name : 'unknown' });
      });
  };

  const showInterim = (call: Watched): void => {
    const now = runtime.now();
    for (let frame = call.gate.due(now); frame !== null; frame = call.gate.due(now)) {
      for (const [viewer, subscription] of call.viewers) {
        // Only to those who have all that was logged before: an interim turn must not overtake its own past.
        const ready = !viewer.session.paused && subscription.epoch === call.feed.epoch && subscription.cursor >= call.feed.head;
        if (ready && viewer.transport.room() > 0) write(viewer, frame);
      }
    }
    const wait = call.gate.wait(now);
    if (wait === null || call.gateTimed) return;
    call.gateTimed = true;
    runtime.after(wait, () => {
      call.gateTimed = false;
      feedHeard(call);
      showInterim(call);
    });
  };

  return {
    compared: (fresh) => {
      const call = watched.get(fresh.call_sid);
      if (call === undefined) {
        hear(fresh.call_sid, fresh.tenant, fresh.epoch, fresh.last_seq);
        return known(fresh);
      }
      const { conversationId } = call.feed;
      call.feed.compared(fresh);
      // It got its conversation without an event: it may be named by that from now on.
      if (call.feed.conversationId !== conversationId) for (const subscription of call.viewers.values()) subscription.conversationId = call.feed.conversationId;
      if (isTerminal(fresh.status)) call.gate.end();
      readOn(call);
      return call.feed.epoch === fresh.epoch ? call.feed.known : fresh.last_seq;
    },
    erased: (callSid) => {
      const call = watched.get(callSid);
      if (call === undefined) {
        hear(callSid, '', IN_DOUBT, 0);
        return;
      }
      call.feed.doubt();
      readOn(call);
    },
    attach: (viewer, subscription, fresh) => {
      let call = watched.get(fresh.call_sid);
      if (call === undefined) {
        call = { feed: new Feed(fresh), gate: new InterimGate(runtime.now()), viewers: new Map(), unfed: false, gateTimed: false, heardOf: [], hops: kept.take(fresh.call_sid, fresh.epoch) };
        call.feed.compared({ ...fresh, last_seq: known(fresh) });
        const told = heard.get(fresh.call_sid);
        if (told !== undefined && (told.epoch !== fresh.epoch || told.tenant !== fresh.tenant)) call.feed.doubt();
        if (isTerminal(fresh.status)) call.gate.end();
        watched.set(fresh.call_sid, call);
        heard.delete(fresh.call_sid);
      }
      call.viewers.set(viewer, subscription);
      pumpOne(call, viewer, subscription, new Round(call.feed));
      countWritten();
      readOn(call);
    },
    detach: (viewer, subscription) => {
      const call = watched.get(subscription.callSid);
      if (call?.viewers.get(viewer) !== subscription) return;
      call.viewers.delete(viewer);
      if (call.viewers.size === 0) remember(call);
      if (call.viewers.size === 0) watched.delete(subscription.callSid);
    },
    passesOver: (head) => {
      if (watched.has(head.call_sid)) return false;
      overhear(head);
      return true;
    },
    events: (message) => {
      const { tenant, call_sid, epoch, first_seq, texts, at, trace = null, received_at = null } = message;
      const call = watched.get(call_sid);
      if (call === undefined) {
        overhear({ tenant, call_sid, epoch, first_seq, count: texts.length });
        return;
      }
      const sound: FeedEvent<Frame>[] = [];
      for (let place = 0; place < texts.length && tenant === call.feed.tenant; place++) {
        const event = heardEvent(texts[place] ?? '', call_sid, first_seq + place);
        if (event !== null) sound.push(event);
      }
      if (sound.length < texts.length || texts.length === 0) call.feed.doubt();
      // Of another epoch the feed remembers nothing.
      if (epoch !== call.feed.epoch) hear(call_sid, tenant, epoch, first_seq + texts.length - 1);
      else note(call, sound, call.feed.head, { by: 'bus', trace, received_at, committed_at: at, heard_at: runtime.now() });
      const added = call.feed.offer(epoch, sound);
      noteLogged(call, added);
      if (added.length > 0) call.heardOf.push(at);
      feedSoon(call);
    },
    interim: (message) => {
      const call = watched.get(message.call_sid);
      if (call === undefined || message.tenant !== call.feed.tenant) return;
      const frame = heardInterim(message.text, message.call_sid, message.turn_id);
      if (frame === null) return;
      // It is shown to those who have all that was logged before it.
      feedHeard(call);
      call.gate.offer({ turnId: message.turn_id, frame, at: message.at }, runtime.now());
      showInterim(call);
    },
    pump: (viewer) => {
      const { subscriptions } = viewer.session;
      if (subscriptions.size === 0) return;
      const from = viewer.turn++ % subscriptions.size;
      // Each second for each viewer: where there is but one, no order has to be kept.
      const inOrder = from === 0 ? subscriptions.values() : [...subscriptions.values()].slice(from).concat([...subscriptions.values()].slice(0, from));
      for (const subscription of inOrder) pumpSubscription(viewer, subscription);
      countWritten();
    },
    heads: (viewer) => {
      const heads: Record<string, number> = {};
      for (const callSid of viewer.session.subscriptions.keys()) {
        const call = watched.get(callSid);
        if (call !== undefined) heads[callSid] = call.feed.known;
      }
      return heads;
    },
    hops: (callSid) => (watched.get(callSid)?.hops ?? kept.of(callSid))?.all() ?? [],
    settled: (viewer) => {
      for (const subscription of viewer.session.subscriptions.values()) {
        const feed = watched.get(subscription.callSid)?.feed;
        if (feed !== undefined && (feed.doubtful || subscription.epoch !== feed.epoch || subscription.cursor < feed.known)) return false;
      }
      return true;
    },
    size: () => watched.size,
    tick: () => {
      for (const call of reading) {
        if (call.viewers.size === 0 || call.feed.tidy()) reading.delete(call);
        else readOn(call);
      }
    },
  };
};

/** The log of the call began anew while it was watched: what was shown belongs to the epoch before. */
const startOver = (feed: Feed<Frame>, viewer: Viewer, subscription: Subscription): void => {
  subscription.epoch = feed.epoch;
  subscription.cursor = 0;
  say(viewer, {
    type: 'subscription_confirmed',
    call_sid: feed.callSid,
    conversation_id: feed.conversationId,
    status: feed.status,
    epoch: feed.epoch,
    last_seq: feed.known,
    recovered: false,
    reason: 'epoch_changed',
  });
};

/** Remembers how the events behind the head came, unless they were heard of before. */
const note = ({ hops }: Watched, events: readonly FeedEvent<Frame>[], head: number, arrival: Arrival): void => {
  for (const { seq } of events) if (seq > head) hops.heard(seq, arrival);
};

const noteLogged = (call: Watched, events: readonly FeedEvent<Frame>[]): void => {
  for (const event of events) {
    if (event.turnId !== null) call.gate.logged(event.turnId);
    if (event.status !== null && isTerminal(event.status)) call.gate.end();
  }
};
