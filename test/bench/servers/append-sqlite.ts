/** Appends live turns to a log in SQLite, grouped or each in a transaction of its own; the parent reads its CPU. */
import { sqliteCallLog } from '../../../ports/call-log.sqlite.ts';
import { systemRuntime } from '../../../ports/runtime.system.ts';
import { entry, newCall, turn } from '../../fixtures/facts.ts';
import { answering } from '../harness/answering.ts';

const { FILE = '', GROUPING } = process.env;
const log = sqliteCallLog({ path: FILE, runtime: systemRuntime(), grouped: GROUPING !== 'alone' });

/** Calls that talk at one time. */
const CALLS = 20;
const calls: string[] = [];
let said = 0;

for (let at = 0; at < CALLS; at++) {
  const made = await log.create([newCall({ call_sid: `EL_${at}` })], null);
  const sid = made.result === 'created' ? made.calls[0]?.call_sid : undefined;
  if (sid === undefined) throw new Error('no call was made');
  await log.append(sid, [entry(turn('agent', 'Hello.', { turn_id: 'first' })), entry(turn('driver', 'Hello.', { turn_id: 'second' }))]);
  calls.push(sid);
}

/** Appends so many turns by so many callers, each of which waits for its answer before it goes on. @returns milliseconds of each, and how many events they made */
const append = async ({ count, callers }: { count: number; callers: number }): Promise<{ ms: number[]; events: number }> => {
  const ms: number[] = [];
  let events = 0;
  let left = count;
  const caller = async (at: number): Promise<void> => {
    for (; left > 0; ) {
      left--;
      said++;
      // As a request comes: in a turn of the event loop of its own.
      if (callers === 1) await new Promise((resolve) => setImmediate(resolve));
      const fact = turn(said % 2 === 0 ? 'agent' : 'driver', `This is what was said as number ${said}, and a little more of it.`, { turn_id: `turn${said}`, time_in_call_secs: said });
      const started = performance.now();
      const added = await log.append(calls[(at + (callers === 1 ? said : 0)) % CALLS] ?? '', [entry(fact)]);
      ms.push(performance.now() - started);
      // A turn of the other speaker makes an agent event besides, so turns alone are counted.
      events += added?.events.filter(({ text }) => text.includes('"type":"transcription"')).length ?? 0;
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, at) => caller(at)));
  return { ms, events };
};

answering({ append, ready: () => true });
