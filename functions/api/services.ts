/** What the REST API is made of: the ports, and the services that do more than read. */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import type { CallState } from '../../core/domain/call/state.ts';
import type { ErrorCode } from '../../core/protocol/codes.ts';
import type { WebhookStats } from '../../core/protocol/rest.ts';
import type { IdempotencyKey } from '../../ports/call-log.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Passwords } from '../../ports/password.ts';
import type { Parts } from '../parts.ts';
import type { RequestHop } from '../request.ts';

/** Whom to call: drivers by their violations (no types: all), or one number or driver with words for the agent. */
export type StartCallsRequest =
  | { readonly drivers: { readonly driver_ids: readonly string[]; readonly violation_types: readonly string[] } }
  | {
      readonly to?: string | undefined;
      readonly driver_id?: string | undefined;
      readonly agent_id?: string | undefined;
      readonly variables?: Readonly<Record<string, string | number | boolean>> | undefined;
    };

export interface StartCallsResult {
  /** The idempotency key was seen: these are its calls as they are now. */
  readonly repeated: boolean;
  readonly calls: readonly CallState[];
  readonly failed: readonly { readonly driver_id: string; readonly code: ErrorCode; readonly message: string }[];
}

/** `hop`: the request that it is done for. */
export interface ApiServices {
  /** Dials; never throws for a single driver's failure. */
  startCalls(asker: Principal, request: StartCallsRequest, idempotency: IdempotencyKey | null, hop: RequestHop): Promise<StartCallsResult>;
  /** Throws EarshotError `end_not_supported`, `call_already_ended`. */
  endCall(asker: Principal, call: CallState, hop: RequestHop): Promise<{ readonly command_id: string }>;
  /** Backfills one call. Throws EarshotError `conversation_not_found`, `provider_unavailable`. */
  fetchConversation(asker: Principal, conversationId: string, hop: RequestHop): Promise<CallState>;
  /** Drives a delivery in quarantine again; the asker's right to it was checked. */
  redrive(asker: Principal, deliveryId: string, hop: RequestHop): Promise<{ readonly result: string; readonly call_sid: string | null }>;
  /** Removes the call whole, with its raw deliveries. */
  eraseCall(asker: Principal, call: CallState, hop: RequestHop): Promise<void>;
  /** Deliveries of the tenant since a time (milliseconds). */
  webhookStats(tenant: string, sinceMs: number): Promise<WebhookStats>;
}

export interface ApiParts extends Parts, ApiServices {
  readonly passwords: Passwords;
  /** Of this program. */
  readonly version: string;
  /** The document that `/asyncapi.json` answers. */
  readonly asyncApi: () => Promise<object>;
}

/** What a handler finds in its context. */
export interface ApiEnv {
  Variables: { /** Set where the route takes a bearer token. */ asker: Principal; hop: RequestHop };
}

/** What every group of routes is given to stand on. */
export interface Api {
  readonly app: OpenAPIHono<ApiEnv>;
  readonly parts: ApiParts;
  /** Stands in front of every route that is not for everybody. */
  readonly signedIn: MiddlewareHandler<ApiEnv>;
}
