/**
 * I1: per viewer and call the seqs are start + 1, start + 2, ... each once, with the text that was logged, across any reconnects,
 * unless it was said that some are lost. Judged twice: by what the screen showed, and by what the wire brought to each session.
 */
import type { HistoryRecord, RecordOf } from './history.ts';
import type { EpochLog } from './logged-call.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** One call as one viewer's screen shows it, by the id that it asked for. */
export interface View {
  readonly actor: string;
  readonly id: string;
  readonly user: string;
  readonly tenant: string;
  callSid: string | null;
  epoch: string | null;
  /** Seq of the last event shown, or said to be lost. */
  cursor: number;
  refused: boolean;
  /** It was said that something is lost, since the call began on this screen. */
  lossy: boolean;
  /** What it showed when it was told to start over; null: it was not, or has started since. */
  left: { readonly callSid: string | null; readonly epoch: string | null } | null;
  /** Place of the last record of it. */
  index: number;
}

/** Views that are still open at the end, by actor and id. */
export type Views = ReadonlyMap<string, View>;

export const viewKey = (actor: string, id: string): string => `${actor}\n${id}`;

/** Answers the views that are open when the history ends. */
export const checkViews = (world: World, report: Report): Views => {
  const screens = new Screens(world, report);
  const wires = new Wires(world, report);
  const { records } = world;
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as HistoryRecord;
    switch (record.op) {
      case 'follow':
      case 'unfollow':
      case 'confirmed':
      case 'reset':
      case 'event':
      case 'lost':
      case 'refused':
      case 'sealed':
        screens.take(record, index);
        break;
      case 'frame':
        wires.take(record, index);
        break;
      case 'closed':
        wires.closed(record.session);
        break;
      default:
    }
  }
  return screens.views;
};

type ScreenRecord = RecordOf<'follow' | 'unfollow' | 'confirmed' | 'reset' | 'event' | 'lost' | 'refused' | 'sealed'>;

class Screens {
  readonly views = new Map<string, View>();
  readonly #world: World;
  readonly #report: Report;

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  take(record: ScreenRecord, index: number): void {
    const key = viewKey(record.actor, record.id);
    if (record.op === 'follow') {
      const { actor, id, user, tenant } = record;
      this.views.set(key, { actor, id, user, tenant, callSid: null, epoch: null, cursor: 0, refused: false, lossy: false, left: null, index });
      return;
    }
    if (record.op === 'unfollow') {
      this.views.delete(key);
      return;
    }
    const view = this.views.get(key);
    if (view === undefined) {
      if (record.op === 'event' || record.op === 'lost') this.#wrong(record, index, 'though nobody follows it there');
      return;
    }
    view.index = index;
    switch (record.op) {
      case 'confirmed':
        this.#confirmed(view, record, index);
        return;
      case 'reset':
        view.left = { callSid: view.callSid, epoch: view.epoch };
        view.callSid = null;
        view.epoch = null;
        view.cursor = 0;
        return;
      case 'event':
        this.#event(view, record, index);
        return;
      case 'lost':
        this.#lost(view, record, index);
        return;
      case 'sealed':
        this.#sealed(view, record, index);
        return;
      case 'refused':
        view.refused = true;
        view.left = null;
    }
  }

  #confirmed(view: View, record: RecordOf<'confirmed'>, index: number): void {
    view.refused = false;
    const same = view.callSid === record.call_sid && view.epoch === record.epoch;
    if (view.callSid !== null && !same) {
      this.#report('I1', `${view.actor} goes on with ${view.id} as ${record.call_sid} of ${record.epoch} after ${view.callSid} of ${view.epoch ?? ''} without saying that it starts over`, index);
    }
    if (view.left !== null && view.left.callSid === record.call_sid && view.left.epoch === record.epoch && this.#world.restoredAt < 0) {
      this.#report('I1', `${view.actor} starts ${view.id} over, though it is the same log as before`, index);
    }
    view.left = null;
    if (!same) {
      view.cursor = 0;
      view.lossy = false;
    }
    view.callSid = record.call_sid;
    view.epoch = record.epoch;
  }

  #event(view: View, record: RecordOf<'event'>, index: number): void {
    if (view.callSid === null) this.#wrong(record, index, 'before the call was confirmed');
    else if (view.callSid !== record.call_sid) this.#wrong(record, index, `while ${view.callSid} is confirmed`);
    else if (record.seq !== view.cursor + 1) this.#wrong(record, index, record.seq <= view.cursor ? `again: ${view.cursor} was shown already` : `straight after ${view.cursor}`);
    view.cursor = Math.max(view.cursor, record.seq);
    const log = view.epoch === null ? undefined : this.#world.calls.get(record.call_sid)?.epochs.get(view.epoch);
    if (log !== undefined) this.#compare(log, record, index);
  }

  #compare(log: EpochLog, record: RecordOf<'event'>, index: number): void {
    const logged = log.fingerprint(record.seq);
    if (logged === undefined) {
      const final = this.#world.calls.get(record.call_sid)?.final ?? null;
      const isAll = final !== null && final.record.epoch === log.epoch && final.index > index && record.seq > final.record.last_seq;
      if (isAll) this.#wrong(record, index, `though the log ends at ${final.record.last_seq}`);
      else if (!log.witness(record.seq, record.fingerprint)) this.#wrong(record, index, 'with another text than another viewer saw');
    } else if (logged !== record.fingerprint) {
      this.#wrong(record, index, 'with another text than was logged');
      this.#report('I4', `event ${record.seq} of ${record.call_sid} reached ${record.actor} with another text than was logged`, index);
    }
  }

  #lost(view: View, record: RecordOf<'lost'>, index: number): void {
    const what = `${view.actor} was told that ${record.from} to ${record.to} of ${view.callSid ?? view.id} are lost`;
    if (record.from !== view.cursor + 1 || record.to < record.from) this.#report('I1', `${what}, after ${view.cursor}`, index);
    const log = view.callSid === null || view.epoch === null ? undefined : this.#world.calls.get(view.callSid)?.epochs.get(view.epoch);
    if (log !== undefined) {
      for (let seq = record.from; seq <= record.to; seq++) {
        if (log.removed.has(seq)) continue;
        this.#report('I1', `${what}, but ${seq} is in the log`, index);
        break;
      }
    }
    view.cursor = Math.max(view.cursor, record.to);
    view.lossy = true;
  }

  /** What a screen says of its own completeness has to be so; where it shows everything it has to be able to say it. */
  #sealed(view: View, { proof }: RecordOf<'sealed'>, index: number): void {
    const says = view.lossy ? 'incomplete' : 'complete';
    if (proof !== says) this.#report('I1', `${view.actor} says that what it shows of ${view.id} up to ${view.cursor} is ${proof}, and it is ${says}`, index);
  }

  #wrong(record: RecordOf<'event' | 'lost'>, index: number, why: string): void {
    const which = record.op === 'event' ? `event ${record.seq} of ${record.call_sid}` : `the loss of ${record.from} to ${record.to}`;
    this.#report('I1', `${record.actor} was shown ${which} as ${record.id} ${why}`, index);
  }
}

/** Of each session: how far each of its calls has come; null: the next seq may be any, the position was the viewer's to name. */
class Wires {
  readonly #sessions = new Map<string, Map<string, number | null>>();
  readonly #world: World;
  readonly #report: Report;

  constructor(world: World, report: Report) {
    this.#world = world;
    this.#report = report;
  }

  closed(session: string): void {
    this.#sessions.delete(session);
  }

  take(record: RecordOf<'frame'>, index: number): void {
    const callSid = record.call_sid;
    // A row of the board tells of a call without following it.
    if (callSid === null || record.type === 'error' || record.type === 'board_row') return;
    let calls = this.#sessions.get(record.session);
    if (calls === undefined) this.#sessions.set(record.session, (calls = new Map<string, number | null>()));
    if (record.type === 'subscription_confirmed') {
      calls.set(callSid, null);
      return;
    }
    const position = calls.get(callSid);
    if (record.type === 'unsubscribe_confirmed') calls.delete(callSid);
    else if (position === undefined) this.#report('I1', `${record.session} got ${record.type} of ${callSid} before the call was confirmed to it`, index);
    else if (record.type === 'history_lost') calls.set(callSid, null);
    else if (record.seq !== null) {
      if (position !== null && record.seq !== position + 1) this.#report('I1', `${record.session} got event ${record.seq} of ${callSid} straight after ${position}`, index);
      calls.set(callSid, record.seq);
      if (record.fingerprint !== null) this.#compare(callSid, record.seq, record.fingerprint, record, index);
    }
  }

  /** A frame does not say which epoch it is of: it has to be the text of one of them. */
  #compare(callSid: string, seq: number, fingerprint: string, record: RecordOf<'frame'>, index: number): void {
    const call = this.#world.calls.get(callSid);
    if (call === undefined) return;
    let known = false;
    for (const log of call.epochs.values()) {
      const logged = log.fingerprint(seq);
      if (logged === fingerprint) return;
      known ||= logged !== undefined;
    }
    if (known) this.#report('I4', `event ${seq} of ${callSid} reached ${record.session} with another text than was logged`, index);
  }
}
