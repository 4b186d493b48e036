/** The calls of one session: one subscription for each, whatever name it was asked by. */
import { SUBSCRIPTIONS_MAX_COUNT } from '../../protocol/limits.ts';
import type { Since } from '../../protocol/messages.ts';
import type { CallState } from '../call/state.ts';
import { mayDo, type Asker } from '../rights.ts';
import type { Effect } from './effects.ts';
import { echo, errorFrame, type MessageId } from './message.ts';
import { judgePosition } from './position.ts';

/** One call that the session is fed. The pump moves the cursor. */
export interface Subscription {
  readonly callSid: string;
  /** Every id that it was asked by. */
  readonly names: ReadonlySet<string>;
  conversationId: string | null;
  epoch: string;
  cursor: number;
}

/** What a look-up found: the call from a fresh read, and the highest seq the relay knows of it. */
export type Found = { readonly call: CallState; readonly known: number } | 'absent' | 'unavailable';

/** One entry of a `subscribe` message. */
export interface Asked {
  readonly id: string;
  readonly since: Since | undefined;
  readonly messageId: MessageId;
}

export class Subscriptions {
  /** By call_sid. */
  readonly all = new Map<string, Subscription>();

  /** Subscribes to what was found, or says why not. */
  subscribe(asked: Asked, found: Found, asker: Asker): readonly Effect[] {
    if (found === 'unavailable') return refusal('store_unavailable', asked);
    // Somebody else's call is answered as an absent one is.
    if (found === 'absent' || !mayDo(asker, 'calls.watch', found.call.tenant)) return refusal('call_not_found', asked);
    const { call } = found;
    const before = this.all.get(call.call_sid);
    // A call that was merged into another since it was asked for: its old feed ends where the owner's begins.
    const merged = this.named(asked.id);
    if (before === undefined && merged === undefined && this.all.size >= SUBSCRIPTIONS_MAX_COUNT) return refusal('too_many_subscriptions', asked);
    const left = [merged, before === merged ? undefined : before].filter((each) => each !== undefined);
    return [...left.flatMap((each) => this.drop(each)), ...this.#begin(asked, call, Math.max(call.last_seq, found.known), before)];
  }

  unsubscribe(id: string, messageId: MessageId): readonly Effect[] {
    const subscription = this.named(id);
    if (subscription === undefined) return [{ do: 'send', frame: errorFrame('not_subscribed', id, messageId) }];
    const { callSid, conversationId } = subscription;
    return [
      ...this.drop(subscription),
      { do: 'send', frame: { type: 'unsubscribe_confirmed', call_sid: callSid, conversation_id: conversationId, ...echo(messageId) } },
    ];
  }

  /** By call_sid, by conversation, or by a name that it was asked by. */
  named(id: string): Subscription | undefined {
    const direct = this.all.get(id);
    if (direct !== undefined) return direct;
    for (const subscription of this.all.values()) {
      if (subscription.names.has(id) || subscription.conversationId === id) return subscription;
    }
    return undefined;
  }

  drop(subscription: Subscription): readonly Effect[] {
    this.all.delete(subscription.callSid);
    return [{ do: 'detach', subscription }];
  }

  dropAll(): readonly Effect[] {
    return [...this.all.values()].flatMap((subscription) => this.drop(subscription));
  }

  #begin(asked: Asked, call: CallState, lastSeq: number, before: Subscription | undefined): readonly Effect[] {
    const position = judgePosition(asked.since, call.epoch, call.last_seq);
    const subscription: Subscription = {
      callSid: call.call_sid,
      names: new Set([...(before?.names ?? []), asked.id]),
      conversationId: call.conversation_id,
      epoch: call.epoch,
      cursor: position.cursor,
    };
    this.all.set(call.call_sid, subscription);
    const frame = {
      type: 'subscription_confirmed' as const,
      call_sid: call.call_sid,
      conversation_id: call.conversation_id,
      status: call.status,
      epoch: call.epoch,
      last_seq: lastSeq,
      recovered: position.recovered,
      ...(position.recovered ? {} : { reason: position.reason }),
      ref: asked.id,
      ...echo(asked.messageId),
    };
    return [
      { do: 'send', frame },
      { do: 'attach', subscription, call },
    ];
  }
}

const refusal = (code: 'store_unavailable' | 'call_not_found' | 'too_many_subscriptions', { id, messageId }: Asked): readonly Effect[] => [
  { do: 'send', frame: errorFrame(code, id, messageId) },
];
