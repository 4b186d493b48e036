/**
 * The need: keep raw deliveries. Quarantine (verified, but not usable yet or at all) stays until it is driven again; all others
 * stay for 7 days, so that a parser's fault can be mended afterwards. Never audio.
 */
export type DeliveryReason =
  /** Used; kept for re-driving after a parser's fault. */
  | 'used'
  /** A dial may still claim its conversation. */
  | 'waiting'
  /** Nobody's tenant: the agent is not known. */
  | 'unassigned'
  /** The agent or call belongs to another workspace or tenant than the secret or key that verified it. */
  | 'foreign'
  /** Not a type that is understood. */
  | 'unknown_type'
  /** Understood, but its content cannot be used. */
  | 'unusable'
  /** The format without analysis: the call has to be fetched. */
  | 'to_fetch'
  /** Larger than what is kept: only its hash was taken, the reconciler fetches the call. Or kept, and more than one commit to the log holds. */
  | 'too_large';

export interface Delivery {
  /** SHA-256 (hex) over workspace, route and body: one entry per body. */
  readonly id: string;
  readonly workspace: string;
  /** Who sees it; null while it is nobody's: only an operator does. */
  readonly tenant: string | null;
  /** Tenant of the ingest key that verified it: it may touch nothing else. null: a secret of the workspace did. */
  readonly reach_tenant: string | null;
  readonly route: 'post-call' | 'transcription' | 'agent-events';
  readonly type: string | null;
  readonly reason: DeliveryReason;
  readonly conversation_id: string | null;
  readonly agent_id: string | null;
  readonly call_sid: string | null;
  /** First arrival, milliseconds. */
  readonly received_at: number;
  /** How often the same body came. */
  readonly count: number;
  /** The body, as text; null where it is not kept (audio, too large). */
  readonly body: string | null;
}

export interface RawStore {
  /**
   * Keeps it; the same id again raises its count and moves it to the new reason, unless it was used. Answers the kept entry.
   * null: its call or conversation was erased, and nothing of it is kept.
   */
  put(delivery: Omit<Delivery, 'count'>): Promise<Delivery | null>;
  get(id: string): Promise<Delivery | null>;
  /**
   * A delivery in quarantine was used after all, or now belongs elsewhere. Once used it stays so: of two that drive it again at once,
   * one has used it. What belongs to an erased call by this is removed.
   */
  change(id: string, change: Partial<Pick<Delivery, 'reason' | 'tenant' | 'call_sid'>>): Promise<void>;
  /** Everything but `used`, oldest first, bodies left out; `after` is the id of the last entry of the page before. tenant null: all. */
  quarantine(tenant: string | null, after: string | null, limit: number): Promise<readonly Delivery[]>;
  /** As `quarantine`, of nobody's tenant. */
  unassigned(after: string | null, limit: number): Promise<readonly Delivery[]>;
  /** Deliveries that may become usable by themselves, oldest first, with bodies. conversationId null: of all conversations. `after`: the last one of the page before. */
  pending(reason: 'waiting' | 'to_fetch', conversationId: string | null, limit: number, after?: { readonly received_at: number; readonly id: string }): Promise<readonly Delivery[]>;
  /** Used deliveries since a time, oldest first, with bodies: what hybrid development listens to. */
  since(tenant: string, after: { readonly received_at: number; readonly id: string }, limit: number): Promise<readonly Delivery[]>;
  /** A figure for operators: a store that counts by an index may count what was just erased a while longer. */
  quarantineSize(): Promise<number>;
  /** Removes used deliveries received before; answers how many. */
  sweep(before: number): Promise<number>;
  /** Removes this one; the same body may come again. */
  remove(id: string): Promise<void>;
  /**
   * Removes everything of these calls and conversations, each by its id, and keeps nothing of them from then on: neither what comes later nor
   * what is being written meanwhile, whoever dies over it. For good: it asks nobody else whether they were erased.
   */
  erase(ids: readonly string[]): Promise<void>;
  check(): Promise<void>;
  close(): Promise<void>;
}
