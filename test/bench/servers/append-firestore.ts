/** Appends one live turn after another to a log in Firestore, in the way that it is told; the parent reads its CPU. */
import { Firestore } from '@google-cloud/firestore';
import { decideEach } from '../../../core/domain/call/decide-each.ts';
import type { FactEntry } from '../../../core/domain/call/facts.ts';
import { keysOf } from '../../../core/domain/call/keys.ts';
import { callDocument, logPlaces, segmentsOf, stateOf } from '../../../ports/call-log.firestore-documents.ts';
import { NOTHING_STORED } from '../../../ports/call-log.firestore-decider.ts';
import { firestoreCallLog } from '../../../ports/call-log.firestore.ts';
import type { CallLog } from '../../../ports/call-log.ts';
import { openFirestore } from '../../../ports/firestore-database.ts';
import { jsonLog } from '../../../ports/log.json.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { newCall, turn } from '../../fixtures/facts.ts';
import { answering } from '../harness/answering.ts';

/**
 * `first try`: our log as it is. `reading`: our log without its first try. `two processes`: two of our logs that take turns with the same calls.
 * `strange calls`: our log, and every turn is of a call that another process began. `transaction`: the client's own, on the same documents.
 */
export type Way = 'first try' | 'reading' | 'two processes' | 'strange calls' | 'transaction';

const { HOST = '', PROJECT = '', WAY } = process.env;
const way = WAY as Way;
const runtime = systemRuntime();
const log = jsonLog('silent', () => undefined);
const tried = { unread: 0, missed: 0, read: 0 };

const open = (firstTry: boolean): CallLog =>
  firestoreCallLog(openFirestore({ projectId: PROJECT, database: 'earshot', emulatorHost: HOST, runtime, log }), runtime, { ...(firstTry ? {} : { rememberedCalls: 0 }), onCommit: (way) => tried[way]++ });

const logs = way === 'transaction' ? [] : way === 'two processes' ? [open(true), open(true)] : [open(way !== 'reading')];
const maker = open(false);

/** A turn of the other speaker makes an agent event besides. */
const turnsIn = (events: readonly { readonly text: string }[]): number => events.filter(({ text }) => text.includes('"type":"transcription"')).length;

/** As a plain program does it: a transaction that reads the call and the turn's key, and writes the same documents. */
const transacted = (() => {
  const db = new Firestore({ projectId: PROJECT, host: HOST, ssl: false, databaseId: 'earshot' });
  const places = logPlaces({ db, docId: (id) => id });
  return async (callSid: string, entries: readonly FactEntry[]): Promise<number> =>
    db.runTransaction(async (transaction) => {
      const names = entries.flatMap((entry) => keysOf(callSid, entry, runtime.sha256));
      const [found, ...keys] = await transaction.getAll(places.call(callSid), ...names.map((name) => places.key(callSid, name)));
      const fields = found?.data();
      if (fields === undefined) throw new Error('there is no such call');
      const seen = new Map(keys.flatMap((key, index) => (key.exists ? [[names[index] ?? '', key.get('value') as string] as const] : [])));
      const decision = decideEach({ call: stateOf(fields), units: [entries], seen, owners: new Map(), history: null, details: NOTHING_STORED.details, now: runtime.now(), sha256: runtime.sha256 });
      transaction.update(places.call(callSid), callDocument(decision.call));
      for (const segment of segmentsOf(decision.events)) transaction.create(places.segment(callSid, segment.first_seq), { ...segment, commit: runtime.randomHex(8), at: new Date() });
      for (const [key, value] of decision.keys) transaction.set(places.key(callSid, key), { value });
      return turnsIn(decision.events);
    });
})();

const CALLS = 10;
let began = 0;
const calls: string[] = [];
let said = 0;

const entryOf = (): FactEntry => ({ fact: turn(said % 2 === 0 ? 'agent' : 'driver', `This is what was said as number ${said}, and a little more of it.`, { turn_id: `turn${said}`, time_in_call_secs: said }), source: 'ingest', conversation_id: null, provider_call_id: null });

const begin = async (by: CallLog): Promise<string> => {
  const made = await by.create([newCall({ call_sid: `EL_${way.replace(' ', '_')}_${began++}` })], null);
  const sid = made.result === 'created' ? made.calls[0]?.call_sid : undefined;
  if (sid === undefined) throw new Error('no call was made');
  // Its first words begin the call: what is measured are the others.
  await by.append(sid, [{ ...entryOf(), fact: turn('agent', 'Hello.', { turn_id: 'first' }) }, { ...entryOf(), fact: turn('driver', 'Hello.', { turn_id: 'second' }) }]);
  return sid;
};

let of: readonly string[] = calls;

/** Before it is measured: the calls are begun, and for strangers as many as there are turns, of which this process's log knows nothing. */
const ready = async ({ count }: { count: number }): Promise<void> => {
  while (calls.length < CALLS) calls.push(await begin(maker));
  if (way !== 'strange calls') return;
  const made: string[] = [];
  while (made.length < count) made.push(...(await Promise.all(Array.from({ length: Math.min(20, count - made.length) }, () => begin(maker)))));
  of = made;
};

/** Appends so many turns, one after another. @returns milliseconds of each, and how many turns were logged */
const append = async ({ count }: { count: number }): Promise<{ ms: number[]; events: number; tried: typeof tried }> => {
  Object.assign(tried, { unread: 0, missed: 0, read: 0 });
  const ms: number[] = [];
  let events = 0;
  for (let at = 0; at < count; at++, said++) {
    const callSid = of[at % of.length] ?? '';
    const started = performance.now();
    const writer = logs[Math.floor(at / CALLS) % logs.length];
    events += writer === undefined ? await transacted(callSid, [entryOf()]) : turnsIn((await writer.append(callSid, [entryOf()]))?.events ?? []);
    ms.push(performance.now() - started);
  }
  return { ms, events, tried: { ...tried } };
};

answering({ append, ready });
