/**
 * The answer to a delivery. 200 only once stored, for a repeat, and for what is verified but cannot be used (kept in quarantine);
 * 401 forged; 503 for a fault of ours; 400 only where nothing was signed. ElevenLabs does not retry a 4xx: a fault of ours is
 * never one.
 */
import { EarshotError, type ErrorCode } from '../../core/protocol/codes.ts';
import { JSON_DEPTH_MAX_LEVELS, RAW_COPY_WAIT_MAX_MS, TURN_TEXT_FRAME_MAX_BYTES } from '../../core/protocol/limits.ts';
import { asRecord, asText, isDeeperThan } from '../../core/domain/elevenlabs/json.ts';
import { isTerminal, type CallState } from '../../core/domain/call/state.ts';
import { turnIdOf } from '../../core/domain/call/keys.ts';
import { cutToJsonBytes } from '../../core/domain/text.ts';
import type { InterimFrame } from '../../core/protocol/frames.ts';
import type { Delivery } from '../../ports/raw-store.ts';
import { fetchIntoLog } from '../calls/fetch-conversation.ts';
import { publish } from '../calls/publish.ts';
import { routeFacts, type Routed } from '../calls/route-facts.ts';
import type { Parts } from '../parts.ts';
import type { InterimRates } from './interim-rates.ts';
import { originOf, type Origin, type RawDelivery } from './origin.ts';
import { readAgentEvent, readTurn, type InterimTurn } from './read-ingest.ts';
import { readPostCall, type Reading } from './read-post-call.ts';

export type WebhookRoute = Delivery['route'];

/** What a sender is told. `result` is one word for its logs. */
export interface Receipt {
  readonly result: 'stored' | 'duplicate' | 'quarantined' | 'ignored' | 'passed_on' | 'erased';
  readonly call_sid: string | null;
  readonly conversation_id: string | null;
  /** For metrics and logs; not sent. */
  readonly type: string;
  readonly tenant: string | null;
}

/** @throws EarshotError with the code to answer: `signature_invalid`, `invalid_json`, `invalid_request`, `store_unavailable` ... */
export const receive = async (parts: Parts, interims: InterimRates, route: WebhookRoute, delivery: RawDelivery): Promise<Receipt> => {
  const origin = await originOf(parts, delivery, route !== 'post-call');
  const id = deliveryId(parts, origin.workspace, route, delivery);
  if (delivery.passed !== null) return keep(parts, id, route, origin, tooLarge(), null);
  const text = delivery.body.toString('utf8');
  const body = parse(text);
  if (body === undefined) return refuseOrKeep(parts, id, route, origin, text, 'invalid_json', notJson());
  const reading = read(route, body, () => `once:${parts.runtime.randomHex(8)}`, parts.runtime.now());
  if (reading.read === 'interim') return passOn(parts, interims, origin, reading);
  if (reading.read === 'unusable') {
    const kept = await refuseOrKeep(parts, id, route, origin, holdsRecording(body) ? null : text, 'invalid_request', reading);
    return reading.reason === 'to_fetch' ? ((await fetchNow(parts, id, origin, reading)) ?? kept) : kept;
  }
  const routed = await routeFacts(parts, origin, reading.address, reading.entries);
  return settle(parts, { id, route, origin, text: reading.type === 'post_call_audio' ? null : text, reading, routed });
};

/** One entry per body: the workspace and the route keep equal bodies of different senders apart. */
export const deliveryId = (parts: Pick<Parts, 'runtime'>, workspace: string, route: WebhookRoute, delivery: Pick<RawDelivery, 'body' | 'passed'>): string =>
  parts.runtime.sha256(`${workspace}\n${route}\n${delivery.passed?.sha256 ?? parts.runtime.sha256(delivery.body)}`);

/** undefined: not JSON that we take. V8 parses without recursion, so what is too deep for our walks is found in its result, a fifth of the price of looking at every character before. */
export const parse = (text: string): unknown => {
  try {
    const value = JSON.parse(text) as unknown;
    return isDeeperThan(value, JSON_DEPTH_MAX_LEVELS) ? undefined : value;
  } catch {
    return undefined;
  }
};

/** Whatever its type will be called: a recording is never kept. */
const holdsRecording = (body: unknown): boolean => {
  const { type, data } = asRecord(body);
  return (asText(type)?.includes('audio') ?? false) || asText(asRecord(data)['full_audio']) !== null;
};

/** @param onceId stands in for the id of an agent event that has none: what is driven again is given the same */
export const read = (route: WebhookRoute, body: unknown, onceId: () => string, now: number): Reading | InterimTurn => {
  if (route === 'post-call') return readPostCall(body, now);
  return route === 'transcription' ? readTurn(body) : readAgentEvent(body, onceId);
};

type Unusable = Extract<Reading, { read: 'unusable' }>;

const tooLarge = (): Unusable => ({ read: 'unusable', type: null, reason: 'too_large', conversation_id: null, agent_id: null, problems: [] });
const notJson = (): Unusable => ({ read: 'unusable', type: null, reason: 'unusable', conversation_id: null, agent_id: null, problems: ['body: not JSON'] });

const refuseOrKeep = (parts: Parts, id: string, route: WebhookRoute, origin: Origin, text: string | null, code: ErrorCode, reading: Unusable): Promise<Receipt> => {
  if (origin.unsigned) throw new EarshotError(code, { problems: reading.problems });
  return keep(parts, id, route, origin, reading, text);
};

const keep = async (parts: Parts, id: string, route: WebhookRoute, origin: Origin, reading: Unusable, body: string | null): Promise<Receipt> => {
  const told = { call_sid: null, conversation_id: reading.conversation_id, type: reading.type ?? 'none', tenant: origin.tenant } as const;
  if (await isErased(parts, reading.conversation_id)) return { result: 'erased', ...told };
  const kept = await parts.rawStore.put({
    id,
    workspace: origin.workspace,
    tenant: await shownTo(parts, origin),
    reach_tenant: origin.tenant,
    route,
    type: reading.type,
    reason: reading.reason,
    conversation_id: reading.conversation_id,
    agent_id: reading.agent_id,
    call_sid: null,
    received_at: parts.runtime.now(),
    body,
  });
  return { result: kept === null ? 'erased' : 'quarantined', ...told };
};

/** What cannot be used may tell of an erased call all the same. A log that does not answer is no reason to refuse it: the raw store knows what was erased. */
const isErased = async (parts: Parts, id: string | null): Promise<boolean> => {
  if (id === null || (await parts.callLog.find(id).catch(() => null)) !== 'erased') return false;
  await parts.rawStore.erase([id]);
  return true;
};

/** Who sees a delivery in quarantine: the ingest key's tenant, else the tenant that has the whole workspace to itself, else an operator. */
const shownTo = async (parts: Parts, origin: Origin): Promise<string | null> => {
  if (origin.tenant !== null) return origin.tenant;
  const agents = await parts.directory.agents(null);
  const [tenant, ...others] = new Set(agents.filter((agent) => agent.workspace === origin.workspace).map((agent) => agent.tenant));
  return tenant === undefined || others.length > 0 ? null : tenant;
};

/** The format without analysis: the call is read from the provider at once; where that fails, or the provider is not through with it, it waits for the next try. */
const fetchNow = async (parts: Parts, id: string, origin: Origin, reading: Unusable): Promise<Receipt | null> => {
  if (reading.conversation_id === null) return null;
  const fetched = await fetchIntoLog(parts, origin, reading.conversation_id, 'webhook').catch(() => null);
  if (fetched?.routed !== 'call' || !isTerminal(fetched.call.status)) return null;
  await parts.rawStore.change(id, { reason: 'used', tenant: fetched.call.tenant, call_sid: fetched.call.call_sid });
  return { result: 'stored', call_sid: fetched.call.call_sid, conversation_id: reading.conversation_id, type: reading.type ?? 'none', tenant: fetched.call.tenant };
};

interface Settling {
  readonly id: string;
  readonly route: WebhookRoute;
  readonly origin: Origin;
  readonly text: string | null;
  readonly reading: Extract<Reading, { read: 'facts' }>;
  readonly routed: Routed;
}

const settle = async (parts: Parts, { id, route, origin, text, reading, routed }: Settling): Promise<Receipt> => {
  const conversationId = reading.address.conversation_id;
  const entry = {
    id,
    workspace: origin.workspace,
    reach_tenant: origin.tenant,
    route,
    type: reading.type,
    conversation_id: conversationId,
    agent_id: reading.address.agent_id,
    received_at: parts.runtime.now(),
    body: text,
  };
  if (routed.routed === 'erased') return { result: 'erased', call_sid: null, conversation_id: conversationId, type: reading.type, tenant: origin.tenant };
  if (routed.routed === 'call') {
    const { call } = routed;
    await keepCopySoon(parts, { ...entry, tenant: call.tenant, reason: 'used', call_sid: call.call_sid });
    return { result: resultOf(routed), call_sid: call.call_sid, conversation_id: call.conversation_id, type: reading.type, tenant: call.tenant };
  }
  const tenant = ('tenant' in routed ? routed.tenant : null) ?? (await shownTo(parts, origin));
  const kept = await parts.rawStore.put({ ...entry, tenant, reason: routed.routed === 'unknown_call' ? 'unusable' : routed.routed, call_sid: null });
  if (kept === null) return { result: 'erased', call_sid: null, conversation_id: conversationId, type: reading.type, tenant: origin.tenant };
  if (routed.routed === 'waiting') await freeIfBound(parts, { id, route, origin, text, reading, routed });
  return { result: 'quarantined', call_sid: null, conversation_id: conversationId, type: reading.type, tenant };
};

/** It is in the log: losing the raw copy loses nothing that was promised, and nobody is kept waiting for it. */
const keepCopySoon = async (parts: Parts, copy: Omit<Delivery, 'count'>): Promise<void> => {
  const lost = (): void => parts.log.warn('the raw copy of a delivery was not kept', { delivery: copy.id });
  await new Promise<void>((resolve) => {
    const timer = parts.runtime.after(RAW_COPY_WAIT_MAX_MS, resolve);
    void parts.rawStore
      .put(copy)
      .catch(lost)
      .then(() => {
        timer.cancel();
        resolve();
      });
  });
};

/** The dial may have bound the conversation between our look and our keeping it: then nobody else would free it. */
const freeIfBound = async (parts: Parts, { id, route, origin, text, reading }: Settling): Promise<void> => {
  const conversationId = reading.address.conversation_id;
  if (conversationId === null || (await parts.callLog.find(conversationId)) === null) return;
  // Read as a re-drive reads it: should one be at it as well, both must mean the same fact.
  const again = text === null ? reading : read(route, parse(text), () => `once:${id}`, parts.runtime.now());
  if (again.read !== 'facts') return;
  const routed = await routeFacts(parts, origin, again.address, again.entries);
  if (routed.routed === 'call') await parts.rawStore.change(id, { reason: 'used', tenant: routed.call.tenant, call_sid: routed.call.call_sid });
};

const resultOf = (routed: Extract<Routed, { routed: 'call' }>): Receipt['result'] => {
  if (routed.results.some(({ result }) => result === 'appended' || result === 'noted')) return 'stored';
  return routed.results.some(({ result }) => result === 'duplicate') ? 'duplicate' : 'ignored';
};

/** An interim turn is handed to the bus, which may lose it; nothing of it is kept. */
const passOn = async (parts: Parts, interims: InterimRates, origin: Origin, { address, turn }: InterimTurn): Promise<Receipt> => {
  const call = await parts.callLog.find(address.call_sid ?? address.conversation_id ?? '');
  const none: Receipt = { result: 'ignored', call_sid: null, conversation_id: address.conversation_id, type: 'interim', tenant: origin.tenant };
  if (call === null || call === 'erased') return none;
  if (call.workspace !== origin.workspace || (origin.tenant !== null && call.tenant !== origin.tenant)) return none;
  const now = parts.runtime.now();
  const frame = interimFrame(parts, call, turn, now);
  const late = isTerminal(call.status) || (await parts.callLog.knowsTurn(call.call_sid, frame.turn_id));
  if (late || !interims.passes(call.call_sid, parts.runtime.monotonic())) return { ...none, call_sid: call.call_sid, tenant: call.tenant };
  await publish(parts, { kind: 'interim', tenant: call.tenant, call_sid: call.call_sid, turn_id: frame.turn_id, text: JSON.stringify(frame), at: now });
  return { result: 'passed_on', call_sid: call.call_sid, conversation_id: call.conversation_id, type: 'interim', tenant: call.tenant };
};

const interimFrame = (parts: Parts, call: CallState, turn: InterimTurn['turn'], now: number): InterimFrame => {
  const speaker = turn.speaker === 'agent' ? 'agent' : 'driver';
  const fact = { kind: 'turn', turn_id: turn.turn_id ?? null, rev: null, state: 'final', speaker, text: turn.text, time_in_call_secs: turn.time_in_call_secs ?? null, source_event_id: null } as const;
  return {
    type: 'transcription',
    call_sid: call.call_sid,
    conversation_id: call.conversation_id,
    timestamp: new Date(now).toISOString(),
    // Without an id of the sender's own, interim texts of one speaker are one turn that is being spoken.
    turn_id: turn.turn_id === null || turn.turn_id === undefined ? `interim:${speaker}` : turnIdOf(call.call_sid, fact, parts.runtime.sha256),
    rev: turn.rev ?? 1,
    index: call.next_index,
    state: 'interim',
    speaker,
    text: cutToJsonBytes(turn.text, TURN_TEXT_FRAME_MAX_BYTES),
    time_in_call_secs: turn.time_in_call_secs ?? null,
  };
};
