import { describe, expect, it, onTestFinished } from 'vitest';
import { MOVE_WITHIN_MS, SERVING_CHECK_MS, SERVING_SPREAD_MS } from '../../core/protocol/limits.ts';
import { builtDeployables, cloudStage } from '../fixtures/cloud-stage.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import { startFront } from '../fixtures/front.ts';
import { google } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { freePort } from '../../local/free-port.ts';
import { earshot, eventually, type Child } from '../fixtures/processes.ts';
import { signIn } from '../fixtures/stored-data.ts';
import { startViewer } from '../fixtures/viewer.ts';

const after = (end: () => Promise<unknown>): void => {
  onTestFinished(async () => {
    await end();
  });
};

const A = 'earshot-relay-00001-aaa';
const B = 'earshot-relay-00002-bbb';
/** Until the last socket has gone from a revision that serves no more. */
const MOVED_MAX_MS = SERVING_CHECK_MS + SERVING_SPREAD_MS + MOVE_WITHIN_MS;

interface Revision {
  readonly port: number;
  /** Sockets that it holds now. */
  connections(): Promise<number>;
  readonly relay: Child;
}

describe.skipIf(google === null)('the deployed shape while one revision of the relay takes over from another', () => {
  it('moves every socket to the one that is named, and back: nothing is missing, nothing comes twice', { timeout: 2 * MOVED_MAX_MS + 90_000 }, async () => {
    const stage = await cloudStage(await builtDeployables(after), after, 1);
    const api = await stage.start('api');
    const token = await signIn(api.url, 'anna');
    const revision = async (name: string): Promise<Revision> => {
      const metrics = await freePort();
      const relay = await stage.relay({ K_REVISION: name, METRICS_PORT: String(metrics) });
      return {
        relay,
        port: Number(relay.ready),
        connections: async () => Number(/^earshot_connections (\d+)$/m.exec(await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text())?.[1] ?? 0),
      };
    };
    const [a, b] = [await revision(A), await revision(B)];
    let traffic = a;
    const front = await startFront({ targets: () => [traffic.port] });
    const viewers = Array.from({ length: 3 }, () => startViewer(front.url, token));

    const { callLog, bus } = stage.stores;
    const callSid = 'EL_moving';
    await callLog.create([newCall({ call_sid: callSid, workspace: 'main' })], null);
    const { tenant = '', epoch = '' } = (await callLog.get(callSid)) ?? {};
    const append = async (fact: Parameters<typeof entry>[0]): Promise<void> => {
      const done = await callLog.append(callSid, [entry(fact, 'conv_moving')]);
      const events = done?.events ?? [];
      await bus.publish({ kind: 'events', tenant, call_sid: callSid, epoch, first_seq: events[0]?.seq ?? 1, texts: events.map(({ text }) => text), at: Date.now() });
    };
    let said = 0;
    const say = (): Promise<void> => append(turn('agent', `line ${++said}`, { turn_id: `t${said}` }));

    const shown = viewers.map((viewer) => viewer.watch(callSid));
    const everybodyHeard = (): Promise<unknown> => eventually(`everybody to hear line ${said}`, () => shown.every(({ events }) => events.some((event) => event.type === 'transcription' && event.text === `line ${said}`)));
    await say();
    await everybodyHeard();
    expect([await a.connections(), await b.connections()]).toEqual([3, 0]);

    /** Words go on being said while `work` is under way. */
    const whileTalking = async (work: Promise<unknown>): Promise<void> => {
      const over = work.then(() => true);
      const pause = (): Promise<boolean> => new Promise((resolve) => setTimeout(resolve, 200, false));
      while (!(await Promise.race([over, pause()]))) await say();
    };

    for (const [name, from, to, connected] of [[B, a, b, 3], [A, b, a, 6]] as const) {
      // As a deployment does it: new connections go there first, then those that are open.
      traffic = to;
      const { code, out, err } = await earshot(['relay', 'serve', name], stage.relayEnvironment);
      expect({ code, out, err }).toEqual({ code: 0, out: `${name} serves. Sockets of other revisions are asked to move within 25 s, and are gone from there within 85 s.\n`, err: '' });
      await whileTalking(eventually(`the sockets to come to ${name}`, () => front.connections.get(to.port) === connected, MOVED_MAX_MS));
      await whileTalking(eventually('them to leave the other', async () => (await from.connections()) === 0));
      expect(await to.connections()).toBe(3);
      await say();
      await everybodyHeard();
      expect(await (await fetch(`http://127.0.0.1:${from.port}/health`)).json()).toMatchObject({ status: 'ok', serving: false });
      expect(await (await fetch(`http://127.0.0.1:${to.port}/health`)).json()).toMatchObject({ status: 'ok', revision: name, serving: true });
    }

    await append(finished({ transcript: null }));
    await eventually('the call to be proved complete on every screen', () => shown.every(({ proofs }) => proofs.includes('complete')));
    const logged = await wholeCall(callLog, callSid);
    expect(faultsOf(logged)).toEqual([]);
    for (const { texts, troubles, errors, proofs } of shown) expect({ texts, troubles, errors, proofs }).toEqual({ texts: logged.texts, troubles: [], errors: [], proofs: ['complete'] });
    // The old socket is left when the new one has taken over: nobody ever saw that anything happened.
    expect(viewers.map(({ states }) => states.filter((state) => state === 'lost'))).toEqual([[], [], []]);
    for (const { relay } of [a, b]) expect(await relay.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
