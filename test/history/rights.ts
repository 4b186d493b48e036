/**
 * I7: one conversation is one call, a call belongs to the tenant of its agent, and no frame of a call reaches a session without a
 * right to it - by the world's own timeline of rights, minus the time that a relay may take to notice.
 * I8: nothing but an `error` frame before authentication or later than 5 s after the token's end.
 */
import { RIGHTS_UNCONFIRMED_MAX_MS } from '../../core/protocol/limits.ts';
import type { RecordOf } from './history.ts';
import type { Report } from './violation.ts';
import type { World } from './world.ts';

/** A session ends with its token; its relay looks at the clock once a second and needs a moment to say so. */
const TOKEN_END_MAX_MS = 5_000;

/** @param lateMs how much later than it was sent a frame may be noted */
export const checkRights = (world: World, lateMs: number, report: Report): void => {
  checkConversations(world, report);
  checkTenants(world, report);
  checkSessions(world, lateMs, report);
};

const checkConversations = (world: World, report: Report): void => {
  const owners = new Map<string, string>();
  for (const { record, index } of world.of('logged')) {
    if (record.conversation_id === null || record.merged_into !== null) continue;
    const owner = owners.get(record.conversation_id);
    if (owner === undefined) owners.set(record.conversation_id, record.call_sid);
    else if (owner !== record.call_sid && index > world.restoredAt) {
      report('I7', `conversation ${record.conversation_id} is call ${owner} and call ${record.call_sid}`, index);
      owners.set(record.conversation_id, record.call_sid);
    }
  }
};

const checkTenants = (world: World, report: Report): void => {
  for (const call of world.calls.values()) {
    const { record, index } = call.latest;
    const agents = new Set([record.agent_id, record.conversation_id === null ? null : (world.conversations.get(record.conversation_id)?.record.agent_id ?? null)]);
    for (const agent of agents) {
      const known = agent === null ? undefined : world.agents.get(agent);
      if (known === undefined || known.some(({ tenant, workspace }) => tenant === record.tenant && workspace === record.workspace)) continue;
      report('I7', `call ${call.callSid} is ${record.tenant}'s in ${record.workspace}, its agent ${agent ?? ''} is not`, index);
    }
  }
};

interface Session {
  readonly user: string | null;
  readonly tenant: string | null;
  valid: boolean;
  endsAt: number;
}

const checkSessions = (world: World, lateMs: number, report: Report): void => {
  const sessions = new Map<string, Session>();
  for (const [index, record] of world.records.entries()) {
    switch (record.op) {
      case 'opened':
        sessions.set(record.session, { user: record.user, tenant: record.tenant, valid: record.valid, endsAt: record.ends_at });
        break;
      case 'refreshed': {
        const session = sessions.get(record.session);
        if (session === undefined || !record.valid) break;
        session.valid = true;
        session.endsAt = record.ends_at;
        break;
      }
      case 'frame':
        checkFrame(world, sessions.get(record.session), record, index, lateMs, report);
        break;
      default:
    }
  }
};

const checkFrame = (world: World, session: Session | undefined, frame: RecordOf<'frame'>, index: number, lateMs: number, report: Report): void => {
  if (frame.type === 'error') return;
  const what = `${frame.session} got ${frame.type}${frame.call_sid === null ? '' : ` of ${frame.call_sid}`}`;
  if (session === undefined) report('I8', `${what} and was never opened`, index);
  else if (!session.valid) report('I8', `${what} and had shown no good token`, index);
  else if (frame.at > session.endsAt + TOKEN_END_MAX_MS + lateMs) report('I8', `${what} ${frame.at - session.endsAt} ms after its token's end`, index);
  if (frame.call_sid === null || session === undefined) return;
  const tenant = world.calls.get(frame.call_sid)?.latest.record.tenant ?? session.tenant;
  if (session.user === null || session.tenant === null || session.tenant !== tenant) {
    report('I7', `${what}, a call of ${tenant ?? 'nobody'}, as ${session.user ?? 'nobody'} of ${session.tenant ?? 'nobody'}`, index);
    return;
  }
  const lostFor = world.rightLostFor(session.user, session.tenant, frame.at);
  if (lostFor >= RIGHTS_UNCONFIRMED_MAX_MS + lateMs) report('I7', `${what} as ${session.user}, without a right to it for ${lostFor} ms`, index);
};
