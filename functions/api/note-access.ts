/** The access log: who dialled, ended, heard, exported, erased or drove again what. Ids only. */
import type { Action } from '../../core/domain/rights.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Log } from '../../ports/log.ts';

/** Writes one line. `callSid` null: it was about no one call. */
export const noteAccess = ({ log }: { readonly log: Log }, asker: Principal, action: Action, callSid: string | null): void => log.info('access', { action, user: asker.user, tenant: asker.tenant, call_sid: callSid });
