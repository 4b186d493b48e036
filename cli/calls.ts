/** Verbs about calls: dial, list, show, end, fetch, erase. */
import type { z } from 'zod';
import { foldTurns, type HistoryEvent } from '../core/domain/call/turns.ts';
import { CallDriversAnswer, CallList, CallView, CommandAnswer, EventText, Stats, type CallRow } from '../core/protocol/rest.ts';
import type { EventFrame } from '../core/protocol/frames.ts';
import { PAGE_MAX_ROWS } from '../core/protocol/limits.ts';
import { CliError, usage } from './exit-codes.ts';
import type { Api } from './api.ts';
import { allEvents, type WireEvent } from './events.ts';
import { table } from './output.ts';
import { callPath, session } from './session.ts';
import { tail } from './tail.ts';
import type { Cli } from './world.ts';

export interface CallOptions {
  readonly to?: string;
  readonly violations?: string;
  readonly agent?: string;
  readonly idempotencyKey?: string;
  readonly watch?: boolean;
}

/** `earshot call [driver]`: dials a driver about violations, or a number. */
export const call = async (cli: Cli, driver: string | undefined, options: CallOptions): Promise<void> => {
  if ((driver === undefined) === (options.to === undefined)) throw usage('Name either a driver or a number with --to.');
  if (options.violations !== undefined && (driver === undefined || options.agent !== undefined)) throw usage('--violations goes with a driver and the agent of the tenant.');
  const started = await dial(cli, driver, options);
  cli.print.line(`Call ${started.call_sid}: ${started.status}${started.conversation_id === null ? '' : ` (conversation ${started.conversation_id})`}`);
  if (options.watch === true) {
    await tail(cli, started.call_sid, {});
    return;
  }
  cli.print.document(started);
  cli.print.line(`Watch it: earshot tail '${started.call_sid}'`);
};

type Started = Pick<CallRow, 'call_sid' | 'conversation_id' | 'status' | 'driver' | 'triggers_count'>;

const dial = async (cli: Cli, driver: string | undefined, options: CallOptions): Promise<Started> => {
  const api = session(cli);
  const headers = options.idempotencyKey === undefined ? {} : { 'idempotency-key': options.idempotencyKey };
  if (driver === undefined || options.agent !== undefined) {
    const body = { ...(driver === undefined ? { to: options.to } : { driver_id: driver }), ...(options.agent === undefined ? {} : { agent_id: options.agent }) };
    return api.json(CallView, 'POST', '/calls', { body, headers });
  }
  const body = { driver_ids: [driver], violation_types: listOf(options.violations) };
  const { calls, failed } = await api.json(CallDriversAnswer, 'POST', '/driver_data/call-elevenlabs', { body, headers });
  const [started] = calls;
  const [refused] = failed;
  if (started !== undefined) return started;
  throw new CliError(refused?.code ?? 'unexpected_answer', refused?.message ?? 'No call was begun, and no reason was given.', refused?.code === 'driver_not_found' ? 'not_found' : 'failed');
};

const listOf = (text: string | undefined): string[] => (text ?? '').split(',').map((part) => part.trim()).filter((part) => part !== '');

export interface CallsOptions {
  readonly status?: string;
  readonly q?: string;
  readonly driver?: string;
  readonly agent?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly cursor?: string;
  readonly stats?: boolean;
  readonly hours?: string;
}

/** The filters as a query; empty ones are left out. */
export const filterQuery = (options: Pick<CallsOptions, 'status' | 'q' | 'driver' | 'agent' | 'since'>, more: Readonly<Record<string, string | undefined>> = {}): string => {
  const query = new URLSearchParams();
  const all = { status: options.status, q: options.q, driver_id: options.driver, agent_id: options.agent, since: options.since, ...more };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) query.set(name, value);
  return query.toString();
};

/** `earshot calls`: newest first, or with --stats figures. */
export const calls = async (cli: Cli, options: CallsOptions): Promise<void> => {
  if (options.stats === true) {
    await stats(cli, options.hours ?? '24');
    return;
  }
  const wanted = wholeNumber('--limit', options.limit ?? '20', 100_000);
  const api = session(cli);
  const rows: CallRow[] = [];
  let cursor = options.cursor;
  do {
    const limit = Math.min(PAGE_MAX_ROWS, wanted - rows.length);
    const page: z.infer<typeof CallList> = await api.json(CallList, 'GET', `/calls?${filterQuery(options, { cursor, limit: String(limit) })}`);
    rows.push(...page.calls);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined && rows.length < wanted);
  cli.print.document({ calls: rows, next_cursor: cursor ?? null });
  for (const line of table(['CREATED', 'STATUS', 'SECONDS', 'COST', 'DRIVER', 'SUMMARY', 'CALL'], rows.map(rowOf))) cli.print.line(line);
  if (cursor !== undefined) cli.print.note(`There are more: --limit, or --cursor ${cursor}`);
};

/** Longer summaries are cut in a list; `earshot show` has the whole. */
const SUMMARY_CHARACTERS = 40;

const rowOf = (row: CallRow): string[] => [
  row.created_at.slice(0, 19),
  row.status,
  row.call_duration_seconds === null ? '' : String(row.call_duration_seconds),
  row.cost === null ? '' : row.cost.toFixed(3),
  row.driver?.driverName ?? row.to_number ?? '',
  shortened(row.transcript_summary ?? ''),
  row.call_sid,
];
const shortened = (text: string): string => (text.length > SUMMARY_CHARACTERS ? `${text.slice(0, SUMMARY_CHARACTERS - 3)}...` : text);

/** A whole number of an option. Throws CliError `invalid_usage`. */
export const wholeNumber = (name: string, text: string, most: number): number => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) throw usage(`${name} has to be a whole number from 1 to ${most}.`);
  return number;
};

const stats = async (cli: Cli, hours: string): Promise<void> => {
  const figures = await session(cli).json(Stats, 'GET', `/stats?hours=${wholeNumber('--hours', hours, 744)}`);
  cli.print.document(figures);
  cli.print.line(`Last ${hours} hours`);
  for (const [status, count] of Object.entries(figures.calls_by_status)) cli.print.line(`  ${status}: ${count}`);
  const { completed, webhooks } = figures;
  cli.print.line(`  completed with a summary: ${completed.with_summary} of ${completed.total_calls} (${completed.percentage} %)`);
  const rate = webhooks.success_rate === null ? 'none came' : `${(webhooks.success_rate * 100).toFixed(1)} % succeeded, p50 ${webhooks.p50_ms ?? '-'} ms, p99 ${webhooks.p99_ms ?? '-'} ms`;
  cli.print.line(`  webhooks: ${webhooks.received} received, ${rate}`);
};

/** `earshot show <call>`: everything known of it, and its words. */
export const show = async (cli: Cli, id: string, options: { readonly events?: boolean }): Promise<void> => {
  const api = session(cli);
  const view = await api.json(CallView, 'GET', callPath(id));
  const { events } = await allEvents(api, view.call_sid);
  const { standing } = foldTurns(await history(api, view.call_sid, events));
  const turns = standing.map(({ index, speaker, text, time_in_call_secs }) => ({ index, speaker, text, time_in_call_secs }));
  cli.print.document({ ...view, turns, ...(options.events === true ? { events } : {}) });
  for (const [name, value] of Object.entries(view)) cli.print.line(`${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`);
  for (const turn of turns) cli.print.line(`[${turn.index}] ${turn.speaker.toUpperCase()}: ${turn.text}`);
  if (options.events === true) for (const event of events) cli.print.line(JSON.stringify(event));
};

/** The events with the whole texts of those that a frame could not hold. */
const history = (api: Api, callSid: string, events: readonly WireEvent[]): Promise<HistoryEvent[]> =>
  Promise.all(
    (events as unknown as EventFrame[])
      .filter((event) => typeof event.seq === 'number')
      .map(async (event) => {
        const cut = event.type === 'transcription' && event.truncated === true;
        return { event, whole_text: cut ? (await api.json(EventText, 'GET', callPath(callSid, `/events/${event.seq}/text`))).text : null };
      }),
  );

/** `earshot end <call>`: asks the provider to end it. */
export const end = async (cli: Cli, id: string): Promise<void> => {
  const answer = await session(cli).json(CommandAnswer, 'POST', callPath(id, '/end'));
  cli.print.document(answer);
  cli.print.line(`Asked to end (${answer.command_id}); its events tell when it has.`);
};

/** `earshot fetch <conversation>`: reads it from the provider into its call. */
export const fetchConversation = async (cli: Cli, id: string): Promise<void> => {
  const view = await session(cli).json(CallView, 'GET', `/conversations/${encodeURIComponent(id)}/fetch`);
  cli.print.document(view);
  cli.print.line(`Call ${view.call_sid}: ${view.status}, ${view.turn_count} turns`);
};

/** `earshot erase <call>`: whole, for ever; so it has to be meant. */
export const erase = async (cli: Cli, id: string, options: { readonly yes?: boolean }): Promise<void> => {
  if (options.yes !== true) throw usage('Erasing removes the call for ever and nothing brings it back: say --yes if you mean it.');
  await session(cli).good('DELETE', callPath(id));
  cli.print.document({ erased: id });
  cli.print.line(`Erased ${id}.`);
};
