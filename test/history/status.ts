/**
 * I6: status moves forward only; `call_status`, `call_completed`, `call_sealed` once each and last of their batch; what comes later is
 * a batch that ends in a new seal; null never replaces a value; a seal tells the truth of what is before it.
 */
import { chainNext, chainStart } from '../../core/domain/digest.ts';
import type { CallStatus, EventFrame } from '../../core/protocol/frames.ts';
import { sha256, type EpochLog } from './logged-call.ts';
import { isTerminalStatus } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** How far a call is; `unknown` stands beside `dialing`. */
const RANK: Readonly<Record<CallStatus, number>> = { requested: 0, dialing: 1, unknown: 1, in_progress: 2, processing: 3, completed: 4, failed: 4 };

export const checkStatus = (world: World, report: Report): void => {
  for (const call of world.calls.values()) for (const log of call.epochs.values()) new StatusCheck(log, report).run();
};

type Status = Extract<EventFrame, { readonly type: 'call_status' }>;
type Sealed = Extract<EventFrame, { readonly type: 'call_sealed' }>;

class StatusCheck {
  readonly #log: EpochLog;
  readonly #report: Report;
  /** null: an event that nobody knows may have changed it. */
  #status: CallStatus | null = 'requested';
  #conversation: string | null = null;
  #revision = 0;
  /** Chain value of the event before; null from the first event on that nobody knows. */
  #chain: string | null;
  /** Standing turns by id: highest revision, and whether it stands; null as `#chain`. */
  #turns: Map<string, { rev: number; stands: boolean }> | null = new Map<string, { rev: number; stands: boolean }>();
  #before: EventFrame | null = null;

  constructor(log: EpochLog, report: Report) {
    this.#log = log;
    this.#report = report;
    this.#chain = chainStart(log.epoch, sha256);
  }

  run(): void {
    const { events, texts } = this.#log;
    for (let place = 0; place < texts.length; place++) {
      const event = events[place] ?? null;
      if (event === null) this.#unknown();
      else this.#take(event, texts[place] ?? '');
    }
    this.#end();
    for (const { record, index } of this.#log.readings) {
      const last = events[record.texts.length - 1];
      const sealed = events.slice(0, record.texts.length).some((event) => event?.type === 'call_sealed');
      if (sealed && last != null && last.type !== 'call_sealed') this.#report('I6', `${this.#log.callSid} was sealed and ends in ${last.type} at ${last.seq}`, index);
    }
  }

  #wrong(event: EventFrame, what: string): void {
    this.#report('I6', `event ${event.seq} of ${this.#log.callSid} ${what}`, this.#log.readings.at(-1)?.index ?? null);
  }

  #unknown(): void {
    this.#status = null;
    this.#chain = null;
    this.#turns = null;
    this.#before = null;
  }

  #take(event: EventFrame, text: string): void {
    this.#order(event);
    if (event.type === 'call_status') this.#move(event);
    else if (event.type === 'call_sealed') this.#seal(event);
    else if (event.type === 'call_amended' && event.truncated !== true) {
      for (const [field, { to }] of Object.entries(event.changed)) if (to === null || to === undefined) this.#wrong(event, `replaces ${field} by null`);
    } else if (event.type === 'transcription' && this.#turns !== null) {
      const known = this.#turns.get(event.turn_id);
      if (known === undefined || known.rev < event.rev) this.#turns.set(event.turn_id, { rev: event.rev, stands: event.state !== 'retracted' });
    }
    if (this.#chain !== null) this.#chain = chainNext(this.#chain, text, sha256);
    this.#conversation = event.conversation_id ?? this.#conversation;
    this.#before = event;
  }

  /** The end is told by three events in this order, with nothing between them. */
  #order(event: EventFrame): void {
    const before = this.#before;
    if (before === null) return;
    const ended = before.type === 'call_status' && isTerminalStatus(before.status);
    if (ended !== (event.type === 'call_completed')) this.#wrong(event, ended ? `is ${event.type} where the outcome has to follow the end` : 'tells the outcome without the end of the call before it');
    if (before.type === 'call_completed' && event.type !== 'call_sealed') this.#wrong(event, `is ${event.type} where the seal has to follow the outcome`);
    if (before.type === 'call_sealed' && event.type === 'call_sealed') this.#wrong(event, 'seals what was sealed already');
  }

  #move(event: Status): void {
    const { status, previous } = event;
    const from = this.#status;
    this.#status = status;
    if (from === null) return;
    const isFirst = event.seq === 1;
    if (previous !== from && !(isFirst && previous === null)) this.#wrong(event, `goes on from ${previous ?? 'nothing'}, and the call was ${from}`);
    if (isTerminalStatus(from)) this.#wrong(event, `says ${status} of a call that had ended as ${from}`);
    else if (status === from) {
      const tellsConversation = event.conversation_id !== null && this.#conversation === null;
      const needsPerson = status === 'unknown' && event.reason === 'needs_person';
      if (!isFirst && !tellsConversation && !needsPerson) this.#wrong(event, `says ${status} again`);
    } else if (RANK[status] < RANK[from]) this.#wrong(event, `goes back from ${from} to ${status}`);
  }

  #seal(event: Sealed): void {
    this.#revision += 1;
    if (this.#before === null) this.#revision = event.revision;
    if (event.revision !== this.#revision) this.#wrong(event, `is seal ${event.revision} where ${this.#revision} comes next`);
    this.#revision = event.revision;
    if (event.last_seq !== event.seq) this.#wrong(event, `seals up to ${event.last_seq}`);
    if (this.#status !== null && !isTerminalStatus(this.#status)) this.#wrong(event, `seals a call that is ${this.#status}`);
    if (this.#chain !== null && event.digest !== this.#chain) this.#wrong(event, 'seals with a digest that is not of the events before it');
    if (this.#turns === null) return;
    const standing = [...this.#turns.values()].filter((turn) => turn.stands).length;
    if (event.turns !== standing) this.#wrong(event, `counts ${event.turns} turns where ${standing} stand`);
  }

  #end(): void {
    const latest = this.#log.readings.at(-1);
    if (latest === undefined) return;
    const last = this.#before;
    if (last !== null && ((last.type === 'call_status' && isTerminalStatus(last.status)) || last.type === 'call_completed')) this.#wrong(last, 'is the last of a batch that was to end in a seal');
    if (this.#status !== null && latest.record.status !== this.#status) this.#report('I6', `${this.#log.callSid} is ${latest.record.status} by its projection and ${this.#status} by its events`, latest.index);
  }
}
