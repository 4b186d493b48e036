import { describe, expect, it } from 'vitest';
import { newCallState, type CallState } from '../../core/domain/call/state.ts';
import { COMPARE_MS } from '../../core/protocol/limits.ts';
import { prometheusMetrics } from '../../ports/metrics.prometheus.ts';
import { seededRuntime } from '../../ports/runtime.seeded.ts';
import { createComparison } from '../../ws-relay/comparison.ts';
import type { RelayParts } from '../../ws-relay/parts.ts';

const call = (call_sid: string, tenant: string): CallState =>
  newCallState({ call_sid, workspace: 'w', tenant, driver: null, to_number: null, agent_id: null, direction: null, triggers_count: 0, requested_by: null }, `1.${call_sid}`, 0, '');
const log: RelayParts['log'] = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, with: () => log };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A comparison over a log of one call a page: `mark` n is answered with call n + 1. */
const rigOf = (calls: readonly CallState[], during: (asked: number) => void = () => undefined) => {
  const runtime = seededRuntime(5);
  const tenants = ['t1'];
  const seen: string[] = [];
  let asked = 0;
  let broken = false;
  const callLog = {
    changes: async (of: readonly string[] | null, mark: string | null) => {
      during(asked++);
      await Promise.resolve();
      if (broken) throw new Error('down');
      if (mark === null) return { calls: [], erased: [], mark: '0', more: false };
      const place = Number(mark);
      const found = calls.slice(place, place + 1).filter(({ tenant }) => of?.includes(tenant) === true);
      return { calls: found, erased: [], mark: String(Math.min(place + 1, calls.length)), more: place + 1 < calls.length };
    },
  } as unknown as RelayParts['callLog'];
  const metrics = prometheusMetrics();
  const comparison = createComparison({ callLog, runtime, log, metrics }, () => tenants, { changed: ({ call_sid }) => void seen.push(call_sid), erased: (_tenant, callSid) => void seen.push(`no more ${callSid}`) });
  return {
    runtime,
    tenants,
    seen,
    comparison,
    /** What the gauge says, seconds; undefined: nothing yet. */
    age: async () => {
      comparison.measure();
      return /^earshot_verified_age_seconds ([\d.]+)$/m.exec(await metrics.text())?.[1];
    },
    breakLog: () => (broken = true),
    /** The next comparison. */
    compare: async () => {
      runtime.advance(COMPARE_MS);
      await turn();
    },
  };
};

describe('the comparison with the log', () => {
  it('reads every page', async () => {
    const rig = rigOf([call('a', 't1'), call('b', 't1'), call('c', 't1')]);
    await rig.comparison.start();
    await rig.compare();
    expect(rig.seen).toEqual(['a', 'b', 'c']);
  });

  it('reads every page also where a tenant comes meanwhile, and all of what changed for that tenant', async () => {
    const rig = rigOf([call('a', 't2'), call('b', 't1'), call('c', 't2')], (asked) => {
      if (asked === 1) rig.tenants.push('t2');
    });
    await rig.comparison.start();
    await rig.compare();
    expect(rig.seen).toEqual(['a', 'b', 'c']);
  });

  it.each([-600_000, 600_000])('tells how old it is by a clock that does not jump, though the wall clock jumps by %i ms', async (jump) => {
    const rig = rigOf([]);
    await rig.comparison.start();
    rig.breakLog();
    rig.runtime.jump(jump);
    await rig.compare();
    rig.runtime.advance(25_000);
    expect(rig.runtime.now() - (rig.comparison.verifiedAt() ?? 0)).toBe(COMPARE_MS + 25_000);
  });

  it('measures how long ago the last one was that worked, whatever the wall clock does', async () => {
    const rig = rigOf([]);
    rig.runtime.advance(2_000);
    expect(await rig.age()).toBe('2');
    await rig.comparison.start();
    rig.runtime.advance(COMPARE_MS - 1);
    rig.runtime.jump(3_600_000);
    expect(await rig.age()).toBe(String((COMPARE_MS - 1) / 1000));
    rig.runtime.advance(1);
    await turn();
    expect(await rig.age()).toBe('0');
    rig.breakLog();
    for (let times = 1; times <= 3; times++) await rig.compare();
    expect(await rig.age()).toBe(String((3 * COMPARE_MS) / 1000));
  });
});
