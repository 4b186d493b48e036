/** The access log: who dialled, ended, heard, exported, erased or drove again what. Ids only. */
import type { Context } from 'hono';
import type { Action } from '../../core/domain/rights.ts';
import { during } from '../request.ts';
import type { ApiEnv, ApiParts } from './services.ts';

/** Writes one line. `callSid` null: it was about no one call. */
export const noteAccess = (parts: ApiParts, c: Context<ApiEnv>, action: Action, callSid: string | null): void => {
  const { user, tenant } = c.get('asker');
  during(parts, c.get('hop')).log.info('access', { action, user, tenant, call_sid: callSid });
};
