import { describe, expect, it, onTestFinished } from 'vitest';
import type { CallLog } from '../../ports/call-log.ts';
import { sqliteCallLog } from '../../ports/call-log.sqlite.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import { wholeCall } from '../fixtures/log-checks.ts';
import { eventually } from '../fixtures/processes.ts';
import { relayLog } from '../fixtures/relay-log.ts';
import { startRelay, tokenOf, type RelayRig } from '../fixtures/relay.ts';
import { startViewer } from '../fixtures/viewer.ts';

/** A relay on a real log, whose bus tells it nothing: what it learns it learns from the log. */
const relayOn = async (log: CallLog): Promise<RelayRig> => {
  const runtime = systemRuntime();
  const rig = await startRelay({ runtime, callLog: { ...relayLog(runtime), findMany: log.findMany, read: log.read, changes: log.changes, active: log.active, check: log.check } });
  onTestFinished(async () => {
    await rig.close();
    await log.close();
  });
  return rig;
};

describe('a relay whose log is of a new generation', () => {
  it('has viewers with an old position start over, those who watch and those who come back, and in the end proves all of it to them', async () => {
    const log = sqliteCallLog({ path: ':memory:', runtime: systemRuntime() });
    const rig = await relayOn(log);
    await log.create([newCall({ call_sid: 'EL_1' })], null);
    for (const words of ['one', 'two']) await log.append('EL_1', [entry(turn('agent', words), 'conv_1')]);
    const old = (await log.get('EL_1'))?.epoch ?? '';
    const viewer = startViewer(rig.httpUrl, tokenOf('ann'));
    const shown = viewer.watch('EL_1');
    await eventually('the call to be shown', () => shown.events.length >= 3);
    const before = [...shown.texts];

    await log.newGeneration();
    const epoch = (await log.get('EL_1'))?.epoch ?? '';
    // No message tells of it: the comparison with the log does.
    await eventually('the viewer to be told', () => shown.troubles.length > 0);
    expect(shown.troubles).toEqual(['starts over: epoch_changed']);
    const back = await rig.client();
    back.send({ subscribe: [{ id: 'EL_1', since: { epoch: old, seq: 3 } }] });
    expect(await back.next('subscription_confirmed')).toMatchObject({ epoch, recovered: false, reason: 'epoch_changed' });

    await log.append('EL_1', [entry(turn('driver', 'three'), 'conv_1')]);
    await log.append('EL_1', [entry(finished({ transcript: null }), 'conv_1')]);
    await eventually('the call to be proved complete', () => shown.proofs.length > 0);
    const { texts } = await wholeCall(log, 'EL_1');
    expect({ proofs: shown.proofs, texts: shown.texts, troubles: shown.troubles, errors: shown.errors }).toEqual({ proofs: ['complete'], texts: [...before, ...texts], troubles: ['starts over: epoch_changed'], errors: [] });
    await back.next('call_sealed');
    expect(back.texts.filter((text) => text.includes('"seq":'))).toEqual(texts);
  });
});
