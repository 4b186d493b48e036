/** Raw deliveries: the quarantine, and what a developer's machine listens to. */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { withoutHidden } from '../../core/domain/elevenlabs/conversation.ts';
import { mayDo } from '../../core/domain/rights.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import { DELIVERIES_PAGE_MAX_ROWS } from '../../core/protocol/limits.ts';
import { DeliveriesAnswer, DeliveriesQuery, DeliveryParam, QuarantineList, QuarantineQuery, RedriveAnswer, type DeliveryView } from '../../core/protocol/rest.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Delivery } from '../../ports/raw-store.ts';
import { ownTenant } from './asker.ts';
import { answer, byToken, otherwise } from './describe.ts';
import { heardSince, parseHeard, startHearing, type Heard } from './heard-cursor.ts';
import { noteAccess } from './note-access.ts';
import type { Api, ApiEnv, ApiParts } from './services.ts';

/** How often a waiting listener's question is asked again. */
const LOOK_AGAIN_MS = 500;

const shown = ({ id, workspace, tenant, route, type, reason, conversation_id, agent_id, call_sid, received_at, count }: Delivery): DeliveryView => ({
  id, workspace, tenant, route, type, reason, conversation_id, agent_id, call_sid, received_at: new Date(received_at).toISOString(), count,
});

/** Adds `/quarantine`, `/quarantine/{id}/redrive` and `/deliveries`. */
export const deliveryRoutes = ({ app, parts, signedIn }: Api): void => {
  app.openapi(
    createRoute({ method: 'get', path: '/quarantine', tags: ['deliveries'], summary: 'Deliveries that were verified but cannot be used (yet), oldest first', middleware: signedIn, security: byToken, request: { query: QuarantineQuery }, responses: { 200: answer(QuarantineList, 'a page'), ...otherwise } }),
    async (c) => {
      const { tenant } = quarantineOf(c.get('asker'), 'quarantine.read');
      const { cursor, limit } = c.req.valid('query');
      const after = cursor ?? null;
      const found = tenant === null ? await parts.rawStore.unassigned(after, limit + 1) : await parts.rawStore.quarantine(tenant, after, limit + 1);
      const deliveries = found.slice(0, limit);
      return c.json({ deliveries: deliveries.map(shown), next_cursor: found.length > limit ? (deliveries.at(-1)?.id ?? null) : null }, 200);
    },
  );

  app.openapi(
    createRoute({ method: 'post', path: '/quarantine/{id}/redrive', tags: ['deliveries'], summary: 'Drive a delivery again', middleware: signedIn, security: byToken, request: { params: DeliveryParam }, responses: { 200: answer(RedriveAnswer, 'what became of it'), ...otherwise } }),
    async (c) => {
      const asker = c.get('asker');
      quarantineOf(asker, 'quarantine.redrive');
      const delivery = await parts.rawStore.get(c.req.valid('param').id);
      if (delivery === null || !mayDo(asker, 'quarantine.redrive', delivery.tenant)) throw new EarshotError('delivery_not_found');
      const driven = await parts.redrive(asker, delivery.id, c.get('hop'));
      noteAccess(parts, c, 'quarantine.redrive', driven.call_sid);
      return c.json(driven, 200);
    },
  );

  app.openapi(
    createRoute({
      method: 'get', path: '/deliveries', tags: ['deliveries'], summary: 'Deliveries of the tenant as they come, secrets removed: what `earshot listen` hears', middleware: signedIn, security: byToken,
      request: { query: DeliveriesQuery },
      responses: { 200: answer(DeliveriesAnswer, 'what came after the cursor'), ...otherwise },
    }),
    async (c) => {
      const tenant = ownTenant(c.get('asker'), 'deliveries.listen');
      const { after, wait } = c.req.valid('query');
      if (after === undefined) return c.json({ deliveries: [], cursor: startHearing(parts.runtime.now()) }, 200);
      const { deliveries, cursor } = await listen(parts, c, tenant, parseHeard(after), wait * 1000);
      return c.json({ deliveries: deliveries.map(heard), cursor }, 200);
    },
  );
};

/** Whose quarantine it is: an operator's is what belongs to nobody. */
const quarantineOf = (asker: Principal, action: 'quarantine.read' | 'quarantine.redrive'): { readonly tenant: string | null } => {
  if (!mayDo(asker, action, asker.tenant)) throw new EarshotError('forbidden');
  return { tenant: asker.tenant };
};

/** Answers as soon as there is something, at the latest after the wait, or when the listener has gone. */
const listen = async (parts: ApiParts, c: Context<ApiEnv>, tenant: string, position: Heard, waitMs: number): Promise<{ deliveries: readonly Delivery[]; cursor: string }> => {
  const { rawStore, runtime } = parts;
  const end = runtime.monotonic() + waitMs;
  for (;;) {
    const result = await heardSince(position, (from, limit) => rawStore.since(tenant, { received_at: from, id: '' }, limit), DELIVERIES_PAGE_MAX_ROWS);
    const left = end - runtime.monotonic();
    if (result.deliveries.length > 0 || left <= 0 || c.req.raw.signal.aborted) return result;
    await new Promise<void>((resolve) => void runtime.after(Math.min(LOOK_AGAIN_MS, left), resolve));
  }
};

const heard = ({ id, route, type, received_at, body }: Delivery) => ({ id, route, type, received_at: new Date(received_at).toISOString(), body: body === null ? null : withoutHidden(parsed(body)) });

const parsed = (body: string): unknown => {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return null;
  }
};
