/** Deliveries in quarantine, driven again: by hand, when a dial binds their conversation, or when the wait for one is over. */
import { isTerminal } from '../../core/domain/call/state.ts';
import { mayDo } from '../../core/domain/rights.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import { PROCESSING_MAX_MS, UNBOUND_DIAL_WAIT_MS } from '../../core/protocol/limits.ts';
import type { Principal } from '../../ports/identity.ts';
import type { Delivery, DeliveryReason } from '../../ports/raw-store.ts';
import type { Parts } from '../parts.ts';
import type { InterimTurn } from '../webhooks/read-ingest.ts';
import type { Reading } from '../webhooks/read-post-call.ts';
import { parse, read } from '../webhooks/receive.ts';
import { fetchIntoLog } from './fetch-conversation.ts';
import { routeFacts, type Routed } from './route-facts.ts';

/** Deliveries read at once, with their bodies. */
const PAGE_COUNT = 100;
/** After so long no other page is begun; the rest follow in the next run. */
const DRIVE_MAX_MS = 30_000;

export interface Redriven {
  /** `used`, or the reason for which it stays. */
  readonly result: string;
  readonly call_sid: string | null;
}

/** @throws EarshotError `delivery_not_found` (also where it is somebody else's), `store_unavailable`, `provider_unavailable` */
export const redriveByHand = async (parts: Parts, asker: Principal, id: string): Promise<Redriven> => {
  const delivery = await parts.rawStore.get(id);
  if (delivery === null || !mayDo(asker, 'quarantine.redrive', delivery.tenant)) throw new EarshotError('delivery_not_found');
  return redrive(parts, delivery, false);
};

/** The dial's answer named the conversation: what waited for it goes to its call now. */
export const redriveWaiting = (parts: Parts, conversationId: string): Promise<number> => drivePending(parts, 'waiting', conversationId, () => true);

/** For a timer: frees what has waited long enough (or can be used by now) and fetches what came without analysis. */
export const freePending = async (parts: Parts): Promise<number> => {
  const now = parts.runtime.now();
  const freed = await drivePending(parts, 'waiting', null, (delivery) => now - delivery.received_at < UNBOUND_DIAL_WAIT_MS);
  return freed + (await drivePending(parts, 'to_fetch', null, () => true));
};

/** Page by page, past those that stay: they hold up nobody behind them. */
const drivePending = async (parts: Parts, reason: 'waiting' | 'to_fetch', conversationId: string | null, mayWait: (delivery: Delivery) => boolean): Promise<number> => {
  const started = parts.runtime.monotonic();
  let used = 0;
  let after: Delivery | undefined;
  do {
    const page = await parts.rawStore.pending(reason, conversationId, PAGE_COUNT, after);
    for (const delivery of page) used += await driveOne(parts, delivery, mayWait(delivery));
    after = page.length < PAGE_COUNT ? undefined : page.at(-1);
  } while (after !== undefined && parts.runtime.monotonic() - started < DRIVE_MAX_MS);
  return used;
};

/** One that fails is tried again with the next run; the others must not wait for it. */
const driveOne = async (parts: Parts, delivery: Delivery, mayWait: boolean): Promise<0 | 1> => {
  const result = await redrive(parts, delivery, mayWait).catch((error: unknown) => {
    parts.log.warn('a delivery in quarantine could not be driven again', { delivery: delivery.id, code: error instanceof EarshotError ? error.code : 'server_fault' });
    return null;
  });
  return result?.result === 'used' ? 1 : 0;
};

const redrive = async (parts: Parts, delivery: Delivery, mayWait: boolean): Promise<Redriven> => {
  // Nothing in an agent event can have been misread, and without an id of its own it would be another one.
  if (delivery.reason === 'used' && delivery.route === 'agent-events') return { result: 'used', call_sid: delivery.call_sid };
  const reading = readAgain(delivery);
  const reach = { workspace: delivery.workspace, tenant: delivery.reach_tenant };
  if (reading?.read === 'facts') return settle(parts, delivery, await routeFacts(parts, reach, reading.address, reading.entries, mayWait));
  const fetches = reading === null || (reading.read === 'unusable' && reading.reason === 'to_fetch');
  if (!fetches || delivery.conversation_id === null) return { result: delivery.reason, call_sid: null };
  return settleFetched(parts, delivery, await fetchIntoLog(parts, reach, delivery.conversation_id, 'fetch'));
};

/** null: its body was not kept. Of a recording nothing but its ids ever was. */
const readAgain = ({ body, type, route, id, received_at, conversation_id, agent_id }: Delivery): Reading | InterimTurn | null => {
  if (body !== null) return read(route, parse(body), () => `once:${id}`, received_at);
  return type === 'post_call_audio' ? read(route, { type, data: { conversation_id, agent_id } }, () => '', received_at) : null;
};

const settle = async (parts: Parts, delivery: Delivery, routed: Routed): Promise<Redriven> => {
  if (routed.routed === 'call') {
    await parts.rawStore.change(delivery.id, { reason: 'used', tenant: routed.call.tenant, call_sid: routed.call.call_sid });
    return { result: 'used', call_sid: routed.call.call_sid };
  }
  if (routed.routed === 'erased') {
    await parts.rawStore.remove(delivery.id);
    return { result: 'erased', call_sid: null };
  }
  return stays(parts, delivery, routed.routed === 'unknown_call' ? 'unusable' : routed.routed);
};

const settleFetched = async (parts: Parts, delivery: Delivery, routed: Routed | null): Promise<Redriven> => {
  if (routed === null) {
    const age = parts.runtime.now() - delivery.received_at;
    return delivery.reason === 'to_fetch' && age > PROCESSING_MAX_MS ? stays(parts, delivery, 'unusable') : { result: delivery.reason, call_sid: null };
  }
  // The provider is not through with it: what it says in the end has to be fetched as well.
  if (routed.routed === 'call' && !isTerminal(routed.call.status)) return stays(parts, delivery, 'to_fetch');
  return settle(parts, delivery, routed);
};

const stays = async (parts: Parts, delivery: Delivery, reason: DeliveryReason): Promise<Redriven> => {
  if (reason !== delivery.reason && delivery.reason !== 'used') await parts.rawStore.change(delivery.id, { reason });
  return { result: reason, call_sid: null };
};
