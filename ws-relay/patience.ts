/**
 * Everything that the relay asks of the log, the directory and the identity, with a limit on how long an answer is waited
 * for. Reads are shared, and what is shared waits for the one under way: without the limit one question that is never
 * answered (a connection in a black hole) would hold every viewer of a call, every subscription or every comparison for good.
 */
import { EarshotError } from '../core/protocol/codes.ts';
import { STORE_ANSWER_MAX_MS } from '../core/protocol/limits.ts';
import type { RelayParts } from './parts.ts';

/** The same parts; a question without an answer rejects with `store_unavailable`, and an answer that comes later is dropped. */
export const withPatience = (parts: RelayParts): RelayParts => {
  const { callLog, directory, identity, runtime } = parts;

  const limited = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const late = runtime.after(STORE_ANSWER_MAX_MS, () => reject(new EarshotError('store_unavailable')));
      answer.then(resolve, reject).finally(() => late.cancel());
    });

  return {
    ...parts,
    callLog: {
      findMany: (ids) => limited(callLog.findMany(ids)),
      read: (callSid, afterSeq, limit) => limited(callLog.read(callSid, afterSeq, limit)),
      changes: (tenants, mark) => limited(callLog.changes(tenants, mark)),
      active: (tenant, endedSince) => limited(callLog.active(tenant, endedSince)),
      check: () => limited(callLog.check()),
    },
    directory: {
      user: (user) => limited(directory.user(user)),
      signInEnded: (sid) => limited(directory.signInEnded(sid)),
      takeTicket: (hash, now) => limited(directory.takeTicket(hash, now)),
      servingRevision: () => limited(directory.servingRevision()),
      check: () => limited(directory.check()),
    },
    identity: { verify: (token) => limited(identity.verify(token)) },
  };
};
