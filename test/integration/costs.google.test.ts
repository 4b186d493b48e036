/** The counts that docs/costs.md is computed from, held against what the functions really ask of Google's stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signatureHeader } from '../../local/simulated-elevenlabs/signature.ts';
import { meteredFunctions, METERED_INGEST_KEY, METERED_SECRET, type Metered, type Usage } from '../fixtures/cloud-usage.ts';
import { TAKEN, TURN_LOGGED_BYTES, TURN_PUBLISHED_BYTES, type Taken } from '../fixtures/costs.ts';
import { google } from '../fixtures/google.ts';

describe.skipIf(google === null)('what a delivery takes of what Google bills', () => {
  const endings: (() => Promise<unknown>)[] = [];
  let metered: Metered;
  beforeAll(async () => {
    metered = await meteredFunctions((end) => endings.unshift(end));
  });
  afterAll(async () => {
    for (const end of endings) await end();
  });
  const post = async (path: string, body: object, headers: Record<string, string>): Promise<void> => {
    const answer = await fetch(`${metered.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body), signal: AbortSignal.timeout(30_000) });
    expect(answer.status).toBe(200);
    await answer.text();
  };
  const ingest = (body: object, path = '/webhooks/elevenlabs/transcription'): Promise<void> => post(path, { conversation_id: 'conv_metered', agent_id: 'agent1', ...body }, { authorization: `Bearer ${METERED_INGEST_KEY}` });
  const turn = (n: number): object => ({ speaker: n % 2 === 1 ? 'agent' : 'driver', text: said(n), turn_id: `turn${n}`, rev: 1, time_in_call_secs: n });
  const said = (n: number): string => `This is what was said as number ${n}, and a little more of it.`;
  const TURNS_COUNT = 20;
  /** Counts alone: bytes differ with ids and times. */
  const counted = ({ reads, writes, storageA, storageB }: Usage): Taken => ({ reads, writes, storageA, storageB });

  it('is what the costs are computed from: a live turn of a call that another instance wrote to', async () => {
    // The adoption of a conversation is not remembered: what follows is as at another instance.
    await ingest(turn(1));
    const usage = await metered.use(() => ingest(turn(2)));
    expect(counted(usage)).toEqual(TAKEN.turn);
    expect(usage.published).toBe(1);
    expect(usage.publishedBytes).toBeLessThanOrEqual(TURN_PUBLISHED_BYTES);
    expect(usage.publishedBytes).toBeGreaterThan(TURN_PUBLISHED_BYTES * 0.8);
    expect(usage.loggedBytes).toBeLessThanOrEqual(TURN_LOGGED_BYTES);
    expect(usage.loggedBytes).toBeGreaterThan(TURN_LOGGED_BYTES * 0.8);
  });

  it('is less where this instance wrote to the call last: its commit reads nothing', async () => {
    expect(counted(await metered.use(() => ingest(turn(3))))).toEqual(TAKEN.turnAgain);
  });

  it('is nothing that is kept for an interim turn', async () => {
    const usage = await metered.use(() => ingest({ ...turn(4), state: 'interim' }));
    expect(counted(usage)).toEqual(TAKEN.interim);
    expect(usage.published).toBe(1);
  });

  it('is less for an agent event, which has one key', async () => {
    await ingest({ ...turn(1), conversation_id: 'conv_tools' });
    const event = { conversation_id: 'conv_tools', type: 'tool_executing', tool_name: 'get_trip_log', tool_call_id: 'tool1' };
    expect(counted(await metered.use(() => ingest(event, '/webhooks/agent-events')))).toEqual(TAKEN.agentEvent);
  });

  it('is for the end of a call what its history takes to be read', async () => {
    for (let n = 4; n <= TURNS_COUNT; n++) await ingest(turn(n));
    const transcript = Array.from({ length: TURNS_COUNT }, (_, row) => ({ role: row % 2 === 0 ? 'agent' : 'user', message: said(row + 1), time_in_call_secs: row + 1 }));
    const body = { type: 'post_call_transcription', event_timestamp: 1760000000, data: { conversation_id: 'conv_metered', agent_id: 'agent1', status: 'done', transcript, metadata: { call_duration_secs: 60 }, analysis: { transcript_summary: 'Short.', call_successful: 'success' } } };
    const signature = signatureHeader(METERED_SECRET, Math.floor(Date.now() / 1000), JSON.stringify(body));
    expect(counted(await metered.use(() => post('/webhooks/elevenlabs/post-call', body, { 'elevenlabs-signature': signature })))).toEqual(TAKEN.postCall);
    expect(await metered.stores.callLog.find('conv_metered')).toMatchObject({ status: 'completed' });
  });

  it('is two documents for each question of a relay', async () => {
    const { callLog, directory } = metered.stores;
    const { mark } = await callLog.changes(['t1'], null);
    expect(counted(await metered.use(() => callLog.changes(['t_of_nobody'], mark)))).toEqual(TAKEN.comparison);
    expect(counted(await metered.use(() => Promise.all([directory.user('anna'), directory.signInEnded('sid')])))).toEqual(TAKEN.rightsCheck);
  });
});
