/** Deliveries by hand: `earshot webhook send`, `earshot quarantine ...`. */
import { z } from 'zod';
import { WEBHOOK_PATHS } from '../core/protocol/ingest.ts';
import { QuarantineList, RedriveAnswer, type DeliveryView } from '../core/protocol/rest.ts';
import { PAGE_MAX_ROWS } from '../core/protocol/limits.ts';
import type { Runtime } from '../ports/runtime.ts';
import { ask, jsonIn, problemOf } from './api.ts';
import { CliError, usage } from './exit-codes.ts';
import { table } from './output.ts';
import { textOfFile } from './password.ts';
import { session } from './session.ts';
import { isLoopback, localPort, urlOf } from './target.ts';
import type { Cli } from './world.ts';

/** The header that ElevenLabs sends: see core/domain/elevenlabs/signature.ts. */
export const signatureOf = (runtime: Pick<Runtime, 'now' | 'hmacSha256'>, secret: string, body: string): string => {
  const seconds = Math.floor(runtime.now() / 1000);
  return `t=${seconds},v0=${runtime.hmacSha256(secret, `${seconds}.${body}`)}`;
};

export interface SendOptions {
  readonly route?: string;
  readonly to?: string;
  readonly secretFile?: string;
  readonly unsigned?: boolean;
}

/** `earshot webhook send <file>`: signs the bytes of the file as they are and posts them. */
export const sendWebhook = async (cli: Cli, file: string, options: SendOptions): Promise<void> => {
  const body = textOfFile(file);
  const route = options.route ?? routeOf(body);
  const path = (WEBHOOK_PATHS as Readonly<Record<string, string | undefined>>)[route];
  if (path === undefined) throw usage(`--route is one of ${Object.keys(WEBHOOK_PATHS).join(', ')}.`);
  const base = urlOf('The address', options.to ?? (cli.env['API_BASE_URL']?.trim() || `http://127.0.0.1:${localPort(cli.env)}`), ['http', 'https']);
  const headers = { 'content-type': 'application/json', ...(options.unsigned === true ? {} : { 'elevenlabs-signature': signatureOf(cli.runtime, secretFor(cli, base, options.secretFile), body) }) };
  const response = await ask(base + path, { method: 'POST', headers, body });
  if (!response.ok) throw await problemOf(response);
  const answer = jsonIn(await response.text());
  cli.print.document({ route, http_status: response.status, answer });
  cli.print.line(`${response.status} ${JSON.stringify(answer)}`);
};

/** By what the body says of itself. */
const routeOf = (body: string): DeliveryView['route'] => {
  const parsed = z.looseObject({ type: z.string().optional(), speaker: z.string().optional() }).safeParse(jsonIn(body));
  if (parsed.data?.speaker !== undefined) return 'transcription';
  return /^(agent|tool)_/.test(parsed.data?.type ?? '') ? 'agent-events' : 'post-call';
};

const secretFor = (cli: Cli, base: string, file: string | undefined): string => {
  if (file !== undefined) return textOfFile(file).trim();
  if (!isLoopback(base) && (cli.env['ELEVENLABS_WEBHOOK_SECRETS'] ?? '').trim() === '') {
    throw usage('ELEVENLABS_WEBHOOK_SECRETS is not set, and --secret-file names no file: what is to sign?');
  }
  const [secret] = cli.settings().elevenlabsWebhookSecrets;
  if (secret === undefined) throw usage('ELEVENLABS_WEBHOOK_SECRETS names no secret.');
  return secret;
};

/** `earshot quarantine list`: oldest first. */
export const listQuarantine = async (cli: Cli): Promise<void> => {
  const deliveries = await quarantined(cli);
  cli.print.document({ deliveries });
  const rows = deliveries.map((one) => [one.received_at.slice(0, 19), one.reason, one.type ?? one.route, one.conversation_id ?? one.agent_id ?? '-', String(one.count), one.id]);
  for (const line of table(['RECEIVED', 'REASON', 'TYPE', 'CONVERSATION', 'COUNT', 'ID'], rows)) cli.print.line(line);
};

const quarantined = async (cli: Cli): Promise<DeliveryView[]> => {
  const api = session(cli);
  const all: DeliveryView[] = [];
  let cursor: string | null = null;
  do {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: z.infer<typeof QuarantineList> = await api.json(QuarantineList, 'GET', `/quarantine?limit=${PAGE_MAX_ROWS}${query}`);
    all.push(...page.deliveries);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return all;
};

/** `earshot quarantine redrive <id>`, or all that is there now with --all. */
export const redrive = async (cli: Cli, id: string | undefined, options: { readonly all?: boolean }): Promise<void> => {
  if ((id === undefined) !== (options.all === true)) throw usage('Name one delivery, or say --all.');
  const api = session(cli);
  const ids = id === undefined ? (await quarantined(cli)).map((delivery) => delivery.id) : [id];
  const results: { id: string; result: string; call_sid: string | null }[] = [];
  for (const one of ids) {
    const { result, call_sid } = await api.json(RedriveAnswer, 'POST', `/quarantine/${encodeURIComponent(one)}/redrive`);
    results.push({ id: one, result, call_sid });
    cli.print.line(`${one}: ${result}${call_sid === null ? '' : ` (${call_sid})`}`);
  }
  cli.print.document({ results });
  if (ids.length === 0) cli.print.line('Nothing is in quarantine.');
};

/** What deliveries are proved with to the Earshot that gets them. */
export interface DeliveryKeys {
  /** Signs webhooks. */
  readonly secret: string;
  /** Bearer of live turns and agent events; null: they are signed too. */
  readonly ingestKey: string | null;
}

/** For `listen`: what became of a delivery that was posted. */
export const postDelivery = async (runtime: Runtime, base: string, keys: DeliveryKeys, route: DeliveryView['route'], body: string, signal: AbortSignal): Promise<{ status: number; result: string }> => {
  // What came with an ingest key may name no agent: the local key says whose it is, a signature could not.
  const proof: Record<string, string> =
    route !== 'post-call' && keys.ingestKey !== null ? { authorization: `Bearer ${keys.ingestKey}` } : { 'elevenlabs-signature': signatureOf(runtime, keys.secret, body) };
  const response = await ask(base + WEBHOOK_PATHS[route], { method: 'POST', headers: { 'content-type': 'application/json', ...proof }, body, signal });
  if (response.ok) return { status: response.status, result: z.object({ result: z.string() }).safeParse(jsonIn(await response.text())).data?.result ?? 'ok' };
  const problem: CliError = await problemOf(response);
  return { status: response.status, result: problem.code };
};
