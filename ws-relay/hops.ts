/**
 * `GET /hops/{call}`: when the newest events of a call passed this relay, for admins, services and operators. No words of a call stand
 * in it, only its times, so an operator, who stands outside all tenants, may read it as the metrics.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EventHops } from '../core/domain/relay/hops.ts';
import { readTraceparent } from '../core/domain/trace-context.ts';
import { mayDo } from '../core/domain/rights.ts';
import { EarshotError, type ErrorCode } from '../core/protocol/codes.ts';
import { CALL_ID_MAX_CHARACTERS } from '../core/protocol/limits.ts';
import type { HopsAnswer } from '../core/protocol/rest.ts';
import { askerOf } from './asker.ts';
import { answerJson, answerProblem } from './http.ts';
import type { Hub } from './hub.ts';
import type { RelayParts } from './parts.ts';

const HOPS_PATH = /^\/hops\/([^/]+)$/;

/** The id in the path, decoded; null: it is not this path. */
export const hopsTarget = (path: string): string | null => {
  const id = HOPS_PATH.exec(path)?.[1];
  if (id === undefined) return null;
  try {
    return decodeURIComponent(id);
  } catch {
    return null;
  }
};

/** Answers for the call of this call_sid or conversation_id. @param relay how this relay is called */
export const answerHops = async (parts: RelayParts, hub: Pick<Hub, 'hops'>, relay: string, id: string, req: IncomingMessage, res: ServerResponse): Promise<void> => {
  try {
    if (req.method !== 'GET') throw new EarshotError('method_not_allowed');
    const user = await askerOf(parts, req);
    if (!mayDo(user, 'hops.read', user.tenant)) throw new EarshotError('forbidden');
    const [call] = id.length > CALL_ID_MAX_CHARACTERS ? [] : await parts.callLog.findMany([id]);
    if (call === undefined || call === null || call === 'erased' || (user.tenant !== null && user.tenant !== call.tenant)) throw new EarshotError('call_not_found');
    const answer: HopsAnswer = { call_sid: call.call_sid, relay, epoch: call.epoch, hops: hub.hops(call.call_sid).map(shown) };
    answerJson(res, 200, JSON.stringify(answer));
  } catch (error) {
    const code: ErrorCode = error instanceof EarshotError ? error.code : 'server_fault';
    if (code === 'server_fault') parts.log.error('request failed', { method: req.method, route: '/hops/:id' }, error);
    answerProblem(res, code, code === 'method_not_allowed' ? { allow: 'GET' } : {});
  }
};

const shown = ({ seq, arrival: { by, trace, received_at, committed_at, heard_at }, written_at }: EventHops): HopsAnswer['hops'][number] => ({
  seq, by, trace: trace === null || readTraceparent(trace) === null ? null : trace, received_at: time(received_at), committed_at: time(committed_at), heard_at: new Date(heard_at).toISOString(), written_at: time(written_at),
});

/** What a message says may be no time. */
const time = (ms: number | null): string | null => (ms === null || !Number.isFinite(new Date(ms).getTime()) ? null : new Date(ms).toISOString());
