/** `earshot trace <call>`: when each event of a call passed each place on its way to the screens, and the trace of the request that it comes of. */
import { readTraceparent } from '../core/domain/trace-context.ts';
import { HopsAnswer } from '../core/protocol/rest.ts';
import { ask, jsonIn, problemOf, type Api } from './api.ts';
import { allEvents, type CallEvents } from './events.ts';
import { CliError } from './exit-codes.ts';
import { table } from './output.ts';
import { session } from './session.ts';
import type { Cli } from './world.ts';

export interface TraceOptions {
  /** Ask this relay, where there are several behind one address. */
  readonly relay?: string;
}

/** One event's way; times in milliseconds, each by the clock of who noted it; null: not known. */
export interface Way {
  readonly seq: number;
  readonly type: string | null;
  readonly trace_id: string | null;
  readonly by: 'bus' | 'log' | null;
  readonly received_at: number | null;
  /** The event's own timestamp. */
  readonly logged_at: number | null;
  readonly committed_at: number | null;
  readonly heard_at: number | null;
  readonly written_at: number | null;
}

/** Asks API and relay, and prints a line for each event. Throws CliError with the code of whatever refuses. */
export const trace = async (cli: Cli, id: string, options: TraceOptions): Promise<void> => {
  const api = session(cli);
  const hops = await hopsOf(cli, api, id, options.relay ?? (await api.relayUrl()));
  const ways = waysOf(await eventsOf(api, id), hops);
  const unknown = ways.filter((way) => way.heard_at === null).map((way) => way.seq);
  const found = ways.filter((way) => way.by === 'log').map((way) => way.seq);
  cli.print.document({ call_sid: hops.call_sid, epoch: hops.epoch, relay: hops.relay, events: ways.map(inTimes), unknown });
  cli.print.line(`${hops.call_sid}, as ${hops.relay} saw it. Times are UTC; the others count from the one before, each by the clock of who noted it.`);
  for (const row of table(['seq', 'event', 'received', 'logged', 'committed', 'heard', 'written', 'trace'], ways.map(rowOf))) cli.print.line(row);
  const whole = ways.flatMap(({ received_at, written_at }) => (received_at === null || written_at === null ? [] : [written_at - received_at])).sort((a, b) => a - b);
  if (whole.length > 0) cli.print.line(`From received to written: ${whole[Math.floor(whole.length / 2)] ?? 0} ms in the middle, ${whole.at(-1) ?? 0} ms at most (${whole.length} events).`);
  if (found.length > 0) cli.print.line(`The bus had not brought ${ranges(found)}: a read of the log showed them.`);
  if (unknown.length > 0) cli.print.line(`Nothing is known (any more) of how ${ranges(unknown)} came here: nobody watched the call at this relay then, or it was too long ago.`);
};

const hopsOf = async (cli: Cli, api: Api, id: string, relay: string): Promise<HopsAnswer> => {
  const url = `${relay.replace(/^ws/, 'http').replace(/\/+$/, '')}/hops/${encodeURIComponent(id)}`;
  if (!URL.canParse(url)) throw new CliError('invalid_usage', '--relay has to be an address such as wss://relay.example.com.', 'usage');
  const answer = await ask(url, { headers: { authorization: `Bearer ${await api.token()}` }, signal: cli.stop });
  if (!answer.ok) throw await problemOf(answer);
  const read = HopsAnswer.safeParse(jsonIn(await answer.text()));
  if (!read.success) throw new CliError('unexpected_answer', `The answer does not have the form that a relay answers in. Is ${new URL(url).origin} a relay of this version?`, 'failed');
  return read.data;
};

/** null: whoever asks may read no calls, as an operator. The times are told all the same. */
const eventsOf = async (api: Api, id: string): Promise<CallEvents | null> => {
  try {
    return await allEvents(api, id);
  } catch (error) {
    if (error instanceof CliError && error.code === 'forbidden') return null;
    throw error;
  }
};

/** What log and relay say of each event, in order. Hops of another epoch are those of other events. */
export const waysOf = (call: CallEvents | null, answer: HopsAnswer): readonly Way[] => {
  const hops = new Map((call === null || call.epoch === answer.epoch ? answer.hops : []).map((hop) => [hop.seq, hop]));
  const events = new Map((call?.events ?? []).flatMap((event) => (typeof event['seq'] === 'number' ? [[event['seq'], event] as const] : [])));
  return [...new Set([...events.keys(), ...hops.keys()])].sort((a, b) => a - b).map((seq) => {
    const event = events.get(seq);
    const hop = hops.get(seq);
    return {
      seq,
      type: typeof event?.['type'] === 'string' ? event['type'] : null,
      trace_id: (hop?.trace == null ? null : readTraceparent(hop.trace)?.trace_id) ?? null,
      by: hop?.by ?? null,
      received_at: time(hop?.received_at),
      logged_at: time(event?.['timestamp']),
      committed_at: time(hop?.committed_at),
      heard_at: time(hop?.heard_at),
      written_at: time(hop?.written_at),
    };
  });
};

const time = (text: unknown): number | null => {
  const ms = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
};

const rowOf = (way: Way): string[] => {
  let last: number | null = null;
  const cells = [way.received_at, way.logged_at, way.committed_at, way.heard_at, way.written_at].map((at) => {
    if (at === null) return '-';
    const cell = last === null ? new Date(at).toISOString().slice(11, 23) : `${at < last ? '' : '+'}${at - last} ms`;
    last = at;
    return cell;
  });
  return [String(way.seq), way.type ?? '-', ...cells, way.trace_id ?? '-'];
};

const inTimes = (way: Way): object => {
  const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
  const { received_at, logged_at, committed_at, heard_at, written_at, ...others } = way;
  return { ...others, received_at: iso(received_at), logged_at: iso(logged_at), committed_at: iso(committed_at), heard_at: iso(heard_at), written_at: iso(written_at) };
};

/** `event 3`, `events 1-4, 7`. */
const ranges = (seqs: readonly number[]): string => {
  const parts: { from: number; to: number }[] = [];
  for (const seq of seqs) {
    const last = parts.at(-1);
    if (last !== undefined && seq === last.to + 1) last.to = seq;
    else parts.push({ from: seq, to: seq });
  }
  return `${seqs.length === 1 ? 'event' : 'events'} ${parts.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ')}`;
};
