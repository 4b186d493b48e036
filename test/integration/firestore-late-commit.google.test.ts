/** A commit that is given up and applied all the same, just while the next attempt is deciding: it took effect, and must not again. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { firestoreCallLog } from '../../ports/call-log.firestore.ts';
import type { CallLog } from '../../ports/call-log.ts';
import type { Runtime } from '../../ports/runtime.ts';
import { systemRuntime } from '../../ports/runtime.system.ts';
import { openFirestore } from '../../ports/firestore-database.ts';
import { jsonLog } from '../../ports/log.json.ts';
import { agentEvent, entry, newCall, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type FirestoreProxy, type Treatment } from '../fixtures/firestore-proxy.ts';
import { openTestFirestore } from '../fixtures/google-stores.ts';
import { freshProject, google, hosts } from '../fixtures/google.ts';
import { wholeCall } from '../fixtures/log-checks.ts';
import { eventually } from '../fixtures/processes.ts';

/** A process for which time runs four times as fast: it gives an attempt up after a second. */
const hasty = (): Runtime => {
  const real = systemRuntime();
  return { ...real, monotonic: () => real.monotonic() * 4, after: (ms, run) => real.after(ms / 4, run) };
};

describe.skipIf(google === null)('a commit in Firestore that lands after it was given up', () => {
  let proxy: FirestoreProxy;
  let log: CallLog;
  let other: CallLog;
  beforeEach(async () => {
    const project = freshProject();
    proxy = await startFirestoreProxy(hosts().firestoreHost);
    log = firestoreCallLog(openFirestore({ projectId: project, database: 'earshot', emulatorHost: proxy.host, runtime: hasty(), log: jsonLog('silent', () => undefined) }), hasty());
    other = firestoreCallLog(openTestFirestore(project), systemRuntime());
    // Both are connected, and the log has its generation.
    await other.create([newCall({ call_sid: 'EL_before' })], null);
    await log.check();
  });
  afterEach(async () => {
    await Promise.all([log.close(), other.close()]);
    await proxy.close();
  });

  /**
   * Holds the next commit until it was given up and the next attempt has looked whether it was applied; then lets it land before that
   * attempt reads anything else. @param looks requests that this look takes; 0: it is one with what else is read
   */
  const landLate = (hasLanded: () => Promise<boolean>, looks = 1): void => {
    const commit = proxy.count('Commit') + 1;
    let looked: number | null = null;
    let release: (treatment: Treatment) => void = () => undefined;
    const held = new Promise<Treatment>((resolve) => (release = resolve));
    proxy.treat = (method, nth) => {
      if (method === 'Commit' && nth === commit) {
        looked = proxy.count('BatchGetDocuments') + 1;
        return held;
      }
      if (method !== 'BatchGetDocuments' || looked === null || nth !== looked + looks) return 'pass';
      release('pass');
      return eventually('the commit to land', hasLanded).then(() => 'pass');
    };
  };

  it('appends an event without any key once', async () => {
    await other.append('EL_before', [entry(turn('agent', 'one'), 'conv_1')]);
    const { last_seq: before = 0 } = (await other.get('EL_before')) ?? {};
    landLate(async () => ((await other.get('EL_before'))?.last_seq ?? 0) > before, 0);
    const added = await log.append('EL_before', [entry(agentEvent('agent_completed'))]);
    const { events } = await wholeCall(other, 'EL_before');
    expect(events.slice(before).map(({ type }) => type)).toEqual(['agent_completed']);
    expect(added?.events.map(({ seq }) => seq)).toEqual([before + 1]);
  });

  it('creates one call, and answers that one', async () => {
    landLate(async () => (await other.get('EL_late')) !== null);
    const created = await log.create([newCall({ call_sid: 'EL_late' })], null);
    expect(created).toMatchObject({ result: 'created', calls: [{ call_sid: 'EL_late' }] });
    expect((await other.list({ tenant: 't1', limit: 10 })).calls.map(({ call_sid }) => call_sid).sort()).toEqual(['EL_before', 'EL_late']);
  });

  it('adopts once, and answers what it adopted with', async () => {
    landLate(async () => (await other.find('conv_late')) !== null);
    const adopted = await log.adopt('conv_late', newCall({ call_sid: 'EL_late' }), [entry(agentEvent('agent_completed'), 'conv_late')]);
    const { texts, events } = await wholeCall(other, 'EL_late');
    expect(events.filter(({ type }) => type === 'agent_completed')).toHaveLength(1);
    expect(adopted.events.map(({ text }) => text)).toEqual(texts);
  });
});
