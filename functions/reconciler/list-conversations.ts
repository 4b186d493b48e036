/**
 * The provider's conversations, listed from a watermark on: what no webhook announced - calls that came in, dials whose answer was
 * lost - is found here. The watermark moves only when everything behind it was looked at, and each list reaches back behind it.
 */
import { statusOf } from '../../core/domain/elevenlabs/conversation.ts';
import { isTerminal, type CallState } from '../../core/domain/call/state.ts';
import { DIALING_MAX_MS, FIRST_LISTING_MS, LIST_OVERLAP_MS, LIST_PAGE_ROWS, LIST_PAGES_MAX_COUNT, WEBHOOK_GRACE_MS } from '../../core/protocol/limits.ts';
import type { ConversationSummary } from '../../ports/voice-provider.ts';
import { routeConversation } from '../calls/fetch-conversation.ts';
import { redriveWaiting } from '../calls/redrive.ts';
import type { Routed } from '../calls/route-facts.ts';
import type { Pass } from './pass.ts';
import { countEnd } from './poll-calls.ts';
import { factNow } from './what-is-due.ts';

/** `left`: to be looked at again in the next pass. `failed`: it could not be looked at. */
type Seen = 'settled' | 'left' | 'failed';

/** Looks at every conversation of our agents that began after the watermark less its overlap. */
export const listConversations = async (pass: Pass): Promise<void> => {
  const { directory, runtime } = pass.parts;
  const { workspace } = pass.workspace;
  const begun = runtime.now();
  const mark = (await directory.watermark(markOf(workspace))) ?? begun - FIRST_LISTING_MS;
  // A clock that was ahead once left a mark that lies in the future.
  const since = Math.max(0, Math.floor((Math.min(mark, begun) - LIST_OVERLAP_MS) / 1000));
  const ours = new Set((await directory.agents(null)).filter((agent) => agent.workspace === workspace).map((agent) => agent.agent_id));
  let reached: number | null = begun;
  let cursor: string | null = null;
  for (let pages = 0; pages < LIST_PAGES_MAX_COUNT; pages++) {
    if (!pass.goesOn()) return;
    const page = await pass.list({ cursor, page_size: LIST_PAGE_ROWS, call_start_after_unix: since });
    if (page === 'failed') return;
    const rows = page.conversations.filter((row) => ours.has(row.agent_id));
    const known = await pass.parts.callLog.findMany(rows.map((row) => row.conversation_id));
    for (const [index, row] of rows.entries()) {
      const seen = await look(pass, row, known[index] ?? null);
      if (seen === 'failed') reached = null;
      else if (seen === 'left' && reached !== null) reached = Math.min(reached, startOf(row));
    }
    cursor = page.next_cursor;
    if (cursor === null) {
      if (reached !== null) await directory.raiseWatermark(markOf(workspace), reached);
      return;
    }
  }
  pass.parts.log.warn('the list of conversations did not come to an end', { workspace });
};

const markOf = (workspace: string): string => `listed:${workspace}`;
const startOf = (row: ConversationSummary): number => row.start_time_unix_secs * 1000;

const look = async (pass: Pass, row: ConversationSummary, known: CallState | 'erased' | null): Promise<Seen> => {
  if (known === 'erased' || (known !== null && !lacksEnd(known, row))) return 'settled';
  const age = pass.parts.runtime.now() - startOf(row);
  // It cannot have ended longer ago than it began.
  if (isOver(row) && age < WEBHOOK_GRACE_MS) return 'left';
  if (!pass.may(0)) return 'left';
  let seen: Seen = 'failed';
  const done = await pass.attempt(row.conversation_id, async () => {
    seen = await take(pass, row, known, age > LIST_OVERLAP_MS);
  });
  return done ? seen : 'failed';
};

const isOver = ({ status }: ConversationSummary): boolean => {
  const word = statusOf(status);
  return word !== null && isTerminal(word);
};

/** A call that we gave up ourselves, though the provider had a conversation. Calls that have not ended are polled. */
const lacksEnd = (call: CallState, row: ConversationSummary): boolean =>
  isTerminal(call.status) && (call.outcome_at ?? 0) === 0 && call.conversation_id === row.conversation_id && isOver(row);

const take = async (pass: Pass, row: ConversationSummary, known: CallState | null, overdue: boolean): Promise<Seen> => {
  const told = await pass.read(row.conversation_id);
  if (told === 'failed') return 'failed';
  if (told === null) return 'settled';
  const fact = factNow(told, pass.parts.runtime.now(), overdue);
  // Its webhook may be on its way: what that announces is not found here.
  if (fact !== told.fact) return 'left';
  // A word that we do not know may become one that we do.
  if (fact.kind === 'announced') return overdue ? 'settled' : 'left';
  // Our own id settles whose it is; without it a dial of this agent may still name it.
  const routed = await routeConversation(pass.parts, { workspace: pass.workspace.workspace, tenant: null }, told, fact, 'reconciler', told.own_call_sid === null);
  if (routed.routed === 'waiting') return 'left';
  countEnd(pass, fact, routed);
  if (known === null) await countFound(pass, row.conversation_id, routed);
  return 'settled';
};

const countFound = async (pass: Pass, conversationId: string, routed: Routed): Promise<void> => {
  if (routed.routed !== 'call' || !routed.results.some(({ result }) => result === 'appended')) return;
  const { requested_by, dialed_at } = routed.call;
  if (requested_by === null) pass.tally.found += 1;
  else if (pass.parts.runtime.now() - (dialed_at ?? 0) > DIALING_MAX_MS) pass.tally.settled += 1;
  await redriveWaiting(pass.parts, conversationId);
};
