/** I6, the outcome: what the events of a call say of it is what the call itself says, and what the provider told last. */
import type { ToldOutcome } from './history.ts';
import type { EpochLog } from './logged-call.ts';
import { eventsOf } from './reading-events.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

const FIELDS = ['transcript_summary', 'cost'] as const;

export const checkOutcomes = (world: World, report: Report): void => {
  for (const call of world.calls.values()) {
    const outcome = call.final?.record.outcome;
    if (call.final === null || outcome === undefined || call.current.hasHoles) continue;
    const told = byEvents(call.current);
    for (const field of FIELDS) {
      if (told !== null && told[field] !== outcome[field]) report('I6', `the ${field} of ${call.callSid} is ${String(outcome[field])}, by its events ${String(told[field])}`, call.final.index);
    }
  }
  if (world.restoredAt > -1 || world.of('fault').some(({ record }) => CLOCKS.has(record.kind))) return;
  for (const conversationId of world.outcomes.keys()) checkNewest(world, conversationId, report);
};

/** null: the call has not ended. */
const byEvents = (log: EpochLog): ToldOutcome | null => {
  let told: ToldOutcome | null = null;
  for (const event of eventsOf(log)) {
    if (event.type === 'call_completed') told = { transcript_summary: event.data.transcript_summary, cost: event.data.cost };
    if (event.type !== 'call_amended' || told === null) continue;
    for (const field of FIELDS) if (event.changed[field] !== undefined) told = { ...told, [field]: event.changed[field].to };
  }
  return told;
};

/** Which of two outcomes is the newer is told by clocks: where they differ by minutes an older one may be taken for the newer. */
const CLOCKS = new Set(['clock_skew', 'clock_jump']);

/** The newest version that was answered 200, or a later one. */
const checkNewest = (world: World, conversationId: string, report: Report): void => {
  const call = world.resolve(conversationId);
  const final = call?.final;
  const versions = world.outcomes.get(conversationId);
  if (versions === undefined || final?.record.outcome === undefined || final.record.conversation_id !== conversationId) return;
  if (world.of('quarantined').some(({ record }) => record.conversation_id === conversationId)) return;
  const sent = world.deliveriesOf.get(conversationId) ?? [];
  const least = Math.max(0, ...sent.map(({ content, acked }) => (content.kind === 'final' && acked !== null ? content.version : 0)));
  if (least === 0 && final.record.status !== 'completed') return;
  const { outcome } = final.record;
  const allowed = [...versions].filter(([version]) => version >= least).map(([, told]) => told);
  for (const field of FIELDS) {
    if (!allowed.some((told) => told[field] === outcome[field])) report('I6', `the ${field} of ${final.record.call_sid} is ${String(outcome[field])}, and the provider told ${String(allowed.at(-1)?.[field])}`, final.index);
  }
};
