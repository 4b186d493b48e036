/** The same random story on SQLite and on Firestore, there by two processes in turn: both answer alike at every step, and hold the same in the end. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fact, FactEntry } from '../../core/domain/call/facts.ts';
import { EarshotError } from '../../core/protocol/codes.ts';
import type { CommitWay } from '../../ports/call-log.firestore-writer.ts';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import type { CallLog } from '../../ports/call-log.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { agentEvent, entry, finalTurn, finished, newCall, turn } from '../fixtures/facts.ts';
import { freshProject, google } from '../fixtures/google.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { faultsOf, wholeCalls } from '../fixtures/log-checks.ts';

const CALLS = ['EL_call_1', 'EL_call_2', 'EL_call_3'];
const CONVERSATIONS = ['c1', 'c2', 'né'];
const CARRIERS = ['CA1', 'CA2'];

const fact: fc.Arbitrary<Fact> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ id: fc.constantFrom('t1', 't2', null), rev: fc.constantFrom(1, 2, null), text: fc.constantFrom('yes', 'no', 'half\udc00'), state: fc.constantFrom('final' as const, 'corrected' as const, 'retracted' as const) }).map(({ id, rev, text, state }) => turn('driver', text, { turn_id: id, rev, state })) },
  fc.constantFrom('agent_started' as const, 'tool_executing' as const).map((type) => agentEvent(type, { tool_call_id: 'tool1', event_id: 'e1' })),
  { weight: 3, arbitrary: fc.constantFrom<Fact>({ kind: 'dialing', attempt: 1 }, { kind: 'dial_accepted', attempt: 1 }, { kind: 'dial_failed', attempt: 1, reason: 'busy' }, { kind: 'dial_unknown', attempt: 1, reason: 'late' }, { kind: 'needs_person' }) },
  fc.constantFrom<Fact>({ kind: 'announced' }, { kind: 'audio_noted' }, { kind: 'progress', status: 'in_progress', reason: null }),
  { weight: 2, arbitrary: fc.record({ cost: fc.constantFrom(1, 2, null), said: fc.constantFrom('yes', 'maybe', null), details: fc.constantFrom('{"a":1}', '{"a":2}', null), at: fc.constantFrom(10_000, 20_000) }).map(({ cost, said, details, at }) => finished({ cost, metadata_json: details, transcript: said === null ? null : [finalTurn('driver', said)] }, at)) },
);
const entries: fc.Arbitrary<readonly FactEntry[]> = fc.array(
  fc.record({ fact, conversation: fc.option(fc.constantFrom(...CONVERSATIONS), { freq: 2 }), carrier: fc.option(fc.constantFrom(...CARRIERS), { freq: 1 }) }).map((one) => entry(one.fact, one.conversation, { provider_call_id: one.carrier })),
  { minLength: 1, maxLength: 3 },
);

/** One step, done on a log. */
type Step = readonly [name: string, run: (log: CallLog) => Promise<unknown>];
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom(...CALLS), fc.option(fc.constantFrom('k1', 'k2'), { freq: 1 }), fc.constantFrom('h1', 'h2')).map(([call_sid, key, request_hash]): Step => [`create ${call_sid} ${key ?? ''}`, (log) => log.create([newCall({ call_sid })], key === null ? null : { key, request_hash })]) },
  { weight: 9, arbitrary: fc.tuple(fc.constantFrom(...CALLS), entries).map(([call_sid, facts]): Step => [`append ${call_sid}`, (log) => log.append(call_sid, facts)]) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...CONVERSATIONS), fc.constantFrom('t1', 't2'), entries).map(([id, tenant, facts]): Step => [`adopt ${id}`, (log) => log.adopt(id, newCall({ call_sid: `EL_${id}`, tenant, driver: null, requested_by: null }), facts)]) },
  { weight: 1, arbitrary: fc.constantFrom(...CALLS, 'EL_c1').map((id): Step => [`erase ${id}`, (log) => log.erase(id)]) },
);

/** What is said of two calls while they are on: what one process may commit with nothing read, and what looks alike and may not be. */
const live: fc.Arbitrary<Fact> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ id: fc.constantFrom('t1', 't2', 't3', 't4', null), rev: fc.constantFrom(1, 2, 3, null, null), text: fc.constantFrom('yes', 'no', 'half\udc00'), state: fc.constantFrom('final' as const, 'final' as const, 'corrected' as const, 'retracted' as const) }).map(({ id, rev, text, state }) => turn('driver', text, { turn_id: id, rev, state })) },
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom('agent_started' as const, 'agent_completed' as const, 'tool_executing' as const, 'tool_completed' as const), tool_call_id: fc.constantFrom('tool1', 'tool2', null), event_id: fc.constantFrom('e1', 'e2', 'e3', null) }).map(({ type, ...more }) => agentEvent(type, more)) },
  { weight: 2, arbitrary: fc.constantFrom<Fact>({ kind: 'dialing', attempt: 1 }, { kind: 'dialing', attempt: 2 }, { kind: 'dial_accepted', attempt: 1 }, { kind: 'dial_unknown', attempt: 2, reason: 'late' }, { kind: 'needs_person' }) },
  { weight: 2, arbitrary: fc.constantFrom<Fact>({ kind: 'announced' }, { kind: 'audio_noted' }, { kind: 'progress', status: 'in_progress', reason: null }) },
);
const spoken: fc.Arbitrary<Step> = fc
  .tuple(fc.constantFrom(0, 1), fc.array(fc.tuple(live, fc.boolean()), { minLength: 1, maxLength: 3 }))
  .map(([which, facts]): Step => [`speak in ${which}`, (log) => log.append(CALLS[which] ?? '', facts.map(([one, named]) => entry(one, named ? (CONVERSATIONS[which] ?? null) : null)))]);
const begun = CALLS.map((call_sid): Step => [`create ${call_sid}`, (log) => log.create([newCall({ call_sid })], null)]);

/** Nothing that is of the log itself: its generation, and what is made of that. */
const alike = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value ?? null, (name, part: unknown) => {
      if (name === 'epoch' || name === 'digest') return undefined;
      return name === 'text' && typeof part === 'string' && part.startsWith('{"type"') ? (JSON.parse(part) as unknown) : part;
    }),
  );
const outcomeOf = async (run: () => Promise<unknown>): Promise<unknown> => {
  try {
    return alike(await run());
  } catch (error) {
    if (error instanceof EarshotError) return { refused: error.code };
    throw error;
  }
};

/** All that a log can be asked for. */
const everything = async (log: CallLog, mark: string): Promise<unknown> => {
  const ids = [...CALLS, ...CONVERSATIONS, 'EL_c1', 'EL_c2', 'EL_né', 'EL_call_1.2'];
  const listed = ['t1', 't2'].flatMap((tenant) => [undefined, 'call_1', 'dana', 'c'].map((q) => ({ tenant, q, limit: 3 })));
  const changes = await log.changes(null, mark);
  return alike({
    found: await log.findMany(ids),
    each: await Promise.all(ids.map(async (id) => [await log.get(id), await log.read(id, 0, 1_000), await log.details(id), await log.wholeText(id, 2), await log.knowsTurn(id, 't1'), (await log.mergedInto(id)).map((call) => call.call_sid)])),
    carried: await Promise.all(CARRIERS.map((id) => log.findByProviderCall('w1', id))),
    unbound: await log.unboundDials('w1', null, 0),
    lists: await Promise.all(listed.map((query) => log.list(query))),
    counts: await log.counts('t1', 0),
    active: (await Promise.all([log.active('t1', 0), log.active(null, Number.MAX_SAFE_INTEGER)])).map((calls) => calls.map((call) => call.call_sid).sort()),
    changed: changes.calls.map((call) => call.call_sid).sort(),
    erased: changes.erased.map((one) => one.call_sid).sort(),
  });
};

/** The clock stands still within a step. */
const clock = (): { readonly runtime: Runtime; move(): void } => {
  let now = 1_700_000_000_000;
  return { runtime: { ...systemRuntime(), now: () => now }, move: () => void (now += 1_000) };
};

describe.skipIf(google === null)('SQLite and Firestore', () => {
  /** @param at which of the two processes takes which step @param ways how they committed */
  const alikeAtEachStep = async (steps: readonly Step[], at: (index: number) => 0 | 1, ways: CommitWay[] = []): Promise<void> => {
    const { runtime, move } = clock();
    const embedded = sqliteCallLog({ path: ':memory:', runtime });
    const project = freshProject();
    const [first, second] = [openTestFirestore(project), openTestFirestore(project)].map((store) => firestoreCallLog(store, runtime, { onCommit: (way) => ways.push(way) }));
    if (first === undefined || second === undefined) throw new Error('two were opened');
    const inTurn = (index: number): CallLog => (at(index) === 0 ? first : second);
    try {
      const [one, other] = [await embedded.changes(null, null), await first.changes(null, null)];
      for (const [index, [name, run]] of steps.entries()) {
        move();
        expect([name, await outcomeOf(() => run(inTurn(index)))]).toEqual([name, await outcomeOf(() => run(embedded))]);
      }
      expect(await everything(second, other.mark)).toEqual(await everything(embedded, one.mark));
      for (const tenant of ['t1', 't2']) for (const call of await wholeCalls(first, tenant)) expect(faultsOf(call)).toEqual([]);
    } finally {
      await Promise.all([embedded, first, second].map((log) => log.close()));
    }
  };

  it('answer alike, step by step, and hold the same in the end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 24 }), (steps) => alikeAtEachStep(steps, (index) => (index % 2 === 0 ? 0 : 1))),
      { seed: 20_261_122, numRuns: 8, endOnFailure: true },
    );
  });

  it('answer alike where one process writes what it need not read for, and another now and then comes between', async () => {
    const ways: CommitWay[] = [];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 60, arbitrary: spoken }, { weight: 1, arbitrary: step }), { minLength: 20, maxLength: 32 }), (steps) => alikeAtEachStep([...begun, ...steps], (index) => (index % 7 === 6 ? 1 : 0), ways)),
      { seed: 20_261_122, numRuns: 8, endOnFailure: true },
    );
    // Each way was gone often enough for this to say something.
    for (const way of ['unread', 'missed', 'read'] as const) expect(ways.filter((one) => one === way).length).toBeGreaterThan(15);
  });

  it('Firestore keeps every promise of a log where two processes tell the story at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 24 }), async (steps) => {
        const { runtime } = clock();
        const project = freshProject();
        const processes = [openTestFirestore(project), openTestFirestore(project)].map((store) => firestoreCallLog(store, runtime));
        const [one, other] = processes;
        if (one === undefined || other === undefined) throw new Error('two were opened');
        try {
          // Each tells one half, in its order.
          await Promise.all(processes.map(async (log, half) => {
            for (const [, run] of steps.filter((_, index) => index % 2 === half)) await outcomeOf(() => run(log));
          }));
          const calls = (await Promise.all(['t1', 't2'].map((tenant) => wholeCalls(one, tenant)))).flat();
          for (const call of calls) {
            expect(faultsOf(call)).toEqual([]);
            const state = await other.get(call.call_sid);
            // One conversation is one call, and whoever was merged points at its owner, or at nobody who could be found.
            const id = state?.conversation_id ?? null;
            if (id !== null) expect(await other.find(id)).toMatchObject({ call_sid: call.call_sid });
            if (state !== null && state.merged_into !== null) expect(await one.find(call.call_sid)).toEqual((await one.get(state.merged_into)) ?? 'erased');
          }
        } finally {
          await Promise.all(processes.map((log) => log.close()));
        }
      }),
      { seed: 20_261_122, numRuns: 8, endOnFailure: true },
    );
  });
});
