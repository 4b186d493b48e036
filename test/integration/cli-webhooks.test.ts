import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startRig, temporaryFolder, type Ran, type Rig } from '../fixtures/command.ts';

const postCall = (conversation: string, agent: string): string =>
  JSON.stringify({
    type: 'post_call_transcription',
    event_timestamp: 1_732_200_000,
    data: { agent_id: agent, conversation_id: conversation, status: 'done', transcript: [{ role: 'agent', message: 'Hello.', time_in_call_secs: 0 }], metadata: { call_duration_secs: 12 }, analysis: { call_successful: 'success', transcript_summary: 'Short.' } },
  });

describe('deliveries by hand', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig.close();
  });
  const send = (body: string, ...more: string[]): Promise<Ran> => {
    const path = join(rig.dataDir, 'delivery.json');
    writeFileSync(path, body);
    return rig.earshot(['webhook', 'send', path, ...more]);
  };

  it('signs a file as it is and posts it; its call is there then', async () => {
    const { code, out } = await send(postCall('conv_sent', 'agent_local'));
    expect(code).toBe(0);
    expect(out).toBe('200 {"status":"ok","result":"stored","call_sid":"EL_conv_sent","conversation_id":"conv_sent"}\n');
    expect(await rig.json(['show', 'conv_sent'])).toMatchObject({ status: 'completed', transcript_summary: 'Short.' });
    expect((await send(postCall('conv_sent', 'agent_local'))).out).toContain('"result":"duplicate"');
  });

  it('takes the route from what the file says', async () => {
    expect((await send(JSON.stringify({ conversation_id: 'conv_live', agent_id: 'agent_local', speaker: 'agent', text: 'Hi.' }))).out).toContain('"result":"stored"');
    expect((await send(JSON.stringify({ conversation_id: 'conv_live', type: 'tool_executing', tool_name: 'look', tool_call_id: 't1' }), '--json')).out).toContain('"route": "agent-events"');
    const events = (await rig.json(['show', 'conv_live', '--events']))['events'] as { type: string }[];
    expect(events.map((event) => event.type)).toEqual(expect.arrayContaining(['transcription', 'tool_executing']));
  });

  it('is refused with another secret, and unsigned', async () => {
    const secret = join(rig.dataDir, 'secret');
    writeFileSync(secret, 'wsec_another\n');
    expect(await send(postCall('conv_forged', 'agent_local'), '--secret-file', secret)).toMatchObject({ code: 4, out: '', err: expect.stringContaining('(signature_invalid)') as string });
    expect((await send(postCall('conv_forged', 'agent_local'), '--unsigned')).code).toBe(4);
    expect((await rig.earshot(['show', 'conv_forged'])).code).toBe(5);
  });

  it('signs nothing for another machine with the secret that everybody knows', async () => {
    expect(await send(postCall('conv_far', 'agent_local'), '--to', 'https://earshot.example.com')).toMatchObject({ code: 2, err: expect.stringContaining('ELEVENLABS_WEBHOOK_SECRETS is not set') as string });
  });

  it('shows what waits in quarantine and drives it again when its agent has a tenant', async () => {
    expect((await send(postCall('conv_stray', 'agent_stray'))).out).toContain('"result":"quarantined"');
    const { deliveries } = (await rig.json(['quarantine', 'list'])) as { deliveries: { id: string; reason: string; conversation_id: string }[] };
    expect(deliveries).toMatchObject([{ reason: 'unassigned', conversation_id: 'conv_stray' }]);
    await rig.earshot(['agents', 'add', 'agent_stray']);
    expect(await rig.json(['quarantine', 'redrive', deliveries[0]?.id ?? ''])).toMatchObject({ results: [{ call_sid: 'EL_conv_stray' }] });
    expect((await rig.json(['show', 'conv_stray']))['status']).toBe('completed');
    expect(await rig.json(['quarantine', 'redrive', '--all'])).toEqual({ results: [] });
    expect((await rig.earshot(['quarantine', 'redrive'])).code).toBe(2);
    expect((await rig.earshot(['quarantine', 'redrive', 'no-such-id'])).code).toBe(5);
  });
});

describe("following a deployment's webhooks on a developer's machine", () => {
  let far: Rig;
  let near: Rig;
  beforeAll(async () => {
    far = await startRig({ ELEVENLABS_WEBHOOK_SECRETS: 'wsec_of_production' });
    near = await startRig();
  });
  afterAll(async () => {
    await far.close();
    await near.close();
  });
  const listen = (...more: string[]): Promise<Ran> => near.earshot(['listen', '--from', far.product.url, ...more]);
  const deliver = async (conversation: string): Promise<void> => {
    const path = join(far.dataDir, `${conversation}.json`);
    writeFileSync(path, postCall(conversation, 'agent_local'));
    expect((await far.earshot(['webhook', 'send', path])).code).toBe(0);
  };

  it('brings what comes after it began to listen, signed anew, and after a restart goes on where it stopped', async () => {
    await deliver('conv_before');
    expect((await listen('--once')).err).toContain('Listening from now on');
    await deliver('conv_one');
    await deliver('conv_two');
    const { code, out, err } = await listen('--once');
    expect(code).toBe(0);
    expect(err).toContain('Going on where it stopped');
    expect(out).toMatch(/^[0-9a-f]{12} post_call_transcription: stored\n[0-9a-f]{12} post_call_transcription: stored\n$/);
    expect(await near.json(['show', 'conv_one'])).toMatchObject({ status: 'completed', transcript_summary: 'Short.' });
    expect((await near.earshot(['show', 'conv_two'])).code).toBe(0);
    expect((await near.earshot(['show', 'conv_before'])).code).toBe(5);
    expect((await listen('--once')).out).toBe('');
  });

  it('hears while it listens, says what it brings by ids only, and ends when the person does', async () => {
    const stop = new AbortController();
    const heard: string[] = [];
    const listening = near.earshot(['listen', '--from', far.product.url, '--json'], {
      stop: stop.signal,
      onOut: (text) => {
        heard.push(text);
        stop.abort();
      },
    });
    await deliver('conv_three');
    const { code } = await listening;
    expect(code).toBe(0);
    expect(Object.keys(JSON.parse(heard[0] ?? '') as object)).toEqual(['id', 'route', 'type', 'result']);
    expect(heard.join('')).not.toContain('Short.');
    expect((await near.earshot(['show', 'conv_three'])).code).toBe(0);
  });

  it('moves on only after a delivery was taken: what it could not bring comes the next time', async () => {
    const position = join(near.dataDir, 'own-position.json');
    await listen('--once', '--position', position);
    await deliver('conv_four');
    const stop = new AbortController();
    const trying = near.earshot(['listen', '--from', far.product.url, '--forward', 'http://127.0.0.1:1', '--position', position, '--once'], { stop: stop.signal, onErr: (text) => text.includes('trying again') && stop.abort() });
    expect(await trying).toMatchObject({ code: 0, out: '', err: expect.stringContaining('the local Earshot does not answer (unreachable); trying again') as string });
    expect((await near.earshot(['show', 'conv_four'])).code).toBe(5);
    expect((await listen('--once', '--position', position)).out).toContain('stored');
    expect((await near.earshot(['show', 'conv_four'])).code).toBe(0);
  });

  it('ends where trying again cannot help', async () => {
    expect(await near.earshot(['listen', '--from', far.product.url, '--forward', far.product.url])).toMatchObject({ code: 2, err: expect.stringContaining('(same_deployment)') as string });
    expect(await near.earshot(['listen', '--from', far.product.url, '--once'], { env: { TEST_USERNAME: 'x', TEST_PASSWORD: 'y' } })).toMatchObject({ code: 4 });
    expect((await near.earshot(['listen'])).code).toBe(2);
    const folder = temporaryFolder();
    const position = join(folder.path, 'position.json');
    writeFileSync(position, '{');
    expect(await listen('--position', position)).toMatchObject({ code: 2, err: expect.stringContaining('(file_not_readable)') as string });
    folder.remove();
    expect(existsSync(position)).toBe(false);
  });

  it('says so where the local secret is another', async () => {
    await listen('--once');
    await deliver('conv_five');
    expect(await near.earshot(['listen', '--from', far.product.url, '--once'], { env: { ELEVENLABS_WEBHOOK_SECRETS: 'wsec_not_of_here' } })).toMatchObject({ code: 4, err: expect.stringContaining('(signature_invalid)') as string });
  });
});
