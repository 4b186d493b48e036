/** Relays as they are built, where Firestore or their subscription goes away under their viewers, and what two of them must agree on. */
import { PubSub } from '@google-cloud/pubsub';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { RIGHTS_UNCONFIRMED_MAX_MS } from '../../core/protocol/limits.ts';
import { builtDeployables, cloudStage, type CloudStage } from '../fixtures/cloud-stage.ts';
import { entry, finished, newCall, turn } from '../fixtures/facts.ts';
import { startFirestoreProxy, type Treatment } from '../fixtures/firestore-proxy.ts';
import { google, hosts } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { eventually, type Child } from '../fixtures/processes.ts';
import { openClient } from '../fixtures/relay.ts';
import { addUser, signIn } from '../fixtures/stored-data.ts';
import { startViewer, type Shown } from '../fixtures/viewer.ts';

const after = (end: () => Promise<unknown>): void => {
  onTestFinished(async () => {
    await end();
  });
};
const wsUrl = (relay: Child): string => `ws://127.0.0.1:${relay.ready}`;

describe.skipIf(google === null)('relays as they are built', () => {
  const ends: (() => Promise<unknown>)[] = [];
  let stage: CloudStage;
  beforeAll(async () => {
    const atEnd = (end: () => Promise<unknown>): void => void ends.unshift(end);
    stage = await cloudStage(await builtDeployables(atEnd), atEnd, 0.2);
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  let calls = 0;
  const create = async (): Promise<string> => {
    const made = await stage.stores.callLog.create([newCall({ call_sid: `EL_call_${++calls}`, workspace: 'main', agent_id: 'agent_local' })], null);
    return made.result === 'created' ? (made.calls[0]?.call_sid ?? '') : '';
  };
  /** Appends as a function does, and tells the relays where it is not to be lost. */
  const say = async (callSid: string, text: string, told: 'told' | 'untold'): Promise<void> => {
    const added = await stage.stores.callLog.append(callSid, [entry(turn('driver', text, { turn_id: text }), `conv_${callSid}`)]);
    const first = added?.events[0];
    if (told === 'untold' || added === null || first === undefined) return;
    const { tenant, call_sid, epoch } = added.call;
    await stage.stores.bus.publish({ kind: 'events', tenant, call_sid, epoch, first_seq: first.seq, texts: added.events.map((event) => event.text), at: Date.now() });
  };
  const finish = async (callSid: string): Promise<void> => {
    await stage.stores.callLog.append(callSid, [entry(finished({ transcript: null }), `conv_${callSid}`)]);
  };
  const has = (shown: Shown, text: string): boolean => shown.events.some((event) => event.type === 'transcription' && event.text === text);
  const whole = async (callSid: string, shown: Shown): Promise<void> => {
    await eventually('the call to be proved complete', () => shown.proofs.includes('complete'));
    const logged = await wholeCall(stage.stores.callLog, callSid);
    expect(faultsOf(logged)).toEqual([]);
    expect({ texts: shown.texts, troubles: shown.troubles, errors: shown.errors }).toEqual({ texts: logged.texts, troubles: [], errors: [] });
  };

  /** A relay from which Firestore goes away under its viewer, and comes back. */
  const withoutLog = async (treatment: Treatment): Promise<void> => {
    const proxy = await startFirestoreProxy(hosts().firestoreHost);
    after(() => proxy.close());
    const relay = await stage.relay({ FIRESTORE_EMULATOR_HOST: proxy.host });
    const callSid = await create();
    const viewer = startViewer(wsUrl(relay), await stage.token('s1'));
    const shown = viewer.watch(callSid);
    await eventually('the call to be confirmed', () => shown.confirmed);
    await say(callSid, 'before', 'told');
    await eventually('the word before', () => has(shown, 'before'));
    expect(viewer.states.at(-1)).toBe('live');

    proxy.treat = () => treatment;
    await say(callSid, 'heard', 'told');
    await eventually('what the bus brings while the log is away', () => has(shown, 'heard'));
    await say(callSid, 'unheard', 'untold');
    await eventually('the state to be in question', () => viewer.states.at(-1) === 'unverified', 45_000);
    expect([has(shown, 'unheard'), viewer.stopped]).toEqual([false, []]);

    proxy.treat = () => 'pass';
    await eventually('what nobody told of', () => has(shown, 'unheard'));
    await finish(callSid);
    await whole(callSid, shown);
    await eventually('the state to be confirmed again', () => viewer.states.at(-1) === 'live');
    expect(await relay.end('SIGTERM')).toEqual({ code: 0, signal: null });
  };

  /** A relay one of whose viewers is disabled, of which it hears nothing. */
  const withoutUser = async (): Promise<void> => {
    const relay = await stage.relay();
    const { directory } = stage.stores;
    await addUser(directory, 'vera', 't1', ['dispatcher']);
    const callSid = await create();
    const [gone, stays] = await Promise.all([stage.token('s9', 'vera'), stage.token('s1')]).then((tokens) => tokens.map((token) => startViewer(wsUrl(relay), token)));
    if (gone === undefined || stays === undefined) throw new Error('nobody came');
    const [theirs, others] = [gone.watch(callSid), stays.watch(callSid)];
    await eventually('both to be confirmed', () => theirs.confirmed && others.confirmed);
    const disabled = performance.now();
    await directory.changeUser('user-vera', (user) => ({ ...user, disabled: true }));
    await eventually('the disabled user to be sent away', () => gone.stopped.length > 0, RIGHTS_UNCONFIRMED_MAX_MS);
    expect(gone.stopped).toEqual([4504]);
    expect(performance.now() - disabled).toBeLessThan(RIGHTS_UNCONFIRMED_MAX_MS);
    await say(callSid, 'for those who may', 'told');
    await eventually('the others to go on', () => has(others, 'for those who may'));
    expect([has(theirs, 'for those who may'), stays.stopped]).toEqual([false, []]);
  };

  it('show on while Firestore is away, say that it is not confirmed, and miss nothing when it is back; a disabled user is silenced within a minute, and nobody else', { timeout: RIGHTS_UNCONFIRMED_MAX_MS + 60_000 }, async () => {
    // They wait for the same half minute.
    await Promise.all([withoutLog({ refused: status.UNAVAILABLE }), withoutLog('silent'), withoutUser()]);
  });

  it('whose subscription is deleted miss nothing, and hear again by another', async () => {
    const others = await stage.subscriptions();
    const relay = await stage.relay();
    const callSid = await create();
    const shown = startViewer(wsUrl(relay), await stage.token('s1')).watch(callSid);
    await eventually('the call to be confirmed', () => shown.confirmed);
    const pubsub = new PubSub({ projectId: stage.relayEnvironment['GOOGLE_CLOUD_PROJECT'] ?? '', apiEndpoint: hosts().pubsubHost, emulatorMode: true });
    after(() => pubsub.close());
    const before = await stage.subscriptions();
    const own = before.filter((name) => !others.includes(name));
    expect(own).toHaveLength(1);
    await Promise.all(own.map((name) => pubsub.subscription(name).delete()));
    await say(callSid, 'into nothing', 'told');
    await eventually('what the deleted subscription would have brought', () => has(shown, 'into nothing'));
    await eventually('another subscription', async () => (await stage.subscriptions()).some((name) => !before.includes(name)));
    await say(callSid, 'again', 'told');
    await eventually('what comes then', () => has(shown, 'again'));
    await finish(callSid);
    await whole(callSid, shown);
    expect(await relay.end('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('take one ticket once, also when it is shown to both at the same moment', async () => {
    const [api, ...relays] = await Promise.all([stage.start('api'), stage.relay(), stage.relay()]);
    const token = await signIn(api.url, 'anna');
    const answer = await fetch(`${api.url}/auth/ticket`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(30_000) });
    const { ticket } = (await answer.json()) as { ticket: string };
    const clients = Array.from({ length: 12 }, (_, index) => openClient(`${wsUrl(relays[index % 2] as Child)}/ws?ticket=${encodeURIComponent(ticket)}`, { protocols: [] }));
    after(async () => {
      for (const client of clients) client.ws.terminate();
    });
    const first = await Promise.all(clients.map((client) => client.next((frame) => frame['type'] === 'system_message' || frame['type'] === 'error')));
    expect(first.filter(({ type }) => type === 'system_message')).toMatchObject([{ data: { event: 'connection_established', tenant: 't1' } }]);
    expect(first.filter(({ type }) => type === 'error').map(({ code }) => code)).toEqual(Array.from({ length: 11 }, () => 'ticket_invalid'));
  });
});
