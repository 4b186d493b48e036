/**
 * What a signed post-call webhook takes of the process that receives it, through the real functions-framework, beside a function that does
 * nothing: the receiving alone, and with the log and the raw deliveries in SQLite.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { SECRET, storeTenants } from '../fixtures/stored-data.ts';
import type { Bench, Measured } from './harness/figures.ts';
import { startProcess, type BenchProcess } from './harness/process.ts';
import { freePort } from '../../local/free-port.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const PATH = '/webhooks/elevenlabs/post-call';
const CONNECTIONS = 4;
const STARTED_MAX_MS = 20_000;
/** Of a real delivery, and of a long call. */
const SIZES = [
  { name: '0.5 KB', bytes: 512, count: 2_000, most: 1.3 },
  { name: '12.8 KB', bytes: 12_800, count: 1_500, most: null },
  { name: '72 KB', bytes: 72 * 1024, count: 800, most: 1.3 },
] as const;
type Size = (typeof SIZES)[number];
/** New calls in a round, of each size: each is a commit of its whole transcript. */
const NEW_CALLS_COUNT = 60;

interface Row {
  readonly role: string;
  readonly message: string | null;
}
interface Delivered {
  readonly type: string;
  readonly data: { readonly transcript: readonly Row[] };
}

/** A delivery of about so many bytes: a real one, its transcript longer or shorter. */
const delivery = ({ bytes }: Size, conversation: string): string => {
  const real = JSON.parse(readFileSync(join(ROOT, 'test/payloads/05-post_call_transcription.real-twilio-inbound-2025-11.json'), 'utf8')) as Delivered;
  if (bytes < 1_000) {
    return JSON.stringify({ type: real.type, event_timestamp: 1_760_000_000, data: { agent_id: 'agent1', conversation_id: conversation, status: 'done', transcript: [{ role: 'agent', message: 'Hello.', time_in_call_secs: 0 }, { role: 'user', message: 'Yes, all is well.', time_in_call_secs: 3 }], metadata: { start_time_unix_secs: 1_760_000_000, call_duration_secs: 12 }, analysis: { call_successful: 'success', transcript_summary: 'The driver was asked how he is, and said that all is well.' } } });
  }
  const { transcript } = real.data;
  const rows: Row[] = [];
  const text = (): string => JSON.stringify({ ...real, event_timestamp: 1_760_000_000, data: { ...real.data, agent_id: 'agent1', conversation_id: conversation, transcript: rows } });
  const whole = text().length;
  const rowBytes = JSON.stringify(transcript).length / transcript.length;
  const wanted = Math.max(transcript.length, Math.round((bytes - whole) / rowBytes));
  for (let at = 0; at < wanted; at++) rows.push({ ...(transcript[at % transcript.length] ?? { role: 'user' }), message: `${transcript[at % transcript.length]?.message ?? ''} (${at})` });
  return text();
};

interface Receiver {
  readonly process: BenchProcess;
  readonly port: number;
}

/** The command of functions-framework on that source. */
const startFunction = async (source: string, env: Readonly<Record<string, string>> = {}): Promise<Receiver> => {
  const port = await freePort();
  const process = await startProcess('../../node_modules/@google-cloud/functions-framework/build/src/main.js', {
    env: { FUNCTION_TARGET: 'webhooks', FUNCTION_SOURCE: join(ROOT, source), PORT: String(port), ...env },
    flags: ['--import', join(ROOT, 'test/bench/servers/usage-beside.ts')],
    quiet: true,
  });
  for (const began = performance.now(); ; ) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(1_000) }).catch(() => null);
    await answer?.arrayBuffer();
    if (answer !== null) return { process, port };
    if (performance.now() - began > STARTED_MAX_MS) throw new Error(`${source} does not answer`);
    await wait(20);
  }
};

/** Posts every body, a few at a time on connections that stay. @returns microseconds of CPU for each */
const load = async ({ process, port }: Receiver, bodies: readonly string[], answered: (status: number, body: string) => boolean): Promise<number> => {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const t = Math.floor(Date.now() / 1000);
  const signed = new Map(bodies.map((body) => [body, signatureHeader(SECRET, t, body)]));
  let next = 0;
  const post = (body: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'elevenlabs-signature': signed.get(body) };
      const sent = request({ agent, port, host: '127.0.0.1', path: PATH, method: 'POST', headers, timeout: 10_000 }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          const said = Buffer.concat(parts).toString();
          if (answered(answer.statusCode ?? 0, said)) resolve();
          else reject(new Error(`answered ${answer.statusCode}: ${said}`));
        });
      });
      sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.end(body);
    });
  const connection = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await post(body);
  };
  const before = await process.usage();
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  const after = await process.usage();
  agent.destroy();
  return (after.cpuUs - before.cpuUs) / bodies.length;
};

const isEmpty = (status: number): boolean => status === 204;
const isResult = (word: string) => (status: number, body: string): boolean => status === 200 && body.includes(`"result":"${word}"`);

const KINDS = ['empty', 'receiving', 'repeat', 'new'] as const;
type Kind = (typeof KINDS)[number];

export const webhookBench: Bench = {
  name: 'webhook',
  what: 'signed post-call webhooks of 0.5 to 72 KB through functions-framework, beside a function that does nothing',
  run: async (rounds, say) => {
    const folder = await mkdtemp(join(tmpdir(), 'earshot-bench-'));
    const receivers: Receiver[] = [];
    const figures = new Map(SIZES.map(({ name }) => [name, new Map(KINDS.map((kind) => [kind, [] as number[]]))]));
    try {
      await storeTenants(folder);
      const empty = await startFunction('test/bench/servers/empty-function.mjs');
      const receiving = await startFunction('test/bench/servers/receiving-function.ts', { ELEVENLABS_WEBHOOK_SECRETS: SECRET });
      const whole = await startFunction('functions/index.ts', { DATA_DIR: folder, LOG_LEVEL: 'warn' });
      receivers.push(empty, receiving, whole);
      let made = 0;
      for (let round = 0; round <= rounds; round++) {
        say(round === 0 ? 'warming up' : `round ${round} of ${rounds}`);
        for (const size of SIZES) {
          const same = new Array<string>(size.count).fill(delivery(size, `conv_bench_${size.bytes}`));
          const note = (kind: Kind, cpuUs: number): void => {
            if (round > 0) figures.get(size.name)?.get(kind)?.push(cpuUs);
          };
          note('empty', await load(empty, same, isEmpty));
          note('receiving', await load(receiving, same, isResult('duplicate')));
          if (round === 0) await load(whole, same.slice(0, 1), isResult('stored'));
          note('repeat', await load(whole, same, isResult('duplicate')));
          note('new', await load(whole, Array.from({ length: NEW_CALLS_COUNT }, () => delivery(size, `conv_new_${++made}`)), isResult('stored')));
        }
      }
    } finally {
      await Promise.all(receivers.map(({ process }) => process.end()));
      await rm(folder, { recursive: true, force: true });
    }
    const of = ({ name }: Size, kind: Kind): number[] => figures.get(name)?.get(kind) ?? [];
    const measured = (what: string, kind: Kind, isJudged: boolean): Measured[] =>
      SIZES.map((size) => ({
        what: `${size.name}, ${what}: CPU`,
        unit: 'us per request',
        ours: of(size, kind),
        baseline: { name: 'empty function', values: of(size, 'empty') },
        ...(isJudged && size.most !== null ? { target: { of: 'ratio', bound: 'most', value: size.most } } : {}),
      }));
    return {
      bench: 'webhook',
      measured: [...measured('receiving', 'receiving', true), ...measured('a repeat, in SQLite', 'repeat', false), ...measured('a new call, in SQLite', 'new', false)],
      notes: [
        `${SIZES.map(({ name, count }) => `${count} of ${name}`).join(', ')} a round and function, ${NEW_CALLS_COUNT} new calls of each size; ${CONNECTIONS} connections that stay; each request signed, each answer looked at.`,
        'Receiving: verified, parsed, read, routed, a line and its figures written; the log answers at once that it was told before, the raw store takes everything. The empty function has its body parsed by the framework and answers 204.',
        'In SQLite: functions/index.ts with its stores on disk (no lines of information); a repeat is found by its key and keeps its raw copy, a new call is one commit of the whole transcript.',
      ],
    };
  },
};
