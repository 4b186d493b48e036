/** A history put in order, once, for all who judge it: what was sent, what was logged, who had which right when. */
import type { Content, HistoryRecord, Op, RecordOf, SpokenTurn, ToldOutcome } from './history.ts';
import { LoggedCall, type EpochLog } from './logged-call.ts';

/** A fault of this kind set the log back to an earlier state: what was answered before it may be gone, and epochs begin anew. */
export const RESTORE_FAULT = 'restore';

/** A record with its place in the history. */
export interface Entry<O extends Op> {
  readonly record: RecordOf<O>;
  readonly index: number;
}

/** One delivery with all its attempts. */
export interface Delivery {
  readonly delivery: string;
  readonly conversationId: string;
  readonly genuine: boolean;
  readonly marker: string | null;
  readonly content: Content;
  /** Places of the first and the last record that answered 200; null: none did. */
  acked: { readonly first: number; last: number } | null;
  /** Answers that were not 200, and attempts without one. */
  unknown: boolean;
}

export class World {
  readonly records: readonly HistoryRecord[];
  readonly calls = new Map<string, LoggedCall>();
  readonly deliveries = new Map<string, Delivery>();
  /** Genuine ones by conversation. */
  readonly deliveriesOf = new Map<string, Delivery[]>();
  readonly conversations = new Map<string, Entry<'conversation'>>();
  readonly versions = new Map<string, Map<number, readonly SpokenTurn[]>>();
  readonly outcomes = new Map<string, Map<number, ToldOutcome>>();
  readonly agents = new Map<string, RecordOf<'agent'>[]>();
  /** Place of the last restore; -1: there was none. */
  restoredAt = -1;
  healed: Entry<'healed'> | null = null;
  /** Milliseconds of the last record. */
  endsAt = 0;
  readonly #byOp = new Map<Op, { readonly record: HistoryRecord; readonly index: number }[]>();
  readonly #rights = new Map<string, { readonly at: number; readonly held: boolean }[]>();
  readonly #erased = new Map<string, number>();
  readonly #erasedFor = new Map<string, number>();
  readonly #ownerOf = new Map<string, LoggedCall>();

  constructor(records: readonly HistoryRecord[]) {
    this.records = records;
    for (let index = 0; index < records.length; index++) this.#take(records[index] as HistoryRecord, index);
    this.endsAt = records.at(-1)?.at ?? 0;
    for (const call of this.calls.values()) {
      const { conversation_id, merged_into } = call.latest.record;
      if (conversation_id !== null && merged_into === null) this.#ownerOf.set(conversation_id, call);
    }
  }

  /** The records of one operation, in order. */
  of<O extends Op>(op: O): readonly Entry<O>[] {
    return (this.#byOp.get(op) ?? []) as unknown as readonly Entry<O>[];
  }

  /** The call that either id leads to, through mergers; null: no reading shows one. */
  resolve(id: string): LoggedCall | null {
    let call = this.#ownerOf.get(id) ?? this.calls.get(id);
    for (let hop = 0; call !== undefined && hop < 4; hop++) {
      const { merged_into } = call.latest.record;
      if (merged_into === null) return call;
      call = this.calls.get(merged_into);
    }
    return call ?? null;
  }

  /** The logs of calls that were merged into this one. */
  mergedInto(callSid: string): readonly EpochLog[] {
    return [...this.calls.values()].flatMap((call) => (call.latest.record.merged_into === callSid ? [call.current] : []));
  }

  /** Whether an erasure of this call was asked for and may have happened; also of the call that it was merged into. */
  mayBeErased(callSid: string): boolean {
    if (this.#erased.has(callSid)) return true;
    const into = this.calls.get(callSid)?.latest.record.merged_into ?? null;
    return into !== null && this.#erased.has(into);
  }

  /** Place of the first answer that said that the call is erased; null: there was none. */
  erasedAt(callSid: string): number | null {
    return this.#erasedFor.get(callSid) ?? null;
  }

  /** Calls whose erasure was answered. */
  get erased(): Iterable<readonly [callSid: string, index: number]> {
    return this.#erasedFor;
  }

  /** As `mayBeErased`, by conversation. */
  mayBeErasedConversation(conversationId: string): boolean {
    if (this.#erased.size === 0) return false;
    const dialled = this.conversations.get(conversationId)?.record.call_sid ?? null;
    if (dialled !== null && this.mayBeErased(dialled)) return true;
    if (this.mayBeErased(conversationId) || this.mayBeErased(`EL_${conversationId}`)) return true;
    for (const callSid of this.#erased.keys()) {
      const call = this.calls.get(callSid);
      if (call === undefined) continue;
      for (const log of call.epochs.values()) if (log.readings.some(({ record }) => record.conversation_id === conversationId)) return true;
    }
    return false;
  }

  /** Milliseconds since the user lost the right, at a time: 0 while it is held, Infinity where it never was. */
  rightLostFor(user: string, tenant: string, at: number): number {
    let held = false;
    let lost = -Infinity;
    for (const change of this.#rights.get(`${user}\n${tenant}`) ?? []) {
      if (change.at > at) break;
      if (held && !change.held) lost = change.at;
      held = change.held;
    }
    return held ? 0 : at - lost;
  }

  /** Whether it is held when the run ends. */
  holdsRight(user: string, tenant: string): boolean {
    return this.rightLostFor(user, tenant, Infinity) === 0;
  }

  #take(record: HistoryRecord, index: number): void {
    const same = this.#byOp.get(record.op);
    if (same === undefined) this.#byOp.set(record.op, [{ record, index }]);
    else same.push({ record, index });
    switch (record.op) {
      case 'agent':
        listIn(this.agents, record.agent_id).push(record);
        return;
      case 'right':
        listIn(this.#rights, `${record.user}\n${record.tenant}`).push(record);
        return;
      case 'conversation':
        this.conversations.set(record.conversation_id, { record, index });
        if (record.state === 'done' || record.state === 'failed') this.#version(record.conversation_id, record);
        return;
      case 'deliver':
        this.#deliver(record, index);
        return;
      case 'erase':
        this.#erase(record, index);
        return;
      case 'logged':
        this.#logged(record, index);
        return;
      case 'fault':
        if (record.kind === RESTORE_FAULT) this.restoredAt = index;
        return;
      case 'healed':
        this.healed = { record, index };
        return;
      default:
        return;
    }
  }

  #version(conversationId: string, { version, transcript, outcome }: { readonly version: number; readonly transcript: readonly SpokenTurn[]; readonly outcome?: ToldOutcome }): void {
    if (outcome !== undefined) {
      const outcomes = this.outcomes.get(conversationId) ?? new Map<number, ToldOutcome>();
      this.outcomes.set(conversationId, outcomes.set(version, outcome));
    }
    let versions = this.versions.get(conversationId);
    if (versions === undefined) this.versions.set(conversationId, (versions = new Map<number, readonly SpokenTurn[]>()));
    versions.set(version, transcript.filter((turn) => turn.text !== ''));
  }

  #deliver(record: RecordOf<'deliver'>, index: number): void {
    const known = this.deliveries.get(record.delivery);
    if (record.phase === 'invoke') {
      if (known !== undefined) return;
      const { delivery, conversation_id: conversationId, genuine, marker, content } = record;
      const fresh: Delivery = { delivery, conversationId, genuine, marker, content, acked: null, unknown: false };
      this.deliveries.set(delivery, fresh);
      if (!genuine) return;
      listIn(this.deliveriesOf, conversationId).push(fresh);
      if (content.kind === 'final') this.#version(conversationId, content);
      return;
    }
    if (known === undefined) return;
    if (record.phase !== 'ok' || record.status !== 200) {
      known.unknown ||= record.phase !== 'fail';
    } else if (known.acked === null) known.acked = { first: index, last: index };
    else known.acked.last = index;
  }

  #erase(record: RecordOf<'erase'>, index: number): void {
    if (record.phase === 'ok' && !this.#erasedFor.has(record.call_sid)) this.#erasedFor.set(record.call_sid, index);
    const pending = this.#erased.get(record.call_sid) ?? 0;
    if (record.phase === 'invoke') this.#erased.set(record.call_sid, pending + 1);
    else if (record.phase === 'fail') {
      if (pending <= 1) this.#erased.delete(record.call_sid);
      else this.#erased.set(record.call_sid, pending - 1);
    }
  }

  #logged(record: RecordOf<'logged'>, index: number): void {
    const reading = { record, index };
    let call = this.calls.get(record.call_sid);
    if (call === undefined) this.calls.set(record.call_sid, (call = new LoggedCall(reading)));
    call.add(reading);
  }
}

/** The list under a key, made where there is none. */
export const listIn = <K, V>(map: Map<K, V[]>, key: K): V[] => {
  let list = map.get(key);
  if (list === undefined) map.set(key, (list = []));
  return list;
};
