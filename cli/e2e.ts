/** `earshot e2e`: the whole journey against any deployment, said in the lines that people know, then a verdict for each promise. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { asRecord } from '../core/domain/elevenlabs/json.ts';
import { DialledCall } from '../core/protocol/rest.ts';
import { apiOf, type Api } from './api.ts';
import { checksTo, Failed, type Checks } from './checks.ts';
import { checkAfterwards } from './e2e-afterwards.ts';
import { connections } from './e2e-connections.ts';
import { asCliError, CliError, usage } from './exit-codes.ts';
import { isGreeting, openSocket, protocolsFor, socketUrl, type Frame, type RelaySocket } from './socket.ts';
import { journeyTarget } from './target.ts';
import type { Cli } from './world.ts';

export interface E2eOptions {
  readonly driver?: string;
  readonly violations?: string;
  /** Seconds, for the longest wait. */
  readonly timeout?: string;
  /** true: the flag without a number. */
  readonly connections?: string | true;
}

const CONNECTIONS_DEFAULT_COUNT = 7;
const CONNECTIONS_MAX_COUNT = 1_000;

/** What the journey has to go by when the call has ended. */
export interface Journey {
  readonly api: Api;
  readonly url: string;
  readonly waitMs: number;
  readonly idempotencyKey: string;
  readonly dialBody: { readonly driver_ids: readonly string[]; readonly violation_types: readonly string[] };
  readonly call: z.infer<typeof OlderAnswer>;
  readonly socket: RelaySocket;
  readonly confirmed: Frame;
  /** Sequenced frames, in the order in which they came. */
  readonly events: readonly Frame[];
}

/** The answer as older clients read it: the call's fields at the top level. */
const OlderAnswer = DialledCall.extend({ driver: z.object({ driverId: z.string(), driverName: z.string(), phoneNumber: z.string() }) });

export const e2e = async (cli: Cli, options: E2eOptions): Promise<void> => {
  const waitMs = secondsOf(options.timeout ?? '120') * 1000;
  const target = journeyTarget(cli);
  const api = apiOf(target, cli);
  // Under --json stdout belongs to the one document.
  const say = (line: string): void => (cli.print.json ? cli.print.note(line) : cli.print.line(line));
  const checks = checksTo(cli.print, say);
  const signedIn = await checks.run('signed in', async () => {
    await api.token().catch((error: unknown) => {
      say(`[AUTH] Authentication failed: ${asCliError(error).code}`);
      throw error;
    });
    say('[AUTH] Authentication successful!');
    return undefined;
  });
  if (signedIn && options.connections !== undefined) {
    const count = options.connections === true ? CONNECTIONS_DEFAULT_COUNT : countOf(options.connections);
    checks.conclude(await connections({ api, checks, say, count, waitMs }));
    return;
  }
  if (signedIn) {
    const begun = { driver_ids: [options.driver ?? 'test_driver_123'], violation_types: (options.violations ?? 'speeding').split(',').filter((type) => type !== '') };
    const journey = await follow(api, checks, say, begun, waitMs);
    if (journey !== null) await checkAfterwards(journey, checks);
    journey?.socket.close();
  }
  checks.conclude();
};

const secondsOf = (text: string): number => {
  const seconds = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (seconds < 1 || seconds > 3600) throw usage('--timeout has to be a whole number of seconds from 1 to 3600.');
  return seconds;
};
const countOf = (text: string): number => {
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > CONNECTIONS_MAX_COUNT) throw usage(`--connections has to be a whole number from 1 to ${CONNECTIONS_MAX_COUNT}.`);
  return count;
};

/** Dials, watches, and waits for the seal. null: it could not go on, and a FAIL has said why. */
const follow = async (api: Api, checks: Checks, say: (line: string) => void, dialBody: Journey['dialBody'], waitMs: number): Promise<Journey | null> => {
  const idempotencyKey = randomUUID();
  const calls: Journey['call'][] = [];
  await checks.run('call answered with call_sid, conversation_id, driver and triggers_count', async () => {
    const answer = await api.json(z.looseObject({ failed: z.array(z.object({ code: z.string() })) }), 'POST', '/driver_data/call-elevenlabs', { body: dialBody, headers: { 'idempotency-key': idempotencyKey } });
    const parsed = OlderAnswer.safeParse(answer);
    if (!parsed.success) throw new Failed(answer.failed[0] === undefined ? 'a field is missing' : `the driver was not called: ${answer.failed[0].code}`);
    if (parsed.data.triggers_count < 1 || parsed.data.driver.driverId !== dialBody.driver_ids[0]) throw new Failed('it is not the call of this driver');
    calls.push(parsed.data);
    say('[CALL] Call initiated successfully!');
    return parsed.data.call_sid;
  });
  const [dialled] = calls;
  if (dialled === undefined) return null;
  try {
    const url = socketUrl(await api.relayUrl());
    say('[WS] Connecting to WebSocket...');
    const socket = await openSocket(url, protocolsFor(await api.token()), waitMs);
    const greeting = await socket.next('the first frame', () => true, waitMs);
    say('[WS] WebSocket connected successfully!');
    checks.note('connection_established comes first', isGreeting(greeting.body) && /^ws_/.test(String(asRecord(greeting.body['data'])['connection_id'])));
    checks.note('the subprotocol earshot.v1 is selected', socket.protocol === 'earshot.v1');
    say(`[WS] Subscribing to call: ${dialled.call_sid}`);
    socket.send({ subscribe: dialled.call_sid });
    const confirmed = await socket.next('the confirmation', (body) => body['type'] === 'subscription_confirmed' || body['type'] === 'error', waitMs);
    if (confirmed.body['type'] === 'error') throw new CliError(String(confirmed.body['code']), String(confirmed.body['message']), 'failed');
    say('[WS_MSG] Subscription confirmed!');
    const events = await watch(socket, dialled.call_sid, say, waitMs);
    return { api, url, waitMs, idempotencyKey, dialBody, call: dialled, socket, confirmed, events };
  } catch (error) {
    const { code, message } = asCliError(error);
    say(`[WS_ERROR] WebSocket error: ${code}`);
    checks.note('the call was watched to its end', false, `${message} (${code})`);
    return null;
  }
};

/** Tells what comes until the call is sealed. */
const watch = async (socket: RelaySocket, callSid: string, say: (line: string) => void, waitMs: number): Promise<Frame[]> => {
  const events: Frame[] = [];
  for (;;) {
    const frame = await socket.next('the next event', (body) => body['call_sid'] === callSid && typeof body['seq'] === 'number', waitMs);
    const { body } = frame;
    events.push(frame);
    if (body['type'] === 'transcription') {
      say(`[WS_MSG] New transcription [${String(body['speaker'])}]`);
      const revised = body['state'] === 'final' ? '' : ` (${String(body['state'])})`;
      say(`   [${String(body['index'])}] ${String(body['speaker']).toUpperCase()}${revised}: ${String(body['text'])}`);
    } else if (body['type'] === 'call_completed') say('[WS_MSG] Call completed with full data!');
    else if (body['type'] === 'call_sealed') return events;
  }
};
