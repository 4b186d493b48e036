import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { FIRST_DRIVER } from '../../client/first-call.ts';
import { builtDeployables, cloudStage, type CloudStage } from '../fixtures/cloud-stage.ts';
import { startFront } from '../fixtures/front.ts';
import { google } from '../fixtures/google.ts';
import { faultsOf, wholeCall } from '../fixtures/log-checks.ts';
import { earshot, eventually, type Child } from '../fixtures/processes.ts';
import { openClient } from '../fixtures/relay.ts';
import { PASSWORD, signIn } from '../fixtures/stored-data.ts';
import { startViewer } from '../fixtures/viewer.ts';

const after = (end: () => Promise<unknown>): void => {
  onTestFinished(async () => {
    await end();
  });
};

/** Fifteen to forty seconds of talk in a fifth of it. */
const PACE = 0.2;

describe.skipIf(google === null)('the deployed shape: bundles in functions-framework and relays of their own, on the emulators', () => {
  const ends: (() => Promise<unknown>)[] = [];
  let built = '';
  beforeAll(async () => {
    built = await builtDeployables((end) => void ends.push(end));
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });

  /** Dials as a dispatcher does. @returns the call_sid */
  const dial = async (url: string, token: string): Promise<string> => {
    const answer = await fetch(`${url}/driver_data/call-elevenlabs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ driver_ids: [FIRST_DRIVER], violation_types: ['speeding'] }),
      signal: AbortSignal.timeout(30_000),
    });
    expect(answer.status).toBe(200);
    return ((await answer.json()) as { call_sid: string }).call_sid;
  };

  it('shows a call to viewers on both relays, whole and in order, while one relay is killed and one is drained', async () => {
    const stage: CloudStage = await cloudStage(built, after, PACE);
    const [webhooks, api] = await Promise.all([stage.start('webhooks'), stage.start('api')]);
    stage.provider.setWebhookBaseUrl(webhooks.url);
    const token = await signIn(api.url, 'anna');
    const relays = [await stage.relay(), await stage.relay()] as [Child, Child];
    expect(await stage.subscriptions()).toHaveLength(2);

    // A real upgrade on each, from its own server.
    for (const { ready } of relays) {
      const client = openClient(`ws://127.0.0.1:${ready}/ws/calls/transcriptions`, { protocols: ['earshot.v1', `bearer.${token}`] });
      expect(await client.next('system_message')).toMatchObject({ data: { event: 'connection_established', tenant: 't1' } });
      client.close();
    }
    const front = await startFront({ targets: () => relays.map(({ ready }) => Number(ready)) });
    const viewers = Array.from({ length: 4 }, () => startViewer(front.url, token));
    const stranger = startViewer(front.url, await signIn(api.url, 'theo'));

    const callSid = await dial(api.url, token);
    const shown = viewers.map((viewer) => viewer.watch(callSid));
    const nothing = stranger.watch(callSid);
    const everybodyHas = (turns: number): Promise<unknown> =>
      eventually(`everybody to have ${turns} turns`, () => shown.every(({ events }) => events.filter(({ type }) => type === 'transcription').length >= turns));
    await everybodyHas(1);
    expect(relays.map(({ ready }) => (front.connections.get(Number(ready)) ?? 0) > 0)).toEqual([true, true]);

    const [killed, drained] = relays;
    await killed.end('SIGKILL');
    await everybodyHas(2);
    const fresh = await stage.relay();
    relays.splice(0, 2, fresh, fresh);
    const asked = performance.now();
    expect(await drained.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - asked).toBeLessThan(8_500);
    // What was drained has removed its own; what was killed could not.
    const left = await stage.subscriptions();
    expect(left).toHaveLength(2);

    await eventually('the call to be proved complete on every screen', () => shown.every(({ proofs }) => proofs.includes('complete')), 40_000);
    const logged = await wholeCall(stage.stores.callLog, callSid);
    expect(faultsOf(logged)).toEqual([]);
    for (const { texts, troubles, errors, proofs } of shown) expect({ texts, troubles, errors, proofs }).toEqual({ texts: logged.texts, troubles: [], errors: [], proofs: ['complete'] });
    expect({ events: nothing.events, errors: new Set(nothing.errors) }).toEqual({ events: [], errors: new Set(['call_not_found']) });
    expect(logged.events.at(-1)?.type).toBe('call_sealed');

    // Lines in Cloud Logging's form: the request's trace, whose line it is, and figures that log-based metrics are made of.
    const lines = webhooks.child.output().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(expect.objectContaining({
      severity: 'INFO',
      message: 'POST /webhooks/elevenlabs/post-call',
      'logging.googleapis.com/trace': expect.stringMatching(/^projects\/earshot-test-\w+\/traces\/[0-9a-f]{32}$/) as unknown,
      'logging.googleapis.com/labels': expect.objectContaining({}) as unknown,
    }));
    expect(lines).toContainEqual(expect.objectContaining({ message: 'metric', metric: 'earshot_webhook_requests_total', route: expect.any(String) as unknown, code: '200', value: 1 }));

    // Every function ends by itself when it is asked to.
    for (const { child } of [webhooks, api]) {
      expect(await child.end('SIGTERM')).toEqual({ code: 0, signal: null });
      for (const secret of [PASSWORD, token, '+15550100123', 'key_of_the_stage', 'wsec_of_the_stage']) expect(child.output()).not.toContain(secret);
    }
    expect(await fresh.end('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(await stage.subscriptions()).toHaveLength(1);
  });

  it('passes the journey that any deployment is tried with', async () => {
    const stage = await cloudStage(built, after, PACE);
    const [webhooks, api] = await Promise.all([stage.start('webhooks'), stage.start('api')]);
    stage.provider.setWebhookBaseUrl(webhooks.url);
    const relay = await stage.relay();
    const settings = { API_BASE_URL: api.url, WS_BASE_URL: `ws://127.0.0.1:${relay.ready}`, TEST_USERNAME: 'anna', TEST_PASSWORD: PASSWORD };
    const { code, out, err } = await earshot(['e2e', '--timeout', '45'], settings);
    expect({ code, err, out: code === 0 ? '' : out }).toEqual({ code: 0, err: '', out: '' });
    expect(out).toContain('the digest proves that nothing is missing');
  });

  it('runs its jobs for the scheduler alone', async () => {
    const stage = await cloudStage(built, after, PACE);
    const jobs = await stage.start('jobs');
    const run = async (authorization: string | null): Promise<unknown> => {
      const answer = await fetch(`${jobs.url}/janitor`, { method: 'POST', headers: authorization === null ? {} : { authorization }, signal: AbortSignal.timeout(30_000) });
      return [answer.status, ((await answer.json()) as { code: string }).code];
    };
    expect(await run(null)).toEqual([401, 'token_missing']);
    expect(await run('Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovL2FjY291bnRzLmdvb2dsZS5jb20ifQ.')).toEqual([401, 'token_invalid']);
  });

  it('compiles the functions when they are built, for every later start', async () => {
    const folder = join(built, 'functions/dist');
    await promisify(execFile)(process.execPath, ['compile.js'], { cwd: folder, timeout: 60_000 });
    expect((await readdir(join(folder, 'compile-cache'), { recursive: true })).length).toBeGreaterThan(5);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    expect(Object.entries(manifest.dependencies)).toEqual([['@google-cloud/functions-framework', expect.stringMatching(/^\d+\.\d+\.\d+$/) as unknown]]);
  });

  it('does not start a function that lacks a setting, and names it', async () => {
    const stage = await cloudStage(built, after, PACE);
    await expect(stage.relay({ AUTH_PUBLIC_KEYS: '' })).rejects.toThrow(/AUTH_PUBLIC_KEYS is missing/);
  });
});
