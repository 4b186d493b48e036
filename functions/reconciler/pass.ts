/**
 * One pass over one workspace: what it may still ask of the provider, and what came of it. A read that fails spoils nothing but
 * itself; where nothing answers, the pass leaves the provider alone.
 */
import { EarshotError } from '../../core/protocol/codes.ts';
import { PROVIDER_READS_MAX_COUNT, RECONCILER_LEASE_MS } from '../../core/protocol/limits.ts';
import type { Workspace } from '../../ports/directory.ts';
import type { ConversationFilter, ConversationSummary } from '../../ports/voice-provider.ts';
import { readConversation, type Told } from '../calls/fetch-conversation.ts';
import type { Parts } from '../parts.ts';

/** Reads that failed one after the other: then it is not the conversation, it is the provider. */
const FAILURES_IN_ROW_MAX_COUNT = 3;

/** What a pass did. */
export interface Tally {
  /** Conversations read. */
  polled: number;
  /** Conversations that nobody had told of. */
  found: number;
  /** Calls whose end was told here first. */
  finished: number;
  /** Dials whose conversation was found. */
  settled: number;
}

/** The list's page, or that it could not be had. */
type Listed = { readonly conversations: readonly ConversationSummary[]; readonly next_cursor: string | null } | 'failed';

export interface Pass {
  readonly parts: Parts;
  readonly workspace: Workspace;
  readonly tally: Tally;
  /** Whether asking still makes sense: the provider answers, and the pass is still ours. */
  goesOn(): boolean;
  /** As `goesOn`, and the budget still holds more than that share of itself (0 to 1). */
  may(share: number): boolean;
  /** null: the provider has none of this id. */
  read(conversationId: string): Promise<Told | null | 'failed'>;
  list(filter: ConversationFilter): Promise<Listed>;
  /** Runs work on one call: what goes wrong there is noted and stays there. false: it went wrong. */
  attempt(id: string, work: () => Promise<void>): Promise<boolean>;
  /** How many reads failed so far. */
  failures(): number;
}

/** A pass under the lease that `holder` has taken by this name. */
export const openPass = (parts: Parts, workspace: Workspace, lease: string, holder: string): Pass => {
  let left = PROVIDER_READS_MAX_COUNT;
  let failed = 0;
  let inRow = 0;
  let over = false;
  let leased = parts.runtime.now();

  /** Longer than half the lease: asked for anew. Whoever took it meanwhile goes on instead. */
  const keepLease = async (): Promise<void> => {
    const now = parts.runtime.now();
    if (Math.abs(now - leased) < RECONCILER_LEASE_MS / 2) return;
    leased = now;
    if (!(await parts.directory.takeLease(lease, holder, now, now + RECONCILER_LEASE_MS))) over = true;
  };

  const asked = async <T>(ask: () => Promise<T>): Promise<T | 'failed'> => {
    left -= 1;
    await keepLease();
    try {
      const answer = await ask();
      inRow = 0;
      return answer;
    } catch (error) {
      if (!(error instanceof EarshotError) || error.code !== 'provider_unavailable') throw error;
      failed += 1;
      inRow += 1;
      return 'failed';
    }
  };

  const goesOn = (): boolean => !over && inRow < FAILURES_IN_ROW_MAX_COUNT;
  const tally: Tally = { polled: 0, found: 0, finished: 0, settled: 0 };
  return {
    parts,
    workspace,
    tally,
    goesOn,
    may: (share) => goesOn() && left > PROVIDER_READS_MAX_COUNT * share,
    read: (conversationId) => {
      tally.polled += 1;
      return asked(() => readConversation(parts, workspace, conversationId));
    },
    list: (filter) => asked(() => parts.provider.conversations(workspace, filter)),
    attempt: async (id, work) => {
      try {
        await work();
        return true;
      } catch (error) {
        parts.log.error('a conversation could not be reconciled; the next pass tries again', { workspace: workspace.workspace, id }, error);
        return false;
      }
    },
    failures: () => failed,
  };
};
