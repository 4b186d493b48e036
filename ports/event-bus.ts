/**
 * The need: tell all relays of new events, of interim turns, of a right taken away. A hint, never the truth: messages may be
 * lost, repeated, late and out of order, and the comparison with the log heals it.
 * Every way passes `test/contract/event-bus.ts`.
 */
export type BusMessage =
  | {
      readonly kind: 'events';
      readonly tenant: string;
      readonly call_sid: string;
      readonly epoch: string;
      /** Seq of the first text; the others follow densely. */
      readonly first_seq: number;
      /** Exactly as logged. Empty: only "look at the log". */
      readonly texts: readonly string[];
      /** When the commit was answered, for measuring delay; milliseconds. */
      readonly at: number;
      /** When the request that this comes of had been received; milliseconds by the clock of who received it. Not there: it comes of no request. */
      readonly received_at?: number;
      /** The request's trace as a W3C `traceparent`, with the span of this publication. A bus with headers of its own carries it there too. */
      readonly trace?: string;
    }
  | { readonly kind: 'interim'; readonly tenant: string; readonly call_sid: string; readonly turn_id: string; readonly text: string; readonly at: number }
  /** Look at the rights of this user, or of everybody in the tenant, again. */
  | { readonly kind: 'rights'; readonly tenant: string; readonly user: string | null };

/** What a message of events says before its texts. */
export interface EventsHead {
  readonly tenant: string;
  readonly call_sid: string;
  readonly epoch: string;
  readonly first_seq: number;
  /** Of its texts. */
  readonly count: number;
}

/**
 * Whether events are of no use to a subscriber, who is told nothing else of them then: true, and neither are their texts read nor its
 * handler called (`npm run bench -- ingest`, "of a call that nobody watches"). Must not throw.
 */
export type PassesOver = (head: EventsHead) => boolean;

/** The answer for a message that is there as a whole. */
export const isPassedOver = (message: BusMessage, passesOver: PassesOver | undefined): boolean => {
  if (message.kind !== 'events' || passesOver === undefined) return false;
  const { tenant, call_sid, epoch, first_seq, texts } = message;
  return passesOver({ tenant, call_sid, epoch, first_seq, count: texts.length });
};

export interface EventBus {
  /** Resolves when the bus took it. Rejects when it did not; the caller need not care. */
  publish(message: BusMessage): Promise<void>;
  /** Resolves when messages published from now on will be delivered. The handler must not throw. */
  subscribe(handler: (message: BusMessage) => void, passesOver?: PassesOver): Promise<BusSubscription>;
  /**
   * Removes subscriptions of ours whose relay has shown no life for ORPHAN_SUBSCRIPTION_MS; answers how many.
   * Ways whose subscriptions end with their connection have none to remove.
   */
  sweep(): Promise<number>;
  close(): Promise<void>;
}

export interface BusSubscription {
  close(): Promise<void>;
}
