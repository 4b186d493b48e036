/** Asking for calls. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { CallState } from '../../core/domain/call/state.ts';
import { isPhoneNumber } from '../../core/domain/phone-number.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import { CallDriversAnswer, CallDriversRequest, DialRequest, IdempotencyHeader } from '../../core/protocol/rest.ts';
import { ownTenant } from './asker.ts';
import { Call, wholeCall } from './call-routes.ts';
import { answer, body, byToken, otherwise } from './describe.ts';
import { idempotencyKey } from './idempotency.ts';
import { noteAccess } from './note-access.ts';
import type { Api, ApiEnv, ApiParts, StartCallsRequest, StartCallsResult } from './services.ts';

/** Adds `POST /calls` and `POST /driver_data/call-elevenlabs`. */
export const dialRoutes = ({ app, parts, signedIn }: Api): void => {
  app.openapi(
    createRoute({
      method: 'post', path: '/calls', tags: ['calls'], summary: 'Call a number or a driver', middleware: signedIn, security: byToken,
      request: { headers: IdempotencyHeader, body: body(DialRequest) },
      responses: { 201: answer(Call, 'the call, as far as it is'), 200: answer(Call, 'the call that this Idempotency-Key began'), ...otherwise },
    }),
    async (c) => {
      const request = c.req.valid('json');
      const asker = c.get('asker');
      ownTenant(asker, 'calls.dial');
      if (request.to !== undefined && !isPhoneNumber(request.to)) throw new EarshotError('invalid_phone_number');
      const started = await start(parts, c, '/calls', request);
      const [call] = started.calls;
      if (call === undefined) throw new EarshotError(started.failed[0]?.code ?? 'server_fault');
      c.header('location', `/calls/${encodeURIComponent(call.call_sid)}`);
      return c.json(await wholeCall(parts, call), started.repeated ? 200 : 201);
    },
  );

  app.openapi(
    createRoute({
      method: 'post', path: '/driver_data/call-elevenlabs', tags: ['calls'], summary: 'Call drivers about their violations', middleware: signedIn, security: byToken,
      request: { headers: IdempotencyHeader, body: body(CallDriversRequest) },
      responses: { 200: answer(CallDriversAnswer, 'the calls begun, and who could not be called and why'), ...otherwise },
    }),
    async (c) => {
      const request = c.req.valid('json');
      const asker = c.get('asker');
      ownTenant(asker, 'calls.dial');
      const drivers = { driver_ids: [...new Set(request.driver_ids)], violation_types: [...new Set(request.violation_types)] };
      const started = await start(parts, c, '/driver_data/call-elevenlabs', { drivers });
      const calls = started.calls.map(dialled);
      return c.json({ ...(calls.length === 1 ? calls[0] : {}), calls, failed: started.failed.map((one) => ({ ...one })) }, 200);
    },
  );
};

const start = async (parts: ApiParts, c: Context<ApiEnv>, route: string, request: StartCallsRequest): Promise<StartCallsResult> => {
  const asker = c.get('asker');
  const started = await parts.startCalls(asker, request, idempotencyKey(parts.runtime, asker, route, c.req.header('idempotency-key'), request), c.get('hop'));
  if (!started.repeated) for (const call of started.calls) noteAccess(parts, c, 'calls.dial', call.call_sid);
  return started;
};

const dialled = ({ call_sid, conversation_id, status, driver, triggers_count }: CallState) => ({ call_sid, conversation_id, status, driver, triggers_count });
